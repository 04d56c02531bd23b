//! The switch's end of the writer: append, and read how far the disk has come.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::Waker;
use std::thread::JoinHandle;
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender, TrySendError};

use super::error::JournalError;
use super::frame;
use super::recover::Journal;
use super::writer::{Batch, Writer};
use crate::journal::Entry;
use crate::store::Bell;

/// How the writer works.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// A segment that has reached this many bytes is closed.
    pub segment_bytes: u64,
    /// How many bytes may wait for the disk before appending is refused.
    pub backlog_bytes: u64,
    /// How long after the first unsynced write its sync begins.
    pub sync_after: Duration,
    /// How long after the first unsynced write the disk counts as stalled.
    pub stall_after: Duration,
    /// How long after a failure writing is tried again.
    pub retry_after: Duration,
    /// How long closing waits for a disk that fails.
    pub close_patience: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            segment_bytes: 64 << 20,
            backlog_bytes: 64 << 20,
            sync_after: Duration::from_millis(20),
            stall_after: Duration::from_millis(50),
            retry_after: Duration::from_millis(250),
            close_patience: Duration::from_secs(5),
        }
    }
}

/// What the writer has to tell. [`Progress`] holds the same as figures, so nothing is lost where the reader is slow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Report {
    /// Entries up to this one survive `kill -9`.
    Written(u64),
    /// Entries up to this one survive a power cut.
    Synced(u64),
    /// Written entries have waited longer than `stall_after` for their sync; `synced` is how far it came.
    Stalled {
        /// The last synced entry.
        synced: u64,
    },
    /// The disk keeps up again.
    Resumed,
    /// Writing or syncing failed; it is tried again after `retry_after`.
    Failed {
        /// The segment.
        path: PathBuf,
        /// What was tried and what the system answered.
        error: String,
    },
}

/// How far the disk has come. Cheap to clone, safe to read from any thread.
#[derive(Clone, Debug)]
pub struct Progress(pub(super) Arc<Counters>);

#[derive(Debug, Default)]
pub(super) struct Counters {
    pub(super) written: AtomicU64,
    pub(super) synced: AtomicU64,
    pub(super) backlog: AtomicU64,
    pub(super) stalled: AtomicBool,
    pub(super) failing: AtomicBool,
}

impl Progress {
    /// The last entry in the page cache: the outputs that it caused may leave.
    pub fn written(&self) -> u64 {
        self.0.written.load(Ordering::Acquire)
    }

    /// The last entry on the disk: confirmations for it may leave.
    pub fn synced(&self) -> u64 {
        self.0.synced.load(Ordering::Acquire)
    }

    /// Bytes appended and not synced yet.
    pub fn backlog_bytes(&self) -> u64 {
        self.0.backlog.load(Ordering::Acquire)
    }

    /// Whether a sync is overdue: confirmations get 503, calls pass.
    pub fn stalled(&self) -> bool {
        self.0.stalled.load(Ordering::Acquire)
    }

    /// Whether the last write or sync failed.
    pub fn failing(&self) -> bool {
        self.0.failing.load(Ordering::Acquire)
    }
}

/// Entries that were not taken. Nothing of the vector was.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AppendError {
    /// The disk is too far behind.
    #[error(
        "journal backlog of {backlog} bytes is at its limit of {limit}; refuse new calls with 503 until the disk catches up"
    )]
    Full {
        /// Bytes that wait.
        backlog: u64,
        /// The limit.
        limit: u64,
    },
    /// The numbers are not the next ones.
    #[error("journal entry {got} was appended where {expected} is due; number entries from Journal::next_seq on")]
    OutOfOrder {
        /// The number that is due.
        expected: u64,
        /// The number that came.
        got: u64,
    },
    /// An entry is too long for a frame.
    #[error("journal entry {seq} is longer than 1 MiB; limit what a message may bring in before it becomes an event")]
    TooLong {
        /// Its number.
        seq: u64,
    },
    /// The writer thread is gone.
    #[error("the journal's writer has ended; stop the daemon, it cannot keep records")]
    Gone,
}

/// The one appending end of a journal.
#[derive(Debug)]
pub struct JournalHandle {
    batches: Option<Sender<Batch>>,
    /// What the writer sleeps by.
    bell: Arc<Bell>,
    progress: Progress,
    next_seq: u64,
    limit: u64,
    thread: Option<JoinHandle<Result<(), JournalError>>>,
}

