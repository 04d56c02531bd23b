//! Requests for what is not served, each with the status that the RFC names.

use std::net::UdpSocket;
use std::time::Duration;

use trunkline::records::Disposition;

use super::daemon::Daemon;
use super::phone::{Phone, Text, answer};
use super::queue::caller;
use super::way::next_datagram;

/// Sends a request and gives its final response.
fn ask(daemon: &Daemon, method: &str, number: &str, extra: &str, body: &str) -> Text {
    let socket = UdpSocket::bind((daemon.host, 0)).expect("a socket");
    socket.set_read_timeout(Some(Duration::from_secs(5))).expect("a time-out");
    let local = socket.local_addr().expect("bound");
    let text = format!(
        "{method} sip:{number}@{} SIP/2.0\r\nVia: SIP/2.0/UDP {local};rport;branch=z9hG4bK{method}{}\r\n\
         From: <sip:13800138000@{local}>;tag=r\r\nTo: <sip:{number}@{}>{}\r\nCall-ID: {method}-{local}\r\nCSeq: 1 {method}\r\n\
         Max-Forwards: 70\r\nContact: <sip:x@{local}>\r\n{extra}Content-Length: {}\r\n\r\n{body}",
        daemon.sip,
        local.port(),
        daemon.host,
        if method == "BYE" { ";tag=nobody" } else { "" },
        body.len()
    );
    socket.send_to(text.as_bytes(), daemon.sip).expect("sent");
    loop {
        let mut buf = [0; 8192];
        let (len, _) = next_datagram(&socket, &mut buf).expect("an answer");
        let answer = Text(String::from_utf8_lossy(&buf[..len]).into_owned());
        if !answer.is("1") {
            return answer;
        }
    }
}

#[test]
fn every_kind_of_request_gets_its_status() {
    let mut daemon = Daemon::start();
    let sdp = "Content-Type: application/sdp\r\n";
    let no_codec =
        "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 4000 RTP/AVP 18\r\n";
    let mixed = "Content-Type: multipart/mixed;boundary=b\r\n";
    let part = |header: &str, body: &str| format!("--b\r\n{header}\r\n\r\n{body}\r\n");
    let no_codec_among = format!(
        "{}{}--b--\r\n",
        part("Content-Type: application/isup\r\nContent-Disposition: signal;handling=optional", "x"),
        part("Content-Type: application/sdp", no_codec)
    );
    let insisted = no_codec_among.replace("optional", "required");
    let too_large = format!("{no_codec}{}", "a=x:y\r\n".repeat(3_000));
    for (method, number, extra, body, status) in [
        ("OPTIONS", "4000", "", "", "200"),
        ("MESSAGE", "4000", "", "", "405"),
        ("PUBLISH", "4000", "", "", "405"),
        ("SUBSCRIBE", "4000", "Event: dialog\r\n", "", "401"),
        ("REFER", "4000", "", "", "401"),
        ("DANCE", "4000", "", "", "501"),
        ("BYE", "4000", "", "", "481"),
        ("INVITE", "4000", "Require: precondition\r\n", "", "420"),
        ("INVITE", "4000", "Content-Type: text/plain\r\n", "hello", "415"),
        ("INVITE", "4000", sdp, no_codec, "488"),
        ("INVITE", "%34000", sdp, no_codec, "488"),
        ("INVITE", "4000", sdp, "nonsense", "400"),
        ("INVITE", "4000", mixed, &no_codec_among, "488"),
        ("INVITE", "4000", mixed, &insisted, "415"),
        ("INVITE", "4000", mixed, no_codec, "400"),
        ("INVITE", "4000", sdp, &too_large, "413"),
        ("INVITE", "4000", "Accept: text/plain\r\n", "", "406"),
        ("INVITE", "4999", "", "", "401"),
        ("INVITE", "1001", "", "", "401"),
        ("REGISTER", "1001", "", "", "401"),
    ] {
        let answer = ask(&daemon, method, number, extra, body);
        assert!(answer.is(status), "{method} {number}: {answer:?}");
        match status {
            "405" => assert!(answer.header("Allow").contains("INVITE"), "{answer:?}"),
            "415" => assert!(answer.header("Accept").contains("application/sdp"), "{answer:?}"),
            "420" => assert_eq!(answer.header("Unsupported"), "precondition"),
            "401" => {
                assert!(answer.0.contains("algorithm=SHA-256") && answer.0.contains("algorithm=MD5"), "{answer:?}")
            }
            _ => {}
        }
    }
    let records = daemon.stop();
    // Those that were calls and were refused; a challenge or a request that cannot be read is none.
    assert_eq!(records.len(), 5, "{records:?}");
    assert!(records.iter().all(|record| record.disposition == Disposition::Refused && record.is_final));
}

