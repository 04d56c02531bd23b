//! The demo: bots call and answer on a floor of their own until a signal, and everything that they did is on the record.

#[allow(dead_code, reason = "the other tests of tones are elsewhere")]
#[path = "wire/tone.rs"]
mod tone;

use std::io::{BufRead, BufReader, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use trunkline::journal::AgentState;
use trunkline::records::{CallRecord, Disposition};
use trunkline::store::{Folds, Journal};

/// How long anything may take before the test gives up.
const PATIENCE: Duration = Duration::from_secs(120);

struct Demo {
    child: Child,
    host: Ipv4Addr,
    data: tempfile::TempDir,
}

impl Demo {
    /// Starts the demo and waits until it says that it is open; gives what it says, too.
    fn start(arguments: &[&str]) -> (Self, String) {
        let data = tempfile::tempdir().expect("a folder");
        let process = std::process::id();
        // Other test binaries have the last number below 251.
        let host = Ipv4Addr::new(127, 1 + (process % 200) as u8, 1 + (process / 200 % 250) as u8, 252);
        let log = std::fs::File::create(data.path().join("log")).expect("a log");
        let child = Command::new(env!("CARGO_BIN_EXE_trunkline"))
            .arg("demo")
            .args(arguments)
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .env("TRUNKLINE__SIP__UDP", format!("{host}:5060"))
            .env("TRUNKLINE__SIP__TCP", format!("{host}:5060"))
            .env("TRUNKLINE__SIP__TLS", format!("{host}:5061"))
            .env("TRUNKLINE__HTTP__LISTEN", format!("{host}:8080"))
            .env("TRUNKLINE__RTP__ADDRESS", host.to_string())
            .env("TRUNKLINE__DATA_DIR", data.path().join("data"))
            .env_remove("TRUNKLINE_ADMIN_TOKEN")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn();
        let mut demo = Self { child: child.expect("the demo starts"), host, data };
        let mut said = String::new();
        let mut lines = BufReader::new(demo.child.stdout.take().expect("piped"));
        while !said.contains("*74") {
            assert!(lines.read_line(&mut said).expect("text") > 0, "no demo: {said}{}", demo.log());
        }
        (demo, said)
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.data.path().join("log")).unwrap_or_default()
    }

    /// Follows the floor's events until `enough` says so.
    fn follow(&self, mut enough: impl FnMut(&serde_json::Value) -> bool) {
        let mut stream = TcpStream::connect((self.host, 8080)).expect("the API listens");
        stream.set_read_timeout(Some(PATIENCE)).expect("a time-out");
        let host = self.host;
        let ask = format!("GET /api/v1/events HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer demo-admin\r\n\r\n");
        stream.write_all(ask.as_bytes()).expect("asked");
        let since = Instant::now();
        for line in BufReader::new(stream).lines() {
            assert!(since.elapsed() < PATIENCE, "too little happened");
            let line = line.expect("an event");
            let Some(event) = line.strip_prefix("data: ").and_then(|data| serde_json::from_str(data).ok()) else {
                continue;
            };
            if enough(&event) {
                return;
            }
        }
        panic!("the events ended");
    }

    /// Asks for the stop and waits for it.
    fn stop(&mut self) {
        let done = Command::new("kill").arg("-TERM").arg(self.child.id().to_string()).status();
        assert!(done.expect("kill runs").success());
        assert_eq!(self.child.wait().expect("a child").code(), Some(0), "{}", self.log());
    }

    fn data_dir(&self) -> std::path::PathBuf {
        self.data.path().join("data")
    }

    /// Everything that the journal says, and the last revision of each record.
    fn records(&self) -> (Folds, Vec<CallRecord>) {
        let journal = Journal::open(&self.data_dir()).expect("a journal that nobody holds");
        let (mut folds, mut records) = (Folds::default(), std::collections::BTreeMap::new());
        for entry in journal.entries(1) {
            folds.handle_entry(&entry.expect("an entry"));
            while let Some(record) = folds.records.poll_record() {
                records.insert(record.call_id, record);
            }
        }
        (folds, records.into_values().collect())
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!("--- the demo's log ---\n{}", self.log());
        }
    }
}

