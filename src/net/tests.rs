//! Real sockets on this machine. Waiting is for an event; the guard only ends a test that would hang.

use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::task::Waker;
use std::time::Duration;

use crossbeam_channel::{Receiver, bounded};

use super::{Limits, Net, NetError, NetEvent, NetSettings};
use crate::sip::message::{Start, Verdict};
use crate::sip::overload::Rules;
use crate::sip::transaction::{Flow, Transmit, Transport};

pub(super) const GUARD: Duration = Duration::from_secs(5);
pub(super) const HERE: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

fn start(limits: Limits, room: usize) -> (Net, Receiver<NetEvent>) {
    let (deliver, events) = bounded(room);
    let listen = vec![(Transport::Udp, HERE), (Transport::Tcp, HERE)];
    let settings = NetSettings { listen, tls: None, dscp: 24, dns: None, capture: None, limits };
    (Net::start(settings, deliver, Waker::noop().clone()).unwrap(), events)
}

fn udp(net: &Net) -> SocketAddr {
    net.local_addresses().of(Transport::Udp).next().unwrap()
}

fn tcp(net: &Net) -> SocketAddr {
    net.local_addresses().of(Transport::Tcp).next().unwrap()
}

pub(super) fn options(call: &str) -> String {
    format!(
        "OPTIONS sip:x@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/TCP 127.0.0.1;branch=z9hG4bK{call}\r\nFrom: <sip:a@b>;tag=1\r\n\
         To: <sip:x@127.0.0.1>\r\nCall-ID: {call}\r\nCSeq: 1 OPTIONS\r\nMax-Forwards: 70\r\nContent-Length: 0\r\n\r\n"
    )
}

fn connect(net: &Net) -> TcpStream {
    let stream = TcpStream::connect(tcp(net)).unwrap();
    stream.set_read_timeout(Some(GUARD)).unwrap();
    stream
}

/// The Call-ID of the next message and its flow.
pub(super) fn message(events: &Receiver<NetEvent>) -> (String, Flow) {
    match events.recv_timeout(GUARD).unwrap() {
        NetEvent::Message { verdict, flow, .. } => match *verdict {
            Verdict::Accept(message) => {
                assert!(matches!(message.start, Start::Request { .. }));
                (message.call_id().unwrap().to_owned(), flow)
            }
            other => panic!("{other:?}"),
        },
        broken => panic!("{broken:?}"),
    }
}

/// Sends more than both sides' socket buffers can hold, and gives the next event.
pub(super) fn overfill(net: &Net, events: &Receiver<NetEvent>, flow: Flow) -> NetEvent {
    let told = (0..100_000).find_map(|_| {
        net.send(&Transmit { flow, payload: vec![b'x'; 32 * 1024], peer: None });
        events.try_recv().ok()
    });
    told.unwrap_or_else(|| events.recv_timeout(GUARD).unwrap())
}

fn read_to_end(stream: &mut TcpStream) -> String {
    let mut all = Vec::new();
    stream.read_to_end(&mut all).unwrap();
    String::from_utf8(all).unwrap()
}

fn call(method: &str, call: &str, to: &str) -> String {
    options(call)
        .replace("OPTIONS", method)
        .replace("To: <sip:x@127.0.0.1>", &format!("To: {to}"))
        .replace("/TCP ", "/UDP ")
}

