//! The outbox: journal entries leave at once, whatever they cause leaves once they are written, in order.

use std::collections::VecDeque;

use super::io::{JournalProgress, Output};
use crate::journal::{Entry, Event};
use crate::time::Now;

/// How long an effect waits for its entry to be written. A disk slower than this must not stop calls: they pass with an alarm.
const PATIENCE_MS: u64 = 50;

struct Held {
    /// The entry that must be written before.
    seq: u64,
    /// When it leaves in any case (monotonic nanoseconds).
    deadline_ns: u64,
    output: Output,
}

/// Outputs on their way out. Its length is bounded by what the switch does in [`PATIENCE_MS`].
pub(super) struct Outbox {
    entries: VecDeque<Entry>,
    held: VecDeque<Held>,
    next_seq: u64,
    progress: JournalProgress,
    /// Effects that left before their entry was written.
    early: u64,
    /// That is so now, and was told.
    alarmed: bool,
}

impl Outbox {
    pub(super) fn new(next_seq: u64) -> Self {
        let before = next_seq.saturating_sub(1);
        let progress = JournalProgress { written: before, synced: before, ..JournalProgress::default() };
        Self { entries: VecDeque::new(), held: VecDeque::new(), next_seq, progress, early: 0, alarmed: false }
    }

    /// Writes an event down and gives its number.
    pub(super) fn journal(&mut self, event: Event, now: Now) -> u64 {
        let seq = self.next_seq;
        self.next_seq += 1;
        self.entries.push_back(Entry { seq, wall_ms: now.wall_ms, event });
        seq
    }

    /// The number of the last entry.
    pub(super) fn last_seq(&self) -> u64 {
        self.next_seq.saturating_sub(1)
    }

    /// Holds an effect until everything journalled so far is written.
    pub(super) fn push(&mut self, output: Output, now: Now) {
        self.held.push_back(Held { seq: self.last_seq(), deadline_ns: now.in_ms(PATIENCE_MS), output });
    }

    pub(super) fn handle_progress(&mut self, progress: JournalProgress) {
        self.progress = progress;
        if self.alarmed && progress.written >= self.last_seq() {
            self.alarmed = false;
            tracing::warn!("the journal is written in time again");
        }
    }

    pub(super) fn progress(&self) -> JournalProgress {
        self.progress
    }

    /// Lets go what has waited too long.
    pub(super) fn handle_timeout(&mut self, now: Now) {
        let written = self.progress.written;
        for held in self.held.iter_mut().take_while(|held| held.deadline_ns <= now.mono_ns) {
            if held.seq > written {
                held.seq = 0;
                self.early += 1;
                if !std::mem::replace(&mut self.alarmed, true) {
                    tracing::error!(
                        written,
                        "the journal is not written within {PATIENCE_MS} ms: calls pass, and a crash now would lose them; look at the \
                         disk's and the machine's load"
                    );
                }
            }
        }
    }

    pub(super) fn poll(&mut self) -> Option<Output> {
        if let Some(entry) = self.entries.pop_front() {
            return Some(Output::Journal(entry));
        }
        let written = self.progress.written;
        self.held.pop_front_if(|held| held.seq <= written).map(|held| held.output)
    }

    pub(super) fn poll_timeout(&self) -> Option<u64> {
        self.held.front().map(|held| held.deadline_ns)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.entries.is_empty() && self.held.is_empty()
    }

    /// Effects that left before their entry was written: each is a second in which a crash would lose what peers know.
    pub(super) fn early(&self) -> u64 {
        self.early
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::MS;

    fn reply(id: u64) -> Output {
        Output::Reply { id, result: Ok(0) }
    }

    #[test]
    fn effects_wait_for_their_entry_and_keep_their_order() {
        let now = Now::default();
        let mut outbox = Outbox::new(5);
        outbox.push(reply(1), now);
        assert_eq!(outbox.journal(Event::Stopped, now), 5);
        outbox.push(reply(2), now);
        assert!(matches!(outbox.poll(), Some(Output::Journal(Entry { seq: 5, .. }))));
        assert_eq!(outbox.poll(), Some(reply(1)));
        assert_eq!(outbox.poll(), None);
        outbox.handle_progress(JournalProgress { written: 5, ..JournalProgress::default() });
        assert_eq!(outbox.poll(), Some(reply(2)));
        assert!(outbox.is_empty());
    }

    #[test]
    fn a_stalled_disk_holds_calls_for_fifty_milliseconds_and_no_longer() {
        let now = Now::default();
        let mut outbox = Outbox::new(1);
        outbox.journal(Event::Stopped, now);
        outbox.push(reply(1), now);
        outbox.poll();
        outbox.handle_timeout(now.plus_ms(49));
        assert_eq!(outbox.poll(), None);
        assert_eq!(outbox.poll_timeout(), Some(50 * MS));
        outbox.handle_timeout(now.plus_ms(50));
        assert_eq!((outbox.poll(), outbox.early()), (Some(reply(1)), 1));
    }
}
