//! How long a message that comes now will wait for the loop, and what the reading threads do about it.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::sip::message::Message;
use crate::sip::overload::{Gate, Rules, Sentence};
use crate::sip::transaction::Flow;
use crate::time::Now;

/// Of a turn's news, the part that is believed: sixteen turns make a mean.
const MEMORY: u64 = 16;
/// A turn counts as at most so many times the mean: a stumble, such as a slow disk's, is none of the messages' own cost.
const STUMBLE: u64 = 8;
/// How long nothing must have been shed until it is told again.
const QUIET: Duration = Duration::from_secs(10);

/// What the loop says of itself, for all reading threads. Written by one thread, read without locks.
#[derive(Debug, Default)]
pub(super) struct Pace {
    /// Nanoseconds that a message takes of late, with all that it causes; 0 where nothing is known.
    cost_ns: AtomicU64,
    rules: Mutex<Rules>,
    /// Counts the changes of `rules`.
    edition: AtomicU64,
}

impl Pace {
    /// A turn of the loop took so many messages and so long.
    pub(super) fn handle_turn(&self, messages: u64, took: Duration) {
        let took_ns = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
        let Some(sample) = took_ns.checked_div(messages) else { return };
        let mean = self.cost_ns.load(Ordering::Relaxed);
        let next = if mean == 0 {
            sample
        } else {
            let sample = sample.min(mean.saturating_mul(STUMBLE));
            (mean.saturating_mul(MEMORY - 1).saturating_add(sample)) / MEMORY
        };
        self.cost_ns.store(next.max(1), Ordering::Relaxed);
    }

    /// How long a message waits that finds so many before it, ns.
    fn wait_ns(&self, before: usize) -> u64 {
        self.cost_ns.load(Ordering::Relaxed).saturating_mul(before as u64)
    }

    pub(super) fn set_rules(&self, rules: Rules) {
        *self.rules.lock().unwrap_or_else(PoisonError::into_inner) = rules;
        self.edition.fetch_add(1, Ordering::Release);
    }

    fn rules(&self) -> Rules {
        self.rules.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// The door of one reading thread.
pub(super) struct Door {
    pace: Arc<Pace>,
    gate: Gate,
    edition: u64,
    opened: Instant,
    /// When a call was shed last.
    shed: Option<Instant>,
    /// How long what came last would wait.
    wait_ns: u64,
}

impl Door {
    pub(super) fn new(pace: Arc<Pace>, key: u64, now: Instant) -> Self {
        let edition = pace.edition.load(Ordering::Acquire);
        let gate = Gate::new(pace.rules(), key);
        Self { pace, gate, edition, opened: now, shed: None, wait_ns: 0 }
    }

    /// Whether new calls are shed now: then nobody is served sooner by being read at once.
    pub(super) fn is_closed(&self) -> bool {
        Gate::is_closed(self.wait_ns)
    }

    /// What to do with a datagram that finds `before` others waiting for the loop; `None` where it has to be read first.
    pub(super) fn handle_bytes(
        &mut self,
        bytes: &[u8],
        source: Flow,
        before: usize,
        received: Instant,
    ) -> Option<Sentence> {
        let edition = self.pace.edition.load(Ordering::Acquire);
        if edition != self.edition {
            self.edition = edition;
            self.gate.set_rules(self.pace.rules());
        }
        self.wait_ns = self.pace.wait_ns(before);
        let sentence = self.gate.handle_bytes(bytes, source, self.wait_ns, self.now(received))?;
        self.note(&sentence, received);
        Some(sentence)
    }

    /// What to do with a message that has been read.
    pub(super) fn handle(&mut self, message: &mut Message, source: Flow, received: Instant) -> Sentence {
        let sentence = self.gate.handle(message, source, self.wait_ns, self.now(received));
        self.note(&sentence, received);
        sentence
    }

    fn now(&self, received: Instant) -> Now {
        let since = received.saturating_duration_since(self.opened);
        Now { mono_ns: u64::try_from(since.as_nanos()).unwrap_or(u64::MAX), wall_ms: 0 }
    }

    fn note(&mut self, sentence: &Sentence, received: Instant) {
        if matches!(sentence, Sentence::Shed(_)) {
            if self.shed.is_none_or(|last| received.saturating_duration_since(last) >= QUIET) {
                let wait_ms = self.wait_ns / crate::time::MS;
                tracing::warn!(wait_ms, "signalling is late: new calls get 503 where they would wait too long");
            }
            self.shed = Some(received);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wait_is_the_number_of_messages_times_what_one_takes_of_late() {
        let pace = Pace::default();
        assert_eq!(pace.wait_ns(5_000), 0, "nothing is known");
        pace.handle_turn(0, Duration::from_millis(5));
        pace.handle_turn(10, Duration::from_micros(400));
        assert_eq!(pace.wait_ns(1_000), 40_000_000);
        for _ in 0..100 {
            pace.handle_turn(64, Duration::from_micros(1_280));
        }
        assert!((20_000_000..21_000_000).contains(&pace.wait_ns(1_000)), "{}", pace.wait_ns(1_000));
    }

    #[test]
    fn a_stumble_makes_nobody_wait() {
        let pace = Pace::default();
        pace.handle_turn(10, Duration::from_micros(300));
        pace.handle_turn(1, Duration::from_secs(2));
        assert!(pace.wait_ns(100) < 10_000_000, "{}", pace.wait_ns(100));
    }
}
