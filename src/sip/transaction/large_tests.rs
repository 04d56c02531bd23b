//! Large requests on a virtual clock.

use rand_chacha::ChaCha12Rng;
use rand_core::SeedableRng;

use super::*;
use crate::sip::message::{Framing, Message, Method, Uri, Verdict, judge, response_to};
use crate::time::Now;

const START: Now = Now { mono_ns: 0, wall_ms: 0 };

fn flow(transport: Transport) -> Flow {
    let port = if transport == Transport::Tcp { 5062 } else { 5060 };
    let local = std::net::SocketAddr::from(([192, 0, 2, 1], port));
    Flow { transport, local, remote: "192.0.2.7:5060".parse().unwrap() }
}

fn layer() -> Transactions {
    let mut layer = Transactions::new(ChaCha12Rng::seed_from_u64(1));
    layer.set_streams(vec!["[2001:db8::1]:5062".parse().unwrap(), flow(Transport::Tcp).local]);
    layer
}

fn request(method: Method, body: usize) -> Message {
    Message::request(method.clone(), Uri::sip(Some("bob"), "192.0.2.7", None))
        .with("From", "<sip:a@a.example>;tag=f")
        .with("To", "<sip:bob@b.example>")
        .with("Call-ID", "c")
        .with("CSeq", format!("7 {method}"))
        .with_body("application/sdp", vec![b'x'; body])
}

/// What is sent: transport, method and message.
fn sent(layer: &mut Transactions) -> Vec<(Transport, Message)> {
    let read = |transmit: Transmit| match judge(&transmit.payload, Framing::Stream) {
        Verdict::Accept(message) => (transmit.flow.transport, message),
        other => panic!("{other:?}"),
    };
    std::iter::from_fn(|| layer.poll_transmit()).map(read).collect()
}

fn only(layer: &mut Transactions) -> (Transport, Message) {
    let mut sent = sent(layer);
    assert_eq!(sent.len(), 1, "{sent:?}");
    sent.remove(0)
}

fn fire(layer: &mut Transactions) -> Now {
    let now = Now { mono_ns: layer.poll_timeout().expect("a deadline"), wall_ms: 0 };
    layer.handle_timeout(now);
    now
}

#[test]
fn small_requests_stay_with_udp_and_large_ones_go_over_tcp() {
    let mut layer = layer();
    for (body, transport) in [(900, Transport::Udp), (1_300, Transport::Tcp)] {
        layer.send_request(request(Method::Invite, body), flow(Transport::Udp), START);
        let (over, message) = only(&mut layer);
        let via = message.header("Via").unwrap();
        assert_eq!(over, transport);
        assert!(via.starts_with(&format!("SIP/2.0/{} 192.0.2.1:5060;", transport.via_name())), "{via}");
    }
    // Without TCP of our own there is no choice.
    layer.set_streams(Vec::new());
    layer.send_request(request(Method::Invite, 1_300), flow(Transport::Udp), START);
    assert_eq!(only(&mut layer).0, Transport::Udp);
}

#[test]
fn silence_over_tcp_leads_to_udp_with_the_same_branch() {
    let mut layer = layer();
    layer.send_request(request(Method::Invite, 1_300), flow(Transport::Udp), START);
    let (_, first) = only(&mut layer);
    let late = fire(&mut layer);
    assert_eq!(late.mono_ns, 500 * crate::time::MS);
    let (transport, second) = only(&mut layer);
    assert_eq!(transport, Transport::Udp);
    assert_eq!(first.header("Via").unwrap().replace("TCP", "UDP"), second.header("Via").unwrap());
    assert_eq!((first.body, layer.fallbacks()), (second.body.clone(), 1));
    // It goes on as any request over UDP, and the next one does not try TCP again.
    assert_eq!(fire(&mut layer).mono_ns, 1_000 * crate::time::MS);
    assert_eq!(only(&mut layer).0, Transport::Udp);
    layer.send_request(request(Method::Bye, 1_300), flow(Transport::Udp), late);
    assert_eq!(only(&mut layer).0, Transport::Udp);
    // Until that is forgotten.
    layer.send_request(request(Method::Info, 1_300), flow(Transport::Udp), late.plus_ms(600_000));
    assert_eq!(only(&mut layer).0, Transport::Tcp);
}

#[test]
fn an_answer_over_tcp_ends_the_doubt() {
    let mut layer = layer();
    let key = layer.send_request(request(Method::Invite, 1_300), flow(Transport::Udp), START);
    let (_, invite) = only(&mut layer);
    layer.handle_message(response_to(&invite, 100, "Trying", None), flow(Transport::Tcp), START);
    assert!(matches!(layer.poll_event(), Some(TransactionEvent::Response { .. })));
    assert_eq!(layer.poll_timeout(), None);
    layer.cancel(&key, "SIP;cause=487", START).unwrap();
    let (transport, cancel) = only(&mut layer);
    assert_eq!((transport, cancel.header("Via")), (Transport::Tcp, invite.header("Via")));
    layer.handle_message(response_to(&invite, 486, "Busy Here", Some("t")), flow(Transport::Tcp), START);
    assert_eq!(only(&mut layer).0, Transport::Tcp);
    // From now on a break of the connection is what it is for every transaction.
    layer.handle_transport_error(flow(Transport::Tcp), START);
    assert_eq!(sent(&mut layer), []);
}

#[test]
fn a_slow_answer_over_tcp_after_udp_opens_it_again() {
    let mut layer = layer();
    layer.send_request(request(Method::Bye, 1_300), flow(Transport::Udp), START);
    let (_, bye) = only(&mut layer);
    let late = fire(&mut layer);
    assert_eq!(only(&mut layer).0, Transport::Udp);
    layer.handle_message(response_to(&bye, 200, "OK", Some("t")), flow(Transport::Tcp), late);
    assert!(matches!(layer.poll_event(), Some(TransactionEvent::Response { .. })));
    layer.send_request(request(Method::Info, 1_300), flow(Transport::Udp), late);
    assert_eq!(only(&mut layer).0, Transport::Tcp);
}

#[test]
fn a_refused_connection_leads_to_udp_at_once() {
    let mut layer = layer();
    layer.send_request(request(Method::Bye, 1_300), flow(Transport::Udp), START);
    sent(&mut layer);
    layer.handle_transport_error(flow(Transport::Tcp), START);
    assert_eq!(only(&mut layer).0, Transport::Udp);
    assert_eq!(layer.poll_event(), None, "nobody has to know");
}

#[test]
fn a_large_ack_goes_both_ways_for_nothing_confirms_it() {
    let mut layer = layer();
    layer.send_alone(request(Method::Ack, 1_300), flow(Transport::Udp), START);
    assert_eq!(only(&mut layer).0, Transport::Tcp);
    fire(&mut layer);
    assert_eq!(only(&mut layer).0, Transport::Udp);
    assert_eq!(layer.poll_timeout(), None);
    layer.send_alone(request(Method::Ack, 1_300), flow(Transport::Udp), START);
    sent(&mut layer);
    layer.handle_transport_error(flow(Transport::Tcp), START);
    assert_eq!(only(&mut layer).0, Transport::Udp);
}
