//! Session timers (RFC 4028): a session that nobody refreshes has ended without a word.

use super::within::Open;
use super::{Act, State};
use crate::id::LegId;
use crate::sip::endpoint::{Endpoint, Timer, Why};
use crate::sip::message::{Message, Method, reason_phrase, response_to};
use crate::sip::transaction::TransactionKey;
use crate::time::{Now, TimerId};

/// The shortest interval that we agree to, seconds (§4).
const MIN_SE: u32 = 90;
/// How long a refresh that cannot be sent now waits, ms.
const LATER_MS: u64 = 3_000;

/// Who refreshes, and how often.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Agreed {
    interval_s: u32,
    /// Whether we do.
    ours: bool,
}

/// A session's timer.
#[derive(Clone, Debug)]
pub(super) struct Refresh {
    agreed: Agreed,
    timer: TimerId,
    /// Our refresh was sent: the timer is the session's end.
    last: bool,
}

/// Whether the sender knows session timers.
fn knows_timers(msg: &Message) -> bool {
    msg.names("Supported", "timer") || msg.names("Require", "timer")
}

/// Session-Expires: seconds and who is to refresh.
fn session_expires(msg: &Message) -> Option<(u32, Option<String>)> {
    let value = msg.header("Session-Expires")?;
    let mut parts = value.split(';').map(str::trim);
    let seconds = parts.next()?.parse().ok()?;
    let refresher = parts.find_map(|part| {
        let (name, value) = part.split_once('=')?;
        name.trim().eq_ignore_ascii_case("refresher").then(|| value.trim().to_ascii_lowercase())
    });
    Some((seconds, refresher))
}

impl Refresh {
    pub(super) fn timer(&self) -> TimerId {
        self.timer
    }

    /// Keeps the timer as it is through a re-INVITE: one that says nothing of it would end it (§7.4).
    pub(super) fn put_into(&self, request: &mut Message) {
        let refresher = if self.agreed.ours { "uac" } else { "uas" };
        request.push("Session-Expires", format!("{};refresher={refresher}", self.agreed.interval_s));
        request.push("Min-SE", MIN_SE);
    }
}

impl Agreed {
    /// What we answer to a request: what it asks for, `usual_s` where it leaves that to us and knows timers.
    fn of_request(request: &Message, usual_s: u32) -> Option<Self> {
        let known = knows_timers(request);
        match session_expires(request) {
            Some((interval_s, refresher)) => {
                // A proxy may have asked for a peer that cannot refresh.
                let ours = refresher.map_or(!known, |refresher| refresher == "uas");
                Some(Self { interval_s: interval_s.max(MIN_SE), ours })
            }
            None if known && usual_s > 0 => Some(Self { interval_s: usual_s, ours: false }),
            None => None,
        }
    }

    /// What a 2xx to a request of ours settles.
    fn of_response(response: &Message) -> Option<Self> {
        let (interval_s, refresher) = session_expires(response)?;
        Some(Self { interval_s: interval_s.max(MIN_SE), ours: refresher.is_none_or(|refresher| refresher == "uac") })
    }

