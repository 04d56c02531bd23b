//! What a call wants done: answer, dial, bridge, close.

use super::party::{Media, Party, PartyCall, Place, Role};
use super::{Switch, Timer};
use crate::acd;
use crate::call::{CallState, Input, Output as CallOutput};
use crate::dialplan::CursorInput;
use crate::id::{AgentId, CallId, LegId, TrunkId};
use crate::journal::{Cause, Event, SegmentEnd};
use crate::media::Source;
use crate::sdp::Negotiator;
use crate::sip::endpoint::{Dial, TrunkCall, Way, Why, is_about_the_way};
use crate::sip::message::Uri;
use crate::sip::transaction::Transport;
use crate::sip::trunk::{Net, Shown};
use crate::time::Now;

/// How long a routed call may ring, ms: shorter than the three minutes after which proxies give up (RFC 3261 §16.6, timer C).
const RING_OUT_MS: u64 = 120_000;

impl Switch {
    pub(super) fn carry_out(&mut self, call: CallId, output: CallOutput, now: Now) {
        match output {
            CallOutput::AnswerCaller => self.answer_caller(call, now),
            CallOutput::RefuseCaller { cause } => self.refuse_caller(call, &cause, now),
            CallOutput::RingCaller => {
                if let Some(cell) = self.calls.get(&call) {
                    let caller = cell.caller;
                    self.endpoint.ring(caller, now);
                }
            }
            CallOutput::DialTarget { leg } => {
                if let Err(cause) = self.dial_target(call, leg, now) {
                    tracing::info!(%call, code = cause.code, why = cause.text, "a routed call cannot be placed");
                    self.lose_leg(leg, SegmentEnd::Unreachable, cause.clone(), now);
                    // Where it came to no leg at all.
                    self.tell(call, Input::TargetFailed { leg, cause });
                }
            }
            CallOutput::DialAgent { leg, agent } => {
                if let Err(cause) = self.dial_agent(call, leg, &agent, now) {
                    if cause == not_secure() {
                        // The caller's wish is no fault of the agent's, who stays available: the call ends.
                        self.tell(call, Input::Hangup { cause: cause.clone(), as_designed: false });
                        return self.tell(call, Input::AgentFailed { leg, end: SegmentEnd::Switch, cause });
                    }
                    tracing::warn!(%call, %agent, code = cause.code, why = cause.text, "an agent cannot be dialled");
                    self.tell(call, Input::AgentFailed { leg, end: SegmentEnd::Unreachable, cause });
                }
            }
            CallOutput::CallerThere => self.lead_summoned(call, now),
            CallOutput::CallBack { agent, leg } => self.call_back(call, agent, leg, now),
            CallOutput::BridgeEarly { leg } => self.bridge_early(call, leg, now),
            CallOutput::CancelLeg { leg, cause } => {
                self.release_media(leg, now);
                self.endpoint.cancel(leg, Why::new(cause.code, &cause.text), now);
            }
            CallOutput::ByeLeg { leg, cause } => {
                self.release_media(leg, now);
                self.endpoint.hang_up(leg, Why::new(cause.code, &cause.text), now);
            }
            CallOutput::Bridge { caller, agent, record } => self.bridge(call, caller, agent, record, now),
            CallOutput::Suspend { caller, agent } => self.suspend(call, caller, agent, now),
            CallOutput::Rejoin => {
                self.set_handed_on(call, false, now);
                self.follow_hold(call, now);
            }
            CallOutput::TransferEnded { leg, code } => self.endpoint.report_refer(leg, code, now),
            CallOutput::PresentationFailed { agent, end } => {
                let why = match end {
                    SegmentEnd::Busy => acd::Failure::Busy,
                    SegmentEnd::Rejected => acd::Failure::Rejected,
                    SegmentEnd::NoAnswer => acd::Failure::NoAnswer,
                    _ => acd::Failure::Unreachable,
                };
                self.acd.handle(acd::Input::AgentFailed { agent, call, why }, now);
            }
            CallOutput::NotReached { cause } => self.dial_on(call, cause, now),
            CallOutput::PlanGoesOn => {
                self.end_recording(call, now);
                self.advance(call, CursorInput::AgentLeft, now);
            }
            CallOutput::PlanOver => self.advance(call, CursorInput::HungUp, now),
            CallOutput::CallerLeft => self.leave_queue(call, now),
            CallOutput::ConversationEnded { agent } => {
                self.acd.handle(acd::Input::ConversationEnded { agent, call }, now);
            }
            CallOutput::Journal(event) => {
                self.write(*event, now);
            }
            CallOutput::Finished => self.finish(call, now),
        }
    }

