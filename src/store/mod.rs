//! Journal files and what is folded from them.
//!
//! A start is: [`Snapshots::load`], then every entry of [`Journal::entries`] after its sequence through [`Folds::handle_entry`],
//! then [`Journal::start`] for the writer.

mod folds;
pub mod journal;
mod sampling;
mod snapshot;

pub use crate::records::Binding as FoldedBinding;
pub use folds::Folds;
pub use journal::{Journal, JournalError};
pub use sampling::recorded_calls;
pub use snapshot::{SnapshotError, Snapshots};
