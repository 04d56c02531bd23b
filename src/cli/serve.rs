//! `trunkline serve`: the daemon.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use super::Exit;
use super::check::report;
use super::floor;
use crate::config::Settings;
use crate::node::{self, CommandPort, Node, State};

/// Commands of the API that may wait for the loop.
const COMMANDS: usize = 256;

/// Run the switch
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  trunkline serve --config config/demo.toml\n\n\
    SIGTERM or SIGINT stops in order: new calls get 503, calls in progress may finish until shutdown.deadline; a second one\n\
    ends them at once.\n\
    Exit codes: 0 stopped in order, 1 problems in the files, 2 usage, 3 a port, a disk or a file is not to be had")]
pub(super) struct Serve {
    /// The settings file
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
}

impl Serve {
    pub(super) fn run(&self) -> Exit {
        run_floor(&self.config, |_, _| Ok(None))
    }
}

/// What those who live on the floor do before it closes.
pub(super) type Farewell = Box<dyn FnOnce() + Send>;

/// Opens the floor of a settings file, lets `move_in` bring whom it likes, and runs until a signal. What `move_in` gives is called
/// before the floor begins to close.
pub(super) fn run_floor(
    config: &Path,
    move_in: impl FnOnce(&Settings, &Node) -> Result<Option<Farewell>, String>,
) -> Exit {
    let floor = match floor::load(config) {
        Ok(floor) => floor,
        Err(error) => return report(&error),
    };
    let settings = floor.settings.clone();
    log_to_stderr(&settings.log);
    // Before anything opens, so that a signal during the start is not lost.
    let signals = match Signals::new([SIGTERM, SIGINT, SIGHUP]) {
        Ok(signals) => signals,
        Err(error) => return no_floor(&format!("cannot listen for signals: {error}")),
    };
    let node = match start(floor) {
        Ok(node) => node,
        Err(error) => return no_floor(&error.to_string()),
    };
    match move_in(&settings, &node) {
        Ok(farewell) => run_until_stopped(node, signals, settings.shutdown_deadline_ms, farewell),
        Err(why) => {
            node.drain(0);
            node.join();
            no_floor(&why)
        }
    }
}

fn start(floor: floor::Floor) -> Result<Node, node::StartError> {
    let settings = floor.settings;
    let state = State::open(Path::new(&settings.data_dir))?;
    let (requests_in, requests) = crossbeam_channel::bounded(COMMANDS);
    let (replies, replies_out) = crossbeam_channel::bounded(COMMANDS);
    let _ = (requests_in, replies_out);
    node::open(&settings, Arc::new(floor.program), state, |_| (), CommandPort { requests, replies })
}

fn run_until_stopped(node: Node, mut signals: Signals, deadline_ms: u64, mut farewell: Option<Farewell>) -> Exit {
    let control = node.control();
    let handle = signals.handle();
    let watcher = std::thread::spawn(move || {
        let mut patience_ms = deadline_ms;
        for signal in signals.forever() {
            if signal == SIGHUP {
                tracing::warn!(
                    "settings and dialplans are read at the start only: stop and start to load changed files"
                );
                continue;
            }
            if let Some(farewell) = farewell.take() {
                farewell();
            }
            tracing::info!(patience_ms, "stopping: new calls get 503, calls in progress may finish");
            if control.send(node::Control::Drain { deadline_ms: patience_ms }).is_err() {
                return;
            }
            patience_ms = 0;
        }
    });
    let sound = node.join();
    handle.close();
    let watched = watcher.join().is_ok();
    if sound && watched { Exit::Fine } else { no_floor("the switch came to grief; its last words are in the log") }
}

fn no_floor(why: &str) -> Exit {
    eprintln!("{why}");
    Exit::Environment
}

fn log_to_stderr(filter: &str) {
    use tracing_subscriber::EnvFilter;
    let filter = EnvFilter::try_new(filter).unwrap_or_else(|error| {
        eprintln!("log = \"{filter}\" is no filter ({error}): logging at info");
        EnvFilter::new("info")
    });
    // A second subscriber in one process (tests) keeps the first.
    let _ = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).try_init();
}
