//! `trunkline trunk status`: what trunks carry, whether their targets answer, and whether we are registered.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use serde_json::Value;

use super::Exit;
use super::client::Client;

/// The switches and carriers that calls come from and go to
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  trunkline trunk status --config config/demo.toml\n  \
    trunkline trunk status carrier --config config/demo.toml --json\n\n\
    It asks the running floor by HTTP, with the token that the settings name.\n\
    Exit codes: 0 every trunk can take calls, 1 one cannot (a registration failed, or no target answers) or the files\n\
    have problems, 2 usage, 3 the floor does not answer")]
pub(super) struct Trunk {
    #[command(subcommand)]
    act: Act,
}

#[derive(Debug, Subcommand)]
enum Act {
    /// What each trunk carries, whether its targets answer, and its registration
    Status {
        /// Only this trunk
        name: Option<String>,
        /// The settings file
        #[arg(long, value_name = "FILE")]
        config: PathBuf,
        /// A line of JSON for each
        #[arg(long)]
        json: bool,
    },
}

impl Trunk {
    pub(super) fn run(&self) -> Exit {
        let Act::Status { name, config, json } = &self.act;
        status(config, name.as_deref(), *json).unwrap_or_else(|exit| exit)
    }
}

fn status(config: &Path, name: Option<&str>, json: bool) -> Result<Exit, Exit> {
    let listing: Value = Client::of(config)?.get("/api/v1/trunks")?;
    let every = listing["items"].as_array().cloned().unwrap_or_default();
    let items: Vec<Value> = every.into_iter().filter(|item| name.is_none_or(|name| item["trunk"] == name)).collect();
    if let (Some(name), true) = (name, items.is_empty()) {
        eprintln!("there is no trunk \"{name}\"");
        return Err(Exit::No);
    }
    if json {
        items.iter().for_each(|item| println!("{item}"));
    } else {
        print!("{}", table(&items));
    }
    Ok(if items.iter().all(takes_calls) { Exit::Fine } else { Exit::No })
}

/// Whether nothing says that calls to the trunk come to nothing.
fn takes_calls(item: &Value) -> bool {
    let targets = item["targets"].as_array().map(Vec::as_slice).unwrap_or_default();
    let reached = targets.is_empty() || targets.iter().any(|target| target["state"] != "down");
    reached && item["registration"]["state"] != "failed"
}

fn table(items: &[Value]) -> String {
    let mut text = format!(
        "{:<20} {:>6} {:>6} {:>7} {:>9} {:>9} {:>8}\n",
        "trunk", "in", "out", "limit", "in total", "out total", "refused"
    );
    for item in items {
        let count = |key: &str| item[key].as_u64().unwrap_or_default();
        let limit = item["max_calls"].as_u64().map_or_else(|| "-".to_owned(), |most| most.to_string());
        text += &format!(
            "{:<20} {:>6} {:>6} {:>7} {:>9} {:>9} {:>8}\n",
            word(&item["trunk"]),
            count("calls_in"),
            count("calls_out"),
            limit,
            count("calls_in_total"),
            count("calls_out_total"),
            count("refused_full") + count("refused_rate"),
        );
        for target in item["targets"].as_array().into_iter().flatten() {
            let took = target["round_trip_us"].as_u64().map(|us| format!(", {:.1} ms", us as f64 / 1_000.0));
            let since = target["since"].as_str().map(|since| format!(" since {since}")).unwrap_or_default();
            let (uri, state) = (word(&target["uri"]), word(&target["state"]));
            text += &format!("  to {uri}: {state}{since}{}\n", took.unwrap_or_default());
        }
        if let Some(registration) = item["registration"].as_object() {
            let (state, registrar) = (word(&registration["state"]), word(&registration["registrar"]));
            let more = match (registration.get("since"), registration.get("code")) {
                (Some(since), _) => format!(" since {}, for {} s", word(since), registration["expires_s"]),
                (None, Some(code)) => format!(" with {code}"),
                (None, None) => String::new(),
            };
            text += &format!("  registration at {registrar}: {state}{more}\n");
        }
    }
    text
}

fn word(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_table_for_people_and_an_answer_for_scripts() {
        let item = |target: &str, registration: Value| {
            json!({ "trunk": "carrier", "calls_in": 2, "calls_out": 1, "max_calls": 30, "calls_in_total": 700,
                "calls_out_total": 41, "refused_full": 1, "refused_rate": 2,
                "targets": [{ "uri": "sip:192.0.2.7", "state": target, "since": null, "round_trip_us": 1_500 }],
                "registration": registration })
        };
        let fine = item(
            "up",
            json!({ "state": "registered", "registrar": "192.0.2.7:5060", "since": "2026-10-01T08:00:00Z", "expires_s": 600 }),
        );
        let expected = "\
trunk                    in    out   limit  in total out total  refused
carrier                   2      1      30       700        41        3
  to sip:192.0.2.7: up, 1.5 ms
  registration at 192.0.2.7:5060: registered since 2026-10-01T08:00:00Z, for 600 s
";
        assert_eq!(table(std::slice::from_ref(&fine)), expected);
        assert!(takes_calls(&fine));
        assert!(!takes_calls(&item("down", Value::Null)));
        assert!(!takes_calls(&item("up", json!({ "state": "failed", "registrar": "x", "code": 403 }))));
    }
}
