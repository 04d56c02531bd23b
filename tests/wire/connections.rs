//! Peers that open connections and do no more: so many are held as the settings say, and calls go on beside them.

use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use socket2::{Domain, Socket, Type};

use super::daemon::{Daemon, PATIENCE, own_address, own_source, without_acw};
use super::line;
use super::phone::Phone;

/// Sources, and connections of each.
const SOURCES: u8 = 25;
const EACH: usize = 200;

/// A connection from an address of the test's choice.
pub fn connect_from(source: Ipv4Addr, server: SocketAddr) -> TcpStream {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket; see `ulimit -n`");
    socket.bind(&SocketAddr::from((source, 0)).into()).expect("an address of 127.0.0.0/8");
    socket.connect(&server.into()).expect("a connection");
    socket.into()
}

/// This process may have as many sockets as the system allows.
fn many_files() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }).expect("up to the hard limit");
}

fn until(daemon: &Daemon, what: &str, wanted: impl Fn(f64) -> bool) {
    let since = Instant::now();
    while !wanted(daemon.metric(what)) {
        assert!(since.elapsed() < PATIENCE, "{what} stays {}", daemon.metric(what));
    }
}

/// Whether the peer has closed a connection, after whatever it had to say.
fn is_closed(stream: &mut TcpStream) -> bool {
    stream.set_read_timeout(Some(PATIENCE)).expect("a time-out");
    match stream.read_to_end(&mut Vec::new()) {
        Ok(_) => true,
        Err(error) => error.kind() == ErrorKind::ConnectionReset,
    }
}

const INBOUND: &str = "trunkline_net_inbound_connections";

#[test]
fn calls_go_through_beside_five_thousand_idle_connections_which_end_by_themselves() {
    many_files();
    let few = |settings: String| settings.replace("[sip]", "[sip]\nmax_connections_per_source = 200");
    let mut daemon = Daemon::start_set(own_address(), few, without_acw, &[]);
    let before = daemon.descriptors();
    let sources: Vec<Ipv4Addr> = (0..SOURCES).map(|_| own_source()).collect();
    let mut idle: Vec<TcpStream> =
        sources.iter().flat_map(|source| (0..EACH).map(|_| connect_from(*source, daemon.sip))).collect();
    until(&daemon, INBOUND, |open| open >= 4_900.0);
    // One more than a source may have.
    assert!(is_closed(&mut connect_from(sources[0], daemon.sip)));
    assert!(daemon.metric("trunkline_net_refused_total") >= 1.0);
    let mut by_udp = super::queue::caller(&daemon);
    by_udp.call("4002");
    by_udp.hang_up();
    let stream = connect_from(own_source(), daemon.sip);
    let local = stream.local_addr().expect("bound");
    let mut by_tcp = Phone::over(line::over_tcp(stream, local), "13800138000", daemon.sip, 0.0);
    by_tcp.call("4002");
    by_tcp.hang_up();
    drop(by_tcp);
    // Who has said nothing after ten seconds has nothing to say.
    until(&daemon, INBOUND, |open| open == 0.0);
    assert!(idle.iter_mut().all(is_closed));
    daemon.until_idle();
    // The stock of ports has filled up meanwhile.
    let since = Instant::now();
    while daemon.descriptors() > before + 200 {
        assert!(since.elapsed() < PATIENCE, "{} files are left of {before}", daemon.descriptors());
    }
    daemon.stop();
}

#[test]
fn requests_that_never_end_are_cut_and_all_together_are_bounded() {
    let few =
        |settings: String| settings.replace("[sip]", "[sip]\nmax_connections = 60\nmax_connections_per_source = 50");
    let mut daemon = Daemon::start_set(own_address(), few, without_acw, &[]);
    let source = own_source();
    let half = format!("INVITE sip:4002@{0} SIP/2.0\r\nVia: SIP/2.0/TCP {source};branch=z9hG4bKh\r\nX: ", daemon.sip);
    let mut dribbling: Vec<TcpStream> = (0..50).map(|_| connect_from(source, daemon.sip)).collect();
    dribbling.iter_mut().for_each(|stream| stream.write_all(half.as_bytes()).expect("sent"));
    // A header without an end is cut before it is long.
    let mut endless = connect_from(own_source(), daemon.sip);
    let long = vec![b'x'; 1 << 20];
    let cut =
        endless.write_all(half.as_bytes()).and_then(|()| endless.write_all(&long)).is_err() || is_closed(&mut endless);
    assert!(cut);
    until(&daemon, INBOUND, |open| open >= 50.0);
    let others: Vec<TcpStream> = (0..10).map(|_| connect_from(own_source(), daemon.sip)).collect();
    until(&daemon, INBOUND, |open| open == 60.0);
    assert!(is_closed(&mut connect_from(own_source(), daemon.sip)), "one more than all may have");
    let mut caller = super::queue::caller(&daemon);
    caller.call("4002");
    caller.hang_up();
    // A byte now and then does not count as a message.
    let since = Instant::now();
    let (_keep, tick) = std::sync::mpsc::channel::<()>();
    while daemon.metric(INBOUND) > 0.0 {
        assert!(since.elapsed() < PATIENCE, "{} stay", daemon.metric(INBOUND));
        for stream in &mut dribbling {
            let _ = stream.write_all(b"x");
        }
        let _ = tick.recv_timeout(Duration::from_millis(200));
    }
    drop(others);
    daemon.until_idle();
    daemon.stop();
}
