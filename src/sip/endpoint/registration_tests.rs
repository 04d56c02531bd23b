//! Our registrations, on a clock of the tests' own.

use super::*;
use crate::sip::digest::{Account, Secret};
use crate::sip::invite::testing::{endpoint, respond, sent};
use crate::sip::message::{Message, Method};

const FIRST: u16 = 5071;
const SECOND: u16 = 5072;
const OURS: &str = "<sip:u@127.0.0.1:6000>";

/// An endpoint that registers with registrars at these ports, for `expires_s` seconds.
fn registering(ports: &[u16], expires_s: u32, seed: u64) -> Endpoint {
    let mut endpoint = endpoint(Admission::Open, seed);
    let account = Account { user: "u".into(), password: Secret::new("p"), realm: "r".into() };
    let way =
        |port: &u16| Way { target: format!("sip:127.0.0.1:{port}").parse().unwrap(), flow: None, routes: Vec::new() };
    let registration = Registration {
        account: account.into(),
        aor: "sip:u@127.0.0.1".parse().unwrap(),
        contact_user: "u".into(),
        ways: ports.iter().map(way).collect(),
        expires_s,
    };
    endpoint.register("telco", registration, Now::default());
    endpoint
}

/// The only request that is sent, with the port that it goes to.
fn register(endpoint: &mut Endpoint) -> (u16, Message) {
    let mut all = sent(endpoint);
    assert_eq!(all.len(), 1, "{all:?}");
    let request = all.remove(0);
    assert_eq!(request.1.method(), Some(&Method::Register));
    request
}

fn grant(endpoint: &mut Endpoint, request: &(u16, Message), contacts: &str, now: Now) {
    respond(endpoint, request, 200, "t", &[("Contact", contacts)], "", now);
}

fn standing(endpoint: &Endpoint) -> Standing {
    endpoint.registrations().next().expect("one").1
}

fn holds_at(endpoint: &Endpoint, now: Now) -> bool {
    endpoint.is_registered_at("telco", "127.0.0.1".parse().unwrap(), now)
}

/// How long until the next deadline, ms; nothing else is under way.
fn wait_ms(endpoint: &Endpoint, now: Now) -> u64 {
    (endpoint.timers.next_deadline().expect("a timer") - now.mono_ns) / crate::time::MS
}

/// Goes to the next deadline of a registration and acts on it.
fn pass(endpoint: &mut Endpoint, now: Now) -> Now {
    let then = now.plus_ms(wait_ms(endpoint, now));
    endpoint.handle_timeout(then);
    then
}

/// Waits until nobody can have answered.
fn silence(endpoint: &mut Endpoint, now: Now) -> Now {
    let mut then = now;
    for _ in 0..33 {
        then = then.plus_ms(1_000);
        endpoint.handle_timeout(then);
    }
    then
}

#[test]
fn a_quarter_before_its_end_it_is_refreshed_in_the_same_dialog_of_numbers() {
    let mut endpoint = registering(&[FIRST], 600, 1);
    let mut now = Now::default();
    let mut last = register(&mut endpoint);
    // What is granted counts, not what was asked for.
    for (granted, wait) in [(600, 450_000), (120, 90_000), (14_400, 3_600_000), (3, 7_500)] {
        grant(&mut endpoint, &last, &format!("{OURS};expires={granted}"), now);
        let least = granted.max(10);
        assert!(matches!(standing(&endpoint), Standing::Registered { expires_s, .. } if expires_s == least));
        assert_eq!(wait_ms(&endpoint, now), wait, "of {granted} s");
        now = pass(&mut endpoint, now);
        let next = register(&mut endpoint);
        assert_eq!(next.1.call_id(), last.1.call_id());
        assert_eq!(next.1.cseq().unwrap().number, last.1.cseq().unwrap().number + 1);
        assert_eq!(next.1.header("Expires"), Some("600"));
        last = next;
    }
}

