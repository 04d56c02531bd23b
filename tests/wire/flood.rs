//! A flood of what strangers can send: the floor's memory stays as it is, and those whom it knows go on calling.

use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use super::connections::connect_from;
use super::daemon::{Daemon, PATIENCE, own_address, own_source, without_acw};
use super::line;
use super::phone::Phone;
use super::strangers::lonely;

const METHODS: [&str; 8] = ["INVITE", "REGISTER", "OPTIONS", "MESSAGE", "SUBSCRIBE", "REFER", "BYE", "CANCEL"];
/// Sources that send.
const SOURCES: usize = 40;
/// Requests of a round, by all sources together.
const ROUND: u64 = 4_000;
/// Rounds of an ordinary run; `make soak` goes on for as long as `SOAK_SECONDS` says.
const ROUNDS: u64 = 6;
/// Memory may grow by so much (KiB) once the flood has run for a while: sources that are remembered, and what the allocator keeps.
const GROWTH_KIB: u64 = 8 * 1_024;

/// A phone over TCP, so that a flood of datagrams costs it none.
fn phone(user: &str, source: Ipv4Addr, daemon: &Daemon) -> Phone {
    let stream = connect_from(source, daemon.sip);
    let local = stream.local_addr().expect("bound");
    Phone::over(line::over_tcp(stream, local), user, daemon.sip, 0.0)
}

fn resident_kib(daemon: &Daemon) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", daemon.pid())).expect("the process");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("resident memory");
    line.trim().trim_end_matches(" kB").parse().expect("a number")
}

/// Sends requests, ten from each source in turn, and reads what comes back so that it is not in the way.
fn flood(daemon: &Daemon, sockets: &[UdpSocket], first: u64, most: &AtomicU64) {
    let mut answer = [0; 4_096];
    for number in (first..first + ROUND).step_by(10) {
        let socket = &sockets[(number / 10) as usize % sockets.len()];
        let local = socket.local_addr().expect("bound");
        for number in number..number + 10 {
            let method = METHODS[number as usize % METHODS.len()];
            let mut request = lonely(daemon, method, local, number as u32);
            if number % 3 == 0 && !request.contains(";tag=made-up") {
                request = request.replacen("\r\nCall-ID", ";tag=made-up\r\nCall-ID", 1);
            }
            let _ = socket.send_to(request.as_bytes(), daemon.sip);
        }
        while socket.recv(&mut answer).is_ok() {}
        if number % 500 == 0 {
            most.fetch_max(daemon.metric("trunkline_sip_transactions") as u64, Ordering::Relaxed);
        }
    }
}

#[test]
fn a_flood_of_eight_methods_leaves_memory_and_calls_as_they_are() {
    let carrier = own_source();
    // Nothing but calls and the flood: a phone that is asked whether it is there does not always listen here.
    let set = |settings: String| {
        settings.replacen("addresses = [\"127.0.0.0/8\"]", &format!("addresses = [\"{carrier}\"]"), 1).replacen(
            "[sip]",
            "[sip]\nqualify = \"0s\"",
            1,
        )
    };
    let mut daemon = Daemon::start_set(own_address(), set, without_acw, &[]);
    let mut caller = phone("13800138000", carrier, &daemon);
    let mut agent = phone("1001", own_source(), &daemon);
    assert!(agent.register("demo", 3_600).is("200"));
    let sockets: Vec<UdpSocket> = (0..SOURCES)
        .map(|_| UdpSocket::bind(SocketAddr::from((own_source(), 0))).expect("a socket"))
        .inspect(|socket| socket.set_read_timeout(Some(Duration::from_millis(1))).expect("a time-out"))
        .collect();
    let soak: Option<u64> = std::env::var("SOAK_SECONDS").ok().map(|text| text.parse().expect("seconds"));
    let (over, most, sent) = (AtomicBool::new(false), AtomicU64::new(0), AtomicU64::new(0));
    let (mut calls, mut memory) = (0u64, Vec::new());
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let since = Instant::now();
            let goes_on = |round| match soak {
                Some(seconds) => since.elapsed().as_secs() < seconds,
                None => round < ROUNDS,
            };
            for round in (0..).take_while(|round| goes_on(*round)) {
                flood(&daemon, &sockets, round * ROUND, &most);
                sent.fetch_add(ROUND, Ordering::Relaxed);
            }
            over.store(true, Ordering::Relaxed);
        });
        // Callers of the trunk and users with a password are served all the while.
        while !over.load(Ordering::Relaxed) {
            caller.call("4002");
            caller.hang_up();
            agent.dial_code("*71", "demo");
            calls += 2;
            memory.push(resident_kib(&daemon));
        }
    });
    let (sent, most) = (sent.into_inner(), most.into_inner());
    let (settled, last) = (memory[memory.len() / 3], resident_kib(&daemon));
    println!(
        "{sent} requests, {calls} calls beside them; {settled} KiB after a third, {last} KiB at the end; {most} transactions at most"
    );
    assert!(last <= settled + GROWTH_KIB, "memory grows: {memory:?}");
    // A call that was answered keeps its transaction for half a minute (RFC 6026 §7.1); what was refused keeps none.
    assert!(calls >= 6 && most <= 4 * calls, "{calls} calls, {most} transactions");
    let since = Instant::now();
    while soak.is_some() && daemon.metric("trunkline_sip_transactions") > 0.0 {
        assert!(since.elapsed() < 2 * PATIENCE, "{} transactions stay", daemon.metric("trunkline_sip_transactions"));
    }
    daemon.until_idle();
    assert!(daemon.metric("trunkline_sip_bans") >= SOURCES as f64, "who floods is ignored");
    daemon.stop();
}
