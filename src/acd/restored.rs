//! Agents as the last run left them.

use crate::id::AgentId;
use crate::journal::{AgentState, Event, Seen};
use crate::time::Now;

use super::phone::is_hindered;
use super::{Acd, Timer, deadline};

impl Acd {
    /// A call that the restart cut leaves its agent available, or what he or she wanted to be after it; ACW runs on to its deadline.
    pub(super) fn handle_restored(&mut self, agent: &AgentId, seen: Vec<Seen>, now: Now) {
        let first = self.agent_numbers.get(agent).copied();
        for seen in seen {
            match first.filter(|first| seen.appearance < self.agents[*first].appearances) {
                Some(first) => self.restore(first + usize::from(seen.appearance), seen, now),
                None => self.close_lost(agent, seen.appearance, &seen.state),
            }
        }
        for n in first.map_or(0..0, |first| self.appearances(first)) {
            self.follow_first(n, now);
            self.match_agent(n, now);
        }
    }

    fn restore(&mut self, n: usize, seen: Seen, now: Now) {
        let Seen { state, since_wall_ms: since_ms, wish, .. } = seen;
        if self.agents[n].state != AgentState::Offline || self.agents[n].retired {
            return;
        }
        let first = self.first_appearance(n);
        self.agents[first].tally.counted_ms = now.wall_ms;
        self.agents[n].since_ms = since_ms;
        self.agents[n].idle_since_ms = since_ms;
        match state {
            AgentState::Offline => {}
            AgentState::Available => {
                self.set_state(n, AgentState::Available);
                self.open(n);
            }
            // What hindered the phone ended with the last run, or shows again.
            AgentState::NotReady { .. } if is_hindered(&state) => self.free(n, now),
            AgentState::NotReady { until_ms: Some(until_ms), .. } if until_ms <= now.wall_ms => self.free(n, now),
            AgentState::NotReady { until_ms, .. } => {
                self.set_state(n, state);
                self.agents[n].timer = until_ms.map(|at| self.timers.arm(deadline(now, at), Timer::Back { agent: n }));
            }
            AgentState::Acw { until_ms, .. } if until_ms > now.wall_ms => {
                self.agents[n].next = wish.into();
                self.set_state(n, state);
                self.agents[n].timer = Some(self.timers.arm(deadline(now, until_ms), Timer::Acw { agent: n }));
            }
            AgentState::Acw { call, .. }
            | AgentState::Talking { call }
            | AgentState::Hold { call }
            | AgentState::Consult { call } => {
                self.journal(Event::AcwEnded { call, agent: self.agents[n].id.clone() });
                self.agents[n].next = wish.into();
                self.set_state(n, state);
                self.settle(n, None, now);
            }
            AgentState::Reserved { .. } | AgentState::Ringing { .. } => self.free(n, now),
        }
    }

    /// An appearance whose call a restart has cut is as the first one is, who is signed out or not ready; one that the last run had
    /// not begins like it.
    fn follow_first(&mut self, n: usize, now: Now) {
        let first = self.first_appearance(n);
        if n == first {
            return self.open(n);
        }
        if self.agents[n].state != AgentState::Available {
            return self.join_in(n, now);
        }
        match self.agents[first].state.clone() {
            AgentState::Offline => self.transition_to_offline(n, now),
            AgentState::NotReady { reason, until_ms } => self.transition_to_not_ready(n, reason, until_ms, now),
            _ => {}
        }
    }

    /// An appearance that the last run had and the settings have no longer: what it owed is over.
    fn close_lost(&mut self, agent: &AgentId, appearance: u8, state: &AgentState) {
        if *state == AgentState::Offline {
            return;
        }
        let agent = agent.clone();
        if let Some(call) = state.call().filter(|_| state.is_handling()) {
            self.journal(Event::AcwEnded { call, agent: agent.clone() });
        }
        self.journal(Event::AgentChanged { agent, appearance, state: AgentState::Offline });
    }
}
