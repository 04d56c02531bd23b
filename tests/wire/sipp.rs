//! sipp as the peer: the IVR answers it, twenty at once, and as an agent it registers, answers and sends back what it hears.

use std::net::Ipv4Addr;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;
use trunkline::records::Disposition;

use super::daemon::{Daemon, own_address};
use super::queue::caller;
use super::tone;

pub struct Sipp {
    child: Child,
    folder: TempDir,
}

impl Sipp {
    pub fn start(daemon: &Daemon, scenario: &str, arguments: &[&str]) -> Self {
        Self::start_at(own_address(), daemon, scenario, arguments)
    }

    pub fn start_at(host: Ipv4Addr, daemon: &Daemon, scenario: &str, arguments: &[&str]) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::write(folder.path().join("scenario.xml"), scenario).expect("written");
        let log = std::fs::File::create(folder.path().join("log")).expect("a log");
        let child = Command::new("sipp")
            .arg(daemon.sip.to_string())
            .args(["-sf", "scenario.xml", "-nostdin", "-timeout", "40s", "-timeout_error", "-trace_err"])
            .args(["-i", &host.to_string(), "-mi", &host.to_string(), "-p", "5060"])
            .args(arguments)
            .current_dir(folder.path())
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("a log"))
            .stderr(log)
            .spawn();
        Self { child: child.expect("sipp runs (Debian package sip-tester)"), folder }
    }

    /// Waits for its end: every call of it must have gone as its scenario says.
    pub fn finish(mut self) {
        let status = self.child.wait().expect("a child");
        assert!(status.success(), "{status}: {}", errors(self.folder.path()));
    }
}

impl Drop for Sipp {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!("--- sipp ---\n{}", errors(self.folder.path()));
        }
    }
}

/// What sipp complained of, or its last screen.
fn errors(folder: &Path) -> String {
    let files = std::fs::read_dir(folder).expect("the folder").map(|file| file.expect("a file").path());
    let told: Vec<String> = files
        .filter(|path| path.to_string_lossy().ends_with(".log") || path.ends_with("log"))
        .filter_map(|path| std::fs::read_to_string(path).ok())
        .collect();
    told.join("\n---\n")
}

pub const HEAD: &str = "<?xml version=\"1.0\" encoding=\"ISO-8859-1\" ?>\n<scenario name=\"test\">\n";

/// A caller: INVITE, 200, ACK, and then either end.
pub fn call(number: &str, end: &str) -> String {
    format!(
        r#"{HEAD}<send retrans="500"><![CDATA[
INVITE sip:{number}@[remote_ip]:[remote_port] SIP/2.0
Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
From: <sip:1380000[call_number]@[local_ip]:[local_port]>;tag=[pid]x[call_number]
To: <sip:{number}@[remote_ip]:[remote_port]>
Call-ID: [call_id]
CSeq: 1 INVITE
Contact: <sip:sipp@[local_ip]:[local_port]>
Max-Forwards: 70
Content-Type: application/sdp
Content-Length: [len]

v=0
o=u 1 1 IN IP[local_ip_type] [local_ip]
s=-
c=IN IP[media_ip_type] [media_ip]
t=0 0
m=audio [media_port] RTP/AVP 8 101
a=rtpmap:101 telephone-event/8000
]]></send>
<recv response="100" optional="true"/>
<recv response="180" optional="true"/>
<recv response="200" rrs="true"/>
<send><![CDATA[
ACK [next_url] SIP/2.0
Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
From: <sip:1380000[call_number]@[local_ip]:[local_port]>;tag=[pid]x[call_number]
To: <sip:{number}@[remote_ip]:[remote_port]>[peer_tag_param]
Call-ID: [call_id]
CSeq: 1 ACK
Max-Forwards: 70
Content-Length: 0

]]></send>
{end}</scenario>"#
    )
}

pub const SWITCH_HANGS_UP: &str = r#"<recv request="BYE"/>
<send><![CDATA[
SIP/2.0 200 OK
[last_Via:]
[last_From:]
[last_To:]
[last_Call-ID:]
[last_CSeq:]
Content-Length: 0

]]></send>
"#;

fn caller_hangs_up(number: &str) -> String {
    format!(
        r#"<pause milliseconds="500"/>
<send retrans="500"><![CDATA[
BYE [next_url] SIP/2.0
Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
From: <sip:1380000[call_number]@[local_ip]:[local_port]>;tag=[pid]x[call_number]
To: <sip:{number}@[remote_ip]:[remote_port]>[peer_tag_param]
Call-ID: [call_id]
CSeq: 2 BYE
Max-Forwards: 70
Content-Length: 0

]]></send>
<recv response="200"/>
"#
    )
}

