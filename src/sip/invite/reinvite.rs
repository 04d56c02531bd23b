//! Another session within the dialog that we offer: our re-INVITE, and what becomes of it where the peer offers at the same
//! time (RFC 3261 §14.1).

use super::within::Open;
use super::{Act, State, describe};
use crate::id::LegId;
use crate::sip::endpoint::{Endpoint, Event, Timer, Why};
use crate::sip::message::{Contacts, Message, Method};
use crate::time::{Now, TimerId};

/// How often an offer may meet the peer's own before it counts as refused.
const GLARES: u8 = 5;

/// An offer of ours that waits.
#[derive(Clone, Debug)]
pub(super) struct Wish {
    body: String,
    glares: u8,
    timer: TimerId,
}

impl Wish {
    pub(super) fn timer(&self) -> TimerId {
        self.timer
    }
}

impl Endpoint {
    /// Offers the peer another session by re-INVITE; where another exchange is under way, after it. Comes back as
    /// `ModifyAnswered`, as `ModifyFailed`, or as `HungUp` where the peer is lost.
    pub fn modify(&mut self, leg: LegId, body: String, now: Now) {
        self.offer(leg, body, 0, now);
    }

    fn offer(&mut self, leg: LegId, body: String, glares: u8, now: Now) {
        let Some(session) = self.sessions.get_mut(&leg) else { return };
        if !matches!(session.state, State::Up) {
            return self.events.push_back(Event::ModifyFailed { leg, why: Why::new(481, "not_up") });
        }
        if session.is_busy() {
            return self.offer_later(leg, body, glares, now);
        }
        let Some(dialog) = &mut session.dialog else { return };
        let mut request = describe(Self::next_request(dialog, Method::Invite), &session.contact, Some(body.clone()));
        if let Some(refresh) = &session.refresh {
            refresh.put_into(&mut request);
        }
        session.open = Some(Open { act: Act::Modify, by_invite: true, offer: Some((body, glares)) });
        self.send_within(leg, Act::Modify, request, now);
        self.tell_dialog(leg);
    }

    fn offer_later(&mut self, leg: LegId, body: String, glares: u8, now: Now) {
        let owns = self.sessions.get(&leg).is_some_and(|session| session.owns_call_id);
        let wait_ms = self.glare_wait_ms(owns);
        let Some(session) = self.sessions.get_mut(&leg) else { return };
        let timer = self.timers.arm(now.in_ms(wait_ms), Timer::Modify(leg));
        if let Some(old) = session.wish.replace(Wish { body, glares, timer }) {
            self.timers.disarm(old.timer);
        }
    }

    /// An offer of ours has waited long enough.
    pub(in crate::sip) fn handle_modify_due(&mut self, leg: LegId, now: Now) {
        if let Some(Wish { body, glares, .. }) = self.sessions.get_mut(&leg).and_then(|session| session.wish.take()) {
            self.offer(leg, body, glares, now);
        }
    }

    /// The peer offers another session while ours waits: ours was about a session that is no more.
    pub(super) fn drop_wish(&mut self, leg: LegId) {
        if let Some(wish) = self.sessions.get_mut(&leg).and_then(|session| session.wish.take()) {
            self.timers.disarm(wish.timer);
            self.events.push_back(Event::ModifyFailed { leg, why: Why::new(491, "overtaken") });
        }
    }

