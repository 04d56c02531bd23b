//! The SQLite database of a data folder: a fold of the journal, never the reverse.
//!
//! The statements keep to what PostgreSQL reads as well.

mod read;
mod write;

pub use read::{Cursor, Order, Page, RecordQuery, Records};
pub(super) use write::{Database, Mark};

use std::path::{Path, PathBuf};

/// Why the database cannot be used. Nothing is lost by it: the journal holds everything that it held.
#[derive(Debug, thiserror::Error)]
pub enum DatabaseError {
    /// There is none yet.
    #[error("there is no database {}; start the daemon on this data_dir, it makes one from the journal", path.display())]
    Missing {
        /// Where it was looked for.
        path: PathBuf,
    },
    /// SQLite refused.
    #[error("database {}: cannot {act}: {source}; check space and permissions, or move it away: it is made anew from the journal", path.display())]
    Sqlite {
        /// What was tried.
        act: &'static str,
        /// On what.
        path: PathBuf,
        /// SQLite's answer.
        source: sqlx::Error,
    },
}

impl DatabaseError {
    fn at(act: &'static str, path: &Path) -> impl FnOnce(sqlx::Error) -> Self + use<> {
        let path = path.to_owned();
        move |source| Self::Sqlite { act, path, source }
    }
}

/// The database file of the data folder `data_dir`.
fn path(data_dir: &Path) -> PathBuf {
    data_dir.join("trunkline.db")
}
