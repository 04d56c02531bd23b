//! Why a journal cannot be opened or read.

use std::io;
use std::path::PathBuf;

/// A journal that cannot be used. Nothing is repaired silently except a torn tail.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// Another process has the folder.
    #[error("data folder {} is in use by another trunkline; stop that one or choose another data_dir", dir.display())]
    InUse {
        /// The folder.
        dir: PathBuf,
    },
    /// The file system refused.
    #[error("journal {}: cannot {act}: {source}; check space and permissions of the data folder", path.display())]
    Io {
        /// What was tried.
        act: &'static str,
        /// On what.
        path: PathBuf,
        /// The system's answer.
        source: io::Error,
    },
    /// Good frames follow a bad one, or a closed segment does not end well: no crash of ours does that.
    #[error(
        "journal {} is damaged at offset {offset}: {what}; restore this file from a backup, \
         or to give up everything from there on, cut it at this offset and move later segments away", path.display()
    )]
    Corrupt {
        /// The segment.
        path: PathBuf,
        /// Where the first bad frame begins, in bytes.
        offset: u64,
        /// What is wrong with it.
        what: String,
    },
    /// A number is missing between two segment files.
    #[error("journal segment {} is missing while later ones exist; restore it from a backup", path.display())]
    Missing {
        /// The file that should be there.
        path: PathBuf,
    },
}

impl JournalError {
    /// For `map_err` at a file operation.
    pub(super) fn io(act: &'static str, path: &std::path::Path) -> impl FnOnce(io::Error) -> Self + use<> {
        let path = path.to_owned();
        move |source| Self::Io { act, path, source }
    }
}
