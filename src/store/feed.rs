//! From the node to those who follow the journal: bounded, never waiting, and whole nevertheless.
//!
//! Where a follower is too slow its backlog is full and entries are dropped; it sees the gap by their numbers and reads what
//! is missing from the journal's files.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crossbeam_channel::{Receiver, Sender, TryRecvError};

use super::journal::{Entries, JournalError, Progress};
use crate::journal::Entry;

/// The node's end. Push every entry, in order, when it is appended.
#[derive(Debug)]
pub struct Feed {
    data_dir: PathBuf,
    progress: Progress,
    taps: Vec<(Sender<Arc<Entry>>, Arc<Counters>)>,
}

#[derive(Debug, Default)]
struct Counters {
    pushed: AtomicU64,
    dropped: AtomicU64,
}

impl Feed {
    /// A feed beside the journal of `data_dir`, whose writer has come as far as `progress` says.
    pub fn new(data_dir: &Path, progress: Progress) -> Self {
        Self { data_dir: data_dir.to_owned(), progress, taps: Vec::new() }
    }

    /// Adds a follower that has folded everything up to `seq`; `backlog` entries may wait for it.
    pub fn tap(&mut self, seq: u64, backlog: usize) -> Tap {
        let (sender, inbox) = crossbeam_channel::bounded(backlog.max(1));
        let counters = Arc::new(Counters::default());
        counters.pushed.store(self.progress.written(), Ordering::Release);
        self.taps.push((sender, counters.clone()));
        let (data_dir, progress) = (self.data_dir.clone(), self.progress.clone());
        Tap { data_dir, progress, inbox, counters, seq, held: None, closed: false }
    }

    /// Hands an entry to every follower. Never waits.
    pub fn push(&self, entry: &Entry) {
        let shared = Arc::new(entry.clone());
        for (sender, counters) in &self.taps {
            if sender.try_send(shared.clone()).is_err() {
                counters.dropped.fetch_add(1, Ordering::Relaxed);
            }
            counters.pushed.store(entry.seq, Ordering::Release);
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
    inbox: Receiver<Arc<Entry>>,
    counters: Arc<Counters>,
    seq: u64,
    /// An entry behind a gap that is not written yet.
    held: Option<Arc<Entry>>,
    closed: bool,
}

/// Whether a [`Tap`] has told everything there was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Drained {
    /// There may be more at once.
    More,
    /// Wait for [`Tap::inbox`].
    Dry,
    /// What is missing is not written yet: look again in some milliseconds.
    Behind,
}

impl Tap {
    /// To wait on; never receive from it.
    pub fn inbox(&self) -> &Receiver<Arc<Entry>> {
        &self.inbox
    }

    /// Whether the node's end is gone: then the inbox is no use to wait on, it is ready all the time.
    pub fn is_closed(&self) -> bool {
        self.closed
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
        for _ in 0..limit {
            let Some(entry) = self.next_pushed() else {
                let pushed = self.counters.pushed.load(Ordering::Acquire).max(self.progress.written());
                if pushed <= self.seq || !self.inbox.is_empty() {
                    return Ok(if self.inbox.is_empty() { Drained::Dry } else { Drained::More });
                }
                // What was pushed last found no room, and nothing came behind it.
                let reach = pushed.min(self.progress.written());
                if reach <= self.seq {
                    return Ok(Drained::Behind);
                }
                return self.read_files(reach, limit, &mut tell).map(|()| Drained::More);
            };
            if entry.seq <= self.seq {
                continue;
            }
            if entry.seq > self.seq.saturating_add(1) {
                let reach = self.progress.written().min(entry.seq.saturating_sub(1));
                self.held = Some(entry);
                if reach <= self.seq {
                    return Ok(Drained::Behind);
                }
                return self.read_files(reach, limit, &mut tell).map(|()| Drained::More);
            }
            self.seq = entry.seq;
            tell(&entry);
        }
        Ok(Drained::More)
    }

    fn next_pushed(&mut self) -> Option<Arc<Entry>> {
        if self.held.is_some() {
            return self.held.take();
        }
        match self.inbox.try_recv() {
            Ok(entry) => Some(entry),
            Err(TryRecvError::Empty) => None,
            Err(TryRecvError::Disconnected) => {
                self.closed = true;
                None
            }
        }
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
        let (mut journal, reports) = Journal::open(dir.path()).unwrap().start(Settings::default()).unwrap();
        let mut feed = Feed::new(dir.path(), journal.progress().clone());
        let mut tap = feed.tap(0, 3);
        let mut told = Vec::new();
        let mut drain = |tap: &mut Tap| tap.drain(64, |entry| told.push(entry.seq)).unwrap();
        // Pushed, but not written: the gap cannot be closed yet.
        (1..=3).for_each(|seq| feed.push(&entry(seq)));
        assert_eq!(drain(&mut tap), Drained::Dry);
        (4..=8).for_each(|seq| feed.push(&entry(seq)));
        assert_eq!((drain(&mut tap), feed.dropped()), (Drained::Behind, 2));
        feed.push(&entry(9));
        assert_eq!(drain(&mut tap), Drained::Behind);
        (1..=9).for_each(|seq| journal.append(&[entry(seq)]).unwrap());
        let through = |wanted: u64| reports.iter().find(|report| *report == Report::Written(wanted));
        assert!(journal.written() == 9 || through(9).is_some());
        while drain(&mut tap) != Drained::Dry {}
        assert_eq!(told, (1..=9).collect::<Vec<_>>());
    }
}