#[test]
fn a_call_that_would_wait_too_long_is_answered_by_the_reader_and_the_loop_never_hears_of_it() {
    let (net, events) = start(Limits::default(), 16);
    net.set_shedding(Rules { nets: vec!["127.0.0.0/8".parse().unwrap()], emergency: Vec::new() });
    // Each message takes a fifth of a second of late.
    (0..40).for_each(|_| net.handle_turn(64, Duration::from_millis(64 * 200)));
    let phone = UdpSocket::bind(HERE).unwrap();
    phone.set_read_timeout(Some(GUARD)).unwrap();
    // Without rport the answer goes to the port that Via names.
    let sent_by = format!("127.0.0.1:{};", phone.local_addr().unwrap().port());
    let send = |text: String| phone.send_to(text.replacen("127.0.0.1;", &sent_by, 1).as_bytes(), udp(&net)).unwrap();
    send(call("INVITE", "first", "<sip:x@127.0.0.1>"));
    send(call("INVITE", "second", "<sip:x@127.0.0.1>"));
    let mut buffer = [0; 2_048];
    let length = phone.recv(&mut buffer).unwrap();
    let answer = std::str::from_utf8(&buffer[..length]).unwrap();
    assert!(answer.starts_with("SIP/2.0 503 ") && answer.contains("Call-ID: second\r\n"), "{answer}");
    let to = answer.lines().find_map(|line| line.strip_prefix("To: ")).unwrap().to_owned();
    send(call("ACK", "second", &to));
    // A repeat of what the loop has is the loop's.
    send(call("INVITE", "first", "<sip:x@127.0.0.1>"));
    send(options("last"));
    let heard = std::iter::from_fn(|| Some(message(&events).0)).take(3).collect::<Vec<_>>();
    assert_eq!(heard, ["first", "first", "last"]);
    assert_eq!(net.counters().figures().shed, 1);
    net.stop();
}

#[test]
fn datagrams_pass_both_ways_and_keep_alives_stay_out() {
    let (net, events) = start(Limits::default(), 16);
    let phone = UdpSocket::bind(HERE).unwrap();
    phone.set_read_timeout(Some(GUARD)).unwrap();
    for bytes in ["\r\n\r\n", "\0\0\0\0", "garbage", &options("one")] {
        phone.send_to(bytes.as_bytes(), udp(&net)).unwrap();
    }
    let (call, flow) = message(&events);
    assert_eq!(call, "one");
    assert_eq!(flow, Flow { transport: Transport::Udp, local: udp(&net), remote: phone.local_addr().unwrap() });
    net.send(&Transmit { flow, payload: b"answer".to_vec(), peer: None });
    let mut buffer = [0; 64];
    let (length, from) = phone.recv_from(&mut buffer).unwrap();
    assert_eq!((&buffer[..length], from), (&b"answer"[..], udp(&net)));
    // A message is counted once it was handed over: the reader has done so when it has ended.
    let counters = net.counters();
    net.stop();
    let figures = counters.figures();
    assert_eq!((figures.received, figures.sent), (1, 1));
}

#[test]
fn a_peer_that_is_gone_does_no_harm() {
    let (net, events) = start(Limits::default(), 16);
    let gone = UdpSocket::bind(HERE).unwrap().local_addr().unwrap();
    let flow = Flow { transport: Transport::Udp, local: udp(&net), remote: gone };
    for _ in 0..3 {
        net.send(&Transmit { flow, payload: options("x").into_bytes(), peer: None });
    }
    let phone = UdpSocket::bind(HERE).unwrap();
    phone.send_to(options("still").as_bytes(), udp(&net)).unwrap();
    assert_eq!(message(&events).0, "still");
    assert_eq!(net.counters().figures().sent, 3);
}

#[test]
fn a_flood_is_dropped_and_counted() {
    let (net, events) = start(Limits::default(), 2);
    let phone = UdpSocket::bind(HERE).unwrap();
    let counters = net.counters();
    // Each is sent once the one before is accounted for, so that the system's own buffer cannot lose any.
    for number in 1..=10 {
        phone.send_to(options(&number.to_string()).as_bytes(), udp(&net)).unwrap();
        while counters.figures().received + counters.figures().dropped_in < number {
            std::thread::yield_now();
        }
    }
    net.stop();
    assert_eq!(events.iter().count(), 2);
    assert_eq!((counters.figures().received, counters.figures().dropped_in), (2, 8));
}

