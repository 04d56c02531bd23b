//! A call comes in: written down first, then routed, sent into its flow, or refused.

use std::net::IpAddr;

use super::conference::ROOM_THREAD;
use super::media::PACKET_MS;
use super::party::{Media, Onward, Party, PartyCall, Place, Role};
use super::{Route, RouteTo, Switch};
use crate::call::{Call, Input};
use crate::dialplan::CallFacts;
use crate::id::{AgentId, CallId, LegId, TrunkId};
use crate::journal::{Cause, Direction, Event, Personal};
use crate::sdp::{AudioCodec, Description, Direction as Sending, LocalMedia, Negotiator, SdpError};
use crate::sip::endpoint::{Identity, Invite};
use crate::time::Now;

impl Switch {
    pub(super) fn handle_invited(&mut self, leg: LegId, mut invite: Invite, now: Now) {
        let phone = self.seat(&mut invite);
        let invite = &invite;
        if let Some(old) = invite.replaces {
            return self.handle_replacement(leg, old, invite, now);
        }
        let id = CallId::new(now.wall_ms, self.random_u128());
        self.counts.calls_offered += 1;
        let trunk = match &invite.identity {
            Identity::Trunk(trunk) => Some(trunk.clone()),
            Identity::User(_) | Identity::Anyone => None,
        };
        let from_agent = match &invite.identity {
            Identity::User(user) => Some(AgentId::from(user.as_str())),
            Identity::Trunk(_) | Identity::Anyone => None,
        };
        let caller = Personal::number(&invite.caller);
        let called = invite.called.clone();
        let leads = self.leads(&invite.identity, &invite.called);
        // A user who calls the outside places a call; whoever calls from outside is received, wherever the call goes on to.
        let direction = match &leads {
            Leads::User(_) => Direction::Internal,
            Leads::Route(route) if trunk.is_none() && matches!(route.to, RouteTo::Trunks(_)) => Direction::Outbound,
            Leads::Barred(_) => Direction::Outbound,
            Leads::Route(_) | Leads::Plan => Direction::Inbound,
        };
        self.journal(Event::CallOffered { call: id, leg, direction, trunk: trunk.clone(), caller, called }, now);
        self.trace(id, invite.call_id.clone(), now);
        let linked = self.linked_to(id, from_agent.as_ref(), now);
        let user = from_agent.clone().or_else(|| self.phone_at(invite));
        self.take_phone(id, user.clone(), now);
        let negotiator = Negotiator::new(self.random_u128() as u64);
        let party = Party { trunk: trunk.clone(), user, ..Party::new(id, Role::Caller, negotiator) };
        self.legs.insert(leg, Box::new(party));
        let (number, called) = (invite.caller.clone(), invite.called.clone());
        let cell = PartyCall::new(Call::new(id, leg), leg, number, called, self.settings.default_music);
        let (carried, secure) = (invite.carried.clone(), invite.secure);
        self.calls.insert(id, Box::new(PartyCall { from_agent, phone, linked, carried, secure, ..cell }));
        let by_plan = || self.slot_thread(id, now).or_else(|| self.room_thread(invite));
        let thread = matches!(leads, Leads::Plan).then(by_plan).flatten();
        match self.prepare_media(leg, invite, thread) {
            Ok(()) => self.lead(id, leads, trunk, now),
            Err(cause) => self.tell(id, Input::Hangup { cause, as_designed: false }),
        }
    }

    /// The user whose phone a call comes from that was let in for its trunk's sake: its From names the user, and the way it came
    /// is the one that the user's phone registered. That is no proof, and gives no rights.
    fn phone_at(&self, invite: &Invite) -> Option<AgentId> {
        let way = invite.flow.to_string();
        let contacts = self.endpoint.registrar().contacts(&self.endpoint.aor(&invite.caller));
        contacts.iter().any(|binding| binding.flow == way).then(|| AgentId::from(invite.caller.as_str()))
    }

    /// The media thread of a call that may ask for a room.
    fn room_thread(&self, invite: &Invite) -> Option<u16> {
        let trunk = match &invite.identity {
            Identity::Trunk(trunk) => Some(trunk),
            Identity::User(_) | Identity::Anyone => None,
        };
        let program = &self.settings.program;
        let flow = program.numbers().destination(&invite.called, trunk)?.flow;
        program.confers(flow).then_some(ROOM_THREAD)
    }

