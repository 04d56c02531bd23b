use std::collections::BTreeMap;
use std::net::SocketAddr;

use rand_chacha::ChaCha12Rng;
use rand_core::SeedableRng;

use super::question::{Naptr, Question, Record, RecordType, Srv};
use super::resolution::{Resolution, Target, Ways};
use crate::sip::transaction::Transport;

/// What DNS knows.
#[derive(Default)]
struct Zone(BTreeMap<Question, Vec<Record>>);

impl Zone {
    fn with(mut self, name: &str, record: Record) -> Self {
        let kind = match &record {
            Record::Naptr(_) => RecordType::Naptr,
            Record::Srv(_) => RecordType::Srv,
            Record::Address(ip) if ip.is_ipv4() => RecordType::A,
            Record::Address(_) => RecordType::Aaaa,
        };
        self.0.entry(Question::new(name, kind)).or_default().push(record);
        self
    }

    fn naptr(self, order: u16, preference: u16, service: &str, replacement: &str) -> Self {
        let (flags, service, replacement) = ("s".to_owned(), service.to_owned(), replacement.to_owned());
        self.with("example.com", Record::Naptr(Naptr { order, preference, flags, service, replacement }))
    }

    fn srv(self, name: &str, priority: u16, port: u16, target: &str) -> Self {
        self.with(name, Record::Srv(Srv { priority, weight: 0, port, target: target.to_owned() }))
    }

    fn host(self, name: &str, ip: &str) -> Self {
        self.with(name, Record::Address(ip.parse().unwrap()))
    }
}

const EVERYTHING: &[&str] = &["udp 0.0.0.0:1", "tcp 0.0.0.0:1", "tls 0.0.0.0:1", "udp [::]:1", "tcp [::]:1"];
const IPV4: &[&str] = &["udp 0.0.0.0:1", "tcp 0.0.0.0:1", "tls 0.0.0.0:1"];

fn listen(own: &[&str]) -> Vec<(Transport, SocketAddr)> {
    let read = |text: &&str| {
        let (word, address) = text.split_once(' ').unwrap();
        let known = Transport::ALL.into_iter().find(|transport| transport.via_name().eq_ignore_ascii_case(word));
        (known.unwrap(), address.parse().unwrap())
    };
    own.iter().map(read).collect()
}

/// The hops as text, and the questions that it took.
fn find(zone: &Zone, own: &[&str], uri: &str) -> (Vec<String>, Vec<String>) {
    let (ways, uri) = (Ways::new(&listen(own)), uri.parse().unwrap());
    let target = Target::of(&uri).unwrap();
    let mut rng = ChaCha12Rng::from_seed([3; 32]);
    let mut asked: Vec<Question> = Vec::new();
    loop {
        let seen = asked.clone();
        let known = |question: &Question| {
            seen.contains(question).then(|| zone.0.get(question).map_or(&[] as &[Record], Vec::as_slice))
        };
        let mut resolution = Resolution { ways: &ways, known: &known, rng: &mut rng, open: Vec::new() };
        let hops = resolution.run(&target);
        if resolution.open.is_empty() {
            let hops = hops.iter().map(|hop| format!("{} {}", hop.transport.via_name(), hop.remote)).collect();
            let asked = asked.iter().map(|asked| format!("{:?} {}", asked.record, asked.name)).collect();
            return (hops, asked);
        }
        let open = resolution.open;
        asked.extend(open);
    }
}

#[test]
fn a_numeric_host_asks_nothing() {
    let zone = Zone::default();
    for (uri, hop) in [
        ("sip:x@192.0.2.1", Some("UDP 192.0.2.1:5060")),
        ("sip:x@192.0.2.1:5070;transport=tcp", Some("TCP 192.0.2.1:5070")),
        ("sips:x@192.0.2.1", Some("TLS 192.0.2.1:5061")),
        ("sip:x@[2001:db8::1]", Some("UDP [2001:db8::1]:5060")),
        ("sip:x@example.com;maddr=192.0.2.9", Some("UDP 192.0.2.9:5060")),
        ("sips:x@[2001:db8::1]", None),
    ] {
        let hop: Vec<_> = hop.map(str::to_owned).into_iter().collect();
        assert_eq!(find(&zone, EVERYTHING, uri), (hop, vec![]), "{uri}");
    }
}

#[test]
fn a_port_means_a_host() {
    let zone = Zone::default().host("example.com", "192.0.2.1").host("example.com", "2001:db8::1");
    let (hops, asked) = find(&zone, EVERYTHING, "sip:x@Example.COM.:5080;transport=tcp");
    assert_eq!(hops, ["TCP [2001:db8::1]:5080", "TCP 192.0.2.1:5080"]);
    assert_eq!(asked, ["Aaaa example.com", "A example.com"]);
    // Only the families that we have are asked for.
    let (hops, asked) = find(&zone, IPV4, "sip:x@example.com:5080");
    assert_eq!((hops, asked), (vec!["UDP 192.0.2.1:5080".into()], vec!["A example.com".into()]));
}

