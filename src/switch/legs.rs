//! What happens on a leg: its answer, its end, another session.

use super::Switch;
use super::party::Role;
use crate::acd;
use crate::call::{CallState, Input};
use crate::id::{AgentId, CallId, LegId};
use crate::journal::{Cause, DialogState, Event, Personal, SegmentEnd};
use crate::sdp::{AudioCodec, Description};
use crate::sip::endpoint::{DialogFacts, Why};
use crate::time::Now;

impl Switch {
    pub(super) fn handle_progressed(&mut self, leg: LegId, code: u16, body: Option<&[u8]>, now: Now) {
        let Some(party) = self.legs.get_mut(&leg) else { return };
        let call = party.call;
        party.rings |= matches!(code, 180 | 183);
        match party.role.clone() {
            // 182 and the like say that the call is under way, not that a phone rings.
            Role::Agent(agent) if matches!(code, 180 | 183) => {
                self.tell(call, Input::AgentRinging { leg });
                self.acd.handle(acd::Input::PhoneRinging { agent, call }, now);
            }
            Role::Target if body.is_some_and(|body| self.take_early_answer(leg, body, now)) => {
                self.tell(call, Input::TargetHeard { leg });
            }
            Role::Target if code == 180 || (code == 183 && body.is_some()) => {
                self.tell(call, Input::TargetRinging { leg });
            }
            // An agent is not heard before the answer: the caller hears music.
            _ => {}
        }
    }

    pub(super) fn handle_answered(&mut self, leg: LegId, body: Option<&[u8]>, now: Now) {
        let Some(party) = self.legs.get_mut(&leg) else { return };
        let call = party.call;
        let settled = if party.negotiator.has_offered() {
            let answer = body.and_then(|body| Description::parse(body).ok());
            answer.and_then(|answer| party.negotiator.accept_answer(&answer).ok())
        } else {
            // The phone has changed the session since it answered our offer.
            party.media.as_ref().and_then(|media| media.negotiated.clone())
        };
        let is_agent = matches!(party.role, Role::Agent(_));
        let settled = settled.filter(|negotiated| !self.is_own_port(negotiated.remote_rtp));
        let Some(negotiated) = settled else { return self.refuse_answer(leg, now) };
        let codec_out = name_of(negotiated.codec);
        if let Some(media) = self.media_of(leg).filter(|media| !media.released) {
            media.settle(negotiated, now);
        }
        if self.legs.get(&leg).is_some_and(|party| party.role == Role::Supervisor) {
            return self.handle_supervisor_up(call, leg, now);
        }
        let codec_in = self.caller_codec(call);
        let input = if is_agent {
            Input::AgentAnswered { leg, codec_in, codec_out }
        } else {
            let given = self.calls.get(&call).and_then(|cell| cell.given_to.as_deref());
            // Where a plan has called a user for whoever was handed on, that user has the call now.
            let user = self.legs.get(&leg).and_then(|party| party.user.as_ref()).map(AgentId::as_str);
            let number = given.map(|given| Personal::number(user.unwrap_or(given)));
            Input::TargetAnswered { leg, codec_in, codec_out, number }
        };
        self.tell(call, input);
    }

    /// The phone answered with a session that we cannot have: it is hung up, and counts as not reached.
    fn refuse_answer(&mut self, leg: LegId, now: Now) {
        tracing::warn!(leg = %leg, "a phone answered without a session that fits our offer");
        self.endpoint.hang_up(leg, Why::new(488, "no_common_media"), now);
        self.fail_leg(leg, SegmentEnd::Unreachable, Cause::new(488, "no_common_media"), now);
    }

    pub(super) fn caller_codec(&self, call: CallId) -> String {
        let caller = self.calls.get(&call).and_then(|cell| self.legs.get(&cell.caller));
        let negotiated = caller.and_then(|party| party.media.as_ref()?.negotiated.as_ref());
        let offered = || caller.and_then(|party| crate::sdp::preferred_codec(party.offer.as_ref()?));
        negotiated.map(|negotiated| negotiated.codec).or_else(offered).map(name_of).unwrap_or_default()
    }

    pub(super) fn handle_failed(&mut self, leg: LegId, cause: Cause, now: Now) {
        if self.try_next_place(leg, &cause, now) {
            return;
        }
        let end = match cause.code {
            486 | 600 => SegmentEnd::Busy,
            // 430 and 477 are what a proxy says of a phone whose flow is broken.
            404 | 408 | 410 | 430 | 477 | 480 | 502..=504 => SegmentEnd::Unreachable,
            _ => SegmentEnd::Rejected,
        };
        self.lose_leg(leg, end, cause, now);
    }

    /// A leg has come to nothing, and has no dialog.
    pub(super) fn lose_leg(&mut self, leg: LegId, end: SegmentEnd, cause: Cause, now: Now) {
        if let Some(party) = self.legs.get_mut(&leg) {
            party.dialog_gone = true;
        }
        self.fail_leg(leg, end, cause, now);
        self.finish_leg(leg, now);
    }

