//! The call's state machine.

use std::collections::VecDeque;

use super::{Input, Leg, LegState, Output};
use crate::id::{AgentId, CallId, LegId, QueueId};
use crate::journal::{Cause, Event, HangupBy, SegmentEnd};

/// What the customer experiences.
#[derive(Clone, Debug, PartialEq)]
pub enum CallState {
    /// No final answer yet.
    Offered,
    /// Answered, in the dialplan's hands.
    InFlow,
    /// Waiting in a queue.
    Waiting {
        /// Whether a conversation out of it is recorded.
        record: bool,
    },
    /// Waiting, while an agent's phone rings.
    Presented {
        /// Who.
        agent: AgentId,
        /// The agent's leg.
        leg: LegId,
        /// As in `Waiting`.
        record: bool,
    },
    /// Sent straight on; the other phone has not answered.
    Routed {
        /// The called phone's leg.
        leg: LegId,
        /// Whether the conversation is recorded.
        record: bool,
    },
    /// In conversation.
    Bridged {
        /// Who; none where the call was routed to a phone that is no agent's.
        agent: Option<AgentId>,
        /// The other party's leg.
        leg: LegId,
        /// Whether it is on hold.
        held: bool,
    },
    /// Over; legs may still be closing.
    Ended,
}

/// One call. Mutate it with [`Call::handle`], then drain [`Call::poll_output`].
#[derive(Debug)]
pub struct Call {
    pub(super) id: CallId,
    pub(super) state: CallState,
    pub(super) caller: Leg,
    /// Legs of agents and called phones that are not gone; more than one only while losers close.
    pub(super) agents: Vec<Leg>,
    pub(super) answered: bool,
    pub(super) finished: bool,
    pub(super) ended_by_switch: bool,
    /// Whether the flow has given the caller what it is for.
    pub(super) served: bool,
    notice_played: bool,
    outputs: VecDeque<Output>,
}

impl Call {
    /// A call that was offered on the leg `caller`.
    pub fn new(id: CallId, caller: LegId) -> Self {
        Self {
            id,
            state: CallState::Offered,
            caller: Leg::inviting(caller),
            agents: Vec::new(),
            answered: false,
            finished: false,
            ended_by_switch: false,
            served: false,
            notice_played: false,
            outputs: VecDeque::new(),
        }
    }

    /// Its name.
    pub fn id(&self) -> CallId {
        self.id
    }

    /// What the customer experiences now.
    pub fn state(&self) -> &CallState {
        &self.state
    }

    /// Whether we ended the call, not one of its parties.
    pub fn ended_by_switch(&self) -> bool {
        self.ended_by_switch
    }

