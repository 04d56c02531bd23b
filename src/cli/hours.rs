//! `trunkline hours` and `trunkline announce`: what ops order while the floor runs.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};

use super::Exit;
use super::client::{Asked, Client, Listed};

/// Opening hours of the running floor: look at them, close them by hand
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  trunkline hours list --config config/demo.toml\n  \
    trunkline hours close hotline --until 2026-11-27T18:00:00+08:00 --config config/demo.toml\n  \
    trunkline hours open hotline --config config/demo.toml\n\n\
    Callers who wait are taken where their queue step says (closing = …), or wait on. A closure outlives a restart.\n\
    Exit codes: 0 done, 1 there are no such hours or problems in the files, 2 usage, 3 the floor does not answer")]
pub(super) struct Hours {
    #[command(subcommand)]
    act: Act,
}

#[derive(Debug, Subcommand)]
enum Act {
    /// Which are open, and why
    List(Listed),
    /// Close hours at once
    Close {
        /// Their name in the dialplan
        name: String,
        /// Until when, RFC 3339
        #[arg(long, value_name = "INSTANT")]
        until: Timestamp,
        #[command(flatten)]
        floor: Asked,
    },
    /// Take the closure back
    Open {
        /// Their name in the dialplan
        name: String,
        #[command(flatten)]
        floor: Asked,
    },
}

/// Put a prompt in front of a flow, or take it away
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  trunkline announce hotline outage --until 2026-11-27T18:00:00+08:00 --config config/demo.toml\n  \
    trunkline announce hotline --end --config config/demo.toml\n\n\
    Callers hear it before anything else, to its end. It outlives a restart.\n\
    Exit codes: 0 done, 1 there is no such flow or prompt, or problems in the files, 2 usage, 3 the floor does not answer"
)]
pub(super) struct Announce {
    /// The flow
    flow: String,
    /// The prompt, by its name in the catalogue
    #[arg(required_unless_present = "end")]
    prompt: Option<String>,
    /// Until when, RFC 3339
    #[arg(long, value_name = "INSTANT", required_unless_present = "end")]
    until: Option<Timestamp>,
    /// Take it away
    #[arg(long, conflicts_with_all = ["prompt", "until"])]
    end: bool,
    /// The settings file
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
}

#[derive(Deserialize)]
struct Listing {
    items: Vec<Value>,
    announcements: Vec<Value>,
}

impl Hours {
    pub(super) fn run(&self) -> Exit {
        let done = match &self.act {
            Act::List(Listed { floor, json }) => list(&floor.config, *json),
            Act::Close { name, until, floor } => Client::of(&floor.config).and_then(|client| {
                client.put(&format!("/api/v1/hours/{name}/closure"), &json!({ "until": until.to_string() }))?;
                println!("hours {name} are closed until {until}");
                Ok(())
            }),
            Act::Open { name, floor } => Client::of(&floor.config).and_then(|client| {
                client.delete(&format!("/api/v1/hours/{name}/closure"))?;
                println!("hours {name} are as the dialplan says");
                Ok(())
            }),
        };
        done.map_or_else(|exit| exit, |()| Exit::Fine)
    }
}

impl Announce {
    pub(super) fn run(&self) -> Exit {
        self.order().map_or_else(|exit| exit, |()| Exit::Fine)
    }

    fn order(&self) -> Result<(), Exit> {
        let (client, path) = (Client::of(&self.config)?, format!("/api/v1/flows/{}/announcement", self.flow));
        match (&self.prompt, self.until) {
            (Some(prompt), Some(until)) => {
                client.put(&path, &json!({ "prompt": prompt, "until": until.to_string() }))?;
                println!("flow {} begins with {prompt} until {until}", self.flow);
            }
            _ => {
                client.delete(&path)?;
                println!("flow {} begins as the dialplan says", self.flow);
            }
        }
        Ok(())
    }
}

fn list(config: &std::path::Path, json: bool) -> Result<(), Exit> {
    let Listing { items, announcements } = Client::of(config)?.get("/api/v1/hours")?;
    let text = |line: &Value, key: &str| line[key].as_str().unwrap_or_default().to_owned();
    for line in &items {
        if json {
            println!("{line}");
        } else {
            let open = if line["open"] == true { "open" } else { "closed" };
            println!("{:<20} {open:<7} {}", text(line, "name"), text(line, "because"));
        }
    }
    for line in announcements.iter().filter(|_| !json) {
        println!("flow {} begins with {} until {}", text(line, "flow"), text(line, "prompt"), text(line, "until"));
    }
    Ok(())
}