#[test]
fn the_ivr_answers_plays_and_hangs_up() {
    let mut daemon = Daemon::start();
    Sipp::start(&daemon, &call("4003", SWITCH_HANGS_UP), &["-m", "1"]).finish();
    let records = daemon.stop();
    assert_eq!(records[0].disposition, Disposition::SelfService);
}

#[test]
fn twenty_calls_at_once_over_udp_and_over_tcp() {
    let mut daemon = Daemon::start();
    let scenario = call("4002", &caller_hangs_up("4002"));
    let twenty = ["-m", "20", "-l", "20", "-r", "200"];
    Sipp::start(&daemon, &scenario, &twenty).finish();
    daemon.until_idle();
    let open = daemon.descriptors();
    Sipp::start(&daemon, &scenario, &[&twenty[..], &["-t", "t1"]].concat()).finish();
    daemon.until_idle();
    // The ports of the calls are closed again. A few more than before may wait for the next calls: the stock fills up as it is used.
    let left = || daemon.descriptors();
    super::daemon::wait(|| left() <= open + 20, || format!("{} of {open} sockets and files", left()));
    let records = daemon.stop();
    assert_eq!(records.len(), 40);
    assert!(records.iter().all(|record| record.disposition == Disposition::SelfService));
}

#[test]
fn sipp_registers_as_an_agent_and_sends_back_what_it_hears() {
    let mut daemon = Daemon::start();
    let agent = format!(
        r#"{HEAD}<send retrans="500"><![CDATA[
REGISTER sip:[remote_ip]:[remote_port] SIP/2.0
Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
From: <sip:1001@[remote_ip]>;tag=[pid]r[call_number]
To: <sip:1001@[remote_ip]>
Call-ID: [call_id]
CSeq: 1 REGISTER
Contact: <sip:1001@[local_ip]:[local_port]>
Max-Forwards: 70
Expires: 300
Content-Length: 0

]]></send>
<recv response="401" auth="true"/>
<send retrans="500"><![CDATA[
REGISTER sip:[remote_ip]:[remote_port] SIP/2.0
Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
From: <sip:1001@[remote_ip]>;tag=[pid]r[call_number]
To: <sip:1001@[remote_ip]>
Call-ID: [call_id]
CSeq: 2 REGISTER
Contact: <sip:1001@[local_ip]:[local_port]>
[authentication username=1001 password=demo]
Max-Forwards: 70
Expires: 300
Content-Length: 0

]]></send>
<recv response="200"/>
</scenario>"#
    );
    let host = own_address();
    Sipp::start_at(host, &daemon, &agent, &["-m", "1"]).finish();
    // The registered contact is the same address, now as the called party.
    let answering = Sipp::start_at(host, &daemon, &answering(), &["-aa", "-rtp_echo"]);
    let mut caller = caller(&daemon);
    caller.call("4001");
    // Past the notice and the music there is the caller's own tone, which has been at the agent's and back.
    let since = std::time::Instant::now();
    while tone::share(&caller.ear.hear(25), 440.0) < 0.9 {
        assert!(since.elapsed() < super::daemon::PATIENCE, "no echo from the agent");
    }
    caller.hang_up();
    // Every dialog is closed at the daemon's end, so sipp has confirmed the BYE; it would go on waiting for calls.
    let records = daemon.stop();
    drop(answering);
    assert_eq!(records[0].disposition, Disposition::Answered);
    let (left, right) = tone::channels(&daemon.recording(&records[0]));
    for side in [left, right] {
        assert!(tone::share(&side[side.len() / 2..], 440.0) > 0.8, "the tone is on both sides");
    }
}

/// A called party: rings, answers, and confirms the end.
pub fn answering() -> String {
    let reply = |status: &str, rest: &str| {
        format!(
            "<send><![CDATA[\nSIP/2.0 {status}\n[last_Via:]\n[last_From:]\n[last_To:];tag=[pid]u[call_number]\n\
             [last_Call-ID:]\n[last_CSeq:]\nContact: <sip:1001@[local_ip]:[local_port]>\n{rest}]]></send>\n"
        )
    };
    let sdp = "Content-Type: application/sdp\nContent-Length: [len]\n\nv=0\no=u 1 1 IN IP[local_ip_type] [local_ip]\ns=-\n\
               c=IN IP[media_ip_type] [media_ip]\nt=0 0\nm=audio [media_port] RTP/AVP 8\n";
    let none = "Content-Length: 0\n\n";
    format!(
        "{HEAD}<recv request=\"INVITE\"/>\n{}{}<recv request=\"ACK\"/>\n<recv request=\"BYE\"/>\n{}</scenario>",
        reply("180 Ringing", none),
        reply("200 OK", sdp),
        reply("200 OK", none).replace(";tag=[pid]u[call_number]", "")
    )
}
