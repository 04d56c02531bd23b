//! From the node to those who follow the journal: bounded, never waiting, and whole nevertheless.
//!
//! Where a follower is too slow its backlog is full and entries are dropped; it sees the gap by their numbers and reads what
//! is missing from the journal's files.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering, fence};
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender};

use super::Bell;
use super::journal::{Entries, JournalError, Progress};
use crate::journal::Entry;

/// How long to wait for what is pushed and not written yet.
const BEHIND: Duration = Duration::from_millis(5);

/// The node's end. Push every entry, in order, when it is appended.
#[derive(Debug)]
pub struct Feed {
    data_dir: PathBuf,
    progress: Progress,
    taps: Vec<(Sender<Batch>, Arc<Counters>)>,
}

/// Entries that were appended together.
type Batch = Arc<Vec<Entry>>;

#[derive(Debug, Default)]
struct Counters {
    /// The last entry that was pushed, dropped or not.
    pushed: AtomicU64,
    dropped: AtomicU64,
    /// How many entries wait, and how many may.
    waiting: AtomicU64,
    backlog: u64,
    bell: Arc<Bell>,
    /// Whether the follower sleeps until something is pushed.
    sleeps: AtomicBool,
}

impl Feed {
    /// A feed beside the journal of `data_dir`, whose writer has come as far as `progress` says.
    pub fn new(data_dir: &Path, progress: Progress) -> Self {
        Self { data_dir: data_dir.to_owned(), progress, taps: Vec::new() }
    }

    /// Adds a follower that has folded everything up to `seq`; `backlog` entries may wait for it.
    pub fn tap(&mut self, seq: u64, backlog: usize) -> Tap {
        let backlog = backlog.max(1);
        let (sender, inbox) = crossbeam_channel::bounded(backlog);
        let pushed = AtomicU64::new(self.progress.written());
        let counters = Arc::new(Counters { pushed, backlog: backlog as u64, ..Counters::default() });
        self.taps.push((sender, counters.clone()));
        let (data_dir, progress) = (self.data_dir.clone(), self.progress.clone());
        Tap { data_dir, progress, inbox, counters, seq, held: None }
    }

    /// Hands what was appended to every follower, in one piece: a wake-up each. Never waits.
    pub fn push(&self, batch: Vec<Entry>) {
        let Some(last) = batch.last().map(|entry| entry.seq) else { return };
        let (count, shared) = (batch.len() as u64, Arc::new(batch));
        for (sender, counters) in &self.taps {
            // Alone, a batch always has room, so that a long one is no endless gap.
            let before = counters.waiting.fetch_add(count, Ordering::AcqRel);
            let room = before == 0 || before.saturating_add(count) <= counters.backlog;
            if !room || sender.try_send(shared.clone()).is_err() {
                counters.waiting.fetch_sub(count, Ordering::AcqRel);
                counters.dropped.fetch_add(count, Ordering::Relaxed);
            }
            counters.pushed.store(last, Ordering::Release);
            // Either it is seen here that the follower sleeps, or the follower sees what was pushed.
            fence(Ordering::SeqCst);
            if counters.sleeps.load(Ordering::Relaxed) {
                counters.bell.ring();
            }
        }
    }

    /// How many entries followers had no room for and read from the files instead.
    pub fn dropped(&self) -> u64 {
        self.taps.iter().map(|(_, counters)| counters.dropped.load(Ordering::Relaxed)).sum()
    }
}

/// A follower's end: every entry once and in order, whatever was dropped on the way.
#[derive(Debug)]
pub struct Tap {
    data_dir: PathBuf,
    progress: Progress,
    inbox: Receiver<Batch>,
    counters: Arc<Counters>,
    seq: u64,
    /// The batch that is being told, and how far: up to an entry behind a gap that is not written yet, or to the turn's end.
    held: Option<(Batch, usize)>,
}

/// Whether a [`Tap`] has told everything there was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Drained {
    /// There may be more at once.
    More,
    /// Wait until something is pushed.
    Dry,
    /// What is missing is not written yet: look again in some milliseconds.
    Behind,
}

impl Tap {
    /// What wakes the follower, for those who have something else for it.
    pub fn bell(&self) -> Arc<Bell> {
        Arc::clone(&self.counters.bell)
    }

    /// Sleeps until something is pushed or the bell is rung, for `patience` at most.
    pub fn wait(&self, patience: Duration) {
        self.counters.sleeps.store(true, Ordering::Relaxed);
        fence(Ordering::SeqCst);
        if self.inbox.is_empty() && self.counters.pushed.load(Ordering::Relaxed) <= self.seq {
            self.counters.bell.wait(patience, Duration::ZERO);
        }
        self.counters.sleeps.store(false, Ordering::Relaxed);
    }

    /// Sleeps after a [`Self::drain`] until there may be more to tell, or the bell is rung.
    pub fn pause(&self, drained: Drained) {
        match drained {
            Drained::More => {}
            Drained::Behind => drop(self.rest(BEHIND)),
            Drained::Dry => self.wait(Duration::MAX),
        }
    }

