//! Requests to names, on a virtual clock.

use std::net::SocketAddr;

use super::{Admission, Endpoint, Event, Registration, Standing, TrunkCall, Why};
use crate::id::LegId;
use crate::sip::digest::{Account, Secret};
use crate::sip::endpoint::{Dial, Way};
use crate::sip::invite::testing::{dial_to, endpoint};
use crate::sip::locate::{Question, Record, RecordType, Reply, Srv};
use crate::sip::message::{Framing, Message, Verdict, judge, reason_phrase, response_to};
use crate::sip::transaction::{Flow, Transport};
use crate::time::Now;

const OWN: &str = "127.0.0.1:6000";

/// Two hosts behind a name, the first preferred.
fn answer_dns(endpoint: &mut Endpoint, now: Now) -> usize {
    let mut asked = 0;
    while let Some(question) = endpoint.poll_question() {
        asked += 1;
        let srv = |priority, target: &str| Srv { priority, weight: 1, port: 5070, target: target.to_owned() };
        let records = match (question.record, question.name.as_str()) {
            (RecordType::Srv, "_sip._udp.carrier.example") => {
                vec![Record::Srv(srv(1, "a.carrier.example")), Record::Srv(srv(2, "b.carrier.example"))]
            }
            (RecordType::A, "a.carrier.example") => vec![Record::Address([127, 0, 0, 11].into())],
            (RecordType::A, "b.carrier.example") => vec![Record::Address([127, 0, 0, 12].into())],
            _ => Vec::new(),
        };
        let reply = match records.len() {
            0 => Reply::Nothing { ttl_s: None },
            _ => Reply::Found { records, ttl_s: 600 },
        };
        endpoint.handle_dns(&question, reply, now);
    }
    asked
}

fn dial(uris: &[&str], now: Now) -> (Endpoint, LegId) {
    let mut endpoint = endpoint(Admission::Open, 1);
    let leg = endpoint.next_leg();
    let ways = uris.iter().map(|uri| Way { target: uri.parse().unwrap(), flow: None, routes: vec![] }).collect();
    endpoint.dial(leg, Dial { ways, ..dial_to("sip:x@127.0.0.1") }, now);
    (endpoint, leg)
}

fn sent(endpoint: &mut Endpoint) -> Vec<(SocketAddr, Message)> {
    let read = |sent: crate::sip::transaction::Transmit| match judge(&sent.payload, Framing::Datagram) {
        Verdict::Accept(msg) => (sent.flow.remote, msg),
        other => panic!("{other:?}"),
    };
    std::iter::from_fn(|| endpoint.poll_transmit()).map(read).collect()
}

fn only(endpoint: &mut Endpoint) -> (SocketAddr, Message) {
    let mut sent = sent(endpoint);
    assert_eq!(sent.len(), 1, "{sent:?}");
    sent.remove(0)
}

fn answer(endpoint: &mut Endpoint, to: &(SocketAddr, Message), code: u16, contact: &str, now: Now) {
    let response = response_to(&to.1, code, reason_phrase(code), Some("t")).with("Contact", contact);
    let flow = Flow { transport: Transport::Udp, local: OWN.parse().unwrap(), remote: to.0 };
    endpoint.handle_verdict(judge(&response.to_bytes(), Framing::Datagram), flow, now);
}

fn method(sent: &(SocketAddr, Message)) -> &str {
    sent.1.method().map_or("", |method| method.as_str())
}

fn events(endpoint: &mut Endpoint) -> Vec<Event> {
    std::iter::from_fn(|| endpoint.poll_event()).collect()
}

