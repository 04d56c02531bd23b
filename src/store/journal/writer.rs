//! The writer thread, and the thread that syncs for it so that a slow sync never delays a write.

use std::collections::VecDeque;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::Waker;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, TryRecvError};

use super::error::JournalError;
use super::handle::{Counters, Report, Settings};
use super::recover::Journal;
use super::segment;
use crate::store::Bell;

/// Encoded frames on their way to the disk.
#[derive(Debug)]
pub(super) struct Batch {
    pub(super) bytes: Vec<u8>,
    pub(super) last_seq: u64,
}

/// The most that one write call takes, bytes.
const WRITE_BYTES: usize = 1 << 20;

/// Written bytes, kept until they are synced: after a failed sync the page cache may have dropped them.
struct Chunk {
    offset: u64,
    bytes: Vec<u8>,
    last_seq: u64,
    written_at: Instant,
}

pub(super) struct Writer {
    journal: Journal,
    settings: Settings,
    inbox: Receiver<Batch>,
    /// Rung for each batch, each sync that is done, and when the handle is gone.
    bell: Arc<Bell>,
    /// Whether there may be more in the inbox than was taken.
    left: bool,
    /// Whether the handle is still there.
    open: bool,
    reports: Sender<Report>,
    waker: Waker,
    counters: Arc<Counters>,
    file: Arc<File>,
    end: u64,
    /// Taken from the inbox, not written yet.
    pending: VecDeque<Batch>,
    unsynced: VecDeque<Chunk>,
    /// When the oldest unsynced bytes were written.
    unsynced_since: Option<Instant>,
    /// Through which entry the sync under way will have come.
    syncing: Option<u64>,
    /// A sync failed: the unsynced chunks must be written again before the next one.
    rewrite: bool,
    /// When to try again after a failure.
    retry_at: Option<Instant>,
    closing_since: Option<Instant>,
    last_error: Option<JournalError>,
    sync_requests: Sender<Arc<File>>,
    sync_results: Receiver<io::Result<()>>,
}

impl Writer {
    pub(super) fn new(
        journal: Journal,
        settings: Settings,
        (inbox, bell): (Receiver<Batch>, Arc<Bell>),
        (reports, waker): (Sender<Report>, Waker),
        counters: Arc<Counters>,
    ) -> Result<Self, JournalError> {
        let path = segment::path(&journal.dir, journal.last);
        let file = OpenOptions::new().read(true).write(true).open(&path).map_err(JournalError::io("open", &path))?;
        let (sync_requests, requests) = crossbeam_channel::bounded::<Arc<File>>(1);
        let (results, sync_results) = crossbeam_channel::bounded(1);
        let synced = bell.clone();
        std::thread::Builder::new()
            .name("journal-sync".into())
            .spawn(move || {
                for file in requests {
                    if results.send(file.sync_data()).is_err() {
                        return;
                    }
                    synced.ring();
                }
            })
            .map_err(JournalError::io("start the syncing thread of", &journal.dir))?;
        let end = journal.end;
        Ok(Self {
            journal,
            settings,
            inbox,
            bell,
            left: false,
            open: true,
            reports,
            waker,
            counters,
            file: Arc::new(file),
            end,
            pending: VecDeque::new(),
            unsynced: VecDeque::new(),
            unsynced_since: None,
            syncing: None,
            rewrite: false,
            retry_at: None,
            closing_since: None,
            last_error: None,
            sync_requests,
            sync_results,
        })
    }

    pub(super) fn run(mut self) -> Result<(), JournalError> {
        loop {
            self.wait();
            let now = Instant::now();
            if self.retry_at.is_some_and(|at| at <= now) {
                self.retry_at = None;
            }
            self.drain_inbox();
            self.write(now);
            self.start_sync(now);
            self.watch_stall(now);
            if !self.open {
                if self.pending.is_empty() && self.unsynced.is_empty() && self.syncing.is_none() {
                    return Ok(());
                }
                let since = *self.closing_since.get_or_insert(now);
                if now.duration_since(since) >= self.settings.close_patience {
                    let late = JournalError::io("sync", &self.path())(io::ErrorKind::TimedOut.into());
                    return Err(self.last_error.take().unwrap_or(late));
                }
            }
        }
    }

    /// Waits for a batch, a finished sync, or the next deadline.
    fn wait(&mut self) {
        let now = Instant::now();
        // What one write could not take was rung for already, and so may be that the handle is gone.
        let left = self.open && self.pending.is_empty() && self.left;
        let patience = self.next_deadline().map_or(Duration::MAX, |at| at.saturating_duration_since(now));
        if !left && !patience.is_zero() {
            self.bell.wait(patience, Duration::ZERO);
        }
        match self.sync_results.try_recv() {
            Ok(result) => self.handle_synced(result),
            Err(TryRecvError::Disconnected) if self.syncing.is_some() => {
                self.handle_synced(Err(io::Error::other("the syncing thread is gone")));
            }
            Err(_) => {}
        }
    }

    fn next_deadline(&self) -> Option<Instant> {
        if self.retry_at.is_some() {
            return self.retry_at;
        }
        if !self.open {
            return Instant::now().checked_add(self.settings.retry_after);
        }
        let can_write = !self.pending.is_empty() && !self.rotation_waits();
        let stalled = self.counters.stalled.load(Ordering::Acquire);
        let from = |since: Instant| match (can_write, self.syncing) {
            (true, _) => Some(since),
            (false, None) => since.checked_add(self.settings.sync_after),
            (false, Some(_)) if stalled => None,
            (false, Some(_)) => since.checked_add(self.settings.stall_after),
        };
        self.unsynced_since.and_then(from).or_else(|| can_write.then(Instant::now))
    }

