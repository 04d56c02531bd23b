//! A call that we place: INVITE, its responses, CANCEL (RFC 3261 §13.2, §9.1).

use super::{Session, State, describe};
use crate::id::LegId;
use crate::sip::dialog::{Dialog, RequestFrame, Role};
use crate::sip::endpoint::{Endpoint, Event, Purpose, Timer, Why};
use crate::sip::message::{Message, Method, NameAddr, Uri};
use crate::sip::transaction::timers::GIVE_UP;
use crate::sip::transaction::{Flow, TransactionKey};
use crate::time::Now;

/// Whom to call, and as whom.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dial {
    /// Request-URI and To.
    pub target: Uri,
    /// The way there.
    pub flow: Flow,
    /// The user in our From: the number that the called party sees.
    pub from: String,
    /// The name in our From.
    pub name: Option<String>,
    /// Our offer.
    pub body: String,
}

impl Endpoint {
    /// Places a call on a leg of [`Endpoint::next_leg`].
    pub fn dial(&mut self, leg: LegId, dial: Dial, now: Now) {
        let Dial { target, flow, from, name, body } = dial;
        let contact = self.contact(&from, flow);
        let user = Some(from.as_str()).filter(|user| !user.is_empty());
        let host = self.settings.advertised(flow).ip();
        let host = if host.is_ipv6() { format!("[{host}]") } else { host.to_string() };
        let mut own = NameAddr { name, ..NameAddr::new(Uri::sip(user, &host, None)) };
        own.params.set("tag", Some(&self.draw()));
        let call_id = format!("{}{}", self.draw(), self.draw());
        let request = Message::request(Method::Invite, target.clone())
            .with("Max-Forwards", 70)
            .with("From", own)
            .with("To", NameAddr::new(target))
            .with("Call-ID", call_id)
            .with("CSeq", "1 INVITE")
            .with("User-Agent", self.settings.product.clone());
        let request = describe(request, &contact, Some(body));
        let key = self.send(request, flow, now);
        self.purposes.insert(key.clone(), Purpose::Dialled(leg));
        let state = State::Calling { key, progressed: false, cancelling: false };
        self.sessions.insert(leg, Session::new(state, flow, contact));
    }

    /// Gives up on a call that was not answered. Its end comes as `Failed`, or as `Answered` where the 200 was quicker.
    pub fn cancel(&mut self, leg: LegId, now: Now) {
        let Some(Session { state: State::Calling { key, progressed, cancelling }, .. }) = self.sessions.get_mut(&leg)
        else {
            return;
        };
        let (was, ready, key) = (std::mem::replace(cancelling, true), *progressed, key.clone());
        // Before a provisional response a CANCEL might overtake its INVITE (§9.1).
        if ready && !was {
            self.send_cancel(leg, &key, now);
        }
    }

    fn send_cancel(&mut self, leg: LegId, key: &TransactionKey, now: Now) {
        if self.transactions.cancel(key, now).is_ok() {
            self.timers.arm(now.in_ms(GIVE_UP), Timer::CancelPatience(leg));
        }
    }

    pub(in crate::sip) fn handle_cancel_patience_over(&mut self, leg: LegId) {
        let Some(Session { state: State::Calling { key, .. }, .. }) = self.sessions.get(&leg) else { return };
        let key = key.clone();
        self.transactions.forget(&key);
        self.purposes.remove(&key);
        self.fail(leg, Why::new(487, "cancel_unanswered"));
    }

    pub(in crate::sip) fn handle_dial_response(&mut self, leg: LegId, key: &TransactionKey, msg: &Message, now: Now) {
        match msg.code().unwrap_or_default() {
            code @ 100..=199 => self.handle_progress(leg, key, code, now),
            200..=299 => self.handle_success(leg, msg, now),
            code => {
                self.purposes.remove(key);
                self.fail(leg, Why::new(code, word_of(code)));
            }
        }
    }

    /// No response at all, or the way is broken. An answered call whose transaction ends lives on in its dialog.
    pub(in crate::sip) fn handle_dial_silence(&mut self, leg: LegId, why: Why) {
        if matches!(self.sessions.get(&leg), Some(Session { state: State::Calling { .. }, .. })) {
            self.fail(leg, why);
        }
    }

