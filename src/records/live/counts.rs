//! What a queue served and lost, in quarters of an hour, so that a day of any time zone can be counted.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::journal::LeaveReason;
use crate::records::Wall;

const QUARTER_MS: i64 = 15 * 60 * 1_000;
/// Quarters that are kept: a day of 25 hours, seen from any zone.
const KEPT: i64 = 4 * 26;

/// Served and abandoned by quarter of an hour.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Counts {
    quarters: BTreeMap<i64, (u64, u64)>,
}

impl Counts {
    /// Counts a wait that ended for `reason` at `at`.
    pub(super) fn add(&mut self, reason: LeaveReason, at: Wall) {
        let quarter = at.0.div_euclid(QUARTER_MS);
        let (served, abandoned) = self.quarters.entry(quarter).or_default();
        match reason {
            LeaveReason::Answered => *served = served.saturating_add(1),
            LeaveReason::Abandoned => *abandoned = abandoned.saturating_add(1),
            LeaveReason::Timeout
            | LeaveReason::Refused
            | LeaveReason::Overflow
            | LeaveReason::Exit
            | LeaveReason::Ended => {}
        }
        self.quarters.retain(|kept, _| kept.saturating_add(KEPT) >= quarter);
    }

    /// Served and abandoned from `day` on.
    pub(super) fn since(&self, day: Wall) -> (u64, u64) {
        let from = day.0.div_euclid(QUARTER_MS);
        self.quarters.range(from..).fold((0, 0), |(served, abandoned), (_, (s, a))| (served + s, abandoned + a))
    }
}
