//! The daemon under load, and what the system says of it.

use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Ticks a second of the figures in `/proc` (USER_HZ, the same on every Linux).
const TICKS: f64 = 100.0;

pub struct Daemon {
    child: Child,
    _data: tempfile::TempDir,
}

impl Daemon {
    /// The bench floor with its data in a folder that goes with it.
    pub fn start() -> Self {
        let data = tempfile::tempdir().expect("a folder");
        let log = std::fs::File::create(data.path().join("log")).expect("a log");
        let child = Command::new(env!("CARGO_BIN_EXE_trunkline"))
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .args(["serve", "--config", "config/bench.toml"])
            .env("TRUNKLINE__DATA_DIR", data.path().join("data"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .expect("the daemon starts");
        let mut daemon = Self { child, _data: data };
        let since = Instant::now();
        // The port of the API is bound before the loop runs.
        while TcpStream::connect("127.0.0.1:8080").is_err() || daemon.used_seconds().is_none() {
            let ended = daemon.child.try_wait().expect("a child");
            assert!(ended.is_none() && since.elapsed() < Duration::from_secs(20), "the bench floor does not open");
        }
        daemon
    }

    /// CPU seconds that the signalling thread has used.
    pub fn signalling_seconds(&self) -> f64 {
        self.used_seconds().expect("the signalling thread")
    }

    fn used_seconds(&self) -> Option<f64> {
        let tasks = std::fs::read_dir(format!("/proc/{}/task", self.child.id())).ok()?;
        let of = |task: &Path| {
            let stat = std::fs::read_to_string(task.join("stat")).ok()?;
            let (name, rest) = stat.rsplit_once(')')?;
            if !name.ends_with("(switch") {
                return None;
            }
            let fields: Vec<&str> = rest.split_whitespace().collect();
            let ticks = |field: usize| fields.get(field)?.parse::<f64>().ok();
            Some((ticks(11)? + ticks(12)?) / TICKS)
        };
        tasks.flatten().find_map(|task| of(&task.path()))
    }

    /// Bytes that are resident.
    pub fn resident(&self) -> f64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).expect("the daemon runs");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("its memory");
        line.trim().trim_end_matches(" kB").parse::<f64>().expect("a number") * 1024.0
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
