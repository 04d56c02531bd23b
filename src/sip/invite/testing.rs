//! A phone and a switch that talk to each other without a network, for the tests of the acts.

use crate::sip::digest::Secret;
use crate::sip::endpoint::{Admission, Dial, Endpoint, Event, Settings, User, Way};
use crate::sip::message::{Framing, Message, Verdict, judge, reason_phrase, response_to};
use crate::sip::transaction::{Flow, Transport};
use crate::time::Now;

pub(in crate::sip) const PHONE: &str = "127.0.0.1:6000";
pub(in crate::sip) const SWITCH: &str = "127.0.0.1:5060";

pub(in crate::sip) fn endpoint(admission: Admission, seed: u64) -> Endpoint {
    let user = User { password: Secret::new("right"), nat: false };
    let settings = Settings {
        admission,
        trunks: Default::default(),
        users: [("1001".to_owned(), user)].into(),
        digest: Default::default(),
        md5_only: Vec::new(),
        session_expires_s: 1_800,
        max_calls_per_user: 10,
        emergency: Vec::new(),
        guard: Default::default(),
        registrar: Default::default(),
        listen: vec![(Transport::Udp, PHONE.parse().unwrap()), (Transport::Tls, "127.0.0.1:6001".parse().unwrap())],
        public_address: None,
        local_nets: Vec::new(),
        trace: false,
        product: "test".into(),
    };
    Endpoint::new(settings, 1, rand_core::SeedableRng::seed_from_u64(seed))
}

pub(in crate::sip) fn flow(local: &str, remote: &str) -> Flow {
    Flow { transport: Transport::Udp, local: local.parse().unwrap(), remote: remote.parse().unwrap() }
}

/// Carries messages both ways until neither has more to say.
pub(super) fn talk(phone: &mut Endpoint, switch: &mut Endpoint, now: Now) {
    loop {
        let (to_switch, to_phone) = (phone.poll_transmit(), switch.poll_transmit());
        if to_switch.is_none() && to_phone.is_none() {
            return;
        }
        if let Some(sent) = to_switch {
            switch.handle_verdict(judge(&sent.payload, Framing::Datagram), flow(SWITCH, PHONE), now);
        }
        if let Some(sent) = to_phone {
            phone.handle_verdict(judge(&sent.payload, Framing::Datagram), flow(PHONE, SWITCH), now);
        }
    }
}

/// A call of the phone's to the switch.
pub(in crate::sip) fn dial_to(target: &str) -> Dial {
    let way = Way { target: target.parse().unwrap(), flow: Some(flow(PHONE, SWITCH)), routes: vec![] };
    Dial::new(vec![way], "1001".into(), "v=0".into())
}

/// A way to a party of this port.
pub(super) fn way(port: u16) -> Way {
    let address = format!("127.0.0.1:{port}");
    let (target, flow) = (format!("sip:10086@{address}").parse().unwrap(), Some(flow(PHONE, &address)));
    Way { target, flow, routes: vec![] }
}

/// What an endpoint sends, with the ports that it goes to.
pub(in crate::sip) fn sent(endpoint: &mut Endpoint) -> Vec<(u16, Message)> {
    let read = |sent: crate::sip::transaction::Transmit| match judge(&sent.payload, Framing::Datagram) {
        Verdict::Accept(msg) => (sent.flow.remote.port(), msg),
        other => panic!("{other:?}"),
    };
    std::iter::from_fn(|| endpoint.poll_transmit()).map(read).collect()
}

/// What an endpoint sends, a word for each: the method or the status.
pub(super) fn words(endpoint: &mut Endpoint) -> Vec<String> {
    let word = |(_, msg): (u16, Message)| match msg.method() {
        Some(method) => method.to_string(),
        None => msg.code().unwrap().to_string(),
    };
    sent(endpoint).into_iter().map(word).collect()
}

