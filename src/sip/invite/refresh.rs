//! Session timers (RFC 4028): a session that nobody refreshes has ended without a word.

use super::agreed::{Agreed, MIN_SE, knows_timers, session_expires};
use super::within::Open;
use super::{Act, State};
use crate::id::LegId;
use crate::sip::endpoint::{Endpoint, Timer, Why, retry_after_s};
use crate::sip::message::{Message, Method, reason_phrase, response_to};
use crate::sip::transaction::TransactionKey;
use crate::time::{Now, TimerId};

/// How long a refresh that cannot be sent now waits, ms.
const LATER_MS: u64 = 3_000;
/// The least that a refresh waits which was refused, s: whatever its Retry-After says, nobody has us ask without end.
const LEAST_WAIT_S: u64 = 2;

/// A session's timer.
#[derive(Clone, Debug)]
pub(super) struct Refresh {
    agreed: Agreed,
    timer: TimerId,
    /// When the session ends that was not refreshed.
    end_ns: u64,
    /// How often a refresh of ours was refused since the last one that was not.
    refusals: u8,
    /// The shortest interval that the peer, or a proxy before it, will have for the next refresh, seconds.
    least_s: u32,
}

impl Refresh {
    pub(super) fn timer(&self) -> TimerId {
        self.timer
    }

    /// Keeps the timer as it is through a re-INVITE: one that says nothing of it would end it (§7.4).
    pub(super) fn put_into(&self, request: &mut Message) {
        let refresher = if self.agreed.ours { "uac" } else { "uas" };
        let interval_s = self.agreed.interval_s.max(self.least_s);
        request.push("Session-Expires", format!("{interval_s};refresher={refresher}"));
        request.push("Min-SE", self.least_s);
    }

    /// Takes the interval that a 422 asks for (§7.3); `false` where it asks for nothing that is longer, or once more.
    fn lengthen(&mut self, refusal: &Message) -> bool {
        let least = refusal.header("Min-SE").and_then(|value| value.split(';').next()?.trim().parse::<u32>().ok());
        let longer = least.filter(|least| self.least_s == MIN_SE && *least > self.agreed.interval_s);
        self.least_s = longer.unwrap_or(self.least_s);
        longer.is_some()
    }
}

impl Endpoint {
    /// Refuses an interval that would make us refresh without end; `true` where that was done.
    pub(in crate::sip) fn refuse_short_timer(&mut self, key: &TransactionKey, msg: &Message, now: Now) -> bool {
        let short = session_expires(msg).is_some_and(|(seconds, _)| seconds < MIN_SE) && knows_timers(msg);
        if short {
            let tag = self.draw();
            let response = response_to(msg, 422, reason_phrase(422), Some(&tag)).with("Min-SE", MIN_SE);
            self.respond(key, response, now);
        }
        short
    }

    /// Adds to a 2xx what it says of the timer, and starts that.
    pub(super) fn answer_timer(&mut self, leg: LegId, request: &Message, response: Message, now: Now) -> Message {
        let agreed = Agreed::of_request(request, self.settings.session_expires_s);
        self.note_peer(leg, request);
        self.start_timer(leg, agreed, now);
        let Some(Agreed { interval_s, ours }) = agreed else { return response };
        let refresher = if ours { "uas" } else { "uac" };
        let response = response.with("Session-Expires", format!("{interval_s};refresher={refresher}"));
        if ours { response } else { response.with("Require", "timer") }
    }

    /// Asks for a timer in a request of ours.
    pub(super) fn ask_timer(&self, request: &mut Message) {
        let seconds = self.settings.session_expires_s;
        if seconds > 0 {
            request.push("Session-Expires", seconds);
            request.push("Min-SE", MIN_SE);
        }
    }

    /// Takes what a 2xx to our INVITE says of the timer.
    pub(super) fn take_timer(&mut self, leg: LegId, response: &Message, now: Now) {
        self.note_peer(leg, response);
        self.start_timer(leg, Agreed::of_response(response), now);
    }

    fn note_peer(&mut self, leg: LegId, msg: &Message) {
        let updates =
            |msg: &Message| msg.list("Allow").is_ok_and(|list| list.iter().any(|name| name.trim() == "UPDATE"));
        if let Some(session) = self.sessions.get_mut(&leg)
            && msg.header("Allow").is_some()
        {
            session.peer_updates = updates(msg);
        }
    }