    fn fail_leg(&mut self, leg: LegId, end: SegmentEnd, cause: Cause, now: Now) {
        let Some(party) = self.legs.get(&leg) else { return };
        if party.role == Role::Supervisor {
            return self.forget_supervisor(leg, cause, now);
        }
        let (call, is_target) = (party.call, party.role == Role::Target);
        let input = if is_target { Input::TargetFailed { leg, cause } } else { Input::AgentFailed { leg, end, cause } };
        // First, so that the leg's end has this cause and not the bare one that it is gone.
        self.tell(call, input);
        self.leave_behind(leg);
        self.release_media(leg, now);
    }

    /// The call has done with a leg whose ports or dialog are not back yet: it is not forgotten before they are.
    fn leave_behind(&mut self, leg: LegId) {
        if let Some(party) = self.legs.get_mut(&leg)
            && !std::mem::replace(&mut party.left_behind, true)
            && let Some(cell) = self.calls.get_mut(&party.call)
        {
            cell.leaving += 1;
        }
    }

    pub(super) fn handle_hung_up(&mut self, leg: LegId, cause: Cause, now: Now) {
        let Some(party) = self.legs.get(&leg) else { return };
        if party.role == Role::Supervisor {
            return self.forget_supervisor(leg, cause, now);
        }
        let call = party.call;
        if self.leave_third(leg, now) {
            return;
        }
        self.tell(call, Input::HungUp { leg, cause });
        self.release_media(leg, now);
    }

    /// An ACK may carry the answer to the offer in our 2xx.
    pub(super) fn handle_acked(&mut self, leg: LegId, body: Option<&[u8]>, now: Now) {
        let Some(party) = self.legs.get_mut(&leg) else { return };
        if !party.negotiator.has_offered() {
            return;
        }
        let call = party.call;
        let settled = body.and_then(|body| Description::parse(body).ok());
        let settled = settled.and_then(|answer| party.negotiator.accept_answer(&answer).ok());
        let had_session = party.media.as_ref().is_some_and(|media| media.negotiated.is_some());
        match settled.filter(|negotiated| !self.is_own_port(negotiated.remote_rtp)) {
            Some(negotiated) => {
                if let Some(media) = self.media_of(leg) {
                    media.settle(negotiated, now);
                }
                self.command_media(leg, now);
                self.follow_hold(call, now);
            }
            None if had_session => {
                if let Some(party) = self.legs.get_mut(&leg) {
                    party.negotiator.withdraw_offer();
                }
            }
            None => {
                let cause = Cause::new(488, "no_answer_in_ack");
                self.tell(call, Input::Hangup { cause, as_designed: false });
            }
        }
    }

    /// The peer refused an offer of ours; the session goes on as it was.
    pub(super) fn handle_offer_refused(&mut self, leg: LegId, code: u16) {
        tracing::info!(%leg, code, "another session was refused");
        if let Some(party) = self.legs.get_mut(&leg) {
            party.negotiator.withdraw_offer();
        }
    }

    /// The peer offers another session: hold, resume, another address or codec.
    pub(super) fn handle_modified(&mut self, leg: LegId, body: Option<&[u8]>, now: Now) {
        let offer = body.map(Description::parse).transpose();
        if let Ok(Some(offer)) = &offer {
            self.renew_keys(leg, offer);
        }
        let ready = self.legs.get(&leg).and_then(|party| party.media.as_ref()).is_some_and(|media| !media.released);
        let flow = self.endpoint.flow_of(leg).filter(|_| ready);
        let local = flow.and_then(|flow| self.local_media(leg, Some(flow.remote.ip()), None));
        let (Ok(offer), Some(local), Some(party)) = (offer, local, self.legs.get_mut(&leg)) else {
            return self.endpoint.refuse_modify(leg, 488, now);
        };
        let call = party.call;
        let Some(offer) = offer else {
            let offer = party.negotiator.offer(&local);
            return self.endpoint.accept_modify(leg, offer, now);
        };
        let answered = party.negotiator.answer(&offer, &local);
        let answered =
            answered.inspect_err(|refused| tracing::info!(%leg, %call, %refused, "another session is refused")).ok();
        let answered = answered.filter(|(_, negotiated)| !self.is_own_port(negotiated.remote_rtp));
        let Some((answer, negotiated)) = answered else { return self.endpoint.refuse_modify(leg, 488, now) };
        if let Some(media) = self.media_of(leg) {
            media.settle(negotiated, now);
        }
        self.endpoint.accept_modify(leg, answer, now);
        self.command_media(leg, now);
        self.follow_hold(call, now);
    }

