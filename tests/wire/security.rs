//! Classes of attacks that broke other switches, a test for each.

use std::io::Write;
use std::net::TcpStream;
use std::time::Duration;

use super::daemon::{Daemon, own_address, without_acw};
use super::phone::{Phone, Text, answer};
use super::queue::{caller, conversation};
use super::tone;

/// A response without what is drawn anew for each.
fn masked(text: &Text) -> String {
    let mut lines: Vec<String> = Vec::new();
    for line in text.0.lines() {
        let (name, value) = line.split_once(": ").unwrap_or((line, ""));
        lines.push(match name {
            "Via" | "Call-ID" | "CSeq" | "From" => name.to_owned(),
            "To" => format!("To {}", value.contains(";tag=")),
            "WWW-Authenticate" => {
                let (before, rest) = value.split_once("nonce=\"").expect("a nonce");
                let (nonce, after) = rest.split_once('"').expect("quoted");
                format!("{before}nonce of {} characters{after}", nonce.len())
            }
            _ => line.to_owned(),
        });
    }
    lines.join("\n")
}

/// The answer to a wrong password for a user.
fn guess(daemon: &Daemon, user: &str) -> Text {
    let mut phone = Phone::new(user, own_address(), daemon.sip, 0.0);
    let challenge = phone.challenge_to_register();
    let uri = format!("sip:{}", daemon.sip);
    let wrong = answer(&challenge, user, "wrong", "REGISTER", &uri);
    phone.register_again(&uri, &format!("Authorization: {wrong}\r\n"))
}

#[test]
fn who_exists_and_who_does_not_get_the_same_answer() {
    let mut daemon = Daemon::start();
    let (known, unknown) = (guess(&daemon, "1001"), guess(&daemon, "9999"));
    assert!(known.is("401"), "{known:?}");
    assert_eq!(masked(&known), masked(&unknown));
    daemon.stop();
}

#[test]
fn a_stranger_ends_nobodys_call() {
    let mut daemon = Daemon::start();
    let (mut caller, agent) = conversation(&daemon);
    // The right Call-ID, and tags that are guessed.
    let mut stranger = Phone::new("13800138000", own_address(), daemon.sip, 0.0);
    stranger.pose_as(&caller);
    for method in ["BYE", "INFO", "UPDATE", "INVITE"] {
        let refused = stranger.within(method, "", "");
        assert!(refused.is("481"), "{method}: {refused:?}");
    }
    assert!(tone::share(&agent.ear.hear(60)[4_800..], 440.0) > 0.9, "they still hear each other");
    caller.hang_up();
    agent.expect_bye();
    daemon.stop();
}

#[test]
fn names_that_would_be_commands_elsewhere_are_data_here() {
    let mut daemon = Daemon::start();
    // The last one would write lines of its own into logs and lists.
    let names = ["=1+1", "%3Cscript%3Ealert(1)%3C%2Fscript%3E", "';drop%20table%20records;--", "1%0D%0AX-Evil%3A%201"];
    for name in names {
        let mut caller = Phone::new(name, daemon.host, daemon.sip, 440.0);
        caller.call("4002");
        caller.hang_up();
    }
    daemon.json_until("/api/v1/records", |records| {
        records["items"].as_array().is_some_and(|items| items.len() == names.len())
    });
    let today = jiff::tz::TimeZone::UTC.to_datetime(jiff::Timestamp::now()).date();
    let (yesterday, today) = (today.yesterday().expect("a day").to_string(), today.to_string());
    let csv = daemon
        .run_command(&["report", "records", "--from", &yesterday, "--to", &today, "--zone", "UTC", "--format", "csv"]);
    assert!(csv.contains("'=1+1") && !csv.contains(",=1+1"), "{csv}");
    assert!(csv.contains("%3Cscript%3E") && !csv.contains("<script"), "{csv}");
    assert_eq!(csv.lines().count(), 1 + names.len(), "{csv}");
    daemon.stop();
}

#[test]
fn calls_of_a_stream_that_is_reset_leave_nothing_behind() {
    let mut daemon = Daemon::start_with(without_acw, &[]);
    for round in 0..5 {
        let mut stream = TcpStream::connect(daemon.sip).expect("connected");
        let local = stream.local_addr().expect("bound");
        for number in 0..20 {
            let body = format!(
                "v=0\r\no=- 1 1 IN IP4 {0}\r\ns=-\r\nc=IN IP4 {0}\r\nt=0 0\r\nm=audio 40000 RTP/AVP 8\r\n",
                daemon.host
            );
            let invite = format!(
                "INVITE sip:4002@{0} SIP/2.0\r\nVia: SIP/2.0/TCP {local};branch=z9hG4bKr{round}x{number}\r\n\
                 From: <sip:1380000@{local}>;tag=r\r\nTo: <sip:4002@{0}>\r\nCall-ID: reset-{round}-{number}\r\nCSeq: 1 INVITE\r\n\
                 Max-Forwards: 70\r\nContact: <sip:r@{local};transport=tcp>\r\nContent-Type: application/sdp\r\n\
                 Content-Length: {1}\r\n\r\n{body}",
                daemon.sip,
                body.len()
            );
            stream.write_all(invite.as_bytes()).expect("sent");
        }
        daemon.json_until("/api/v1/calls", |calls| !calls["items"].as_array().is_none_or(Vec::is_empty));
        // Closed with answers unread: the system resets the connection.
        socket2::SockRef::from(&stream).set_linger(Some(Duration::ZERO)).expect("set");
        drop(stream);
    }
    let mut caller = caller(&daemon);
    caller.call("4002");
    caller.hang_up();
    daemon.until_idle();
    daemon.stop();
}