    fn start_timer(&mut self, leg: LegId, agreed: Option<Agreed>, now: Now) {
        let Some(session) = self.sessions.get_mut(&leg) else { return };
        if let Some(old) = session.refresh.take() {
            self.timers.disarm(old.timer);
        }
        if let Some(agreed) = agreed {
            let timer = self.timers.arm(now.in_ms(agreed.due_ms()), Timer::Refresh(leg));
            let end_ns = now.in_ms(agreed.end_ms());
            session.refresh = Some(Refresh { agreed, timer, end_ns, refusals: 0, least_s: MIN_SE });
        }
    }

    /// The timer runs until then, and no longer than the session lasts.
    fn rearm(&mut self, leg: LegId, due_ns: u64) {
        if let Some(refresh) = self.sessions.get_mut(&leg).and_then(|session| session.refresh.as_mut()) {
            self.timers.disarm(refresh.timer);
            refresh.timer = self.timers.arm(due_ns.min(refresh.end_ns), Timer::Refresh(leg));
        }
    }

    /// It is time to refresh, or too late.
    pub(in crate::sip) fn handle_refresh_due(&mut self, leg: LegId, now: Now) {
        let Some(session) = self.sessions.get(&leg) else { return };
        let (State::Up, Some(refresh)) = (&session.state, &session.refresh) else { return };
        if now.mono_ns >= refresh.end_ns {
            self.expire(leg, now);
        } else if session.is_busy() {
            self.rearm(leg, now.in_ms(LATER_MS));
        } else {
            self.send_refresh(leg, now);
        }
    }

    /// Whether a request that kept the timer is to be sent again with a longer interval, because this 422 wants one.
    pub(super) fn lengthen_timer(&mut self, leg: LegId, refusal: &Message) -> bool {
        let refresh = self.sessions.get_mut(&leg).and_then(|session| session.refresh.as_mut());
        refresh.is_some_and(|refresh| refresh.lengthen(refusal))
    }

    fn send_refresh(&mut self, leg: LegId, now: Now) {
        let Some(session) = self.sessions.get_mut(&leg) else { return };
        let (Some(dialog), Some(refresh)) = (&mut session.dialog, &session.refresh) else { return };
        let by_invite = !session.peer_updates;
        let end_ns = refresh.end_ns;
        let mut request = if by_invite {
            super::describe(
                Self::next_request(dialog, Method::Invite),
                &session.contact,
                Some(session.described.clone()),
            )
        } else {
            super::describe(Self::next_request(dialog, Method::Update), &session.contact, None)
        };
        refresh.put_into(&mut request);
        session.open = Some(Open { act: Act::Refresh, by_invite, offer: None });
        self.send_within(leg, Act::Refresh, request, now);
        self.rearm(leg, end_ns);
        self.tell_dialog(leg);
    }

    pub(in crate::sip) fn handle_refresh_response(&mut self, leg: LegId, msg: &Message, now: Now) {
        match msg.code().unwrap_or_default() {
            200..=299 => {
                if self.take_open_refresh(leg).is_some() {
                    self.start_timer(leg, Agreed::of_response(msg), now);
                }
            }
            422 if self.lengthen_timer(leg, msg) => {
                self.take_open_refresh(leg);
                self.send_refresh(leg, now);
            }
            code => self.handle_refresh_refused(leg, code, Some(msg), now),
        }
    }

    /// No answer came to our refresh, or none can come.
    pub(super) fn handle_refresh_silence(&mut self, leg: LegId, code: u16, now: Now) {
        self.handle_refresh_refused(leg, code, None, now);
    }

    fn take_open_refresh(&mut self, leg: LegId) -> Option<Open> {
        let session = self.sessions.get_mut(&leg).filter(|session| matches!(session.state, State::Up))?;
        session.open.take_if(|open| open.act == Act::Refresh)
    }