#[test]
fn a_stream_is_cut_into_messages_and_answers_go_back_over_it() {
    let (net, events) = start(Limits::default(), 16);
    let mut phone = connect(&net);
    phone.write_all(format!("\r\n\r\n{}{}", options("one"), options("two")).as_bytes()).unwrap();
    assert_eq!(message(&events).0, "one");
    let (call, flow) = message(&events);
    assert_eq!(call, "two");
    assert_eq!((flow.local, flow.remote), (tcp(&net), phone.local_addr().unwrap()));
    net.send(&Transmit { flow, payload: b"answer".to_vec(), peer: None });
    let mut buffer = [0; 8];
    phone.read_exact(&mut buffer).unwrap();
    assert_eq!(&buffer, b"\r\nanswer");
    drop(phone);
    assert_eq!(events.recv_timeout(GUARD).unwrap(), NetEvent::Broken { flow });
}

#[test]
fn an_answer_reaches_a_peer_that_has_closed_its_half() {
    let (net, events) = start(Limits::default(), 16);
    let mut phone = connect(&net);
    phone.write_all(options("one").as_bytes()).unwrap();
    let (_, flow) = message(&events);
    net.send(&Transmit { flow, payload: b"answer".to_vec(), peer: None });
    phone.shutdown(Shutdown::Write).unwrap();
    assert_eq!(read_to_end(&mut phone), "answer");
}

#[test]
fn a_connection_is_opened_where_there_is_none_and_keeps_the_listening_address() {
    let (net, events) = start(Limits::default(), 16);
    let peer = TcpListener::bind(HERE).unwrap();
    let flow = Flow { transport: Transport::Tcp, local: tcp(&net), remote: peer.local_addr().unwrap() };
    net.send(&Transmit { flow, payload: b"first ".to_vec(), peer: None });
    net.send(&Transmit { flow, payload: b"second".to_vec(), peer: None });
    let (mut stream, _) = peer.accept().unwrap();
    stream.set_read_timeout(Some(GUARD)).unwrap();
    let mut buffer = [0; 12];
    stream.read_exact(&mut buffer).unwrap();
    assert_eq!(&buffer, b"first second");
    stream.write_all(options("back").as_bytes()).unwrap();
    assert_eq!(message(&events), ("back".to_owned(), flow));
    assert_eq!(net.counters().figures().outbound, 1);
}

#[test]
fn a_peer_that_cannot_be_reached_breaks_the_flow() {
    let (net, events) = start(Limits::default(), 16);
    let gone = TcpListener::bind(HERE).unwrap().local_addr().unwrap();
    let flow = Flow { transport: Transport::Tcp, local: tcp(&net), remote: gone };
    net.send(&Transmit { flow, payload: b"lost".to_vec(), peer: None });
    assert_eq!(events.recv_timeout(GUARD).unwrap(), NetEvent::Broken { flow });
    let elsewhere = Flow { local: HERE, ..flow };
    net.send(&Transmit { flow: elsewhere, payload: b"lost".to_vec(), peer: None });
    assert_eq!(events.recv_timeout(GUARD).unwrap(), NetEvent::Broken { flow: elsewhere });
    assert_eq!(net.counters().figures().dropped_out, 2);
}

#[test]
fn a_peer_that_does_not_read_is_cut_off() {
    let (net, events) = start(Limits { queue_bytes: 64 * 1024, ..Limits::default() }, 16);
    let mut phone = connect(&net);
    phone.write_all(options("one").as_bytes()).unwrap();
    let (_, flow) = message(&events);
    assert_eq!(overfill(&net, &events, flow), NetEvent::Broken { flow });
}

#[test]
fn a_stream_that_cannot_be_read_on_is_told_and_closed() {
    let (net, events) = start(Limits::default(), 16);
    let mut phone = connect(&net);
    phone.write_all(options("one").replace("Content-Length: 0\r\n", "").as_bytes()).unwrap();
    let answer = read_to_end(&mut phone);
    assert!(answer.starts_with("SIP/2.0 400 "), "{answer}");
    assert_eq!(net.counters().figures().malformed, 1);
    assert!(events.is_empty());
}

