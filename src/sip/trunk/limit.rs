//! How much a trunk may carry: calls at one time, and new calls a second.

use crate::time::{MS, Now};

/// Nanoseconds in a second.
const SECOND: u64 = 1_000 * MS;

/// What is agreed with a trunk; `None` is without limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Limits {
    /// Calls at one time, both directions together.
    pub calls: Option<u32>,
    /// New calls in a second, both directions together; that many may come at once.
    pub calls_per_second: Option<u32>,
}

/// Why a call does not fit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// Too many at one time.
    Calls,
    /// Too many in a second.
    Rate,
}

/// What a trunk carries now, and has carried.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub(in crate::sip) struct Load {
    /// Calls that came from the trunk: now, and since the start.
    pub(in crate::sip) inbound: (u32, u64),
    /// Calls that went there: now, and since the start.
    pub(in crate::sip) outbound: (u32, u64),
    /// Calls that did not fit since the start: for the number of calls, for their rate.
    pub(in crate::sip) refused: (u64, u64),
    /// When the next call has its turn if calls came evenly (monotonic ns): the leaky bucket as a virtual clock.
    next_ns: u64,
}

impl Load {
    /// Takes a call in; it is counted until [`Self::leave`].
    pub(in crate::sip) fn enter(&mut self, outbound: bool, limits: Limits, now: Now) -> Result<(), Refused> {
        if limits.calls.is_some_and(|most| self.inbound.0 + self.outbound.0 >= most) {
            self.refused.0 += 1;
            return Err(Refused::Calls);
        }
        if let Some(rate) = limits.calls_per_second {
            let step = SECOND / u64::from(rate.max(1));
            let turn = self.next_ns.max(now.mono_ns) + step;
            // A whole second's worth may come at once.
            if turn > now.mono_ns + SECOND {
                self.refused.1 += 1;
                return Err(Refused::Rate);
            }
            self.next_ns = turn;
        }
        let side = if outbound { &mut self.outbound } else { &mut self.inbound };
        side.0 += 1;
        side.1 += 1;
        Ok(())
    }

    /// A call has ended.
    pub(in crate::sip) fn leave(&mut self, outbound: bool) {
        let side = if outbound { &mut self.outbound } else { &mut self.inbound };
        side.0 = side.0.saturating_sub(1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_at_one_time_and_in_a_second_have_their_limits() {
        let limits = Limits { calls: Some(2), calls_per_second: None };
        let (mut load, now) = (Load::default(), Now::default());
        assert_eq!([load.enter(false, limits, now), load.enter(true, limits, now)], [Ok(()); 2]);
        assert_eq!(load.enter(true, limits, now), Err(Refused::Calls));
        load.leave(false);
        assert_eq!(load.enter(true, limits, now), Ok(()));
        assert_eq!((load.inbound, load.outbound, load.refused), ((0, 1), (2, 2), (1, 0)));
        let limits = Limits { calls: None, calls_per_second: Some(4) };
        let mut load = Load::default();
        let at = |load: &mut Load, ms| load.enter(false, limits, now.plus_ms(ms)).is_ok();
        assert_eq!((0..5).map(|_| at(&mut load, 0)).collect::<Vec<_>>(), [true, true, true, true, false]);
        assert_eq!([at(&mut load, 249), at(&mut load, 250), at(&mut load, 250)], [false, true, false]);
        // After a rest as many as in the beginning, not more.
        assert_eq!((0..9).filter(|_| at(&mut load, 60_000)).count(), 4);
    }
}
