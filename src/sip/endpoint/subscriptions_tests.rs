//! Subscriptions on a virtual clock.

use super::{Admission, Endpoint, Event};
use crate::sip::digest::{Account, Secret};
use crate::sip::invite::testing::{PHONE, SWITCH, endpoint, flow, respond, sent};
use crate::sip::message::{Framing, Message, Verdict, judge};
use crate::sip::subscription::{Direction, Messages, Package, Phase, State, SubscriptionId, WatchedDialog};
use crate::time::Now;

/// A SUBSCRIBE of user 1001's phone for whom `uri` names.
fn text(uri: &str, number: u32, to_tag: &str, lines: &str) -> String {
    let tag = if to_tag.is_empty() { String::new() } else { format!(";tag={to_tag}") };
    format!(
        "SUBSCRIBE {uri} SIP/2.0\r\nVia: SIP/2.0/UDP {PHONE};branch=z9hG4bKs{number}\r\nFrom: <sip:1001@{SWITCH}>;tag=w\r\n\
         To: <{uri}>{tag}\r\nCall-ID: s1\r\nCSeq: {number} SUBSCRIBE\r\nMax-Forwards: 70\r\nContact: <sip:1001@{PHONE}>\r\n\
         {lines}Content-Length: 0\r\n\r\n"
    )
}

fn give(endpoint: &mut Endpoint, text: &str, now: Now) {
    endpoint.handle_verdict(judge(text.as_bytes(), Framing::Datagram), flow(SWITCH, PHONE), now);
}

/// Asks, and proves the password; gives the final response.
fn subscribe(endpoint: &mut Endpoint, uri: &str, number: u32, lines: &str, now: Now) -> Message {
    give(endpoint, &text(uri, number, "", lines), now);
    let challenge = sent(endpoint).remove(0).1;
    assert_eq!(challenge.code(), Some(401));
    let account =
        Account { user: "1001".into(), password: Secret::new("right"), realm: Account::realms(&challenge)[0].clone() };
    let Verdict::Accept(request) = judge(text(uri, number + 1, "", lines).as_bytes(), Framing::Datagram) else {
        panic!("a request")
    };
    let (name, value) = account.answer(&challenge, &request, false, "c").unwrap();
    give(endpoint, &text(uri, number + 1, "", &format!("{lines}{name}: {value}\r\n")), now);
    sent(endpoint).remove(0).1
}

fn asked(endpoint: &mut Endpoint) -> SubscriptionId {
    match endpoint.poll_event() {
        Some(Event::StateWanted { subscription, .. }) => subscription,
        other => panic!("{other:?}"),
    }
}

fn rings(phase: Phase) -> State {
    State::Dialogs(vec![WatchedDialog { id: "a1".into(), direction: Direction::Recipient, phase }])
}

/// What a NOTIFY says: its state, and the version and state words of its document.
fn told(endpoint: &mut Endpoint) -> ((u16, Message), String, String) {
    let notify = sent(endpoint).into_iter().find(|(_, msg)| msg.method().is_some()).expect("a NOTIFY");
    let standing = notify.1.header("Subscription-State").unwrap().to_owned();
    let body = String::from_utf8(notify.1.body.clone()).unwrap();
    (notify, standing, body)
}

fn watching(now: Now) -> (Endpoint, SubscriptionId, String) {
    let mut endpoint = endpoint(Admission::Guarded, 1);
    let accepted = subscribe(&mut endpoint, "sip:1001@h", 1, "Event: dialog;id=9\r\nExpires: 600\r\n", now);
    assert_eq!((accepted.code(), accepted.header("Expires")), (Some(200), Some("600")));
    assert!(accepted.header("Contact").is_some());
    let id = asked(&mut endpoint);
    endpoint.tell_state(id, State::Dialogs(vec![]), now);
    (endpoint, id, accepted.to().unwrap().tag().unwrap().to_owned())
}