/// What an endpoint tells of sessions and not of dialogs.
pub(super) fn told(endpoint: &mut Endpoint) -> Vec<Event> {
    let events = std::iter::from_fn(|| endpoint.poll_event());
    events.filter(|event| !matches!(event, Event::DialogChanged { .. })).collect()
}

/// The party of this port answers.
pub(super) fn answer(
    endpoint: &mut Endpoint,
    request: &(u16, Message),
    code: u16,
    header: Option<(&str, &str)>,
    now: Now,
) {
    respond(endpoint, request, code, "t", header.as_slice(), "", now);
}

/// The same with a tag, headers and a body.
pub(in crate::sip) fn respond(
    endpoint: &mut Endpoint,
    (port, request): &(u16, Message),
    code: u16,
    tag: &str,
    headers: &[(&str, &str)],
    body: &str,
    now: Now,
) {
    let mut response = response_to(request, code, reason_phrase(code), Some(tag));
    for (name, value) in headers {
        response.push(name, value);
    }
    if !body.is_empty() {
        response = response.with_body("application/sdp", body.as_bytes().to_vec());
    }
    let verdict = judge(&response.to_bytes(), Framing::Datagram);
    endpoint.handle_verdict(verdict, flow(PHONE, &format!("127.0.0.1:{port}")), now);
}

/// A request of a party that writes its own text; `tag` is ours once it knows it.
pub(super) fn ask(endpoint: &mut Endpoint, start: (&str, u32), tag: &str, lines: &str, body: &str, now: Now) {
    let (method, number) = start;
    let to = if tag.is_empty() { String::new() } else { format!(";tag={tag}") };
    let kind = if body.is_empty() { "" } else { "Content-Type: application/sdp\r\n" };
    let text = format!(
        "{method} sip:4002@{SWITCH} SIP/2.0\r\nVia: SIP/2.0/UDP {PHONE};branch=z9hG4bK{method}{number}{}\r\n\
         From: <sip:1@{PHONE}>;tag=f\r\nTo: <sip:4002@{SWITCH}>{to}\r\nCall-ID: c1\r\nCSeq: {number} {method}\r\n\
         Max-Forwards: 70\r\nContact: <sip:1@{PHONE}>\r\n{lines}{kind}Content-Length: {}\r\n\r\n{body}",
        lines.len() + body.len(),
        body.len()
    );
    endpoint.handle_verdict(judge(text.as_bytes(), Framing::Datagram), flow(SWITCH, PHONE), now);
}

/// A request of the called party's within the early or confirmed dialog of an INVITE of ours.
pub(super) fn ask_of(
    endpoint: &mut Endpoint,
    invite: &Message,
    (method, number): (&str, u32),
    tag: &str,
    body: &str,
    now: Now,
) {
    ask_from(endpoint, invite, (method, number), tag, "<sip:a@127.0.0.1:5071>", body, now);
}

/// The same with a Contact of its own.
pub(super) fn ask_from(
    endpoint: &mut Endpoint,
    invite: &Message,
    (method, number): (&str, u32),
    tag: &str,
    contact: &str,
    body: &str,
    now: Now,
) {
    let header = |name| invite.header(name).unwrap();
    let kind = if body.is_empty() { "" } else { "Content-Type: application/sdp\r\n" };
    let text = format!(
        "{method} sip:1001@{PHONE} SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:5071;branch=z9hG4bK{method}{number}\r\n\
         From: {};tag={tag}\r\nTo: {}\r\nCall-ID: {}\r\nCSeq: {number} {method}\r\nMax-Forwards: 70\r\n\
         Contact: {contact}\r\n{kind}Content-Length: {}\r\n\r\n{body}",
        header("To"),
        header("From"),
        header("Call-ID"),
        body.len()
    );
    endpoint.handle_verdict(judge(text.as_bytes(), Framing::Datagram), flow(PHONE, "127.0.0.1:5071"), now);
}