#[test]
fn of_several_contacts_ours_says_how_long_and_where_it_is_none_the_shortest() {
    let other = "<sip:u@127.0.0.9:5060>;expires=60";
    let seen = "<sip:u@192.0.2.7:1024>;expires=80";
    for (contacts, expires, granted) in [
        (format!("{other}, {OURS};expires=300"), "", 300),
        (format!("{OURS};expires=300, {other}"), "20", 300),
        (format!("{other}, {seen}"), "90", 90),
        (format!("{other}, {seen}"), "", 60),
        (OURS.to_owned(), "", 600),
    ] {
        let mut endpoint = registering(&[FIRST], 600, 1);
        let request = register(&mut endpoint);
        let headers = [("Contact", contacts.as_str()), ("Expires", expires)];
        let headers = if expires.is_empty() { &headers[..1] } else { &headers[..] };
        respond(&mut endpoint, &request, 200, "t", headers, "", Now::default());
        assert!(
            matches!(standing(&endpoint), Standing::Registered { expires_s, .. } if expires_s == granted),
            "{contacts} {expires}: {:?}",
            standing(&endpoint)
        );
    }
}

#[test]
fn a_time_that_is_too_brief_is_made_longer_once_and_with_a_challenge_of_its_own() {
    let now = Now::default();
    let mut endpoint = registering(&[FIRST], 60, 1);
    let challenge = |nonce: &str| format!("Digest realm=\"r\", nonce=\"{nonce}\", qop=\"auth\"");
    let first = register(&mut endpoint);
    respond(&mut endpoint, &first, 401, "t", &[("WWW-Authenticate", &challenge("n1"))], "", now);
    let proved = register(&mut endpoint);
    assert!(proved.1.header("Authorization").is_some());
    respond(&mut endpoint, &proved, 423, "t", &[("Min-Expires", "1800")], "", now);
    let longer = register(&mut endpoint);
    assert_eq!((longer.1.header("Expires"), longer.1.header("Authorization")), (Some("1800"), None));
    respond(&mut endpoint, &longer, 401, "t", &[("WWW-Authenticate", &challenge("n2"))], "", now);
    let proved = register(&mut endpoint);
    assert!(proved.1.header("Authorization").is_some_and(|value| value.contains("\"n2\"")));
    // A registrar that wants ever more is not followed.
    respond(&mut endpoint, &proved, 423, "t", &[("Min-Expires", "3600")], "", now);
    assert_eq!((standing(&endpoint), sent(&mut endpoint).len()), (Standing::Failed { code: 423 }, 0));
    let now = pass(&mut endpoint, now);
    let again = register(&mut endpoint);
    assert_eq!(again.1.header("Expires"), Some("1800"), "what was learnt stays");
    grant(&mut endpoint, &again, &format!("{OURS};expires=1800"), now);
    assert!(matches!(standing(&endpoint), Standing::Registered { .. }));
}

#[test]
fn failures_are_followed_by_waits_that_grow_to_a_bound_and_are_drawn_by_lot() {
    let waits = |seed| {
        let mut endpoint = registering(&[FIRST], 600, seed);
        let mut now = Now::default();
        let mut all = Vec::new();
        for _ in 0..9 {
            let request = register(&mut endpoint);
            respond(&mut endpoint, &request, 403, "t", &[], "", now);
            assert_eq!(standing(&endpoint), Standing::Failed { code: 403 });
            all.push(wait_ms(&endpoint, now));
            now = pass(&mut endpoint, now);
        }
        // One success, and the first failure after it waits as the first one did.
        let request = register(&mut endpoint);
        grant(&mut endpoint, &request, &format!("{OURS};expires=600"), now);
        now = pass(&mut endpoint, now);
        let request = register(&mut endpoint);
        respond(&mut endpoint, &request, 404, "t", &[], "", now);
        assert!((15_000..30_000).contains(&wait_ms(&endpoint, now)));
        all
    };
    let drawn = waits(1);
    for (failures, wait) in drawn.iter().enumerate() {
        let most = (30_000 << failures).min(1_800_000);
        assert!((most / 2..most).contains(wait), "after {failures}: {wait} of {most}");
    }
    assert_eq!(drawn, waits(1), "a seed draws the same");
    assert_ne!(drawn, waits(2), "and another one others");
}

