//! WebSockets on real sockets of this machine.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::task::Waker;
use std::time::Duration;

use crossbeam_channel::{Receiver, bounded};
use rustls::pki_types::ServerName;
use rustls::{ClientConnection, StreamOwned};
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::{Message, WebSocket, client};

use super::tests::{GUARD, HERE, message, options, overfill};
use super::tls_tests::{self, Folder};
use super::{Limits, Net, NetEvent, NetSettings};
use crate::sip::message::MAX_MESSAGE;
use crate::sip::transaction::{Flow, Transmit, Transport};

fn start(limits: Limits) -> (Net, Receiver<NetEvent>) {
    let (deliver, events) = bounded(16);
    let settings =
        NetSettings { listen: vec![(Transport::Ws, HERE)], tls: None, dscp: 24, dns: None, capture: None, limits };
    (Net::start(settings, deliver, Waker::noop().clone()).unwrap(), events)
}

fn address(net: &Net) -> SocketAddr {
    net.local_addresses().listen[0].1
}

fn dial(net: &Net) -> TcpStream {
    let stream = TcpStream::connect(address(net)).unwrap();
    stream.set_read_timeout(Some(GUARD)).unwrap();
    stream
}

/// A browser's handshake with the subprotocols that it offers.
fn shake<S: Read + Write>(stream: S, subprotocols: Option<&str>) -> Result<WebSocket<S>, u16> {
    let mut request = "ws://127.0.0.1/".into_client_request().unwrap();
    if let Some(offered) = subprotocols {
        request.headers_mut().insert("Sec-WebSocket-Protocol", offered.parse().unwrap());
    }
    request.headers_mut().insert("Origin", "https://anywhere.example".parse().unwrap());
    match client(request, stream) {
        Ok((socket, response)) => {
            assert_eq!(response.headers()["Sec-WebSocket-Protocol"], "sip");
            Ok(socket)
        }
        Err(error) => match error.to_string() {
            told if told.contains("400") => Err(400),
            told => panic!("{told}"),
        },
    }
}

fn connect(net: &Net) -> WebSocket<TcpStream> {
    shake(dial(net), Some("sip")).unwrap()
}

/// The close code that the peer gets.
fn closed(socket: &mut WebSocket<TcpStream>) -> Option<CloseCode> {
    loop {
        match socket.read() {
            Ok(Message::Close(frame)) => return frame.map(|frame| frame.code),
            Ok(_) => {}
            Err(error) => panic!("no close frame: {error}"),
        }
    }
}

/// As browsers send it: the length is the frame's.
fn without_length(call: &str) -> String {
    options(call)
        .replace("Content-Length: 0\r\n", "")
        .replace("SIP/2.0/TCP 127.0.0.1", "SIP/2.0/WS df7jal23ls0d.invalid")
}

#[test]
fn a_frame_is_a_message_and_answers_come_in_frames() {
    let (net, events) = start(Limits::default());
    let mut phone = connect(&net);
    phone.send(Message::text(without_length("text"))).unwrap();
    phone.send(Message::binary(options("binary").into_bytes())).unwrap();
    assert_eq!(message(&events).0, "text");
    let (call, flow) = message(&events);
    assert_eq!((call.as_str(), flow.transport), ("binary", Transport::Ws));
    net.send(&Transmit { flow, payload: b"answer".to_vec(), peer: None });
    assert_eq!(phone.read().unwrap(), Message::text("answer"));
    net.send(&Transmit { flow, payload: vec![0xff], peer: None });
    assert_eq!(phone.read().unwrap(), Message::binary(vec![0xff]));
    phone.send(Message::text("\r\n\r\n")).unwrap();
    assert_eq!(phone.read().unwrap(), Message::text("\r\n"));
    phone.send(Message::Ping("alive".into())).unwrap();
    assert_eq!(phone.read().unwrap(), Message::Pong("alive".into()));
    phone.close(None).unwrap();
    assert_eq!(closed(&mut phone), None);
    assert_eq!(events.recv_timeout(GUARD).unwrap(), NetEvent::Broken { flow });
}

#[test]
fn only_the_subprotocol_sip_is_spoken() {
    let (net, events) = start(Limits::default());
    for offered in [None, Some("chat"), Some("msrp, xmpp")] {
        assert_eq!(shake(dial(&net), offered).err(), Some(400), "{offered:?}");
    }
    let mut phone = shake(dial(&net), Some("msrp, sip")).unwrap();
    phone.send(Message::text(options("one"))).unwrap();
    assert_eq!(message(&events).0, "one");
}

#[test]
fn what_is_too_long_is_refused_by_its_length_alone() {
    let (net, events) = start(Limits::default());
    let mut phone = connect(&net);
    // A frame's head that announces 2⁶² bytes, of which none ever comes.
    let head = [&[0x81, 0xff][..], &(1_u64 << 62).to_be_bytes(), &[0; 4]].concat();
    phone.get_mut().write_all(&head).unwrap();
    assert_eq!(closed(&mut phone), Some(CloseCode::Size));
    // The same for a message of many frames.
    let mut phone = connect(&net);
    let mut pieces = vec![0x01, 0xfe, 0x80, 0x00, 0, 0, 0, 0];
    pieces.resize(8 + 0x8000, b'x');
    phone.get_mut().write_all(&pieces).unwrap();
    pieces[0] = 0x00;
    for _ in 0..2 {
        phone.get_mut().write_all(&pieces).unwrap();
    }
    assert_eq!(closed(&mut phone), Some(CloseCode::Size));
    let mut phone = connect(&net);
    let largest = format!("{}{}", options("largest"), "x".repeat(MAX_MESSAGE - options("largest").len()));
    phone.send(Message::text(largest)).unwrap();
    assert_eq!(message(&events).0, "largest");
    assert_eq!(net.counters().figures().malformed, 2);
}