#[test]
fn bots_call_answer_talk_and_leave_nothing_behind() {
    let (mut demo, said) = Demo::start(&["--calls-per-minute", "120", "--seed", "1"]);
    for needed in ["user 1001", "password demo", "4001", "demo-admin", &format!("{}:5060", demo.host)] {
        assert!(said.contains(needed), "{needed} is not in {said}");
    }
    let (mut answered, mut abandoned, mut recorded) = (0, 0, 0);
    demo.follow(|event| {
        match event["type"].as_str() {
            Some("agent_answered") => answered += 1,
            Some("recording_closed") => recorded += 1,
            Some("call_ended") if event["disposition"] == "abandoned" => abandoned += 1,
            _ => {}
        }
        answered >= 2 && abandoned >= 1 && recorded >= 1
    });
    demo.stop();

    let (folds, records) = demo.records();
    for record in &records {
        assert_eq!(trunkline::records::check(record), vec![], "{record:?}");
    }
    assert_eq!(folds.records.open_calls().count(), 0, "every call has ended");
    assert_eq!(folds.records.dialogs().dialogs().count(), 0, "every dialog is closed");
    assert_eq!(folds.bindings.bindings().count(), 0, "every bot has signed off");
    let seen = folds.agents.agents().flat_map(|(_, seen)| seen);
    let at_work = seen.filter(|seen| seen.state != AgentState::Offline).count();
    assert_eq!(at_work, 0, "and no agent is left");
    let of = |wanted: Disposition| records.iter().filter(|record| record.disposition == wanted).count();
    assert!(of(Disposition::Answered) >= 2 && of(Disposition::Abandoned) >= 1, "{records:?}");
    let log = demo.log();
    assert!(log.contains("the bots are gone") && log.contains("failures=none"), "{log}");
    let longest = records.iter().filter(|record| record.recording.is_some()).max_by_key(|record| record.talk_ms);
    two_voices(&demo.data_dir(), longest.expect("a recorded call"));
}

/// Both sides of a recording are voices, and not the same one.
fn two_voices(data_dir: &Path, record: &CallRecord) {
    let recording = record.recording.as_ref().expect("recorded");
    let wav = std::fs::read(data_dir.join("recordings").join(format!("{}.wav", recording.id))).expect("the file");
    let (caller, agent) = tone::channels(&wav);
    let loud =
        |samples: &[i16]| samples.iter().filter(|sample| sample.unsigned_abs() > 1_000).count() * 20 > samples.len();
    assert!(loud(&caller) && loud(&agent), "{record:?}: a side is silent");
    assert_ne!(caller, agent);
}

#[test]
fn a_floor_with_real_agents_is_left_alone() {
    let folder = tempfile::tempdir().expect("a folder");
    let home = Path::new(env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(home.join("config/demo.toml")).expect("the demo's settings");
    let config = folder.path().join("floor.toml");
    std::fs::write(&config, text.replacen("demo = true", "demo = false", 1)).expect("written");
    let host =
        Ipv4Addr::new(127, 1 + (std::process::id() % 200) as u8, 1 + (std::process::id() / 200 % 250) as u8, 253);
    let output = Command::new(env!("CARGO_BIN_EXE_trunkline"))
        .args(["demo", "--config"])
        .arg(&config)
        .current_dir(home)
        .env("TRUNKLINE__SIP__UDP", format!("{host}:5060"))
        .env("TRUNKLINE__SIP__TCP", format!("{host}:5060"))
        .env("TRUNKLINE__SIP__TLS", format!("{host}:5061"))
        .env("TRUNKLINE__HTTP__LISTEN", format!("{host}:8080"))
        .env("TRUNKLINE__RTP__ADDRESS", host.to_string())
        .env("TRUNKLINE__DATA_DIR", folder.path().join("data"))
        .env("TRUNKLINE_ADMIN_TOKEN", "a-token-of-this-test")
        .output()
        .expect("the binary runs");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(3), "{said}");
    assert!(said.contains("no demo floor") && said.contains("trunkline serve"), "{said}");
}
