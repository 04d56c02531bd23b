//! Where messages end, and what is too long: keep-alives and refusals on streams, limits in datagrams.

use std::net::SocketAddr;

use super::daemon::Daemon;
use super::way::Way;

const LIMIT: usize = 64 * 1024;

/// An OPTIONS with header lines and a Request-URI of the test's own, without its end.
fn head(daemon: &Daemon, call_id: &str, user: &str, extra: &str) -> String {
    format!(
        "OPTIONS sip:{user}@{0} SIP/2.0\r\nVia: SIP/2.0/UDP {1};rport;branch=z9hG4bK{call_id}\r\nFrom: <sip:a@{1}>;tag=f\r\n\
         To: <sip:x@{0}>\r\nCall-ID: {call_id}\r\nCSeq: 1 OPTIONS\r\nMax-Forwards: 70\r\n{extra}",
        daemon.sip, daemon.host
    )
}

#[test]
fn a_stream_is_kept_alive_and_cut_by_its_lengths() {
    let mut daemon = Daemon::start();
    let mut way = Way::tcp(daemon.sip);
    let body = "\r\n\r\nOPTIONS sip:no@body SIP/2.0\r\n\r\n";
    let one = head(&daemon, "one", "x", &format!("l:\r\n {}\r\n", body.len())) + "\r\n" + body;
    let two = head(&daemon, "two", "x", "Content-Length: 0\r\n\r\n");
    // Two in one write, then one in pieces that end where they should not.
    way.send(format!("{one}{two}").as_bytes());
    let mut answers: Vec<String> = (0..2).map(|_| way.receive_within_patience().header("Call-ID").to_owned()).collect();
    for piece in one.replace("one", "three").as_bytes().chunks(50) {
        way.send(piece);
    }
    answers.push(way.receive_within_patience().header("Call-ID").to_owned());
    assert_eq!(answers, ["one", "two", "three"]);
    way.send(b"\r\n\r\n");
    assert_eq!(way.receive_bytes(2), b"\r\n");
    let alive = way.ask_whether_alive(1);
    assert_eq!(way.receive_within_patience().header("Call-ID"), alive);
    daemon.stop();
}

#[test]
fn a_message_over_64_kib_is_refused_and_its_stream_closed() {
    let mut daemon = Daemon::start();
    let announced = head(&daemon, "announced", "x", &format!("Content-Length: {LIMIT}\r\n\r\n"));
    let huge = head(&daemon, "announced", "x", "Content-Length: 4294967328\r\n\r\n");
    let endless = head(&daemon, "announced", "x", &"X: y\r\n".repeat(LIMIT / 6));
    for message in [announced, huge, endless] {
        let mut way = Way::tcp(daemon.sip);
        way.send(message.as_bytes());
        let heard = way.hear_out();
        assert!(heard.len() == 1 && heard[0].is("513") && heard[0].header("Call-ID") == "announced", "{heard:?}");
    }
    let mut way = Way::tcp(daemon.sip);
    let largest = head(&daemon, "largest", "x", "Content-Length: 65000\r\n\r\n");
    let room = LIMIT - largest.len();
    way.send((largest.replace("65000", &room.to_string()) + &"x".repeat(room)).as_bytes());
    assert!(way.receive_within_patience().is("200"), "64 KiB are read");
    daemon.stop();
}

#[test]
fn what_is_too_long_or_too_much_in_a_datagram_has_its_status() {
    let mut daemon = Daemon::start();
    let mut way = Way::udp(SocketAddr::new(daemon.host.into(), 0), daemon.sip);
    let long = "x".repeat(8 * 1024);
    for (call_id, user, extra, status) in [
        ("plain", "x", String::new(), "200"),
        ("uri", long.as_str(), String::new(), "414"),
        ("header", "x", format!("Subject: {long}\r\n"), "400"),
        ("folded", "x", format!("Subject: a\r\n {}\r\n", [&long[..4_096]; 2].join("\r\n ")), "400"),
        ("count", "x", "X: y\r\n".repeat(123), "400"),
        ("enough", "x", "X: y\r\n".repeat(121), "200"),
    ] {
        way.send((head(&daemon, call_id, user, &extra) + "Content-Length: 0\r\n\r\n").as_bytes());
        let answer = way.receive_within_patience();
        assert!(answer.is(status) && answer.header("Call-ID") == call_id, "{call_id}: {answer:?}");
    }
    daemon.stop();
}