    /// Milliseconds until we refresh, or until we give the session up (§10).
    fn due_ms(self) -> u64 {
        let whole = u64::from(self.interval_s) * 1_000;
        if self.ours { whole / 2 } else { whole - (whole / 3).min(32_000) }
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
            session.refresh = Some(Refresh { agreed, timer, last: false });
        }
    }

    fn rearm(&mut self, leg: LegId, ms: u64, last: bool, now: Now) {
        if let Some(refresh) = self.sessions.get_mut(&leg).and_then(|session| session.refresh.as_mut()) {
            self.timers.disarm(refresh.timer);
            refresh.timer = self.timers.arm(now.in_ms(ms), Timer::Refresh(leg));
            refresh.last = last;
        }
    }

    /// It is time to refresh, or too late.
    pub(in crate::sip) fn handle_refresh_due(&mut self, leg: LegId, now: Now) {
        let Some(session) = self.sessions.get(&leg) else { return };
        let (State::Up, Some(refresh)) = (&session.state, &session.refresh) else { return };
        if refresh.last || !refresh.agreed.ours {
            self.expire(leg, now);
        } else if session.is_busy() {
            self.rearm(leg, LATER_MS, false, now);
        } else {
            self.send_refresh(leg, now);
        }
    }

    fn send_refresh(&mut self, leg: LegId, now: Now) {
        let Some(session) = self.sessions.get_mut(&leg) else { return };
        let (Some(dialog), Some(Refresh { agreed, .. })) = (&mut session.dialog, &session.refresh) else { return };
        let by_invite = !session.peer_updates;
        let interval_s = agreed.interval_s;
        let request = if by_invite {
            super::describe(
                Self::next_request(dialog, Method::Invite),
                &session.contact,
                Some(session.described.clone()),
            )
        } else {
            super::describe(Self::next_request(dialog, Method::Update), &session.contact, None)
        };
        let request = request.with("Session-Expires", format!("{interval_s};refresher=uac")).with("Min-SE", MIN_SE);
        session.open = Some(Open { act: Act::Refresh, by_invite, offer: None });
        self.send_within(leg, Act::Refresh, request, now);
        // What is left of the interval, less what the BYE needs.
        let left_ms = Agreed { interval_s, ours: false }.due_ms().saturating_sub(u64::from(interval_s) * 500);
        self.rearm(leg, left_ms, true, now);
        self.tell_dialog(leg);
    }

    pub(in crate::sip) fn handle_refresh_response(&mut self, leg: LegId, msg: &Message, now: Now) {
        let Some(session) = self.sessions.get_mut(&leg) else { return };
        let (State::Up, Some(Open { act: Act::Refresh, .. })) = (&session.state, session.open.take()) else { return };
        let owns_call_id = session.owns_call_id;
        match msg.code().unwrap_or_default() {
            200..=299 => self.start_timer(leg, Agreed::of_response(msg), now),
            // The peer's own came first (RFC 3261 §14.1).
            491 => {
                let wait_ms = self.glare_wait_ms(owns_call_id);
                self.rearm(leg, wait_ms, false, now);
            }
            408 | 481 => self.expire(leg, now),
            // It lives, whatever it does not like; if it stays so the interval ends.
            _ => {}
        }
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
    use super::super::testing::{dial_to, endpoint, talk};
    use super::*;
    use crate::sip::endpoint::{Admission, Event};

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

    #[test]
    fn intervals_and_refreshers_are_agreed_as_the_rfc_says() {
        let request = |lines: &str| {
            let text = format!(
                "INVITE sip:x@y SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z9hG4bK1\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:x@y>\r\n\
                                Call-ID: 1\r\nCSeq: 1 INVITE\r\nMax-Forwards: 70\r\n{lines}Content-Length: 0\r\n\r\n"
            );
            match crate::sip::message::judge(text.as_bytes(), crate::sip::message::Framing::Datagram) {
                crate::sip::message::Verdict::Accept(message) => message,
                other => panic!("{other:?}"),
            }
        };
        let agreed =
            |lines: &str| Agreed::of_request(&request(lines), 1_800).map(|agreed| (agreed.interval_s, agreed.ours));
        assert_eq!(agreed(""), None, "who knows no timers and asks for none has none");
        assert_eq!(agreed("Supported: timer\r\n"), Some((1_800, false)));
        assert_eq!(agreed("k: 100rel, timer\r\nx: 600\r\n"), Some((600, false)));
        assert_eq!(agreed("Supported: timer\r\nSession-Expires: 600;refresher=uas\r\n"), Some((600, true)));
        assert_eq!(agreed("Session-Expires: 600\r\n"), Some((600, true)), "a proxy asks for a phone that cannot");
    }
}
