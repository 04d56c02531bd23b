//! The layer on a virtual clock.

use rand_chacha::ChaCha12Rng;
use rand_core::SeedableRng;

use super::*;
use crate::sip::message::{Framing, Message, Method, Uri, Verdict, judge, response_to};
use crate::time::Now;

const START: Now = Now { mono_ns: 0, wall_ms: 0 };

fn flow(transport: Transport) -> Flow {
    Flow { transport, local: "127.0.0.1:5060".parse().unwrap(), remote: "127.0.0.2:40000".parse().unwrap() }
}

fn layer() -> Transactions {
    Transactions::new(ChaCha12Rng::seed_from_u64(1))
}

fn request(method: Method, via: &str) -> Message {
    let cseq = format!("7 {method}");
    Message::request(method, Uri::sip(Some("bob"), "b.example", None))
        .with("Via", via)
        .with("From", "<sip:a@a.example>;tag=f")
        .with("To", "<sip:bob@b.example>")
        .with("Call-ID", "c")
        .with("CSeq", cseq)
}

const VIA: &str = "SIP/2.0/UDP 127.0.0.2:5066;branch=z9hG4bKx";

fn sent(layer: &mut Transactions) -> Vec<Message> {
    let mut messages = Vec::new();
    while let Some(transmit) = layer.poll_transmit() {
        let Verdict::Accept(message) = judge(&transmit.payload, Framing::Stream) else { panic!("{transmit:?}") };
        messages.push(message);
    }
    messages
}

fn codes(layer: &mut Transactions) -> Vec<u16> {
    sent(layer).iter().filter_map(Message::code).collect()
}

/// Lets the clock run to `ms`, firing each deadline at its own instant.
fn run_to(layer: &mut Transactions, ms: u64) -> Now {
    let end = START.plus_ms(ms);
    while let Some(at) = layer.poll_timeout().filter(|at| *at <= end.mono_ns) {
        layer.handle_timeout(Now { mono_ns: at, wall_ms: 0 });
    }
    end
}

fn invited(layer: &mut Transactions, via: &str) -> (TransactionKey, Message) {
    layer.handle_message(request(Method::Invite, via), flow(Transport::Udp), START);
    match layer.poll_event() {
        Some(TransactionEvent::Request { key, msg, .. }) => (key, msg),
        other => panic!("{other:?}"),
    }
}

#[test]
fn an_unanswered_invite_leaves_seven_times_and_times_out() {
    let mut layer = layer();
    let mut invite = request(Method::Invite, VIA);
    invite.remove("Via");
    let key = layer.send_request(invite, flow(Transport::Udp), START);
    run_to(&mut layer, 31_999);
    assert_eq!((sent(&mut layer).len(), layer.poll_event()), (7, None));
    run_to(&mut layer, 32_000);
    assert_eq!(layer.poll_event(), Some(TransactionEvent::Timeout { key }));
    assert_eq!((layer.len(), layer.poll_timeout()), (0, None));
}

#[test]
fn an_unanswered_bye_leaves_eleven_times_and_once_on_a_stream() {
    for (transport, times) in [(Transport::Udp, 11), (Transport::Tcp, 1)] {
        let mut layer = layer();
        layer.send_request(request(Method::Bye, VIA), flow(transport), START);
        run_to(&mut layer, 40_000);
        assert_eq!((sent(&mut layer).len(), layer.len(), layer.poll_timeout()), (times, 0, None));
    }
}

#[test]
fn a_cancel_is_answered_and_its_invite_named() {
    let mut layer = layer();
    let (key, invite) = invited(&mut layer, VIA);
    layer.respond(&key, &response_to(&invite, 180, "Ringing", Some("t")), START).unwrap();
    layer.handle_message(request(Method::Cancel, VIA), flow(Transport::Udp), START);
    let named = matches!(layer.poll_event(), Some(TransactionEvent::Cancel { invite, .. }) if invite == key);
    assert!(named);
    layer.respond(&key, &response_to(&invite, 487, "Request Terminated", Some("t")), START).unwrap();
    let answers = sent(&mut layer);
    assert_eq!(answers.iter().filter_map(Message::code).collect::<Vec<_>>(), [180, 200, 487]);
    assert!(answers.iter().all(|answer| answer.to().unwrap().tag() == Some("t")));
    layer.handle_message(request(Method::Ack, VIA), flow(Transport::Udp), START);
    assert_eq!(layer.poll_event(), None);
    run_to(&mut layer, 40_000);
    assert_eq!((layer.len(), layer.poll_timeout()), (0, None));
}