#[test]
fn a_transport_means_its_service() {
    let zone = Zone::default()
        .srv("_sip._tcp.example.com", 20, 5062, "b.example.com")
        .srv("_sip._tcp.example.com", 10, 5061, "a.example.com")
        .srv("_sips._tcp.example.com", 10, 5443, "b.example.com")
        .host("a.example.com", "192.0.2.1")
        .host("b.example.com", "192.0.2.2");
    let (hops, asked) = find(&zone, IPV4, "sip:x@example.com;transport=tcp");
    assert_eq!(hops, ["TCP 192.0.2.1:5061", "TCP 192.0.2.2:5062"]);
    assert_eq!(asked[0], "Srv _sip._tcp.example.com");
    for uri in ["sip:x@example.com;transport=tls", "sips:x@example.com;transport=tcp"] {
        assert_eq!(find(&zone, IPV4, uri).0, ["TLS 192.0.2.2:5443"], "{uri}");
    }
    // Without its record the host itself is meant.
    let zone = Zone::default().host("example.com", "192.0.2.7");
    assert_eq!(find(&zone, IPV4, "sip:x@example.com;transport=tls").0, ["TLS 192.0.2.7:5061"]);
}

#[test]
fn services_decide_the_transport_where_the_uri_does_not() {
    let zone = Zone::default()
        .naptr(50, 50, "SIPS+D2T", "_sips._tcp.example.com")
        .naptr(90, 50, "SIP+D2T", "_sip._tcp.example.com")
        .naptr(90, 20, "SIP+D2U", "_sip._udp.example.com")
        .naptr(10, 10, "SIP+D2S", "_sip._sctp.example.com")
        .srv("_sips._tcp.example.com", 1, 5061, "a.example.com")
        .srv("_sip._tcp.example.com", 1, 5060, "a.example.com")
        .srv("_sip._udp.example.com", 1, 5060, "b.example.com")
        .host("a.example.com", "192.0.2.1")
        .host("b.example.com", "192.0.2.2");
    let (hops, _) = find(&zone, IPV4, "sip:x@example.com");
    assert_eq!(hops, ["TLS 192.0.2.1:5061", "UDP 192.0.2.2:5060", "TCP 192.0.2.1:5060"]);
    let (hops, _) = find(&zone, IPV4, "sips:x@example.com");
    assert_eq!(hops, ["TLS 192.0.2.1:5061"]);
    // What we cannot send over is passed by.
    let (hops, _) = find(&zone, &["udp 0.0.0.0:1"], "sip:x@example.com");
    assert_eq!(hops, ["UDP 192.0.2.2:5060"]);
}

#[test]
fn without_services_every_transport_of_ours_is_asked_for_and_then_the_host() {
    let zone =
        Zone::default().srv("_sip._tcp.example.com", 1, 5070, "a.example.com").host("a.example.com", "192.0.2.1");
    let (hops, asked) = find(&zone, IPV4, "sip:x@example.com");
    assert_eq!(hops, ["TCP 192.0.2.1:5070"]);
    assert_eq!(
        asked,
        ["Naptr example.com", "Srv _sip._udp.example.com", "Srv _sip._tcp.example.com", "A a.example.com"]
    );
    let zone = Zone::default().host("example.com", "192.0.2.3");
    assert_eq!(find(&zone, IPV4, "sip:x@example.com").0, ["UDP 192.0.2.3:5060"]);
    assert_eq!(find(&zone, IPV4, "sips:x@example.com").0, ["TLS 192.0.2.3:5061"]);
    assert_eq!(find(&zone, IPV4, "sip:x@nowhere.example").0, [] as [String; 0]);
}

#[test]
fn a_service_that_is_not_offered_is_not_looked_for_at_its_host() {
    let zone = Zone::default().srv("_sip._udp.example.com", 0, 0, ".").host("example.com", "192.0.2.3");
    assert_eq!(find(&zone, &["udp 0.0.0.0:1"], "sip:x@example.com").0, [] as [String; 0]);
}

#[test]
fn names_that_dns_cannot_hold_are_none() {
    for (host, fine) in [
        ("example.com", true),
        ("a-b_c.example", true),
        ("localhost", true),
        ("a..b", false),
        (&"a".repeat(64), false),
        (&["a"; 128].join("."), false),
    ] {
        let uri = crate::sip::message::Uri::sip(None, host, None);
        assert_eq!(Target::of(&uri).unwrap().is_name(), fine, "{host}");
    }
}
