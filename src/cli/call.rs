//! `trunkline call`: calls a user's phone, and then whom the user wants to speak with.

use clap::Args;
use serde_json::json;

use super::Exit;
use super::client::{Asked, Client};

/// Call a user's phone, and once it has answered a number, with the rights of the user
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  trunkline call 1001 13800138000 --config config/demo.toml\n  \
    trunkline call 1001 13800138000 --queue support --config config/demo.toml\n\n\
    Asks the running floor by HTTP, with the token that the settings name.\n\
    Exit codes: 0 the phone is being called, 1 it cannot be, or problems in the files, 2 usage, 3 the floor does not answer")]
pub(super) struct Call {
    /// The user
    user: String,
    /// What the user would dial: a number of the plan, another user, a number outside that a route takes
    to: String,
    /// The queue whose caller_id is shown outside
    #[arg(long)]
    queue: Option<String>,
    #[command(flatten)]
    floor: Asked,
}

impl Call {
    pub(super) fn run(&self) -> Exit {
        self.place().unwrap_or_else(|exit| exit)
    }

    fn place(&self) -> Result<Exit, Exit> {
        let body = json!({ "user": self.user, "to": self.to, "queue": self.queue });
        let made = Client::of(&self.floor.config)?.create("/api/v1/calls", &body)?;
        println!("{} is being called; call {}", self.user, made["call_id"].as_str().unwrap_or_default());
        Ok(Exit::Fine)
    }
}
