//! The reading end: many at once, also from other processes, while the daemon writes.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Connection, QueryBuilder, Row, Sqlite, SqliteConnection};

use super::{DatabaseError, path};
use crate::id::CallId;
use crate::records::CallRecord;

/// The order in which records come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Order {
    /// The last call first.
    #[default]
    NewestFirst,
    /// The first call first.
    OldestFirst,
}

/// Where a page ended: the next one goes on behind it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cursor {
    started: i64,
    call: CallId,
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.started, self.call)
    }
}

impl FromStr for Cursor {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (started, call) = text.rsplit_once('-').ok_or(())?;
        Ok(Self { started: started.parse().map_err(|_| ())?, call: call.parse().map_err(|_| ())? })
    }
}

/// Which records.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RecordQuery {
    /// Started at or after this instant (wall ms).
    pub since: Option<i64>,
    /// Started before this instant (wall ms).
    pub until: Option<i64>,
    /// Of this queue.
    pub queue: Option<String>,
    /// Presented to this agent.
    pub agent: Option<String>,
    /// Of this caller.
    pub caller: Option<String>,
    /// Behind this page.
    pub cursor: Option<Cursor>,
    /// In this order.
    pub order: Order,
    /// At most so many.
    pub limit: u32,
}

/// Some records.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Page {
    /// The records' JSON documents.
    pub documents: Vec<String>,
    /// Where to go on, if there is more.
    pub next: Option<Cursor>,
}

/// Reads the database of a data folder. Opens it for each question, so that one that was made anew is seen at once.
#[derive(Clone, Debug)]
pub struct Records {
    path: PathBuf,
}

impl Records {
    /// The records of the data folder `data_dir`.
    pub fn new(data_dir: &Path) -> Self {
        Self { path: path(data_dir) }
    }

    /// One page.
    pub async fn page(&self, query: &RecordQuery) -> Result<Page, DatabaseError> {
        let mut connection = self.open().await?;
        let rows = statement(query).build().fetch_all(&mut connection).await;
        let mut rows = rows.map_err(DatabaseError::at("read records of", &self.path))?;
        // Read-only: closing can lose nothing.
        let _ = connection.close().await;
        let limit = usize::try_from(query.limit).unwrap_or(usize::MAX);
        let more = rows.len() > limit;
        rows.truncate(limit);
        let next = rows
            .last()
            .filter(|_| more)
            .and_then(|row| Some(Cursor { started: row.get(0), call: row.get::<&str, _>(1).parse().ok()? }));
        Ok(Page { documents: rows.iter().map(|row| row.get(2)).collect(), next })
    }

    /// The JSON document of one call's record.
    pub async fn one(&self, call: CallId) -> Result<Option<String>, DatabaseError> {
        let mut connection = self.open().await?;
        let read = sqlx::query("SELECT document FROM records WHERE call_id = $1").bind(call.to_string());
        let row =
            read.fetch_optional(&mut connection).await.map_err(DatabaseError::at("read a record of", &self.path))?;
        let _ = connection.close().await;
        Ok(row.map(|row| row.get(0)))
    }

    /// Every record that `query` names, read page by page; `tell` says whether to go on.
    pub async fn each(
        &self,
        mut query: RecordQuery,
        mut tell: impl FnMut(CallRecord) -> bool,
    ) -> Result<(), DatabaseError> {
        query.limit = 500;
        loop {
            let page = self.page(&query).await?;
            for document in &page.documents {
                let decoded = serde_json::from_str(document).map_err(|error| sqlx::Error::Decode(error.into()));
                if !tell(decoded.map_err(DatabaseError::at("read a record of", &self.path))?) {
                    return Ok(());
                }
            }
            query.cursor = page.next;
            if query.cursor.is_none() {
                return Ok(());
            }
        }
    }

    async fn open(&self) -> Result<SqliteConnection, DatabaseError> {
        if !self.path.is_file() {
            return Err(DatabaseError::Missing { path: self.path.clone() });
        }
        let options = SqliteConnectOptions::new().filename(&self.path).read_only(true).disable_statement_logging();
        options.connect().await.map_err(DatabaseError::at("open", &self.path))
    }
}

fn statement(query: &RecordQuery) -> QueryBuilder<Sqlite> {
    let mut sql = QueryBuilder::new("SELECT started, call_id, document FROM records WHERE 1 = 1");
    if let Some(since) = query.since {
        sql.push(" AND started >= ").push_bind(since);
    }
    if let Some(until) = query.until {
        sql.push(" AND started < ").push_bind(until);
    }
    if let Some(queue) = &query.queue {
        sql.push(" AND queue = ").push_bind(queue.clone());
    }
    if let Some(caller) = &query.caller {
        sql.push(" AND caller = ").push_bind(caller.clone());
    }
    if let Some(agent) = &query.agent {
        sql.push(" AND call_id IN (SELECT call_id FROM record_agents WHERE agent = ")
            .push_bind(agent.clone())
            .push(")");
    }
    let (compare, order) = match query.order {
        Order::NewestFirst => ("<", "DESC"),
        Order::OldestFirst => (">", "ASC"),
    };
    if let Some(cursor) = &query.cursor {
        sql.push(format!(" AND (started, call_id) {compare} (")).push_bind(cursor.started);
        sql.push(", ").push_bind(cursor.call.to_string()).push(")");
    }
    sql.push(format!(" ORDER BY started {order}, call_id {order} LIMIT "));
    sql.push_bind(i64::from(query.limit).saturating_add(1));
    sql
}
