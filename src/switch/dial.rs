//! What a call wants done: answer, dial, bridge, close.

use super::party::{Media, Party, Role};
use super::{Flow, Switch, Timer};
use crate::acd;
use crate::call::{CallState, Input, Output as CallOutput};
use crate::id::{AgentId, CallId, LegId};
use crate::journal::{Cause, Event, SegmentEnd};
use crate::media::{RecordingSpec, Side, Source};
use crate::sdp::Negotiator;
use crate::sip::endpoint::{Dial, Way, Why};
use crate::sip::message::Uri;
use crate::sip::transaction::Transport;
use crate::sip::trunk::Net;
use crate::time::Now;

/// How long a routed call may ring, ms: shorter than the three minutes after which proxies give up (RFC 3261 §16.6, timer C).
const RING_OUT_MS: u64 = 120_000;

/// Targets that one routed call may be redirected to, one after the other.
const REDIRECTS: u8 = 5;

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
            CallOutput::PresentationFailed { agent, end } => {
                let why = match end {
                    SegmentEnd::Busy => acd::Failure::Busy,
                    SegmentEnd::Rejected => acd::Failure::Rejected,
                    SegmentEnd::NoAnswer => acd::Failure::NoAnswer,
                    _ => acd::Failure::Unreachable,
                };
                self.acd.handle(acd::Input::AgentFailed { agent, call, why }, now);
            }
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

    /// Writes a call's event down; its end also ends its plan.
    fn write(&mut self, event: Event, now: Now) {
        if let Event::CallEnded { call, .. } = &event {
            let call = *call;
            self.counts.calls_ended += 1;
            self.advance(call, crate::dialplan::CursorInput::HungUp, now);
        }
        self.journal(event, now);
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
        let Some(port) = self.media_of(caller).map(|media| media.lease.rtp_port) else { return };
        let local = self.local_media(port, flow, None);
        let Some(party) = self.legs.get_mut(&caller) else { return };
        // What was said before the answer stands.
        let body = party.described.take().unwrap_or_else(|| party.describe(&local));
        self.endpoint.answer(caller, body, now);
        self.command_media(caller, now);
        self.advance(call, crate::dialplan::CursorInput::Answered, now);
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
        let (target, flow, nat) = self.phone_of(agent).ok_or_else(|| Cause::new(480, "no_contact"))?;
        let name = self.queue_of(call);
        let auto_answer = self.settings.auto_answer.contains(agent);
        self.dial(
            call,
            leg,
            Role::Agent(agent.clone()),
            Callee { target, flow, nat, name, auto_answer, redirect_nets: Vec::new() },
            now,
        )
    }

    fn dial_target(&mut self, call: CallId, leg: LegId, now: Now) -> Result<(), Cause> {
        let cell = self.calls.get(&call).ok_or_else(|| Cause::new(500, "no_call"))?;
        let address = cell.target.ok_or_else(|| Cause::new(500, "no_target"))?;
        let host = address.ip();
        let host = if host.is_ipv6() { format!("[{host}]") } else { host.to_string() };
        let target = Uri::sip(Some(&cell.called), &host, Some(address.port()));
        let redirect_nets = address.ip().to_string().parse().into_iter().collect();
        let flow = self.settings.sip.flow_to(Transport::Udp, address);
        let flow = flow.ok_or_else(|| Cause::new(503, "no_transport"))?;
        self.dial(
            call,
            leg,
            Role::Target,
            Callee { target, flow, nat: false, name: None, auto_answer: false, redirect_nets },
            now,
        )?;
        self.timers.arm(now.in_ms(RING_OUT_MS), Timer::RingOut(call));
        Ok(())
    }

    /// A routed call that still rings gets no answer any more.
    pub(super) fn handle_ring_out(&mut self, call: CallId) {
        let rings = |cell: &super::party::PartyCall| matches!(cell.call.state(), CallState::Routed { .. });
        if self.calls.get(&call).is_some_and(rings) {
            let cause = Cause::new(408, "no_answer");
            self.tell(call, Input::Hangup { cause, as_designed: false });
        }
    }

    fn dial(&mut self, call: CallId, leg: LegId, role: Role, callee: Callee, now: Now) -> Result<(), Cause> {
        let Callee { target, flow, nat, name, auto_answer, redirect_nets } = callee;
        let cell = self.calls.get(&call).ok_or_else(|| Cause::new(500, "no_call"))?;
        if cell.secure && !flow.transport.is_secure() {
            tracing::warn!(%call, %target, "a call by sips is not placed on by a way that can be overheard");
            return Err(not_secure());
        }
        let (caller, from, carried) = (cell.caller, cell.number.clone(), cell.carried.clone());
        let caller_media = self.legs.get(&caller).and_then(|party| party.media.as_ref());
        let thread = caller_media.map(|media| media.lease.thread);
        let offered = self.legs.get(&caller).and_then(|party| party.offer.as_ref());
        let codec = caller_media.and_then(|media| media.negotiated.as_ref()).map(|negotiated| negotiated.codec);
        let codec = codec.or_else(|| offered.and_then(crate::sdp::preferred_codec));
        let lease = thread.and_then(|thread| self.stock.take_of(thread));
        let lease = lease.ok_or_else(|| Cause::new(503, "no_media_ports"))?;
        let local = self.local_media(lease.rtp_port, flow, codec);
        let mut negotiator = Negotiator::new(self.random_u128() as u64);
        let body = negotiator.offer(&local);
        let media = Some(Media::new(lease, nat));
        self.legs.insert(
            leg,
            Party { call, role, negotiator, media, offer: None, described: None, strangers: 0, dialog_gone: false },
        );
        let dial = Dial {
            ways: vec![Way { target, flow }],
            patience_ms: 0,
            from,
            name,
            domain: None,
            account: None,
            headers: Vec::new(),
            body,
            carried,
            auto_answer,
            redirects: if redirect_nets.is_empty() { 0 } else { REDIRECTS },
            redirect_nets,
        };
        self.endpoint.dial(leg, dial, now);
        Ok(())
    }

    /// The phone of an agent: the registered contact that answers and is preferred, else the static one.
    fn phone_of(&self, agent: &AgentId) -> Option<(Uri, Flow, bool)> {
        let aor = self.endpoint.aor(agent.as_str());
        let nat = self.settings.sip.users.get(agent.as_str()).is_some_and(|user| user.nat);
        let best = self.endpoint.registrar().best_contact(&aor);
        if let Some(binding) = best {
            return Some((binding.uri.parse().ok()?, binding.flow.parse().ok()?, nat));
        }
        let target: Uri = self.settings.static_contacts.get(agent)?.parse().ok()?;
        let flow = self.settings.sip.way_of(&target)?;
        Some((target, flow, nat))
    }

    /// The queue in which a call waits: what the agent reads on the phone beside the number.
    fn queue_of(&self, call: CallId) -> Option<String> {
        let positions = self.acd.view().positions(call);
        positions.first().map(|(queue, _)| queue.as_str().to_owned())
    }

    fn bridge(&mut self, call: CallId, caller: LegId, other: LegId, record: bool, now: Now) {
        if let Some(Role::Agent(agent)) = self.legs.get(&other).map(|party| party.role.clone()) {
            self.acd.handle(acd::Input::AgentAnswered { agent, call }, now);
        }
        self.counts.calls_bridged += 1;
        if record {
            let (id, consent) = (call.to_string(), "announced".to_owned());
            self.journal(Event::RecordingStarted { call, recording: id.clone(), consent }, now);
            for (leg, side) in [(caller, Side::Caller), (other, Side::Agent)] {
                if let Some(media) = self.media_of(leg) {
                    media.recording = Some(RecordingSpec { id: id.clone(), call, side });
                }
            }
        }
        self.join(call, caller, other, now);
    }

    /// Lets both parties hear each other, or music where the other one holds.
    pub(super) fn join(&mut self, call: CallId, caller: LegId, other: LegId, now: Now) {
        let music = self.calls.get(&call).map_or(self.settings.default_music, |cell| cell.music);
        for (leg, peer) in [(caller, other), (other, caller)] {
            let peer_holds = self.media_of(peer).is_some_and(|media| media.holds());
            let wants_sound = self.media_of(leg).is_some_and(|media| !media.holds());
            let send = match (wants_sound, peer_holds) {
                (false, _) => Source::Silence,
                (true, true) => Source::Music(music),
                (true, false) => Source::Bridge(peer),
            };
            self.play(leg, send, now);
        }
    }

    fn finish(&mut self, call: CallId, now: Now) {
        let Some(cell) = self.calls.remove(&call) else { return };
        if let Some(timer) = cell.flow_timer {
            self.timers.disarm(timer);
        }
        if let Some(agent) = cell.taken_phone {
            self.acd.handle(acd::Input::PhoneFree { agent, call }, now);
        }
    }
}

/// A call that must not be overheard has no way that keeps it so.
fn not_secure() -> Cause {
    Cause::new(480, "not_secure")
}

/// Whom to dial and how.
struct Callee {
    target: Uri,
    flow: Flow,
    nat: bool,
    /// What the phone shows beside the number.
    name: Option<String>,
    auto_answer: bool,
    /// Where it may send the call on to (3xx): nowhere for a phone, which must not spend the switch's money.
    redirect_nets: Vec<Net>,
}