    pub(super) fn handle_modify_response(&mut self, leg: LegId, msg: &Message, now: Now) {
        let Some(session) = self.sessions.get_mut(&leg).filter(|session| matches!(session.state, State::Up)) else {
            return;
        };
        let Some((body, glares)) = session.open.take().and_then(|open| open.offer) else { return };
        match msg.code().unwrap_or_default() {
            200..=299 => {
                session.described = body;
                if let (Ok(Contacts::List(list)), Some(dialog)) = (msg.contacts(), &mut session.dialog)
                    && let Some(first) = list.first()
                {
                    dialog.set_remote_target(&first.uri.to_string());
                }
                self.take_timer(leg, msg, now);
                self.tell_dialog(leg);
                let body = msg.session_description().ok().flatten().map(<[u8]>::to_vec);
                self.events.push_back(Event::ModifyAnswered { leg, body });
            }
            422 if self.lengthen_timer(leg, msg) => self.offer(leg, body, glares, now),
            491 if glares < GLARES => self.offer_later(leg, body, glares + 1, now),
            code @ (408 | 481) => self.give_peer_up(leg, Why::new(code, "session_lost"), now),
            code => self.events.push_back(Event::ModifyFailed { leg, why: Why::new(code, "refused") }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{ask_from, ask_of, dial_to, endpoint, respond, sent, told, way, words};
    use super::*;
    use crate::sip::digest::{Account, Secret};
    use crate::sip::endpoint::{Admission, Dial};

    const A: &str = "<sip:a@127.0.0.1:5071>";

    /// A call of ours that is up: its leg and its INVITE.
    fn call() -> (Endpoint, LegId, Message) {
        let now = Now::default();
        let mut endpoint = endpoint(Admission::Open, 1);
        let leg = endpoint.next_leg();
        let account = Account { user: "u".into(), password: Secret::new("p"), realm: "r".into() };
        let dial = Dial { ways: vec![way(5071)], account: Some(account.into()), ..dial_to("sip:x@127.0.0.1") };
        endpoint.dial(leg, dial, now);
        let invite = sent(&mut endpoint).remove(0);
        respond(&mut endpoint, &invite, 200, "a", &[("Contact", A)], "v=a", now);
        let _ = (sent(&mut endpoint), told(&mut endpoint));
        (endpoint, leg, invite.1)
    }

    fn first(endpoint: &mut Endpoint, method: &Method) -> (u16, Message) {
        sent(endpoint).into_iter().find(|(_, msg)| msg.method() == Some(method)).expect("a request")
    }

    #[test]
    fn an_offer_of_ours_is_answered_or_refused_or_finds_the_session_gone() {
        let now = Now::default();
        for (code, expected) in [(200, "answered"), (488, "failed"), (481, "gone"), (408, "gone")] {
            let (mut endpoint, leg, _) = call();
            endpoint.modify(leg, "v=1".into(), now);
            let offer = first(&mut endpoint, &Method::Invite);
            assert_eq!((offer.1.body.as_slice(), offer.1.cseq().unwrap().number), (&b"v=1"[..], 2));
            respond(&mut endpoint, &offer, code, "a", &[("Contact", A)], "v=2", now);
            let events = told(&mut endpoint);
            let outcome = match events.as_slice() {
                [Event::ModifyAnswered { body: Some(body), .. }] if body == b"v=2" => "answered",
                [Event::ModifyFailed { why, .. }] if why.code == code => "failed",
                [Event::HungUp { why, .. }] if why.code == code => "gone",
                other => panic!("{other:?}"),
            };
            assert_eq!(outcome, expected, "{code}");
            let last = words(&mut endpoint).pop();
            assert_eq!(last.as_deref(), Some(if expected == "gone" { "BYE" } else { "ACK" }));
        }
    }

    #[test]
    fn an_answer_that_comes_again_is_acknowledged_with_its_own_number() {
        let now = Now::default();
        let (mut endpoint, leg, invite) = call();
        endpoint.modify(leg, "v=1".into(), now);
        let offer = first(&mut endpoint, &Method::Invite);
        for (request, number) in [((5071, invite), 1), (offer, 2)] {
            respond(&mut endpoint, &request, 200, "a", &[("Contact", A)], "v=2", now);
            assert_eq!(first(&mut endpoint, &Method::Ack).1.cseq().unwrap().number, number);
        }
    }

    #[test]
    fn glare_waits_longer_where_the_call_id_is_ours_and_not_for_ever() {
        let (mut endpoint, leg, _) = call();
        let mut now = Now::default();
        endpoint.modify(leg, "v=1".into(), now);
        for round in 0..=GLARES {
            let offer = first(&mut endpoint, &Method::Invite);
            respond(&mut endpoint, &offer, 491, "a", &[], "", now);
            if round == GLARES {
                break;
            }
            assert_eq!(told(&mut endpoint), []);
            // Before any wait can be over, the second half of its range, and its end.
            endpoint.handle_timeout(now.plus_ms(2_099));
            assert!(!words(&mut endpoint).contains(&"INVITE".to_owned()));
            now = now.plus_ms(4_000);
            endpoint.handle_timeout(now);
        }
        assert_eq!(told(&mut endpoint), [Event::ModifyFailed { leg, why: Why::new(491, "refused") }]);
    }

    #[test]
    fn waits_are_drawn_from_the_ranges_of_the_rfc() {
        let mut endpoint = endpoint(Admission::Open, 1);
        for owns in [true, false] {
            let drawn: Vec<u64> = (0..1_000).map(|_| endpoint.glare_wait_ms(owns)).collect();
            let range = if owns { 2_100..=4_000 } else { 0..=2_000 };
            assert!(drawn.iter().all(|ms| range.contains(ms) && ms % 10 == 0));
            assert!(drawn.iter().max().unwrap() - drawn.iter().min().unwrap() > 1_800);
        }
    }

    #[test]
    fn the_peers_offer_meets_ours_and_takes_the_place_of_one_that_waits() {
        let now = Now::default();
        let (mut endpoint, leg, invite) = call();
        endpoint.modify(leg, "v=1".into(), now);
        let offer = first(&mut endpoint, &Method::Invite);
        ask_of(&mut endpoint, &invite, ("INVITE", 1), "a", "v=p", now);
        ask_of(&mut endpoint, &invite, ("UPDATE", 2), "a", "v=p", now);
        ask_of(&mut endpoint, &invite, ("UPDATE", 3), "a", "", now);
        assert_eq!(words(&mut endpoint), ["491", "491", "200"]);
        respond(&mut endpoint, &offer, 491, "a", &[], "", now);
        ask_of(&mut endpoint, &invite, ("UPDATE", 4), "a", "v=p", now);
        let events = told(&mut endpoint);
        assert!(
            matches!(events.as_slice(), [Event::ModifyFailed { why, .. }, Event::Modified { .. }] if why.code == 491),
            "{events:?}"
        );
        // While theirs has no answer, ours waits and another of theirs is too many.
        endpoint.modify(leg, "v=2".into(), now);
        ask_of(&mut endpoint, &invite, ("INVITE", 5), "a", "v=q", now);
        endpoint.accept_modify(leg, "v=3".into(), now);
        assert_eq!(words(&mut endpoint), ["ACK", "500", "200"]);
        endpoint.handle_timeout(now.plus_ms(4_000));
        assert!(words(&mut endpoint).contains(&"INVITE".to_owned()));
    }

    #[test]
    fn only_an_offer_that_is_accepted_moves_the_target() {
        let now = Now::default();
        for (accepted, target) in [(false, "sip:a@127.0.0.1:5071"), (true, "sip:moved@127.0.0.1:5071")] {
            let (mut endpoint, leg, invite) = call();
            let mut moving = |method, number| {
                ask_from(&mut endpoint, &invite, (method, number), "a", "<sip:moved@127.0.0.1:5071>", "v=t38", now);
                match accepted {
                    true => endpoint.accept_modify(leg, "v=1".into(), now),
                    false => endpoint.refuse_modify(leg, 488, now),
                }
            };
            moving("UPDATE", 1);
            moving("INVITE", 2);
            let _ = sent(&mut endpoint);
            ask_of(&mut endpoint, &invite, ("ACK", 2), "a", "", now);
            endpoint.hang_up(leg, Why::new(16, "normal_clearing"), now);
            assert_eq!(first(&mut endpoint, &Method::Bye).1.uri().unwrap().to_string(), target);
        }
    }

    #[test]
    fn a_challenge_within_the_call_is_answered_once() {
        let now = Now::default();
        let (mut endpoint, leg, _) = call();
        let challenge = [("Proxy-Authenticate", "Digest realm=\"r\", nonce=\"n\", qop=\"auth\"")];
        endpoint.modify(leg, "v=1".into(), now);
        let offer = first(&mut endpoint, &Method::Invite);
        respond(&mut endpoint, &offer, 407, "a", &challenge, "", now);
        let again = first(&mut endpoint, &Method::Invite);
        assert!(again.1.header("Proxy-Authorization").is_some_and(|value| value.contains("username=\"u\"")));
        assert_eq!((again.1.cseq().unwrap().number, again.1.body.as_slice()), (3, &b"v=1"[..]));
        respond(&mut endpoint, &again, 200, "a", &[("Contact", A)], "v=2", now);
        let ack = first(&mut endpoint, &Method::Ack);
        assert_eq!(ack.1.cseq().unwrap().number, 3);
        let _ = told(&mut endpoint);
        endpoint.hang_up(leg, Why::new(16, "normal_clearing"), now);
        let bye = first(&mut endpoint, &Method::Bye);
        respond(&mut endpoint, &bye, 407, "a", &challenge, "", now);
        let again = first(&mut endpoint, &Method::Bye);
        assert!(again.1.header("Proxy-Authorization").is_some());
        respond(&mut endpoint, &again, 407, "a", &challenge, "", now);
        assert_eq!(told(&mut endpoint), [Event::Gone { leg }]);
        assert_eq!(endpoint.load()[..3], [0, 0, 0]);
    }
}
