//! What the commands that read records share: the period, the database, the form of tables.

use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use jiff::civil::Date;
use jiff::tz::TimeZone;

use super::Exit;
use super::check::report;
use super::floor;
use crate::records::{CallRecord, QueueLog, QueueLogLine};
use crate::store::journal::Entries;
use crate::store::{RecordQuery, Records};

/// How figures come out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    /// For people
    Table,
    /// For spreadsheets
    Csv,
    /// A JSON object a line
    Json,
}

/// Whose records, and of which days.
#[derive(Debug, Args)]
pub(super) struct Period {
    /// The settings file
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// The first day
    #[arg(long, value_name = "YYYY-MM-DD")]
    pub(super) from: Date,
    /// The last day, included
    #[arg(long, value_name = "YYYY-MM-DD")]
    pub(super) to: Date,
    /// The time zone in which days are counted
    #[arg(long, default_value = "Asia/Shanghai")]
    pub(super) zone: String,
}

impl Period {
    /// The first instant, wall ms.
    ///
    /// # Errors
    /// The exit, after its reason was told.
    pub(super) fn start_ms(&self) -> Result<i64, Exit> {
        self.midnight(self.from)
    }

    fn midnight(&self, day: Date) -> Result<i64, Exit> {
        let zone = self.time_zone()?;
        let instant = zone.to_timestamp(day.to_datetime(jiff::civil::Time::midnight()));
        instant.map(|instant| instant.as_millisecond()).map_err(|error| usage(&format!("{day}: {error}")))
    }

    pub(super) fn time_zone(&self) -> Result<TimeZone, Exit> {
        let wrong = |error| usage(&format!("--zone {}: {error}; give an IANA name such as Asia/Shanghai", self.zone));
        TimeZone::get(&self.zone).map_err(wrong)
    }

    /// The first instant, and the one behind the last (wall ms).
    fn span(&self) -> Result<(i64, i64), Exit> {
        if self.to < self.from {
            return Err(usage("--to lies before --from"));
        }
        let after = self.to.tomorrow().map_err(|error| usage(&format!("--to {}: {error}", self.to)))?;
        Ok((self.start_ms()?, self.midnight(after)?))
    }

    /// The lines of `queue_log` within the days, out of the journal: what came before is read as well, as it says who waited.
    ///
    /// # Errors
    /// The exit, after its reason was told.
    pub(super) fn queue_log(&self, mut tell: impl FnMut(&QueueLogLine)) -> Result<(), Exit> {
        let (since, until) = self.span()?;
        let settings = floor::load_settings(&self.config).map_err(|error| report(&error))?;
        let data_dir = Path::new(&settings.data_dir);
        let refused = |error| {
            eprintln!(
                "cannot read the journal in {}: {error}; if the daemon was writing just then, ask again",
                data_dir.display()
            );
            Exit::Environment
        };
        let mut log = QueueLog::default();
        for entry in Entries::between(data_dir, 1, u64::MAX).map_err(refused)? {
            let entry = entry.map_err(refused)?;
            if entry.wall_ms >= until {
                break;
            }
            let lines = log.handle_entry(&entry);
            lines.iter().filter(|_| entry.wall_ms >= since).for_each(&mut tell);
        }
        Ok(())
    }

    /// Every record that started within the days.
    ///
    /// # Errors
    /// The exit, after its reason was told.
    pub(super) fn records(&self) -> Result<Vec<CallRecord>, Exit> {
        let (since, until) = self.span()?;
        let floor = floor::load(&self.config).map_err(|error| report(&error))?;
        let query = RecordQuery { since: Some(since), until: Some(until), ..RecordQuery::default() };
        read(Path::new(&floor.settings.data_dir), query)
    }
}

fn read(data_dir: &Path, query: RecordQuery) -> Result<Vec<CallRecord>, Exit> {
    let refused = |error: &dyn std::fmt::Display| {
        eprintln!("cannot read the records in {}: {error}", data_dir.display());
        Exit::Environment
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(|e| refused(&e))?;
    let mut found = Vec::new();
    let keep = |record| {
        found.push(record);
        true
    };
    runtime.block_on(Records::new(data_dir).each(query, keep)).map_err(|error| refused(&error))?;
    Ok(found)
}

/// Tells what is wrong with the arguments.
pub(super) fn usage(message: &str) -> Exit {
    eprintln!("{message}");
    Exit::Usage
}

/// A cell that a spreadsheet does not take for a formula.
pub(super) fn cell(text: &str) -> String {
    if text.starts_with(['=', '+', '-', '@', '\t', '\r']) { format!("'{text}") } else { text.to_owned() }
}
