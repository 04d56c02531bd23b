//! The one place that reads the clocks that packets and the switch go by.

use rustix::time::{ClockId, Timespec, clock_gettime};

use crate::time::{MS, Now};

/// The present instant, on the machine's clocks: the same for every thread.
pub fn now() -> Now {
    Clocks::read().now()
}

/// The present instant, read by one clock: `turn` is an instant shortly before.
pub(super) fn since(turn: Now) -> Now {
    let mono_ns = nanoseconds(clock_gettime(ClockId::Monotonic));
    let passed_ms = mono_ns.saturating_sub(turn.mono_ns) / MS;
    Now { mono_ns, wall_ms: turn.wall_ms.saturating_add_unsigned(passed_ms) }
}

/// Both clocks at one instant, to tell by one what was stamped by the other.
#[derive(Clone, Copy, Debug)]
pub(super) struct Clocks {
    mono_ns: u64,
    wall_ns: u64,
}

impl Clocks {
    /// The present instant.
    pub fn read() -> Self {
        let wall_ns = nanoseconds(clock_gettime(ClockId::Realtime));
        Self { mono_ns: nanoseconds(clock_gettime(ClockId::Monotonic)), wall_ns }
    }

    /// That instant.
    pub fn now(&self) -> Now {
        self.before(0)
    }

    /// The past instant that the wall clock called `wall_ns`, which is not before `earliest_ns` of the other clock; now, where it is
    /// unknown.
    pub fn instant_of(&self, wall_ns: Option<u64>, earliest_ns: u64) -> Now {
        let ago = wall_ns.map_or(0, |wall_ns| self.wall_ns.saturating_sub(wall_ns));
        self.before(ago.min(self.mono_ns.saturating_sub(earliest_ns)))
    }

    fn before(&self, ago_ns: u64) -> Now {
        let wall_ms = self.wall_ns.saturating_sub(ago_ns) / MS;
        Now { mono_ns: self.mono_ns.saturating_sub(ago_ns), wall_ms: i64::try_from(wall_ms).unwrap_or(i64::MAX) }
    }
}

/// `ns` nanoseconds as the system wants them.
pub(super) fn timespec(ns: u64) -> Timespec {
    Timespec { tv_sec: (ns / 1_000_000_000) as i64, tv_nsec: (ns % 1_000_000_000) as i64 }
}

fn nanoseconds(at: Timespec) -> u64 {
    (at.tv_sec.max(0) as u64).saturating_mul(1_000_000_000).saturating_add(at.tv_nsec.max(0) as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_wall_clock_stamped_is_told_by_the_other_one() {
        let clocks = Clocks { mono_ns: 500 * MS, wall_ns: 1_700_000 * MS };
        let at = |ago_ms: u64, earliest_ms: u64| clocks.instant_of(Some((1_700_000 - ago_ms) * MS), earliest_ms * MS);
        assert_eq!(at(13, 460), Now { mono_ns: 487 * MS, wall_ms: 1_699_987 });
        assert_eq!(clocks.instant_of(None, 0), clocks.now(), "no stamp");
        assert_eq!(at(60_000, 460), Now { mono_ns: 460 * MS, wall_ms: 1_699_960 }, "the clock was set forward");
        assert_eq!(clocks.instant_of(Some(1_800_000 * MS), 460 * MS), clocks.now(), "and back");
    }
}
