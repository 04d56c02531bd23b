//! Another session within the dialog: the peer's re-INVITE (RFC 3261 §14.2) or UPDATE (RFC 3311).

use super::{State, describe};
use crate::id::LegId;
use crate::sip::endpoint::{Endpoint, Event};
use crate::sip::message::{Contacts, Message, Method, reason_phrase, response_to};
use crate::sip::transaction::TransactionKey;
use crate::time::Now;

impl Endpoint {
    pub(in crate::sip) fn handle_modify(&mut self, leg: LegId, key: TransactionKey, msg: &Message, now: Now) {
        let Some(session) = self.sessions.get(&leg) else { return };
        if !matches!(session.state, State::Up) {
            return self.refuse_within(&key, msg, 481, now);
        }
        if session.modify.is_some() || session.repeat.is_some() {
            // One at a time; the peer tries again soon (§14.2).
            let tag = self.draw();
            let response = response_to(msg, 500, reason_phrase(500), Some(&tag)).with("Retry-After", 2);
            return self.respond_within(&key, response, now);
        }
        if self.is_reinviting(leg) {
            return self.refuse_within(&key, msg, 491, now);
        }
        if self.refuse_short_timer(&key, msg, now) {
            return;
        }
        let Some(body) = self.session_body(&key, msg, now) else { return };
        let is_update = msg.method() == Some(&Method::Update);
        if let Ok(Contacts::List(list)) = msg.contacts()
            && let (Some(first), Some(session)) = (list.first(), self.sessions.get_mut(&leg))
            && let Some(dialog) = &mut session.dialog
        {
            dialog.set_remote_target(&first.uri.to_string());
        }
        self.tell_dialog(leg);
        if is_update && body.is_none() {
            // Only the target, or that the session lives (RFC 3311 §5.2).
            let Some(session) = self.sessions.get(&leg) else { return };
            let response = describe(response_to(msg, 200, reason_phrase(200), None), &session.contact, None);
            let response = self.answer_timer(leg, msg, response, now);
            return self.respond_within(&key, response, now);
        }
        if let Some(session) = self.sessions.get_mut(&leg) {
            session.modify = Some((key, Box::new(msg.clone())));
        }
        self.events.push_back(Event::Modified { leg, body });
    }

    /// Accepts what the peer offered, or offers ourselves where it left that to us.
    pub fn accept_modify(&mut self, leg: LegId, body: String, now: Now) {
        let Some(session) = self.sessions.get_mut(&leg) else { return };
        let Some((key, request)) = session.modify.take() else { return };
        session.described.clone_from(&body);
        let response = describe(response_to(&request, 200, reason_phrase(200), None), &session.contact, Some(body));
        let response = self.answer_timer(leg, &request, response, now);
        self.respond_within(&key, response.clone(), now);
        // The 200 of an UPDATE has no ACK.
        if request.method() == Some(&Method::Invite) {
            self.repeat(leg, key, response, now);
        }
    }

    /// Refuses what the peer offered; the session goes on as it was.
    pub fn refuse_modify(&mut self, leg: LegId, code: u16, now: Now) {
        let Some(session) = self.sessions.get_mut(&leg) else { return };
        if let Some((key, request)) = session.modify.take() {
            self.refuse_within(&key, &request, code, now);
        }
    }

    pub(super) fn refuse_within(&mut self, key: &TransactionKey, request: &Message, code: u16, now: Now) {
        self.respond_within(key, response_to(request, code, reason_phrase(code), None), now);
    }
}
