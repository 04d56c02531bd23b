//! SIP over WebSockets: a browser's phone registers and is rung over its own connection, which is all that leads to it.

use std::net::SocketAddr;
use std::time::Instant;

use super::certificates::Issuer;
use super::daemon::{Daemon, PATIENCE, own_address, without_acw};
use super::line::{self, Plug};
use super::phone::Phone;
use super::tls::{self, converse};

const OFF: (&str, &str) = ("TRUNKLINE__RTP__WEBRTC", "off");

/// A floor that browsers reach, and where; without sound by ICE and DTLS, which the phones here do not speak.
fn floor() -> (Daemon, SocketAddr) {
    let host = own_address();
    let server = SocketAddr::from((host, 8088));
    (Daemon::start_at(host, without_acw, &[("TRUNKLINE__SIP__WS", &server.to_string()), OFF]), server)
}

fn agent(daemon: &Daemon, plug: Plug) -> Phone {
    let mut phone = Phone::over(plug, "1001", daemon.sip, 1_000.0);
    let accepted = phone.register("demo", 300);
    assert!(accepted.is("200"), "{accepted:?}");
    phone
}

fn until(daemon: &Daemon, state: &str) {
    let wanted = |agents: &serde_json::Value| {
        let items = agents["items"].as_array().expect("a list");
        let agent = items.iter().find(|item| item["agent"] == "1001").expect("known");
        agent.to_string().contains(state)
    };
    daemon.json_until("/api/v1/agents", wanted);
}

#[test]
fn a_browsers_phone_is_rung_over_its_websocket_and_gone_with_it() {
    let (mut daemon, server) = floor();
    let mut phone = agent(&daemon, line::websocket(server, None));
    converse(&daemon, &mut phone, "WS", ";transport=ws");
    // The page is closed: no call is sent there, long before an OPTIONS is due.
    drop(phone);
    until(&daemon, "unreachable");
    let mut phone = agent(&daemon, line::websocket(server, None));
    until(&daemon, "\"available\"");
    converse(&daemon, &mut phone, "WS", ";transport=ws");
    // A restart closes every WebSocket, and no daemon can open one again.
    daemon.kill();
    daemon.run();
    until(&daemon, "unreachable");
    let mut phone = agent(&daemon, line::websocket(server, None));
    until(&daemon, "\"available\"");
    converse(&daemon, &mut phone, "WS", ";transport=ws");
    daemon.stop();
}

#[test]
fn no_page_calls_as_the_trunk_whose_address_its_browser_has() {
    let (mut daemon, server) = floor();
    let mut phone = Phone::over(line::websocket(server, None), "13800138000", daemon.sip, 440.0);
    phone.invite("4001");
    let challenge = phone.expect("challenge to INVITE", |text| text.is("401"));
    phone.ack_refusal(&challenge);
    assert_eq!(daemon.stop(), vec![]);
}

#[test]
fn a_secure_websocket_is_one_within_tls() {
    let ours = Issuer::new("ours");
    let address = |host| SocketAddr::from((host, 8443));
    let wss = |host| vec![("TRUNKLINE__SIP__WSS", address(host).to_string()), (OFF.0, OFF.1.to_owned())];
    let (mut daemon, _folder) = tls::daemon(&ours, |_, host| wss(host));
    let server = address(daemon.host);
    assert!(line::secure(server, &Issuer::new("strangers").client(None)).is_err(), "the certificate is looked at");
    let mut phone = agent(&daemon, line::websocket(server, Some(&ours.client(None))));
    converse(&daemon, &mut phone, "WSS", ";transport=ws");
    daemon.stop();
}