    /// Sleeps until the bell is rung, for `patience` at most; whether it was rung. What is pushed meanwhile collects: to be woken for
    /// each entry would cost the node a system call.
    pub fn rest(&self, patience: Duration) -> bool {
        self.counters.bell.wait(patience, Duration::ZERO)
    }

    /// The last entry told.
    pub fn seq(&self) -> u64 {
        self.seq
    }

    /// How far the disk has come.
    pub fn progress(&self) -> &Progress {
        &self.progress
    }

    /// Goes back (or on) to right behind `seq`, to be read from the files.
    pub fn rewind(&mut self, seq: u64) {
        self.seq = seq;
        self.held = None;
    }

    /// Tells the next entries, about `limit` at most.
    ///
    /// # Errors
    /// The journal's files cannot be read; entries told before count as told.
    pub fn drain(&mut self, limit: usize, mut tell: impl FnMut(&Entry)) -> Result<Drained, JournalError> {
        let mut left = limit;
        while left > 0 {
            // Before the inbox is looked at: what was pushed by then is in it, or found no room. What is written and not pushed yet
            // is on its way and must not be looked for in the files.
            let pushed = self.counters.pushed.load(Ordering::Acquire);
            let Some((batch, at)) = self.next_pushed() else {
                if pushed <= self.seq {
                    return Ok(Drained::Dry);
                }
                let reach = pushed.min(self.progress.written());
                if reach <= self.seq {
                    return Ok(Drained::Behind);
                }
                return self.read_files(reach, limit, &mut tell).map(|()| Drained::More);
            };
            let Some(entry) = batch.get(at) else { continue };
            if entry.seq > self.seq.saturating_add(1) {
                let reach = self.progress.written().min(entry.seq.saturating_sub(1));
                self.held = Some((batch, at));
                if reach <= self.seq {
                    return Ok(Drained::Behind);
                }
                return self.read_files(reach, limit, &mut tell).map(|()| Drained::More);
            }
            if entry.seq > self.seq {
                self.seq = entry.seq;
                tell(entry);
                left = left.saturating_sub(1);
            }
            self.held = Some((batch, at.saturating_add(1)));
        }
        Ok(Drained::More)
    }

    /// The batch that comes next and how far it was told.
    fn next_pushed(&mut self) -> Option<(Batch, usize)> {
        if let Some((batch, at)) = self.held.take().filter(|(batch, at)| *at < batch.len()) {
            return Some((batch, at));
        }
        let batch = self.inbox.try_recv().ok()?;
        self.counters.waiting.fetch_sub(batch.len() as u64, Ordering::AcqRel);
        Some((batch, 0))
    }

    fn read_files(&mut self, through: u64, limit: usize, tell: &mut impl FnMut(&Entry)) -> Result<(), JournalError> {
        // More than one turn's worth is read on in the next turn: a segment is read at once anyway, so let it be some more.
        let most = self.seq.saturating_add((limit as u64).max(100_000));
        for entry in Entries::between(&self.data_dir, self.seq.saturating_add(1), through.min(most))? {
            let entry = entry?;
            self.seq = entry.seq;
            tell(&entry);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::task::Waker;

    use super::*;
    use crate::journal::Event;
    use crate::store::Journal;
    use crate::store::journal::{Report, Settings};

    fn entry(seq: u64) -> Entry {
        Entry { seq, wall_ms: 0, event: Event::Stopped }
    }

    #[test]
    fn what_found_no_room_is_read_from_the_files() {
        let dir = tempfile::tempdir().unwrap();
        let (mut journal, reports) =
            Journal::open(dir.path()).unwrap().start(Settings::default(), Waker::noop().clone()).unwrap();
        let mut feed = Feed::new(dir.path(), journal.progress().clone());
        let mut tap = feed.tap(0, 3);
        let mut told = Vec::new();
        let mut drain = |tap: &mut Tap| tap.drain(64, |entry| told.push(entry.seq)).unwrap();
        // Pushed, but not written: the gap cannot be closed yet.
        (1..=3).for_each(|seq| feed.push(vec![entry(seq)]));
        assert_eq!(drain(&mut tap), Drained::Dry);
        (4..=8).for_each(|seq| feed.push(vec![entry(seq)]));
        assert_eq!((drain(&mut tap), feed.dropped()), (Drained::Behind, 2));
        feed.push(vec![entry(9)]);
        assert_eq!(drain(&mut tap), Drained::Behind);
        (1..=9).for_each(|seq| journal.append(&[entry(seq)]).unwrap());
        let through = |wanted: u64| reports.iter().find(|report| *report == Report::Written(wanted));
        assert!(journal.written() == 9 || through(9).is_some());
        while drain(&mut tap) != Drained::Dry {}
        assert_eq!(told, (1..=9).collect::<Vec<_>>());
    }
}