#[test]
fn a_registrar_that_says_when_is_not_asked_before() {
    let now = Now::default();
    for (after, least, most) in
        [("120 (busy)", 120_000, 120_000), ("5", 15_000, 30_000), ("86400", 1_800_000, 1_800_000)]
    {
        let mut endpoint = registering(&[FIRST], 600, 1);
        let request = register(&mut endpoint);
        respond(&mut endpoint, &request, 503, "t", &[("Retry-After", after)], "", now);
        assert!((least..=most).contains(&wait_ms(&endpoint, now)), "{after}: {}", wait_ms(&endpoint, now));
    }
}

#[test]
fn the_next_registrar_stands_in_for_a_silent_one_until_that_answers_again() {
    let mut endpoint = registering(&[FIRST, SECOND], 600, 1);
    let mut now = Now::default();
    assert_eq!(register(&mut endpoint).0, FIRST);
    now = silence(&mut endpoint, now);
    let stands_in = sent(&mut endpoint).pop().expect("another try");
    assert_eq!((stands_in.0, standing(&endpoint)), (SECOND, Standing::Trying));
    grant(&mut endpoint, &stands_in, &format!("{OURS};expires=600"), now);
    assert_eq!(wait_ms(&endpoint, now), 300_000, "the first one is asked again before long");
    now = pass(&mut endpoint, now);
    assert_eq!(register(&mut endpoint).0, FIRST);
    // What holds there holds on while the first one is asked in vain.
    now = silence(&mut endpoint, now);
    assert!(matches!(standing(&endpoint), Standing::Registered { .. }) && holds_at(&endpoint, now));
    let stands_in = sent(&mut endpoint).pop().expect("another try");
    assert_eq!(stands_in.0, SECOND);
    grant(&mut endpoint, &stands_in, &format!("{OURS};expires=600"), now);
    now = pass(&mut endpoint, now);
    let back = register(&mut endpoint);
    assert_eq!(back.0, FIRST);
    grant(&mut endpoint, &back, &format!("{OURS};expires=600"), now);
    assert_eq!(wait_ms(&endpoint, now), 450_000);
    assert_eq!(endpoint.registrations().next().unwrap().2.unwrap().remote.port(), FIRST);
}

#[test]
fn a_short_registration_outlives_the_silence_of_the_first_registrar() {
    let mut endpoint = registering(&[FIRST, SECOND], 60, 1);
    let mut now = Now::default();
    let request = register(&mut endpoint);
    grant(&mut endpoint, &request, &format!("{OURS};expires=60"), now);
    now = pass(&mut endpoint, now);
    now = silence(&mut endpoint, now);
    assert!(holds_at(&endpoint, now), "the next one is asked before the minute is over");
    assert_eq!(sent(&mut endpoint).pop().expect("another try").0, SECOND);
}

#[test]
fn calls_come_from_where_it_holds_until_its_end_though_a_refresh_fails() {
    let mut endpoint = registering(&[FIRST], 600, 1);
    let now = Now::default();
    assert!(!holds_at(&endpoint, now));
    let request = register(&mut endpoint);
    grant(&mut endpoint, &request, &format!("{OURS};expires=600"), now);
    let later = pass(&mut endpoint, now);
    let request = register(&mut endpoint);
    respond(&mut endpoint, &request, 500, "t", &[], "", later);
    assert_eq!(standing(&endpoint), Standing::Failed { code: 500 });
    assert!(holds_at(&endpoint, now.plus_ms(599_000)));
    assert!(!holds_at(&endpoint, now.plus_ms(600_000)));
}

