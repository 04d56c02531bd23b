//! Provisional responses of ours: those that a caller can have reliably are sent until its PRACK comes (RFC 3262 §3), and a
//! description in one may begin the session before it is answered (RFC 6337 §2).

use super::{State, describe};
use crate::id::LegId;
use crate::sip::dialog::Role;
use crate::sip::endpoint::{Endpoint, Event, Timer, Why};
use crate::sip::message::{Message, Method, reason_phrase, response_to};
use crate::sip::transaction::TransactionKey;
use crate::sip::transaction::timers::{GIVE_UP, T1};
use crate::time::{Now, TimerId};

/// Reliable provisional responses to one INVITE: one at a time.
#[derive(Clone, Debug, Default)]
pub(super) struct Reliable {
    /// RSeq of the last one; 0 before the first.
    rseq: u32,
    unacked: Option<Unacked>,
    /// What is to be said next: a status, and a description that must not be lost.
    next: Option<(u16, Option<String>)>,
    /// The description of a 2xx that waits for the PRACK.
    answer: Option<String>,
    /// Whether a description left reliably: then the 2xx carries none.
    described: bool,
}

/// A reliable provisional response without its PRACK.
#[derive(Clone, Debug)]
struct Unacked {
    rseq: u32,
    cseq: u32,
    response: Message,
    interval_ms: u64,
    give_up_ns: u64,
    /// None once a final response has left: then it is not sent again, and its PRACK still welcome.
    timer: Option<TimerId>,
}

impl Unacked {
    fn describes(&self) -> bool {
        !self.response.body.is_empty()
    }
}

impl Reliable {
    pub(super) fn timer(&self) -> Option<TimerId> {
        self.unacked.as_ref().and_then(|unacked| unacked.timer)
    }

    /// Whether the owner has answered and the 2xx waits.
    pub(super) fn holds_answer(&self) -> bool {
        self.answer.is_some()
    }

    /// Whether offer and answer went reliably, so that either side may offer anew by UPDATE (RFC 3311 §5.1).
    pub(super) fn is_settled(&self) -> bool {
        self.described && !self.unacked.as_ref().is_some_and(Unacked::describes)
    }
}

/// How a caller can have provisional responses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wants {
    Plain,
    Reliable,
    OnlyReliable,
}

fn wants(invite: &Message) -> Wants {
    if invite.names("Require", "100rel") {
        Wants::OnlyReliable
    } else if invite.names("Supported", "100rel") {
        Wants::Reliable
    } else {
        Wants::Plain
    }
}

/// RAck: the numbers of the response and of its INVITE.
fn rack(msg: &Message) -> Option<(u32, u32)> {
    let mut parts = msg.header("RAck")?.split_whitespace();
    let numbers = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
    (parts.next()? == Method::Invite.as_str() && parts.next().is_none()).then_some(numbers)
}

impl Endpoint {
    /// Tells the caller that the called party's phone rings (180).
    pub fn ring(&mut self, leg: LegId, now: Now) {
        self.progress(leg, 180, None, now);
    }

    /// Lets the caller hear something before the answer (183), with our answer to its offer. Where it left the offer to us, ours
    /// can be made only if [`Self::takes_reliable`]; its answer then comes as `Acked`.
    pub fn describe_early(&mut self, leg: LegId, body: String, now: Now) {
        self.progress(leg, 183, Some(body), now);
    }

    /// Whether the caller takes provisional responses reliably.
    pub fn takes_reliable(&self, leg: LegId) -> bool {
        let state = self.sessions.get(&leg).map(|session| &session.state);
        matches!(state, Some(State::Offered(offered)) if wants(&offered.request) != Wants::Plain)
    }

    fn progress(&mut self, leg: LegId, code: u16, body: Option<String>, now: Now) {
        let Some(session) = self.sessions.get_mut(&leg) else { return };
        let State::Offered(offered) = &session.state else { return };
        if session.reliable.holds_answer() || offered.cancelled {
            return;
        }
        let reliably = match wants(&offered.request) {
            Wants::Plain => false,
            Wants::Reliable => body.is_some(),
            Wants::OnlyReliable => true,
        };
        if reliably && (session.reliable.unacked.is_some() || session.modify.is_some()) {
            let kept = session.reliable.next.take().and_then(|(_, body)| body);
            session.reliable.next = Some((code, body.or(kept)));
            return;
        }
        let (key, response) =
            (offered.key.clone(), response_to(&offered.request, code, reason_phrase(code), Some(&offered.tag)));
        if let Some(body) = &body {
            session.described.clone_from(body);
        }
        let response = describe(response, &session.contact, body);
        if session.dialog.is_none()
            && let Some(dialog) = Self::dialog_of(Role::Uas, &offered.request, &response)
        {
            let id = dialog.id();
            self.dialogs.insert((id.call_id.clone(), id.local_tag.clone()), leg);
            session.dialog = Some(dialog);
        }
        if reliably { self.send_reliably(leg, response, now) } else { self.respond(&key, response, now) }
    }

