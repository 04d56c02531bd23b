//! Calls that an agent was presented and did not take: for how long there are no others.

use crate::id::CallId;
use crate::journal::{AgentState, SegmentEnd};
use crate::time::Now;

use super::{Acd, Failure};

impl Acd {
    pub(super) fn handle_failed(&mut self, n: usize, call: CallId, why: Failure, now: Now) {
        if self.agents[n].presented() == Some(call) {
            let again_ms = self.again_after(n, why);
            let until_ms = again_ms.map(|ms| now.wall_ms.saturating_add(i64::try_from(ms).unwrap_or(i64::MAX)));
            self.transition_to_not_ready(n, why.reason().to_owned(), until_ms, now);
            self.close_free(n, why, until_ms, now);
            self.return_to_line(call, n, now);
        }
    }

    /// After how long (ms) an agent who did not take a call gets another one; `None` where he or she has to say so.
    fn again_after(&mut self, n: usize, why: Failure) -> Option<u64> {
        let queue = &self.queues[self.agents[n].serving].settings;
        let first = self.first_appearance(n);
        let missed = &mut self.agents[first].missed;
        match why {
            Failure::NoAnswer => {
                *missed = missed.saturating_add(1);
                queue.untaken.no_answer_ms.filter(|_| queue.untaken.most.is_none_or(|most| *missed < most))
            }
            Failure::Busy => queue.untaken.busy_ms,
            Failure::Rejected => queue.untaken.rejected_ms,
            Failure::Unreachable => None,
        }
    }

    /// An agent who was left alone after a call that was not taken is there again.
    pub(super) fn handle_back(&mut self, n: usize, now: Now) {
        if matches!(self.agents[n].state, AgentState::NotReady { until_ms: Some(_), .. }) {
            self.free(n, now);
        }
    }

    pub(super) fn handle_lease_over(&mut self, n: usize, now: Now) {
        let Some(call) = self.agents[n].presented() else { return };
        let (why, reason) = match self.agents[n].state {
            AgentState::Ringing { .. } => (Failure::NoAnswer, SegmentEnd::NoAnswer),
            _ => (Failure::Unreachable, SegmentEnd::Unreachable),
        };
        self.cancel(n, call, reason);
        self.handle_failed(n, call, why, now);
    }
}
