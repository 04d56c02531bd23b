//! `trunkline test`: tests of dialplans, played through the very plan and ACD on a virtual clock.

use std::io::{IsTerminal, Write};
use std::path::PathBuf;
use std::time::Instant;

use clap::{Args, ValueEnum};
use serde_json::json;

use super::Exit;
use super::check::report;
use super::floor::{self, FloorError};
use super::trials;
use crate::acd::BadSettings;
use crate::trial::{self, Case, Course, Failure, judge, junit, play};

/// Run the tests of the dialplans; a difference for each that fails
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  trunkline test --config config/demo.toml\n  \
    trunkline test --config config/demo.toml dialplans/tests/hotline.toml --filter english --junit tests.xml\n\n\
    Without a PATH the files of the folders \"tests\" beside the dialplans are run. docs/dialplan.md has the keys of these\n\
    files. Nothing else is touched: no socket, no journal, and the clock is the test's own.\n\n\
    Exit codes: 0 all pass, 1 some fail or problems in the files, 2 usage, 3 a file cannot be read or written")]
pub(super) struct Test {
    /// The settings file
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// Files of tests, or folders of them
    #[arg(value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// Only tests whose names have this text, in small letters or capitals
    #[arg(long, value_name = "TEXT", default_value = "")]
    filter: String,
    /// Write the results as JUnit XML
    #[arg(long, value_name = "FILE")]
    junit: Option<PathBuf>,
    /// Print every step of the tests that pass, too
    #[arg(long)]
    steps: bool,
    /// Another course of what queues draw by lot
    #[arg(long, value_name = "NUMBER", default_value_t = 1)]
    seed: u64,
    /// How the results come out
    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For people
    Table,
    /// A JSON object a line
    Json,
}

/// A test that was run.
struct Run<'a> {
    case: &'a Case,
    course: Course,
    failures: Vec<Failure>,
    /// On the machine's clock.
    took_ms: f64,
}

impl Run<'_> {
    fn result(&self) -> (&Case, &[Failure], f64) {
        (self.case, &self.failures, self.took_ms)
    }
}

impl Test {
    pub(super) fn run(&self) -> Exit {
        match self.results() {
            Ok(exit) => exit,
            Err(error) => report(&error),
        }
    }

    fn results(&self) -> Result<Exit, FloorError> {
        let floor = floor::load(&self.config)?;
        let stage = trials::stage(&floor)?;
        let trials = trials::read(&floor, &stage, &self.paths)?;
        if trials.elsewhere > 0 {
            eprintln!("left out, as they test dialplans that these settings do not read: {} files", trials.elsewhere);
        }
        let wanted = self.filter.to_lowercase();
        let all: usize = trials.suites.iter().map(|suite| suite.cases.len()).sum();
        let mut files: Vec<(&str, Vec<Run<'_>>)> = Vec::new();
        let mut done = 0;
        for suite in &trials.suites {
            let mut runs = Vec::new();
            for case in suite.cases.iter().filter(|case| case.name.to_lowercase().contains(&wanted)) {
                done += 1;
                progress(done, all);
                let run = self.play(case, &stage)?;
                self.print(&suite.file, &run);
                runs.push(run);
            }
            files.push((&suite.file, runs));
        }
        if done == 0 {
            match all {
                0 => eprintln!("no test to run: put files into the folder \"tests\" beside a dialplan, or name some"),
                _ => eprintln!("no test to run: none of {all} has \"{}\" in its name", self.filter),
            }
            return Ok(Exit::No);
        }
        let failed = files.iter().flat_map(|(_, runs)| runs).filter(|run| !run.failures.is_empty()).count();
        if self.format == Format::Table {
            println!("{done} tests, {failed} failed");
        }
        if let Err(error) = self.write_junit(&files) {
            eprintln!("{error}");
            return Ok(Exit::Environment);
        }
        Ok(if failed == 0 { Exit::Fine } else { Exit::No })
    }

    fn play<'a>(&self, case: &'a Case, stage: &trial::Floor) -> Result<Run<'a>, FloorError> {
        let mut seed = [0; 32];
        seed[..8].copy_from_slice(&self.seed.to_le_bytes());
        let began = Instant::now();
        let wrong = |error: BadSettings| FloorError::Wrong(vec![floor::of_file(&self.config, error.to_string(), None)]);
        let course = play(stage, &case.given, seed).map_err(wrong)?;
        let failures = judge(case, &course, &stage.program, &stage.catalogue);
        Ok(Run { case, course, failures, took_ms: began.elapsed().as_secs_f64() * 1_000.0 })
    }

    fn print(&self, file: &str, run: &Run<'_>) {
        if self.format == Format::Json {
            let Run { case, course, failures, took_ms } = run;
            let passed = failures.is_empty();
            let (name, line, steps, record) = (&case.name, case.line, &course.steps, &course.record);
            let line = json!({ "file": file, "line": line, "name": name, "passed": passed, "took_ms": took_ms,
                "failures": failures, "steps": steps, "record": record });
            println!("{line}");
            return;
        }
        let Run { case, course, failures, .. } = run;
        let Case { name, line, column, .. } = case;
        if failures.is_empty() {
            println!("pass  {name}");
        } else {
            println!("FAIL  {name}\n      {file}:{line}:{column}");
        }
        for Failure { key, diff } in failures {
            println!("    {key}: - expected, + happened");
            diff.iter().for_each(|line| println!("      {line}"));
        }
        if self.steps || !failures.is_empty() {
            println!("    the call:");
            course.told().for_each(|line| println!("      {line}"));
        }
    }

    fn write_junit(&self, files: &[(&str, Vec<Run<'_>>)]) -> Result<(), String> {
        let Some(path) = &self.junit else { return Ok(()) };
        let results: Vec<_> =
            files.iter().map(|(file, runs)| (*file, runs.iter().map(Run::result).collect())).collect();
        std::fs::write(path, junit(&results))
            .map_err(|error| format!("cannot write {}: {error}; check the folder and its permissions", path.display()))
    }
}

/// How far it is, on a terminal to which the results do not go.
fn progress(done: usize, all: usize) {
    let mut terminal = std::io::stderr().lock();
    if terminal.is_terminal() && !std::io::stdout().is_terminal() && (done == all || done.is_multiple_of(100)) {
        // Who has closed the terminal does not want to know.
        let _ = write!(terminal, "\r{done} of {all}\r");
    }
}