    fn send_reliably(&mut self, leg: LegId, response: Message, now: Now) {
        // The first number is drawn from the lower half, so that there is room above it (§3).
        let first = (self.draw_u128() as u32 & 0x3fff_ffff) + 1;
        let Some(session) = self.sessions.get_mut(&leg) else { return };
        let State::Offered(offered) = &session.state else { return };
        let timer = self.timers.arm(now.in_ms(T1), Timer::Provisional(leg));
        let reliable = &mut session.reliable;
        reliable.rseq = if reliable.rseq == 0 { first } else { reliable.rseq + 1 };
        reliable.described |= !response.body.is_empty();
        let response = response.with("Require", "100rel").with("RSeq", reliable.rseq);
        reliable.unacked = Some(Unacked {
            rseq: reliable.rseq,
            cseq: offered.request.cseq().map_or(0, |cseq| cseq.number),
            response: response.clone(),
            interval_ms: T1,
            give_up_ns: now.in_ms(GIVE_UP),
            timer: Some(timer),
        });
        let key = offered.key.clone();
        self.respond(&key, response, now);
    }

    /// The PRACK has not come: the response is sent again, or the call refused (§3).
    pub(in crate::sip) fn handle_provisional_due(&mut self, leg: LegId, now: Now) {
        let Some(session) = self.sessions.get_mut(&leg) else { return };
        let (State::Offered(offered), Some(unacked)) = (&session.state, &mut session.reliable.unacked) else { return };
        if now.mono_ns >= unacked.give_up_ns {
            unacked.timer = None;
            self.events.push_back(Event::HungUp { leg, why: Why::new(504, "no_prack") });
            return self.refuse(leg, 504, now);
        }
        unacked.interval_ms *= 2;
        let due = now.in_ms(unacked.interval_ms).min(unacked.give_up_ns);
        unacked.timer = Some(self.timers.arm(due, Timer::Provisional(leg)));
        let (key, response) = (offered.key.clone(), unacked.response.clone());
        self.respond(&key, response, now);
    }

    /// A PRACK within the dialog of an INVITE that came to us.
    pub(in crate::sip) fn handle_prack(&mut self, leg: LegId, key: TransactionKey, msg: &Message, now: Now) {
        let named = rack(msg);
        let reliable = self.sessions.get_mut(&leg).map(|session| &mut session.reliable);
        let is_meant = |unacked: &mut Unacked| named == Some((unacked.rseq, unacked.cseq));
        let Some(unacked) = reliable.and_then(|reliable| reliable.unacked.take_if(is_meant)) else {
            return self.refuse_within(&key, msg, 481, now);
        };
        if let Some(timer) = unacked.timer {
            self.timers.disarm(timer);
        }
        let Some(body) = self.session_body(&key, msg, now) else { return self.go_on(leg, now) };
        let Some(session) = self.sessions.get_mut(&leg) else { return };
        let offered_by_us = match &session.state {
            State::Offered(offered) => unacked.describes() && offered.request.body.is_empty(),
            _ => false,
        };
        match body {
            Some(_)
                if !offered_by_us && session.reliable.is_settled() && matches!(session.state, State::Offered(_)) =>
            {
                session.modify = Some((key, Box::new(msg.clone())));
                return self.events.push_back(Event::Modified { leg, body });
            }
            // An offer while the INVITE's own has no answer (RFC 6337 §2.2).
            Some(_) if !offered_by_us => self.refuse_within(&key, msg, 488, now),
            body => {
                let response = describe(response_to(msg, 200, reason_phrase(200), None), &session.contact, None);
                self.respond_within(&key, response, now);
                if offered_by_us {
                    self.events.push_back(Event::Acked { leg, body });
                }
            }
        }
        self.go_on(leg, now);
    }

    /// Says what waited for a PRACK, or for the answer to an offer in it.
    pub(super) fn go_on(&mut self, leg: LegId, now: Now) {
        let Some(session) = self.sessions.get_mut(&leg) else { return };
        if session.reliable.unacked.is_some() || session.modify.is_some() {
            return;
        }
        if let Some(answer) = session.reliable.answer.take() {
            self.answer(leg, answer, now);
        } else if let Some((code, body)) = session.reliable.next.take() {
            self.progress(leg, code, body, now);
        }
    }

    /// The description that our 2xx carries; `None` where the 2xx has to wait.
    pub(super) fn body_of_answer(&mut self, leg: LegId, body: String) -> Option<Option<String>> {
        let session = self.sessions.get_mut(&leg)?;
        let reliable = &mut session.reliable;
        if reliable.unacked.as_ref().is_some_and(Unacked::describes) || session.modify.is_some() {
            reliable.answer = Some(body);
            return None;
        }
        reliable.next = None;
        if let Some(timer) = reliable.unacked.as_mut().and_then(|unacked| unacked.timer.take()) {
            self.timers.disarm(timer);
        }
        Some((!reliable.described).then_some(body))
    }
}
