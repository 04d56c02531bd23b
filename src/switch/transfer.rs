//! A user hands a call on (REFER): one that a queue has given to the user as an agent, or that the user has placed, or that another
//! user has placed to the user; and only to where users may call. Callers from outside and trunks hand nothing on, so that nobody
//! from outside has us place a call.

use super::dial::is_secure;
use super::inbound::{onward_by, onward_to};
use super::legs::name_of;
use super::party::{Recording, Role};
use super::{Route, Switch};
use crate::acd;
use crate::call::{CallState, Input};
use crate::dialplan::{CallFacts, Cursor};
use crate::id::{AgentId, CallId, LegId};
use crate::journal::{AgentState, Event, Personal};
use crate::media::Source;
use crate::sip::message::Replaces;
use crate::time::Now;

/// Who hands a call on.
struct Giver {
    call: CallId,
    agent: AgentId,
    /// Whether no queue has given it to the agent: placed by the agent, or by another user to the agent.
    own: bool,
}

/// Where a call is handed to.
enum Onto {
    Flow(Box<Cursor>),
    Agent(AgentId),
    /// Another user, as if the giver had called the name.
    User(AgentId),
    Route(Box<Route>),
    /// The party of a call that the agent has placed meanwhile.
    Party(CallId, LegId),
}

impl Switch {
    pub(super) fn handle_referred(&mut self, leg: LegId, target: &str, replaces: Option<&Replaces>, now: Now) {
        let found = self.giver_on(leg).and_then(|giver| {
            let onto = self.destination(&giver, target, replaces, now)?;
            Ok((giver, onto))
        });
        match found {
            Ok((giver, onto)) => {
                let Giver { call, agent, own } = giver;
                tracing::info!(%call, %agent, target, "a call is handed on");
                self.endpoint.accept_refer(leg, now);
                if own {
                    self.give(call, leg, &agent);
                }
                self.hand_on(call, agent, target, onto, now);
            }
            Err(code) => {
                tracing::info!(%leg, target, code, "a call is not handed on");
                self.endpoint.refuse_refer(leg, code, now);
            }
        }
    }

    /// The user whose conversation a leg is.
    fn giver_on(&self, leg: LegId) -> Result<Giver, u16> {
        let party = self.legs.get(&leg).ok_or(481_u16)?;
        let call = party.call;
        let cell = self.calls.get(&call).ok_or(481_u16)?;
        let CallState::Bridged { agent, leg: talking, .. } = cell.call.state() else { return Err(403) };
        let given =
            self.legs.get(talking).is_some_and(|party| matches!(party.role, Role::Agent(_)) && party.user.is_none());
        match (&party.role, agent) {
            (Role::Agent(agent), _) if *talking == leg => {
                Ok(Giver { call, agent: agent.clone(), own: party.user.is_some() })
            }
            (Role::Target, None) if *talking == leg => {
                party.user.clone().map(|agent| Giver { call, agent, own: true }).ok_or(403)
            }
            // An agent whom a queue has given the call is nobody to be handed on.
            (Role::Caller, _) if !given => {
                cell.from_agent.clone().map(|agent| Giver { call, agent, own: true }).ok_or(403)
            }
            _ => Err(403),
        }
    }

    /// Where a user may hand a call to, in the order in which a number is looked for: the dialplan's, another user, a route for
    /// agents.
    fn destination(&self, giver: &Giver, target: &str, replaces: Option<&Replaces>, now: Now) -> Result<Onto, u16> {
        let Giver { call, agent: from, own } = giver;
        if let Some(replaces) = replaces {
            return self.party_of(*call, from, replaces);
        }
        let cell = self.calls.get(call).ok_or(481_u16)?;
        if let Some(route) = self.emergency_route(target) {
            return Ok(Onto::Route(Box::new(route.clone())));
        }
        // A code changes the state of the agent who dials it, and is nothing for a caller.
        let code = target.starts_with('*');
        let trunk = self.legs.get(&cell.caller).and_then(|party| party.trunk.clone());
        let class = cell.cursor.as_ref().map_or(String::new(), |cursor| cursor.class().to_owned());
        let (called, caller) = (target.to_owned(), cell.number.clone());
        let (last_agent, transferred_by) = (self.last_agent(&caller), from.to_string());
        let facts = CallFacts { called, last_agent, caller, trunk, class, transferred_by };
        let plan = || self.begin_plan(*call, facts, now);
        if let Some(cursor) = if code { None } else { plan() } {
            return Ok(Onto::Flow(Box::new(cursor)));
        }
        if self.is_user(target) {
            let to = AgentId::from(target);
            let secure = !cell.secure || self.phone_of(&to).is_none_or(|(ways, _)| is_secure(&ways[0]));
            return match self.acd.view().agent(&to).map(|agent| (agent.takes_call, agent.state)) {
                _ if to == *from => Err(404),
                _ if !secure => Err(480),
                Some((true, _)) if !own => Ok(Onto::Agent(to)),
                Some((_, AgentState::Offline | AgentState::NotReady { .. })) if !own => Err(480),
                Some(_) if !own => Err(486),
                _ => self.why_not_called(&to).map_or(Ok(Onto::User(to)), |cause| Err(cause.code)),
            };
        }
        let route = self.route_for(from, target).map_err(|_| 403_u16)?;
        route.map(|route| Onto::Route(Box::new(route.clone()))).ok_or(404)
    }

