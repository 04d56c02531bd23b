//! The call's state machine.

use std::collections::VecDeque;

use super::transfer::Giver;
use super::{Input, Leg, LegState, Output};
use crate::id::{AgentId, CallId, LegId, QueueId};
use crate::journal::{Cause, Decision, Event, HangupBy, SegmentEnd};

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
    /// Waiting, while phones ring.
    Presented {
        /// Whose, and on which leg; never empty.
        ringing: Vec<(AgentId, LegId)>,
        /// As in `Waiting`.
        record: bool,
    },
    /// An agent has answered, and the customer who asked to be called back is being called.
    CallingBack {
        /// The agent.
        agent: AgentId,
        /// The agent's leg.
        leg: LegId,
        /// Whether the conversation is recorded.
        record: bool,
    },
    /// The caller is one of our users, whose phone is called first.
    Summoning,
    /// Sent straight on; the other phone has not answered.
    Routed {
        /// The legs of the phones that are called: one, or several at once.
        legs: Vec<LegId>,
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
    /// Handed on by its agent to a party that has not answered; the caller is on hold.
    Transferring {
        /// Who hands it on, while that agent has not hung up.
        giver: Option<Giver>,
        /// The leg of the party that is called.
        leg: LegId,
        /// The agent who is called; none where the phone is no agent's.
        to: Option<AgentId>,
        /// Whether the conversation there is recorded.
        record: bool,
    },
    /// Over for the records, as its agent has hung up; the caller is in the plan's hands for what comes after.
    After,
    /// Over; legs may still be closing.
    Ended,
}

/// One call. Mutate it with [`Call::handle`], then drain [`Call::poll_output`].
#[derive(Debug)]
pub struct Call {
    pub(super) id: CallId,
    pub(super) state: CallState,
    pub(super) caller: Leg,
    /// Legs of agents and called phones that are not gone; more than one while several ring or losers close.
    pub(super) agents: Vec<Leg>,
    pub(super) answered: bool,
    pub(super) finished: bool,
    pub(super) ended_by_switch: bool,
    /// Whether the flow has given the caller what it is for.
    pub(super) served: bool,
    /// What it has come to, whoever ends it: `voicemail`, `callback`, `failed`.
    pub(super) left: Option<&'static str>,
    /// Whether we call the caller: first of all, or once an agent has answered.
    pub(super) calls_back: bool,
    /// Whether the plan goes on with the caller once the agent has hung up.
    pub(super) goes_on: bool,
    pub(super) notice_played: bool,
    /// Whether a person has spoken with the caller.
    pub(super) spoken: bool,
    /// Whether the present conversation, or the last one, is recorded.
    pub(super) recorded: bool,
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
            left: None,
            calls_back: false,
            goes_on: false,
            notice_played: false,
            spoken: false,
            recorded: false,
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

    /// Whether the caller has been answered.
    pub fn is_answered(&self) -> bool {
        self.answered
    }

