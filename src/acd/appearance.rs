//! Agents who take several calls at once: a call appearance for each, as phones have them.
//!
//! An agent's appearances stand beside one another in the list of agents, each with a state of its own. What the agent wishes, and
//! what becomes of the phone, concerns all of them; a call is on one. At most one is open to calls: none while a call is being
//! presented to the agent or there is after-call work, as one phone rings for one call and that work is not to be disturbed. Whoever
//! is in fewer calls is called first.

use std::ops::Range;

use crate::id::CallId;
use crate::journal::AgentState;
use crate::time::Now;

use super::agent::{Agent, Next};
use super::{Acd, Failure};

/// Whether a queue counts an agent as there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Presence {
    pub(super) signed_in: bool,
    /// Signed in and not "not ready".
    pub(super) ready: bool,
}

impl Acd {
    /// The agent's appearances, by the number of any of them.
    pub(super) fn appearances(&self, n: usize) -> Range<usize> {
        let first = self.first_appearance(n);
        first..first + usize::from(self.agents[n].appearances)
    }

    /// The one by which the agent is known.
    pub(super) fn first_appearance(&self, n: usize) -> usize {
        n - usize::from(self.agents[n].appearance)
    }

    /// The appearance at which a call could be presented now.
    pub(super) fn open_appearance(&self, n: usize) -> Option<usize> {
        self.appearances(n).find(|n| self.agents[*n].open_with.is_some())
    }

    /// The appearance that has to do with a call; the first where none has.
    pub(super) fn appearance_with(&self, agent: usize, call: CallId) -> usize {
        let has = |n: &usize| {
            let agent = &self.agents[*n];
            agent.presented() == Some(call) || agent.conversation() == Some(call)
        };
        self.appearances(agent).find(has).unwrap_or(agent)
    }

    /// Brings what the queues list of the agent into line with the states of the appearances.
    pub(super) fn open(&mut self, n: usize) {
        let appearances = self.appearances(n);
        let states = || appearances.clone().map(|n| &self.agents[n].state);
        let closed = states().any(|state| state.presented().is_some() || matches!(state, AgentState::Acw { .. }));
        let calls = states().filter(|state| state.conversation().is_some()).count();
        // One whose capacity has become smaller may be in more calls than that.
        let capacity = appearances.clone().filter(|n| !self.agents[*n].retired).count();
        let closed = closed || calls >= capacity;
        let calls = u8::try_from(calls).unwrap_or(u8::MAX);
        let free = |n: &usize| self.agents[*n].state == AgentState::Available;
        let open = appearances.clone().find(free).filter(|_| !closed);
        for other in appearances {
            let with = Some(calls).filter(|_| open == Some(other));
            if self.agents[other].open_with != with {
                self.unindex(other);
                if let Some(calls) = with {
                    self.index(other, calls);
                    if other != n {
                        self.opened.push(other);
                    }
                }
            }
        }
    }

    /// Appearances that were opened by what happened on others look for callers.
    pub(super) fn match_opened(&mut self, now: Now) {
        while !self.opened.is_empty() {
            let opened = std::mem::take(&mut self.opened);
            self.match_agents(&opened, now);
        }
    }

    pub(super) fn presence(&self, n: usize) -> Presence {
        let states = || self.appearances(n).map(|n| &self.agents[n].state);
        Presence {
            signed_in: states().any(|state| *state != AgentState::Offline),
            ready: states().any(AgentState::is_ready),
        }
    }

    /// The appearance that is in the midst of most; `None` where the settings name the agent no longer.
    pub(super) fn foremost(&self, n: usize) -> Option<&Agent> {
        let there = self.appearances(n).map(|n| &self.agents[n]).filter(|agent| !agent.is_gone());
        there.min_by_key(|agent| (agent.state.rank(), agent.appearance))
    }

    /// Counts the agent's time until now, and what of the call on this appearance is over.
    pub(super) fn count(&mut self, n: usize, now: Now) {
        let first = self.first_appearance(n);
        let doing = self.foremost(n).map_or(&AgentState::Offline, |agent| &agent.state);
        let (mut tally, signs_in) = (self.agents[first].tally, *doing == AgentState::Offline);
        tally.count(doing, now);
        self.agents[first].tally = tally;
        if signs_in {
            self.agents[first].missed = 0;
        }
        self.agents[n].count_handling(now);
    }

