//! A start: snapshot, tail, and what the last run left open.

use std::path::Path;

use super::folds::Folds;
use super::journal::{Journal, JournalError};
use super::recordings::{KeptError, mend_recordings};
use super::snapshot::{SnapshotError, Snapshots};
use crate::journal::Event;
use crate::recording::KeyRing;

/// What a start goes on from.
#[derive(Debug)]
pub struct Restored {
    /// Everything that the journal says.
    pub folds: Folds,
    /// What the start has to journal behind its own `Started`: the ends of cut calls, then those of their recordings.
    pub closing: Vec<Event>,
}

/// Why a start cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum RestoreError {
    /// The journal cannot be read.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// A recording cannot be mended.
    #[error(transparent)]
    Recordings(#[from] KeptError),
}

/// Folds the journal of `data_dir` and mends its recordings, sealed ones by `keys`. Call it before media threads run.
///
/// # Errors
/// Where the journal or the recordings cannot be read or mended.
pub fn restore(data_dir: &Path, journal: &Journal, keys: Option<&KeyRing>) -> Result<Restored, RestoreError> {
    let folds = fold(data_dir, journal)?;
    let mut closing = folds.records.cut_by_restart();
    closing.extend(mend_recordings(data_dir, &folds.records, keys)?);
    Ok(Restored { folds, closing })
}

/// The folds of the whole journal, by way of the snapshot where it is good for anything.
fn fold(data_dir: &Path, journal: &Journal) -> Result<Folds, JournalError> {
    let mut folds = snapshot(data_dir, journal.next_seq().saturating_sub(1)).unwrap_or_default();
    for entry in journal.entries(folds.seq().saturating_add(1)) {
        folds.handle_entry(&entry?);
        while folds.records.poll_record().is_some() {}
    }
    Ok(folds)
}

/// The snapshot, unless it is damaged or goes past `last_seq`.
pub(super) fn snapshot(data_dir: &Path, last_seq: u64) -> Option<Folds> {
    match Snapshots::new(data_dir).load::<Folds>() {
        Ok(folds) => folds.filter(|folds| {
            let fits = folds.seq() <= last_seq;
            if !fits {
                tracing::warn!(
                    snapshot = folds.seq(),
                    journal = last_seq,
                    "the snapshot is ahead of the journal; not used"
                );
            }
            fits
        }),
        Err(error @ (SnapshotError::Io { .. } | SnapshotError::Damaged { .. })) => {
            tracing::warn!(%error, "folding the whole journal instead");
            None
        }
    }
}
