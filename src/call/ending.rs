//! How a call ends: once, with one cause, and with every leg closed.

use super::{Call, CallState, LegState, Output};
use crate::id::LegId;
use crate::journal::{Cause, Event, HangupBy, SegmentEnd};

impl Call {
    /// Ends the call. `flow_says` is the disposition of a call that no person answered and that its caller did not leave.
    pub(super) fn end(&mut self, by: HangupBy, cause: Cause, flow_says: Option<&str>) {
        match self.state {
            CallState::Ended => return,
            // Its end has been told.
            CallState::After => {
                self.state = CallState::Ended;
                self.push(Output::PlanOver);
            }
            _ => self.end_conversation(by, cause.clone(), flow_says),
        }
        self.close_caller(cause);
    }

    /// Ends everything but the caller's leg, and says that the call is over.
    fn end_conversation(&mut self, by: HangupBy, cause: Cause, flow_says: Option<&str>) {
        let disposition = match (&self.state, by, flow_says) {
            _ if self.spoken => "answered",
            _ if let Some(left) = self.left => left,
            (CallState::Offered, HangupBy::Switch, _) => "refused",
            (CallState::InFlow, HangupBy::Caller, _) if self.served => "self_service",
            (_, HangupBy::Caller, _) => "abandoned",
            (_, _, says) => says.unwrap_or("failed"),
        };
        self.ended_by_switch = by == HangupBy::Switch;
        match std::mem::replace(&mut self.state, CallState::Ended) {
            CallState::Presented { ringing, .. } => {
                let end = if by == HangupBy::Caller { SegmentEnd::CallerLeft } else { SegmentEnd::Switch };
                for (agent, leg) in ringing {
                    self.journal(Event::SegmentEnded { call: self.id, agent, end });
                    self.cancel_agent(leg, cause.clone());
                }
                self.push(Output::CallerLeft);
            }
            CallState::Waiting { .. } => self.push(Output::CallerLeft),
            CallState::Bridged { agent, leg, .. } => {
                let end = match by {
                    HangupBy::Caller => SegmentEnd::Caller,
                    HangupBy::Agent => SegmentEnd::Agent,
                    HangupBy::Switch => SegmentEnd::Switch,
                };
                if let Some(agent) = agent {
                    self.journal(Event::SegmentEnded { call: self.id, agent: agent.clone(), end });
                    self.push(Output::ConversationEnded { agent });
                }
                self.bye_agent(leg, cause.clone());
            }
            CallState::CallingBack { agent, leg, .. } => {
                let end = if by == HangupBy::Agent { SegmentEnd::Agent } else { SegmentEnd::Switch };
                self.journal(Event::SegmentEnded { call: self.id, agent: agent.clone(), end });
                self.push(Output::ConversationEnded { agent });
                self.bye_agent(leg, cause.clone());
            }
            CallState::Transferring { giver, leg, to, .. } => {
                if let Some(agent) = to {
                    let end = if by == HangupBy::Caller { SegmentEnd::CallerLeft } else { SegmentEnd::Switch };
                    self.journal(Event::SegmentEnded { call: self.id, agent, end });
                    self.push(Output::CallerLeft);
                }
                self.cancel_agent(leg, cause.clone());
                if let Some((agent, leg)) = giver {
                    let end = if by == HangupBy::Caller { SegmentEnd::Caller } else { SegmentEnd::Switch };
                    self.journal(Event::SegmentEnded { call: self.id, agent: agent.clone(), end });
                    self.push(Output::ConversationEnded { agent });
                    self.push(Output::TransferEnded { leg, code: 487 });
                    self.bye_agent(leg, cause.clone());
                }
            }
            CallState::Routed { legs, .. } => {
                legs.into_iter().for_each(|leg| self.cancel_agent(leg, cause.clone()));
            }
            CallState::Offered | CallState::Summoning | CallState::InFlow | CallState::After | CallState::Ended => {}
        }
        self.journal(Event::CallEnded { call: self.id, by, cause, disposition: disposition.to_owned() });
    }

    /// The agent hangs up: where the plan has something for the caller yet, the caller stays with it.
    pub(super) fn end_by_agent(&mut self, cause: Cause) {
        let goes_on = self.goes_on && matches!(self.state, CallState::Bridged { agent: Some(_), .. });
        self.end_conversation(HangupBy::Agent, cause.clone(), None);
        if goes_on {
            self.state = CallState::After;
            self.push(Output::PlanGoesOn);
        } else {
            self.close_caller(cause);
        }
    }

    /// The dialog of a leg is closed on both sides.
    pub(super) fn handle_leg_gone(&mut self, leg: LegId) {
        let cause = Cause::normal();
        if leg == self.caller.id {
            if self.caller.state == LegState::Gone {
                return;
            }
            self.caller.state = LegState::Gone;
            self.end(HangupBy::Caller, cause.clone(), None);
        } else if self.is_called(leg) {
            self.handle_agent_failed(leg, SegmentEnd::Unreachable, cause);
            return;
        } else if self.is_taker(leg) || self.is_routed_to(leg) {
            self.handle_target_failed(leg, cause);
            return;
        } else if self.agent_leg(leg).is_some() {
            self.agents.retain(|l| l.id != leg);
            self.lose_giver(leg);
            if matches!(self.state, CallState::Bridged { leg: bridged, .. } if bridged == leg) {
                self.end(HangupBy::Agent, cause.clone(), None);
            } else if self.calls_back_by(leg) {
                self.end(HangupBy::Agent, cause.clone(), Some("no_answer"));
            }
        } else {
            return;
        }
        self.journal(Event::LegEnded { call: self.id, leg, cause });
        self.finish_if_done();
    }

    /// Whether this leg is that of an agent who has not answered.
    fn is_called(&self, called: LegId) -> bool {
        match &self.state {
            CallState::Presented { ringing, .. } => ringing.iter().any(|(_, leg)| *leg == called),
            CallState::Transferring { leg, to: Some(_), .. } => *leg == called,
            _ => false,
        }
    }

    pub(super) fn finish_if_done(&mut self) {
        let done = self.state == CallState::Ended && self.caller.state == LegState::Gone && self.agents.is_empty();
        if done && !self.finished {
            self.finished = true;
            self.push(Output::Finished);
        }
    }

    pub(super) fn cancel_agent(&mut self, leg: LegId, cause: Cause) {
        if let Some(agent) = self.agent_leg(leg)
            && agent.state == LegState::Inviting
        {
            agent.state = LegState::Cancelling;
            self.push(Output::CancelLeg { leg, cause });
        }
    }

    pub(super) fn bye_agent(&mut self, leg: LegId, cause: Cause) {
        if let Some(agent) = self.agent_leg(leg)
            && agent.state == LegState::Up
        {
            agent.state = LegState::Closing;
            self.push(Output::ByeLeg { leg, cause });
        }
    }

    fn close_caller(&mut self, cause: Cause) {
        match self.caller.state {
            LegState::Inviting if self.calls_back => {
                self.caller.state = LegState::Cancelling;
                self.push(Output::CancelLeg { leg: self.caller.id, cause });
            }
            LegState::Inviting => {
                self.caller.state = LegState::Cancelling;
                self.push(Output::RefuseCaller { cause });
            }
            LegState::Up => {
                self.caller.state = LegState::Closing;
                self.push(Output::ByeLeg { leg: self.caller.id, cause });
            }
            LegState::Cancelling | LegState::Closing | LegState::Gone => {}
        }
    }
}