    fn handle_progress(&mut self, leg: LegId, key: &TransactionKey, code: u16, now: Now) {
        let Some(Session { state: State::Calling { progressed, cancelling, .. }, .. }) = self.sessions.get_mut(&leg)
        else {
            return;
        };
        let first = !std::mem::replace(progressed, true);
        if *cancelling {
            if first {
                self.send_cancel(leg, key, now);
            }
        } else if code > 100 {
            self.events.push_back(Event::Progressed { leg, code });
        }
    }

    fn handle_success(&mut self, leg: LegId, msg: &Message, now: Now) {
        let Some(session) = self.sessions.get_mut(&leg) else { return self.acknowledge_gone(msg, None, now) };
        let flow = session.flow;
        let known = session.dialog.as_ref().map(|dialog| dialog.id().remote_tag.clone());
        match (&session.state, known) {
            (State::Calling { .. }, _) => {
                // The request's parts that a dialog is made of stand in the response too (§8.2.6.2).
                let Some(dialog) = Self::dialog_of(Role::Uac, msg, msg) else {
                    return self.fail(leg, Why::new(502, "bad_answer"));
                };
                session.state = State::Up;
                self.set_dialog(leg, dialog);
                self.send_ack(leg);
                let body = (!msg.body.is_empty()).then(|| msg.body.clone());
                self.events.push_back(Event::Answered { leg, body });
            }
            // The same 200 again: our ACK was lost.
            (_, Some(tag)) if msg.to().is_ok_and(|to| to.tag() == Some(tag.as_str())) => self.send_ack(leg),
            // A second phone behind a forking proxy answered: thank it and hang up (§13.2.2.4).
            _ => self.acknowledge_gone(msg, Some(flow), now),
        }
    }

    /// A repeated 200 whose transaction is over.
    pub(in crate::sip) fn handle_stray_success(&mut self, msg: &Message) {
        let ids = (msg.call_id().unwrap_or_default().to_owned(), msg.from().ok());
        let tag = ids.1.as_ref().and_then(|from| from.tag()).unwrap_or_default().to_owned();
        if let Some(leg) = self.dialogs.get(&(ids.0, tag)).copied() {
            self.send_ack(leg);
        }
    }

    fn send_ack(&mut self, leg: LegId) {
        let Some(session) = self.sessions.get(&leg) else { return };
        let Some(dialog) = &session.dialog else { return };
        let (flow, frame) = (session.next_hop(), dialog.ack());
        let ack = framed(Method::Ack, frame);
        self.send_without_transaction(ack, flow);
    }

    fn send_without_transaction(&mut self, mut request: Message, flow: Flow) {
        self.push_public_via(&mut request, flow);
        self.transactions.send_alone(request, flow);
    }

    /// Acknowledges a 200 that nobody wants any more, and ends its dialog.
    fn acknowledge_gone(&mut self, msg: &Message, flow: Option<Flow>, now: Now) {
        let (Some(flow), Some(mut dialog)) = (flow, Self::dialog_of(Role::Uac, msg, msg)) else { return };
        let hop = Session { dialog: Some(dialog.clone()), ..Session::new(State::Up, flow, String::new()) }.next_hop();
        let ack = framed(Method::Ack, dialog.ack());
        self.send_without_transaction(ack, hop);
        let bye = framed(Method::Bye, dialog.next_request());
        self.send(bye, hop, now);
    }

    fn fail(&mut self, leg: LegId, why: Why) {
        if self.forget_session(leg).is_some() {
            self.events.push_back(Event::Failed { leg, why });
        }
    }

    pub(super) fn next_request(dialog: &mut Dialog, method: Method) -> Message {
        framed(method, dialog.next_request())
    }
}

/// A request within a dialog.
fn framed(method: Method, frame: RequestFrame) -> Message {
    let number = format!("{} {method}", frame.cseq);
    let uri = frame.uri.parse().unwrap_or_else(|_| Uri::sip(None, "invalid", None));
    let mut request = Message::request(method, uri);
    for route in frame.routes {
        request.push("Route", route);
    }
    request
        .with("Max-Forwards", 70)
        .with("From", frame.from)
        .with("To", frame.to)
        .with("Call-ID", frame.call_id)
        .with("CSeq", number)
}

/// Our word for a final status.
fn word_of(code: u16) -> &'static str {
    match code {
        300..=399 => "redirected",
        401 | 407 => "challenged",
        403 => "forbidden",
        404 => "not_found",
        408 => "timeout",
        480 => "unavailable",
        486 | 600 => "busy",
        487 => "cancelled",
        488 | 606 => "not_acceptable",
        503 => "overloaded",
        603 => "declined",
        _ => "refused",
    }
}
