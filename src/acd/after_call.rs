//! After-call work: as long as the agent's settings or the queue's say, and what the agent makes of it.

use crate::id::{AgentId, CallId};
use crate::journal::{AgentState, Event};
use crate::time::Now;

use super::Acd;
use super::agent::Next;

impl Acd {
    /// Every conversation gives one `AcwEnded`, at once where there is no after-call work.
    pub(super) fn handle_conversation_ended(&mut self, n: usize, call: CallId, now: Now) {
        if self.agents[n].conversation() != Some(call) {
            return;
        }
        let usual_ms = self.agents[n].acw_ms.unwrap_or(self.queues[self.agents[n].serving].settings.acw_ms);
        let acw_ms = usual_ms.saturating_add(self.agents[n].more_acw_ms);
        // A call beyond a capacity that has become smaller has its work like the others.
        let retired = self.agents[self.first_appearance(n)].retired;
        if acw_ms > 0 && self.agents[n].next != Next::Offline && !retired {
            let until_ms = now.wall_ms.saturating_add(i64::try_from(acw_ms).unwrap_or(i64::MAX));
            self.transition_to_acw(n, call, until_ms, now);
        } else {
            self.journal(Event::AcwEnded { call, agent: self.agents[n].id.clone() });
            self.settle(n, None, now);
        }
    }

    pub(super) fn handle_acw_over(&mut self, n: usize, now: Now) {
        if let AgentState::Acw { call, .. } = self.agents[n].state {
            self.journal(Event::AcwEnded { call, agent: self.agents[n].id.clone() });
            self.settle(n, None, now);
        }
    }

    /// More time for what has to be done after the call that the agent is in, or has just had.
    pub(super) fn handle_extend_acw(&mut self, agent: &AgentId, by_ms: u64, now: Now) {
        let Some(first) = self.agent_numbers.get(agent).copied() else { return };
        let at_work = |n: &usize| matches!(self.agents[*n].state, AgentState::Acw { .. });
        let works = self.appearances(first).find(at_work);
        let all = works.map_or(self.appearances(first), |n| n..n + 1);
        all.for_each(|n| self.extend_acw(n, by_ms, now));
    }

    fn extend_acw(&mut self, n: usize, by_ms: u64, now: Now) {
        match &self.agents[n].state {
            AgentState::Acw { call, until_ms } => {
                let (call, until_ms) = (*call, *until_ms);
                let by_ms = i64::try_from(by_ms).unwrap_or(i64::MAX);
                self.transition_to_acw(n, call, until_ms.saturating_add(by_ms), now);
            }
            state if state.conversation().is_some() => {
                let more_ms = &mut self.agents[n].more_acw_ms;
                *more_ms = more_ms.saturating_add(by_ms);
            }
            _ => {}
        }
    }
}