#[test]
fn a_phone_may_call_only_as_itself_and_only_what_exists() {
    let mut daemon = Daemon::start();
    for (user, number, status) in [("1001", "4999", "404"), ("1002", "4000", "200"), ("1002", "4999", "403")] {
        let mut phone = Phone::new(user, daemon.host, daemon.sip, 440.0);
        phone.invite(number);
        let first = phone.expect("an answer", |t| t.header("CSeq").ends_with("INVITE") && !t.is("1"));
        if first.is("200") {
            // The carrier's address and number: nobody is asked.
            phone.confirm(&first);
            phone.hang_up();
            continue;
        }
        assert!(first.is("401"), "{first:?}");
        phone.ack_refusal(&first);
        let uri = format!("sip:{number}@{}", daemon.sip);
        let credentials = answer(&first, "1001", "demo", "INVITE", &uri);
        let again = phone.invite_with(number, &format!("Authorization: {credentials}\r\n"));
        let last = phone.expect("an answer", |t| t.header("CSeq").ends_with("INVITE") && !t.is("1"));
        assert!(last.is(status), "{again}\n{last:?}");
        phone.ack_refusal(&last);
    }
    let records = daemon.stop();
    assert_eq!(records.len(), 2);
}

#[test]
fn registrations_are_held_to_their_rules() {
    let mut daemon = Daemon::start();
    let mut phone = Phone::new("1003", daemon.host, daemon.sip, 440.0);
    let brief = phone.register("demo", 5);
    assert!(brief.is("423") && brief.header("Min-Expires") == "60", "{brief:?}");
    assert!(phone.register("wrong", 300).is("401"));
    assert!(phone.register("demo", 300).is("200"));
    // Bindings and the agent's state survive kill -9.
    daemon.kill();
    daemon.run();
    let mut caller = caller(&daemon);
    caller.call("4001");
    let invite = phone.expect_invite();
    phone.answer(&invite);
    caller.hang_up();
    phone.expect_bye();
    let gone = phone.register("demo", 0);
    assert!(gone.is("200") && gone.header("Contact").is_empty(), "{gone:?}");
    daemon.stop();
}

#[test]
fn an_answer_to_a_challenge_counts_once() {
    let mut daemon = Daemon::start();
    let mut phone = Phone::new("1004", daemon.host, daemon.sip, 440.0);
    // Registers by itself first, so that the dialog's headers stand.
    assert!(phone.register("demo", 300).is("200"));
    let uri = format!("sip:{}", daemon.sip);
    let challenge = phone.register_again(&uri, "Expires: 300\r\n");
    assert!(challenge.is("401"), "{challenge:?}");
    let credentials = answer(&challenge, "1004", "demo", "REGISTER", &uri);
    let extra = format!("Expires: 300\r\nAuthorization: {credentials}\r\n");
    assert!(phone.register_again(&uri, &extra).is("200"));
    let replayed = phone.register_again(&uri, &extra);
    assert!(replayed.is("401") && replayed.0.contains("stale=true"), "{replayed:?}");
    daemon.stop();
}

#[test]
fn credentials_for_others_do_not_hide_ours() {
    let mut daemon = Daemon::start();
    let mut phone = Phone::new("1003", daemon.host, daemon.sip, 440.0);
    assert!(phone.register("demo", 300).is("200"));
    let uri = format!("sip:{}", daemon.sip);
    let others = "Authorization: Basic MTAwMzpkZW1v\r\n\
                  Authorization: Digest username=\"1003\", realm=\"elsewhere\", nonce=\"n\", uri=\"sip:x\", response=\"0\"\r\n";
    let challenge = phone.register_again(&uri, others);
    assert!(challenge.is("401") && !challenge.0.contains("stale"), "{challenge:?}");
    let ours = answer(&challenge, "1003", "demo", "REGISTER", &uri);
    assert!(phone.register_again(&uri, &format!("{others}Authorization: {ours}\r\n")).is("200"));
    daemon.stop();
}

#[test]
fn a_bound_phone_is_asked_whether_it_answers() {
    let mut daemon = Daemon::start();
    let mut phone = Phone::new("1002", daemon.host, daemon.sip, 440.0);
    assert!(phone.register("demo", 300).is("200"));
    let since = std::time::Instant::now();
    let asked = loop {
        assert!(since.elapsed() < super::daemon::PATIENCE, "no OPTIONS came");
        if let Some(text) = phone.try_receive().filter(|text| text.is("OPTIONS")) {
            break text;
        }
    };
    assert!(asked.first().contains("sip:1002@"), "{asked:?}");
    phone.reply(&asked, "200 OK", "");
    daemon.stop();
}

#[test]
fn sound_cannot_be_sent_to_the_switch_itself() {
    let mut daemon = Daemon::start();
    let mut first = caller(&daemon);
    let answer = first.call("4002");
    let (host, port) = (daemon.host, answer.rtp().port());
    let body =
        format!("v=0\r\no=- 1 1 IN IP4 {host}\r\ns=-\r\nc=IN IP4 {host}\r\nt=0 0\r\nm=audio {port} RTP/AVP 8\r\n");
    let refused = ask(&daemon, "INVITE", "4002", "Content-Type: application/sdp\r\n", &body);
    assert!(refused.is("488"), "{refused:?}");
    first.hang_up();
    let records = daemon.stop();
    assert!(records.iter().any(|record| record.cause.text == "own_media_port"), "{records:?}");
}
