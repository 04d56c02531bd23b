//! The database's one writer: follows the journal, batches, and goes on trying where the database fails.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio::runtime::{Builder, Runtime};

use super::database::{Database, DatabaseError, Mark};
use super::feed::{Drained, Tap};
use super::folds::Folds;
use super::journal::Entries;
use super::restore::snapshot;
use super::snapshot::Snapshots;
use super::worker::{Stop, Worker};
use crate::records::CallRecord;

/// How the follower works.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FollowSettings {
    /// How long records may wait to be written together.
    pub batch: Duration,
    /// How long after a failure it is tried again.
    pub retry_after: Duration,
    /// A snapshot is saved each time so many entries have been folded, and at the stop.
    pub snapshot_every: u64,
}

impl Default for FollowSettings {
    fn default() -> Self {
        let (batch, retry_after) = (Duration::from_millis(100), Duration::from_secs(1));
        Self { batch, retry_after, snapshot_every: 100_000 }
    }
}

/// How the database fares. Cheap to clone, safe to read from any thread.
#[derive(Clone, Debug, Default)]
pub struct FollowStatus(Arc<Counters>);

#[derive(Debug, Default)]
struct Counters {
    seq: AtomicU64,
    records: AtomicU64,
    failures: AtomicU64,
    failing: AtomicBool,
}

impl FollowStatus {
    /// The last entry of which the database knows.
    pub fn seq(&self) -> u64 {
        self.0.seq.load(Ordering::Acquire)
    }

    /// How many revisions of records have been written since the start.
    pub fn records(&self) -> u64 {
        self.0.records.load(Ordering::Relaxed)
    }

    /// How often something failed since the start.
    pub fn failures(&self) -> u64 {
        self.0.failures.load(Ordering::Relaxed)
    }

    /// Whether the last try failed. Calls go on; nothing is lost, because the journal has it.
    pub fn failing(&self) -> bool {
        self.0.failing.load(Ordering::Acquire)
    }
}

/// The running follower.
#[derive(Debug)]
pub struct Follower {
    status: FollowStatus,
    worker: Worker,
}

impl Follower {
    /// Starts to follow `tap` into the database of `data_dir`, which may be missing, behind or ahead. The tap's own position
    /// does not matter: the database says where to go on.
    ///
    /// # Errors
    /// The system gives no thread.
    pub fn start(data_dir: &Path, tap: Tap, settings: FollowSettings) -> std::io::Result<Self> {
        let status = FollowStatus::default();
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let data_dir = data_dir.to_owned();
        let snapshot_seq = tap.seq();
        let mut thread = Thread {
            snapshots: Snapshots::new(&data_dir),
            data_dir,
            settings,
            tap,
            // Nobody can stop it before it runs.
            stop: Stop::default(),
            stopping: false,
            runtime,
            status: status.clone(),
            database: None,
            retry_at: None,
            folds: Folds::default(),
            written: Mark::default(),
            folded: Mark::default(),
            batch: Vec::new(),
            due: None,
            snapshot_seq,
            waiting_snapshot: None,
        };
        // Before anybody asks, so that a fresh data folder answers with no records rather than with an error.
        thread.open(Instant::now());
        let panicked = "the database's follower panicked; it is caught up from the journal at the next start";
        let worker = Worker::start("follower", panicked, thread.tap.bell(), move |stop| {
            thread.stop = stop;
            thread.run();
        })?;
        Ok(Self { status, worker })
    }

    /// How it fares, to share.
    pub fn status(&self) -> &FollowStatus {
        &self.status
    }

    /// Writes what the journal holds by now and a snapshot, and ends. Call it when the journal is closed.
    pub fn stop(self) {
        drop(self.worker);
    }
}

/// Entries folded before looking round.
const TURN: usize = 2_048;
/// How long to wait for what is pushed and not written yet.
const BEHIND: Duration = Duration::from_millis(5);

struct Thread {
    data_dir: PathBuf,
    settings: FollowSettings,
    tap: Tap,
    stop: Stop,
    stopping: bool,
    runtime: Runtime,
    status: FollowStatus,
    database: Option<Database>,
    retry_at: Option<Instant>,
    folds: Folds,
    /// What the database holds.
    written: Mark,
    /// What the folds hold.
    folded: Mark,
    batch: Vec<CallRecord>,
    /// When the batch is to be written.
    due: Option<Instant>,
    snapshots: Snapshots,
    /// The last snapshot.
    snapshot_seq: u64,
    /// A snapshot that waits until the disk has come as far.
    waiting_snapshot: Option<Folds>,
}

impl Thread {
    fn run(mut self) {
        let mut drained = Drained::More;
        loop {
            self.wait(drained);
            let now = Instant::now();
            if self.database.is_none() && self.retry_at.is_none_or(|at| at <= now) {
                self.open(now);
            }
            drained = Drained::Dry;
            if self.database.is_some() {
                drained = self.fold(now);
                if self.due.is_some_and(|due| due <= now || self.stopping) || self.batch.len() >= TURN {
                    self.write(now);
                }
            }
            self.save_snapshot();
            if self.stopping && (self.database.is_none() || (drained != Drained::More && self.due.is_none())) {
                return self.close();
            }
        }
    }

