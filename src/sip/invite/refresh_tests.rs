//! What becomes of a refresh of ours that is refused.

use super::testing::{dial_to, endpoint, respond, sent, told, way, words};
use crate::id::LegId;
use crate::sip::endpoint::{Admission, Dial, Endpoint, Event, Why};
use crate::sip::message::{Message, Method};
use crate::time::Now;

const A: &str = "<sip:a@127.0.0.1:5071>";
/// When the refresh of half an hour is due, and when the session ends without it, ms.
const DUE: u64 = 900_000;
const END: u64 = 1_768_000;

/// A call of ours that we are to refresh, and its first refresh.
fn call() -> (Endpoint, LegId, (u16, Message)) {
    let now = Now::default();
    let mut endpoint = endpoint(Admission::Open, 1);
    let leg = endpoint.next_leg();
    endpoint.dial(leg, Dial { ways: vec![way(5071)], ..dial_to("sip:x@127.0.0.1") }, now);
    let invite = sent(&mut endpoint).remove(0);
    let agreed = [("Contact", A), ("Allow", "INVITE, UPDATE"), ("Session-Expires", "1800;refresher=uac")];
    respond(&mut endpoint, &invite, 200, "a", &agreed, "v=a", now);
    let _ = (sent(&mut endpoint), told(&mut endpoint));
    let refresh = refresh_at(&mut endpoint, DUE);
    (endpoint, leg, refresh)
}

fn at(ms: u64) -> Now {
    Now::default().plus_ms(ms)
}

fn refresh_at(endpoint: &mut Endpoint, ms: u64) -> (u16, Message) {
    endpoint.handle_timeout(at(ms));
    sent(endpoint).pop().expect("a refresh")
}

#[test]
fn a_refused_refresh_is_tried_again_when_the_peer_says() {
    let (mut endpoint, _, refresh) = call();
    assert_eq!(refresh.1.method(), Some(&Method::Update));
    respond(&mut endpoint, &refresh, 500, "a", &[("Retry-After", "2 (busy)")], "", at(DUE));
    endpoint.handle_timeout(at(DUE + 1_999));
    assert_eq!(words(&mut endpoint), [""; 0]);
    let again = refresh_at(&mut endpoint, DUE + 2_000);
    assert_eq!((again.1.method(), again.1.cseq().unwrap().number), (Some(&Method::Update), 3));
    respond(&mut endpoint, &again, 200, "a", &[("Session-Expires", "1800;refresher=uac")], "", at(DUE + 2_000));
    // The session has begun anew: its old end says nothing.
    let next = refresh_at(&mut endpoint, 2 * DUE + 2_000);
    assert_eq!((next.1.method(), told(&mut endpoint)), (Some(&Method::Update), vec![]));
}

#[test]
fn a_peer_that_refuses_every_refresh_is_asked_less_and_less_until_the_interval_is_over() {
    let (mut endpoint, leg, mut refresh) = call();
    let (mut ms, mut waits) = (DUE, Vec::new());
    loop {
        respond(&mut endpoint, &refresh, 403, "a", &[], "", at(ms));
        let due = endpoint.timers.next_deadline().expect("another try") / crate::time::MS;
        waits.push(due - ms);
        ms = due;
        refresh = refresh_at(&mut endpoint, ms);
        if refresh.1.method() == Some(&Method::Bye) {
            break;
        }
    }
    assert!((2_000..=10_000).contains(&waits[0]), "{waits:?}");
    assert!((5..12).contains(&waits.len()), "{waits:?}");
    assert_eq!(ms, END);
    assert_eq!(told(&mut endpoint), [Event::HungUp { leg, why: Why::new(408, "session_expired") }]);
}

#[test]
fn glare_waits_as_the_rfc_says_and_a_longer_interval_is_asked_for() {
    let (mut endpoint, _, refresh) = call();
    respond(&mut endpoint, &refresh, 491, "a", &[], "", at(DUE));
    endpoint.handle_timeout(at(DUE + 2_099));
    assert_eq!(words(&mut endpoint), [""; 0]);
    let again = refresh_at(&mut endpoint, DUE + 4_000);
    respond(&mut endpoint, &again, 422, "a", &[("Min-SE", "3600")], "", at(DUE + 4_000));
    let longer = refresh_at(&mut endpoint, DUE + 14_000);
    assert_eq!(longer.1.header("Session-Expires"), Some("3600;refresher=uac"));
}

#[test]
fn a_peer_without_update_is_refreshed_by_a_re_invite() {
    for code in [405, 501] {
        let (mut endpoint, _, refresh) = call();
        respond(&mut endpoint, &refresh, code, "a", &[], "", at(DUE));
        let again = sent(&mut endpoint).pop().expect("a re-INVITE");
        assert_eq!((again.1.method(), again.1.body.as_slice()), (Some(&Method::Invite), &b"v=0"[..]));
        // What it refuses as well is no reason to end at once.
        respond(&mut endpoint, &again, code, "a", &[], "", at(DUE));
        assert_eq!((words(&mut endpoint), told(&mut endpoint)), (vec!["ACK".to_owned()], vec![]));
    }
}

#[test]
fn a_peer_that_knows_the_session_no_longer_gets_its_bye_at_once() {
    for code in [408, 481] {
        let (mut endpoint, leg, refresh) = call();
        respond(&mut endpoint, &refresh, code, "a", &[], "", at(DUE));
        assert_eq!(words(&mut endpoint), ["BYE"]);
        assert_eq!(told(&mut endpoint), [Event::HungUp { leg, why: Why::new(408, "session_expired") }]);
    }
}

#[test]
fn a_way_that_breaks_is_no_end_of_the_session() {
    let (mut endpoint, _, refresh) = call();
    let flow = super::testing::flow(super::testing::PHONE, &format!("127.0.0.1:{}", refresh.0));
    endpoint.handle_flow_broken(flow, at(DUE));
    assert_eq!((words(&mut endpoint), told(&mut endpoint)), (vec![], vec![]));
    assert_eq!(refresh_at(&mut endpoint, DUE + 10_000).1.method(), Some(&Method::Update));
}