    /// The session lives, whatever its peer does not like: there is another try while the interval lasts (§10).
    fn handle_refresh_refused(&mut self, leg: LegId, code: u16, refusal: Option<&Message>, now: Now) {
        let Some(open) = self.take_open_refresh(leg) else { return };
        let drawn = self.draw_u128() as u64;
        let Some(session) = self.sessions.get_mut(&leg) else { return };
        let (owns_call_id, Some(refresh)) = (session.owns_call_id, &mut session.refresh) else { return };
        let wait_ms = match code {
            // The peer has no such session (RFC 3261 §12.2.1.2).
            408 | 481 => return self.expire(leg, now),
            // It serves no UPDATE, whatever it said.
            405 | 501 if !open.by_invite => {
                session.peer_updates = false;
                return self.handle_refresh_due(leg, now);
            }
            // The peer's own came first (RFC 3261 §14.1).
            491 => self.glare_wait_ms(owns_call_id),
            _ => {
                let refusals = refresh.refusals;
                refresh.refusals = refusals.saturating_add(1);
                match refusal.and_then(retry_after_s) {
                    Some(seconds) => seconds.max(LEAST_WAIT_S).saturating_mul(1_000),
                    // Two to ten seconds, and twice as long with each refusal.
                    None => (LEAST_WAIT_S * 1_000 + drawn % 8_001) << refusals.min(8),
                }
            }
        };
        self.rearm(leg, now.in_ms(wait_ms));
    }

