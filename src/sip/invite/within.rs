//! Requests of ours within a dialog: which one is open, and what a challenge makes of it (RFC 3261 §12.2.1, §22.2).

use super::{Session, State, next_hop};
use crate::id::LegId;
use crate::sip::endpoint::{Endpoint, Event, NextHop, Purpose, Why};
use crate::sip::message::{Message, Method};
use crate::time::Now;

/// What a request of ours within a dialog is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::sip) enum Act {
    /// It ends the session.
    Bye,
    /// It says that the session lives, by re-INVITE or UPDATE.
    Refresh,
    /// It offers another session.
    Modify,
    /// It acknowledges a provisional response.
    Prack,
    /// It tells what came of the peer's REFER.
    Notify,
}

/// The re-INVITE or UPDATE of ours that has no final response.
#[derive(Clone, Debug)]
pub(super) struct Open {
    pub(super) act: Act,
    /// A re-INVITE, which always carries an offer of ours; else an UPDATE, which never does.
    pub(super) by_invite: bool,
    /// What it offers, and how often that met an offer of the peer's.
    pub(super) offer: Option<(String, u8)>,
}

impl Session {
    /// Whether an exchange is under way that a re-INVITE or UPDATE of ours would cross.
    pub(super) fn is_busy(&self) -> bool {
        self.modify.is_some() || self.repeat.is_some() || self.open.is_some()
    }

    /// Whether an offer of ours within the dialog waits for its answer, so that the peer's own must wait.
    pub(super) fn has_offered(&self) -> bool {
        self.open.as_ref().is_some_and(|open| open.by_invite)
    }
}

impl Endpoint {
    /// Sends a request within a dialog of the leg's, and remembers what it is for.
    pub(super) fn send_within(&mut self, leg: LegId, act: Act, request: Message, now: Now) {
        let tag = request.to_tag().unwrap_or_default().to_owned();
        let Some(came) = self.came_on(leg) else { return };
        let Some(session) = self.sessions.get_mut(&leg) else { return };
        let next = session.dialog_with(&tag).map_or(NextHop::Flow(came.flow), |dialog| next_hop(dialog, came));
        // Only where a challenge could be answered is there something to send again.
        let kept = session.account.is_some().then(|| Box::new(request.clone()));
        self.send_towards(request, Some(Purpose::Within { leg, act, kept }), next, now);
    }

    /// The final response to a request of ours within a dialog.
    pub(in crate::sip) fn handle_within_response(
        &mut self,
        leg: LegId,
        act: Act,
        kept: Option<Box<Message>>,
        msg: &Message,
        now: Now,
    ) {
        let code = msg.code().unwrap_or_default();
        if matches!(code, 401 | 407) && kept.is_some_and(|kept| self.prove_within(leg, act, *kept, msg, now)) {
            return;
        }
        let is_invite = msg.cseq().is_ok_and(|cseq| cseq.method == Method::Invite);
        if is_invite && (200..300).contains(&code) {
            self.send_ack(leg, msg, now);
        }
        match act {
            Act::Bye => self.handle_closed(leg),
            Act::Refresh => self.handle_refresh_response(leg, msg, now),
            Act::Modify => self.handle_modify_response(leg, msg, now),
            // Whatever it says, the provisional response was heard, and the INVITE's final one decides.
            Act::Prack => {}
            Act::Notify => self.handle_notified(leg, code, now),
        }
    }

    /// Sends a challenged request once more, with what proves us; `false` where nothing does.
    fn prove_within(&mut self, leg: LegId, act: Act, mut request: Message, challenge: &Message, now: Now) -> bool {
        let cnonce = self.draw();
        let tag = request.to_tag().unwrap_or_default().to_owned();
        let Some(came) = self.came_on(leg) else { return false };
        let Some(session) = self.sessions.get_mut(&leg) else { return false };
        let Some(account) = session.account.take() else { return false };
        let answer = account.answer(challenge, &request, false, &cnonce);
        session.account = Some(account);
        let Some((name, value)) = answer else { return false };
        let method = request.method().cloned().unwrap_or(Method::Bye);
        let Some(dialog) = session.dialog_with(&tag) else { return false };
        let frame = dialog.next_request();
        let next = next_hop(dialog, came);
        request.set("CSeq", format!("{} {method}", frame.cseq));
        request.push(name, value);
        self.send_towards(request, Some(Purpose::Within { leg, act, kept: None }), next, now);
        self.tell_dialog(leg);
        true
    }

    /// No answer came to a request within a dialog, or none can come.
    pub(in crate::sip) fn handle_within_silence(&mut self, leg: LegId, act: Act, why: Why, now: Now) {
        match act {
            Act::Bye => self.handle_closed(leg),
            Act::Refresh => self.handle_refresh_silence(leg, why.code, now),
            Act::Modify => self.give_peer_up(leg, why, now),
            Act::Prack => {}
            Act::Notify => self.handle_notified(leg, why.code, now),
        }
    }

    /// The peer knows the session no longer, or answers nothing: it ends by our BYE (RFC 3261 §12.2.1.2).
    pub(super) fn give_peer_up(&mut self, leg: LegId, why: Why, now: Now) {
        if self.sessions.get(&leg).is_some_and(|session| matches!(session.state, State::Up)) {
            self.events.push_back(Event::HungUp { leg, why: why.clone() });
            self.send_bye(leg, &why, now);
        }
    }

    /// How long a re-INVITE that met the peer's own waits, ms: so that whoever made the Call-ID waits longer (§14.1).
    pub(super) fn glare_wait_ms(&mut self, owns_call_id: bool) -> u64 {
        let drawn = self.draw_u128() as u64;
        if owns_call_id { 2_100 + drawn % 191 * 10 } else { drawn % 201 * 10 }
    }
}