#[test]
fn a_cancel_after_the_answer_changes_nothing_and_of_nothing_is_a_request_like_others() {
    let mut layer = layer();
    layer.handle_message(request(Method::Cancel, VIA), flow(Transport::Udp), START);
    let Some(TransactionEvent::Request { key, .. }) = layer.poll_event() else { panic!("its answer is the user's") };
    layer.forget(&key);
    let (key, invite) = invited(&mut layer, VIA);
    layer.respond(&key, &response_to(&invite, 200, "OK", Some("t")), START).unwrap();
    layer.handle_message(request(Method::Cancel, VIA), flow(Transport::Udp), START);
    assert_eq!((codes(&mut layer), layer.poll_event()), (vec![200, 200], None));
}

#[test]
fn repeats_and_merged_copies_reach_the_user_once() {
    for via in [VIA, "SIP/2.0/UDP 127.0.0.2:5066;branch=old"] {
        let mut layer = layer();
        invited(&mut layer, via);
        layer.handle_message(request(Method::Invite, via), flow(Transport::Udp), START);
        run_to(&mut layer, 200);
        layer.handle_message(request(Method::Invite, via), flow(Transport::Udp), START);
        layer.handle_message(request(Method::Invite, &format!("{via}-other")), flow(Transport::Udp), START);
        assert_eq!((codes(&mut layer), layer.poll_event()), (vec![100, 100, 482], None));
    }
}

#[test]
fn an_old_peers_ack_finds_its_invite_in_spite_of_the_new_tag() {
    let via = "SIP/2.0/UDP 127.0.0.2:5066";
    let mut layer = layer();
    let (key, invite) = invited(&mut layer, via);
    layer.respond(&key, &response_to(&invite, 404, "Not Found", Some("t")), START).unwrap();
    let mut ack = request(Method::Ack, via);
    ack.set("To", "<sip:bob@b.example>;tag=t");
    layer.handle_message(ack, flow(Transport::Udp), START);
    run_to(&mut layer, 5_000);
    assert_eq!((codes(&mut layer), layer.len(), layer.poll_event()), (vec![404], 0, None));
}

#[test]
fn answers_go_to_the_port_of_sent_by_unless_rport_asks_for_the_source() {
    for (via, port) in [(VIA.to_owned(), 5066), (format!("{VIA};rport"), 40_000)] {
        let mut layer = layer();
        let reply = Some(request(Method::Options, &via));
        layer.handle_verdict(Verdict::Reject { status: 400, reason: "", reply }, flow(Transport::Udp), START);
        assert_eq!(layer.poll_transmit().unwrap().flow.remote.port(), port);
    }
}

#[test]
fn success_after_the_transaction_goes_up_as_a_stray() {
    let mut layer = layer();
    let invite = request(Method::Invite, VIA);
    let ok = response_to(&invite, 200, "OK", Some("t"));
    let key = layer.send_request(invite, flow(Transport::Udp), START);
    for _ in 0..2 {
        layer.handle_message(ok.clone(), flow(Transport::Udp), START);
        assert_eq!(
            layer.poll_event(),
            Some(TransactionEvent::Response { key: key.clone(), msg: ok.clone(), flow: flow(Transport::Udp) })
        );
    }
    assert_eq!(layer.cancel(&key, "SIP;cause=200", START), Err(NoTransaction(key)));
    let end = run_to(&mut layer, 32_000);
    layer.handle_message(ok.clone(), flow(Transport::Udp), end);
    assert_eq!(layer.poll_event(), Some(TransactionEvent::StraySuccess { msg: ok, flow: flow(Transport::Udp) }));
    assert!(layer.is_empty());
}