    /// A call that no queue has given to anybody becomes the conversation of the user who hands it on; the other party stands
    /// where a caller does, with no rights of the user's.
    pub(super) fn give(&mut self, call: CallId, leg: LegId, agent: &AgentId) {
        let Some(cell) = self.calls.get_mut(&call) else { return };
        let CallState::Bridged { leg: other, .. } = *cell.call.state() else { return };
        if cell.caller == leg {
            let user = self.legs.get(&other).and_then(|party| party.user.clone());
            cell.caller = other;
            cell.number = user.as_ref().map_or_else(|| cell.called.clone(), |user| user.as_str().to_owned());
            (cell.carried.name, cell.carried.private) = (None, false);
            (cell.from_agent, cell.phone) = (user, None);
            if let Some(party) = self.legs.get_mut(&other) {
                party.role = Role::Caller;
            }
        }
        if let Some(party) = self.legs.get_mut(&leg) {
            party.role = Role::Agent(agent.clone());
        }
        self.tell(call, Input::GivenBy { agent: agent.clone(), leg });
    }

    /// Whom the agent has on the phone in another call of the agent's own. A dialog that there is not is 404 and not 481, which
    /// would end the dialog that the REFER came in.
    fn party_of(&self, call: CallId, from: &AgentId, replaces: &Replaces) -> Result<Onto, u16> {
        let own = self.endpoint.leg_replaced(replaces).ok_or(404_u16)?;
        let second = self.legs.get(&own).map(|party| party.call).ok_or(404_u16)?;
        let cell = self.calls.get(&second).filter(|cell| cell.caller == own && second != call).ok_or(403_u16)?;
        if cell.from_agent.as_ref() != Some(from) {
            return Err(403);
        }
        // Nobody to join: still a flow, a queue or a phone that rings.
        let CallState::Bridged { leg, .. } = cell.call.state() else { return Err(480) };
        let thread = |leg: &LegId| self.legs.get(leg)?.media.as_ref().map(|media| media.lease.thread);
        let first = self.calls.get(&call).and_then(|cell| thread(&cell.caller));
        if replaces.early_only || first != thread(leg) {
            return Err(486);
        }
        Ok(Onto::Party(second, *leg))
    }

    /// Makes one call of two: the party of the second one goes on in the first.
    fn join_calls(&mut self, call: CallId, second: CallId, leg: LegId, now: Now) {
        let Some(party) = self.legs.get_mut(&leg) else { return };
        party.call = call;
        let agent = match &party.role {
            Role::Agent(agent) => Some(agent.clone()),
            Role::Caller | Role::Target | Role::Supervisor => None,
        };
        let negotiated = party.media.as_ref().and_then(|media| media.negotiated.as_ref());
        let codec_out = negotiated.map(|negotiated| name_of(negotiated.codec)).unwrap_or_default();
        if let Some(media) = &mut party.media {
            // What the second call was recorded into ends with it.
            media.recording = None;
        }
        let user = party.user.clone();
        let codec_in = self.caller_codec(call);
        self.endpoint.tell_dialog(leg);
        let number = match &agent {
            Some(_) => None,
            None => self.calls.get(&second).map(|cell| Personal::number(&cell.called)),
        };
        self.take_phone(call, user.clone(), now);
        self.free_phone(second, user, now);
        self.link(second, call, now);
        if let Some(agent) = agent.clone() {
            self.acd.handle(acd::Input::Moved { agent, from: second, to: call }, now);
        }
        self.tell(call, Input::ToParty { leg, agent, codec_in, codec_out, number });
        self.tell(second, Input::PartyGone { leg });
    }

    /// A call was about another one.
    pub(super) fn link(&mut self, call: CallId, to: CallId, now: Now) {
        let Some(linked) = self.calls.get(&to).map(|cell| cell.linked) else { return };
        let Some(cell) = self.calls.get_mut(&call).filter(|cell| cell.linked != linked) else { return };
        cell.linked = linked;
        self.journal(Event::CallLinked { call, linked }, now);
    }

    fn hand_on(&mut self, call: CallId, from: AgentId, target: &str, onto: Onto, now: Now) {
        if let Some(cell) = self.calls.get_mut(&call) {
            cell.given_to = Some(target.to_owned());
        }
        match onto {
            Onto::Agent(to) => self.acd.handle(acd::Input::HandedOver { call, from, to }, now),
            Onto::Party(second, leg) => self.join_calls(call, second, leg, now),
            Onto::User(to) => {
                let leg = self.endpoint.next_leg();
                let record = self.calls.get_mut(&call).is_some_and(|cell| {
                    cell.onward = Some(onward_to(to));
                    cell.recording == Recording::Running
                });
                self.tell(call, Input::ToTarget { leg, record });
            }
            Onto::Route(route) => {
                let leg = self.endpoint.next_leg();
                if let Some(cell) = self.calls.get_mut(&call) {
                    cell.onward = Some(onward_by(&route, target));
                }
                self.tell(call, Input::ToTarget { leg, record: route.record });
            }
            Onto::Flow(cursor) => {
                self.set_handed_on(call, true, now);
                self.tell(call, Input::ToFlow);
                let (flow, language) = (cursor.flow().to_owned(), cursor.language().to_owned());
                if let Some(cell) = self.calls.get_mut(&call) {
                    cell.cursor = Some(*cursor);
                }
                self.journal(Event::FlowEntered { call, flow, language }, now);
            }
        }
    }

    /// The call is being handed on: its caller hears music, its agent nothing.
    pub(super) fn suspend(&mut self, call: CallId, caller: LegId, other: LegId, now: Now) {
        let music = self.calls.get(&call).map_or(self.settings.default_music, |cell| cell.music);
        self.set_handed_on(call, true, now);
        self.play(caller, Source::Music(music), now);
        self.play(other, Source::Silence, now);
        if let Some(Role::Agent(agent)) = self.legs.get(&other).map(|party| party.role.clone()) {
            self.acd.handle(acd::Input::Hold { agent, call }, now);
        }
    }
}