    /// Writes a call's event down; its end also ends its plan, unless that goes on with what comes after.
    fn write(&mut self, event: Event, now: Now) {
        let Event::CallEnded { call, cause, .. } = &event else {
            self.journal(event, now);
            return;
        };
        let (call, cause) = (*call, cause.clone());
        self.counts.calls_ended += 1;
        self.leave_room(call, now);
        self.unpark(call, None, now);
        if self.calls.get(&call).is_some_and(|cell| *cell.call.state() != CallState::After) {
            self.advance(call, CursorInput::HungUp, now);
        }
        self.journal(event, now);
        self.callback_over(call, &cause, now);
    }

    fn leave_queue(&mut self, call: CallId, now: Now) {
        // The call has ended: by its caller, unless we ended it.
        let left_by_us = self.calls.get(&call).is_some_and(|cell| cell.call.ended_by_switch());
        let input = if left_by_us { acd::Input::CallerRemoved { call } } else { acd::Input::CallerLeft { call } };
        self.acd.handle(input, now);
    }

    fn answer_caller(&mut self, call: CallId, now: Now) {
        let Some(caller) = self.calls.get(&call).map(|cell| cell.caller) else { return };
        let Some(flow) = self.endpoint.flow_of(caller) else { return };
        let Some(local) = self.local_media(caller, Some(flow.remote.ip()), None) else { return };
        let Some(party) = self.legs.get_mut(&caller) else { return };
        // What was said before the answer stands.
        let body = party.described.take().unwrap_or_else(|| party.describe(&local, now));
        self.endpoint.answer(caller, body, now);
        self.command_media(caller, now);
        self.advance(call, CursorInput::Answered, now);
    }

    fn refuse_caller(&mut self, call: CallId, cause: &Cause, now: Now) {
        let Some(caller) = self.calls.get(&call).map(|cell| cell.caller) else { return };
        let code = match cause.code {
            // Where a call was sent elsewhere is not the caller's to follow.
            400..=699 => cause.code,
            17 => 486,
            _ => 480,
        };
        self.release_media(caller, now);
        self.endpoint.refuse(caller, code, now);
    }

    fn dial_agent(&mut self, call: CallId, leg: LegId, agent: &AgentId, now: Now) -> Result<(), Cause> {
        let (ways, nat) = self.phone_of(agent).ok_or_else(|| Cause::new(480, "no_contact"))?;
        let name = self.queue_of(call);
        let auto_answer = self.settings.auto_answer.contains(agent);
        let callee = Callee { role: Role::Agent(agent.clone()), user: None, nat, trunk: None };
        let body = self.offer_to(call, leg, &ways[0], callee, now)?;
        let cell = self.calls.get(&call).ok_or_else(|| Cause::new(500, "no_call"))?;
        let (from, domain) = shown_to_phones(cell);
        let carried = cell.carried.clone();
        // A phone redirects nobody: it must not spend the switch's money.
        let dial = Dial { name, domain, auto_answer, nat, carried, ..Dial::new(ways, from, body) };
        self.endpoint.dial(leg, dial, now);
        Ok(())
    }

    /// Calls the first place of those left that takes the call.
    fn dial_target(&mut self, call: CallId, leg: LegId, now: Now) -> Result<(), Cause> {
        let ring_ms = self.calls.get(&call).and_then(|cell| cell.onward.as_ref()).and_then(|onward| onward.ring_ms);
        self.timers.arm(now.in_ms(ring_ms.unwrap_or(RING_OUT_MS)), Timer::RingOut(leg));
        self.dial_next_place(call, leg, Cause::new(500, "no_target"), now)
    }

