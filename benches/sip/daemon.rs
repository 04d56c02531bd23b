//! The daemon under load, and what the system says of it.

use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// The daemon has one core for all that it does, and the load another one, so that neither takes the other's time.
const DAEMON_CORE: &str = "0";
const LOAD_CORE: &str = "1";

/// Keeps this process off the daemon's core.
pub fn step_aside() {
    let own = std::process::id().to_string();
    let moved = Command::new("taskset").args(["--cpu-list", "--pid", LOAD_CORE, &own]).stdout(Stdio::null()).status();
    assert!(
        moved.is_ok_and(|status| status.success()),
        "the bench wants two cores and taskset (Debian package util-linux)"
    );
}

pub struct Daemon {
    child: Child,
    _data: tempfile::TempDir,
}

impl Daemon {
    /// The bench floor with its data in a folder that goes with it.
    pub fn start() -> Self {
        Self::start_with(&[])
    }

    /// The same with settings of the run's own.
    pub fn start_with(settings: &[(&str, &str)]) -> Self {
        let data = tempfile::tempdir().expect("a folder");
        let log = std::fs::File::create(data.path().join("log")).expect("a log");
        let child = Command::new("taskset")
            .args(["--cpu-list", DAEMON_CORE, env!("CARGO_BIN_EXE_trunkline")])
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .args(["serve", "--config", "config/bench.toml"])
            .env("TRUNKLINE__DATA_DIR", data.path().join("data"))
            .envs(settings.iter().copied())
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

    /// CPU seconds that all threads together have used.
    pub fn all_seconds(&self) -> f64 {
        self.threads().map(|(_, seconds)| seconds).sum()
    }

    fn used_seconds(&self) -> Option<f64> {
        self.threads().find(|(name, _)| name == "switch").map(|(_, seconds)| seconds)
    }

    /// The name of each thread, and the CPU seconds that it has used.
    fn threads(&self) -> impl Iterator<Item = (String, f64)> {
        let tasks = std::fs::read_dir(format!("/proc/{}/task", self.child.id())).into_iter().flatten().flatten();
        let of = |task: &Path| {
            let name = std::fs::read_to_string(task.join("comm")).ok()?;
            let times = std::fs::read_to_string(task.join("schedstat")).ok()?;
            let on_cpu_ns: f64 = times.split_whitespace().next()?.parse().ok()?;
            Some((name.trim().to_owned(), on_cpu_ns / 1e9))
        };
        tasks.filter_map(move |task| of(&task.path()))
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
