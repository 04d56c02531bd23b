//! The end of a session: BYE in both directions (RFC 3261 §15).

use super::{Act, State, reason_of, reason_value};
use crate::id::LegId;
use crate::sip::endpoint::{Endpoint, Event, Why};
use crate::sip::message::{Message, Method, reason_phrase, response_to};
use crate::sip::transaction::TransactionKey;
use crate::time::Now;

impl Endpoint {
    /// Ends the session by BYE; where our 2xx is not acknowledged yet, after its ACK; where the peer is being told what came of its
    /// REFER, after its answer; where our 2xx has not left because a provisional response was not acknowledged, by a refusal. Its
    /// end comes as `Gone`.
    pub fn hang_up(&mut self, leg: LegId, why: Why, now: Now) {
        let Some(session) = self.sessions.get_mut(&leg) else { return };
        match session.state {
            State::Up if session.repeat.is_some() || session.is_notifying() => session.bye = Some(why),
            State::Up => self.send_bye(leg, &why, now),
            State::Offered(_) if session.reliable.holds_answer() => {
                self.refuse(leg, if (400..700).contains(&why.code) { why.code } else { 480 }, now);
            }
            State::Offered(_) | State::Calling(_) | State::Closing => {}
        }
    }

    /// Ends a session without waiting for its peer: what is owed is sent once. Its end comes as `Gone`, or as `Failed` where it
    /// was never answered.
    pub fn abandon(&mut self, leg: LegId, why: Why, now: Now) {
        let Some(session) = self.sessions.get_mut(&leg) else { return self.cancel_lookup(leg) };
        match session.state {
            State::Up => {
                let why = session.bye.take().unwrap_or(why);
                self.send_bye(leg, &why, now);
                self.handle_closed(leg);
            }
            State::Closing => self.handle_closed(leg),
            State::Calling(_) => self.give_up(leg, why),
            State::Offered(_) => self.refuse(leg, 503, now),
        }
    }

    pub(super) fn send_bye(&mut self, leg: LegId, why: &Why, now: Now) {
        let Some(session) = self.sessions.get_mut(&leg) else { return };
        if !matches!(session.state, State::Up) {
            return;
        }
        let Some(dialog) = &mut session.dialog else { return };
        let bye = Self::next_request(dialog, Method::Bye).with("Reason", reason_value(why));
        session.state = State::Closing;
        for (key, request) in session.take_unanswered() {
            self.refuse_within(&key, &request, 487, now);
        }
        self.send_within(leg, Act::Bye, bye, now);
    }

    /// The peer's BYE: answered at once, with whatever of its own is still open.
    pub(in crate::sip) fn handle_bye(&mut self, leg: LegId, key: &TransactionKey, msg: &Message, now: Now) {
        self.respond_within(key, response_to(msg, 200, reason_phrase(200), None), now);
        match self.sessions.get_mut(&leg).map(|session| &mut session.state) {
            // A caller may end an early dialog so; the called party should not, and its INVITE still has to be answered (§15).
            Some(State::Offered(_)) => {
                return self.handle_withdrawn(leg, reason_of(msg, Why::new(487, "cancelled")), now);
            }
            Some(State::Calling(calling)) => return calling.early.end(msg),
            _ => {}
        }
        let Some(mut session) = self.forget_session(leg) else { return };
        for (key, request) in session.take_unanswered() {
            self.refuse_within(&key, &request, 487, now);
        }
        // Two BYEs that cross: ours was the end, theirs confirms it.
        if !matches!(session.state, State::Closing) {
            let why = reason_of(msg, Why::new(16, "normal_clearing"));
            self.events.push_back(Event::HungUp { leg, why });
        }
        self.events.push_back(Event::Gone { leg });
    }

    /// Our BYE was answered, or never will be.
    pub(in crate::sip) fn handle_closed(&mut self, leg: LegId) {
        if self.forget_session(leg).is_some() {
            self.events.push_back(Event::Gone { leg });
        }
    }

    /// The peer is lost without a word.
    pub(super) fn lose_session(&mut self, leg: LegId, why: Why) {
        if self.forget_session(leg).is_some() {
            self.events.push_back(Event::HungUp { leg, why });
            self.events.push_back(Event::Gone { leg });
        }
    }
}