    fn wait(&mut self, drained: Drained) {
        let now = Instant::now();
        let soon = match drained {
            Drained::More => Some(now),
            Drained::Behind => now.checked_add(BEHIND),
            Drained::Dry => None,
        };
        let snapshot = self.waiting_snapshot.as_ref().and_then(|_| now.checked_add(BEHIND));
        let retry = self.retry_at.filter(|_| self.database.is_none());
        let deadline =
            [soon, self.due.filter(|_| self.database.is_some()), retry, snapshot].into_iter().flatten().min();
        if self.stopping {
            return;
        }
        let patience = deadline.map_or(Duration::MAX, |at| at.saturating_duration_since(now));
        // While a batch waits to be written, what comes meanwhile collects.
        if drained == Drained::Dry && self.database.is_some() && self.due.is_none() {
            self.tap.wait(patience);
        } else {
            self.tap.rest(patience);
        }
        self.stopping = self.stop.is_told();
    }

    fn open(&mut self, now: Instant) {
        let opened = self.runtime.block_on(Database::open(&self.data_dir));
        let begun = opened.and_then(|(mut database, mark)| {
            let mark = if self.is_of_this_journal(mark) {
                mark
            } else {
                tracing::warn!(database = mark.seq, "the database is not of this journal's past; made anew");
                self.runtime.block_on(database.clear())?;
                Mark::default()
            };
            Ok((database, mark))
        });
        match begun {
            Ok((database, mark)) => {
                self.database = Some(database);
                if mark != self.written || self.folded == Mark::default() {
                    self.rebase(mark);
                }
                self.status.0.failing.store(false, Ordering::Release);
            }
            Err(error) => self.handle_failure(&error, now),
        }
    }

    /// Whether the entry up to which the database has folded is still what the journal says.
    fn is_of_this_journal(&self, mark: Mark) -> bool {
        if mark.seq == 0 {
            return true;
        }
        if mark.seq > self.tap.progress().written() {
            return false;
        }
        let entry = Entries::between(&self.data_dir, mark.seq, mark.seq).ok().and_then(|mut entries| entries.next());
        matches!(entry, Some(Ok(entry)) if entry.seq == mark.seq && entry.wall_ms == mark.wall_ms)
    }

    /// Goes on from what the database holds.
    fn rebase(&mut self, mark: Mark) {
        self.folds = snapshot(&self.data_dir, mark.seq).unwrap_or_default();
        self.snapshot_seq = self.folds.seq();
        self.waiting_snapshot = None;
        self.tap.rewind(self.folds.seq());
        self.batch.clear();
        self.due = None;
        (self.written, self.folded) = (mark, mark);
        self.status.0.seq.store(mark.seq, Ordering::Release);
    }

    fn fold(&mut self, now: Instant) -> Drained {
        let (folds, batch, folded) = (&mut self.folds, &mut self.batch, &mut self.folded);
        let written = self.written.seq;
        let before = folded.seq;
        let drained = self.tap.drain(TURN, |entry| {
            folds.handle_entry(entry);
            while let Some(record) = folds.records.poll_record() {
                // What lies before the database's mark it has already.
                if entry.seq > written {
                    batch.push(record);
                }
            }
            if entry.seq > folded.seq {
                *folded = Mark { seq: entry.seq, wall_ms: entry.wall_ms };
            }
        });
        if folded.seq > before && self.due.is_none() {
            self.due = now.checked_add(self.settings.batch);
        }
        drained.unwrap_or_else(|error| {
            self.handle_failure(&error, now);
            Drained::Dry
        })
    }

    fn write(&mut self, now: Instant) {
        let Some(database) = self.database.as_mut() else { return };
        match self.runtime.block_on(database.write(&self.batch, self.folded)) {
            Ok(()) => {
                let counters = &self.status.0;
                counters.records.fetch_add(self.batch.len() as u64, Ordering::Relaxed);
                counters.seq.store(self.folded.seq, Ordering::Release);
                self.written = self.folded;
                self.batch.clear();
                self.due = None;
            }
            Err(error) => self.handle_failure(&error, now),
        }
    }

    /// Closes the database, to be opened again later; folding rests until then, so that memory does not grow.
    fn handle_failure(&mut self, error: &dyn std::error::Error, now: Instant) {
        self.database = None;
        self.retry_at = now.checked_add(self.settings.retry_after);
        self.status.0.failures.fetch_add(1, Ordering::Relaxed);
        if !self.status.0.failing.swap(true, Ordering::AcqRel) {
            tracing::error!(%error, "records reach the journal only; trying again");
        }
    }

    /// A snapshot may be ahead neither of the journal's disk nor of the database.
    fn save_snapshot(&mut self) {
        let due = self.written.seq.saturating_sub(self.snapshot_seq) >= self.settings.snapshot_every;
        if due && self.waiting_snapshot.is_none() && self.written == self.folded && self.folds.seq() == self.written.seq
        {
            self.waiting_snapshot = Some(self.folds.clone());
        }
        let synced = self.tap.progress().synced();
        if let Some(folds) = self.waiting_snapshot.take_if(|folds| folds.seq() <= synced) {
            self.snapshot_seq = folds.seq();
            self.save(&folds);
        }
    }

    fn save(&self, folds: &Folds) {
        if let Err(error) = self.snapshots.save(folds) {
            tracing::error!(%error, "the next start folds more of the journal");
        }
    }

    fn close(mut self) {
        let reached = self.written.seq;
        if self.folds.seq() == reached && reached > self.snapshot_seq && reached <= self.tap.progress().synced() {
            self.save(&self.folds);
        }
        let closed: Option<Result<(), DatabaseError>> =
            self.database.take().map(|database| self.runtime.block_on(database.close()));
        if let Some(Err(error)) = closed {
            tracing::error!(%error, "the database is caught up at the next start");
        }
    }
}