    fn dial_next_place(&mut self, call: CallId, leg: LegId, otherwise: Cause, now: Now) -> Result<(), Cause> {
        let mut last = otherwise;
        loop {
            let Some(place) = self.take_place(call, leg) else { return Err(last) };
            let dialled = match place {
                Place::Together(_) => Err(Cause::new(500, "no_target")),
                Place::User(user) => self.dial_user(call, leg, user, now),
                Place::Target(target) => self.dial_uri(call, leg, target, now),
                Place::Trunk(trunk) => self.dial_trunk(call, leg, trunk, now),
            };
            match dialled {
                Ok(()) => return Ok(()),
                Err(cause) => last = cause,
            }
        }
    }

    fn dial_uri(&mut self, call: CallId, leg: LegId, target: Uri, now: Now) -> Result<(), Cause> {
        let cell = self.calls.get(&call).ok_or_else(|| Cause::new(500, "no_call"))?;
        let called = cell.onward.as_ref().map(|onward| onward.called.clone());
        // It may send the call on within its own address (3xx).
        let own = target.address().map(Net::of).into_iter().collect();
        let way = Way { target: Uri { user: called, ..target }, flow: None, routes: vec![] };
        let callee = Callee { role: Role::Target, user: None, nat: false, trunk: None };
        let body = self.offer_to(call, leg, &way, callee, now)?;
        let cell = self.calls.get_mut(&call).ok_or_else(|| Cause::new(500, "no_call"))?;
        cell.early_media = true;
        let carried = cell.carried.clone();
        let from = self.shown_outside(call).unwrap_or_default();
        let dial = Dial { carried, ..Dial::new(vec![way], from, body) }.redirected_within(own);
        self.endpoint.dial(leg, dial, now);
        Ok(())
    }

    fn dial_trunk(&mut self, call: CallId, leg: LegId, trunk: TrunkId, now: Now) -> Result<(), Cause> {
        let cell = self.calls.get(&call).ok_or_else(|| Cause::new(500, "no_call"))?;
        let called = cell.onward.as_ref().map(|onward| onward.called.clone()).unwrap_or_default();
        let emergency = cell.onward.as_ref().is_some_and(|onward| onward.emergency);
        let carried = cell.carried.clone();
        let number = self.shown_outside(call).unwrap_or_default();
        // A number that a queue has is not the trunk's to replace.
        let ours = cell.calls_back.is_some() || (cell.from_agent.is_some() && number == cell.number);
        let caller = Shown { number, name: carried.name.clone(), private: carried.private };
        let because = |why: Why| Cause::new(why.code, &why.text);
        let secure = cell.secure;
        let mut ways = self.endpoint.trunk_ways(&trunk, &called).map_err(because)?;
        ways.retain(|way| !secure || is_secure(way));
        let first = ways.first().cloned().ok_or_else(not_secure)?;
        let nat = self.settings.sip.trunks.get(&trunk).is_some_and(|trunk| trunk.nat);
        let callee = Callee { role: Role::Target, user: None, nat, trunk: Some(trunk.clone()) };
        let body = self.offer_to(call, leg, &first, callee, now)?;
        let heard = self.settings.trunks.get(&trunk).is_none_or(|agreed| agreed.early_media);
        if let Some(cell) = self.calls.get_mut(&call) {
            cell.early_media = heard;
        }
        let placed = TrunkCall { ways, called, caller, ours, body, carried, emergency };
        self.endpoint.dial_trunk(leg, &trunk, placed, now).map_err(because)?;
        self.journal(Event::TrunkChosen { call, leg, trunk }, now);
        Ok(())
    }

    /// A place did not take the call: the next one is called on the same leg. `false` where that is of no use.
    pub(super) fn try_next_place(&mut self, leg: LegId, cause: &Cause, now: Now) -> bool {
        let Some(call) = self.legs.get(&leg).filter(|party| party.role == Role::Target).map(|party| party.call) else {
            return false;
        };
        let Some(cell) = self.calls.get(&call) else { return false };
        let state = cell.call.state();
        let rings =
            matches!(state, CallState::Routed { .. } | CallState::Transferring { .. } | CallState::CallingBack { .. });
        rings && is_about_the_way(cause.code) && self.dial_next_place(call, leg, cause.clone(), now).is_ok()
    }

