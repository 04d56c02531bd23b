//! Kamailio beside the floor, as its operators run it: the edge that phones register by, the proxy before a carrier, the balancer.

use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;
use trunkline::journal::SegmentEnd;
use trunkline::records::Disposition;

use super::baresip::Baresip;
use super::daemon::{Daemon, own_address, wait, without_acw};
use super::line;
use super::phone::Phone;
use super::tone;

const CALLER_HZ: f64 = 440.0;
const AGENT_HZ: f64 = 1_000.0;

/// A running Kamailio.
struct Kamailio {
    child: Child,
    host: Ipv4Addr,
    folder: TempDir,
}

impl Kamailio {
    /// Kamailio at `host` in one of the roles of `kamailio.cfg`, before the floor at `floor`; as `OUTBOUND` it sends calls to `targets`.
    fn start(role: &str, host: Ipv4Addr, floor: Ipv4Addr, targets: &[SocketAddr]) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let targets: Vec<String> = targets.iter().map(ToString::to_string).collect();
        let config = include_str!("kamailio.cfg")
            .replace("HOST", &host.to_string())
            .replace("FLOOR", &floor.to_string())
            .replace("FOLDER", &folder.path().display().to_string())
            .replace("TARGETS", &targets.join(","));
        std::fs::write(folder.path().join("kamailio.cfg"), config).expect("written");
        // Not asked yet, and asked from now on: no call goes there before it has answered.
        std::fs::write(folder.path().join("dispatcher.list"), format!("1 sip:{floor}:5060 9\n")).expect("written");
        let log = std::fs::File::create(folder.path().join("log")).expect("a log");
        let child = Command::new("kamailio")
            .args(["-DD", "-E", "-m", "16", "-M", "4", "-A", role, "-Y"])
            .arg(folder.path())
            .arg("-f")
            .arg(folder.path().join("kamailio.cfg"))
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("a log"))
            .stderr(log)
            .spawn();
        let started = Self { child: child.expect("kamailio runs (Debian package kamailio)"), host, folder };
        let listens = || TcpStream::connect(started.address()).is_ok();
        wait(listens, || format!("kamailio does not listen\n{}", started.log()));
        started
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    fn address(&self) -> SocketAddr {
        (self.host, 5060).into()
    }
}

impl Drop for Kamailio {
    fn drop(&mut self) {
        // In order, as it takes its other processes along.
        let _ = Command::new("kill").arg(self.child.id().to_string()).status();
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!("--- kamailio ---\n{}", self.log());
        }
    }
}

/// The demo's settings for a floor whose trunk is at no address of this machine: everybody here is a phone.
fn strangers(settings: String) -> String {
    settings.replace("addresses = [\"127.0.0.0/8\"]", "addresses = [\"127.255.255.255\"]")
}

fn state(agents: &serde_json::Value, agent: &str) -> String {
    let items = agents["items"].as_array().expect("a list");
    let one = items.iter().find(|item| item["agent"] == agent).expect("known");
    format!("{} {}", one["state"].as_str().unwrap_or_default(), one["reason"].as_str().unwrap_or_default())
}

fn until(daemon: &Daemon, agent: &str, wanted: &str) {
    daemon.json_until("/api/v1/agents", |agents| state(agents, agent) == wanted);
}

#[test]
fn phones_register_and_talk_by_an_edge_that_changes_the_transport() {
    let host = own_address();
    let qualify = [("TRUNKLINE__SIP__QUALIFY", "500ms")];
    let mut daemon = Daemon::start_set(host, strangers, without_acw, &qualify);
    let edge = Kamailio::start("EDGE", own_address(), host, &[]);
    let account = |user: &str, transport: &str| {
        format!(
            "<sip:{user}@{host}>;outbound=\"sip:{};transport={transport}\";auth_user={user};auth_pass=demo;\
             answermode=auto;regint=300;audio_codecs=pcma",
            edge.address()
        )
    };
    // The agent's phone comes by TCP, the edge by UDP.
    let agent = Baresip::registered(|| Baresip::start(&account("1001", "tcp"), 1_000));
    let caller = Baresip::registered(|| Baresip::start(&account("1900", "udp"), 440));
    until(&daemon, "1001", "available ");
    caller.type_in(&format!("/dial sip:4001@{host}\n"));
    agent.wait_for("Call established");
    caller.wait_for("Call established");
    until(&daemon, "1001", "talking ");
    // Requests within the call go by the edge both ways: here the agent's, at the end ours.
    agent.type_in("/hold\n");
    until(&daemon, "1001", "hold ");
    agent.type_in("/resume\n");
    until(&daemon, "1001", "talking ");
    let from = daemon.recorded_bytes();
    wait(|| daemon.recorded_bytes() > from + 64_000, || format!("no recording grows\n{}", agent.log()));
    caller.type_in("/hangup\n");
    until(&daemon, "1001", "available ");
    agent.wait_for("terminated");
    // What is behind the edge is gone, and the edge answers for it.
    drop(agent);
    until(&daemon, "1001", "not_ready unreachable");
    let records = daemon.stop();
    let [record] = records.as_slice() else { panic!("{records:?}") };
    assert_eq!((record.disposition, record.caller.as_str()), (Disposition::Answered, "1900"));
    assert_eq!(record.segments[0].end_reason, SegmentEnd::Caller);
    assert!(record.hold_ms > 0, "{record:?}");
    let (left, right) = tone::channels(&daemon.recording(record));
    let end = left.len() - 8_000..left.len() - 1_600;
    assert!(tone::share(&left[end.clone()], CALLER_HZ) > 0.9, "the caller's tone");
    assert!(tone::share(&right[end], AGENT_HZ) > 0.9, "the agent's tone");
}