#[test]
fn a_hop_that_is_overloaded_is_followed_by_the_next_with_the_same_request() {
    let now = Now::default();
    let (mut endpoint, _) = dial(&["sip:4000@carrier.example"], now);
    assert_eq!(sent(&mut endpoint), []);
    answer_dns(&mut endpoint, now);
    let first = only(&mut endpoint);
    assert_eq!(first.0, "127.0.0.11:5070".parse().unwrap());
    answer(&mut endpoint, &first, 503, "<sip:x@127.0.0.11>", now);
    let second = sent(&mut endpoint).into_iter().find(|sent| method(sent) == "INVITE").unwrap();
    assert_eq!(second.0, "127.0.0.12:5070".parse().unwrap());
    let header = |of: &(SocketAddr, Message), name| of.1.header(name).unwrap_or_default().to_owned();
    for name in ["Call-ID", "CSeq", "From", "To"] {
        assert_eq!(header(&first, name), header(&second, name));
    }
    assert_eq!(first.1.uri(), second.1.uri());
    assert_ne!(first.1.via().unwrap().branch(), second.1.via().unwrap().branch());
    answer(&mut endpoint, &second, 200, "<sip:x@127.0.0.12:5070>", now);
    assert!(events(&mut endpoint).iter().any(|event| matches!(event, Event::Answered { .. })));
    // The next call begins where this one was answered.
    let leg = endpoint.next_leg();
    let ways = vec![Way { target: "sip:4000@carrier.example".parse().unwrap(), flow: None, routes: vec![] }];
    sent(&mut endpoint);
    endpoint.dial(leg, Dial { ways, ..dial_to("sip:x@127.0.0.1") }, now);
    assert_eq!(only(&mut endpoint).0, second.0);
}

#[test]
fn a_silent_hop_is_followed_by_the_next_and_the_end_of_the_list_is_the_end() {
    let now = Now::default();
    let (mut endpoint, leg) = dial(&["sip:4000@carrier.example"], now);
    answer_dns(&mut endpoint, now);
    sent(&mut endpoint);
    let late = now.plus_ms(4_000);
    endpoint.handle_timeout(late);
    let second = sent(&mut endpoint).pop().unwrap();
    assert_eq!(second.0, "127.0.0.12:5070".parse().unwrap());
    answer(&mut endpoint, &second, 503, "<sip:x@127.0.0.12>", late);
    assert_eq!(events(&mut endpoint), [Event::Failed { leg, why: Why::new(503, "overloaded") }]);
    assert_eq!(endpoint.load()[..3], [0, 0, 0]);
}

#[test]
fn a_late_answer_of_a_hop_that_was_given_up_is_thanked_and_hung_up() {
    let now = Now::default();
    let (mut endpoint, _) = dial(&["sip:4000@carrier.example"], now);
    answer_dns(&mut endpoint, now);
    let first = only(&mut endpoint);
    let late = now.plus_ms(4_000);
    endpoint.handle_timeout(late);
    let second = sent(&mut endpoint).pop().unwrap();
    answer(&mut endpoint, &first, 200, "<sip:x@127.0.0.11:5070>", late);
    let thanked = sent(&mut endpoint);
    assert_eq!(thanked.iter().map(method).collect::<Vec<_>>(), ["ACK", "BYE"]);
    assert!(thanked.iter().all(|sent| sent.0 == first.0));
    answer(&mut endpoint, &second, 200, "<sip:x@127.0.0.12:5070>", late);
    assert!(events(&mut endpoint).iter().any(|event| matches!(event, Event::Answered { .. })));
}

#[test]
fn a_name_without_address_ends_the_call_or_leads_to_the_next_way() {
    let now = Now::default();
    let (mut endpoint, leg) = dial(&["sip:4000@nowhere.example"], now);
    answer_dns(&mut endpoint, now);
    assert_eq!(events(&mut endpoint), [Event::Failed { leg, why: Why::new(503, "no_address") }]);
    let (mut endpoint, _) =
        dial(&["sip:4000@nowhere.example", "sip:4000@127.0.0.9;transport=tcp", "sip:5000@127.0.0.9:5080"], now);
    answer_dns(&mut endpoint, now);
    let placed = only(&mut endpoint);
    assert_eq!(
        (placed.0, placed.1.header("To").unwrap()),
        ("127.0.0.9:5080".parse().unwrap(), "<sip:5000@127.0.0.9:5080>")
    );
}

