//! Linphone's console phone: it registers, hears its own echo, goes through the menu by its keys, and as an agent answers, holds and
//! hands on.

use std::io::Write;
use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::process::{Child, ChildStdin, Command, Stdio};

use tempfile::TempDir;
use trunkline::journal::SegmentEnd;
use trunkline::records::Disposition;

use super::baresip::{free_port, write_tone};
use super::daemon::{Daemon, wait, without_acw};
use super::phone::Phone;
use super::queue::{agent, caller};
use super::tone;

const CALLER_HZ: f64 = 440.0;
const AGENT_HZ: f64 = 1_000.0;

/// A running linphonec whose microphone is a file with a tone and whose loudspeaker is another file.
struct Linphone {
    child: Child,
    keyboard: ChildStdin,
    folder: TempDir,
}

impl Linphone {
    fn start(hz: u32, arguments: &[&str]) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let (host, sip, rtp) = (Ipv4Addr::LOCALHOST, free_port(), free_port() & !1);
        let config = format!(
            "[sip]\nsip_port={sip}\nsip_tcp_port={sip}\nsip_tls_port=0\nuse_ipv6=0\nbind_address={host}\nguess_hostname=0\n\
             contact=<sip:linphone@{host}>\n[rtp]\naudio_rtp_port={rtp}\n[sound]\nechocancellation=0\n[video]\nenabled=0\n"
        );
        std::fs::write(folder.path().join("rc"), config).expect("written");
        // It keeps its address book there, and says so where it cannot.
        std::fs::create_dir_all(folder.path().join(".local/share/linphone")).expect("a folder");
        write_tone(&folder.path().join("tone.wav"), hz);
        let log = std::fs::File::create(folder.path().join("log")).expect("a log");
        let mut child = Command::new("linphonec")
            .arg("-c")
            .arg(folder.path().join("rc"))
            .arg("-l")
            .arg(folder.path().join("sip.log"))
            .args(arguments)
            .env("HOME", folder.path())
            .stdin(Stdio::piped())
            .stdout(log.try_clone().expect("a log"))
            .stderr(log)
            .spawn()
            .expect("linphonec runs (Debian package linphone-cli)");
        let keyboard = child.stdin.take().expect("piped");
        let mut phone = Self { child, keyboard, folder };
        phone.type_in("soundcard use files");
        let file = |name: &str| phone.folder.path().join(name).display().to_string();
        let (play, record) = (format!("play {}", file("tone.wav")), format!("record {}", file("heard.wav")));
        phone.type_in(&play);
        phone.type_in(&record);
        phone
    }

    fn type_in(&mut self, line: &str) {
        self.keyboard.write_all(format!("{line}\n").as_bytes()).expect("typed");
    }

    fn register(&mut self, user: &str, daemon: &Daemon, transport: &str) {
        let host = daemon.host;
        self.type_in(&format!("register sip:{user}@{host} sip:{host};transport={transport} demo"));
        let available = |agents: &serde_json::Value| {
            let items = agents["items"].as_array().expect("a list");
            items.iter().any(|item| item["agent"] == user && item["state"] == "available")
        };
        daemon.json_until("/api/v1/agents", available);
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    fn wait_for(&self, text: &str) {
        wait(|| self.log().contains(text), || format!("no \"{text}\" in:\n{}", self.log()));
    }

    fn heard_file(&self) -> PathBuf {
        self.folder.path().join("heard.wav")
    }

    /// Waits until so many more seconds have been heard, and gives the last of them. The file's head is written when it is closed.
    fn hear(&self, seconds: usize) -> Vec<i16> {
        let len = || std::fs::metadata(self.heard_file()).map_or(0, |meta| meta.len() as usize);
        let from = len();
        wait(|| len() >= from + seconds * 16_000, || format!("nothing more is heard\n{}", self.log()));
        let bytes = std::fs::read(self.heard_file()).expect("a file");
        let last = &bytes[(bytes.len() - seconds * 16_000) & !1..];
        last.chunks_exact(2).map(|pair| i16::from_le_bytes([pair[0], pair[1]])).collect()
    }
}

