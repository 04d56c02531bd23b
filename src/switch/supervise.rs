//! Supervisors in a conversation: they hear it, speak into it, or take it over. Whoever commands that has the right to; who is to
//! listen is one of our users, whose phone is called. Third parties, whom a party has brought in, are heard as who barges in is.

use super::dial::{Callee, shown_to_phones};
use super::party::{PartyCall, Role};
use super::{CommandError, Supervision, Switch, Timer};
use crate::call::{CallState, Input};
use crate::id::{AgentId, CallId, LegId};
use crate::journal::{Cause, Event, Personal};
use crate::media::Source;
use crate::sip::endpoint::{Dial, Why};
use crate::time::Now;

/// Who is in one conversation beside its two parties, at most.
pub(super) const MOST: usize = 4;
/// How long a supervisor's phone may ring, ms.
const RING_MS: u64 = 30_000;

/// One who listens.
pub(super) struct Supervisor {
    pub(super) leg: LegId,
    /// Who it is; none where a third party is none of our users.
    pub(super) user: Option<AgentId>,
    pub(super) mode: Supervision,
    /// The phone has answered.
    pub(super) up: bool,
    /// How a third party came in; none for a supervisor.
    pub(super) brought: Option<Brought>,
}

/// How a third party came into a conversation.
pub(super) struct Brought {
    /// The leg of who has brought it in.
    pub(super) by: LegId,
    /// What that one had dialled, or whose phone it is.
    pub(super) number: String,
}

impl Supervisor {
    fn is(&self, user: &AgentId) -> bool {
        self.brought.is_none() && self.user.as_ref() == Some(user)
    }
}

impl Switch {
    /// Calls a supervisor's phone into a conversation, or changes what a supervisor who is there does.
    pub(super) fn supervise(
        &mut self,
        call: CallId,
        user: AgentId,
        mode: Supervision,
        now: Now,
    ) -> Result<(), CommandError> {
        let cell = self.live_call(call)?;
        let CallState::Bridged { agent, .. } = cell.call.state() else {
            return Err(CommandError::NoConversation(call));
        };
        let third = || cell.supervisors.iter().any(|known| known.user.as_ref() == Some(&user) && !known.is(&user));
        if agent.as_ref() == Some(&user) || cell.from_agent.as_ref() == Some(&user) || third() {
            return Err(CommandError::OwnConversation(user));
        }
        if let Some(known) = cell.supervisors.iter_mut().find(|known| known.is(&user)) {
            known.mode = mode;
            let leg = known.leg;
            self.journal(Event::Supervised { call, leg, by: user, mode: mode.name().to_owned() }, now);
            self.attend(call, now);
            return Ok(());
        }
        if cell.supervisors.len() >= MOST {
            return Err(CommandError::TooManySupervisors(call));
        }
        if !self.is_user(user.as_str()) {
            return Err(CommandError::UnknownAgent(user));
        }
        let leg = self.endpoint.next_leg();
        let dialled = self.dial_supervisor(call, leg, &user, now);
        dialled.map_err(|cause| CommandError::NotReached { user: user.clone(), why: cause.text })?;
        if let Some(cell) = self.calls.get_mut(&call) {
            cell.supervisors.push(Supervisor { leg, user: Some(user.clone()), mode, up: false, brought: None });
        }
        tracing::info!(%call, supervisor = %user, mode = mode.name(), "a supervisor is called into a conversation");
        self.timers.arm(now.in_ms(RING_MS), Timer::RingOut(leg));
        self.take_phone(call, Some(user.clone()), now);
        self.journal(Event::Supervised { call, leg, by: user, mode: mode.name().to_owned() }, now);
        self.touched.push_back(call);
        Ok(())
    }

    /// A call in progress; one whose legs are only closing is none.
    pub(super) fn live_call(&mut self, call: CallId) -> Result<&mut PartyCall, CommandError> {
        let cell = self.calls.get_mut(&call).filter(|cell| !cell.call.is_over());
        cell.map(Box::as_mut).ok_or(CommandError::UnknownCall(call))
    }

