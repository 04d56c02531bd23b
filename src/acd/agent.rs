//! One agent: one state, one method per transition.

use std::collections::BTreeMap;

use crate::id::{AgentId, CallId};
use crate::journal::{AgentState, Event, LeaveReason, SegmentEnd};
use crate::time::{Now, TimerId};

use super::events::{Failure, Forced, Output};
use super::phone::{Phone, is_hindered};
use super::settings::AgentSettings;
use super::{Acd, Timer, deadline};

/// What waits for the end of the agent's call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Next {
    Available,
    NotReady { reason: String },
    Offline,
}

#[derive(Clone, Debug)]
pub(super) struct Agent {
    pub(super) id: AgentId,
    pub(super) skills: BTreeMap<String, u8>,
    /// The queues for which the agent qualifies, ascending.
    pub(super) queues: Vec<usize>,
    pub(super) state: AgentState,
    /// Since when the state holds (wall ms).
    pub(super) since_ms: i64,
    /// Since when the agent has been idle (wall ms). A presentation that came to nothing without the agent's doing does not
    /// touch it.
    pub(super) idle_since_ms: i64,
    /// The queue of the present or last call.
    pub(super) serving: usize,
    pub(super) next: Next,
    /// The lease or the end of ACW.
    pub(super) timer: Option<TimerId>,
    pub(super) phone: Phone,
}

impl Agent {
    pub(super) fn new(settings: AgentSettings) -> Self {
        Self {
            id: settings.id,
            skills: settings.skills,
            queues: Vec::new(),
            state: AgentState::Offline,
            since_ms: 0,
            idle_since_ms: 0,
            serving: 0,
            next: Next::Available,
            timer: None,
            phone: Phone::default(),
        }
    }

    /// Joins `queue` if the skills reach its thresholds.
    pub(super) fn qualify(&mut self, queue: usize, required: &BTreeMap<String, u8>) {
        let enough = required.iter().all(|(skill, least)| self.skills.get(skill).is_some_and(|has| has >= least));
        if enough && self.queues.last() != Some(&queue) {
            self.queues.push(queue);
        }
    }

    /// The call that is presented to the agent.
    pub(super) fn presented(&self) -> Option<CallId> {
        presented_in(&self.state)
    }

    /// The call that the agent is in.
    pub(super) fn conversation(&self) -> Option<CallId> {
        match self.state {
            AgentState::Talking { call } | AgentState::Hold { call } => Some(call),
            _ => None,
        }
    }
}

/// The call that is presented to an agent in this state.
fn presented_in(state: &AgentState) -> Option<CallId> {
    match state {
        AgentState::Reserved { call } | AgentState::Ringing { call } => Some(*call),
        _ => None,
    }
}

/// What happens to an agent.
impl Acd {
    pub(super) fn handle_signed_in(&mut self, n: usize, now: Now) {
        if self.agents[n].state == AgentState::Offline {
            self.free(n, now);
        } else if self.agents[n].next == Next::Offline {
            self.agents[n].next = Next::Available;
        }
    }

    pub(super) fn handle_signed_out(&mut self, n: usize, now: Now) {
        if self.agents[n].conversation().is_some() {
            self.agents[n].next = Next::Offline;
        } else {
            self.take_out(n, Next::Offline, SegmentEnd::Unreachable, now);
        }
    }

    pub(super) fn handle_set_available(&mut self, n: usize, now: Now) {
        match self.agents[n].state {
            AgentState::NotReady { .. } => self.free(n, now),
            AgentState::Acw { .. } => {
                self.agents[n].next = Next::Available;
                self.handle_acw_over(n, now);
            }
            AgentState::Talking { .. } | AgentState::Hold { .. } => self.agents[n].next = Next::Available,
            AgentState::Offline | AgentState::Available | AgentState::Reserved { .. } | AgentState::Ringing { .. } => {}
        }
    }

    pub(super) fn handle_set_not_ready(&mut self, n: usize, reason: String, now: Now) {
        if self.agents[n].conversation().is_some() {
            // A sign-out that waits already is the stronger wish.
            if self.agents[n].next != Next::Offline {
                self.agents[n].next = Next::NotReady { reason };
            }
        } else if self.agents[n].state != AgentState::Offline {
            self.take_out(n, Next::NotReady { reason }, SegmentEnd::Rejected, now);
        }
    }

    pub(super) fn handle_acw_over(&mut self, n: usize, now: Now) {
        if let AgentState::Acw { call, .. } = self.agents[n].state {
            self.journal(Event::AcwEnded { call, agent: self.agents[n].id.clone() });
            self.settle(n, now);
        }
    }

    pub(super) fn handle_ringing(&mut self, n: usize, call: CallId, now: Now) {
        if self.agents[n].state == (AgentState::Reserved { call }) {
            self.transition_to_ringing(n, call, now);
        }
    }