impl Drop for Linphone {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!("--- linphone ---\n{}", self.log());
        }
    }
}

/// A floor that asks for no phone meanwhile: those of raw text answer only while a test looks at them.
fn floor() -> Daemon {
    Daemon::start_with(without_acw, &[("TRUNKLINE__SIP__QUALIFY", "0s")])
}

#[test]
fn a_linphone_hears_its_echo_and_goes_through_the_menu_by_its_keys() {
    let mut daemon = floor();
    let mut answering = agent(&daemon, "1001");
    let mut phone = Linphone::start(440, &[]);
    phone.register("1900", &daemon, "tcp");
    phone.type_in(&format!("call sip:4002@{}", daemon.host));
    phone.wait_for("Media streams established");
    wait(|| tone::share(&phone.hear(1), CALLER_HZ) > 0.8, || format!("no echo\n{}", phone.log()));
    phone.type_in("terminate");
    phone.wait_for("Call 1 with");
    daemon.until_idle();
    phone.type_in(&format!("call sip:4000@{}", daemon.host));
    phone.wait_for("Call 2 with");
    wait(|| daemon.journal_has("hotline"), || format!("no flow\n{}", daemon.log()));
    phone.type_in("2");
    wait(|| daemon.journal_has("hotline.menu"), || format!("no menu\n{}\n{}", phone.log(), daemon.log()));
    phone.type_in("2");
    let invite = answering.expect_invite();
    answering.ring(&invite);
    answering.answer(&invite);
    assert!(tone::share(&answering.ear.hear(80)[8_000..], CALLER_HZ) > 0.9, "the agent hears linphone");
    wait(|| tone::share(&phone.hear(1), AGENT_HZ) > 0.8, || format!("no agent\n{}", phone.log()));
    phone.type_in("terminate");
    answering.expect_bye();
    daemon.until_idle();
    let records = daemon.stop();
    let hotline = records.iter().find(|record| record.called == "4000").expect("a record");
    assert_eq!((hotline.disposition, hotline.language.as_deref()), (Disposition::Answered, Some("en")));
}

#[test]
fn a_linphone_answers_as_an_agent_holds_resumes_and_hands_on() {
    let mut daemon = floor();
    let mut phone = Linphone::start(1_000, &["-a"]);
    phone.register("1001", &daemon, "udp");
    let mut second = Phone::new("1005", daemon.host, daemon.sip, 2_500.0);
    assert!(second.register("demo", 300).is("200"));
    let mut outside = caller(&daemon);
    outside.call("4001");
    phone.wait_for("Media streams established");
    wait(|| tone::share(&outside.ear.hear(25), AGENT_HZ) > 0.9, || format!("no agent\n{}", phone.log()));
    wait(|| tone::share(&phone.hear(1), CALLER_HZ) > 0.8, || format!("no caller\n{}", phone.log()));
    let state = |wanted: &'static str| move |agents: &serde_json::Value| agents["items"][0]["state"] == wanted;
    phone.type_in("pause");
    daemon.json_until("/api/v1/agents", state("hold"));
    phone.wait_for("is now paused");
    phone.type_in("resume");
    daemon.json_until("/api/v1/agents", state("talking"));
    wait(|| tone::share(&outside.ear.hear(25), AGENT_HZ) > 0.9, || format!("no agent again\n{}", phone.log()));
    phone.type_in(&format!("transfer sip:4005@{}", daemon.host));
    let invite = second.expect_invite();
    second.ring(&invite);
    second.answer(&invite);
    wait(|| tone::share(&outside.ear.hear(25), 2_500.0) > 0.9, || format!("no second agent\n{}", phone.log()));
    outside.hang_up();
    second.expect_bye();
    daemon.until_idle();
    let records = daemon.stop();
    let [record] = records.as_slice() else { panic!("{records:?}") };
    let ends: Vec<_> = record.segments.iter().map(|s| (s.agent.as_str(), s.end_reason)).collect();
    assert_eq!(ends, [("1001", SegmentEnd::Transferred), ("1005", SegmentEnd::Caller)]);
    assert!(record.hold_ms > 0, "{record:?}");
}
