//! A call that is offered to us: answer, refuse, and the ACK (RFC 3261 §13.3).

use super::{Offered, Repeat, Session, State, describe, is_behind_nat, reason_of};
use crate::id::LegId;
use crate::sip::dialog::Role;
use crate::sip::endpoint::{Endpoint, Event, Purpose, Timer, Why};
use crate::sip::message::{Message, Scheme, reason_phrase, response_to};
use crate::sip::transaction::timers::{GIVE_UP, T1, T2};
use crate::sip::transaction::{Flow, TransactionKey};
use crate::time::Now;

impl Endpoint {
    pub(in crate::sip) fn take_offer(&mut self, leg: LegId, key: TransactionKey, msg: Message, flow: Flow, nat: bool) {
        let uri = msg.uri();
        let user = uri.and_then(|uri| uri.user.clone()).unwrap_or_default();
        let contact = self.contact(&user, flow, uri.map_or(&Scheme::Sip, |uri| &uri.scheme));
        let behind_nat = is_behind_nat(&msg, flow, nat);
        let offered = Offered { key, request: msg, tag: self.draw(), cancelled: false };
        let state = State::Offered(Box::new(offered));
        let session = Session { behind_nat, ..Session::new(state, flow, contact) };
        self.sessions.insert(leg, Box::new(session));
    }

    /// Answers the call with a session description, which is left out where a reliable provisional response has carried it. The
    /// answer waits for the PRACK of such a one (RFC 3262 §3), and is sent again until it is acknowledged.
    pub fn answer(&mut self, leg: LegId, body: String, now: Now) {
        if !self.sessions.get(&leg).is_some_and(|session| matches!(session.state, State::Offered(_))) {
            return;
        }
        let Some(body) = self.body_of_answer(leg, body) else { return };
        let Some(session) = self.sessions.get_mut(&leg) else { return };
        let State::Offered(offered) = std::mem::replace(&mut session.state, State::Up) else { return };
        let Offered { key, request, tag, .. } = *offered;
        let response = response_to(&request, 200, reason_phrase(200), Some(&tag));
        if let Some(body) = &body {
            session.described.clone_from(body);
        }
        let response = describe(response, &session.contact, body);
        // The early dialog goes on, with the numbers of what was said in it.
        let dialog = session.dialog.take().or_else(|| Self::dialog_of(Role::Uas, &request, &response));
        let Some(dialog) = dialog else {
            // The request's Contact and routes were read when it was taken in; whatever fails here is the peer's.
            self.purposes.remove(&key);
            return self.lose_session(leg, Why::new(400, "no_dialog"));
        };
        self.set_dialog(leg, dialog);
        self.purposes.remove(&key);
        let response = self.answer_timer(leg, &request, response, now);
        self.respond(&key, response.clone(), now);
        self.repeat(leg, key, response, now);
    }

    /// Refuses the call with a final response of 300 or more; with 487 where its caller has cancelled it. The leg is gone at once.
    pub fn refuse(&mut self, leg: LegId, code: u16, now: Now) {
        let Some(Session { state: State::Offered(offered), .. }) = self.sessions.get(&leg).map(Box::as_ref) else {
            return;
        };
        let code = if offered.cancelled { 487 } else { code };
        let response = response_to(&offered.request, code, reason_phrase(code), Some(&offered.tag));
        let key = offered.key.clone();
        self.purposes.remove(&key);
        self.respond(&key, response, now);
        self.forget_session(leg);
        self.events.push_back(Event::Gone { leg });
    }

    /// The caller's CANCEL; it is answered already.
    pub(in crate::sip) fn handle_cancel(&mut self, invite: &TransactionKey, msg: &Message, now: Now) {
        if let Some(Purpose::Offered(leg)) = self.purposes.get(invite).cloned() {
            self.handle_withdrawn(leg, reason_of(msg, Why::new(487, "cancelled")), now);
        }
    }

    /// The caller gave up.
    pub(super) fn handle_withdrawn(&mut self, leg: LegId, why: Why, now: Now) {
        let Some(session) = self.sessions.get_mut(&leg) else { return };
        let State::Offered(offered) = &mut session.state else { return };
        offered.cancelled = true;
        if session.reliable.holds_answer() {
            // Its owner has answered, and is told of an end like any other.
            self.events.push_back(Event::HungUp { leg, why });
            return self.refuse(leg, 487, now);
        }
        self.events.push_back(Event::Cancelled { leg, why });
    }

    /// The stream of an offered call broke before its final response.
    pub(in crate::sip) fn handle_offer_lost(&mut self, leg: LegId) {
        self.lose_session(leg, Why::new(503, "transport_failed"));
    }

    /// Sends a 2xx until it is acknowledged.
    pub(super) fn repeat(&mut self, leg: LegId, key: TransactionKey, response: Message, now: Now) {
        let cseq = response.cseq().map_or(0, |cseq| cseq.number);
        let timer = self.timers.arm(now.in_ms(T1), Timer::Repeat(leg));
        let repeat = Repeat { key, response, cseq, interval_ms: T1, give_up_ns: now.in_ms(GIVE_UP), timer };
        let Some(session) = self.sessions.get_mut(&leg) else { return };
        if let Some(old) = session.repeat.replace(repeat) {
            self.timers.disarm(old.timer);
        }
    }

    pub(in crate::sip) fn handle_repeat_due(&mut self, leg: LegId, now: Now) {
        let Some(repeat) = self.sessions.get_mut(&leg).and_then(|session| session.repeat.as_mut()) else { return };
        if now.mono_ns >= repeat.give_up_ns {
            return self.handle_never_acked(leg, now);
        }
        repeat.interval_ms = (repeat.interval_ms * 2).min(T2);
        let due = now.in_ms(repeat.interval_ms).min(repeat.give_up_ns);
        repeat.timer = self.timers.arm(due, Timer::Repeat(leg));
        let (key, response) = (repeat.key.clone(), repeat.response.clone());
        self.respond_within(&key, response, now);
    }

    /// The ACK of a 2xx. Repeated ACKs and ACKs to nothing change nothing.
    pub(in crate::sip) fn handle_ack(&mut self, msg: &Message, source: Flow, now: Now) {
        let Some(leg) = self.leg_of(msg) else { return };
        self.follow_peer(leg, msg, source);
        let Some(session) = self.sessions.get_mut(&leg) else { return };
        let number = msg.cseq().map_or(0, |cseq| cseq.number);
        let Some(repeat) = session.repeat.take_if(|repeat| repeat.cseq == number) else { return };
        self.timers.disarm(repeat.timer);
        let waiting = session.bye.take();
        let body = msg.session_description().ok().flatten().map(<[u8]>::to_vec);
        self.events.push_back(Event::Acked { leg, body });
        if let Some(why) = waiting {
            self.send_bye(leg, &why, now);
        }
    }

    /// 64·T1 without an ACK: the session ends by our BYE (§13.3.1.4).
    fn handle_never_acked(&mut self, leg: LegId, now: Now) {
        let Some(session) = self.sessions.get_mut(&leg) else { return };
        session.repeat = None;
        let why = match session.bye.take() {
            Some(why) => why,
            None => {
                let why = Why::new(408, "no_ack");
                self.events.push_back(Event::HungUp { leg, why: why.clone() });
                why
            }
        };
        self.send_bye(leg, &why, now);
    }
}