    /// The agent has answered a call.
    pub(super) fn begin_handling(&mut self, n: usize) {
        (self.agents[n].more_acw_ms, self.agents[n].handled_ms) = (0, Some(0));
        let first = self.first_appearance(n);
        let first = &mut self.agents[first];
        (first.missed, first.tally.calls) = (0, first.tally.calls + 1);
    }

    /// Since when the agent has been idle (wall ms): since the last appearance came free.
    pub(super) fn idle_since_ms(&self, n: usize) -> i64 {
        self.appearances(n).map(|n| self.agents[n].idle_since_ms).max().unwrap_or(0)
    }

    /// A call that was not taken: the agent gets no other one on the appearances that are free, for as long.
    pub(super) fn close_free(&mut self, n: usize, why: Failure, until_ms: Option<i64>, now: Now) {
        for other in self.appearances(n) {
            if self.agents[other].state == AgentState::Available {
                self.transition_to_not_ready(other, why.reason().to_owned(), until_ms, now);
            }
        }
    }

    /// Whoever has just ended a call is there: calls that were not taken beside it are forgiven.
    pub(super) fn forgive(&mut self, n: usize, now: Now) {
        for other in self.appearances(n) {
            if let AgentState::NotReady { reason, .. } = &self.agents[other].state
                && self.agents[other].hindrance().is_none()
                && Failure::is_reason(reason)
                && !self.is_to_speak(other)
            {
                self.free(other, now);
            }
        }
    }

    /// Whether so many calls in a row have rung out that the agent has to say so before there is another one.
    fn is_to_speak(&self, n: usize) -> bool {
        let most = self.queues[self.agents[n].serving].settings.untaken.most;
        let missed = self.agents[self.first_appearance(n)].missed;
        matches!(self.agents[n].state, AgentState::NotReady { until_ms: None, .. })
            && most.is_some_and(|most| missed >= most)
    }

    /// Of several calls that are held the consultation is about the one that was held last.
    pub(super) fn is_held_last(&self, n: usize) -> bool {
        let held = |n: &usize| matches!(self.agents[*n].state, AgentState::Hold { .. } | AgentState::Consult { .. });
        // Who is about to hold does so last.
        !held(&n) || self.appearances(n).filter(held).max_by_key(|n| (self.agents[*n].since_ms, *n)) == Some(n)
    }

    /// Appearances that the settings add to an agent who is signed in, or that signed out in the last run, begin as the first one
    /// stands, or will once its call is over.
    pub(super) fn join_in(&mut self, n: usize, now: Now) {
        let first = &self.agents[self.first_appearance(n)];
        if self.agents[n].state != AgentState::Offline || self.agents[n].retired || first.retired {
            return;
        }
        let (state, next, phone) = (first.state.clone(), first.next.clone(), first.phone.clone());
        let since_ms = first.idle_since_ms;
        self.agents[n].phone = phone;
        match (state, next) {
            (AgentState::Offline, _) | (_, Next::Offline) => {}
            (AgentState::NotReady { reason, until_ms }, _) => self.transition_to_not_ready(n, reason, until_ms, now),
            (_, Next::NotReady { reason }) => self.transition_to_not_ready(n, reason, None, now),
            (_, Next::Available) => {
                self.agents[n].idle_since_ms = since_ms;
                self.offer(n, now);
            }
        }
    }
}

impl Agent {
    /// Lists an agent who takes so many calls at once.
    pub(super) fn push(self, capacity: u8, agents: &mut Vec<Self>) {
        let appearances = capacity.max(1);
        let others: Vec<Self> = (1..appearances).map(|appearance| self.beside(appearance)).collect();
        let all = std::iter::once(self).chain(others);
        agents.extend(all.map(|agent| Self { appearances, ..agent }));
    }

    /// Another appearance of the same agent, signed out.
    pub(super) fn beside(&self, appearance: u8) -> Self {
        let fresh = Self::named(self.id.clone());
        Self { appearance, skills: self.skills.clone(), acw_ms: self.acw_ms, ..fresh }
    }
}
