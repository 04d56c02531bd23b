//! Settings, dialplans and prompts from the disk.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::config::{self, Settings};
use crate::dialplan::{self, Catalogue, Problem, Program, Severity, Source, Surroundings};
use crate::media::progress;
use crate::net::{Tls, TlsError};
use crate::node;

/// What the files say.
pub(super) struct Floor {
    pub(super) settings: Settings,
    pub(super) program: Program,
    /// What is allowed and seldom meant.
    pub(super) warnings: Vec<Problem>,
    pub(super) catalogue: Catalogue,
    /// The files of the plan, by their real paths.
    pub(super) plans: BTreeSet<PathBuf>,
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

/// Reads the settings alone.
pub(super) fn load_settings(config: &Path) -> Result<Settings, FloorError> {
    let (settings, problems) = read_settings(config)?;
    settings.ok_or(FloorError::Wrong(problems))
}

fn read_settings(config: &Path) -> Result<(Option<Settings>, Vec<Problem>), FloorError> {
    // Variables that are not UTF-8 cannot be ours.
    let environment = std::env::vars_os().filter_map(|(n, v)| Some((n.into_string().ok()?, v.into_string().ok()?)));
    let trunks = config.with_file_name("trunks.d");
    let trunks = if trunks.is_dir() { plan_files(&trunks)? } else { Vec::new() };
    let trunks = trunks.iter().map(|path| read(path)).collect::<Result<Vec<_>, _>>()?;
    Ok(config::load_partly(&read(config)?, &trunks, environment))
}

/// Reads everything that the settings file `config` leads to, the trunks in `trunks.d` beside it included.
pub(super) fn load(config: &Path) -> Result<Floor, FloorError> {
    let (settings, mut problems) = read_settings(config)?;
    let Some(settings) = settings else { return Err(FloorError::Wrong(problems)) };
    let mut plans = Plans::read(&settings.dialplans)?;
    let sound = problems.is_empty();
    problems.append(&mut plans.problems);
    let folder = Path::new(&settings.prompts);
    let mut prompts = prompt_files(folder)?;
    prompts.extend(progress::NAMES.map(|tone| format!("{tone}.wav")));
    let agents = settings.agents.iter().map(|(number, agent)| (number.clone(), agent.skills.clone())).collect();
    let trunks: BTreeSet<String> = settings.trunks.keys().cloned().collect();
    let webhooks: BTreeSet<String> = settings.webhooks.keys().cloned().collect();
    let surroundings = Surroundings {
        prompts: &prompts,
        agents: sound.then_some(&agents),
        trunks: sound.then_some(&trunks),
        webhooks: sound.then_some(&webhooks),
        beside: &plans.beside,
        year: Some(TimeZone::UTC.to_datetime(Timestamp::now()).year()),
    };
    let program = dialplan::load(&plans.sources, surroundings);
    let catalogue_file = folder.join("catalogue.toml");
    let catalogue =
        if catalogue_file.is_file() { Catalogue::read(&read(&catalogue_file)?) } else { Ok(Catalogue::default()) };
    match (program, catalogue) {
        (Ok((program, mut warnings)), Ok(mut catalogue)) if problems.is_empty() => {
            catalogue.add_texts(&program);
            warnings.extend(hidden_by_emergency(config, &settings, &program));
            Ok(Floor { settings, program, warnings, catalogue, plans: plans.seen })
        }
        (program, catalogue) => {
            problems.extend(program.err().into_iter().chain(catalogue.err()).flatten());
            Err(FloorError::Wrong(problems))
        }
    }
}

/// Numbers and users that our own users cannot reach, as an emergency number is called like them.
fn hidden_by_emergency(config: &Path, settings: &Settings, program: &dialplan::Program) -> Vec<Problem> {
    let emergency = settings.routes.iter().filter(|route| route.emergency).map(|route| &route.prefix);
    let hidden = emergency.filter_map(|number| {
        let what = match program.numbers().destination(number, None) {
            Some(_) => "a number of the dialplan",
            None if settings.agents.contains_key(number) => "an agent's",
            None => return None,
        };
        let message =
            format!("\"{number}\" is {what} and the emergency number of a route, which our users reach by it");
        let hint = "give the other one another name".to_owned();
        Some(Problem { severity: Severity::Warning, ..of_file(config, message, Some(hint)) })
    });
    hidden.collect()
}

/// The dialplans and what lies beside them.
#[derive(Default)]
struct Plans {
    sources: Vec<Source>,
    beside: BTreeMap<String, String>,
    seen: BTreeSet<PathBuf>,
    /// What is included and is not there.
    problems: Vec<Problem>,
}

impl Plans {
    /// Reads the files and folders that the settings name, and those that they include.
    fn read(names: &[String]) -> Result<Self, FloorError> {
        let mut plans = Self::default();
        for name in names {
            let path = Path::new(name);
            let folder = if path.is_dir() { path } else { path.parent().unwrap_or(Path::new("")) };
            plans.read_beside(folder, folder)?;
            for file in plan_files(path)? {
                plans.take(&file)?;
            }
        }
        Ok(plans)
    }