    fn dial_supervisor(&mut self, call: CallId, leg: LegId, user: &AgentId, now: Now) -> Result<(), Cause> {
        let (ways, nat) = self.phone_of(user).ok_or_else(|| Cause::new(480, "no phone is registered"))?;
        if let Some(cause) = self.why_not_called(user) {
            return Err(Cause::new(cause.code, "the phone is in use or lost"));
        }
        let auto_answer = self.settings.auto_answer.contains(user);
        let callee = Callee { role: Role::Supervisor, user: Some(user.clone()), nat, trunk: None };
        let body = self.offer_to(call, leg, &ways[0], callee, now)?;
        let cell = self.calls.get(&call).ok_or_else(|| Cause::new(500, "no_call"))?;
        let (from, domain) = shown_to_phones(cell);
        let dial = Dial { domain, auto_answer, nat, ..Dial::new(ways, from, body) };
        self.endpoint.dial(leg, dial, now);
        Ok(())
    }

    /// Ends a supervisor's part.
    pub(super) fn end_supervision(&mut self, call: CallId, user: &AgentId, now: Now) -> Result<(), CommandError> {
        let cell = self.live_call(call)?;
        let found = cell.supervisors.iter().find(|known| known.is(user));
        let leg =
            found.map(|known| known.leg).ok_or_else(|| CommandError::NotSupervised { call, user: user.clone() })?;
        self.dismiss(leg, Cause::normal(), now);
        Ok(())
    }

    /// Puts a supervisor in the agent's place.
    pub(super) fn take_over(&mut self, call: CallId, user: &AgentId, now: Now) -> Result<(), CommandError> {
        let cell = self.live_call(call)?;
        let CallState::Bridged { agent: Some(_), leg: old, .. } = *cell.call.state() else {
            return Err(CommandError::NoConversation(call));
        };
        let there = cell.supervisors.iter().position(|known| known.is(user) && known.up);
        let there = there.ok_or_else(|| CommandError::NotSupervised { call, user: user.clone() })?;
        let leg = cell.supervisors.remove(there).leg;
        cell.rehost(old, leg);
        let Some(party) = self.legs.get_mut(&leg) else { return Err(CommandError::NoConversation(call)) };
        party.role = Role::Target;
        let negotiated = party.media.as_mut().and_then(|media| {
            media.beside.clear();
            media.negotiated.as_ref()
        });
        let codec_out = negotiated.map(|negotiated| super::legs::name_of(negotiated.codec)).unwrap_or_default();
        let codec_in = self.caller_codec(call);
        self.journal(Event::Supervised { call, leg, by: user.clone(), mode: "take_over".to_owned() }, now);
        let number = Some(Personal::number(user.as_str()));
        self.tell(call, Input::ToParty { leg, agent: None, codec_in, codec_out, number });
        Ok(())
    }

    /// A supervisor's phone has answered.
    pub(super) fn handle_supervisor_up(&mut self, call: CallId, leg: LegId, now: Now) {
        let known = self.calls.get_mut(&call).and_then(|cell| cell.supervisor_on(leg));
        match known {
            Some(known) => {
                known.up = true;
                self.touched.push_back(call);
            }
            // The conversation was over before.
            None => self.endpoint.hang_up(leg, Why::new(16, "normal_clearing"), now),
        }
    }

    /// Gives a supervisor's phone up that still rings; `false` where the leg is none of these.
    pub(super) fn give_up_supervisor(&mut self, leg: LegId, now: Now) -> bool {
        let call = self.legs.get(&leg).filter(|party| party.role == Role::Supervisor).map(|party| party.call);
        let rings = call.and_then(|call| self.calls.get_mut(&call)?.supervisor_on(leg)).is_some_and(|known| !known.up);
        if rings {
            self.dismiss(leg, Cause::new(408, "no_answer"), now);
        }
        rings
    }

