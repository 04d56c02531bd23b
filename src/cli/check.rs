//! `trunkline check`: every error of settings, dialplans and their tests, prompts and certificates at once.

use std::path::PathBuf;

use clap::Args;

use super::Exit;
use super::floor::{self, Floor, FloorError};
use super::trials;
use crate::dialplan::{Problem, Severity};

/// Check settings, dialplans and their tests, prompts and certificates; every error as file:line:column
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  trunkline check --config config/demo.toml\n\n\
    Exit codes: 0 fine, 1 problems found, 2 usage, 3 a file cannot be read")]
pub(super) struct Check {
    /// The settings file
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// Print a JSON object for editors and CI
    #[arg(long)]
    json: bool,
}

impl Check {
    pub(super) fn run(&self) -> Exit {
        match self.load() {
            Ok((floor, tests)) => {
                if self.json {
                    println!("{}", serde_json::json!({ "problems": floor.warnings }));
                } else {
                    floor.warnings.iter().for_each(|warning| eprint!("{}", shown(warning)));
                    let numbers = floor.program.numbers().written().count();
                    let queues = floor.program.queues().len();
                    let (agents, trunks) = (floor.settings.agents.len(), floor.settings.trunks.len());
                    let file = self.config.display();
                    let counts = format!("{numbers} numbers, {queues} queues, {agents} agents, {trunks} trunks");
                    println!("{file}: fine ({counts}, {tests} tests)");
                }
                Exit::Fine
            }
            Err(FloorError::Wrong(problems)) if self.json => {
                println!("{}", serde_json::json!({ "problems": problems }));
                Exit::No
            }
            Err(error) => report(&error),
        }
    }

    /// Everything that the settings lead to, and how many tests of dialplans are beside.
    fn load(&self) -> Result<(Floor, usize), FloorError> {
        let floor = floor::load(&self.config)?;
        floor::check_files(&floor.settings, &floor.program)?;
        let trials = trials::read(&floor, &trials::stage(&floor)?, &[])?;
        let tests = trials.suites.iter().map(|suite| suite.cases.len()).sum();
        Ok((floor, tests))
    }
}

/// Tells a person why there is no floor.
pub(super) fn report(error: &FloorError) -> Exit {
    match error {
        FloorError::Wrong(problems) => {
            for problem in problems {
                eprint!("{}", shown(problem));
            }
            eprintln!("{error}");
            Exit::No
        }
        FloorError::Unreadable { .. } => {
            eprintln!("{error}");
            Exit::Environment
        }
    }
}

pub(super) fn shown(problem: &Problem) -> String {
    let Problem { file, line, column, severity, message, hint, excerpt } = problem;
    let kind = if *severity == Severity::Warning { "warning: " } else { "" };
    let mut text = if *line == 0 {
        format!("{file}: {kind}{message}\n")
    } else {
        format!("{file}:{line}:{column}: {kind}{message}\n")
    };
    if !excerpt.is_empty() {
        // Tabs stay tabs under the line, so that the mark stands where the column is.
        let indent: String = excerpt.chars().take(column - 1).map(|c| if c == '\t' { c } else { ' ' }).collect();
        text += &format!("    {excerpt}\n    {indent}^\n");
    }
    if let Some(hint) = hint {
        text += &format!("    hint: {hint}\n");
    }
    text
}
