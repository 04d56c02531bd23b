//! `trunkline agent list`, `set` and `extend`: what agents are doing, and what they are to do.

use clap::{Args, Subcommand, ValueEnum};
use serde::{Deserialize, Serialize};

use super::Exit;
use super::client::{Asked, Client, Listed};

/// What agents are doing
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  trunkline agent list --config config/demo.toml\n  \
    trunkline agent set 1003 not-ready --reason lunch --config config/demo.toml\n  \
    trunkline agent extend 1003 90s --config config/demo.toml\n\n\
    All ask the running floor by HTTP, with the token that the settings name.\n\
    Exit codes: 0 done, 1 it cannot be or problems in the files, 2 usage, 3 the floor does not answer")]
pub(super) struct Agent {
    #[command(subcommand)]
    act: Act,
}

#[derive(Debug, Subcommand)]
enum Act {
    /// Who is in which state, since when
    List(Listed),
    /// Bring an agent into another state; in a conversation, after it
    Set {
        /// The agent's number
        agent: String,
        /// The state; available ends after-call work
        #[arg(value_enum)]
        state: State,
        /// Why the agent is not ready, of the reasons in the settings
        #[arg(long)]
        reason: Option<String>,
        /// At once: a call out of a queue ends
        #[arg(long)]
        now: bool,
        #[command(flatten)]
        floor: Asked,
    },
    /// Give an agent more time for after-call work
    Extend {
        /// The agent's number
        agent: String,
        /// How much more, in whole seconds: 90s, 2m
        #[arg(value_parser = seconds)]
        by: u64,
        #[command(flatten)]
        floor: Asked,
    },
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum State {
    Available,
    NotReady,
    Offline,
}

#[derive(Deserialize)]
struct Listing {
    items: Vec<Line>,
}

#[derive(Deserialize, Serialize)]
struct Line {
    agent: String,
    phone: Option<String>,
    #[serde(flatten)]
    shown: Shown,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    appearances: Vec<Shown>,
}

#[derive(Deserialize, Serialize)]
struct Shown {
    state: String,
    reason: Option<String>,
    paid: Option<bool>,
    call: Option<String>,
    since: Option<String>,
    until: Option<String>,
}

impl Shown {
    fn print(self, who: &str, phone: Option<String>) {
        let Self { state, reason, call, since, until, .. } = self;
        let told = [("", reason), ("at ", phone), ("call ", call), ("since ", since), ("until ", until)];
        let told = told.into_iter().filter_map(|(word, what)| what.map(|what| format!("{word}{what}")));
        println!("{who:<12} {state:<10} {}", told.collect::<Vec<_>>().join(", "));
    }
}

impl Agent {
    pub(super) fn run(&self) -> Exit {
        match &self.act {
            Act::List(listed) => list(listed),
            Act::Set { agent, state, reason, now, floor } => {
                let state = match state {
                    State::Available => "available",
                    State::NotReady => "not_ready",
                    State::Offline => "offline",
                };
                let wish = serde_json::json!({ "state": state, "reason": reason, "now": now });
                put(floor, agent, &wish)
            }
            Act::Extend { agent, by, floor } => {
                put(floor, agent, &serde_json::json!({ "state": "acw", "extend_s": by }))
            }
        }
        .unwrap_or_else(|exit| exit)
    }
}

fn list(Listed { floor, json }: &Listed) -> Result<Exit, Exit> {
    let Listing { items } = Client::of(&floor.config)?.get("/api/v1/agents")?;
    for line in items {
        if *json {
            println!("{}", serde_json::json!(line));
            continue;
        }
        let Line { agent, mut phone, shown, appearances } = line;
        // Of an agent who takes several calls at once, each of them.
        let all = if appearances.is_empty() { vec![shown] } else { appearances };
        for (at, shown) in all.into_iter().enumerate() {
            shown.print(if at == 0 { &agent } else { "" }, phone.take());
        }
    }
    Ok(Exit::Fine)
}

fn put(floor: &Asked, agent: &str, wish: &serde_json::Value) -> Result<Exit, Exit> {
    Client::of(&floor.config)?.put(&format!("/api/v1/agents/{agent}/state"), wish)?;
    println!("the floor has it; `trunkline agent list` shows the state, which changes after the call if there is one");
    Ok(Exit::Fine)
}

fn seconds(text: &str) -> Result<u64, String> {
    match super::duration(text)? {
        ms if ms % 1_000 == 0 && ms > 0 => Ok(ms / 1_000),
        _ => Err("write whole seconds, for example \"90s\" or \"2m\"".to_owned()),
    }
}
