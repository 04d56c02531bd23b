//! `trunkline report`: the call records of some days, and their `queue_log`.

use clap::{Args, Subcommand};

use super::Exit;
use super::records::{Format, Period, cell};
use crate::records::CallRecord;

/// Reports
#[derive(Debug, Args)]
pub(super) struct Report {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    Records(Listing),
    QueueLog(Lines),
}

/// Print the queue_log of some days, as Asterisk writes it and QueueMetrics reads it
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  trunkline report queue-log --config config/demo.toml --from 2026-11-26 --to 2026-11-26 > queue_log\n\n\
    Exit codes: 0 fine, 1 problems in the files, 2 usage, 3 no journal or a file cannot be read"
)]
struct Lines {
    #[command(flatten)]
    period: Period,
}

/// Print the call records of some days
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  trunkline report records --config config/demo.toml --from 2026-11-26 --to 2026-11-26 \
    --format json\n\n\
    Exit codes: 0 fine, 1 problems in the files, 2 usage, 3 no database or a file cannot be read"
)]
struct Listing {
    #[command(flatten)]
    period: Period,
    /// How they come out
    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
}

impl Report {
    pub(super) fn run(&self) -> Exit {
        let done = match &self.what {
            What::Records(listing) => listing.period.records().and_then(|records| listing.print(&records)),
            What::QueueLog(lines) => lines.period.queue_log(|line| println!("{line}")),
        };
        match done {
            Ok(()) => Exit::Fine,
            Err(exit) => exit,
        }
    }
}

impl Listing {
    fn print(&self, records: &[CallRecord]) -> Result<(), Exit> {
        match self.format {
            Format::Json => records.iter().try_for_each(|record| {
                let line = serde_json::to_string(record).map_err(|error| failed(&error))?;
                println!("{line}");
                Ok(())
            }),
            Format::Csv => print_csv(records),
            Format::Table => {
                println!("{}", line(["started", "caller", "called", "queue", "agent", "wait", "talk", "disposition"]));
                records.iter().for_each(|record| println!("{}", row(record)));
                Ok(())
            }
        }
    }
}

fn failed(error: &dyn std::fmt::Display) -> Exit {
    eprintln!("cannot write the records: {error}");
    Exit::Environment
}

/// The columns carry the record's own names; what has parts is JSON within its cell.
fn print_csv(records: &[CallRecord]) -> Result<(), Exit> {
    let mut writer = csv::Writer::from_writer(std::io::stdout().lock());
    let mut headed = false;
    for record in records {
        let value = serde_json::to_value(record).map_err(|error| failed(&error))?;
        let fields = value.as_object().into_iter().flatten();
        if !std::mem::replace(&mut headed, true) {
            writer.write_record(fields.clone().map(|(name, _)| name)).map_err(|error| failed(&error))?;
        }
        let cells = fields.map(|(_, value)| match value {
            serde_json::Value::Null => String::new(),
            serde_json::Value::String(text) => cell(text),
            other => other.to_string(),
        });
        writer.write_record(cells).map_err(|error| failed(&error))?;
    }
    writer.flush().map_err(|error| failed(&error))
}

fn row(record: &CallRecord) -> String {
    let started = record.started.to_string();
    let queue = record.queue.as_ref().map_or("-", |queue| queue.as_str());
    let agent = record.segments.iter().rfind(|segment| segment.answered.is_some());
    let agent = agent.map_or("-", |segment| segment.agent.as_str());
    let seconds = |ms: u64| format!("{}.{}", ms / 1_000, ms % 1_000 / 100);
    let disposition = serde_json::to_value(record.disposition).ok();
    let disposition = disposition.as_ref().and_then(|value| value.as_str()).unwrap_or_default();
    let (wait, talk) = (seconds(record.wait_ms), seconds(record.talk_ms));
    line([&started, &record.caller, &record.called, queue, agent, &wait, &talk, disposition])
}

fn line(cells: [&str; 8]) -> String {
    let [started, caller, called, queue, agent, wait, talk, disposition] = cells;
    format!("{started:<30} {caller:<14} {called:<8} {queue:<10} {agent:<8} {wait:>8} {talk:>8}  {disposition}")
}
