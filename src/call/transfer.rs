//! A call that its agent hands on: to a flow or to somebody whom the agent has spoken with at once, to another agent or an outside
//! phone once it answers. Until then the caller is on hold, and comes back to the agent where nothing comes of it.
//!
//! The agent is whoever a queue gave the call to, or one of our users who placed it, or was called.

use super::{Call, CallState, Leg, LegState, Output};
use crate::id::{AgentId, LegId, QueueId};
use crate::journal::{Cause, Decision, Event, HangupBy, Personal, SegmentEnd};

/// The agent who hands a call on and is still there, and the leg.
pub type Giver = (AgentId, LegId);

impl Call {
    /// One of our users hands on a call that no queue has given to anybody.
    pub(super) fn handle_given_by(&mut self, giver: AgentId, by: LegId) {
        let CallState::Bridged { agent, leg, .. } = &mut self.state else { return };
        let other = *leg;
        if by == self.caller.id
            && let Some(party) = self.agents.iter_mut().find(|party| party.id == other)
        {
            std::mem::swap(&mut self.caller, party);
            *leg = by;
        }
        if *leg == by {
            *agent = Some(giver);
        }
    }

    /// The call goes on in a flow; the agent is out of it.
    pub(super) fn handle_to_flow(&mut self) {
        if let CallState::Bridged { agent: Some(agent), leg, .. } = self.state.clone() {
            self.state = CallState::InFlow;
            // What was to follow the conversation is of the plan that is left.
            self.goes_on = false;
            self.part((agent, leg));
        }
    }

    /// The call is to go on with a phone that is no agent's.
    pub(super) fn handle_to_target(&mut self, leg: LegId, record: bool) {
        if self.begin_transfer(leg, None, record && (self.notice_played || self.recorded)) {
            self.push(Output::DialTarget { leg });
        }
    }

    /// The call is to go on with another agent, whom the ACD has reserved. `false` where nobody hands it on.
    pub(super) fn handle_to_agent(&mut self, agent: &AgentId, queue: &QueueId, leg: LegId, why: &Decision) -> bool {
        let begun = self.begin_transfer(leg, Some(agent.clone()), self.recorded);
        if begun {
            let (call, agent, queue, why) = (self.id, agent.clone(), queue.clone(), why.clone());
            self.journal(Event::AgentPresented { call, agent: agent.clone(), queue, leg, why });
            self.push(Output::DialAgent { leg, agent });
        }
        begun
    }

    /// The call goes on with somebody whom its agent has spoken with before, or who has fetched its caller out of a slot.
    pub(super) fn handle_to_party(
        &mut self,
        leg: LegId,
        to: Option<AgentId>,
        (codec_in, codec_out): (String, String),
        number: Option<Personal>,
    ) {
        match self.state.clone() {
            CallState::Bridged { agent: Some(agent), leg: old, .. } => self.part((agent, old)),
            CallState::InFlow => {}
            _ => return,
        }
        self.agents.push(Leg { id: leg, state: LegState::Up });
        self.tell_answer(to.clone(), codec_in, codec_out, number, true);
        self.transition_to_bridged(to, leg, self.recorded);
    }

    /// The party of an agent's own call has been joined with the agent's caller; or a caller, with whom the caller has fetched.
    pub(super) fn handle_party_gone(&mut self, gone: LegId) {
        if gone == self.caller.id && self.state == CallState::InFlow {
            (self.served, self.caller.state) = (true, LegState::Gone);
            let cause = Cause::new(16, "fetched");
            self.journal(Event::LegEnded { call: self.id, leg: gone, cause: cause.clone() });
            self.end(HangupBy::Caller, cause, None);
            return self.finish_if_done();
        }
        if matches!(self.state, CallState::Bridged { leg, .. } if leg == gone) {
            self.agents.retain(|leg| leg.id != gone);
            let cause = Cause::new(16, "transferred");
            self.journal(Event::LegEnded { call: self.id, leg: gone, cause: cause.clone() });
            self.end(HangupBy::Caller, cause, None);
        }
    }

    /// The same person speaks by another phone: no end of anything but the old leg.
    pub(super) fn handle_moved(&mut self, from: LegId, to: LegId) {
        self.agents.push(Leg { id: to, state: LegState::Up });
        let moved = match &mut self.state {
            CallState::Bridged { leg, .. } if *leg == from => {
                *leg = to;
                true
            }
            CallState::Bridged { .. } if self.caller.id == from => {
                let new = self.agents.last_mut();
                new.is_some_and(|new| {
                    std::mem::swap(&mut self.caller, new);
                    true
                })
            }
            _ => false,
        };
        if moved {
            // Who held by the old phone does not by the new one.
            self.push(Output::Rejoin);
            self.bye_agent(from, Cause::normal());
        } else {
            self.bye_agent(to, Cause::new(26, "lost_race"));
        }
    }

