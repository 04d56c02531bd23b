//! Journal files and what is folded from them.
//!
//! A start is: [`Journal::open`], [`restore`], then [`Journal::start`] for the writer, a [`Feed`] beside it, and a
//! [`Follower`] for each database. A stop is: the last entry pushed, [`journal::JournalHandle::close`], [`Follower::stop`].

mod bell;
mod database;
mod feed;
mod folds;
mod follower;
pub mod journal;
mod queue_log;
mod recordings;
mod restore;
mod sampling;
mod snapshot;
pub mod trace;
mod worker;

pub use crate::recording::{BadKeys, KeyRing, Manifest, sha256};
pub use crate::records::Binding as FoldedBinding;
pub use bell::Bell;
pub use database::{Cursor, DatabaseError, Order, Page, RecordQuery, Records};
pub use feed::{Drained, Feed, Tap};
pub use folds::Folds;
pub use follower::{FollowSettings, FollowStatus, Follower};
pub use journal::{Journal, JournalError};
pub use queue_log::QueueLogWriter;
pub use recordings::{
    Compressor, KeptError, RecordingFile, Rekeyed, UnreadableError, mend_recordings, recorded_names, recordings_dir,
    rekey_recordings,
};
pub use restore::{RestoreError, Restored, restore};
pub use sampling::recorded_calls;
pub use snapshot::{SnapshotError, Snapshots};
pub use worker::{Stop, Worker};
