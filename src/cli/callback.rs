//! `trunkline callback list`, `add` and `cancel`: customers whom the running floor is to call.

use std::path::Path;

use clap::{Args, Subcommand};
use serde::{Deserialize, Serialize};

use super::Exit;
use super::client::{Asked, Client, Listed};

/// Customers who are to be called back
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  trunkline callback list --config config/demo.toml\n  \
    trunkline callback add 13800138000 --queue support --trunk carrier --config config/demo.toml\n  \
    trunkline callback cancel 01J9ZQ0000000000000000000 --config config/demo.toml\n\n\
    All ask the running floor by HTTP, with the token that the settings name.\n\
    Exit codes: 0 done, 1 nobody is to be called back for that call or problems in the files, 2 usage, 3 the floor does not answer")]
pub(super) struct Callback {
    #[command(subcommand)]
    act: Act,
}

#[derive(Debug, Subcommand)]
enum Act {
    /// Who, by whom, since when
    List(Listed),
    /// Have an agent call a customer
    Add {
        /// The customer's number
        number: String,
        /// Whose agents call
        #[arg(long)]
        queue: String,
        /// The trunk by which the customer is called
        #[arg(long)]
        trunk: String,
        /// What the customer sees; the queue's caller_id where absent
        #[arg(long)]
        shown: Option<String>,
        /// Not before this instant: 2026-11-27T10:00:00+08:00
        #[arg(long)]
        at: Option<jiff::Timestamp>,
        /// Record the conversation; the agent has to tell the customer so
        #[arg(long)]
        record: bool,
        #[command(flatten)]
        floor: Asked,
    },
    /// Call a customer back no more
    Cancel {
        /// The call in which it was asked for
        call: String,
        #[command(flatten)]
        floor: Asked,
    },
}

#[derive(Deserialize)]
struct Listing {
    items: Vec<Line>,
}

#[derive(Deserialize, Serialize)]
struct Line {
    call_id: String,
    number: String,
    queue: String,
    trunk: String,
    since: String,
    tries: u32,
    most: u32,
    due: Option<String>,
    attempt: Option<String>,
}

impl Callback {
    pub(super) fn run(&self) -> Exit {
        match &self.act {
            Act::List(Listed { floor, json }) => list(&floor.config, *json),
            Act::Add { number, queue, trunk, shown, at, record, floor } => {
                let at = at.map(|at| at.to_string());
                let wish = serde_json::json!({
                    "number": number, "queue": queue, "trunk": trunk, "shown": shown, "at": at, "record": record,
                });
                add(&floor.config, &wish)
            }
            Act::Cancel { call, floor } => cancel(&floor.config, call),
        }
        .unwrap_or_else(|exit| exit)
    }
}

fn list(config: &Path, json: bool) -> Result<Exit, Exit> {
    let Listing { items } = Client::of(config)?.get("/api/v1/callbacks")?;
    if items.is_empty() && !json {
        println!("nobody is to be called back");
    }
    for line in items {
        if json {
            println!("{}", serde_json::json!(line));
            continue;
        }
        let next = match (&line.attempt, &line.due) {
            (Some(_), _) => "in the line".to_owned(),
            (None, Some(due)) => format!("again at {due}"),
            (None, None) => "when the caller has hung up".to_owned(),
        };
        let Line { call_id, number, queue, since, tries, most, .. } = line;
        println!("{call_id}  {number:<20} queue {queue}, since {since}, {tries} of {most} calls in vain, {next}");
    }
    Ok(Exit::Fine)
}

fn add(config: &Path, wish: &serde_json::Value) -> Result<Exit, Exit> {
    let made = Client::of(config)?.create("/api/v1/callbacks", wish)?;
    println!("the request stands as {}", made["call_id"].as_str().unwrap_or_default());
    Ok(Exit::Fine)
}

fn cancel(config: &Path, call: &str) -> Result<Exit, Exit> {
    Client::of(config)?.delete(&format!("/api/v1/callbacks/{call}"))?;
    println!("nobody is called back for {call}");
    Ok(Exit::Fine)
}
