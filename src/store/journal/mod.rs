//! The journal on disk: numbered, append-only, checksummed segment files, one process per folder.
//!
//! Personal fields are written as they are: sealing them under a per-caller key is not part of this form.

mod error;
mod frame;
mod handle;
mod recover;
mod segment;
mod writer;

pub use error::JournalError;
pub use handle::{AppendError, JournalHandle, Progress, Report, Settings};
pub use recover::{Entries, Journal, TornTail};