    fn tell_answer(
        &mut self,
        to: Option<AgentId>,
        codec_in: String,
        codec_out: String,
        number: Option<Personal>,
        consulted: bool,
    ) {
        let call = self.id;
        self.journal(match to {
            Some(agent) => Event::AgentAnswered { call, agent, codec_in, codec_out },
            None => Event::PeerAnswered { call, codec_in, codec_out, number, consulted },
        });
    }

    fn begin_transfer(&mut self, leg: LegId, to: Option<AgentId>, record: bool) -> bool {
        let CallState::Bridged { agent: Some(from), leg: old, held } = self.state.clone() else { return false };
        if !held {
            self.journal(Event::HoldBegan { call: self.id });
        }
        self.state = CallState::Transferring { giver: Some((from, old)), leg, to, record };
        self.agents.push(Leg::inviting(leg));
        self.push(Output::Suspend { caller: self.caller.id, agent: old });
        true
    }

    /// The agent's part is over: the segment ends, the phone is told and hung up.
    fn part(&mut self, (agent, leg): Giver) {
        self.journal(Event::SegmentEnded { call: self.id, agent: agent.clone(), end: SegmentEnd::Transferred });
        self.push(Output::ConversationEnded { agent });
        self.push(Output::TransferEnded { leg, code: 200 });
        self.bye_agent(leg, Cause::normal());
    }

    /// The party that the call was handed to has answered.
    pub(super) fn take_over(&mut self, codec_in: String, codec_out: String, number: Option<Personal>) {
        let CallState::Transferring { giver, leg, to, record } = self.state.clone() else { return };
        if let Some(giver) = giver {
            self.part(giver);
        }
        self.tell_answer(to.clone(), codec_in, codec_out, number, false);
        self.transition_to_bridged(to, leg, record);
    }

    /// The party that the call was handed to will not have it.
    pub(super) fn give_back(&mut self, end: SegmentEnd, cause: &Cause) {
        let CallState::Transferring { giver, leg, to, .. } = self.state.clone() else { return };
        if let Some(agent) = to {
            self.journal(Event::SegmentEnded { call: self.id, agent, end });
        }
        self.cancel_agent(leg, cause.clone());
        match giver {
            Some((agent, leg)) => {
                self.state = CallState::Bridged { agent: Some(agent), leg, held: false };
                self.journal(Event::HoldEnded { call: self.id });
                let code = if cause.code < 300 { 480 } else { cause.code };
                self.push(Output::TransferEnded { leg, code });
                self.push(Output::Rejoin);
            }
            None => {
                // Nobody is left whose part would end with the call.
                self.state = CallState::InFlow;
                self.end(HangupBy::Switch, cause.clone(), None);
            }
        }
    }

    /// The agent who hands the call on hangs up before it has found anybody: the caller waits for the outcome alone.
    pub(super) fn lose_giver(&mut self, gone: LegId) {
        if let CallState::Transferring { giver, .. } = &mut self.state
            && let Some((agent, _)) = giver.take_if(|(_, leg)| *leg == gone)
        {
            self.journal(Event::SegmentEnded { call: self.id, agent: agent.clone(), end: SegmentEnd::Transferred });
            self.push(Output::ConversationEnded { agent });
        }
    }

    /// Whether this leg is that of the party that the call is being handed to.
    pub(super) fn is_taker(&self, taker: LegId) -> bool {
        matches!(self.state, CallState::Transferring { leg, .. } if leg == taker)
    }

    /// Two people can hear each other from now on.
    pub(super) fn transition_to_bridged(&mut self, agent: Option<AgentId>, leg: LegId, record: bool) {
        self.state = CallState::Bridged { agent, leg, held: false };
        self.spoken = true;
        self.recorded = record;
        self.push(Output::Bridge { caller: self.caller.id, agent: leg, record });
    }

    /// Whether an answer on this leg is one that was awaited.
    pub(super) fn accept_answer(&mut self, answered: LegId) -> bool {
        match self.agent_leg(answered) {
            Some(leg) if matches!(leg.state, LegState::Inviting | LegState::Cancelling) => {
                leg.state = LegState::Up;
                true
            }
            _ => false,
        }
    }
}