    /// Legs whose dialogs are still open.
    pub fn open_legs(&self) -> impl Iterator<Item = LegId> + '_ {
        let caller = (self.caller.state != LegState::Gone).then_some(self.caller.id);
        caller.into_iter().chain(self.agents.iter().map(|leg| leg.id))
    }

    /// The next thing to do. Call until `None`.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// Takes one input. What does not fit the state is the crossing of two messages and changes nothing.
    pub fn handle(&mut self, input: Input) {
        match input {
            Input::Answer => self.handle_answer(),
            Input::NoticePlayed => self.notice_played = true,
            Input::Served => self.served = true,
            Input::Enqueued { record } => self.handle_enqueued(record),
            Input::Dequeued => self.handle_dequeued(),
            Input::Present { agent, queue, leg, why } => self.handle_present(agent, queue, leg, why),
            Input::Withdraw { end } => self.handle_withdraw(end),
            Input::AgentRinging { leg } => self.handle_agent_ringing(leg),
            Input::AgentAnswered { leg, codec_in, codec_out } => self.handle_agent_answered(leg, codec_in, codec_out),
            Input::AgentFailed { leg, end, cause } => self.handle_agent_failed(leg, end, cause),
            Input::Route { leg, record } => self.handle_route(leg, record),
            Input::TargetRinging { leg } => self.handle_target_ringing(leg),
            Input::TargetHeard { leg } => self.handle_target_heard(leg),
            Input::TargetAnswered { leg, codec_in, codec_out } => self.handle_target_answered(leg, codec_in, codec_out),
            Input::TargetFailed { leg, cause } => self.handle_target_failed(leg, cause),
            Input::Held { on } => self.handle_held(on),
            Input::HungUp { leg, cause } => self.handle_hung_up(leg, cause),
            Input::Hangup { cause, as_designed } => self.handle_hangup(cause, as_designed),
            Input::LegGone { leg } => self.handle_leg_gone(leg),
        }
    }

    pub(super) fn push(&mut self, output: Output) {
        self.outputs.push_back(output);
    }

    pub(super) fn journal(&mut self, event: Event) {
        self.push(Output::Journal(Box::new(event)));
    }

    pub(super) fn agent_leg(&mut self, leg: LegId) -> Option<&mut Leg> {
        self.agents.iter_mut().find(|l| l.id == leg)
    }

    fn handle_answer(&mut self) {
        if self.state != CallState::Offered {
            return;
        }
        self.state = CallState::InFlow;
        self.caller.state = LegState::Up;
        self.answered = true;
        self.journal(Event::CallAnswered { call: self.id });
        self.push(Output::AnswerCaller);
    }

    fn handle_enqueued(&mut self, record: bool) {
        if self.state == CallState::InFlow {
            self.state = CallState::Waiting { record };
        }
    }

    fn handle_dequeued(&mut self) {
        match self.state {
            CallState::Waiting { .. } => self.state = CallState::InFlow,
            CallState::Presented { .. } => {
                self.handle_withdraw(SegmentEnd::Switch);
                self.state = CallState::InFlow;
            }
            _ => {}
        }
    }

    fn handle_present(&mut self, agent: AgentId, queue: QueueId, leg: LegId, why: String) {
        let CallState::Waiting { record } = self.state else {
            // The caller left while the ACD's choice was on its way.
            self.push(Output::PresentationFailed { agent, end: SegmentEnd::CallerLeft });
            return;
        };
        self.state = CallState::Presented { agent: agent.clone(), leg, record };
        self.agents.push(Leg::inviting(leg));
        self.journal(Event::AgentPresented { call: self.id, agent: agent.clone(), queue, leg, why });
        self.push(Output::DialAgent { leg, agent });
    }

    fn handle_withdraw(&mut self, end: SegmentEnd) {
        if let CallState::Presented { agent, leg, record } = self.state.clone() {
            self.state = CallState::Waiting { record };
            self.journal(Event::SegmentEnded { call: self.id, agent, end });
            let cause = match end {
                SegmentEnd::NoAnswer => Cause::new(19, "no_answer"),
                _ => Cause::new(31, "withdrawn"),
            };
            self.cancel_agent(leg, cause);
        }
    }

    fn handle_agent_ringing(&mut self, ringing: LegId) {
        if let CallState::Presented { agent, leg, .. } = &self.state
            && *leg == ringing
        {
            let agent = agent.clone();
            self.journal(Event::AgentRinging { call: self.id, agent });
        }
    }

    fn handle_agent_answered(&mut self, answered: LegId, codec_in: String, codec_out: String) {
        match self.agent_leg(answered) {
            Some(leg) if matches!(leg.state, LegState::Inviting | LegState::Cancelling) => leg.state = LegState::Up,
            _ => return,
        }
        match self.state.clone() {
            CallState::Presented { agent, leg, record } if leg == answered => {
                self.state = CallState::Bridged { agent: Some(agent.clone()), leg, held: false };
                self.journal(Event::AgentAnswered { call: self.id, agent, codec_in, codec_out });
                // Without the notice played to its end there is no recording, whatever the queue asks for.
                let record = record && self.notice_played;
                self.push(Output::Bridge { caller: self.caller.id, agent: leg, record });
            }
            // The 200 crossed our CANCEL: the leg is up and must be closed by a BYE (RFC 3261 §9.1).
            _ => self.bye_agent(answered, Cause::new(26, "lost_race")),
        }
    }

    pub(super) fn handle_agent_failed(&mut self, failed: LegId, end: SegmentEnd, cause: Cause) {
        if self.agent_leg(failed).is_none() {
            return;
        }
        if let CallState::Presented { agent, leg, record } = self.state.clone()
            && leg == failed
        {
            self.state = CallState::Waiting { record };
            self.journal(Event::SegmentEnded { call: self.id, agent: agent.clone(), end });
            self.push(Output::PresentationFailed { agent, end });
        }
        self.agents.retain(|leg| leg.id != failed);
        self.journal(Event::LegEnded { call: self.id, leg: failed, cause });
        self.finish_if_done();
    }

    fn handle_held(&mut self, on: bool) {
        if let CallState::Bridged { held, .. } = &mut self.state
            && *held != on
        {
            *held = on;
            let call = self.id;
            self.journal(if on { Event::HoldBegan { call } } else { Event::HoldEnded { call } });
        }
    }

    fn handle_hung_up(&mut self, leg: LegId, cause: Cause) {
        if leg == self.caller.id {
            // A caller that is not answered yet sent CANCEL and still waits for its final response: `end` refuses it.
            if self.caller.state == LegState::Up {
                self.caller.state = LegState::Closing;
            }
            self.end(HangupBy::Caller, cause, None);
        } else if let Some(gone) = self.agent_leg(leg)
            && gone.state == LegState::Up
        {
            gone.state = LegState::Closing;
            if matches!(self.state, CallState::Bridged { leg: bridged, .. } if bridged == leg) {
                self.end(HangupBy::Agent, cause, None);
            }
        }
    }

    fn handle_hangup(&mut self, cause: Cause, as_designed: bool) {
        let rang_out = matches!(self.state, CallState::Routed { .. }) && cause.code == 408;
        let disposition = match as_designed {
            true => "self_service",
            false if rang_out => "no_answer",
            false => "failed",
        };
        self.end(HangupBy::Switch, cause, Some(disposition));
    }
}