    /// Sends a supervisor away.
    fn dismiss(&mut self, leg: LegId, cause: Cause, now: Now) {
        let why = Why::new(cause.code, &cause.text);
        let call = self.legs.get(&leg).map(|party| party.call);
        let known = call.and_then(|call| self.calls.get_mut(&call)?.supervisor_on(leg));
        match known.map(|known| known.up) {
            Some(true) => self.endpoint.hang_up(leg, why, now),
            Some(false) => self.endpoint.cancel(leg, why, now),
            None => return,
        }
        self.forget_supervisor(leg, cause, now);
    }

    /// A supervisor is out of a conversation, or never came.
    pub(super) fn forget_supervisor(&mut self, leg: LegId, cause: Cause, now: Now) {
        let Some(call) = self.legs.get(&leg).map(|party| party.call) else { return };
        let place = self.calls.get(&call).and_then(|cell| cell.supervisors.iter().position(|known| known.leg == leg));
        if let Some(place) = place
            && let Some(cell) = self.calls.get_mut(&call)
        {
            let third = cell.supervisors.remove(place).brought.is_some();
            cell.leaving += 1;
            self.journal(Event::LegEnded { call, leg, cause }, now);
            if third {
                self.follow_hold(call, now);
            }
        }
        // Last: a leg that never had a session is gone with it.
        self.release_media(leg, now);
        self.attend(call, now);
        self.touched.push_back(call);
    }

    /// Brings what everybody hears into line with who listens how; ends supervision with the conversation.
    pub(super) fn attend(&mut self, call: CallId, now: Now) {
        let Some(cell) = self.calls.get(&call) else { return };
        if cell.supervisors.is_empty() && !cell.was_supervised {
            return;
        }
        let state = cell.call.state().clone();
        if matches!(state, CallState::Ended | CallState::After) {
            let legs: Vec<LegId> = cell.supervisors.iter().map(|known| known.leg).collect();
            return legs.into_iter().for_each(|leg| self.dismiss(leg, Cause::normal(), now));
        }
        let (caller, other) = match state {
            CallState::Bridged { leg, .. } => (cell.caller, Some(leg)),
            // While the call is handed on, its caller alone is there, and hears music.
            _ => (cell.caller, None),
        };
        let up: Vec<(LegId, Supervision)> =
            cell.supervisors.iter().filter(|known| known.up).map(|known| (known.leg, known.mode)).collect();
        // Who holds says nothing to anybody.
        let who = |speaks: fn(Supervision) -> bool| -> Vec<LegId> {
            up.iter().filter(|(leg, mode)| speaks(*mode) && !self.holds(*leg)).map(|(leg, _)| *leg).collect()
        };
        let by_agent = who(|mode| mode != Supervision::Monitor);
        let by_caller = who(|mode| mode == Supervision::Barge);
        let talk: Vec<LegId> = other.into_iter().chain([caller]).filter(|leg| !self.holds(*leg)).collect();
        let listens = !up.is_empty();
        if let Some(cell) = self.calls.get_mut(&call) {
            cell.was_supervised = listens;
        }
        let parties = [Some((caller, by_caller)), other.map(|other| (other, by_agent.clone()))];
        for (leg, beside) in parties.into_iter().flatten() {
            if let Some(media) = self.media_of(leg) {
                media.beside = beside;
                media.overheard = listens;
                self.command_media(leg, now);
            }
        }
        for (leg, _) in up {
            let speakers = by_agent.iter().copied().filter(|speaker| *speaker != leg);
            let of = talk.iter().copied().chain(speakers).collect();
            if let Some(media) = self.media_of(leg) {
                media.send = if media.holds() { Source::Silence } else { Source::Mix(of) };
                media.overheard = by_agent.contains(&leg);
                self.command_media(leg, now);
            }
        }
    }

    /// Whether a leg's party asks for no sound.
    pub(super) fn holds(&self, leg: LegId) -> bool {
        self.legs.get(&leg).and_then(|party| party.media.as_ref()).is_some_and(|media| media.holds())
    }
}

impl PartyCall {
    fn supervisor_on(&mut self, leg: LegId) -> Option<&mut Supervisor> {
        self.supervisors.iter_mut().find(|known| known.leg == leg)
    }
}
