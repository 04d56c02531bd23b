//! Three in one conversation: one of our users brings in the party of another call of the user's, and may leave those two alone.

use super::legs::name_of;
use super::party::{PartyCall, Role};
use super::supervise::{Brought, MOST, Supervisor};
use super::{CommandError, Supervision, Switch};
use crate::call::{CallState, Input};
use crate::id::{AgentId, CallId, LegId};
use crate::journal::{Event, Personal};
use crate::time::Now;

/// Two calls of one user.
struct Pair {
    user: AgentId,
    /// The user's leg in the call that goes on.
    host: LegId,
    /// Whom the user has called in the other one.
    third: LegId,
}

impl Switch {
    /// Brings the party of a call that a user has placed into another conversation of the same user; the user's leg there ends.
    pub(super) fn join_third(&mut self, call: CallId, other: CallId, now: Now) -> Result<(), CommandError> {
        let Pair { user, host, third } = self.pair_of(call, other)?;
        let number = self.calls.get(&other).map(|cell| cell.called.clone()).unwrap_or_default();
        let Some(party) = self.legs.get_mut(&third) else { return Err(CommandError::NoConversation(other)) };
        let colleague = match &party.role {
            Role::Agent(agent) => Some(agent.clone()),
            _ => party.user.clone(),
        };
        (party.call, party.role, party.user) = (call, Role::Supervisor, colleague.clone());
        if let Some(media) = &mut party.media {
            // What the other call was recorded into ends with it, and so does who listened there.
            media.recording = None;
            media.beside.clear();
        }
        let number = colleague.as_ref().map_or(number, |colleague| colleague.as_str().to_owned());
        tracing::info!(%call, %other, %user, third = number, "a third party comes into a conversation");
        if let Some(cell) = self.calls.get_mut(&call) {
            let brought = Some(Brought { by: host, number: number.clone() });
            let (mode, user) = (Supervision::Barge, colleague.clone());
            cell.supervisors.push(Supervisor { leg: third, user, mode, up: true, brought });
        }
        self.endpoint.tell_dialog(third);
        self.take_phone(call, colleague.clone(), now);
        self.free_phone(other, colleague, now);
        self.link(other, call, now);
        self.journal(Event::PartyJoined { call, leg: third, by: user, number: Personal::number(&number) }, now);
        self.tell(other, Input::PartyGone { leg: third });
        // Whoever holds leaves the others to one another.
        self.follow_hold(call, now);
        self.touched.push_back(call);
        // Before the other call says that the phone has left it.
        self.follow_lines(call, now);
        Ok(())
    }

    /// Who has both calls, and in which parts.
    fn pair_of(&mut self, call: CallId, other: CallId) -> Result<Pair, CommandError> {
        self.live_call(other)?;
        let cell = self.live_call(call)?;
        let refused = |why: &str| Err(CommandError::NotJoined { call, other, why: why.to_owned() });
        if call == other {
            return refused("they are one call: name the two calls of the phone");
        }
        let (known, secure, caller) = (cell.supervisors.len(), cell.secure, cell.caller);
        if cell.supervisors.iter().any(|known| known.brought.is_some()) {
            return refused("three speak in the first one already");
        }
        if known >= MOST {
            return Err(CommandError::TooManySupervisors(call));
        }
        let CallState::Bridged { leg: talks, .. } = *cell.call.state() else {
            return Err(CommandError::NoConversation(call));
        };
        let Some(second) = self.calls.get(&other) else { return Err(CommandError::UnknownCall(other)) };
        let CallState::Bridged { leg: third, .. } = *second.call.state() else {
            return Err(CommandError::NoConversation(other));
        };
        let Some(user) = second.from_agent.clone() else {
            return refused("none of our users has placed the second one: name the consultation second");
        };
        let of_user = |leg: &LegId| self.user_on(*leg).is_some_and(|found| found == user);
        let Some(host) = [talks, caller].into_iter().find(of_user) else {
            return refused("who has placed the second one is not in the first one");
        };
        // When the host leaves, the other party goes on with the third one as a caller does; an agent would wait for nobody.
        let given = self.legs.get(&talks).is_some_and(|party| matches!(party.role, Role::Agent(_)));
        if host == caller && given {
            return refused("its other party is an agent out of a queue: let the agent bring the third one in");
        }
        let thread = |leg: LegId| self.legs.get(&leg)?.media.as_ref().map(|media| media.lease.thread);
        if thread(caller) != thread(third) {
            return refused(
                "their sound is on different media threads; call the colleague while the first one goes on",
            );
        }
        if secure && !self.endpoint.flow_of(third).is_some_and(|flow| flow.transport.is_secure()) {
            return refused("the first one may not be overheard, and the way to the third party can be");
        }
        Ok(Pair { user, host, third })
    }

    /// A party of a conversation hangs up who has brought a third one in: those two go on. `false` where that is not so.
    pub(super) fn leave_third(&mut self, leg: LegId, now: Now) -> bool {
        let Some(call) = self.legs.get(&leg).map(|party| party.call) else { return false };
        let Some(cell) = self.calls.get(&call) else { return false };
        let Some(place) = cell.supervisors.iter().position(|known| known.is_brought_by(leg)) else { return false };
        let CallState::Bridged { agent, .. } = cell.call.state() else { return false };
        let own = agent.is_none();
        let Some(user) = self.user_on(leg) else { return false };
        let Some(known) = self.calls.get_mut(&call).map(|cell| cell.supervisors.remove(place)) else { return false };
        if own {
            self.give(call, leg, &user);
        }
        let Some(party) = self.legs.get_mut(&known.leg) else { return false };
        party.role = Role::Target;
        let negotiated = party.media.as_mut().and_then(|media| {
            media.beside.clear();
            media.negotiated.as_ref()
        });
        let codec_out = negotiated.map(|negotiated| name_of(negotiated.codec)).unwrap_or_default();
        let codec_in = self.caller_codec(call);
        let number = known.brought.map(|brought| Personal::number(&brought.number));
        self.tell(call, Input::ToParty { leg: known.leg, agent: None, codec_in, codec_out, number });
        self.release_media(leg, now);
        true
    }

    /// One of our users, where a leg is the user's.
    fn user_on(&self, leg: LegId) -> Option<AgentId> {
        let party = self.legs.get(&leg)?;
        match &party.role {
            Role::Agent(agent) => Some(agent.clone()),
            Role::Target => party.user.clone(),
            Role::Caller => self.calls.get(&party.call)?.from_agent.clone(),
            Role::Supervisor => None,
        }
    }

    /// A third party who is heard in a call now.
    pub(super) fn third_voice(&self, call: CallId) -> Option<LegId> {
        let third = self.calls.get(&call)?.supervisors.iter().find(|known| known.brought.is_some())?;
        (!self.holds(third.leg)).then_some(third.leg)
    }
}

impl Supervisor {
    fn is_brought_by(&self, leg: LegId) -> bool {
        self.brought.as_ref().is_some_and(|brought| brought.by == leg)
    }
}

impl PartyCall {
    /// Who has brought a third party in goes on by another leg, or is replaced there.
    pub(super) fn rehost(&mut self, from: LegId, to: LegId) {
        let brought = self.supervisors.iter_mut().filter_map(|known| known.brought.as_mut());
        brought.filter(|brought| brought.by == from).for_each(|brought| brought.by = to);
    }
}
