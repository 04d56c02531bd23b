//! An agent hands a call on (REFER): only from a conversation of the agent's, and only to where agents may call. Callers and trunks
//! hand nothing on, so that nobody from outside has us place a call.

use super::dial::is_secure;
use super::flow::Floor;
use super::inbound::onward_by;
use super::legs::name_of;
use super::party::Role;
use super::{Route, Switch};
use crate::acd;
use crate::call::{CallState, Input};
use crate::dialplan::{CallFacts, Cursor};
use crate::id::{AgentId, CallId, LegId};
use crate::journal::{AgentState, Event};
use crate::media::Source;
use crate::sip::message::Replaces;
use crate::time::Now;

/// Where a call is handed to.
enum Onto {
    Flow(Box<Cursor>),
    Agent(AgentId),
    Route(Route),
    /// The party of a call that the agent has placed meanwhile.
    Party(CallId, LegId),
}

impl Switch {
    pub(super) fn handle_referred(&mut self, leg: LegId, target: &str, replaces: Option<&Replaces>, now: Now) {
        let found = self.giver_on(leg).and_then(|(call, agent)| {
            let onto = self.destination(call, &agent, target, replaces, now)?;
            Ok((call, agent, onto))
        });
        match found {
            Ok((call, agent, onto)) => {
                tracing::info!(%call, %agent, target, "a call is handed on");
                self.endpoint.accept_refer(leg, now);
                self.hand_on(call, agent, target, onto, now);
            }
            Err(code) => {
                tracing::info!(%leg, target, code, "a call is not handed on");
                self.endpoint.refuse_refer(leg, code, now);
            }
        }
    }

    /// The agent whose conversation a leg is.
    fn giver_on(&self, leg: LegId) -> Result<(CallId, AgentId), u16> {
        let party = self.legs.get(&leg).ok_or(481_u16)?;
        let cell = self.calls.get(&party.call).ok_or(481_u16)?;
        match cell.call.state() {
            CallState::Bridged { agent: Some(agent), leg: talking, .. } if *talking == leg => {
                Ok((party.call, agent.clone()))
            }
            _ => Err(403),
        }
    }

    /// Where an agent may hand a call to: what routes for agents lead to, other agents, and the dialplan's numbers.
    fn destination(
        &self,
        call: CallId,
        from: &AgentId,
        target: &str,
        replaces: Option<&Replaces>,
        now: Now,
    ) -> Result<Onto, u16> {
        if let Some(replaces) = replaces {
            return self.party_of(call, from, replaces);
        }
        let cell = self.calls.get(&call).ok_or(481_u16)?;
        let open = |route: &&Route| route.agents && target.starts_with(&route.prefix);
        if let Some(route) = self.settings.routes.iter().find(open) {
            return Ok(Onto::Route(route.clone()));
        }
        let to = AgentId::from(target);
        if let Some(taker) = self.acd.view().agent(&to) {
            let secure = !cell.secure || self.phone_of(&to).is_some_and(|(way, _)| is_secure(&way));
            return match taker.state {
                _ if to == *from => Err(404),
                _ if !secure => Err(480),
                AgentState::Available => Ok(Onto::Agent(to)),
                AgentState::Offline | AgentState::NotReady { .. } => Err(480),
                _ => Err(486),
            };
        }
        // A code changes the state of the agent who dials it, and is nothing for a caller.
        if target.starts_with('*') {
            return Err(404);
        }
        let trunk = self.legs.get(&cell.caller).and_then(|party| party.trunk.clone());
        let facts = CallFacts { called: target.to_owned(), caller: cell.number.clone(), trunk };
        let floor = Floor { acd: &self.acd, program: &self.settings.program };
        let cursor = Cursor::start(self.settings.program.clone(), facts, now, &floor);
        cursor.map(|cursor| Onto::Flow(Box::new(cursor))).ok_or(404)
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
            Role::Caller | Role::Target => None,
        };
        let negotiated = party.media.as_ref().and_then(|media| media.negotiated.as_ref());
        let codec_out = negotiated.map(|negotiated| name_of(negotiated.codec)).unwrap_or_default();
        if let Some(media) = &mut party.media {
            // What the second call was recorded into ends with it.
            media.recording = None;
        }
        let codec_in = self.caller_codec(call);
        self.endpoint.tell_dialog(leg);
        if let Some(agent) = agent.clone() {
            self.acd.handle(acd::Input::Moved { agent, from: second, to: call }, now);
        }
        self.tell(call, Input::ToParty { leg, agent, codec_in, codec_out });
        self.tell(second, Input::PartyGone { leg });
    }

    fn hand_on(&mut self, call: CallId, from: AgentId, target: &str, onto: Onto, now: Now) {
        match onto {
            Onto::Agent(to) => self.acd.handle(acd::Input::HandedOver { call, from, to }, now),
            Onto::Party(second, leg) => self.join_calls(call, second, leg, now),
            Onto::Route(route) => {
                let leg = self.endpoint.next_leg();
                if let Some(cell) = self.calls.get_mut(&call) {
                    cell.onward = Some(onward_by(&route, target));
                }
                self.tell(call, Input::ToTarget { leg, record: route.record });
            }
            Onto::Flow(cursor) => {
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
        self.play(caller, Source::Music(music), now);
        self.play(other, Source::Silence, now);
        if let Some(Role::Agent(agent)) = self.legs.get(&other).map(|party| party.role.clone()) {
            self.acd.handle(acd::Input::Hold { agent, call }, now);
        }
    }
}