#[test]
fn a_broken_way_ends_its_transactions() {
    let mut layer = layer();
    let key = layer.send_request(request(Method::Invite, VIA), flow(Transport::Tcp), START);
    layer.handle_transport_error(flow(Transport::Udp), START);
    assert_eq!(layer.poll_event(), None);
    layer.handle_transport_error(flow(Transport::Tcp), START);
    assert_eq!(layer.poll_event(), Some(TransactionEvent::TransportError { key }));
    assert_eq!((layer.len(), layer.poll_timeout()), (0, None));
}

#[test]
fn an_invite_outlives_its_stream_and_is_answered_where_its_caller_listens() {
    for (transport, via, port) in [
        (Transport::Tcp, "SIP/2.0/TCP 127.0.0.2:5066;branch=z9hG4bKx", Some(5066)),
        (Transport::Tls, "SIP/2.0/TLS 127.0.0.2;branch=z9hG4bKx", Some(5061)),
        // Nobody connects to a browser.
        (Transport::Ws, "SIP/2.0/WS x.invalid;branch=z9hG4bKx", None),
    ] {
        let mut layer = layer();
        layer.handle_message(request(Method::Invite, via), flow(transport), START);
        let Some(TransactionEvent::Request { key, msg, .. }) = layer.poll_event() else { panic!("no request") };
        layer.handle_transport_error(flow(transport), START);
        let lost = TransactionEvent::TransportError { key: key.clone() };
        let Some(port) = port else {
            assert_eq!((layer.poll_event(), layer.len()), (Some(lost), 0));
            continue;
        };
        assert_eq!(layer.poll_event(), None);
        layer.respond(&key, &response_to(&msg, 180, "Ringing", Some("t")), START).unwrap();
        let mut back = flow(transport);
        back.remote.set_port(port);
        assert_eq!(layer.poll_transmit().map(|transmit| transmit.flow), Some(back));
        // Nobody listens there either.
        layer.handle_transport_error(back, START);
        assert_eq!((layer.poll_event(), layer.len()), (Some(lost), 0));
    }
}

proptest::proptest! {
    /// Invariant 5: whatever arrives in whatever order, nothing is left once every request has its final response.
    #[test]
    fn nothing_outlives_its_timers(steps in proptest::collection::vec((0u8..7, 0u8..4, 0u16..6), 0..60)) {
        let mut layer = layer();
        let mut now = START;
        let mut asked = Vec::new();
        for (act, which, code) in steps {
            now = now.plus_ms(u64::from(code) * 300);
            layer.handle_timeout(now);
            let via = format!("{VIA}{which}");
            let flow = flow(if which == 3 { Transport::Tcp } else { Transport::Udp });
            let method = [Method::Invite, Method::Ack, Method::Cancel, Method::Bye][usize::from(act % 4)].clone();
            let mut request = request(method, &via);
            request.set("Call-ID", which);
            match act {
                0..=3 => layer.handle_message(request, flow, now),
                4 | 5 => drop(layer.send_request(request, flow, now)),
                _ => {
                    request.set("CSeq", "7 INVITE");
                    layer.handle_message(response_to(&request, code * 100 + 100, "", Some("t")), flow, now);
                }
            }
            while let Some(event) = layer.poll_event() {
                if let TransactionEvent::Request { key, msg, .. } = event {
                    asked.push((key, msg, code * 100 + 100));
                }
            }
        }
        for (key, msg, code) in asked {
            let _ended = layer.respond(&key, &response_to(&msg, code.max(200), "", Some("t")), now);
        }
        // A ringing INVITE of ours waits for as long as its user does.
        for which in 0..4 {
            let key = TransactionKey::Client { branch: format!("z9hg4bkx{which}").into(), method: Method::Invite };
            let _ended = layer.cancel(&key, "SIP;cause=200", now);
            layer.forget(&key);
        }
        let last = now.plus_ms(40_000);
        while let Some(at) = layer.poll_timeout() {
            proptest::prop_assert!(at <= last.mono_ns);
            layer.handle_timeout(Now { mono_ns: at, wall_ms: 0 });
        }
        proptest::prop_assert_eq!(layer.len(), 0);
    }
}
