//! `trunkline demo`: the daemon with callers and agents of its own.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};

use clap::Args;

use super::Exit;
use super::running::Running;
use super::serve;
use crate::bot::{self, Bots};
use crate::config::{SecretSource, Settings};
use crate::sip::transaction::Transport;

/// The agents that bots play. 1001 and 1005, one of each queue, stay free for people.
const AGENTS: [&str; 6] = ["1002", "1003", "1004", "1006", "1007", "1008"];

/// What can be dialled on the demo floor.
const NUMBERS: [(&str, &str); 9] = [
    ("4000", "the hotline: a language (1, 2), then 1 sales, 2 support, 3 complaint, 0 operator"),
    ("4001", "queue support at once"),
    ("4004", "the hotline at night: a callback (1) or a message (2)"),
    ("4005", "queue sales at once"),
    ("4002", "echo"),
    ("4003", "a short prompt"),
    ("*71", "you take calls          *72  you take none"),
    ("*73", "after-call work is done"),
    ("*74", "you sign out"),
];

/// Run the demo floor: the switch, and bots that call and answer
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  trunkline demo --calls-per-minute 30\n\n\
    SIGTERM or SIGINT: the bots hang up and sign off, then the switch stops in order.\n\
    Exit codes: 0 stopped in order, 1 problems in the files, 2 usage, 3 a port, a disk or a file is not to be had")]
pub(super) struct Demo {
    /// How many calls the bots place a minute, on average; 0 for agents only
    #[arg(long, value_name = "N", default_value_t = 12, value_parser = clap::value_parser!(u32).range(0..=600))]
    calls_per_minute: u32,
    /// The settings file; its floor must say demo = true
    #[arg(long, value_name = "FILE", default_value = "config/demo.toml")]
    config: PathBuf,
    /// Repeat the decisions of an earlier run
    #[arg(long, value_name = "NUMBER")]
    seed: Option<u64>,
}

impl Demo {
    pub(super) fn run(&self) -> Exit {
        serve::run(&self.config, |running, settings| self.move_in(running, settings))
    }

    /// Lets the bots in; gives how they leave.
    fn move_in(&self, running: &Running, settings: &Settings) -> Result<impl FnOnce() + Send + use<>, String> {
        let (sip, http) = running.addresses();
        if !settings.demo {
            return Err(format!(
                "{} is no demo floor, and bots would call real agents: set demo = true, or use `trunkline serve`",
                self.config.display()
            ));
        }
        let Some(udp) = sip.of(Transport::Udp).next() else {
            return Err("the bots' phones speak UDP, and sip.udp is empty: set it".to_owned());
        };
        let password = |name: &&str| match &settings.agents.get(*name)?.password {
            Some(SecretSource::Known(secret)) => Some(((*name).to_owned(), secret.clone())),
            _ => None,
        };
        let seed = self.seed.unwrap_or_else(from_the_clock);
        tracing::info!(seed, calls_per_minute = self.calls_per_minute, "the bots come");
        let bots = Bots::start(bot::Settings {
            udp,
            tcp: sip.of(Transport::Tcp).find(|tcp| tcp.ip() == udp.ip()),
            calls_per_minute: self.calls_per_minute,
            agents: AGENTS.iter().filter_map(password).collect(),
            seed,
        });
        let bots = bots.map_err(|error| error.to_string())?;
        greet(udp, http.first().copied());
        Ok(move || {
            if bots.stop().is_none() {
                tracing::error!("the bots came to grief; the switch stops without them");
            }
        })
    }
}

/// No two demos alike, unless asked for.
fn from_the_clock() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as u64)
}

/// Tells a person how to take part.
fn greet(sip: SocketAddr, http: Option<SocketAddr>) {
    println!("The demo floor is open: bots call and answer. Ctrl-C closes it.\n");
    println!("  softphone  server {sip} (UDP or TCP; TLS on the next port), user 1001 or 1005, password demo");
    println!("             registered, you are an agent, and calls ring at your phone");
    if let Some(http) = http {
        println!("  page       http://{http}/   token demo-admin (or $TRUNKLINE_ADMIN_TOKEN)");
    }
    println!("\n  dial");
    for (number, what) in NUMBERS {
        println!("  {number:>5}  {what}");
    }
}