#[test]
fn lengths_that_lie_within_frames_are_refused_and_harm_nobody() {
    let (mut daemon, server) = floor();
    let (host, plug) = (daemon.host, line::websocket(server, None));
    let ask = |call_id: &str, lengths: &str| {
        plug.line.send(&format!(
            "OPTIONS sip:x@{host} SIP/2.0\r\nVia: SIP/2.0/WS {0};branch=z9hG4bK{call_id}\r\nFrom: <sip:a@{0}>;tag=f\r\n\
             To: <sip:x@{host}>\r\nCall-ID: {call_id}\r\nCSeq: 1 OPTIONS\r\nMax-Forwards: 70\r\n{lengths}\r\nbody",
            plug.name
        ));
        let since = Instant::now();
        loop {
            assert!(since.elapsed() < PATIENCE, "no answer to {call_id}");
            if let Some(text) = plug.line.try_receive() {
                assert_eq!(text.header("Call-ID"), call_id);
                return text.first().to_owned();
            }
        }
    };
    for (call_id, lengths, status) in [
        ("absent", "", "200"),
        ("right", "Content-Length: 4\r\n", "200"),
        ("negative", "Content-Length: -1\r\n", "400"),
        ("huge", "Content-Length: 4294967328\r\n", "400"),
        ("long", "Content-Length: 5\r\n", "400"),
        ("twice", "Content-Length: 4\r\nContent-Length: 0\r\n", "400"),
    ] {
        let first = ask(call_id, lengths);
        assert!(first.starts_with(&format!("SIP/2.0 {status} ")), "{call_id}: {first}");
    }
    daemon.stop();
}

#[test]
fn a_browser_may_come_by_the_http_port_too() {
    let mut daemon = Daemon::start_with(without_acw, &[OFF]);
    let mut phone = agent(&daemon, line::websocket_at(daemon.http, "/ws", None));
    converse(&daemon, &mut phone, "WS", ";transport=ws");
    // Closed, it is gone at once, as over a port of its own.
    drop(phone);
    until(&daemon, "unreachable");
    let mut phone = agent(&daemon, line::websocket_at(daemon.http, "/ws", None));
    until(&daemon, "\"available\"");
    converse(&daemon, &mut phone, "WS", ";transport=ws");
    daemon.stop();
}

/// The status of a handshake at the HTTP port.
fn handshake(daemon: &Daemon, head: &str) -> (u16, String) {
    let (status, _, body) = daemon.http("GET /ws", head, "");
    (status, String::from_utf8_lossy(&body).into_owned())
}

#[test]
fn what_does_not_speak_sip_is_refused_at_the_http_port() {
    let mut daemon = Daemon::start();
    let upgrade = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
                   Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
    for head in [
        upgrade.to_owned(),
        format!("{upgrade}Sec-WebSocket-Protocol: chat\r\n"),
        "Sec-WebSocket-Protocol: sip\r\n".to_owned(),
    ] {
        let (status, body) = handshake(&daemon, &head);
        assert_eq!(status, 400, "{head}");
        assert!(body.contains("RFC 7118"), "{body}");
    }
    assert_eq!(daemon.http("POST /ws", "", "").0, 405);
    daemon.stop();
}

#[test]
fn one_source_has_so_many_websockets_at_the_http_port_and_no_more() {
    const PER_SOURCE: usize = 256;
    let mut daemon = Daemon::start_with(without_acw, &[OFF]);
    let open = || line::websocket_at(daemon.http, "/ws", None);
    let held: Vec<Plug> = (0..PER_SOURCE).map(|_| open()).collect();
    let since = Instant::now();
    while daemon.metric("trunkline_net_inbound_connections") < PER_SOURCE as f64 {
        assert!(since.elapsed() < PATIENCE, "they are not all taken");
    }
    let one_more = open();
    let refused = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        while one_more.line.try_receive().is_none() {
            assert!(since.elapsed() < PATIENCE * 2);
        }
    }));
    assert!(refused.is_err() && since.elapsed() < PATIENCE, "it is closed at once");
    drop(held);
    while daemon.metric("trunkline_net_inbound_connections") > 0.0 {
        assert!(since.elapsed() < PATIENCE * 2, "they are not let go of");
    }
    let mut phone = agent(&daemon, open());
    converse(&daemon, &mut phone, "WS", ";transport=ws");
    daemon.stop();
}