    /// Ports for the caller, on this media thread where one is named, and its offer read and judged before anything is promised.
    pub(super) fn prepare_media(&mut self, leg: LegId, invite: &Invite, thread: Option<u16>) -> Result<(), Cause> {
        let offer = match invite.body.as_deref().map(Description::parse) {
            None => None,
            Some(Ok(offer)) => Some(offer),
            Some(Err(error)) => {
                tracing::info!(%error, "an offer cannot be read");
                return Err(match error {
                    SdpError::TooLarge => Cause::new(413, "offer_too_large"),
                    SdpError::Malformed(_) => Cause::new(400, "bad_offer"),
                });
            }
        };
        // A call beside the agent's conversation may become one with it, so it lives on the same thread.
        let beside = thread.or_else(|| self.conversation_thread(&invite.identity));
        let media = if offer.as_ref().is_some_and(Description::is_web) && self.settings.web.is_some() {
            let thread = beside.unwrap_or_else(|| self.stock.next_thread());
            self.web_media(thread, invite.nat)
        } else {
            let lease = beside.and_then(|thread| self.stock.take_of(thread)).or_else(|| self.stock.take());
            let keys = self.draw_keys();
            lease.map(|lease| Media::new(lease, invite.nat, keys))
        };
        let Some(media) = media else { return Err(self.lack_ports()) };
        if let Some(party) = self.legs.get_mut(&leg) {
            party.media = Some(media);
        }
        let local = self.local_media(leg, Some(invite.flow.remote.ip()), None);
        let (Some(local), Some(party)) = (local, self.legs.get_mut(&leg)) else { return Ok(()) };
        if let Some(offer) = offer {
            // A trial on a copy: the real answer is made when the call is answered.
            let remote = match party.negotiator.clone().answer(&offer, &local) {
                Ok((_, negotiated)) => negotiated.remote_rtp,
                Err(refused) => {
                    tracing::info!(%leg, call = %party.call, %refused, "an offer cannot be accepted");
                    return Err(Cause::new(refused.status(), "no_common_media"));
                }
            };
            party.offer = Some(offer);
            if self.is_own_port(remote) {
                tracing::warn!(%remote, "a caller wants its sound sent to a port of our own");
                return Err(Cause::new(488, "own_media_port"));
            }
        }
        Ok(())
    }

    /// The first call of the chain that a new one belongs to: a user who calls somebody beside a conversation asks about that one.
    fn linked_to(&mut self, call: CallId, user: Option<&AgentId>, now: Now) -> CallId {
        let beside = user.and_then(|user| self.conversation_of(user.as_str()));
        let linked = beside.and_then(|(beside, _)| self.calls.get(&beside)).map(|cell| cell.linked);
        if let Some(linked) = linked {
            self.journal(Event::CallLinked { call, linked }, now);
        }
        linked.unwrap_or(call)
    }

    /// The media thread on which the conversation of the user who calls is.
    fn conversation_thread(&self, identity: &Identity) -> Option<u16> {
        let Identity::User(user) = identity else { return None };
        let (_, leg) = self.conversation_of(user)?;
        self.legs.get(&leg)?.media.as_ref().map(|media| media.lease.thread)
    }

    /// Our side of the sound of a leg that has ports, with the codecs that its trunk has; `first` is the one to prefer of them. A
    /// peer whose address is not known yet counts as one outside.
    pub(super) fn local_media(
        &self,
        leg: LegId,
        remote: Option<IpAddr>,
        first: Option<AudioCodec>,
    ) -> Option<LocalMedia> {
        let party = self.legs.get(&leg)?;
        let port = party.media.as_ref()?.lease.rtp_port;
        let near = remote.is_some_and(|ip| self.settings.sip.local_nets.iter().any(|net| net.contains(ip)));
        let addr = self.settings.media_public.filter(|_| !near).unwrap_or(self.settings.media_address);
        let agreed =
            party.trunk.as_ref().and_then(|trunk| self.settings.trunks.get(trunk)).map(|media| media.codecs.clone());
        let mut codecs =
            agreed.unwrap_or_else(|| vec![AudioCodec::Pcma, AudioCodec::Pcmu, AudioCodec::G722, AudioCodec::Opus]);
        if let Some(first) = first {
            codecs.sort_by_key(|codec| *codec != first);
        }
        let protection = self.protection_of(party)?;
        let (dtmf, direction) = (true, Sending::SendRecv);
        // Whom a caller who sends it is to speak with may take it; nobody else is asked to leave pauses out.
        let caller = self.calls.get(&party.call).map(|cell| cell.caller);
        let noise = [Some(leg), caller].into_iter().flatten().any(|leg| self.agreed_on_noise(leg));
        Some(LocalMedia { addr, port, codecs, dtmf, noise, direction, ptime_ms: PACKET_MS, protection })
    }

