//! A daemon on a loopback address of the test's own.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

use tempfile::TempDir;
use trunkline::records::CallRecord;
use trunkline::store::{Folds, Journal};

/// How long anything may take before a test gives up: long, for a busy machine; nothing waits for it to pass.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// A running floor.
pub struct Daemon {
    pub sip: SocketAddr,
    pub http: SocketAddr,
    pub host: Ipv4Addr,
    data: TempDir,
    config: PathBuf,
    environment: Vec<(String, String)>,
    child: Option<Child>,
}

/// An address of 127.0.0.0/8 that no other test of this process, nor likely of another one, has.
pub fn own_address() -> Ipv4Addr {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let process = std::process::id();
    Ipv4Addr::new(127, 1 + (process % 200) as u8, 1 + (process / 200 % 250) as u8, 1 + (number % 250) as u8)
}

/// An address for a peer that no other test of this process has: there are many of these, and no floor listens there.
pub fn own_source() -> Ipv4Addr {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let process = std::process::id();
    Ipv4Addr::new(127, 201 + (process % 50) as u8, 1 + (number / 250 % 250) as u8, 1 + (number % 250) as u8)
}

/// Asks until it is so.
pub fn wait(mut done: impl FnMut() -> bool, otherwise: impl Fn() -> String) {
    let since = Instant::now();
    let (_keep, tick) = channel::<()>();
    while !done() {
        assert!(since.elapsed() < PATIENCE, "{}", otherwise());
        let _ = tick.recv_timeout(Duration::from_millis(20));
    }
}

/// The plan with agents who are free at once.
pub fn without_acw(plan: String) -> String {
    plan.replace("acw = \"5s\"", "acw = \"0s\"")
}

impl Daemon {
    /// The demo floor, with whatever `changes` makes of its dialplan.
    pub fn start_with(changes: impl FnOnce(String) -> String, environment: &[(&str, &str)]) -> Self {
        Self::start_at(own_address(), changes, environment)
    }

    /// The same at an address that the test has taken already.
    pub fn start_at(host: Ipv4Addr, changes: impl FnOnce(String) -> String, environment: &[(&str, &str)]) -> Self {
        Self::start_set(host, |settings| settings, changes, environment)
    }

    /// The same with whatever `set` makes of the demo's settings.
    pub fn start_set(
        host: Ipv4Addr,
        set: impl FnOnce(String) -> String,
        changes: impl FnOnce(String) -> String,
        environment: &[(&str, &str)],
    ) -> Self {
        Self::start_beside(host, set, changes, environment, "")
    }

    /// The demo floor with a file of trunks beside its settings, and more settings at their end.
    pub fn start_trunks(host: Ipv4Addr, trunks: &str, more: &str) -> Self {
        Self::start_beside(host, |settings| format!("{settings}\n{more}"), without_acw, &[], trunks)
    }