#[test]
fn changes_wait_for_the_answer_and_the_newest_is_told_whole() {
    let now = Now::default();
    let (mut endpoint, _, _) = watching(now);
    let (first, standing, body) = told(&mut endpoint);
    assert_eq!((standing.as_str(), first.1.header("Event")), ("active;expires=600", Some("dialog;id=9")));
    assert!(
        body.contains("version=\"0\" state=\"full\" entity=\"sip:1001@h\"") && !body.contains("<dialog "),
        "{body}"
    );
    for phase in [Phase::Trying, Phase::Early] {
        endpoint.publish_state(Package::Dialog, "1001", &rings(phase), now);
    }
    assert!(sent(&mut endpoint).is_empty(), "one NOTIFY at a time");
    respond(&mut endpoint, &first, 200, "w", &[], "", now);
    let (second, _, body) = told(&mut endpoint);
    assert!(body.contains("version=\"1\"") && body.contains("<state>early</state>"), "{body}");
    respond(&mut endpoint, &second, 200, "w", &[], "", now);
    endpoint.publish_state(Package::Dialog, "1001", &State::Dialogs(vec![]), now);
    let (third, _, body) = told(&mut endpoint);
    assert!(body.contains("<dialog id=\"a1\" direction=\"recipient\"><state>terminated</state>"), "{body}");
    respond(&mut endpoint, &third, 200, "w", &[], "", now);
    endpoint.publish_state(Package::Dialog, "1001", &State::Dialogs(vec![]), now);
    assert!(!told(&mut endpoint).2.contains("<dialog "), "a call is told as terminated once");
    assert!(endpoint.is_watched(Package::Dialog, "1001") && endpoint.subscriptions_agree());
}

#[test]
fn a_refresh_goes_on_and_the_end_is_told_whoever_wants_it() {
    let now = Now::default();
    let (mut endpoint, id, tag) = watching(now);
    let (first, _, _) = told(&mut endpoint);
    respond(&mut endpoint, &first, 200, "w", &[], "", now);
    let later = now.plus_ms(500_000);
    give(&mut endpoint, &text("sip:1001@h", 5, &tag, "Event: dialog;id=9\r\nExpires: 600\r\n"), later);
    assert_eq!(asked(&mut endpoint), id);
    endpoint.tell_state(id, State::Dialogs(vec![]), later);
    let (second, standing, _) = told(&mut endpoint);
    assert_eq!(standing, "active;expires=600");
    respond(&mut endpoint, &second, 200, "w", &[], "", later);
    give(&mut endpoint, &text("sip:1001@h", 4, &tag, "Event: dialog;id=9\r\n"), later);
    assert_eq!(sent(&mut endpoint).remove(0).1.code(), Some(500), "an older request");
    give(&mut endpoint, &text("sip:1001@h", 6, &tag, "Event: dialog;id=9\r\nExpires: 0\r\n"), later);
    endpoint.tell_state(id, State::Dialogs(vec![]), later);
    assert_eq!(told(&mut endpoint).1, "terminated;reason=timeout");
    assert_eq!((endpoint.subscriptions(), endpoint.load()[4]), (0, 0));
    give(&mut endpoint, &text("sip:1001@h", 7, &tag, "Event: dialog;id=9\r\n"), later);
    assert_eq!(sent(&mut endpoint).remove(0).1.code(), Some(481));
}

#[test]
fn one_that_is_not_refreshed_ends_with_its_last_state() {
    let now = Now::default();
    let (mut endpoint, id, _) = watching(now);
    let (first, _, _) = told(&mut endpoint);
    respond(&mut endpoint, &first, 200, "w", &[], "", now);
    let later = now.plus_ms(600_000);
    endpoint.handle_timeout(later);
    let wanted = std::iter::from_fn(|| endpoint.poll_event()).any(|event| matches!(event, Event::StateWanted { .. }));
    assert!(wanted);
    endpoint.tell_state(id, rings(Phase::Confirmed), later);
    let (_, standing, body) = told(&mut endpoint);
    assert_eq!(standing, "terminated;reason=timeout");
    assert!(body.contains("confirmed"), "{body}");
    assert_eq!(endpoint.subscriptions(), 0);
}