/// Batches that may wait; bytes are limited beside.
const QUEUE: usize = 65_536;
/// Reports that may wait; further ones are dropped, [`Progress`] has the figures.
const REPORTS: usize = 1_024;

impl Journal {
    /// Starts the writer behind the entries that are there; `waker` wakes who receives its reports. The lock goes with it.
    pub fn start(self, settings: Settings, waker: Waker) -> Result<(JournalHandle, Receiver<Report>), JournalError> {
        let next_seq = self.next_seq();
        let counters = Arc::new(Counters::default());
        let before = next_seq.saturating_sub(1);
        counters.written.store(before, Ordering::Release);
        counters.synced.store(before, Ordering::Release);
        let (batches, inbox) = crossbeam_channel::bounded(QUEUE);
        let (reports, outbox) = crossbeam_channel::bounded(REPORTS);
        let limit = settings.backlog_bytes;
        let dir = self.dir.clone();
        let bell = Arc::new(Bell::default());
        let writer = Writer::new(self, settings, (inbox, bell.clone()), (reports, waker), counters.clone())?;
        let thread = std::thread::Builder::new()
            .name("journal".into())
            .spawn(move || writer.run())
            .map_err(JournalError::io("start the writer thread of", &dir))?;
        let progress = Progress(counters);
        Ok((JournalHandle { batches: Some(batches), bell, progress, next_seq, limit, thread: Some(thread) }, outbox))
    }
}

impl JournalHandle {
    /// The number that the next entry must have.
    pub fn next_seq(&self) -> u64 {
        self.next_seq
    }

    /// How far the disk has come, to share.
    pub fn progress(&self) -> &Progress {
        &self.progress
    }

    /// See [`Progress::written`].
    pub fn written(&self) -> u64 {
        self.progress.written()
    }

    /// See [`Progress::synced`].
    pub fn synced(&self) -> u64 {
        self.progress.synced()
    }

    /// Queues entries, numbered from [`Self::next_seq`] on, all or none. Never waits.
    pub fn append(&mut self, entries: &[Entry]) -> Result<(), AppendError> {
        let mut bytes = Vec::with_capacity(entries.len().saturating_mul(256));
        let mut expected = self.next_seq;
        for entry in entries {
            if entry.seq != expected {
                return Err(AppendError::OutOfOrder { expected, got: entry.seq });
            }
            frame::encode(entry, &mut bytes).ok_or(AppendError::TooLong { seq: entry.seq })?;
            expected = expected.saturating_add(1);
        }
        if bytes.is_empty() {
            return Ok(());
        }
        let (len, backlog) = (bytes.len() as u64, self.progress.backlog_bytes());
        if backlog.saturating_add(len) > self.limit {
            return Err(AppendError::Full { backlog, limit: self.limit });
        }
        let batch = Batch { bytes, last_seq: expected.saturating_sub(1) };
        self.progress.0.backlog.fetch_add(len, Ordering::AcqRel);
        let sent = self.batches.as_ref().map(|batches| batches.try_send(batch));
        if let Some(Ok(())) = sent {
            self.next_seq = expected;
            self.bell.ring();
            return Ok(());
        }
        self.progress.0.backlog.fetch_sub(len, Ordering::AcqRel);
        match sent {
            Some(Err(TrySendError::Full(_))) => Err(AppendError::Full { backlog, limit: self.limit }),
            _ => Err(AppendError::Gone),
        }
    }

    /// Writes and syncs what is queued, then ends the writer. Waits at most `close_patience` for a disk that fails.
    pub fn close(mut self) -> Result<(), JournalError> {
        self.finish()
    }

    fn finish(&mut self) -> Result<(), JournalError> {
        self.batches = None;
        self.bell.ring();
        let Some(thread) = self.thread.take() else { return Ok(()) };
        thread.join().unwrap_or_else(|_| {
            let source = std::io::Error::other("the writer thread panicked");
            Err(JournalError::Io { act: "close", path: PathBuf::from("journal"), source })
        })
    }
}

impl Drop for JournalHandle {
    fn drop(&mut self) {
        if let Err(error) = self.finish() {
            tracing::error!(%error, "journal closed with entries that are not on the disk");
        }
    }
}
