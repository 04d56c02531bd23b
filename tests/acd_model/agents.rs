//! What the model's agents do.

use trunkline::acd::{Failure, Forced, Input};
use trunkline::id::AgentId;
use trunkline::journal::{AgentState, SegmentEnd};

use super::model::{Caller, Due, Model};

impl Model {
    pub fn handle_agent(&mut self, a: usize, input: Input, now: i64) {
        use AgentState::{Acw, Available, Consult, Hold, NotReady, Offline, Reserved, Ringing, Talking};
        let state = self.agents[a].state.clone();
        let in_call = state.conversation().is_some();
        if matches!(input, Input::SetAvailable { .. }) {
            self.agents[a].missed = 0;
        }
        match (input, state) {
            (Input::AgentSignedIn { .. }, Offline) => self.become_(a, Available, now),
            (Input::AgentSignedIn { .. }, _) if self.agents[a].next == Offline => self.agents[a].next = Available,
            (Input::AgentSignedOut { .. }, _) if in_call => self.agents[a].next = Offline,
            (Input::AgentSignedOut { .. }, _) => self.interrupt(a, Offline, SegmentEnd::Unreachable, now),
            (Input::SetAvailable { .. }, NotReady { .. } | Acw { .. }) => self.become_(a, Available, now),
            (Input::SetAvailable { .. }, _) if in_call => self.agents[a].next = Available,
            (Input::SetNotReady { .. }, _) if in_call && self.agents[a].next == Offline => {}
            (Input::SetNotReady { reason, .. }, _) if in_call => {
                self.agents[a].next = NotReady { reason, until_ms: None }
            }
            (Input::SetNotReady { .. }, Offline) => {}
            (Input::SetNotReady { reason, .. }, _) => {
                self.interrupt(a, NotReady { reason, until_ms: None }, SegmentEnd::Rejected, now);
            }
            (Input::EndAcw { .. }, Acw { .. }) => self.agent_due(a, now),
            (Input::ExtendAcw { by_ms, .. }, Acw { call, until_ms }) => {
                self.become_(a, Acw { call, until_ms: until_ms + by_ms as i64 }, now);
            }
            (Input::ExtendAcw { by_ms, .. }, _) if in_call => self.agents[a].more_acw += by_ms as i64,
            (Input::PhoneRinging { call, .. }, Reserved { call: of }) if call == of => {
                self.become_(a, Ringing { call }, now);
            }
            (Input::AgentFailed { call, why, .. }, Reserved { call: of } | Ringing { call: of }) if call == of => {
                self.miss(a, why, now);
                let id = self.agents[a].settings.id.clone();
                self.give_back(call, &id, now);
            }
            (Input::Hold { call, .. }, Talking { call: of }) if call == of => self.become_(a, Hold { call }, now),
            (Input::Resume { call, .. }, Hold { call: of } | Consult { call: of }) if call == of => {
                self.become_(a, Talking { call }, now);
            }
            (Input::ConversationEnded { call, .. }, state) if state.conversation() == Some(call) => {
                let of_queue = self.settings(&self.agents[a].serving).acw_ms;
                let acw = self.agents[a].settings.acw_ms.unwrap_or(of_queue) as i64 + self.agents[a].more_acw;
                let next = self.agents[a].next.clone();
                let acw_first = acw > 0 && next != Offline && !self.agents[a].retired;
                self.become_(a, if acw_first { Acw { call, until_ms: now + acw } } else { next }, now);
            }
            (Input::PhoneTaken { call, .. }, _) => {
                self.agents[a].own_calls.push(call);
                self.look_at_phone(a, now);
            }
            (Input::PhoneFree { call, .. }, _) => {
                self.agents[a].own_calls.retain(|own| *own != call);
                self.look_at_phone(a, now);
            }
            (Input::PhoneReach { reachable, .. }, _) => {
                let changed = self.agents[a].reachable != reachable;
                self.agents[a].reachable = reachable;
                if changed {
                    self.look_at_phone(a, now);
                }
            }
            (Input::Forced { .. }, Offline) | (Input::Forced { to: Forced::Available, .. }, Available) => {}
            (Input::Forced { to, .. }, state) => {
                if let Some(call) = state.conversation() {
                    self.cancel(a, call, SegmentEnd::Switch);
                }
                let next = match to {
                    Forced::Available => Available,
                    Forced::NotReady { reason } => NotReady { reason, until_ms: None },
                    Forced::Offline => Offline,
                };
                self.interrupt(a, next, SegmentEnd::Switch, now);
            }
            (Input::Restored { seen, .. }, Offline) if !self.agents[a].retired => {
                for seen in seen {
                    self.restore(a, seen.state, seen.since_wall_ms, now);
                }
            }
            _ => {}
        }
    }

    pub fn restore(&mut self, a: usize, state: AgentState, since: i64, now: i64) {
        match state {
            AgentState::Offline => {}
            AgentState::NotReady { reason, until_ms }
                if reason != "unreachable" && until_ms.is_none_or(|at| at > now) =>
            {
                self.become_(a, AgentState::NotReady { reason, until_ms }, now);
            }
            AgentState::Acw { until_ms, .. } if until_ms > now => self.become_(a, state, now),
            AgentState::Available => {
                self.become_(a, state, now);
                self.agents[a].idle_since = since;
            }
            _ => self.become_(a, AgentState::Available, now),
        }
        self.agents[a].since = if self.agents[a].state == AgentState::Offline { now } else { self.agents[a].since };
    }

