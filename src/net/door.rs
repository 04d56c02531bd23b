//! How long a message that comes now will wait for the loop, and what the reading threads do about it.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::sip::message::Message;
use crate::sip::overload::{Gate, Rules, Sentence};
use crate::sip::transaction::Flow;
use crate::time::Now;

/// What a message is taken to cost until it is known, nanoseconds.
const GUESS_NS: u64 = 50_000;
/// So many messages make a mean: a turn of one weighs little beside one that was full.
const MEMORY: u64 = 256;
/// A turn counts as at most so many times the mean: a stumble, such as a slow disk's, is none of the messages' own cost.
const STUMBLE: u64 = 8;
/// How long nothing must have been shed until it is told again.
const QUIET: Duration = Duration::from_secs(10);

/// What the loop says of itself, for all reading threads. One thread writes; the lock is taken only after a reload.
#[derive(Debug)]
pub(super) struct Pace {
    /// Nanoseconds that a message takes of late, with all that it causes.
    cost_ns: AtomicU64,
    rules: Mutex<Rules>,
    /// Counts the changes of `rules`.
    edition: AtomicU64,
}

impl Default for Pace {
    fn default() -> Self {
        Self { cost_ns: AtomicU64::new(GUESS_NS), rules: Mutex::default(), edition: AtomicU64::new(0) }
    }
}

impl Pace {
    /// A turn of the loop took so many messages and so long.
    pub(super) fn handle_turn(&self, messages: u64, took: Duration) {
        let took_ns = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
        let Some(sample) = took_ns.checked_div(messages) else { return };
        let mean = self.cost_ns.load(Ordering::Relaxed);
        let (sample, weight) = (sample.min(mean.saturating_mul(STUMBLE)), messages.min(MEMORY));
        let sum = mean.saturating_mul(MEMORY - weight).saturating_add(sample.saturating_mul(weight));
        self.cost_ns.store((sum / MEMORY).max(1_000), Ordering::Relaxed);
    }

    /// How long a message waits that finds so many before it, ns.
    fn wait_ns(&self, before: usize) -> u64 {
        self.cost_ns.load(Ordering::Relaxed).saturating_mul(before as u64)
    }

    pub(super) fn change_rules(&self, change: impl FnOnce(&mut Rules)) {
        change(&mut self.rules.lock().unwrap_or_else(PoisonError::into_inner));
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

    /// Whether new calls are shed where `before` messages wait for the loop: then nobody is served sooner by being read at once.
    pub(super) fn is_closed(&self, before: usize) -> bool {
        Gate::is_closed(self.pace.wait_ns(before))
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
        pace.handle_turn(0, Duration::from_millis(5));
        assert_eq!(pace.wait_ns(1_000), 50_000_000, "nothing is known");
        for _ in 0..40 {
            pace.handle_turn(64, Duration::from_micros(64 * 20));
        }
        assert!((20_000_000..21_000_000).contains(&pace.wait_ns(1_000)), "{}", pace.wait_ns(1_000));
        for _ in 0..40 {
            pace.handle_turn(64, Duration::from_micros(64 * 200));
        }
        assert!((199_000_000..=200_000_000).contains(&pace.wait_ns(1_000)), "{}", pace.wait_ns(1_000));
    }

    #[test]
    fn a_stumble_makes_nobody_wait_not_even_the_first_one() {
        let pace = Pace::default();
        pace.handle_turn(1, Duration::from_secs(2));
        assert!(pace.wait_ns(1_000) < 60_000_000, "{}", pace.wait_ns(1_000));
    }

    #[test]
    fn calm_hours_say_little_about_a_burst() {
        let pace = Pace::default();
        for _ in 0..20 {
            pace.handle_turn(64, Duration::from_micros(64 * 30));
        }
        for _ in 0..100 {
            pace.handle_turn(1, Duration::from_micros(300));
        }
        for _ in 0..8 {
            pace.handle_turn(64, Duration::from_micros(64 * 30));
        }
        assert!(pace.wait_ns(1_000) < 50_000_000, "{}", pace.wait_ns(1_000));
    }
}