#[test]
fn a_refusal_is_heard_by_who_goes_on_sending() {
    let (net, _events) = start(Limits::default(), 16);
    let mut phone = connect(&net);
    // More than the buffers between can hold.
    let endless = options("one").replace("Content-Length: 0\r\n\r\n", &"X: y\r\n".repeat(3_000_000));
    phone.write_all(endless.as_bytes()).unwrap();
    let answer = read_to_end(&mut phone);
    assert!(answer.starts_with("SIP/2.0 513 "), "{answer}");
}

#[test]
fn who_says_nothing_or_comes_too_often_is_closed() {
    let limits = Limits { per_source: 1, first_message: Duration::from_millis(200), ..Limits::default() };
    let (net, events) = start(limits, 16);
    let mut silent = connect(&net);
    silent.write_all(b"\r\n\r\n").unwrap();
    let mut pong = [0; 2];
    silent.read_exact(&mut pong).unwrap();
    let mut second = connect(&net);
    assert_eq!(second.read(&mut [0; 1]).unwrap_or(0), 0);
    assert_eq!(read_to_end(&mut silent), "");
    assert_eq!(net.counters().figures().refused, 1);
    assert!(events.is_empty(), "a flow that the loop never saw cannot break");
}

#[test]
fn a_message_that_does_not_end_closes_its_stream_and_line_breaks_do_not() {
    let (net, events) = start(Limits { message: Duration::from_millis(200), ..Limits::default() }, 16);
    let (mut half, mut resting) = (connect(&net), connect(&net));
    resting.write_all(format!("{}\r\n", options("resting")).as_bytes()).unwrap();
    assert_eq!(message(&events).0, "resting");
    half.write_all(format!("{}OPTIONS sip:x", options("half")).as_bytes()).unwrap();
    let (call, flow) = message(&events);
    assert_eq!((call.as_str(), read_to_end(&mut half)), ("half", String::new()));
    assert_eq!(events.recv_timeout(GUARD).unwrap(), NetEvent::Broken { flow });
    // Its own limit is over by now as well.
    resting.write_all(options("again").as_bytes()).unwrap();
    assert_eq!(message(&events).0, "again");
}

#[test]
fn a_stream_waits_for_the_loop_instead_of_losing_messages() {
    let (net, events) = start(Limits::default(), 1);
    let mut phone = connect(&net);
    let all: String = (0..50).map(|number| options(&number.to_string())).collect();
    phone.write_all(all.as_bytes()).unwrap();
    for number in 0..50 {
        assert_eq!(message(&events).0, number.to_string());
    }
}

#[test]
fn stopping_writes_what_was_sent() {
    let (net, events) = start(Limits::default(), 16);
    let mut phone = connect(&net);
    phone.write_all(options("one").as_bytes()).unwrap();
    let (_, flow) = message(&events);
    for _ in 0..100 {
        net.send(&Transmit { flow, payload: b"0123456789".to_vec(), peer: None });
    }
    net.stop();
    assert_eq!(read_to_end(&mut phone).len(), 1_000);
    assert!(events.recv_timeout(GUARD).is_err(), "nothing breaks at a stop, and the channel is closed");
}

#[test]
fn a_taken_port_and_a_foreign_address_are_named() {
    let taken = UdpSocket::bind(HERE).unwrap().local_addr().unwrap();
    let _held = UdpSocket::bind(taken).unwrap();
    let try_on = |address| {
        let listen = vec![(Transport::Udp, address)];
        let settings = NetSettings { listen, tls: None, dscp: 0, dns: None, capture: None, limits: Limits::default() };
        Net::start(settings, bounded(1).0, Waker::noop().clone())
            .err()
            .map(|error: NetError| error.to_string())
            .unwrap()
    };
    assert!(try_on(taken).contains(&format!("UDP {taken}")));
    assert!(try_on("192.0.2.1:5060".parse().unwrap()).contains("no such address"));
}
