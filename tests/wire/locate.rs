//! Routes to names: NAPTR, SRV and addresses of a DNS server of the test's own, failover, TLS by name, large requests.

use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::time::{Duration, Instant};

use hickory_resolver::proto::rr::RecordType;
use trunkline::records::Disposition;

use super::certificates::Issuer;
use super::daemon::{Daemon, PATIENCE, own_address, without_acw};
use super::line;
use super::nameserver::{NameServer, Zone, question};
use super::phone::{Phone, Text};
use super::queue::caller;
use super::tls::{called, daemon_with};
use super::tone;

const PEER_HZ: f64 = 1_000.0;

/// The settings with numbers that begin with 9 going to `target`.
fn routed(settings: &str, target: &str) -> String {
    let numbers = settings.replace("numbers = [", "numbers = [\"9*\", ");
    format!("{numbers}\n[[route]]\nprefix = \"9\"\ntarget = \"{target}\"\n")
}

fn floor(host: Ipv4Addr, target: &str, names: Option<&NameServer>) -> Daemon {
    let servers = names.map(|names| names.address.to_string()).unwrap_or_default();
    let set = |settings: String| routed(&settings, target);
    let variables = [("TRUNKLINE__DNS__SERVERS", servers.as_str())];
    Daemon::start_set(host, set, without_acw, if names.is_some() { &variables } else { &[] })
}

fn peer(host: Ipv4Addr, user: &str) -> Phone {
    Phone::new(user, host, SocketAddr::from((host, 5060)), PEER_HZ)
}

/// The peer answers the call that comes, both hear each other, and the caller hangs up.
fn converse(caller: &mut Phone, peer: &mut Phone, invite: &Text) {
    peer.answer(invite);
    let answer = caller.expect("200 to INVITE", |text| text.is("200") && text.header("CSeq").ends_with("INVITE"));
    caller.confirm(&answer);
    let (by_caller, by_peer) = (caller.ear.hear(50), peer.ear.hear(50));
    assert!(tone::share(&by_peer[4_000..], 440.0) > 0.9, "the peer hears the caller");
    assert!(tone::share(&by_caller[4_000..], PEER_HZ) > 0.9, "the caller hears the peer");
    caller.hang_up();
    peer.expect_bye();
}

/// Waits for a figure, which may be a quarter of a second old.
fn until(daemon: &Daemon, metric: &str, value: f64) {
    let since = Instant::now();
    while (daemon.metric(metric) - value).abs() > 0.5 {
        assert!(since.elapsed() < PATIENCE, "{metric} stays {}", daemon.metric(metric));
    }
}

fn refuse(peer: &Phone, invite: &Text, status: &str) {
    peer.reply_tagged(invite, status, "");
    peer.expect("ACK", |text| text.is("ACK"));
}

#[test]
fn a_call_goes_on_from_a_closed_port_over_a_full_host_to_one_that_answers() {
    let host = own_address();
    let (mut full, mut good) = (peer(host, "full"), peer(host, "good"));
    // Bound and let go of: nobody listens there.
    let closed = TcpListener::bind((host, 0)).and_then(|listener| listener.local_addr()).expect("a free port");
    let zone = Zone::default()
        .naptr("carrier.test", 10, "SIP+D2T", "_sip._tcp.carrier.test")
        .naptr("carrier.test", 20, "SIP+D2U", "_sip._udp.carrier.test")
        .srv("_sip._tcp.carrier.test", 1, closed, "closed.carrier.test")
        .srv("_sip._udp.carrier.test", 1, full.local(), "full.carrier.test")
        .srv("_sip._udp.carrier.test", 2, good.local(), "good.carrier.test");
    let names = NameServer::start(host, zone);
    let mut daemon = floor(host, "sip:carrier.test", Some(&names));
    let mut caller = caller(&daemon);
    caller.invite("9100");
    let first = full.expect_invite();
    assert!(first.first().starts_with("INVITE sip:9100@carrier.test SIP/2.0"), "{first:?}");
    refuse(&full, &first, "503 Service Unavailable");
    let second = good.expect_invite();
    for name in ["Call-ID", "CSeq", "From", "To"] {
        assert_eq!(first.header(name), second.header(name));
    }
    assert_ne!(first.header("Via"), second.header("Via"));
    converse(&mut caller, &mut good, &second);
    // What failed comes last by now, and what DNS said is remembered.
    let asked = names.asked().len();
    caller.invite("9101");
    let third = good.expect_invite();
    converse(&mut caller, &mut good, &third);
    assert_eq!(names.asked().len(), asked, "{:?}", names.asked());
    until(&daemon, "trunkline_dns_questions_total", asked as f64);
    let records = daemon.stop();
    assert!(records.iter().all(|record| record.disposition == Disposition::Answered), "{records:?}");
}