#[test]
fn frames_against_the_protocol_close_with_its_code() {
    let (net, events) = start(Limits::default());
    // Not masked; a reserved opcode; text that is not UTF-8.
    for (frame, code) in [
        (&[0x81, 0x01, b'x'][..], CloseCode::Protocol),
        (&[0x83, 0x81, 0, 0, 0, 0, b'x'], CloseCode::Protocol),
        (&[0x81, 0x81, 0, 0, 0, 0, 0xff], CloseCode::Invalid),
    ] {
        let mut phone = connect(&net);
        phone.get_mut().write_all(frame).unwrap();
        assert_eq!(closed(&mut phone), Some(code), "{frame:?}");
    }
    assert!(events.is_empty());
}

#[test]
fn who_says_nothing_is_closed() {
    let first_message = Duration::from_millis(200);
    let (net, events) = start(Limits { first_message, handshake: first_message, ..Limits::default() });
    let mut phone = connect(&net);
    // Neither of these is a message.
    phone.send(Message::Ping("alive".into())).unwrap();
    phone.send(Message::text("garbage")).unwrap();
    assert_eq!(closed(&mut phone), Some(CloseCode::Policy));
    let mut silent = dial(&net);
    silent.write_all(b"GET / HTTP/1.1\r\n").unwrap();
    let mut told = Vec::new();
    let _ = silent.read_to_end(&mut told);
    assert_eq!(told, b"");
    assert!(events.is_empty());
}

#[test]
fn a_peer_that_does_not_read_is_cut_off() {
    let (net, events) = start(Limits { queue_bytes: 64 * 1024, ..Limits::default() });
    let mut phone = connect(&net);
    phone.send(Message::text(options("one"))).unwrap();
    let (_, flow) = message(&events);
    assert_eq!(overfill(&net, &events, flow), NetEvent::Broken { flow });
}

#[test]
fn a_websocket_is_never_opened_by_us() {
    let (net, events) = start(Limits::default());
    let peer = std::net::TcpListener::bind(HERE).unwrap();
    let flow = Flow { transport: Transport::Ws, local: address(&net), remote: peer.local_addr().unwrap() };
    net.send(&Transmit { flow, payload: b"lost".to_vec(), peer: None });
    assert_eq!(events.recv_timeout(GUARD).unwrap(), NetEvent::Broken { flow });
    peer.set_nonblocking(true).unwrap();
    assert!(peer.accept().is_err(), "nobody connected");
}

#[test]
fn stopping_says_goodbye_behind_what_was_sent() {
    let (net, events) = start(Limits::default());
    let mut phone = connect(&net);
    phone.send(Message::text(options("one"))).unwrap();
    let (_, flow) = message(&events);
    let hears = std::thread::spawn(move || {
        let mut heard = 0;
        loop {
            match phone.read() {
                Ok(Message::Text(_)) => heard += 1,
                Ok(Message::Close(frame)) => return (heard, frame.map(|frame| frame.code)),
                other => panic!("{other:?}"),
            }
        }
    });
    for _ in 0..100 {
        net.send(&Transmit { flow, payload: b"0123456789".to_vec(), peer: None });
    }
    net.stop();
    assert_eq!(hears.join().unwrap(), (100, Some(CloseCode::Away)));
}

#[test]
fn a_secure_websocket_is_one_within_tls() {
    let issuer = tls_tests::issuer("ours");
    let (deliver, events) = bounded(16);
    let listen = vec![(Transport::Wss, HERE)];
    let tls = Some(Folder::new(&issuer, "127.0.0.1").tls());
    let net = Net::start(
        NetSettings { listen, tls, dscp: 24, dns: None, capture: None, limits: Limits::default() },
        deliver,
        Waker::noop().clone(),
    )
    .unwrap();
    let name = ServerName::IpAddress(HERE.ip().into());
    let connection = ClientConnection::new(tls_tests::client(&issuer, None), name).unwrap();
    let mut phone = shake(StreamOwned::new(connection, dial(&net)), Some("sip")).unwrap();
    phone.send(Message::text(without_length("one"))).unwrap();
    let (call, flow) = message(&events);
    assert_eq!((call.as_str(), flow.transport), ("one", Transport::Wss));
    net.send(&Transmit { flow, payload: b"answer".to_vec(), peer: None });
    assert_eq!(phone.read().unwrap(), Message::text("answer"));
    drop(phone);
    assert_eq!(events.recv_timeout(GUARD).unwrap(), NetEvent::Broken { flow });
    let refused = client("ws://127.0.0.1/".into_client_request().unwrap(), dial(&net));
    assert!(refused.is_err(), "there is none without TLS");
}
