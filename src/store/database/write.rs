//! The one writing end.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous};
use sqlx::{ConnectOptions, Connection, QueryBuilder, Row, Sqlite, SqliteConnection};

use super::{DatabaseError, path};
use crate::records::CallRecord;

/// Changes whenever the tables do: a database of another form is made anew.
const FORM: i64 = 1;

const TABLES: &[&str] = &[
    "CREATE TABLE IF NOT EXISTS progress (id BIGINT PRIMARY KEY, form BIGINT NOT NULL, seq BIGINT NOT NULL, \
     wall_ms BIGINT NOT NULL)",
    "CREATE TABLE IF NOT EXISTS records (call_id TEXT PRIMARY KEY, revision BIGINT NOT NULL, started BIGINT NOT NULL, \
     ended BIGINT NOT NULL, queue TEXT, caller TEXT NOT NULL, disposition TEXT NOT NULL, document TEXT NOT NULL)",
    "CREATE TABLE IF NOT EXISTS record_agents (call_id TEXT NOT NULL, agent TEXT NOT NULL, PRIMARY KEY (call_id, agent))",
    "CREATE INDEX IF NOT EXISTS records_started ON records (started, call_id)",
    "CREATE INDEX IF NOT EXISTS records_ended ON records (ended)",
    "CREATE INDEX IF NOT EXISTS records_queue ON records (queue, started)",
    "CREATE INDEX IF NOT EXISTS records_caller ON records (caller, started)",
    "CREATE INDEX IF NOT EXISTS records_disposition ON records (disposition, started)",
    "CREATE INDEX IF NOT EXISTS record_agents_agent ON record_agents (agent, call_id)",
];

/// Records that one statement writes.
const ROWS: usize = 64;

/// How far the database has folded: the entry's number, and its instant to tell whether it is still the same entry.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::store) struct Mark {
    pub(in crate::store) seq: u64,
    pub(in crate::store) wall_ms: i64,
}

/// An open database.
#[derive(Debug)]
pub(in crate::store) struct Database {
    connection: SqliteConnection,
    path: PathBuf,
    inode: u64,
}

impl Database {
    /// Opens or makes it, and gives how far it has come. A damaged one is put aside.
    pub(in crate::store) async fn open(data_dir: &Path) -> Result<(Self, Mark), DatabaseError> {
        let path = path(data_dir);
        match Self::try_open(&path).await {
            Err(DatabaseError::Sqlite { source, .. }) if is_damage(&source) => {
                tracing::error!(database = %path.display(), error = %source, "damaged; put aside and made anew from the journal");
                for ending in ["", "-wal", "-shm"] {
                    let from = format!("{}{ending}", path.display());
                    // What is not there need not be moved; what cannot be moved fails again below.
                    let _ = fs::rename(&from, format!("{}.damaged{ending}", path.display()));
                }
                Self::try_open(&path).await
            }
            opened => opened,
        }
    }

    async fn try_open(path: &Path) -> Result<(Self, Mark), DatabaseError> {
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Normal)
            .disable_statement_logging();
        let mut connection = options.connect().await.map_err(DatabaseError::at("open", path))?;
        let read = "SELECT form, seq, wall_ms FROM progress WHERE id = 1";
        for table in TABLES {
            sqlx::query(*table)
                .execute(&mut connection)
                .await
                .map_err(DatabaseError::at("make the tables of", path))?;
        }
        let row = sqlx::query(read).fetch_optional(&mut connection).await.map_err(DatabaseError::at("read", path))?;
        let inode = inode(path);
        let mut database = Self { connection, path: path.to_owned(), inode };
        let Some(row) = row else { return Ok((database, Mark::default())) };
        let (form, seq, wall_ms): (i64, i64, i64) = (row.get(0), row.get(1), row.get(2));
        if form != FORM {
            database.clear().await?;
            return Ok((database, Mark::default()));
        }
        Ok((database, Mark { seq: u64::try_from(seq).unwrap_or(0), wall_ms }))
    }

    /// Empties it, to be folded anew.
    pub(in crate::store) async fn clear(&mut self) -> Result<(), DatabaseError> {
        for statement in ["DELETE FROM records", "DELETE FROM record_agents", "DELETE FROM progress"] {
            let done = sqlx::query(statement).execute(&mut self.connection).await;
            done.map_err(DatabaseError::at("empty", &self.path))?;
        }
        Ok(())
    }

    /// Writes records and how far they reach, in one transaction.
    pub(in crate::store) async fn write(&mut self, records: &[CallRecord], mark: Mark) -> Result<(), DatabaseError> {
        let fail = |act| DatabaseError::at(act, &self.path);
        if inode(&self.path) != self.inode {
            // Deleted under us: what would be written now nobody could read.
            return Err(fail("find")(sqlx::Error::Io(std::io::ErrorKind::NotFound.into())));
        }
        let mut transaction = self.connection.begin().await.map_err(fail("begin a transaction in"))?;
        for rows in last_revisions(records).chunks(ROWS) {
            write_rows(&mut transaction, rows).await.map_err(fail("write records to"))?;
        }
        let progress = "INSERT INTO progress (id, form, seq, wall_ms) VALUES (1, $1, $2, $3) \
                        ON CONFLICT (id) DO UPDATE SET form = excluded.form, seq = excluded.seq, wall_ms = excluded.wall_ms";
        let seq = i64::try_from(mark.seq).unwrap_or(i64::MAX);
        let progress = sqlx::query(progress).bind(FORM).bind(seq).bind(mark.wall_ms);
        progress.execute(&mut *transaction).await.map_err(fail("write to"))?;
        transaction.commit().await.map_err(fail("commit to"))
    }

    /// Closes it, so that everything stands in the one file.
    pub(in crate::store) async fn close(self) -> Result<(), DatabaseError> {
        self.connection.close().await.map_err(DatabaseError::at("close", &self.path))
    }
}

