//! Each machine against a table: what happens to it, what it wants done.

use super::client_invite::ClientInvite;
use super::client_non_invite::ClientNonInvite;
use super::server_invite::ServerInvite;
use super::server_non_invite::ServerNonInvite;
use super::timers::{Effect, Timer};
use crate::sip::message::{Message, Method, Uri, response_to};

fn request(method: Method) -> Message {
    let cseq = format!("7 {method}");
    Message::request(method, Uri::sip(Some("bob"), "b.example", None))
        .with("Via", "SIP/2.0/UDP a.example;branch=z9hG4bKx")
        .with("From", "<sip:a@a.example>;tag=f")
        .with("To", "<sip:bob@b.example>")
        .with("Call-ID", "c")
        .with("CSeq", cseq)
}

/// One line of a table: the input, then the wanted effects in short form.
enum In {
    Code(u16),
    Fire(Timer),
    Again,
    Ack,
}

/// "send:first word of the bytes", "pass", "+timer ms", "-timer", "timeout", "end".
fn short(effects: &[Effect]) -> String {
    let words = effects.iter().map(|effect| match effect {
        Effect::Send(bytes) => {
            let text = String::from_utf8_lossy(bytes).into_owned();
            let mut words = text.split(' ');
            let first = words.next().unwrap_or_default().to_owned();
            let name = if first == "SIP/2.0" { words.next().unwrap_or_default().to_owned() } else { first };
            format!("send:{name}")
        }
        Effect::Pass => "pass".to_owned(),
        Effect::Arm(timer, ms) => format!("+{timer:?}{ms}"),
        Effect::Disarm(timer) => format!("-{timer:?}"),
        Effect::TimedOut => "timeout".to_owned(),
        Effect::Terminated => "end".to_owned(),
    });
    words.collect::<Vec<_>>().join(" ")
}

fn check(name: &str, mut step: impl FnMut(&In) -> Vec<Effect>, table: &[(In, &str)]) {
    for (at, (input, wanted)) in table.iter().enumerate() {
        assert_eq!(short(&step(input)), *wanted, "{name}, line {at}");
    }
}

use In::{Ack, Again, Code, Fire};
use Timer::{A, B, D, E, F, G, H, I, J, K, L, M, Trying};

fn client_invite(reliable: bool, started: &str, table: &[(In, &str)]) {
    let invite = request(Method::Invite);
    let (mut machine, effects) = ClientInvite::start(invite.clone(), reliable);
    assert_eq!(short(&effects), started);
    let step = |input: &In| match input {
        Code(code) => machine.handle_response(&response_to(&invite, *code, "", Some("t"))),
        Fire(timer) => machine.handle_timer(*timer),
        Again | Ack => unreachable!(),
    };
    check("client INVITE", step, table);
}

#[test]
fn client_invite_by_the_table() {
    let udp = "send:INVITE +B32000 +A500";
    let doubling = [
        (Fire(A), "send:INVITE +A1000"),
        (Fire(A), "send:INVITE +A2000"),
        (Fire(A), "send:INVITE +A4000"),
        (Fire(A), "send:INVITE +A8000"),
        (Fire(B), "timeout end"),
        (Code(200), ""),
    ];
    client_invite(false, udp, &doubling);
    let refused = [
        (Code(100), "-A -B pass"),
        (Fire(A), ""),
        (Code(180), "-A -B pass"),
        (Code(486), "-A -B send:ACK pass +D33000"),
        (Code(486), "send:ACK"),
        (Code(200), ""),
        (Fire(D), "end"),
    ];
    client_invite(false, udp, &refused);
    let accepted =
        [(Code(200), "-A -B pass +M32000"), (Code(200), "pass"), (Code(486), ""), (Code(180), ""), (Fire(M), "end")];
    client_invite(false, udp, &accepted);
    client_invite(true, "send:INVITE +B32000", &[(Code(503), "-A -B send:ACK pass end")]);
}

#[test]
fn the_ack_of_a_refusal_repeats_the_invites_branch_and_the_responses_tag() {
    let invite = request(Method::Invite).with("Route", "<sip:p;lr>");
    let ack = super::ack_for_refusal(&invite, &response_to(&invite, 404, "", Some("t")));
    assert_eq!(ack.via().unwrap(), invite.via().unwrap());
    assert_eq!((ack.to().unwrap().tag(), ack.header("CSeq")), (Some("t"), Some("7 ACK")));
    assert_eq!(ack.header("Route"), Some("<sip:p;lr>"));
}