#[test]
fn records_that_have_run_out_are_asked_for_again() {
    let host = own_address();
    let mut good = peer(host, "good");
    let zone = Zone::default().host("sbc.test", host).ttl(0);
    let names = NameServer::start(host, zone);
    let mut daemon = floor(host, &format!("sip:sbc.test:{}", good.local().port()), Some(&names));
    let mut caller = caller(&daemon);
    // They hold for a second at least: calls come and go until it has passed.
    names.until_asked(&question(RecordType::A, "sbc.test"), 2, || {
        caller.invite("9100");
        let invite = good.expect_invite();
        refuse(&good, &invite, "486 Busy Here");
        let refusal = caller.expect("refusal", |text| text.is("486"));
        caller.ack_refusal(&refusal);
    });
    daemon.stop();
}

#[test]
fn a_name_that_is_not_there_refuses_the_call_and_the_record_says_why() {
    let host = own_address();
    let names = NameServer::start(host, Zone::default());
    let mut daemon = floor(host, "sip:nowhere.test", Some(&names));
    let mut caller = caller(&daemon);
    caller.invite("9100");
    let refusal = caller.expect("refusal", |text| text.is("503"));
    caller.ack_refusal(&refusal);
    let records = daemon.stop();
    let cause = &records[0].cause;
    assert_eq!((cause.code, cause.text.as_str()), (503, "no_address"));
}

#[test]
fn dns_that_does_not_answer_costs_seconds_and_not_the_call_for_ever() {
    let host = own_address();
    // It takes questions and says nothing.
    let silent = UdpSocket::bind((host, 0)).expect("a socket");
    let servers = silent.local_addr().expect("bound").to_string();
    let set = |settings: String| routed(&settings, "sip:sbc.test:5080");
    let variables = [("TRUNKLINE__DNS__SERVERS", servers.as_str()), ("TRUNKLINE__DNS__TIMEOUT", "200ms")];
    let mut daemon = Daemon::start_set(host, set, without_acw, &variables);
    let mut caller = caller(&daemon);
    caller.invite("9100");
    let refusal = caller.expect("refusal", |text| text.is("503"));
    caller.ack_refusal(&refusal);
    until(&daemon, "trunkline_dns_failures_total", 1.0);
    daemon.stop();
}

#[test]
fn hosts_of_the_systems_own_file_need_no_dns() {
    let (host, here) = (own_address(), Ipv4Addr::LOCALHOST);
    let mut peer = Phone::new("peer", here, SocketAddr::from((host, 5060)), PEER_HZ);
    let mut daemon = floor(host, &format!("sip:localhost:{}", peer.local().port()), None);
    let mut caller = caller(&daemon);
    caller.invite("9100");
    let invite = peer.expect_invite();
    converse(&mut caller, &mut peer, &invite);
    daemon.stop();
}

