//! Where tests of dialplans lie, and the floor that they are played on.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::floor::{self, Floor, FloorError};
use crate::dialplan::{Problem, Prompt};
use crate::node;
use crate::trial::{self, Known, Suite};

/// The tests that fit a floor.
pub(super) struct Trials {
    pub(super) suites: Vec<Suite>,
    /// Files whose tests are for other dialplans than the floor's.
    pub(super) elsewhere: usize,
}

/// The floor as tests are played on it, with its prompts as long as their files.
pub(super) fn stage(floor: &Floor) -> Result<trial::Floor, FloorError> {
    let lengths = node::prompt_lengths(Path::new(&floor.settings.prompts));
    let lengths = lengths.map_err(|error| FloorError::Wrong(vec![floor::unplayable_file(error)]))?.into_iter();
    let prompts = lengths.map(|((language, name), ms)| (Prompt::new(&language, &name), ms)).collect();
    let acd = floor.settings.acd(&floor.program);
    let (program, catalogue) = (Arc::new(floor.program.clone()), floor.catalogue.clone());
    Ok(trial::Floor { program, acd, prompts, catalogue })
}

/// Reads files and folders of tests; where none are named, the folders `tests` beside the dialplans of the settings.
pub(super) fn read(floor: &Floor, stage: &trial::Floor, named: &[PathBuf]) -> Result<Trials, FloorError> {
    let trunks: BTreeSet<String> = floor.settings.trunks.keys().cloned().collect();
    let known = Known { floor: stage, trunks: &trunks };
    let mut trials = Trials { suites: Vec::new(), elsewhere: 0 };
    let mut problems: Vec<Problem> = Vec::new();
    for path in paths(floor, named)? {
        let source = floor::read(&path)?;
        let plan = trial::plan_of(&source.text).map(|plan| path.parent().unwrap_or(Path::new("")).join(plan));
        if plan.is_some_and(|plan| !plan.canonicalize().is_ok_and(|plan| floor.plans.contains(&plan))) {
            trials.elsewhere += 1;
            continue;
        }
        match trial::read(&source, known) {
            Ok(suite) => trials.suites.push(suite),
            Err(found) => problems.extend(found),
        }
    }
    if problems.is_empty() { Ok(trials) } else { Err(FloorError::Wrong(problems)) }
}

fn paths(floor: &Floor, named: &[PathBuf]) -> Result<Vec<PathBuf>, FloorError> {
    let folders: Vec<PathBuf> = if named.is_empty() {
        let beside: BTreeSet<PathBuf> = floor.settings.dialplans.iter().map(|plan| tests_beside(plan)).collect();
        beside.into_iter().filter(|folder| folder.is_dir()).collect()
    } else {
        named.to_vec()
    };
    let mut paths = Vec::new();
    for folder in folders {
        paths.extend(floor::plan_files(&folder)?);
    }
    Ok(paths)
}

fn tests_beside(plan: &str) -> PathBuf {
    let plan = Path::new(plan);
    if plan.is_dir() { plan.join("tests") } else { plan.with_file_name("tests") }
}