fn client_other(reliable: bool, started: &str, table: &[(In, &str)]) {
    let bye = request(Method::Bye);
    let (mut machine, effects) = ClientNonInvite::start(&bye, reliable);
    assert_eq!(short(&effects), started);
    let step = |input: &In| match input {
        Code(code) => machine.handle_response(&response_to(&bye, *code, "", Some("t"))),
        Fire(timer) => machine.handle_timer(*timer),
        Again | Ack => unreachable!(),
    };
    check("client of others", step, table);
}

#[test]
fn client_of_other_requests_by_the_table() {
    let udp = "send:BYE +F32000 +E500";
    let silent = [
        (Fire(E), "send:BYE +E1000"),
        (Fire(E), "send:BYE +E2000"),
        (Fire(E), "send:BYE +E4000"),
        (Fire(E), "send:BYE +E4000"),
        (Fire(F), "timeout end"),
    ];
    client_other(false, udp, &silent);
    let answered = [
        (Code(100), "pass"),
        (Fire(E), "send:BYE +E4000"),
        (Code(200), "-E -F pass +K5000"),
        (Code(200), ""),
        (Fire(E), ""),
        (Fire(K), "end"),
    ];
    client_other(false, udp, &answered);
    client_other(false, udp, &[(Code(100), "pass"), (Fire(F), "timeout end")]);
    client_other(true, "send:BYE +F32000", &[(Code(481), "-E -F pass end")]);
}

fn server_invite(reliable: bool, table: &[(In, &str)]) {
    let invite = request(Method::Invite);
    let (mut machine, effects) = ServerInvite::start(invite.clone(), reliable);
    assert_eq!(short(&effects), "pass +Trying200");
    let step = |input: &In| match input {
        Code(code) => machine.respond(&response_to(&invite, *code, "", Some("t"))),
        Fire(timer) => machine.handle_timer(*timer),
        Again => machine.handle_repeat(),
        Ack => machine.handle_ack(),
    };
    check("server INVITE", step, table);
}

#[test]
fn server_invite_by_the_table() {
    let refused = [
        (Again, ""),
        (Fire(Trying), "send:100"),
        (Again, "send:100"),
        (Code(180), "-Trying send:180"),
        (Again, "send:180"),
        (Ack, ""),
        (Code(486), "-Trying send:486 +H32000 +G500"),
        (Again, "send:486"),
        (Code(200), ""),
        (Fire(G), "send:486 +G1000"),
        (Fire(G), "send:486 +G2000"),
        (Fire(G), "send:486 +G4000"),
        (Fire(G), "send:486 +G4000"),
        (Ack, "-G -H +I5000"),
        (Ack, ""),
        (Again, ""),
        (Fire(I), "end"),
    ];
    server_invite(false, &refused);
    server_invite(false, &[(Code(486), "-Trying send:486 +H32000 +G500"), (Fire(H), "timeout end")]);
    let accepted = [
        (Code(200), "-Trying send:200 +L32000"),
        (Fire(Trying), ""),
        (Again, ""),
        (Code(200), "send:200"),
        (Code(486), ""),
        (Ack, "pass"),
        (Fire(L), "end"),
    ];
    server_invite(false, &accepted);
    server_invite(true, &[(Code(603), "-Trying send:603 +H32000"), (Ack, "-G -H end")]);
}

#[test]
fn server_of_other_requests_by_the_table() {
    let tables: [(bool, &[(In, &str)]); 2] = [
        (
            false,
            &[
                (Again, ""),
                (Code(100), "send:100"),
                (Again, "send:100"),
                (Code(200), "send:200 +J32000"),
                (Code(500), ""),
                (Again, "send:200"),
                (Fire(J), "end"),
                (Again, ""),
            ],
        ),
        (true, &[(Code(200), "send:200 end")]),
    ];
    for (reliable, table) in tables {
        let bye = request(Method::Bye);
        let (mut machine, effects) = ServerNonInvite::start(reliable);
        assert_eq!(short(&effects), "pass");
        let step = |input: &In| match input {
            Code(code) => machine.respond(&response_to(&bye, *code, "", Some("t"))),
            Fire(timer) => machine.handle_timer(*timer),
            Again => machine.handle_repeat(),
            Ack => unreachable!(),
        };
        check("server of others", step, table);
    }
}
