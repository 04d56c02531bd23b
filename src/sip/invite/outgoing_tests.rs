//! Calls that we place: challenges, and how a Contact is told.

use std::sync::Arc;

use super::again::Way;
use super::dial::Dial;
use super::testing::{PHONE, SWITCH, dial_to, endpoint, flow, talk};
use crate::sip::digest::{Account, Secret};
use crate::sip::endpoint::{Admission, Event, Why};
use crate::sip::transaction::{Flow, Transport};
use crate::time::Now;

/// A phone with this password dials; what both sides were told.
fn dial(password: &str) -> (Vec<Event>, Vec<Event>) {
    let now = Now::default();
    let (mut phone, mut switch) = (endpoint(Admission::Open, 1), endpoint(Admission::Guarded, 2));
    let account = Account { user: "1001".into(), password: Secret::new(password), realm: "trunkline".into() };
    let leg = phone.next_leg();
    phone.dial(leg, Dial { account: Some(Arc::new(account)), ..dial_to("sip:*71@127.0.0.1:5060") }, now);
    talk(&mut phone, &mut switch, now);
    let mut told = (Vec::new(), Vec::new());
    while let Some(event) = switch.poll_event() {
        if let Event::Invited { leg, .. } = &event {
            switch.answer(*leg, "v=0".into(), now);
        }
        told.1.push(event);
    }
    talk(&mut phone, &mut switch, now);
    told.0.extend(std::iter::from_fn(|| phone.poll_event()));
    told.1.extend(std::iter::from_fn(|| switch.poll_event()));
    told
}

#[test]
fn a_challenge_is_answered_and_the_call_goes_on() {
    let (phone, switch) = dial("right");
    assert!(matches!(phone.as_slice(), [Event::DialogChanged { .. }, Event::Answered { .. }]), "{phone:?}");
    let acked = switch.iter().filter(|event| matches!(event, Event::Acked { .. })).count();
    assert_eq!((acked, switch.len()), (1, 3), "{switch:?}");
}

#[test]
fn a_wrong_password_is_offered_once() {
    let (phone, switch) = dial("wrong");
    let why = Why::new(401, "challenged");
    assert!(matches!(phone.as_slice(), [Event::Failed { why: said, .. }] if *said == why), "{phone:?}");
    assert_eq!(switch, []);
}

#[test]
fn a_contact_says_how_it_is_reached() {
    let told = |transport, target: &str| {
        let mut phone = endpoint(Admission::Open, 1);
        let leg = phone.next_leg();
        let flow = Some(Flow { transport, ..flow(PHONE, SWITCH) });
        let target = target.parse().unwrap();
        let dial =
            Dial { ways: vec![Way { target, flow, routes: vec![] }], from: "1".into(), ..dial_to("sip:x@127.0.0.1") };
        phone.dial(leg, dial, Now::default());
        let sent = String::from_utf8(phone.poll_transmit().unwrap().payload).unwrap();
        let line = |name: &str| sent.lines().find_map(|line| line.strip_prefix(name)).unwrap().to_owned();
        (line("Via: SIP/2.0/").split(' ').next().unwrap().to_owned(), line("Contact: "))
    };
    for (transport, target, via, contact) in [
        (Transport::Udp, "sip:x@127.0.0.1", "UDP", "<sip:1@127.0.0.1:6000>"),
        (Transport::Tcp, "sip:x@127.0.0.1", "TCP", "<sip:1@127.0.0.1:6000;transport=tcp>"),
        (Transport::Tls, "sip:x@127.0.0.1", "TLS", "<sip:1@127.0.0.1:6000;transport=tls>"),
        (Transport::Tls, "sips:x@127.0.0.1", "TLS", "<sips:1@127.0.0.1:6000>"),
        (Transport::Ws, "sip:x@df7jal23ls0d.invalid", "WS", "<sip:1@127.0.0.1:6000;transport=ws>"),
        (Transport::Wss, "sips:x@df7jal23ls0d.invalid", "WSS", "<sips:1@127.0.0.1:6000;transport=ws>"),
        // What is no secret on its way is not called one.
        (Transport::Udp, "sips:x@127.0.0.1", "UDP", "<sip:1@127.0.0.1:6000>"),
    ] {
        assert_eq!(told(transport, target), (via.to_owned(), contact.to_owned()));
    }
}
