//! Time as an argument: one stamp per event, and the timer wheel that every pure room keeps its deadlines in.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Nanoseconds in a millisecond.
pub const MS: u64 = 1_000_000;

/// The instant of one event, stamped once where it enters the process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
pub struct Now {
    /// Nanoseconds of a clock that never jumps; orders deadlines within one run.
    pub mono_ns: u64,
    /// Milliseconds since 1970 UTC; what the journal keeps.
    pub wall_ms: i64,
}

impl Now {
    /// The monotonic deadline `ms` milliseconds from this instant.
    pub fn in_ms(self, ms: u64) -> u64 {
        self.mono_ns.saturating_add(ms.saturating_mul(MS))
    }

    /// This instant moved by `ms` milliseconds, for virtual clocks.
    pub fn plus_ms(self, ms: u64) -> Self {
        Self { mono_ns: self.in_ms(ms), wall_ms: self.wall_ms.saturating_add(ms as i64) }
    }
}

/// Names an armed timer, to disarm it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct TimerId {
    deadline_ns: u64,
    sequence: u64,
}

/// Deadlines ordered by (deadline, sequence): two timers of one instant fire in the order in which they were armed.
#[derive(Clone, Debug)]
pub struct Timers<T> {
    armed: BTreeMap<TimerId, T>,
    sequence: u64,
}

impl<T> Default for Timers<T> {
    fn default() -> Self {
        Self { armed: BTreeMap::new(), sequence: 0 }
    }
}

impl<T> Timers<T> {
    /// Arms `timer` for the monotonic instant `deadline_ns`.
    pub fn arm(&mut self, deadline_ns: u64, timer: T) -> TimerId {
        self.sequence += 1;
        let id = TimerId { deadline_ns, sequence: self.sequence };
        self.armed.insert(id, timer);
        id
    }

    /// Disarms a timer; `None` where it has fired or was disarmed already.
    pub fn disarm(&mut self, id: TimerId) -> Option<T> {
        self.armed.remove(&id)
    }

    /// The next timer that is due at `now`, if any. Call until `None`.
    pub fn pop_due(&mut self, now: Now) -> Option<T> {
        let (id, _) = self.armed.first_key_value()?;
        if id.deadline_ns > now.mono_ns {
            return None;
        }
        self.armed.pop_first().map(|(_, timer)| timer)
    }

    /// Every armed timer, to change what it stands for; its deadline stays.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = &mut T> {
        self.armed.values_mut()
    }

    /// When to call again: the earliest deadline (monotonic nanoseconds).
    pub fn next_deadline(&self) -> Option<u64> {
        self.armed.first_key_value().map(|(id, _)| id.deadline_ns)
    }

    /// How many timers are armed (invariant 5: none outlives its call).
    pub fn len(&self) -> usize {
        self.armed.len()
    }

    /// Whether no timer is armed.
    pub fn is_empty(&self) -> bool {
        self.armed.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fires_by_deadline_then_by_order_of_arming() {
        let mut timers = Timers::default();
        timers.arm(20, "late");
        timers.arm(10, "first");
        let gone = timers.arm(10, "disarmed");
        timers.arm(10, "second");
        assert_eq!(timers.disarm(gone), Some("disarmed"));
        assert_eq!(timers.disarm(gone), None);
        let now = Now { mono_ns: 10, wall_ms: 0 };
        assert_eq!(timers.next_deadline(), Some(10));
        assert_eq!(timers.pop_due(now), Some("first"));
        assert_eq!(timers.pop_due(now), Some("second"));
        assert_eq!(timers.pop_due(now), None);
        assert_eq!(timers.len(), 1);
    }
}