    /// Who is available or was taken out by the phone alone decides anew.
    pub fn look_at_phone(&mut self, a: usize, now: i64) {
        let by_phone = |reason: &str| reason == "own_call" || reason == "unreachable";
        match &self.agents[a].state {
            AgentState::Available => self.stay_idle(a, now),
            AgentState::NotReady { reason, .. } if by_phone(reason) => self.become_(a, AgentState::Available, now),
            AgentState::Hold { call } | AgentState::Consult { call } => {
                let call = *call;
                self.become_(a, AgentState::Hold { call }, now);
            }
            _ => {}
        }
    }

    /// Available, and idle since when the agent was before.
    pub fn stay_idle(&mut self, a: usize, now: i64) {
        let idle_since = self.agents[a].idle_since;
        self.become_(a, AgentState::Available, now);
        self.agents[a].idle_since = idle_since;
    }

    /// The one place where an agent's state changes.
    pub fn become_(&mut self, a: usize, wanted: AgentState, now: i64) {
        let agent = &mut self.agents[a];
        let state = match wanted {
            AgentState::Available if !agent.reachable => {
                AgentState::NotReady { reason: "unreachable".into(), until_ms: None }
            }
            AgentState::Available if !agent.own_calls.is_empty() => {
                AgentState::NotReady { reason: "own_call".into(), until_ms: None }
            }
            AgentState::Hold { call } if !agent.own_calls.is_empty() => AgentState::Consult { call },
            other => other,
        };
        let id = agent.settings.id.clone();
        let talks = state.conversation().is_some();
        let state = if agent.retired && !talks { AgentState::Offline } else { state };
        if agent.state == AgentState::Offline {
            agent.past.clear();
            agent.missed = 0;
        } else if agent.state != state {
            agent.past.push((agent.state.clone(), now - agent.since));
        }
        agent.since = if agent.state == state { agent.since } else { now };
        let serving = agent.serving.clone();
        match &state {
            AgentState::Talking { .. } | AgentState::Hold { .. } | AgentState::Consult { .. } => agent.missed = 0,
            AgentState::Available => {
                (agent.idle_since, agent.next, agent.past_when_free) = (now, AgentState::Available, agent.past.len());
            }
            AgentState::Offline | AgentState::NotReady { .. } => agent.next = AgentState::Available,
            AgentState::Reserved { .. } | AgentState::Ringing { .. } => agent.more_acw = 0,
            AgentState::Acw { .. } => {}
        }
        agent.state = state.clone();
        self.due.retain(|(.., what)| *what != Due::Agent(id.clone()));
        match state {
            AgentState::Reserved { .. } | AgentState::Ringing { .. } => {
                let ring = self.settings(&serving).ring_timeout_ms as i64;
                self.arm(now + ring, Due::Agent(id));
            }
            AgentState::Acw { until_ms, .. } | AgentState::NotReady { until_ms: Some(until_ms), .. } => {
                self.arm(until_ms, Due::Agent(id));
            }
            AgentState::Offline => self.nobody_waits_alone_for(&id, now),
            _ => {}
        }
    }

    pub fn nobody_waits_alone_for(&mut self, agent: &AgentId, now: i64) {
        let waits = |caller: &Caller| caller.alone.as_ref().is_some_and(|(wanted, _)| wanted == agent);
        let mut calls: Vec<_> = self.callers.iter().filter(|caller| waits(caller)).collect();
        calls.sort_by_key(|caller| self.order(caller));
        for call in calls.into_iter().map(|caller| caller.call).collect::<Vec<_>>() {
            let at = self.at(call).unwrap();
            self.callers[at].alone = None;
            self.arm_wait(call, now);
        }
    }

    pub fn agent_due(&mut self, a: usize, now: i64) {
        let next = self.agents[a].next.clone();
        let (call, end, why) = match self.agents[a].state {
            AgentState::Acw { .. } => return self.become_(a, next, now),
            AgentState::NotReady { .. } => return self.become_(a, AgentState::Available, now),
            AgentState::Reserved { call } => (call, SegmentEnd::Unreachable, Failure::Unreachable),
            AgentState::Ringing { call } => (call, SegmentEnd::NoAnswer, Failure::NoAnswer),
            ref other => panic!("no deadline belongs to {other:?}"),
        };
        self.cancel(a, call, end);
        self.miss(a, why, now);
        let id = self.agents[a].settings.id.clone();
        self.give_back(call, &id, now);
    }

    /// Not ready, and for how long, by the queue's rule for such a call.
    pub fn miss(&mut self, a: usize, why: Failure, now: i64) {
        let rules = self.settings(&self.agents[a].serving).untaken;
        self.agents[a].missed += u32::from(why == Failure::NoAnswer);
        let (reason, again) = match why {
            Failure::NoAnswer if rules.most.is_some_and(|most| self.agents[a].missed >= most) => ("no_answer", None),
            Failure::NoAnswer => ("no_answer", rules.no_answer_ms),
            Failure::Busy => ("busy", rules.busy_ms),
            Failure::Rejected => ("rejected", rules.rejected_ms),
            Failure::Unreachable => ("unreachable", None),
        };
        let until_ms = again.map(|ms| now + ms as i64);
        self.become_(a, AgentState::NotReady { reason: reason.into(), until_ms }, now);
    }

    pub fn interrupt(&mut self, a: usize, next: AgentState, reason: SegmentEnd, now: i64) {
        let id = self.agents[a].settings.id.clone();
        let Some(call) = self.agents[a].presented() else { return self.become_(a, next, now) };
        self.cancel(a, call, reason);
        if next == AgentState::Available {
            // The caller looks for somebody else first.
            self.give_back(call, &id, now);
            self.pair(now);
            self.become_(a, next, now);
        } else {
            self.give_back(call, &id, now);
            self.become_(a, next, now);
        }
    }
}
