//! A call that goes straight on to another switch or phone: no queue, no agent.

use super::{Call, CallState, Leg, LegState, Output};
use crate::id::LegId;
use crate::journal::{Cause, Event, HangupBy, Personal, SegmentEnd};

impl Call {
    pub(super) fn handle_route(&mut self, legs: Vec<LegId>, record: bool) {
        if matches!(self.state, CallState::Offered | CallState::InFlow) {
            self.agents.extend(legs.iter().map(|leg| Leg::inviting(*leg)));
            legs.iter().for_each(|leg| self.push(Output::DialTarget { leg: *leg }));
            self.state = CallState::Routed { legs, record };
        }
    }

    /// Whether this leg is that of a phone that the call goes straight to.
    pub(super) fn is_routed_to(&self, leg: LegId) -> bool {
        matches!(&self.state, CallState::Routed { legs, .. } if legs.contains(&leg))
    }

    pub(super) fn handle_target_ringing(&mut self, ringing: LegId) {
        if self.is_routed_to(ringing) && !self.answered {
            self.push(Output::RingCaller);
        }
    }

    pub(super) fn handle_target_heard(&mut self, heard: LegId) {
        if self.is_routed_to(heard) && !self.answered {
            self.push(Output::BridgeEarly { leg: heard });
        }
    }

    /// The caller is answered by the same event: who pays for a call never pays for its ringing.
    pub(super) fn handle_target_answered(
        &mut self,
        answered: LegId,
        codec_in: String,
        codec_out: String,
        number: Option<Personal>,
    ) {
        if answered == self.caller.id {
            return self.handle_called_back();
        }
        if !self.accept_answer(answered) {
            return;
        }
        match self.state.clone() {
            CallState::Routed { legs, record } if legs.contains(&answered) => {
                // Phones that are told so list no missed call (RFC 3326 §3.1).
                let others = legs.into_iter().filter(|leg| *leg != answered);
                others.for_each(|leg| self.cancel_agent(leg, Cause::new(200, "answered_elsewhere")));
                if !self.answered {
                    self.caller.state = LegState::Up;
                    self.answered = true;
                    self.journal(Event::CallAnswered { call: self.id });
                    self.push(Output::AnswerCaller);
                }
                self.journal(Event::PeerAnswered { call: self.id, codec_in, codec_out, number, consulted: false });
                self.transition_to_bridged(None, answered, record);
            }
            _ if self.is_taker(answered) => self.take_over(codec_in, codec_out, number),
            _ => self.bye_agent(answered, Cause::new(26, "lost_race")),
        }
    }

    /// Nobody whom the plan has called for its caller has answered.
    pub(super) fn back_to_flow(&mut self, cause: Cause) {
        self.state = CallState::InFlow;
        self.push(Output::NotReached { cause });
    }

    pub(super) fn handle_target_failed(&mut self, failed: LegId, cause: Cause) {
        if failed == self.caller.id {
            return self.handle_not_reached(cause);
        }
        if self.agent_leg(failed).is_none() {
            return;
        }
        self.agents.retain(|leg| leg.id != failed);
        self.journal(Event::LegEnded { call: self.id, leg: failed, cause: cause.clone() });
        if self.is_taker(failed) {
            self.give_back(SegmentEnd::Unreachable, &cause);
        }
        if let CallState::Routed { legs, .. } = &mut self.state
            && legs.contains(&failed)
        {
            legs.retain(|leg| *leg != failed);
            if !legs.is_empty() {
                return;
            }
            if self.answered {
                return self.back_to_flow(cause);
            }
            let disposition = disposition_of(&cause);
            self.end(HangupBy::Switch, cause, Some(disposition));
        }
        self.finish_if_done();
    }
}

/// What is told of a call whose called phone did not take it.
pub(super) fn disposition_of(cause: &Cause) -> &'static str {
    match cause.code {
        486 | 600 => "busy",
        408 | 480 | 487 => "no_answer",
        _ => "failed",
    }
}