    fn drain_inbox(&mut self) {
        let mut bytes: usize = self.pending.iter().map(|batch| batch.bytes.len()).sum();
        self.left = true;
        while self.open && bytes < WRITE_BYTES {
            match self.inbox.try_recv() {
                Ok(batch) => {
                    bytes = bytes.saturating_add(batch.bytes.len());
                    self.pending.push_back(batch);
                }
                Err(TryRecvError::Empty) => {
                    self.left = false;
                    return;
                }
                Err(TryRecvError::Disconnected) => self.open = false,
            }
        }
    }

    /// A full segment is synced before the next one is made, so that only the last one can have a torn tail.
    fn rotation_waits(&self) -> bool {
        self.end >= self.settings.segment_bytes && !self.unsynced.is_empty()
    }

    fn write(&mut self, now: Instant) {
        if self.pending.is_empty() || self.retry_at.is_some() || self.rotation_waits() {
            return;
        }
        if self.end >= self.settings.segment_bytes {
            // Entries are numbered without gaps, so the next one follows the last written.
            let next = self.counters.written.load(Ordering::Acquire).saturating_add(1);
            if let Err(error) = self.rotate(next) {
                return self.handle_failure(error, now);
            }
        }
        let mut last_seq = self.counters.written.load(Ordering::Acquire);
        let mut bytes = Vec::new();
        for batch in &self.pending {
            bytes.extend_from_slice(&batch.bytes);
            last_seq = batch.last_seq;
        }
        // What a failed try left half written is overwritten: the offset moves only after success.
        if let Err(source) = self.file.write_all_at(&bytes, self.end) {
            return self.handle_failure(JournalError::io("write", &self.path())(source), now);
        }
        self.pending.clear();
        let len = bytes.len() as u64;
        self.unsynced.push_back(Chunk { offset: self.end, bytes, last_seq, written_at: now });
        self.end = self.end.saturating_add(len);
        self.unsynced_since.get_or_insert(now);
        self.handle_success();
        self.counters.written.store(last_seq, Ordering::Release);
        self.report(Report::Written(last_seq));
    }

    fn rotate(&mut self, first_seq: u64) -> Result<(), JournalError> {
        let next = self.journal.last.saturating_add(1);
        self.file = Arc::new(segment::create(&self.journal.dir, next, first_seq)?);
        self.journal.last = next;
        self.end = segment::HEADER as u64;
        Ok(())
    }

    fn start_sync(&mut self, now: Instant) {
        let (Some(since), Some(newest)) = (self.unsynced_since, self.unsynced.back()) else { return };
        let due = now.duration_since(since) >= self.settings.sync_after || !self.open || self.rotation_waits();
        if self.syncing.is_some() || self.retry_at.is_some() || !due {
            return;
        }
        let through = newest.last_seq;
        if self.rewrite {
            let again = self.unsynced.iter().try_for_each(|chunk| self.file.write_all_at(&chunk.bytes, chunk.offset));
            if let Err(source) = again {
                return self.handle_failure(JournalError::io("write again", &self.path())(source), now);
            }
            self.rewrite = false;
        }
        if self.sync_requests.try_send(self.file.clone()).is_ok() {
            self.syncing = Some(through);
        }
    }

    fn handle_synced(&mut self, result: io::Result<()>) {
        let now = Instant::now();
        let Some(through) = self.syncing.take() else { return };
        if let Err(source) = result {
            self.handle_failure(JournalError::io("sync", &self.path())(source), now);
            self.rewrite = true;
            return;
        }
        while self.unsynced.front().is_some_and(|chunk| chunk.last_seq <= through) {
            if let Some(chunk) = self.unsynced.pop_front() {
                self.counters.backlog.fetch_sub(chunk.bytes.len() as u64, Ordering::AcqRel);
            }
        }
        self.unsynced_since = self.unsynced.front().map(|chunk| chunk.written_at);
        self.handle_success();
        self.counters.synced.store(through, Ordering::Release);
        self.report(Report::Synced(through));
        if self.counters.stalled.swap(false, Ordering::AcqRel) {
            tracing::warn!(synced = through, "the journal's disk keeps up again");
            self.report(Report::Resumed);
        }
    }

    fn watch_stall(&mut self, now: Instant) {
        let overdue = self.unsynced_since.is_some_and(|since| now.duration_since(since) >= self.settings.stall_after);
        if overdue && !self.counters.stalled.swap(true, Ordering::AcqRel) {
            let synced = self.counters.synced.load(Ordering::Acquire);
            tracing::error!(synced, "the journal's disk is stalled; calls pass, confirmations are refused");
            self.report(Report::Stalled { synced });
        }
    }

    fn handle_failure(&mut self, error: JournalError, now: Instant) {
        self.retry_at = now.checked_add(self.settings.retry_after);
        self.counters.failing.store(true, Ordering::Release);
        tracing::error!(%error, "journal not written, trying again");
        self.report(Report::Failed { path: self.path(), error: error.to_string() });
        self.last_error = Some(error);
    }

    fn handle_success(&mut self) {
        self.last_error = None;
        if self.counters.failing.swap(false, Ordering::AcqRel) {
            self.report(Report::Resumed);
        }
    }

    fn report(&self, report: Report) {
        // A slow or absent reader loses reports, never figures: the counters were set before.
        let _ = self.reports.try_send(report);
        self.waker.wake_by_ref();
    }

    fn path(&self) -> PathBuf {
        segment::path(&self.journal.dir, self.journal.last)
    }
}