#[test]
fn a_carrier_behind_a_proxy_forks_a_call_and_one_of_its_phones_has_it() {
    let host = own_address();
    let between = own_address();
    let by = || line::udp(own_address(), (between, 5060).into());
    let carrier = || Phone::over(by(), "10086", (host, 5060).into(), AGENT_HZ);
    let (mut first, mut second) = (carrier(), carrier());
    let proxy = Kamailio::start("OUTBOUND", between, host, &[first.local(), second.local()]);
    let trunks = format!("[trunk.telco]\ntargets = [\"sip:{}\"]\noptions = \"0s\"\n", proxy.address());
    let route = "[[route]]\nprefix = \"9\"\nstrip = 1\ntrunks = [\"telco\"]\nrecord = true\n";
    let mut daemon = Daemon::start_trunks(host, &trunks, route);
    let mut caller = Phone::new("1001", host, daemon.sip, CALLER_HZ);
    caller.register("demo", 300);
    caller.invite_as("910086", "demo", "");
    let (to_first, to_second) = (first.expect_invite(), second.expect_invite());
    assert!(to_first.record_routes()[0].contains(&proxy.host.to_string()), "{to_first:?}");
    first.progress(&to_first, "");
    caller.expect("early media", |text| text.is("183"));
    second.ring(&to_second);
    second.answer(&to_second);
    assert!(caller.outcome().is("200"));
    // The proxy takes the other phone back.
    let cancel = first.expect("CANCEL", |text| text.is("CANCEL"));
    first.reply(&cancel, "200 OK", "");
    first.reply_tagged(&to_first, "487 Request Terminated", "");
    first.expect("ACK", |text| text.is("ACK"));
    assert!(tone::share(&second.ear.hear(80)[8_000..], CALLER_HZ) > 0.9, "the carrier hears the agent");
    assert!(tone::share(&caller.ear.hear(80)[8_000..], AGENT_HZ) > 0.9, "the agent hears the carrier");
    let held = second.modify("a=sendonly\r\n");
    assert!(held.is("200") && held.0.contains("a=recvonly"), "{held:?}");
    assert!(second.modify("a=sendrecv\r\n").is("200"));
    caller.hang_up();
    let bye = second.expect_bye();
    assert!(bye.header("Via").contains(&proxy.host.to_string()), "{bye:?}");
    daemon.until_idle();
    let records = daemon.stop();
    assert_eq!(records[0].disposition, Disposition::Answered);
    assert_eq!(records[0].trunk.as_ref().map(ToString::to_string).as_deref(), Some("telco"));
}

#[test]
fn a_balancer_that_is_a_trunk_sends_calls_where_options_are_answered() {
    let host = own_address();
    let balancer = Kamailio::start("BALANCER", own_address(), host, &[]);
    let trunk = format!("\n[trunk.edge]\naddresses = [\"{}\"]\nnumbers = [\"400*\"]\ntrusted = true\n", balancer.host);
    let mut daemon = Daemon::start_set(host, |settings| strangers(settings) + &trunk, without_acw, &[]);
    let mut outside = Phone::new("13800138000", own_address(), balancer.address(), CALLER_HZ);
    wait(
        || {
            outside.invite("4002");
            let answer = outside.outcome();
            assert!(answer.is("200") || answer.is("503"), "{answer:?}");
            answer.is("200")
        },
        || format!("no switch is found\n{}", balancer.log()),
    );
    assert!(tone::share(&outside.ear.hear(80)[8_000..], CALLER_HZ) > 0.9, "its own echo");
    assert!(outside.modify("a=sendrecv\r\n").is("200"));
    outside.hang_up();
    // The switch hangs up by the balancer.
    outside.call("4003");
    outside.expect_bye();
    daemon.until_idle();
    let records = daemon.stop();
    let of_edge = |trunk: Option<&trunkline::id::TrunkId>| trunk.is_some_and(|trunk| trunk.as_str() == "edge");
    assert!(records.iter().all(|record| of_edge(record.trunk.as_ref())), "{records:?}");
    assert_eq!(records.len(), 2);
}
