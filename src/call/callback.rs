//! Calls that we place: because a customer has asked for it, an agent first and then the customer; or because one of our users wishes to
//! speak with somebody, the user first.

use super::routed::disposition_of;
use super::{Call, CallState, Leg, LegState, Output};
use crate::id::{AgentId, CallId, LegId};
use crate::journal::{Cause, Event, HangupBy};

impl Call {
    /// A call that waits for an agent; its customer will be called on the leg `caller`. `record` only where the customer was told.
    pub fn calling_back(id: CallId, caller: LegId, record: bool) -> Self {
        let mut call = Self::new(id, caller);
        call.caller = Leg { id: caller, state: LegState::Gone };
        call.state = CallState::Waiting { record };
        call.calls_back = true;
        call.notice_played = record;
        call
    }

    /// A call of one of our users, whose phone is called on the leg `caller` first.
    pub fn summoning(id: CallId, caller: LegId) -> Self {
        let mut call = Self::new(id, caller);
        (call.state, call.calls_back) = (CallState::Summoning, true);
        call
    }

    /// The agent is there.
    pub(super) fn call_back(&mut self, agent: AgentId, leg: LegId, record: bool) {
        self.caller.state = LegState::Inviting;
        self.state = CallState::CallingBack { agent: agent.clone(), leg, record };
        self.push(Output::CallBack { agent, leg });
        self.push(Output::DialTarget { leg: self.caller.id });
    }

    /// Whether this leg is that of the agent for whom the customer is being called.
    pub(super) fn calls_back_by(&self, by: LegId) -> bool {
        matches!(self.state, CallState::CallingBack { leg, .. } if leg == by)
    }

    /// The customer has answered.
    pub(super) fn handle_called_back(&mut self) {
        match self.state.clone() {
            CallState::CallingBack { agent, leg, record } => {
                self.caller.state = LegState::Up;
                self.answered = true;
                self.journal(Event::CallAnswered { call: self.id });
                self.transition_to_bridged(Some(agent), leg, record);
            }
            CallState::Summoning => {
                self.caller.state = LegState::Up;
                self.answered = true;
                self.state = CallState::InFlow;
                self.journal(Event::CallAnswered { call: self.id });
                self.push(Output::CallerThere);
            }
            // The 200 crossed our CANCEL (RFC 3261 §9.1).
            _ if self.caller.state == LegState::Cancelling => {
                self.caller.state = LegState::Closing;
                self.push(Output::ByeLeg { leg: self.caller.id, cause: Cause::new(26, "lost_race") });
            }
            _ => {}
        }
    }

    /// The customer cannot be reached, or our CANCEL is confirmed.
    pub(super) fn handle_not_reached(&mut self, cause: Cause) {
        if !matches!(self.caller.state, LegState::Inviting | LegState::Cancelling) {
            return;
        }
        self.caller.state = LegState::Gone;
        self.journal(Event::LegEnded { call: self.id, leg: self.caller.id, cause: cause.clone() });
        if matches!(self.state, CallState::CallingBack { .. } | CallState::Summoning) {
            let disposition = disposition_of(&cause);
            self.end(HangupBy::Switch, cause, Some(disposition));
        }
        self.finish_if_done();
    }
}
