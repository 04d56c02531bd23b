//! `trunkline call`: calls a user's phone, and then whom the user wants to speak with; makes one conversation of two calls.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use serde_json::json;

use super::Exit;
use super::client::{Asked, Client};

/// Call a user's phone, and once it has answered a number, with the rights of the user
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
#[command(after_help = "Examples:\n  trunkline call 1001 13800138000 --config config/demo.toml\n  \
    trunkline call 1001 13800138000 --queue support --config config/demo.toml\n  \
    trunkline call join CALL OTHER --config config/demo.toml\n\n\
    Asks the running floor by HTTP, with the token that the settings name.\n\
    Exit codes: 0 the phone is being called, 1 it cannot be, or problems in the files, 2 usage, 3 the floor does not answer")]
pub(super) struct Call {
    #[command(subcommand)]
    deed: Option<Deed>,
    #[command(flatten)]
    placing: Option<Placing>,
}

#[derive(Debug, Args)]
struct Placing {
    /// The user
    user: String,
    /// What the user would dial: a number of the plan, another user, a number outside that a route takes
    to: String,
    /// The queue whose caller_id is shown outside
    #[arg(long)]
    queue: Option<String>,
    /// The settings file
    // Said here and not by `Asked`: clap takes what has another struct within it for absent where it may be.
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
}

#[derive(Debug, Subcommand)]
enum Deed {
    Join(Join),
}

/// Bring whom a user has called in another call into a conversation of the same user, as a third party
#[derive(Debug, Args)]
#[command(
    after_help = "Example: trunkline call join 01KBD3V8Q4ZJ5W7T2N6M9X1RAC 01KBD3VH20S3Y8E6P4D7K5B1QW --config config/demo.toml\n\n\
    The calls are named by GET /api/v1/calls. When the user hangs up, the other two go on.\n\
    Exit codes: 0 they are one conversation, 1 they cannot be, or problems in the files, 2 usage, 3 the floor does not answer"
)]
struct Join {
    /// The call that goes on
    call: String,
    /// The call that the user has placed to the third party
    other: String,
    #[command(flatten)]
    floor: Asked,
}

impl Call {
    pub(super) fn run(&self) -> Exit {
        let done = match (&self.deed, &self.placing) {
            (Some(Deed::Join(join)), _) => join.run(),
            (None, Some(placing)) => placing.run(),
            // clap wants one of the two.
            (None, None) => Err(Exit::Usage),
        };
        done.unwrap_or_else(|exit| exit)
    }
}

impl Placing {
    fn run(&self) -> Result<Exit, Exit> {
        let body = json!({ "user": self.user, "to": self.to, "queue": self.queue });
        let made = Client::of(&self.config)?.create("/api/v1/calls", &body)?;
        println!("{} is being called; call {}", self.user, made["call_id"].as_str().unwrap_or_default());
        Ok(Exit::Fine)
    }
}

impl Join {
    fn run(&self) -> Result<Exit, Exit> {
        let path = format!("/api/v1/calls/{}/join", self.call);
        Client::of(&self.floor.config)?.order(&path, &json!({ "other": self.other }))?;
        println!("{} and {} are one conversation", self.call, self.other);
        Ok(Exit::Fine)
    }
}