    /// Whether its end has been told.
    pub fn is_over(&self) -> bool {
        matches!(self.state, CallState::After | CallState::Ended)
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

    /// Its legs, the caller's first; others that are gone are not among them.
    pub fn legs(&self) -> impl Iterator<Item = &Leg> {
        std::iter::once(&self.caller).chain(&self.agents)
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
            Input::Left { disposition } => self.left = Some(disposition),
            Input::Enqueued { record, after } => self.handle_enqueued(record, after),
            Input::Dequeued => self.handle_dequeued(),
            Input::Present { agent, queue, leg, why } => self.handle_present(agent, queue, leg, why),
            Input::Withdraw { agent, end } => self.handle_withdraw(agent.as_ref(), end),
            Input::AgentRinging { leg } => self.handle_agent_ringing(leg),
            Input::AgentAnswered { leg, codec_in, codec_out } => self.handle_agent_answered(leg, codec_in, codec_out),
            Input::AgentFailed { leg, end, cause } => self.handle_agent_failed(leg, end, cause),
            Input::Route { legs, record } => self.handle_route(legs, record),
            Input::TargetRinging { leg } => self.handle_target_ringing(leg),
            Input::TargetHeard { leg } => self.handle_target_heard(leg),
            Input::TargetAnswered { leg, codec_in, codec_out, number } => {
                self.handle_target_answered(leg, codec_in, codec_out, number);
            }
            Input::TargetFailed { leg, cause } => self.handle_target_failed(leg, cause),
            Input::GivenBy { agent, leg } => self.handle_given_by(agent, leg),
            Input::ToFlow => self.handle_to_flow(),
            Input::ToTarget { leg, record } => self.handle_to_target(leg, record),
            Input::ToParty { leg, agent, codec_in, codec_out, number } => {
                self.handle_to_party(leg, agent, (codec_in, codec_out), number);
            }
            Input::Moved { from, to } => self.handle_moved(from, to),
            Input::PartyGone { leg } => self.handle_party_gone(leg),
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

    fn handle_enqueued(&mut self, record: bool, after: bool) {
        if self.state == CallState::InFlow {
            self.state = CallState::Waiting { record };
            self.goes_on = after;
        }
    }

    fn handle_dequeued(&mut self) {
        match self.state {
            CallState::Waiting { .. } => self.state = CallState::InFlow,
            CallState::Presented { .. } => {
                self.stop_ringing(SegmentEnd::Switch, &Cause::new(31, "withdrawn"));
                self.state = CallState::InFlow;
            }
            _ => {}
        }
    }

    fn handle_present(&mut self, agent: AgentId, queue: QueueId, leg: LegId, why: Decision) {
        if self.handle_to_agent(&agent, &queue, leg, &why) {
            return;
        }
        match &mut self.state {
            CallState::Waiting { record } => {
                self.state = CallState::Presented { ringing: vec![(agent.clone(), leg)], record: *record };
            }
            CallState::Presented { ringing, .. } => ringing.push((agent.clone(), leg)),
            // The caller left while the ACD's choice was on its way.
            _ => return self.push(Output::PresentationFailed { agent, end: SegmentEnd::CallerLeft }),
        }
        self.agents.push(Leg::inviting(leg));
        self.journal(Event::AgentPresented { call: self.id, agent: agent.clone(), queue, leg, why });
        self.push(Output::DialAgent { leg, agent });
    }

    fn handle_withdraw(&mut self, agent: Option<&AgentId>, end: SegmentEnd) {
        let cause = match end {
            SegmentEnd::NoAnswer => Cause::new(19, "no_answer"),
            _ => Cause::new(31, "withdrawn"),
        };
        if matches!(&self.state, CallState::Transferring { to, .. } if to.as_ref() == agent) {
            return self.give_back(end, &cause);
        }
        if let CallState::Routed { legs, .. } = self.state.clone()
            && agent.is_none()
            && self.answered
        {
            legs.into_iter().for_each(|leg| self.cancel_agent(leg, cause.clone()));
            return self.back_to_flow(cause);
        }
        let leg = self.ringing().iter().find(|(rings, _)| Some(rings) == agent).map(|(_, leg)| *leg);
        if let Some((agent, leg)) = leg.and_then(|leg| self.take_ringing(leg)) {
            self.journal(Event::SegmentEnded { call: self.id, agent, end });
            self.cancel_agent(leg, cause);
        }
    }

    /// The phones that ring for a caller who waits.
    fn ringing(&self) -> &[(AgentId, LegId)] {
        match &self.state {
            CallState::Presented { ringing, .. } => ringing,
            _ => &[],
        }
    }

    /// One phone rings no longer; after the last one the caller waits as before.
    fn take_ringing(&mut self, leg: LegId) -> Option<(AgentId, LegId)> {
        let CallState::Presented { ringing, record } = &mut self.state else { return None };
        let at = ringing.iter().position(|(_, rings)| *rings == leg)?;
        let taken = ringing.remove(at);
        if ringing.is_empty() {
            self.state = CallState::Waiting { record: *record };
        }
        Some(taken)
    }

    /// No phone is to ring any more.
    fn stop_ringing(&mut self, end: SegmentEnd, cause: &Cause) {
        while let Some((_, leg)) = self.ringing().first().cloned() {
            if let Some((agent, leg)) = self.take_ringing(leg) {
                self.journal(Event::SegmentEnded { call: self.id, agent, end });
                self.cancel_agent(leg, cause.clone());
            }
        }
    }

    fn handle_agent_ringing(&mut self, rings: LegId) {
        let agent = match &self.state {
            CallState::Presented { ringing, .. } => {
                ringing.iter().find(|(_, leg)| *leg == rings).map(|(agent, _)| agent)
            }
            CallState::Transferring { to, leg, .. } if *leg == rings => to.as_ref(),
            _ => None,
        };
        if let Some(agent) = agent.cloned() {
            self.journal(Event::AgentRinging { call: self.id, agent });
        }
    }

    fn handle_agent_answered(&mut self, answered: LegId, codec_in: String, codec_out: String) {
        if !self.accept_answer(answered) {
            return;
        }
        if matches!(self.state, CallState::Transferring { leg, .. } if leg == answered) {
            return self.take_over(codec_in, codec_out, None);
        }
        let record = matches!(self.state, CallState::Presented { record: true, .. });
        let calls_back = self.calls_back && self.caller.state == LegState::Gone;
        let Some((agent, leg)) = self.take_ringing(answered) else {
            // The 200 crossed our CANCEL: the leg is up and must be closed by a BYE (RFC 3261 §9.1).
            return self.bye_agent(answered, Cause::new(26, "lost_race"));
        };
        self.journal(Event::AgentAnswered { call: self.id, agent: agent.clone(), codec_in, codec_out });
        // Phones that are told so list no missed call (RFC 3326 §3.1).
        self.stop_ringing(SegmentEnd::Elsewhere, &Cause::new(200, "answered_elsewhere"));
        if calls_back {
            return self.call_back(agent, leg, record);
        }
        // Without the notice played to its end there is no recording, whatever the queue asks for.
        self.transition_to_bridged(Some(agent), leg, record && self.notice_played);
    }

    pub(super) fn handle_agent_failed(&mut self, failed: LegId, end: SegmentEnd, cause: Cause) {
        if self.agent_leg(failed).is_none() {
            return;
        }
        if let Some((agent, _)) = self.take_ringing(failed) {
            self.journal(Event::SegmentEnded { call: self.id, agent: agent.clone(), end });
            self.push(Output::PresentationFailed { agent, end });
        }
        self.agents.retain(|leg| leg.id != failed);
        if let CallState::Transferring { leg, to: Some(agent), .. } = self.state.clone()
            && leg == failed
        {
            self.push(Output::PresentationFailed { agent, end });
            self.give_back(end, &cause);
        }
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
                self.end_by_agent(cause);
            } else if self.calls_back_by(leg) {
                self.end(HangupBy::Agent, cause, Some("no_answer"));
            } else {
                self.lose_giver(leg);
            }
        }
    }

    fn handle_hangup(&mut self, cause: Cause, as_designed: bool) {
        let rings =
            matches!(self.state, CallState::Routed { .. } | CallState::CallingBack { .. } | CallState::Summoning);
        let rang_out = rings && cause.code == 408;
        let disposition = match as_designed {
            true => "self_service",
            false if rang_out => "no_answer",
            false => "failed",
        };
        self.end(HangupBy::Switch, cause, Some(disposition));
        // One that waits to be called back has no leg whose end would tell.
        self.finish_if_done();
    }
}