#[test]
fn the_next_way_is_looked_for_when_it_is_needed() {
    let now = Now::default();
    let (mut endpoint, leg) = dial(&["sip:1@127.0.0.9:5080", "sip:2@carrier.example"], now);
    let first = only(&mut endpoint);
    assert_eq!(endpoint.poll_question(), None);
    answer(&mut endpoint, &first, 503, "<sip:x@127.0.0.9>", now);
    sent(&mut endpoint);
    assert!(answer_dns(&mut endpoint, now) > 0);
    let second = only(&mut endpoint);
    assert_eq!(second.1.uri().unwrap().to_string(), "sip:2@carrier.example");
    assert_ne!(first.1.call_id(), second.1.call_id());
    answer(&mut endpoint, &second, 486, "<sip:x@127.0.0.11>", now);
    assert_eq!(events(&mut endpoint), [Event::Failed { leg, why: Why::new(486, "busy") }]);
}

#[test]
fn a_call_is_cancelled_while_its_way_is_looked_for() {
    let now = Now::default();
    for uris in [&["sip:4000@carrier.example"][..], &["sip:1@127.0.0.9:5080", "sip:2@carrier.example"]] {
        let (mut endpoint, leg) = dial(uris, now);
        if let Some(first) = sent(&mut endpoint).first() {
            answer(&mut endpoint, first, 503, "<sip:x@127.0.0.9>", now);
            sent(&mut endpoint);
        }
        endpoint.cancel(leg, Why::new(487, "cancelled"), now);
        assert_eq!(events(&mut endpoint), [Event::Failed { leg, why: Why::new(487, "cancelled") }]);
        answer_dns(&mut endpoint, now);
        assert_eq!(sent(&mut endpoint), []);
        assert_eq!(endpoint.load()[..3], [0, 0, 0]);
    }
}

#[test]
fn a_trunk_counts_a_call_while_its_way_is_looked_for_and_until_its_end() {
    let now = Now::default();
    let trunk = crate::sip::trunk::Trunk::from_addresses(Vec::new(), Vec::new());
    let mut settings = endpoint(Admission::Open, 1).settings;
    settings.trunks.insert("carrier".into(), trunk);
    for (uri, cancelled) in
        [("sip:1@carrier.example", false), ("sip:1@carrier.example", true), ("sip:1@no.example", false)]
    {
        let mut endpoint = Endpoint::new(settings.clone(), 1, rand_core::SeedableRng::seed_from_u64(1));
        let leg = endpoint.next_leg();
        let ways = vec![Way { target: uri.parse().unwrap(), flow: None, routes: vec![] }];
        let call = TrunkCall {
            emergency: false,
            ways,
            called: "1".into(),
            caller: Default::default(),
            ours: false,
            body: "v=0".into(),
            carried: Default::default(),
        };
        endpoint.dial_trunk(leg, &"carrier".into(), call, now).unwrap();
        let load = |endpoint: &Endpoint| endpoint.trunks()[0].outbound.0;
        assert_eq!(load(&endpoint), 1);
        if cancelled {
            endpoint.cancel(leg, Why::new(487, "cancelled"), now);
        }
        answer_dns(&mut endpoint, now);
        if let Some(invite) = sent(&mut endpoint).pop() {
            assert_eq!((load(&endpoint), cancelled), (1, false));
            answer(&mut endpoint, &invite, 486, "<sip:x@127.0.0.11>", now);
        }
        assert_eq!(load(&endpoint), 0);
    }
}