    /// Brings the call, the agent's state and what is heard into line with who holds.
    pub(super) fn follow_hold(&mut self, call: CallId, now: Now) {
        let Some(cell) = self.calls.get(&call) else { return };
        if let Some(room) = cell.room.clone() {
            return self.mix_room(&room, now);
        }
        let CallState::Bridged { agent, leg, .. } = cell.call.state().clone() else { return };
        let caller = cell.caller;
        let on = [caller, leg].into_iter().any(|leg| self.media_of(leg).is_some_and(|media| media.holds()));
        self.tell(call, Input::Held { on });
        if let Some(agent) = agent {
            let input = if on { acd::Input::Hold { agent, call } } else { acd::Input::Resume { agent, call } };
            self.acd.handle(input, now);
        }
        // A phone that only settles its session goes on hearing who comes.
        if on || !self.calls.get(&call).is_some_and(|cell| cell.is_announcing_on(leg)) {
            self.join(call, caller, leg, now);
        }
    }

    pub(super) fn cancel_presentation(&mut self, call: CallId, agent: &AgentId, reason: SegmentEnd) {
        let Some(cell) = self.calls.get(&call) else { return };
        match cell.call.state() {
            CallState::Presented { .. } => {
                self.tell(call, Input::Withdraw { agent: Some(agent.clone()), end: reason });
            }
            CallState::Transferring { to: Some(presented), .. } if presented == agent => {
                self.tell(call, Input::Withdraw { agent: Some(agent.clone()), end: reason });
            }
            // A supervisor freed the agent: the conversation is cut.
            CallState::Bridged { agent: Some(talking), .. }
            | CallState::CallingBack { agent: talking, .. }
            | CallState::Transferring { giver: Some((talking, _)), .. }
                if talking == agent =>
            {
                let cause = Cause::new(31, "agent_freed");
                self.tell(call, Input::Hangup { cause, as_designed: false });
            }
            _ => {}
        }
    }

    pub(super) fn handle_dialog(&mut self, leg: LegId, dialog: DialogFacts, now: Now) {
        let Some(party) = self.legs.get(&leg) else { return };
        let call = party.call;
        let subject = self.calls.get(&call).map_or("", |cell| cell.number.as_str()).to_owned();
        let personal = |value: String| Personal::of(&subject, value);
        let dialog = DialogState {
            call_id: dialog.id.call_id,
            local_tag: dialog.id.local_tag,
            remote_tag: dialog.id.remote_tag,
            local_uri: personal(dialog.local_uri),
            remote_uri: personal(dialog.remote_uri),
            remote_target: personal(dialog.remote_target),
            route_set: dialog.route_set,
            local_cseq: dialog.local_cseq,
            remote_cseq: dialog.remote_cseq,
            flow: dialog.flow.to_string(),
        };
        self.journal(Event::DialogChanged { call, leg, dialog }, now);
    }

    pub(super) fn handle_dialog_gone(&mut self, leg: LegId, now: Now) {
        if let Some(call) = self.orphans.remove(&leg) {
            self.journal(Event::LegEnded { call, leg, cause: Cause::switch_restart() }, now);
        }
        if let Some(party) = self.legs.get_mut(&leg) {
            party.dialog_gone = true;
            self.release_media(leg, now);
            self.finish_leg(leg, now);
        }
    }

    /// A leg is gone once its dialog is closed and its ports are back.
    pub(super) fn finish_leg(&mut self, leg: LegId, now: Now) {
        let done = self.legs.get(&leg).is_some_and(|party| party.dialog_gone && party.media.is_none());
        if done && let Some(party) = self.legs.remove(&leg) {
            self.free_phone(party.call, party.user, now);
            if party.role != Role::Supervisor {
                self.tell(party.call, Input::LegGone { leg });
            }
            if party.left_behind || party.role == Role::Supervisor {
                self.leg_left(party.call, now);
            }
        }
    }

    /// A leg that its call has done with is gone; a call that waited for it alone is forgotten.
    fn leg_left(&mut self, call: CallId, now: Now) {
        let Some(cell) = self.calls.get_mut(&call) else { return };
        cell.leaving = cell.leaving.saturating_sub(1);
        if cell.finished {
            self.finish(call, now);
        }
    }

    /// A user's phone is in a call that no queue has given it.
    pub(super) fn take_phone(&mut self, call: CallId, user: Option<AgentId>, now: Now) {
        if let Some(agent) = user {
            self.acd.handle(acd::Input::PhoneTaken { agent, call }, now);
        }
    }

    /// A user's phone is out of it, unless another one of the same user is in it yet.
    pub(super) fn free_phone(&mut self, call: CallId, user: Option<AgentId>, now: Now) {
        let stays = self.calls.get(&call).is_some_and(|cell| {
            let parties = cell.call.legs().filter_map(|leg| self.legs.get(&leg.id));
            // One that has gone on to another call is here no longer.
            parties.filter(|party| party.call == call).any(|party| party.user == user)
        });
        if let Some(agent) = user.filter(|_| !stays) {
            self.acd.handle(acd::Input::PhoneFree { agent, call }, now);
        }
    }
}

pub(super) fn name_of(codec: AudioCodec) -> String {
    codec.encoding().to_owned()
}