#[test]
fn within_tls_a_route_to_a_name_asks_for_that_names_certificate() {
    let (ours, strangers) = (Issuer::new("ours"), Issuer::new("strangers"));
    for (issuer, certified, trusted) in
        [(&ours, "sbc.test", true), (&ours, "other.test", false), (&strangers, "sbc.test", false)]
    {
        let host = own_address();
        let listener = TcpListener::bind((host, 0)).expect("a listener");
        let port = listener.local_addr().expect("bound").port();
        let names = NameServer::start(host, Zone::default().host("sbc.test", host));
        let target = format!("sip:sbc.test:{port};transport=tls");
        let set = |settings: String| routed(&settings, &target);
        let (mut daemon, _folder) =
            daemon_with(&ours, host, set, |_, _| vec![("TRUNKLINE__DNS__SERVERS", names.address.to_string())]);
        let mut caller = caller(&daemon);
        caller.invite("9100");
        let plug = called(&listener, issuer, certified);
        assert_eq!(plug.is_some(), trusted, "{certified}");
        if let Some(plug) = plug {
            let mut peer = Phone::over(plug, "peer", daemon.sip, PEER_HZ);
            let invite = peer.expect_invite();
            converse(&mut caller, &mut peer, &invite);
        } else {
            let refusal = caller.expect("refusal", |text| text.is("503"));
            caller.ack_refusal(&refusal);
        }
        daemon.stop();
    }
}

/// What makes an INVITE too large for a datagram.
fn ballast() -> String {
    format!("User-to-User: {};encoding=hex\r\n", "41".repeat(500))
}

/// A peer on UDP, and its address, which is free on TCP.
fn both_ports(host: Ipv4Addr) -> (Phone, SocketAddr) {
    let peer = peer(host, "peer");
    let local = peer.local();
    (peer, local)
}

#[test]
fn a_large_invite_goes_over_tcp_where_the_peer_takes_it() {
    let host = own_address();
    let (over_udp, address) = both_ports(host);
    let listener = TcpListener::bind(address).expect("the port is free on TCP");
    let mut daemon = floor(host, &address.to_string(), None);
    let mut caller = caller(&daemon);
    caller.invite_with("9100", &ballast());
    let (stream, _) = listener.accept().expect("the daemon connects");
    let mut over_tcp = Phone::over(line::over_tcp(stream, address), "peer", daemon.sip, PEER_HZ);
    let invite = over_tcp.expect_invite();
    assert!(invite.header("Via").starts_with("SIP/2.0/TCP"), "{invite:?}");
    over_tcp.ring(&invite);
    caller.expect("180", |text| text.is("180"));
    over_tcp.answer_unheard(&invite);
    let answer = caller.expect("200", |text| text.is("200") && text.header("CSeq").ends_with("INVITE"));
    // Small requests stay with UDP: the peer's Contact says nothing else.
    let ack = over_udp.expect("ACK", |text| text.is("ACK"));
    assert!(ack.header("Via").starts_with("SIP/2.0/UDP"), "{ack:?}");
    caller.confirm(&answer);
    caller.hang_up();
    over_udp.expect_bye();
    assert_eq!(daemon.metric("trunkline_sip_udp_fallbacks_total"), 0.0);
    daemon.stop();
}

#[test]
fn a_large_invite_goes_over_udp_where_tcp_is_closed_or_filtered() {
    for filtered in [false, true] {
        let host = own_address();
        let (mut peer, address) = both_ports(host);
        // Nobody takes connections off this queue, which is full: the system answers no more of them, as a filter would.
        let queue = filtered.then(|| full_queue(address));
        let mut daemon = floor(host, &address.to_string(), None);
        let mut caller = caller(&daemon);
        caller.invite_with("9100", &ballast());
        let invite = peer.expect_invite();
        assert!(invite.header("Via").starts_with("SIP/2.0/UDP"), "{invite:?}");
        converse(&mut caller, &mut peer, &invite);
        until(&daemon, "trunkline_sip_udp_fallbacks_total", 1.0);
        drop(queue);
        daemon.stop();
    }
}

/// A listener whose queue takes no further connection, with those that fill it.
fn full_queue(address: SocketAddr) -> (socket2::Socket, Vec<TcpStream>) {
    let listener = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).expect("a socket");
    listener.bind(&address.into()).expect("the port is free on TCP");
    listener.listen(0).expect("it listens");
    let since = Instant::now();
    let mut filling = Vec::new();
    while let Ok(stream) = TcpStream::connect_timeout(&address, Duration::from_millis(200)) {
        filling.push(stream);
        assert!(since.elapsed() < PATIENCE, "the queue is never full");
    }
    (listener, filling)
}
