//! `trunkline simulate`: a day of calls through the very ACD, before it happens.

use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use serde_json::json;

use super::floor::{self, FloorError};
use super::{Exit, duration};
use crate::acd::{Ageing, AgentSettings, QueueSettings, Settings};
use crate::id::{AgentId, QueueId};
use crate::insight::arrivals::draw;
use crate::insight::erlang::Load;
use crate::insight::simulation::{Arrival, Outcome, Shift, play, within};

/// Play a day of calls through the ACD: service level, waits, who gives up, how busy agents are
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  trunkline simulate --per-hour 200 --service 180s --patience 300s --agents 14 --calls 20000\n  \
    trunkline simulate --config config/demo.toml --day calls.csv --shifts shifts.csv --target 20s\n\n\
    calls.csv has a first line that names its columns: at (seconds of the day), service (seconds with an agent), and if\n\
    wanted patience (seconds; waits for ever where empty), queue (that of --queue where empty), priority. shifts.csv has\n\
    agent, from, until (seconds of the day); without it every agent works all day.\n\n\
    Exit codes: 0 fine, 1 problems in the files, 2 usage, 3 a file cannot be read"
)]
pub(super) struct Simulate {
    /// Agents and queues are those of this floor
    #[arg(long, requires = "day")]
    config: Option<PathBuf>,
    /// The calls of the day
    #[arg(long, requires = "config")]
    day: Option<PathBuf>,
    /// Who works when
    #[arg(long, requires = "config")]
    shifts: Option<PathBuf>,
    /// The queue of calls that name none
    #[arg(long, default_value = "support")]
    queue: String,
    /// Without a floor: so many agents who are all alike
    #[arg(long, conflicts_with = "config", required_unless_present = "config")]
    agents: Option<u32>,
    /// Calls in an hour, at random instants
    #[arg(long, conflicts_with = "config", required_unless_present = "config")]
    per_hour: Option<f64>,
    /// Mean time with an agent
    #[arg(long, value_parser = duration, conflicts_with = "config", required_unless_present = "config")]
    service: Option<u64>,
    /// Mean patience; callers wait for ever where it is not given
    #[arg(long, value_parser = duration, conflicts_with = "config")]
    patience: Option<u64>,
    /// How many calls; the first tenth warms the floor up and is not counted
    #[arg(long, default_value_t = 20_000, value_parser = clap::value_parser!(u32).range(10..=10_000_000))]
    calls: u32,
    /// The same calls for the same number
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// How long a phone rings before its agent answers
    #[arg(long, value_parser = duration, default_value = "0s")]
    ring: u64,
    /// In time is who is answered within
    #[arg(long, value_parser = duration, default_value = "20s")]
    target: u64,
    /// How it comes out
    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    Table,
    Csv,
    Json,
}

/// Why nothing is played.
enum Failed {
    Floor(FloorError),
    /// A line of a file, and what is wrong with it.
    File(String),
    Unreadable(String),
}

impl Simulate {
    pub(super) fn run(&self) -> Exit {
        match self.outcome() {
            Ok(outcome) => {
                self.print(&outcome);
                Exit::Fine
            }
            Err(Failed::Floor(error)) => super::check::report(&error),
            Err(Failed::File(told)) => {
                eprintln!("{told}");
                Exit::No
            }
            Err(Failed::Unreadable(told)) => {
                eprintln!("{told}");
                Exit::Environment
            }
        }
    }

    fn outcome(&self) -> Result<Outcome, Failed> {
        let seed = [0; 32];
        let (settings, shifts, arrivals, from_ms) = match (&self.config, &self.day) {
            (Some(config), Some(day)) => {
                let floor = floor::load(config).map_err(Failed::Floor)?;
                let settings = floor.settings.acd(&floor.program);
                let arrivals = self.read_day(day)?;
                let shifts = self.shifts.as_deref().map(read_shifts).transpose()?;
                let shifts = shifts.unwrap_or_else(|| all_day(&settings, &arrivals));
                (settings, shifts, arrivals, 0)
            }
            _ => {
                let (settings, arrivals) = self.drawn();
                let shifts = all_day(&settings, &arrivals);
                let from_ms = arrivals.last().map_or(0, |last| last.at_ms / 10);
                (settings, shifts, arrivals, from_ms)
            }
        };
        play(settings, &shifts, arrivals, self.ring, seed, from_ms).map_err(|fault| Failed::File(fault.to_string()))
    }

    fn drawn(&self) -> (Settings, Vec<Arrival>) {
        let agents = self.agents.unwrap_or(1);
        let load = Load {
            rate: self.per_hour.unwrap_or(1.0) / 3_600.0,
            handling_s: self.service.unwrap_or(0) as f64 / 1_000.0,
            agents,
            patience_s: self.patience.map(|ms| ms as f64 / 1_000.0),
        };
        let names: Vec<AgentId> = (0..agents).map(|number| format!("{}", 1_001 + number).as_str().into()).collect();
        let queue = QueueId::from(self.queue.as_str());
        let arrivals = draw(&load, &queue, self.calls as usize, self.seed);
        let members = names.iter().cloned().map(Into::into).collect();
        let agents = names.into_iter().map(AgentSettings::named).collect();
        let queues = vec![QueueSettings { members, ..QueueSettings::named(queue) }];
        (Settings { agents, queues, ageing: Ageing::default() }, arrivals)
    }