    fn start_beside(
        host: Ipv4Addr,
        set: impl FnOnce(String) -> String,
        changes: impl FnOnce(String) -> String,
        environment: &[(&str, &str)],
        trunks: &str,
    ) -> Self {
        let home = Path::new(env!("CARGO_MANIFEST_DIR"));
        let data = tempfile::tempdir().expect("a folder");
        let plan = std::fs::read_to_string(home.join("dialplans/demo.toml")).expect("the demo's plan");
        std::fs::write(data.path().join("plan.toml"), changes(plan)).expect("written");
        let settings = std::fs::read_to_string(home.join("config/demo.toml")).expect("the demo's settings");
        let config = data.path().join("settings.toml");
        std::fs::write(&config, set(settings)).expect("written");
        std::fs::create_dir(data.path().join("trunks.d")).expect("a folder");
        std::fs::write(data.path().join("trunks.d/test.toml"), trunks).expect("written");
        let address = |port: u16| format!("{host}:{port}");
        let mut variables = vec![
            ("TRUNKLINE__SIP__UDP".to_owned(), address(5060)),
            ("TRUNKLINE__SIP__TCP".to_owned(), address(5060)),
            ("TRUNKLINE__SIP__TLS".to_owned(), address(5061)),
            ("TRUNKLINE__HTTP__LISTEN".to_owned(), address(8080)),
            ("TRUNKLINE__RTP__ADDRESS".to_owned(), host.to_string()),
            // Many floors of many tests share few cores.
            ("TRUNKLINE__RTP__PIN_THREADS".to_owned(), "false".to_owned()),
            ("TRUNKLINE__DATA_DIR".to_owned(), data.path().join("data").display().to_string()),
            ("TRUNKLINE__DIALPLANS".to_owned(), data.path().join("plan.toml").display().to_string()),
        ];
        variables.extend(environment.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        let mut daemon = Self {
            sip: SocketAddr::from((host, 5060)),
            http: SocketAddr::from((host, 8080)),
            host,
            data,
            config,
            environment: variables,
            child: None,
        };
        daemon.run();
        daemon
    }

    /// The demo floor without after-call work, so that records are final when a call is over.
    pub fn start() -> Self {
        Self::start_with(without_acw, &[])
    }

    /// Where its dialplan lies.
    pub fn plan(&self) -> std::path::PathBuf {
        self.data.path().join("plan.toml")
    }

    /// The binary with this floor's environment, for its other commands.
    pub fn command(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_trunkline"));
        command.current_dir(env!("CARGO_MANIFEST_DIR")).envs(self.environment.iter().cloned());
        command
    }

    /// How another command on this floor ends, its settings given.
    pub fn try_command(&self, arguments: &[&str]) -> std::process::Output {
        self.command().args(arguments).arg("--config").arg(&self.config).output().expect("it runs")
    }

    /// What another command says of this floor, its settings given.
    pub fn run_command(&self, arguments: &[&str]) -> String {
        let output = self.try_command(arguments);
        let told = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{arguments:?}: {told}");
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// Sets a variable for the next start.
    pub fn set(&mut self, name: &str, value: &str) {
        self.environment.push((name.to_owned(), value.to_owned()));
    }

    /// Starts the process and waits until it answers.
    pub fn run(&mut self) {
        let log = std::fs::OpenOptions::new().create(true).append(true).open(self.data.path().join("log"));
        let child = self
            .command()
            .args(["serve", "--config"])
            .arg(&self.config)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log.expect("a log"))
            .spawn();
        self.child = Some(child.expect("the daemon starts"));
        let socket = UdpSocket::bind((self.host, 0)).expect("a socket");
        socket.set_read_timeout(Some(Duration::from_millis(50))).expect("a time-out");
        let local = socket.local_addr().expect("bound");
        let since = Instant::now();
        let mut answer = [0; 2048];
        for attempt in 0.. {
            let ask = format!(
                "OPTIONS sip:{0} SIP/2.0\r\nVia: SIP/2.0/UDP {local};rport;branch=z9hG4bKready{attempt}\r\n\
                 From: <sip:test@{local}>;tag=t\r\nTo: <sip:{0}>\r\nCall-ID: ready-{local}\r\nCSeq: {attempt} OPTIONS\r\n\
                 Max-Forwards: 70\r\nContent-Length: 0\r\n\r\n",
                self.sip
            );
            // Refused while nobody listens yet: the read's time-out paces the next try.
            let _ = socket.send_to(ask.as_bytes(), self.sip);
            if socket.recv(&mut answer).is_ok_and(|len| answer[..len].starts_with(b"SIP/2.0 200")) {
                return;
            }
            let ended = self.child.as_mut().and_then(|child| child.try_wait().expect("a child"));
            assert!(ended.is_none() && since.elapsed() < PATIENCE, "no floor: {ended:?}\n{}", self.log());
        }
    }

    pub fn pid(&self) -> u32 {
        self.child.as_ref().expect("running").id()
    }

    /// What the daemon has logged.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.data.path().join("log")).unwrap_or_default()
    }

    pub fn data_dir(&self) -> PathBuf {
        self.data.path().join("data")
    }

    /// Sends a signal to the process.
    pub fn signal(&self, name: &str) {
        let done = Command::new("kill").arg(format!("-{name}")).arg(self.pid().to_string()).status();
        assert!(done.expect("kill runs").success());
    }

    /// Asks it twice to stop, so that calls in progress are cut. One signal that comes before another of its kind was taken is one
    /// with it: the second is sent once the first has been told, or has ended the process.
    pub fn hurry(&mut self) {
        let told = |log: String| log.matches("stopping: new calls get 503").count();
        let before = told(self.log());
        self.signal("TERM");
        let since = Instant::now();
        while told(self.log()) == before {
            let child = self.child.as_mut().expect("running");
            if child.try_wait().expect("a child").is_some() {
                return;
            }
            assert!(since.elapsed() < PATIENCE, "no stop: {}", self.log());
            std::thread::yield_now();
        }
        self.signal("TERM");
    }

    /// Waits for the process to end.
    pub fn wait(&mut self) -> ExitStatus {
        self.child.take().expect("running").wait().expect("a child")
    }

    /// `kill -9`.
    pub fn kill(&mut self) {
        let mut child = self.child.take().expect("running");
        child.kill().expect("killed");
        child.wait().expect("a child");
    }

    /// Stops in order (calls in progress are cut) and gives every record, the last revision of each.
    pub fn stop(&mut self) -> Vec<CallRecord> {
        self.hurry();
        let status = self.wait();
        assert_eq!(status.code(), Some(0), "{}", self.log());
        assert!(!self.log().contains("was left behind"), "{}", self.log());
        let records = self.records();
        for record in &records {
            assert_eq!(trunkline::records::check(record), vec![], "{record:?}");
        }
        records
    }