#[test]
fn a_nonce_that_grew_old_is_replaced_at_a_refresh_and_a_wrong_password_is_not_tried_twice() {
    let now = Now::default();
    let challenge = |nonce: &str, more: &str| format!("Digest realm=\"r\", nonce=\"{nonce}\", qop=\"auth\"{more}");
    let mut endpoint = registering(&[FIRST], 600, 1);
    let request = register(&mut endpoint);
    grant(&mut endpoint, &request, &format!("{OURS};expires=600"), now);
    let now = pass(&mut endpoint, now);
    let request = register(&mut endpoint);
    respond(&mut endpoint, &request, 401, "t", &[("WWW-Authenticate", &challenge("n1", ""))], "", now);
    let proved = register(&mut endpoint);
    respond(&mut endpoint, &proved, 401, "t", &[("WWW-Authenticate", &challenge("n2", ", stale=true"))], "", now);
    let again = register(&mut endpoint);
    assert!(again.1.header("Authorization").is_some_and(|value| value.contains("\"n2\"")), "{again:?}");
    grant(&mut endpoint, &again, &format!("{OURS};expires=600"), now);
    assert!(matches!(standing(&endpoint), Standing::Registered { .. }));
    // No word of age: the password is wrong. Nor is a registrar followed that finds every answer too old.
    let mut now = now;
    for more in ["", ", stale=true"] {
        now = pass(&mut endpoint, now);
        let mut request = register(&mut endpoint);
        let mut answers = 0;
        loop {
            let header = challenge(&format!("m{answers}"), more);
            respond(&mut endpoint, &request, 401, "t", &[("WWW-Authenticate", &header)], "", now);
            let Some(next) = sent(&mut endpoint).pop() else { break };
            (request, answers) = (next, answers + 1);
        }
        assert_eq!(standing(&endpoint), Standing::Failed { code: 401 });
        assert_eq!(answers, if more.is_empty() { 1 } else { 2 });
    }
}

#[test]
fn a_stop_takes_back_what_holds_and_what_is_under_way_and_tries_nothing_more() {
    let now = Now::default();
    // It holds: the registrar asks for the password once more, and the stop waits for its word.
    let mut endpoint = registering(&[FIRST], 600, 1);
    let request = register(&mut endpoint);
    grant(&mut endpoint, &request, &format!("{OURS};expires=600"), now);
    endpoint.unregister_all(now);
    let last = register(&mut endpoint);
    assert_eq!((last.1.header("Expires"), endpoint.is_unregistering()), (Some("0"), true));
    let challenge = [("WWW-Authenticate", "Digest realm=\"r\", nonce=\"n\", qop=\"auth\"")];
    respond(&mut endpoint, &last, 401, "t", &challenge, "", now);
    let proved = register(&mut endpoint);
    assert_eq!((proved.1.header("Expires"), endpoint.is_unregistering()), (Some("0"), true));
    respond(&mut endpoint, &proved, 200, "t", &[], "", now);
    assert_eq!((standing(&endpoint), endpoint.is_unregistering()), (Standing::Gone, false));
    assert!(!holds_at(&endpoint, now) && endpoint.timers.next_deadline().is_none());
    // It is under way: what was asked for may be granted yet.
    let mut endpoint = registering(&[FIRST], 600, 1);
    let first = register(&mut endpoint);
    endpoint.unregister_all(now);
    let last = register(&mut endpoint);
    assert!(last.1.cseq().unwrap().number > first.1.cseq().unwrap().number);
    endpoint.abandon_registrations();
    assert!(!endpoint.is_unregistering());
    // It failed: there is nothing to take back, and no more to be tried.
    let mut endpoint = registering(&[FIRST], 600, 1);
    let request = register(&mut endpoint);
    respond(&mut endpoint, &request, 404, "t", &[], "", now);
    endpoint.unregister_all(now);
    assert_eq!((sent(&mut endpoint).len(), endpoint.is_unregistering()), (0, false));
    assert_eq!((standing(&endpoint), endpoint.timers.next_deadline()), (Standing::Gone, None));
}