    /// A called phone that still rings is given up.
    pub(super) fn handle_ring_out(&mut self, rings: LegId, now: Now) {
        if self.give_up_supervisor(rings, now) {
            return;
        }
        let Some(call) = self.legs.get(&rings).map(|party| party.call) else { return };
        match self.calls.get(&call).map(|cell| cell.call.state()) {
            Some(CallState::Summoning) => {
                let cause = Cause::new(408, "no_answer");
                self.tell(call, Input::Hangup { cause, as_designed: false });
            }
            Some(CallState::CallingBack { leg, .. }) if *leg != rings => {
                let cause = Cause::new(408, "no_answer");
                self.tell(call, Input::Hangup { cause, as_designed: false });
            }
            Some(CallState::Routed { legs, .. }) if legs.contains(&rings) && self.is_answered(call) => {
                self.tell(call, Input::Withdraw { agent: None, end: SegmentEnd::NoAnswer });
            }
            Some(CallState::Routed { legs, .. }) if legs.contains(&rings) => {
                let cause = Cause::new(408, "no_answer");
                self.tell(call, Input::Hangup { cause, as_designed: false });
            }
            Some(CallState::Transferring { leg, .. }) if *leg == rings => {
                self.tell(call, Input::Withdraw { agent: None, end: SegmentEnd::NoAnswer });
            }
            _ => {}
        }
    }

    fn is_answered(&self, call: CallId) -> bool {
        self.calls.get(&call).is_some_and(|cell| cell.call.is_answered())
    }

    /// Ports and an offer for a party that is about to be called; a leg that calls its next place keeps its ports.
    pub(super) fn offer_to(
        &mut self,
        call: CallId,
        leg: LegId,
        way: &Way,
        callee: Callee,
        now: Now,
    ) -> Result<String, Cause> {
        let Callee { role, user, nat, trunk } = callee;
        let remote = self.endpoint.remote_of(way, now);
        let cell = self.calls.get(&call).ok_or_else(|| Cause::new(500, "no_call"))?;
        if cell.secure && !is_secure(way) {
            tracing::warn!(%call, target = %way.target, "a call by sips is not placed on by a way that can be overheard");
            return Err(not_secure());
        }
        let caller_party = self.legs.get(&cell.caller);
        let caller_media = caller_party.and_then(|party| party.media.as_ref());
        let offered = caller_party.and_then(|party| party.offer.as_ref());
        // A customer who is called back follows the agent, who was called first, on whichever thread.
        let agents = || cell.call.legs().find_map(|leg| self.legs.get(&leg.id)?.media.as_ref());
        let first = caller_media.or_else(agents);
        let codec = first.and_then(|media| media.negotiated.as_ref()).map(|negotiated| negotiated.codec);
        let codec = codec.or_else(|| offered.and_then(crate::sdp::preferred_codec));
        let thread = first.map(|media| media.lease.thread);
        let begins = thread.is_none() && (cell.calls_back.is_some() || *cell.call.state() == CallState::Summoning);
        let thread = if begins { self.slot_thread(call, now) } else { thread };
        let begins = begins && thread.is_none();
        let thread = if begins { Some(self.stock.next_thread()) } else { thread };
        let kept = self.legs.get_mut(&leg).and_then(|party| party.media.take());
        let keys = self.draw_keys();
        let media = match kept {
            Some(media) => Some(Media { nat, remote: None, negotiated: None, keys, ..media }),
            None if is_web(way) && self.settings.web.is_some() => thread.and_then(|thread| self.web_media(thread, nat)),
            None if begins => self.stock.take().map(|lease| Media::new(lease, nat, keys)),
            None => thread.and_then(|thread| self.stock.take_of(thread)).map(|lease| Media::new(lease, nat, keys)),
        };
        let Some(media) = media else { return Err(self.lack_ports()) };
        let negotiator = Negotiator::new(self.random_u128() as u64);
        let party = Party { media: Some(media), user, trunk, ..Party::new(call, role, negotiator) };
        self.legs.insert(leg, Box::new(party));
        let local = self.local_media(leg, remote, codec);
        let party = self.legs.get_mut(&leg);
        Ok(party.zip(local).map(|(party, local)| party.negotiator.offer(&local)).unwrap_or_default())
    }