    /// An answer that crossed the end of its presentation is cancelled, so that no agent's leg is left alone.
    pub(super) fn handle_answered(&mut self, agent: AgentId, call: CallId, now: Now) {
        let number = self.agent_numbers.get(&agent).copied();
        match number.filter(|n| self.agents[*n].presented() == Some(call)) {
            Some(n) => {
                let queue = self.agents[n].serving;
                self.leave_all(call, queue, LeaveReason::Answered);
                self.transition_to_talking(n, call, now);
            }
            None if number.is_some_and(|n| self.agents[n].conversation() == Some(call)) => {}
            None => self.outputs.push_back(Output::CancelPresentation { call, agent, reason: SegmentEnd::Switch }),
        }
    }

    pub(super) fn handle_failed(&mut self, n: usize, call: CallId, why: Failure, now: Now) {
        if self.agents[n].presented() == Some(call) {
            self.transition_to_not_ready(n, why.reason().to_owned(), now);
            self.return_to_line(call, now);
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

    pub(super) fn handle_hold(&mut self, n: usize, call: CallId, now: Now) {
        if self.agents[n].state == (AgentState::Talking { call }) {
            self.transition(n, AgentState::Hold { call }, now);
        }
    }

    pub(super) fn handle_resume(&mut self, n: usize, call: CallId, now: Now) {
        if self.agents[n].state == (AgentState::Hold { call }) {
            self.transition(n, AgentState::Talking { call }, now);
        }
    }

    /// Every conversation gives one `AcwEnded`, at once where there is no after-call work.
    pub(super) fn handle_conversation_ended(&mut self, n: usize, call: CallId, now: Now) {
        if self.agents[n].conversation() != Some(call) {
            return;
        }
        let acw_ms = self.queues[self.agents[n].serving].acw_ms;
        if acw_ms > 0 && self.agents[n].next != Next::Offline {
            let until_ms = now.wall_ms.saturating_add(i64::try_from(acw_ms).unwrap_or(i64::MAX));
            self.transition_to_acw(n, call, until_ms, now);
        } else {
            self.journal(Event::AcwEnded { call, agent: self.agents[n].id.clone() });
            self.settle(n, now);
        }
    }

    pub(super) fn handle_forced(&mut self, n: usize, to: Forced, now: Now) {
        if let Some(call) = self.agents[n].conversation() {
            self.cancel(n, call, SegmentEnd::Switch);
            self.journal(Event::AcwEnded { call, agent: self.agents[n].id.clone() });
        }
        let next = match to {
            _ if self.agents[n].state == AgentState::Offline => return,
            Forced::Available if self.agents[n].state == AgentState::Available => return,
            Forced::Available => Next::Available,
            Forced::NotReady { reason } => Next::NotReady { reason },
            Forced::Offline => Next::Offline,
        };
        self.take_out(n, next, SegmentEnd::Switch, now);
    }

    /// A call that the restart cut leaves its agent available; ACW runs on to its deadline.
    pub(super) fn handle_restored(&mut self, n: usize, state: AgentState, since_ms: i64, now: Now) {
        if self.agents[n].state != AgentState::Offline {
            return;
        }
        self.agents[n].since_ms = since_ms;
        self.agents[n].idle_since_ms = since_ms;
        match state {
            AgentState::Offline => {}
            AgentState::Available => {
                self.agents[n].state = AgentState::Available;
                self.index(n);
                self.match_agent(n, now);
            }
            // What hindered the phone ended with the last run, or shows again.
            AgentState::NotReady { .. } if is_hindered(&state) => self.free(n, now),
            AgentState::NotReady { .. } => self.agents[n].state = state,
            AgentState::Acw { until_ms, .. } if until_ms > now.wall_ms => {
                self.agents[n].state = state;
                self.agents[n].timer = Some(self.timers.arm(deadline(now, until_ms), Timer::Acw { agent: n }));
            }
            AgentState::Acw { call, .. } | AgentState::Talking { call } | AgentState::Hold { call } => {
                self.journal(Event::AcwEnded { call, agent: self.agents[n].id.clone() });
                self.free(n, now);
            }
            AgentState::Reserved { .. } | AgentState::Ringing { .. } => self.free(n, now),
        }
    }

    /// Leaves whatever the agent was in, a presentation included, for `next`.
    fn take_out(&mut self, n: usize, next: Next, reason: SegmentEnd, now: Now) {
        let presented = self.agents[n].presented();
        if let Some(call) = presented {
            self.cancel(n, call, reason);
        }
        if let AgentState::Acw { call, .. } = self.agents[n].state {
            self.journal(Event::AcwEnded { call, agent: self.agents[n].id.clone() });
        }
        // The agent settles first, so that a caller who comes back cannot be presented here again unless that is wanted.
        self.agents[n].next = next;
        match presented {
            Some(call) if self.agents[n].next == Next::Available => {
                // Freed by a supervisor: both sides come free at once, so the caller goes first, to somebody else if possible.
                self.return_to_line(call, now);
                self.settle(n, now);
            }
            Some(call) => {
                self.settle(n, now);
                self.return_to_line(call, now);
            }
            None => self.settle(n, now),
        }
    }

    /// Goes to what waited for the end of the call.
    fn settle(&mut self, n: usize, now: Now) {
        match std::mem::replace(&mut self.agents[n].next, Next::Available) {
            Next::Available => self.free(n, now),
            Next::NotReady { reason } => self.transition_to_not_ready(n, reason, now),
            Next::Offline => self.transition_to_offline(n, now),
        }
    }

    /// The agent is idle from now on.
    pub(super) fn free(&mut self, n: usize, now: Now) {
        self.agents[n].idle_since_ms = now.wall_ms;
        self.offer(n, now);
    }

    /// Available, unless the phone can take no call.
    fn offer(&mut self, n: usize, now: Now) {
        if let Some(reason) = self.agents[n].hindrance() {
            return self.transition_to_not_ready(n, reason.to_owned(), now);
        }
        self.transition_to_available(n, now);
        self.match_agent(n, now);
    }

    fn cancel(&mut self, n: usize, call: CallId, reason: SegmentEnd) {
        let agent = self.agents[n].id.clone();
        self.outputs.push_back(Output::CancelPresentation { call, agent, reason });
    }

    /// The caller hung up while this agent was presented: the agent is as idle as before.
    pub(super) fn withdraw(&mut self, n: usize, call: CallId, reason: SegmentEnd, now: Now) {
        self.cancel(n, call, reason);
        self.offer(n, now);
    }

    fn transition_to_available(&mut self, n: usize, now: Now) {
        self.transition(n, AgentState::Available, now);
        self.index(n);
    }

    pub(super) fn transition_to_reserved(&mut self, n: usize, call: CallId, queue: usize, now: Now) {
        self.transition(n, AgentState::Reserved { call }, now);
        self.agents[n].serving = queue;
        self.lease(n, now);
    }

    fn transition_to_ringing(&mut self, n: usize, call: CallId, now: Now) {
        self.transition(n, AgentState::Ringing { call }, now);
        self.lease(n, now);
    }

    pub(super) fn transition_to_talking(&mut self, n: usize, call: CallId, now: Now) {
        self.transition(n, AgentState::Talking { call }, now);
    }

    fn transition_to_acw(&mut self, n: usize, call: CallId, until_ms: i64, now: Now) {
        self.transition(n, AgentState::Acw { call, until_ms }, now);
        self.agents[n].timer = Some(self.timers.arm(deadline(now, until_ms), Timer::Acw { agent: n }));
    }

    pub(super) fn transition_to_not_ready(&mut self, n: usize, reason: String, now: Now) {
        self.transition(n, AgentState::NotReady { reason }, now);
    }

    fn transition_to_offline(&mut self, n: usize, now: Now) {
        self.transition(n, AgentState::Offline, now);
    }

    /// Leaves the old state with its timer and its places in the queues, and writes the new one down if it is one.
    fn transition(&mut self, n: usize, state: AgentState, now: Now) {
        self.touched += 1;
        if let Some(call) = self.agents[n].presented().filter(|call| presented_in(&state) != Some(*call))
            && self.handed.get(&call) == Some(&n)
        {
            self.handed.remove(&call);
        }
        if let Some(timer) = self.agents[n].timer.take() {
            self.timers.disarm(timer);
        }
        if self.agents[n].state == AgentState::Available {
            self.unindex(n);
        }
        if self.agents[n].state != state {
            self.agents[n].state = state.clone();
            self.agents[n].since_ms = now.wall_ms;
            self.journal(Event::AgentChanged { agent: self.agents[n].id.clone(), state });
        }
    }

    fn lease(&mut self, n: usize, now: Now) {
        let ring_timeout_ms = self.queues[self.agents[n].serving].ring_timeout_ms;
        self.agents[n].timer = Some(self.timers.arm(now.in_ms(ring_timeout_ms), Timer::Lease { agent: n }));
    }

    fn index(&mut self, n: usize) {
        let agent = &self.agents[n];
        for queue in &agent.queues {
            self.touched += 1;
            self.queues[*queue].available.insert((agent.idle_since_ms, n));
        }
    }

    fn unindex(&mut self, n: usize) {
        let agent = &self.agents[n];
        for queue in &agent.queues {
            self.touched += 1;
            self.queues[*queue].available.remove(&(agent.idle_since_ms, n));
        }
    }
}