#[test]
fn requests_within_a_dialog_follow_the_name_in_its_contact() {
    let now = Now::default();
    let (mut endpoint, leg) = dial(&["sip:4000@127.0.0.9:5080"], now);
    let invite = only(&mut endpoint);
    answer(&mut endpoint, &invite, 200, "<sip:x@carrier.example>", now);
    assert_eq!(sent(&mut endpoint), [], "the ACK waits for its way");
    answer_dns(&mut endpoint, now);
    let ack = only(&mut endpoint);
    assert_eq!((method(&ack), ack.0), ("ACK", "127.0.0.11:5070".parse().unwrap()));
    endpoint.hang_up(leg, Why::new(16, "normal_clearing"), now);
    let bye = only(&mut endpoint);
    assert_eq!(bye.0, ack.0);
    answer(&mut endpoint, &bye, 503, "<sip:x@127.0.0.11>", now);
    let again = only(&mut endpoint);
    assert_eq!((method(&again), again.0), ("BYE", "127.0.0.12:5070".parse().unwrap()));
    answer(&mut endpoint, &again, 200, "<sip:x@127.0.0.12>", now);
    assert!(events(&mut endpoint).contains(&Event::Gone { leg }));
}

#[test]
fn a_contact_that_leads_nowhere_is_reached_the_way_the_call_came() {
    let now = Now::default();
    // The first is asked for in vain, the second is never asked for (RFC 6761).
    for contact in ["<sip:x@phone.example>", "<sip:x@df7jal23ls0d.invalid>"] {
        let (mut endpoint, _) = dial(&["sip:4000@127.0.0.9:5080"], now);
        let invite = only(&mut endpoint);
        answer(&mut endpoint, &invite, 200, contact, now);
        assert_eq!(answer_dns(&mut endpoint, now) > 0, contact.contains("example"));
        let ack = only(&mut endpoint);
        assert_eq!((method(&ack), ack.0), ("ACK", invite.0));
    }
}

#[test]
fn a_registration_goes_on_by_the_next_hop_and_is_looked_up_anew_each_time() {
    let now = Now::default();
    let mut endpoint = endpoint(Admission::Open, 1);
    let account = Account { user: "1".into(), password: Secret::new("p"), realm: "carrier.example".into() };
    let registration = Registration {
        account: account.into(),
        aor: "sip:1@carrier.example".parse().unwrap(),
        contact_user: "1".into(),
        ways: vec![Way { target: "sip:carrier.example".parse().unwrap(), flow: None, routes: vec![] }],
        expires_s: 400,
    };
    endpoint.register("carrier", registration, now);
    answer_dns(&mut endpoint, now);
    let first = only(&mut endpoint);
    answer(&mut endpoint, &first, 503, "<sip:1@127.0.0.1:6000>", now);
    endpoint.handle_timeout(now);
    let second = only(&mut endpoint);
    assert_eq!((first.0.to_string(), second.0.to_string()), ("127.0.0.11:5070".into(), "127.0.0.12:5070".into()));
    answer(&mut endpoint, &second, 200, "<sip:1@127.0.0.1:6000>", now);
    let standing = |endpoint: &Endpoint| endpoint.registrations().next().map(|(_, standing, _)| standing);
    assert!(matches!(standing(&endpoint), Some(Standing::Registered { .. })));
    // The preferred one is tried again once its failure is old.
    let later = now.plus_ms(300_000);
    endpoint.handle_timeout(later);
    answer_dns(&mut endpoint, later);
    assert_eq!(sent(&mut endpoint).pop().unwrap().0, first.0);
}

#[test]
fn the_certificate_is_that_of_the_name_and_not_of_what_it_leads_to() {
    let now = Now::default();
    let mut endpoint = endpoint(Admission::Open, 1);
    let leg = endpoint.next_leg();
    let ways = vec![Way { target: "sips:x@secure.example:5061".parse().unwrap(), flow: None, routes: vec![] }];
    endpoint.dial(leg, Dial { ways, ..dial_to("sip:x@127.0.0.1") }, now);
    let question = Question::new("secure.example", RecordType::A);
    assert_eq!(endpoint.poll_question(), Some(question.clone()));
    let records = vec![Record::Address([127, 0, 0, 13].into())];
    endpoint.handle_dns(&question, Reply::Found { records, ttl_s: 60 }, now);
    let transmit = endpoint.poll_transmit().unwrap();
    assert_eq!((transmit.flow.transport, transmit.peer.as_deref()), (Transport::Tls, Some("secure.example")));
}