    /// The ways to the phone of an agent, one at least: to the registered contact that answers and is preferred, else the static one.
    pub(super) fn phone_of(&self, agent: &AgentId) -> Option<(Vec<Way>, bool)> {
        let agent = self.desks.phone_of(agent);
        let aor = self.endpoint.aor(agent.as_str());
        let nat = self.settings.sip.users.get(agent.as_str()).is_some_and(|user| user.nat);
        let best = self.endpoint.registrar().best_contact(&aor);
        if let Some(binding) = best {
            return Some((self.endpoint.ways_to(binding), nat)).filter(|(ways, _)| !ways.is_empty());
        }
        let target: Uri = self.settings.static_contacts.get(agent)?.parse().ok()?;
        Some((vec![Way { target, flow: None, routes: Vec::new() }], nat))
    }

    /// The queue in which a call waits: what the agent reads on the phone beside the number.
    fn queue_of(&self, call: CallId) -> Option<String> {
        let positions = self.acd.view().positions(call);
        positions.first().map(|(queue, _)| queue.as_str().to_owned())
    }

    fn bridge(&mut self, call: CallId, caller: LegId, other: LegId, record: bool, now: Now) {
        let announcement = self.announcement(call, other, now);
        if let Some(Role::Agent(agent)) = self.legs.get(&other).map(|party| party.role.clone()) {
            self.acd.handle(acd::Input::AgentAnswered { agent, call }, now);
            self.advance(call, CursorInput::Connected, now);
        }
        self.called_back(call, caller, now);
        self.counts.calls_bridged += 1;
        if !announcement.is_empty() {
            return self.announce_caller(call, other, &announcement, record, now);
        }
        // One before whose end the call was handed on says nothing about this conversation.
        if let Some(cell) = self.calls.get_mut(&call) {
            cell.announcing = None;
        }
        self.record(call, caller, other, record, now);
        self.join(call, caller, other, now);
    }

    /// Lets both parties hear each other, or music where the other one holds.
    pub(super) fn join(&mut self, call: CallId, caller: LegId, other: LegId, now: Now) {
        self.end_announcing(call, caller, other, now);
        let music = self.calls.get(&call).map_or(self.settings.default_music, |cell| cell.music);
        let third = self.third_voice(call);
        for (leg, peer) in [(caller, other), (other, caller)] {
            let peer_holds = self.media_of(peer).is_some_and(|media| media.holds());
            let wants_sound = self.media_of(leg).is_some_and(|media| !media.holds());
            let send = match (wants_sound, peer_holds) {
                (false, _) => Source::Silence,
                (true, true) => third.map_or(Source::Music(music), |third| Source::Mix(vec![third])),
                (true, false) => Source::Bridge(peer),
            };
            self.play(leg, send, now);
        }
    }

    /// The call's own legs are gone; it is forgotten once those that it has done with are, too.
    pub(super) fn finish(&mut self, call: CallId, now: Now) {
        if let Some(cell) = self.calls.get_mut(&call).filter(|cell| cell.leaving > 0 || !cell.supervisors.is_empty()) {
            cell.finished = true;
            return;
        }
        let Some(cell) = self.calls.remove(&call) else { return };
        if let Some(timer) = cell.flow_timer {
            self.timers.disarm(timer);
        }
        // Whoever asked to be called back has hung up.
        self.place_callback(call, now);
    }
}

/// What is known of a party that is about to be called.
pub(super) struct Callee {
    pub(super) role: Role,
    /// Where it is one of our users, whom no queue calls.
    pub(super) user: Option<AgentId>,
    pub(super) nat: bool,
    pub(super) trunk: Option<TrunkId>,
}

/// The number of a caller as phones may show it, and the domain where that is not ours.
pub(super) fn shown_to_phones(cell: &PartyCall) -> (String, Option<String>) {
    if cell.carried.private {
        // RFC 3323 §4.1.1.3
        return ("anonymous".to_owned(), Some("anonymous.invalid".to_owned()));
    }
    (cell.number.clone(), None)
}

/// Whether nobody on a way reads along, whatever it is found to be.
pub(super) fn is_secure(way: &Way) -> bool {
    let transport = way.flow.map(|flow| flow.transport).or_else(|| Transport::of_uri(&way.target));
    transport.is_some_and(Transport::is_secure)
}

/// Whether a browser is at the end of a way: nobody else signals by WebSocket.
fn is_web(way: &Way) -> bool {
    way.flow.is_some_and(|flow| matches!(flow.transport, Transport::Ws | Transport::Wss))
}

/// A call that must not be overheard has no way that keeps it so.
fn not_secure() -> Cause {
    Cause::new(480, "not_secure")
}