    /// The last revision of each record, folded from the journal of a stopped daemon.
    pub fn records(&self) -> Vec<CallRecord> {
        let journal = Journal::open(&self.data_dir()).expect("a journal that nobody holds");
        let mut folds = Folds::default();
        let mut records: Vec<CallRecord> = Vec::new();
        for entry in journal.entries(1) {
            folds.handle_entry(&entry.expect("an entry"));
            while let Some(record) = folds.records.poll_record() {
                match records.iter_mut().find(|known| known.call_id == record.call_id) {
                    Some(known) => {
                        assert_eq!(record.revision, known.revision + 1);
                        *known = record;
                    }
                    None => records.push(record),
                }
            }
        }
        assert_eq!(folds.records.open_calls().count(), 0, "every call has ended");
        assert_eq!(folds.records.dialogs().dialogs().count(), 0, "every dialog is closed");
        records
    }

    /// Asks the API: `GET /healthz`; gives the status, the head and the body.
    pub fn http(&self, request: &str, extra: &str, body: &str) -> (u16, String, Vec<u8>) {
        let mut stream = TcpStream::connect(self.http).expect("the API listens");
        stream.set_read_timeout(Some(PATIENCE)).expect("a time-out");
        let text = format!(
            "{request} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\nAuthorization: Bearer demo-admin\r\n{extra}\
             Content-Length: {}\r\n\r\n{body}",
            self.http,
            body.len()
        );
        stream.write_all(text.as_bytes()).expect("sent");
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).expect("an answer");
        let end = answer.windows(4).position(|window| window == b"\r\n\r\n").expect("a head") + 4;
        let body = answer.split_off(end);
        let head = String::from_utf8_lossy(&answer).into_owned();
        (head[9..12].parse().expect("a status"), head, body)
    }

    /// The value of one metric without labels.
    pub fn metric(&self, name: &str) -> f64 {
        let text = String::from_utf8(self.http("GET /metrics", "", "").2).expect("text");
        let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        line.unwrap_or_else(|| panic!("no {name} in {text}")).parse().expect("a number")
    }

    /// Waits until no call, leg, dialog or pair of ports is in use.
    pub fn until_idle(&self) {
        let since = Instant::now();
        for name in ["trunkline_calls", "trunkline_legs", "trunkline_sip_dialogs", "trunkline_rtp_leases"] {
            while self.metric(name) > 0.0 {
                assert!(since.elapsed() < PATIENCE, "{name} stays {}", self.metric(name));
            }
        }
    }

    /// How many sockets and files the process has open.
    pub fn descriptors(&self) -> usize {
        std::fs::read_dir(format!("/proc/{}/fd", self.pid())).expect("the process").count()
    }

    /// What the API says as JSON.
    pub fn json(&self, path: &str) -> serde_json::Value {
        let (status, _, body) = self.http(&format!("GET {path}"), "", "");
        assert_eq!(status, 200, "{path}: {}", String::from_utf8_lossy(&body));
        serde_json::from_slice(&body).expect("JSON")
    }

    /// Asks until the answer is as wanted.
    pub fn json_until(&self, path: &str, wanted: impl Fn(&serde_json::Value) -> bool) -> serde_json::Value {
        let since = Instant::now();
        loop {
            let answer = self.json(path);
            if wanted(&answer) {
                return answer;
            }
            assert!(since.elapsed() < PATIENCE, "{path} stays {answer}");
        }
    }

    /// Whether the journal's files hold a text, as they are on the disk now.
    pub fn journal_has(&self, text: &str) -> bool {
        self.journal_count(text) > 0
    }

    /// How often they do.
    pub fn journal_count(&self, text: &str) -> usize {
        let files = std::fs::read_dir(self.data_dir().join("journal")).expect("the journal");
        let counts = files.flatten().map(|file| {
            let bytes = std::fs::read(file.path()).unwrap_or_default();
            bytes.windows(text.len()).filter(|window| *window == text.as_bytes()).count()
        });
        counts.sum()
    }

    /// How much the recordings' files hold now.
    pub fn recorded_bytes(&self) -> u64 {
        let files = std::fs::read_dir(self.data_dir().join("recordings")).expect("the folder");
        files.flatten().map(|file| file.metadata().map_or(0, |meta| meta.len())).sum()
    }

    /// The file of a record's recording.
    pub fn recording(&self, record: &CallRecord) -> Vec<u8> {
        let id = &record.recording.as_ref().expect("recorded").id;
        let mut bytes = Vec::new();
        let path = self.data_dir().join("recordings").join(format!("{id}.wav"));
        std::fs::File::open(path).and_then(|mut file| file.read_to_end(&mut bytes)).expect("the recording");
        bytes
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
        if std::thread::panicking() {
            eprintln!("--- the daemon's log ---\n{}", self.log());
        }
    }
}
