//! More calls than the floor can set up: some get their 503 at once, those that are up notice nothing, and it passes.

use std::net::UdpSocket;
use std::time::Instant;

use super::daemon::{Daemon, PATIENCE};
use super::queue::caller;

/// Calls that are sent between two looks at the figures.
const ROUND: usize = 1_000;

#[test]
fn a_flood_of_calls_is_shed_and_the_calls_that_are_up_live() {
    let mut daemon = Daemon::start();
    let mut up = caller(&daemon);
    up.call("4002");
    let socket = UdpSocket::bind((daemon.host, 0)).expect("a socket");
    let local = socket.local_addr().expect("bound");
    let (mut sent, since) = (0, Instant::now());
    while daemon.metric("trunkline_sip_shed_total") == 0.0 {
        // What the system drops unread makes nobody late, so the number that it takes is anybody's guess.
        assert!(since.elapsed() < PATIENCE, "{sent} calls and none was shed");
        for _ in 0..ROUND {
            sent += 1;
            // Refused with 488 where it is let in, so that no ports are held.
            let invite = format!(
                "INVITE sip:4003@{0} SIP/2.0\r\nVia: SIP/2.0/UDP {local};rport;branch=z9hG4bKf{sent}\r\n\
                 From: <sip:f{sent}@{local}>;tag=f\r\nTo: <sip:4003@{0}>\r\nCall-ID: flood-{sent}\r\nCSeq: 1 INVITE\r\n\
                 Max-Forwards: 70\r\nContact: <sip:f@{local}>\r\nContent-Type: application/sdp\r\nContent-Length: 5\r\n\r\nv=0\r\n",
                daemon.sip
            );
            let _ = socket.send_to(invite.as_bytes(), daemon.sip);
        }
    }
    up.hang_up();
    // And when it is over, calls are taken as before.
    let mut next = caller(&daemon);
    let since = Instant::now();
    let answer = loop {
        next.invite("4002");
        let answer = next.expect("a final answer", |t| t.header("CSeq").ends_with("INVITE") && !t.is("1"));
        if answer.is("200") {
            break answer;
        }
        assert!(answer.is("503") && answer.header("Retry-After").is_empty(), "{answer:?}");
        next.ack_refusal(&answer);
        assert!(since.elapsed() < PATIENCE, "the flood is over, and calls are still refused");
    };
    next.confirm(&answer);
    next.hang_up();
    daemon.stop();
}