    fn read_day(&self, path: &Path) -> Result<Vec<Arrival>, Failed> {
        let mut arrivals = Vec::new();
        for row in read(path)? {
            let queue = row.text("queue").unwrap_or_else(|| self.queue.clone());
            arrivals.push(Arrival {
                at_ms: row.required("at")?,
                queue: QueueId::from(queue.as_str()),
                priority: row.text("priority").and_then(|text| text.parse().ok()).unwrap_or(0),
                patience_ms: row.seconds("patience")?,
                service_ms: row.required("service")?,
            });
        }
        arrivals.sort_by_key(|arrival| arrival.at_ms);
        Ok(arrivals)
    }

    fn print(&self, outcome: &Outcome) {
        let share = |share: Option<f64>| share.map(|share| (share * 1e4).round() / 1e4);
        let seconds = |ms: Option<f64>| ms.map(|ms| (ms / 100.0).round() / 10.0);
        let within_ms = self.target;
        let figures = [
            ("answered", json!(outcome.answered_ms.len())),
            ("abandoned", json!(outcome.abandoned_ms.len())),
            ("sent_on", json!(outcome.sent_on)),
            ("answered_in_time", json!(within(&outcome.answered_ms, within_ms))),
            ("service_level", json!(share(outcome.service_level(within_ms)))),
            ("asa_s", json!(seconds(outcome.mean_answer_ms()))),
            ("abandon_rate", json!(share(outcome.abandoned()))),
            ("occupancy", json!(share(outcome.occupied()))),
        ];
        match self.format {
            Format::Json => {
                let object: serde_json::Map<_, _> =
                    figures.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
                println!("{}", serde_json::Value::Object(object));
            }
            Format::Csv => {
                println!("{}", figures.each_ref().map(|(name, _)| *name).join(","));
                println!("{}", figures.each_ref().map(|(_, value)| value.to_string().replace("null", "")).join(","));
            }
            Format::Table => figures.iter().for_each(|(name, value)| println!("{name:<18} {value:>10}")),
        }
    }
}

/// Every agent from the first call to the last one.
fn all_day(settings: &Settings, arrivals: &[Arrival]) -> Vec<Shift> {
    let until_ms = arrivals.last().map_or(0, |last| last.at_ms);
    let shift = |agent: &AgentSettings| Shift { agent: agent.id.clone(), from_ms: 0, until_ms };
    settings.agents.iter().map(shift).collect()
}

fn read_shifts(path: &Path) -> Result<Vec<Shift>, Failed> {
    let shift = |row: Row| {
        let agent = row.text("agent").ok_or_else(|| row.wrong("\"agent\" is missing"))?;
        let (from_ms, until_ms) = (row.required("from")?, row.required("until")?);
        Ok(Shift { agent: AgentId::from(agent.as_str()), from_ms, until_ms })
    };
    read(path)?.into_iter().map(shift).collect()
}

/// One line of a file with named columns.
struct Row {
    file: String,
    line: u64,
    cells: Vec<(String, String)>,
}

impl Row {
    fn text(&self, column: &str) -> Option<String> {
        let cell = self.cells.iter().find(|(name, _)| name == column);
        cell.map(|(_, text)| text.clone()).filter(|text| !text.is_empty())
    }

    /// Seconds as milliseconds.
    fn seconds(&self, column: &str) -> Result<Option<u64>, Failed> {
        let Some(text) = self.text(column) else { return Ok(None) };
        let seconds = text.parse::<f64>().ok().filter(|seconds| (0.0..=1e9).contains(seconds));
        let seconds =
            seconds.ok_or_else(|| self.wrong(&format!("\"{column}\" is no number of seconds: \"{text}\"")))?;
        Ok(Some((seconds * 1_000.0).round() as u64))
    }

    fn required(&self, column: &str) -> Result<u64, Failed> {
        self.seconds(column)?.ok_or_else(|| self.wrong(&format!("\"{column}\" is missing")))
    }

    fn wrong(&self, what: &str) -> Failed {
        Failed::File(format!("{}:{}: {what}", self.file, self.line))
    }
}

fn read(path: &Path) -> Result<Vec<Row>, Failed> {
    let file = path.display().to_string();
    let unreadable = |error: &dyn std::fmt::Display| {
        Failed::Unreadable(format!("cannot read {file}: {error}; check the name and its permissions"))
    };
    let mut reader = csv::Reader::from_path(path).map_err(|error| unreadable(&error))?;
    let names: Vec<String> = reader.headers().map_err(|error| unreadable(&error))?.iter().map(str::to_owned).collect();
    let mut rows = Vec::new();
    for record in reader.records() {
        let record = record.map_err(|error| Failed::File(format!("{file}: {error}")))?;
        let line = record.position().map_or(0, csv::Position::line);
        let cells = names.iter().cloned().zip(record.iter().map(str::to_owned)).collect();
        rows.push(Row { file: file.clone(), line, cells });
    }
    Ok(rows)
}
