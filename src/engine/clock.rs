//! The one place that reads the clocks that packets and the switch go by.

use rustix::time::{ClockId, Timespec, clock_gettime};

use crate::time::{MS, Now};

/// The present instant, on the machine's clocks: the same for every thread.
pub fn now() -> Now {
    let wall = clock_gettime(ClockId::Realtime);
    Now {
        mono_ns: nanoseconds(clock_gettime(ClockId::Monotonic)),
        wall_ms: i64::try_from(nanoseconds(wall) / MS).unwrap_or(i64::MAX),
    }
}

/// The present instant, read by one clock: `turn` is an instant shortly before.
pub(super) fn since(turn: Now) -> Now {
    let mono_ns = nanoseconds(clock_gettime(ClockId::Monotonic));
    let passed_ms = mono_ns.saturating_sub(turn.mono_ns) / MS;
    Now { mono_ns, wall_ms: turn.wall_ms.saturating_add_unsigned(passed_ms) }
}

/// `ns` nanoseconds as the system wants them.
pub(super) fn timespec(ns: u64) -> Timespec {
    Timespec { tv_sec: (ns / 1_000_000_000) as i64, tv_nsec: (ns % 1_000_000_000) as i64 }
}

fn nanoseconds(at: Timespec) -> u64 {
    (at.tv_sec.max(0) as u64).saturating_mul(1_000_000_000).saturating_add(at.tv_nsec.max(0) as u64)
}