    /// Nobody has refreshed: the session ends by our BYE (§10).
    pub(in crate::sip) fn expire(&mut self, leg: LegId, now: Now) {
        if let Some(session) = self.sessions.get_mut(&leg)
            && let Some(refresh) = session.refresh.take()
        {
            self.timers.disarm(refresh.timer);
            self.give_peer_up(leg, Why::new(408, "session_expired"), now);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{dial_to, endpoint, respond, sent, talk, way};
    use super::*;
    use crate::sip::endpoint::{Admission, Dial, Event};

    /// A phone in a call with the switch, and the switch's leg.
    fn call(phone: &mut Endpoint, switch: &mut Endpoint, now: Now) -> LegId {
        let leg = phone.next_leg();
        phone.dial(leg, dial_to("sip:4002@127.0.0.1:5060"), now);
        talk(phone, switch, now);
        let offered = std::iter::from_fn(|| switch.poll_event()).find_map(|event| match event {
            Event::Invited { leg, .. } => Some(leg),
            _ => None,
        });
        let offered = offered.expect("offered");
        switch.answer(offered, "v=0".into(), now);
        talk(phone, switch, now);
        offered
    }

    fn news(endpoint: &mut Endpoint) -> Vec<Event> {
        let told = |event: &Event| !matches!(event, Event::DialogChanged { .. } | Event::Acked { .. });
        std::iter::from_fn(|| endpoint.poll_event()).filter(told).collect()
    }

    /// Lets a side act on its deadlines up to an instant, both talking all the while.
    fn pass(phone: &mut Endpoint, switch: &mut Endpoint, from: Now, ms: u64) -> Now {
        let end = from.plus_ms(ms);
        let mut now = from;
        loop {
            let due = [phone.poll_timeout(now), switch.poll_timeout(now)].into_iter().flatten().min();
            let Some(due) = due.filter(|due| *due <= end.mono_ns) else { return end };
            now = now.plus_ms(due.saturating_sub(now.mono_ns).div_ceil(crate::time::MS));
            phone.handle_timeout(now);
            switch.handle_timeout(now);
            talk(phone, switch, now);
        }
    }

    #[test]
    fn who_called_refreshes_and_the_call_lives_for_hours() {
        for updates in [true, false] {
            let (mut phone, mut switch) = (endpoint(Admission::Open, 1), endpoint(Admission::Open, 2));
            let now = Now::default();
            let leg = call(&mut phone, &mut switch, now);
            phone.sessions.values_mut().for_each(|session| session.peer_updates = updates);
            let (_, _) = (news(&mut phone), news(&mut switch));
            // A re-INVITE is an offer to the switch, which its owner accepts.
            let mut now = now;
            for _ in 0..10 {
                now = pass(&mut phone, &mut switch, now, 1_000_000);
                let told = news(&mut switch);
                assert!(
                    told.iter().all(|event| matches!(event, Event::Modified { .. })) && told.is_empty() == updates,
                    "{told:?}"
                );
                switch.accept_modify(leg, "v=0".into(), now);
                talk(&mut phone, &mut switch, now);
                phone.sessions.values_mut().for_each(|session| session.peer_updates = updates);
            }
            assert_eq!((news(&mut phone), switch.sessions.len()), (vec![], 1));
        }
    }

    #[test]
    fn a_peer_that_is_gone_ends_the_session_half_a_minute_before_its_time() {
        let (mut phone, mut switch) = (endpoint(Admission::Open, 1), endpoint(Admission::Open, 2));
        let now = Now::default();
        let leg = call(&mut phone, &mut switch, now);
        let _ = news(&mut switch);
        switch.handle_timeout(now.plus_ms(1_767_999));
        assert_eq!(news(&mut switch), []);
        switch.handle_timeout(now.plus_ms(1_768_000));
        assert_eq!(news(&mut switch), [Event::HungUp { leg, why: Why::new(408, "session_expired") }]);
        let bye = std::iter::from_fn(|| switch.poll_transmit()).last().expect("a BYE");
        assert!(bye.payload.starts_with(b"BYE "), "{}", String::from_utf8_lossy(&bye.payload));
    }

    #[test]
    fn a_phone_whose_switch_is_gone_gives_up_too() {
        let (mut phone, mut switch) = (endpoint(Admission::Open, 1), endpoint(Admission::Open, 2));
        let now = Now::default();
        call(&mut phone, &mut switch, now);
        let _ = news(&mut phone);
        phone.handle_timeout(now.plus_ms(900_000));
        // The UPDATE is never answered.
        phone.handle_timeout(now.plus_ms(932_000));
        let told = news(&mut phone);
        assert!(matches!(told.as_slice(), [Event::HungUp { why, .. }] if why.text == "session_expired"), "{told:?}");
    }

    /// A call of ours of ten minutes' interval at the moment when it is refreshed, and that moment.
    fn refreshing(allow: &str) -> (Endpoint, LegId, Now) {
        let (mut phone, now) = (endpoint(Admission::Open, 1), Now::default());
        let leg = phone.next_leg();
        phone.dial(leg, Dial { ways: vec![way(5071)], ..dial_to("sip:x@127.0.0.1") }, now);
        let invite = sent(&mut phone).remove(0);
        let agreed =
            [("Contact", "<sip:a@127.0.0.1:5071>"), ("Allow", allow), ("Session-Expires", "600;refresher=uac")];
        respond(&mut phone, &invite, 200, "a", &agreed, "v=a", now);
        let _ = (sent(&mut phone), news(&mut phone));
        let now = now.plus_ms(300_000);
        phone.handle_timeout(now);
        (phone, leg, now)
    }

    /// The refresh that is sent, and what it says of the interval.
    fn refresh(phone: &mut Endpoint) -> (String, (u16, Message)) {
        let found = sent(phone).into_iter().find(|(_, msg)| msg.header("Session-Expires").is_some());
        let found = found.expect("a refresh");
        let value = |name| found.1.header(name).unwrap();
        (format!("{} {}", value("Session-Expires"), value("Min-SE")), found)
    }

    #[test]
    fn a_refresh_that_is_too_short_is_sent_again_once_with_the_interval_that_is_asked_for() {
        for allow in ["INVITE, UPDATE", "INVITE"] {
            let (mut phone, leg, now) = refreshing(allow);
            let (said, first) = refresh(&mut phone);
            assert_eq!(said, "600;refresher=uac 90");
            respond(&mut phone, &first, 422, "a", &[("Min-SE", "1200")], "", now);
            let (said, second) = refresh(&mut phone);
            assert_eq!(said, "1200;refresher=uac 1200");
            // Whoever wants ever more is not followed; the session ends when the interval does that was agreed.
            respond(&mut phone, &second, 422, "a", &[("Min-SE", "2400")], "", now);
            assert!(sent(&mut phone).iter().all(|(_, msg)| msg.method() == Some(&Method::Ack)));
            phone.handle_timeout(now.plus_ms(267_999));
            assert_eq!(news(&mut phone), []);
            phone.handle_timeout(now.plus_ms(268_000));
            assert_eq!(news(&mut phone), [Event::HungUp { leg, why: Why::new(408, "session_expired") }]);
        }
    }

    #[test]
    fn a_longer_interval_that_is_agreed_counts_from_then_on() {
        let (mut phone, _, now) = refreshing("INVITE, UPDATE");
        let (_, first) = refresh(&mut phone);
        respond(&mut phone, &first, 422, "a", &[("Min-SE", "1200")], "", now);
        let (_, second) = refresh(&mut phone);
        respond(&mut phone, &second, 200, "a", &[("Session-Expires", "1200;refresher=uac")], "", now);
        phone.handle_timeout(now.plus_ms(599_999));
        assert!(sent(&mut phone).is_empty());
        phone.handle_timeout(now.plus_ms(600_000));
        assert_eq!(refresh(&mut phone).0, "1200;refresher=uac 90");
    }
}
