//! `trunkline ban list` and `trunkline ban lift`: sources that the running floor ignores.

use std::net::IpAddr;

use clap::{Args, Subcommand};
use serde::Deserialize;

use super::Exit;
use super::client::{Asked, Client, Listed};

/// Sources that guess passwords or scan, and are ignored for a while
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  trunkline ban list --config config/demo.toml\n  \
    trunkline ban lift 192.0.2.7 --config config/demo.toml\n\n\
    Both ask the running floor by HTTP, with the token that the settings name.\n\
    Exit codes: 0 done, 1 the address is not banned or problems in the files, 2 usage, 3 the floor does not answer")]
pub(super) struct Ban {
    #[command(subcommand)]
    act: Act,
}

#[derive(Debug, Subcommand)]
enum Act {
    /// Who is ignored, and until when
    List(Listed),
    /// Listen to a source again
    Lift {
        /// Its address
        address: IpAddr,
        #[command(flatten)]
        floor: Asked,
    },
}

#[derive(Deserialize)]
struct Listing {
    items: Vec<Line>,
}

#[derive(Deserialize, serde::Serialize)]
struct Line {
    address: IpAddr,
    until: String,
}

impl Ban {
    pub(super) fn run(&self) -> Exit {
        match &self.act {
            Act::List(Listed { floor, json }) => list(&floor.config, *json),
            Act::Lift { address, floor } => lift(&floor.config, *address),
        }
        .unwrap_or_else(|exit| exit)
    }
}

fn list(config: &std::path::Path, json: bool) -> Result<Exit, Exit> {
    let Listing { items } = Client::of(config)?.get("/api/v1/bans")?;
    if items.is_empty() && !json {
        println!("nobody is banned");
    }
    for line in items {
        if json {
            println!("{}", serde_json::json!(line));
        } else {
            println!("{:<40} until {}", line.address.to_string(), line.until);
        }
    }
    Ok(Exit::Fine)
}

fn lift(config: &std::path::Path, address: IpAddr) -> Result<Exit, Exit> {
    Client::of(config)?.delete(&format!("/api/v1/bans/{address}"))?;
    println!("{address} is listened to again");
    Ok(Exit::Fine)
}
