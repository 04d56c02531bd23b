//! `trunkline serve`: the daemon.

use std::path::{Path, PathBuf};

use clap::Args;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use super::Exit;
use super::check::report;
use super::floor;
use super::running::Running;
use crate::api::{ReloadRefusal, ReloadReport};
use crate::config::Settings;

/// Run the switch
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  trunkline serve --config config/demo.toml\n\n\
    SIGTERM or SIGINT stops in order: new calls get 503, calls in progress may finish until shutdown.deadline; a second one\n\
    hangs up at once. Peers that answer no BYE hold the end for two seconds, not longer.\n\
    SIGHUP reads settings, dialplans, prompts and certificates again, as `trunkline reload` does: calls in progress end on the\n\
    plan that they began with, connections live on, and a file that is wrong changes nothing.\n\
    Exit codes: 0 stopped in order, 1 problems in the files, 2 usage, 3 a port, a disk or a file is not to be had")]
pub(super) struct Serve {
    /// The settings file
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
}

impl Serve {
    pub(super) fn run(&self) -> Exit {
        run(&self.config, |running, _| {
            let (sip, http) = running.addresses();
            let sip: Vec<_> =
                sip.listen.iter().map(|(transport, address)| format!("{} {address}", transport.via_name())).collect();
            tracing::info!(?sip, ?http, "the floor is open");
            Ok(|| ())
        })
    }
}

/// Opens the floor of `config` and runs it until a signal stops it. `opened` sees the open floor and gives what is to be done before
/// the stop begins, or says why the floor must close again.
pub(super) fn run<F: FnOnce() + Send + 'static>(
    config: &Path,
    opened: impl FnOnce(&Running, &Settings) -> Result<F, String>,
) -> Exit {
    let floor = match floor::load(config) {
        Ok(floor) => floor,
        Err(error) => return report(&error),
    };
    log_to_stderr(&floor.settings.log);
    // Before anything opens, so that a signal during the start is not lost.
    let signals = match Signals::new([SIGTERM, SIGINT, SIGHUP]) {
        Ok(signals) => signals,
        Err(error) => return no_floor(&format!("cannot listen for signals: {error}")),
    };
    let settings = floor.settings.clone();
    let running = match Running::open(config, floor) {
        Ok(running) => running,
        Err(error) => return no_floor(&error.to_string()),
    };
    match opened(&running, &settings) {
        Ok(leaving) => run_until_stopped(running, signals, settings.shutdown_deadline_ms, leaving),
        Err(why) => {
            running.stopper()(0);
            running.join();
            no_floor(&why)
        }
    }
}

fn run_until_stopped(
    running: Running,
    mut signals: Signals,
    deadline_ms: u64,
    leaving: impl FnOnce() + Send + 'static,
) -> Exit {
    let (stop, reload) = (running.stopper(), running.reloader());
    let handle = signals.handle();
    let watcher = std::thread::spawn(move || {
        let mut patience_ms = deadline_ms;
        let mut leaving = Some(leaving);
        for signal in signals.forever() {
            if signal == SIGHUP {
                tell_reload(reload(false));
                continue;
            }
            // Before the floor refuses everything: who lives on it has to sign off first.
            if let Some(leaving) = leaving.take() {
                leaving();
            }
            tracing::info!(patience_ms, "stopping: new calls get 503, calls in progress may finish");
            stop(patience_ms);
            patience_ms = 0;
        }
    });
    let sound = running.join();
    handle.close();
    let watched = watcher.join().is_ok();
    if sound && watched { Exit::Fine } else { no_floor("the switch came to grief; its last words are in the log") }
}

fn tell_reload(reloaded: Result<ReloadReport, ReloadRefusal>) {
    match reloaded {
        Ok(ReloadReport { changes, waiting, .. }) => {
            tracing::info!(?changes, "the files are read again and in force");
            if !waiting.is_empty() {
                tracing::warn!(settings = ?waiting, "these settings have changed and wait for the next start");
            }
        }
        Err(ReloadRefusal::Wrong(problems)) => {
            for problem in problems.as_array().into_iter().flatten() {
                let text = |key: &str| problem[key].as_str().unwrap_or_default().to_owned();
                let place = format!("{}:{}:{}", text("file"), problem["line"], problem["column"]);
                tracing::error!(place, problem = text("message"), "nothing is reloaded");
            }
        }
        Err(ReloadRefusal::Impossible(why)) => tracing::error!(why, "nothing is reloaded"),
    }
}

fn no_floor(why: &str) -> Exit {
    eprintln!("{why}");
    Exit::Environment
}

fn log_to_stderr(filter: &str) {
    use tracing_subscriber::EnvFilter;
    // It was parsed once when the settings were read.
    let filter = EnvFilter::new(filter);
    let colours = std::io::IsTerminal::is_terminal(&std::io::stderr());
    // A second subscriber in one process (tests) keeps the first.
    let _ =
        tracing_subscriber::fmt().with_env_filter(filter).with_ansi(colours).with_writer(std::io::stderr).try_init();
}
