//! Another session within the dialog: the peer's re-INVITE (RFC 3261 §14.2) or UPDATE (RFC 3311).

use super::{State, describe};
use crate::id::LegId;
use crate::sip::endpoint::{Endpoint, Event};
use crate::sip::message::{Contacts, Message, Method, reason_phrase, response_to};
use crate::sip::transaction::TransactionKey;
use crate::time::Now;

impl Endpoint {
    pub(in crate::sip) fn handle_modify(&mut self, leg: LegId, key: TransactionKey, msg: &Message, now: Now) {
        let is_update = msg.method() == Some(&Method::Update);
        let Some(session) = self.sessions.get(&leg) else { return };
        if matches!(session.state, State::Closing) {
            return self.refuse_within(&key, msg, 481, now);
        }
        if is_update && msg.body.is_empty() {
            return self.take_bare_update(leg, &key, msg, now);
        }
        if session.modify.is_some() || session.repeat.is_some() {
            // One at a time; the peer tries again soon (§14.2).
            return self.refuse_for_now(&key, msg, now);
        }
        if session.has_offered() {
            return self.refuse_within(&key, msg, 491, now);
        }
        if !matches!(session.state, State::Up) && !self.admits_early_offer(leg, &key, msg, now) {
            return;
        }
        if self.refuse_short_timer(&key, msg, now) {
            return;
        }
        let Some(body) = self.session_body(&key, msg, now) else { return };
        if is_update && body.is_none() {
            return self.take_bare_update(leg, &key, msg, now);
        }
        if let Some(session) = self.sessions.get_mut(&leg) {
            session.modify = Some((key, Box::new(msg.clone())));
        }
        self.drop_wish(leg);
        self.events.push_back(Event::Modified { leg, body });
    }

    /// Whether the peer may offer before the INVITE has its final response; refused where not (§14.2, RFC 3311 §5.2).
    fn admits_early_offer(&mut self, leg: LegId, key: &TransactionKey, msg: &Message, now: Now) -> bool {
        let is_update = msg.method() == Some(&Method::Update);
        let tag = msg.from_tag().unwrap_or_default().to_owned();
        let Some(session) = self.sessions.get(&leg) else { return false };
        match &session.state {
            State::Offered(_) if is_update && session.reliable.is_settled() => true,
            State::Calling(calling) if is_update && calling.early.may_offer(&tag) => true,
            // Our own offer has no answer.
            State::Calling(_) => {
                self.refuse_within(key, msg, 491, now);
                false
            }
            // Its offer has none.
            _ => {
                self.refuse_for_now(key, msg, now);
                false
            }
        }
    }

    /// A moment later it may be welcome.
    pub(super) fn refuse_for_now(&mut self, key: &TransactionKey, msg: &Message, now: Now) {
        let response = response_to(msg, 500, reason_phrase(500), None).with("Retry-After", 2);
        self.respond_within(key, response, now);
    }

    /// An UPDATE that moves only the target, or says that the session lives (RFC 3311 §5.2): it crosses no offer.
    fn take_bare_update(&mut self, leg: LegId, key: &TransactionKey, msg: &Message, now: Now) {
        if self.refuse_short_timer(key, msg, now) {
            return;
        }
        self.move_target(leg, msg);
        let Some(session) = self.sessions.get(&leg) else { return };
        let is_up = matches!(session.state, State::Up);
        let response = describe(response_to(msg, 200, reason_phrase(200), None), &session.contact, None);
        let response = if is_up { self.answer_timer(leg, msg, response, now) } else { response };
        self.respond_within(key, response, now);
    }

    fn move_target(&mut self, leg: LegId, msg: &Message) {
        let tag = msg.from_tag().unwrap_or_default().to_owned();
        if let Ok(Contacts::List(list)) = msg.contacts()
            && let (Some(first), Some(session)) = (list.first(), self.sessions.get_mut(&leg))
            && let Some(dialog) = session.dialog_with(&tag)
        {
            dialog.set_remote_target(&first.uri.to_string());
        }
        self.tell_dialog(leg);
    }

    /// Accepts what the peer offered, or offers ourselves where it left that to us.
    pub fn accept_modify(&mut self, leg: LegId, body: String, now: Now) {
        let Some(session) = self.sessions.get_mut(&leg) else { return };
        let Some((key, request)) = session.modify.take() else { return };
        session.described.clone_from(&body);
        // Not before: what is refused moves nothing (RFC 3261 §12.2.2), and a PRACK never does.
        if request.method() != Some(&Method::Prack) {
            self.move_target(leg, &request);
        }
        let Some(session) = self.sessions.get_mut(&leg) else { return };
        let response = describe(response_to(&request, 200, reason_phrase(200), None), &session.contact, Some(body));
        let response = match &mut session.state {
            State::Up => self.answer_timer(leg, &request, response, now),
            State::Calling(calling) => {
                let tag = request.from_tag().map(str::to_owned);
                calling.early.forget_description(&tag.unwrap_or_default());
                response
            }
            State::Offered(_) | State::Closing => response,
        };
        self.respond_within(&key, response.clone(), now);
        // The 200 of an UPDATE or a PRACK has no ACK.
        if request.method() == Some(&Method::Invite) {
            self.repeat(leg, key, response, now);
        }
        self.go_on(leg, now);
    }

    /// Refuses what the peer offered; the session goes on as it was.
    pub fn refuse_modify(&mut self, leg: LegId, code: u16, now: Now) {
        let Some(session) = self.sessions.get_mut(&leg) else { return };
        if let Some((key, request)) = session.modify.take() {
            self.refuse_within(&key, &request, code, now);
        }
        self.go_on(leg, now);
    }

    pub(super) fn refuse_within(&mut self, key: &TransactionKey, request: &Message, code: u16, now: Now) {
        self.respond_within(key, response_to(request, code, reason_phrase(code), None), now);
    }
}