#[test]
fn a_subscriber_that_forgot_or_says_nothing_is_forgotten() {
    for code in [Some(481), Some(500), None] {
        let mut now = Now::default();
        let (mut endpoint, _, _) = watching(now);
        let (first, _, _) = told(&mut endpoint);
        match code {
            Some(code) => respond(&mut endpoint, &first, code, "w", &[], "", now),
            None => {
                now = now.plus_ms(33_000);
                endpoint.handle_timeout(now);
                let _ = sent(&mut endpoint);
            }
        }
        // A phone that only cannot take this one hears of the next change.
        assert_eq!(endpoint.subscriptions(), usize::from(code == Some(500)), "{code:?}");
        endpoint.publish_state(Package::Dialog, "1001", &rings(Phase::Early), now);
        assert_eq!(sent(&mut endpoint).iter().any(|(_, msg)| msg.method().is_some()), code == Some(500));
        assert!(endpoint.subscriptions_agree());
    }
}

#[test]
fn what_cannot_be_watched_is_refused_for_its_reason() {
    let now = Now::default();
    let mut endpoint = endpoint(Admission::Guarded, 1);
    let cases = [
        ("sip:1001@h", "Event: presence\r\n", 489, "Allow-Events", Some("dialog, message-summary")),
        ("sip:1001@h", "", 489, "Allow-Events", Some("dialog, message-summary")),
        ("sip:1001@h", "Event: dialog\r\nExpires: 10\r\n", 423, "Min-Expires", Some("60")),
        ("sip:1001@h", "Event: dialog\r\nAccept: application/pidf+xml\r\n", 406, "Min-Expires", None),
        ("sip:1009@h", "Event: dialog\r\n", 404, "Min-Expires", None),
        ("sip:1009@h", "Event: message-summary\r\n", 404, "Min-Expires", None),
    ];
    for (number, (uri, lines, code, name, value)) in (1..).step_by(2).zip(cases) {
        let refused = subscribe(&mut endpoint, uri, number, lines, now);
        assert_eq!((refused.code(), refused.header(name)), (Some(code), value), "{lines}");
    }
    assert_eq!((endpoint.subscriptions(), endpoint.poll_event()), (0, None));
}

#[test]
fn a_fetch_is_told_once_and_messages_are_counted() {
    let now = Now::default();
    let mut endpoint = endpoint(Admission::Guarded, 1);
    let accepted = subscribe(&mut endpoint, "sip:1001@h", 1, "Event: message-summary\r\nExpires: 0\r\n", now);
    assert_eq!((accepted.code(), accepted.header("Expires")), (Some(200), Some("0")));
    let id = asked(&mut endpoint);
    endpoint.tell_state(id, State::Messages(Messages::default()), now);
    let (notify, standing, body) = told(&mut endpoint);
    assert_eq!(standing, "terminated;reason=timeout");
    assert_eq!(notify.1.header("Content-Type"), Some("application/simple-message-summary"));
    assert!(body.contains("Messages-Waiting: no") && body.contains("Voice-Message: 0/0"), "{body}");
    assert_eq!(endpoint.subscriptions(), 0);
}

#[test]
fn a_user_has_so_many_and_a_stop_ends_them_all() {
    let now = Now::default();
    let mut endpoint = endpoint(Admission::Guarded, 1);
    let most = crate::sip::subscription::MAX_OF_USER as u32;
    for number in 0..most {
        let accepted = subscribe(&mut endpoint, "sip:1001@h", 2 * number + 1, "Event: dialog\r\n", now);
        assert_eq!(accepted.code(), Some(200));
    }
    let refused = subscribe(&mut endpoint, "sip:1001@h", 2 * most + 1, "Event: dialog\r\n", now);
    assert_eq!((refused.code(), refused.header("Retry-After")), (Some(503), Some("300")));
    endpoint.end_subscriptions(now);
    let last = sent(&mut endpoint);
    let probation =
        |msg: &Message| msg.header("Subscription-State") == Some("terminated;reason=probation;retry-after=30");
    assert!(last.len() == most as usize && last.iter().all(|(_, msg)| probation(msg)));
    assert_eq!((endpoint.subscriptions(), endpoint.load()[4]), (0, 0));
    assert!(endpoint.subscriptions_agree());
}