    /// Where a call goes. For a user emergency numbers come first, then the dialplan's, then the other users, then routes: no route
    /// takes a colleague's name, and no user's name a number of the plan. Of a trunk, and of whoever has proved nothing, no call reaches
    /// a phone by a user's name; the routes that name the trunk come before the plan.
    pub(super) fn leads(&self, identity: &Identity, called: &str) -> Leads {
        let route = match identity {
            Identity::User(user) => {
                if let Some(route) = self.emergency_route(called) {
                    return Leads::Route(Box::new(route.clone()));
                }
                if self.settings.program.numbers().destination(called, None).is_some() {
                    return Leads::Plan;
                }
                if self.is_user(called) {
                    return Leads::User(AgentId::from(called));
                }
                match self.route_for(&AgentId::from(user.as_str()), called) {
                    Ok(route) => route,
                    Err(class) => return Leads::Barred(class),
                }
            }
            // Nobody leaves by a trunk without a route that names the trunk that they come from.
            Identity::Trunk(trunk) => {
                let may = |route: &&Route| route.from_trunks.contains(trunk) && route.takes(called);
                self.settings.routes.iter().find(may)
            }
            Identity::Anyone => None,
        };
        route.map_or(Leads::Plan, |route| Leads::Route(Box::new(route.clone())))
    }

    /// The route that a user's call takes, if any: the longest prefix first, of those for users. Where the user lacks its class of
    /// service no shorter prefix helps.
    ///
    /// # Errors
    /// The class that the user lacks.
    pub(super) fn route_for(&self, user: &AgentId, called: &str) -> Result<Option<&Route>, String> {
        if let Some(route) = self.emergency_route(called) {
            return Ok(Some(route));
        }
        let open = |route: &&Route| route.agents && !route.emergency && route.takes(called);
        let Some(route) = self.settings.routes.iter().find(open) else { return Ok(None) };
        match &route.class {
            Some(class) if !self.settings.may_call.get(user).is_some_and(|classes| classes.contains(class)) => {
                Err(class.clone())
            }
            _ => Ok(Some(route)),
        }
    }

    /// The route of an emergency number.
    pub(super) fn emergency_route(&self, called: &str) -> Option<&Route> {
        self.settings.routes.iter().find(|route| route.emergency && route.takes(called))
    }

    /// Sends a call where it goes.
    pub(super) fn lead(&mut self, id: CallId, leads: Leads, trunk: Option<TrunkId>, now: Now) {
        match leads {
            Leads::User(user) => self.ring_user(id, user),
            Leads::Route(route) => self.send_on(id, &route),
            Leads::Plan => self.begin(id, trunk, now),
            Leads::Barred(class) => {
                tracing::info!(call = %id, class, "a user lacks the class of service of a route (may_call)");
                self.tell(id, Input::Hangup { cause: Cause::new(403, "not_allowed"), as_designed: false });
            }
        }
    }

    fn ring_user(&mut self, id: CallId, user: AgentId) {
        let Some(cell) = self.calls.get_mut(&id) else { return };
        cell.onward = Some(onward_to(user));
        let leg = self.endpoint.next_leg();
        self.tell(id, Input::Route { legs: vec![leg], record: self.settings.record_internal });
    }

    fn send_on(&mut self, id: CallId, route: &Route) {
        let Some(cell) = self.calls.get_mut(&id) else { return };
        cell.onward = Some(onward_by(route, &cell.called));
        let leg = self.endpoint.next_leg();
        self.tell(id, Input::Route { legs: vec![leg], record: route.record });
    }

    /// What its plan is told of a call that has just come.
    pub(super) fn facts_of(&self, id: CallId, trunk: Option<TrunkId>) -> Option<CallFacts> {
        let cell = self.calls.get(&id)?;
        let (called, caller) = (cell.called.clone(), cell.number.clone());
        let (class, transferred_by) = (String::new(), String::new());
        Some(CallFacts { called, last_agent: self.last_agent(&caller), caller, trunk, class, transferred_by })
    }

    fn begin(&mut self, id: CallId, trunk: Option<TrunkId>, now: Now) {
        let Some(facts) = self.facts_of(id, trunk) else { return };
        match self.begin_plan(id, facts, now) {
            Some(cursor) => {
                let (flow, language) = (cursor.flow().to_owned(), cursor.language().to_owned());
                if let Some(cell) = self.calls.get_mut(&id) {
                    cell.cursor = Some(cursor);
                }
                self.journal(Event::FlowEntered { call: id, flow, language }, now);
                self.touched.push_back(id);
            }
            None => {
                let cause = Cause::new(404, "unknown_number");
                self.tell(id, Input::Hangup { cause, as_designed: false });
            }
        }
    }
}

/// Where a call goes.
pub(super) enum Leads {
    Plan,
    User(AgentId),
    Route(Box<Route>),
    /// Nowhere: the user lacks this class of service.
    Barred(String),
}

/// To the phone of one of our users.
pub(super) fn onward_to(user: AgentId) -> Onward {
    Onward::to(user.as_str().to_owned(), [Place::User(user)].into())
}

/// Where a route leads for a number.
pub(super) fn onward_by(route: &Route, number: &str) -> Onward {
    let called = number.chars().skip(route.strip).collect();
    let left = match &route.to {
        RouteTo::Target(target) => [Place::Target(target.clone())].into(),
        RouteTo::Trunks(trunks) => trunks.iter().cloned().map(Place::Trunk).collect(),
    };
    Onward { emergency: route.emergency, ..Onward::to(called, left) }
}