    /// One file, and those that it includes, each once.
    fn take(&mut self, path: &Path) -> Result<(), FloorError> {
        if !self.seen.insert(real(path)?) {
            return Ok(());
        }
        let source = read(path)?;
        let own = self.sources.len();
        let included = dialplan::includes(&source.text);
        self.sources.push(source);
        for name in included {
            let target = path.parent().unwrap_or(Path::new("")).join(&name);
            let there = plan_files(&target).and_then(|files| {
                files.iter().try_for_each(|file| real(file).map(drop))?;
                Ok(files)
            });
            match there {
                Ok(files) => files.iter().try_for_each(|file| self.take(file))?,
                Err(error) => {
                    let text = self.sources.get(own).map_or("", |source| source.text.as_str());
                    self.problems.push(missing(path, text, &name, &error));
                }
            }
        }
        Ok(())
    }

    /// Calendars and directories of a folder and of those in it, by their path under `root`.
    fn read_beside(&mut self, root: &Path, folder: &Path) -> Result<(), FloorError> {
        let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
        for path in list(folder)? {
            if path.is_dir() {
                self.read_beside(root, &path)?;
            } else if path.to_str().is_some_and(dialplan::is_beside) {
                let name = path.strip_prefix(root).unwrap_or(&path).display().to_string();
                self.beside.insert(name, read(&path)?.text);
            }
        }
        Ok(())
    }
}

/// A file by the one name that it has, however it is written.
fn real(path: &Path) -> Result<PathBuf, FloorError> {
    path.canonicalize().map_err(|source| unreadable(path, source))
}

/// An included file that cannot be read, at the place where it is named.
fn missing(path: &Path, text: &str, name: &str, error: &FloorError) -> Problem {
    let quoted = format!("\"{name}\"");
    let at = text.find(&quoted).unwrap_or(0);
    let before = text.get(..at).unwrap_or_default();
    let line = before.matches('\n').count();
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count();
    let folder = path.parent().unwrap_or(Path::new("")).join(name);
    let beside = list(folder.parent().unwrap_or(Path::new("."))).unwrap_or_default();
    let names: Vec<String> =
        beside.iter().filter_map(|path| Some(path.file_name()?.to_string_lossy().into_owned())).collect();
    Problem {
        severity: Severity::Error,
        file: path.display().to_string(),
        line: line + 1,
        column: column + 1,
        message: match error {
            FloorError::Unreadable { source, .. } => format!("\"{name}\" cannot be included: {source}"),
            FloorError::Wrong(_) => format!("\"{name}\" cannot be included: {error}"),
        },
        hint: dialplan::suggest(name, names.iter().map(String::as_str)),
        excerpt: text.lines().nth(line).unwrap_or_default().to_owned(),
    }
}

/// Opens the files that the floor opens when it starts: prompts, music, and those of `[tls]`.
pub(super) fn check_files(settings: &Settings, program: &Program) -> Result<(), FloorError> {
    let unplayable = node::unplayable(Path::new(&settings.prompts), &program.music_files()).into_iter();
    let problems: Vec<Problem> = unplayable.map(unplayable_file).chain(tls_problems(settings)).collect();
    if problems.is_empty() { Ok(()) } else { Err(FloorError::Wrong(problems)) }
}

/// What a person is told of a file that cannot be played.
pub(super) fn unplayable_file(error: node::PromptError) -> Problem {
    let hint = "replace it by a WAV file with one channel, 16 bit, 8 or 16 kHz".to_owned();
    of_file(&error.path, format!("cannot be played: {}", error.what), Some(hint))
}

/// A problem of a file as a whole.
pub(super) fn of_file(path: &Path, message: String, hint: Option<String>) -> Problem {
    let (file, excerpt) = (path.display().to_string(), String::new());
    Problem { file, line: 0, column: 0, severity: Severity::Error, message, hint, excerpt }
}

fn tls_problems(settings: &Settings) -> Vec<Problem> {
    let Some(tls) = &settings.tls else { return Vec::new() };
    let pair = tls.pair.as_ref().map(|(certificate, key)| (Path::new(certificate), Path::new(key)));
    let wrong = Tls::check(pair, tls.client_ca.as_ref().map(Path::new), tls.trust.as_ref().map(Path::new));
    let problem = |error: TlsError| {
        let place = tls.places.iter().find(|(setting, _)| Some(*setting) == error.setting());
        // Every error that there can be names a setting, and what is set stands somewhere.
        let place = place.or(tls.places.first()).map(|(_, place)| place.clone());
        place.map(|place| Problem { message: format!("{}{error}", place.message), ..place })
    };
    wrong.into_iter().filter_map(problem).collect()
}

fn count(problems: usize) -> String {
    if problems == 1 { "one problem".to_owned() } else { format!("{problems} problems") }
}

pub(super) fn read(path: &Path) -> Result<Source, FloorError> {
    let text = fs::read_to_string(path).map_err(|source| unreadable(path, source))?;
    Ok(Source { file: path.display().to_string(), text })
}

fn unreadable(path: &Path, source: std::io::Error) -> FloorError {
    FloorError::Unreadable { path: path.display().to_string(), source }
}

/// A file, or the `*.toml` of a folder in lexical order.
pub(super) fn plan_files(path: &Path) -> Result<Vec<PathBuf>, FloorError> {
    if !path.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    Ok(list(path)?.into_iter().filter(|file| file.extension().is_some_and(|ending| ending == "toml")).collect())
}

/// Every WAV file of the folder and of the languages in it, as `<language>/<name>.wav`.
pub(super) fn prompt_files(folder: &Path) -> Result<BTreeSet<String>, FloorError> {
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
