//! Where requests within a dialog go once its stream is closed or its peer wants another transport.

use super::testing::{SWITCH, endpoint};
use crate::id::LegId;
use crate::sip::endpoint::{Admission, Endpoint, Event, Settings, Why};
use crate::sip::message::{Framing, Message, Method, judge};
use crate::sip::transaction::{Flow, Transport};
use crate::time::Now;

const START: Now = Now { mono_ns: 0, wall_ms: 0 };
const SOURCE: &str = "127.0.0.1:40000";
const AGAIN: &str = "127.0.0.1:40001";

fn by(transport: Transport, remote: &str) -> Flow {
    Flow { transport, local: SWITCH.parse().unwrap(), remote: remote.parse().unwrap() }
}

fn switch() -> Endpoint {
    let listen = vec![(Transport::Udp, SWITCH.parse().unwrap()), (Transport::Tcp, SWITCH.parse().unwrap())];
    let settings = Settings { listen, ..endpoint(Admission::Open, 1).settings };
    Endpoint::new(settings, 1, rand_core::SeedableRng::seed_from_u64(1))
}

fn ask(endpoint: &mut Endpoint, (method, number): (&str, u32), to: &str, lines: &str, source: Flow) {
    let via = source.transport.via_name();
    let text = format!(
        "{method} sip:4002@{SWITCH} SIP/2.0\r\nVia: SIP/2.0/{via} {SOURCE};branch=z9hG4bK{method}{number}\r\n\
         From: <sip:1@{SWITCH}>;tag=f\r\nTo: {to}\r\nCall-ID: c1\r\nCSeq: {number} {method}\r\nMax-Forwards: 70\r\n\
         {lines}Content-Length: 0\r\n\r\n"
    );
    endpoint.handle_verdict(judge(text.as_bytes(), Framing::Datagram), source, START);
}

fn sent(endpoint: &mut Endpoint) -> Vec<(Flow, Message)> {
    let read = |sent: crate::sip::transaction::Transmit| match judge(&sent.payload, Framing::Datagram) {
        crate::sip::message::Verdict::Accept(msg) => (sent.flow, msg),
        other => panic!("{other:?}"),
    };
    std::iter::from_fn(|| endpoint.poll_transmit()).map(read).collect()
}

/// A call that came with these header lines, answered and acknowledged, and To with our tag.
fn session(endpoint: &mut Endpoint, lines: &str, source: Flow) -> (LegId, String) {
    ask(endpoint, ("INVITE", 1), &format!("<sip:4002@{SWITCH}>"), lines, source);
    let leg = std::iter::from_fn(|| endpoint.poll_event()).find_map(|event| match event {
        Event::Invited { leg, .. } => Some(leg),
        _ => None,
    });
    endpoint.answer(leg.unwrap(), "v=0".into(), START);
    let to = sent(endpoint)[0].1.header("To").unwrap().to_owned();
    ask(endpoint, ("ACK", 1), &to, "", source);
    (leg.unwrap(), to)
}

/// The way of our BYE.
fn bye(endpoint: &mut Endpoint, leg: LegId) -> String {
    sent(endpoint);
    endpoint.hang_up(leg, Why::new(16, "normal"), START);
    let bye = sent(endpoint).into_iter().find(|(_, msg)| msg.method() == Some(&Method::Bye));
    bye.unwrap().0.to_string()
}

const CONTACT: &str = "Contact: <sip:1@127.0.0.1:17888;transport=tcp>\r\n";

#[test]
fn a_stream_is_used_while_it_is_open_and_the_contact_or_first_route_after_it() {
    let route = "Record-Route: <sip:127.0.0.3:5080;transport=tcp;lr>\r\nContact: <sip:1@192.0.2.1>\r\n";
    let silent = "Contact: <sip:1@127.0.0.1:17888>\r\n";
    for (transport, lines, closed, way) in [
        (Transport::Tcp, CONTACT, false, format!("tcp:{SOURCE}@{SWITCH}")),
        (Transport::Tcp, CONTACT, true, format!("tcp:127.0.0.1:17888@{SWITCH}")),
        (Transport::Tcp, route, true, format!("tcp:127.0.0.3:5080@{SWITCH}")),
        // A Contact that names no transport means UDP.
        (Transport::Tcp, silent, true, format!("udp:127.0.0.1:17888@{SWITCH}")),
        // Nobody connects to a browser.
        (Transport::Ws, CONTACT, true, format!("ws:{SOURCE}@{SWITCH}")),
    ] {
        let mut endpoint = switch();
        let source = by(transport, SOURCE);
        let (leg, _) = session(&mut endpoint, lines, source);
        if closed {
            endpoint.handle_flow_broken(source, START);
        }
        assert_eq!(bye(&mut endpoint, leg), way, "{transport:?} {lines} {closed}");
    }
}

#[test]
fn a_peer_that_connects_again_is_followed_by_any_request_with_the_right_tags() {
    for method in ["INFO", "INVITE", "ACK"] {
        let mut endpoint = switch();
        let (old, new) = (by(Transport::Tcp, SOURCE), by(Transport::Tcp, AGAIN));
        let (leg, to) = session(&mut endpoint, CONTACT, old);
        endpoint.handle_flow_broken(old, START);
        ask(&mut endpoint, (method, 2), &format!("{to}x"), CONTACT, new);
        assert_eq!(endpoint.flow_of(leg), Some(old), "a guessed tag moves nothing");
        ask(&mut endpoint, (method, 3), &to, CONTACT, new);
        assert_eq!(bye(&mut endpoint, leg), new.to_string(), "{method}");
    }
}

#[test]
fn a_peer_by_udp_gets_requests_over_the_transport_of_its_contact_or_route() {
    let route = "Record-Route: <sip:127.0.0.3;transport=tcp;lr>\r\nContact: <sip:1@192.0.2.1>\r\n";
    let unknown = "Contact: <sip:1@127.0.0.1:17445;transport=tls>\r\n";
    for (lines, way) in [
        ("Contact: <sip:1@127.0.0.1:17445;transport=tcp>\r\n", format!("tcp:127.0.0.1:17445@{SWITCH}")),
        ("Contact: <sip:1@127.0.0.1:17445;transport=udp>\r\n", format!("udp:127.0.0.1:17445@{SWITCH}")),
        (route, format!("tcp:127.0.0.3:5060@{SWITCH}")),
        // Nothing here speaks TLS: the way so far is all there is.
        (unknown, format!("udp:{SOURCE}@{SWITCH}")),
    ] {
        let mut endpoint = switch();
        let (leg, _) = session(&mut endpoint, lines, by(Transport::Udp, SOURCE));
        assert_eq!(bye(&mut endpoint, leg), way, "{lines}");
    }
}