/// Writes up to [`ROWS`] records. Each statement is a round trip to the thread that SQLite runs on, so all go in one.
async fn write_rows(connection: &mut SqliteConnection, records: &[&CallRecord]) -> Result<(), sqlx::Error> {
    let mut rows = Vec::with_capacity(records.len());
    for record in records {
        let document = serde_json::to_string(record).map_err(|error| sqlx::Error::Encode(error.into()))?;
        let disposition = serde_json::to_value(record.disposition);
        rows.push((record, document, disposition.map_err(|error| sqlx::Error::Encode(error.into()))?));
    }
    let columns = "INSERT INTO records (call_id, revision, started, ended, queue, caller, disposition, document) ";
    let mut upsert = QueryBuilder::<Sqlite>::new(columns);
    upsert.push_values(&rows, |mut row, (record, document, disposition)| {
        row.push_bind(record.call_id.to_string())
            .push_bind(i64::from(record.revision))
            .push_bind(record.started.0)
            .push_bind(record.ended.0)
            .push_bind(record.queue.as_ref().map(|queue| queue.as_str()))
            .push_bind(&record.caller)
            .push_bind(disposition.as_str().unwrap_or_default())
            .push_bind(document);
    });
    upsert.push(
        " ON CONFLICT (call_id) DO UPDATE SET revision = excluded.revision, started = excluded.started, \
         ended = excluded.ended, queue = excluded.queue, caller = excluded.caller, disposition = excluded.disposition, \
         document = excluded.document WHERE excluded.revision > records.revision",
    );
    upsert.build().execute(&mut *connection).await?;
    // Only a call that was revised can have agents already.
    let revised: Vec<_> = records.iter().filter(|record| record.revision > 1).collect();
    if !revised.is_empty() {
        let mut delete = QueryBuilder::<Sqlite>::new("DELETE FROM record_agents WHERE call_id IN (");
        let mut calls = delete.separated(", ");
        for record in revised {
            calls.push_bind(record.call_id.to_string());
        }
        delete.push(")").build().execute(&mut *connection).await?;
    }
    let served: Vec<_> =
        records.iter().flat_map(|record| record.segments.iter().map(move |segment| (record, segment))).collect();
    for served in served.chunks(ROWS) {
        let mut insert = QueryBuilder::<Sqlite>::new("INSERT INTO record_agents (call_id, agent) ");
        insert.push_values(served, |mut row, (record, segment)| {
            row.push_bind(record.call_id.to_string()).push_bind(segment.agent.as_str());
        });
        insert.push(" ON CONFLICT (call_id, agent) DO NOTHING").build().execute(&mut *connection).await?;
    }
    Ok(())
}

/// The last revision of each call, in the order in which calls come first.
fn last_revisions(records: &[CallRecord]) -> Vec<&CallRecord> {
    let mut places = BTreeMap::new();
    let mut last: Vec<&CallRecord> = Vec::with_capacity(records.len());
    for record in records {
        match places.entry(record.call_id) {
            Entry::Vacant(place) => {
                place.insert(last.len());
                last.push(record);
            }
            Entry::Occupied(place) => last[*place.get()] = record,
        }
    }
    last
}

fn inode(path: &Path) -> u64 {
    fs::metadata(path).map_or(0, |about| about.ino())
}

/// SQLITE_CORRUPT and SQLITE_NOTADB.
fn is_damage(error: &sqlx::Error) -> bool {
    let code = error.as_database_error().and_then(|error| error.code());
    code.and_then(|code| code.parse::<i32>().ok()).is_some_and(|code| matches!(code & 0xff, 11 | 26))
}
