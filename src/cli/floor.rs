//! Settings, dialplans and prompts from the disk.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use crate::config::{self, Settings};
use crate::dialplan::{self, Catalogue, Problem, Program, Source, Surroundings};
use crate::net::{Tls, TlsError};

/// What the files say.
pub(super) struct Floor {
    pub(super) settings: Settings,
    pub(super) program: Program,
    pub(super) catalogue: Catalogue,
}

/// Why there is no floor.
#[derive(Debug, thiserror::Error)]
pub(super) enum FloorError {
    /// A file cannot be read.
    #[error("cannot read {path}: {source}; check the name and its permissions")]
    Unreadable { path: String, source: std::io::Error },
    /// The files are wrong.
    #[error("{} in the files", count(.0.len()))]
    Wrong(Vec<Problem>),
}

/// Reads everything that the settings file `config` leads to, the trunks in `trunks.d` beside it included.
pub(super) fn load(config: &Path) -> Result<Floor, FloorError> {
    // Variables that are not UTF-8 cannot be ours.
    let environment = std::env::vars_os().filter_map(|(n, v)| Some((n.into_string().ok()?, v.into_string().ok()?)));
    let trunks = config.with_file_name("trunks.d");
    let trunks = if trunks.is_dir() { plan_files(&trunks)? } else { Vec::new() };
    let trunks = trunks.iter().map(|path| read(path)).collect::<Result<Vec<_>, _>>()?;
    let (settings, mut problems) = config::load_partly(&read(config)?, &trunks, environment);
    let Some(settings) = settings else { return Err(FloorError::Wrong(problems)) };
    let mut sources = Vec::new();
    for name in &settings.dialplans {
        for path in plan_files(Path::new(name))? {
            sources.push(read(&path)?);
        }
    }
    let folder = Path::new(&settings.prompts);
    let prompts = prompt_files(folder)?;
    let agents: BTreeSet<String> = settings.agents.keys().cloned().collect();
    let program =
        dialplan::load(&sources, Surroundings { prompts: &prompts, agents: problems.is_empty().then_some(&agents) });
    let catalogue_file = folder.join("catalogue.toml");
    let catalogue =
        if catalogue_file.is_file() { Catalogue::read(&read(&catalogue_file)?) } else { Ok(Catalogue::default()) };
    match (program, catalogue) {
        (Ok(program), Ok(catalogue)) if problems.is_empty() => Ok(Floor { settings, program, catalogue }),
        (program, catalogue) => {
            problems.extend(program.err().into_iter().chain(catalogue.err()).flatten());
            Err(FloorError::Wrong(problems))
        }
    }
}

/// Opens the files that are opened at the start only: those of `[tls]`.
pub(super) fn check_files(settings: &Settings) -> Result<(), FloorError> {
    let Some(tls) = &settings.tls else { return Ok(()) };
    let pair = tls.pair.as_ref().map(|(certificate, key)| (Path::new(certificate), Path::new(key)));
    let wrong = Tls::check(pair, tls.client_ca.as_ref().map(Path::new), tls.trust.as_ref().map(Path::new));
    let problem = |error: TlsError| {
        let place = tls.places.iter().find(|(setting, _)| Some(*setting) == error.setting());
        // Every error that there can be names a setting, and what is set stands somewhere.
        let place = place.or(tls.places.first()).map(|(_, place)| place.clone());
        place.map(|place| Problem { message: format!("{}{error}", place.message), ..place })
    };
    let problems: Vec<Problem> = wrong.into_iter().filter_map(problem).collect();
    if problems.is_empty() { Ok(()) } else { Err(FloorError::Wrong(problems)) }
}

fn count(problems: usize) -> String {
    if problems == 1 { "one problem".to_owned() } else { format!("{problems} problems") }
}

fn read(path: &Path) -> Result<Source, FloorError> {
    let text = fs::read_to_string(path).map_err(|source| unreadable(path, source))?;
    Ok(Source { file: path.display().to_string(), text })
}

fn unreadable(path: &Path, source: std::io::Error) -> FloorError {
    FloorError::Unreadable { path: path.display().to_string(), source }
}

/// A file, or the `*.toml` of a folder in lexical order.
fn plan_files(path: &Path) -> Result<Vec<PathBuf>, FloorError> {
    if !path.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    Ok(list(path)?.into_iter().filter(|file| file.extension().is_some_and(|ending| ending == "toml")).collect())
}

/// Every WAV file of the folder and of the languages in it, as `<language>/<name>.wav`.
fn prompt_files(folder: &Path) -> Result<BTreeSet<String>, FloorError> {
    let mut found = BTreeSet::new();
    if !folder.is_dir() {
        return Ok(found);
    }
    for entry in list(folder)? {
        let inner = if entry.is_dir() { list(&entry)? } else { vec![entry] };
        let wav = inner.iter().filter(|file| file.extension().is_some_and(|ending| ending == "wav"));
        found.extend(wav.filter_map(|file| Some(file.strip_prefix(folder).ok()?.to_str()?.to_owned())));
    }
    Ok(found)
}

fn list(folder: &Path) -> Result<Vec<PathBuf>, FloorError> {
    let entries = fs::read_dir(folder).and_then(|entries| entries.map(|entry| Ok(entry?.path())).collect());
    let mut entries: Vec<PathBuf> = entries.map_err(|source| unreadable(folder, source))?;
    entries.sort();
    Ok(entries)
}
