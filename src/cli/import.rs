//! `trunkline import`: the dialplan of another switch, made into ours.

use std::collections::BTreeSet;
use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use jiff::tz::TimeZone;

use super::Exit;
use super::check::report;
use super::floor::{self, FloorError};
use super::records::{Format, cell};
use crate::dialplan::{Problem, Source};
use crate::import::{Imported, Wishes, asterisk, freeswitch};

/// Make a dialplan of another switch's files, and a list of what needs a person
#[derive(Debug, Args)]
pub(super) struct Import {
    #[command(subcommand)]
    from: From,
}

#[derive(Debug, Subcommand)]
enum From {
    Asterisk(Asterisk),
    Freeswitch(Freeswitch),
}

/// From Asterisk's extensions.conf and queues.conf
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  trunkline import asterisk extensions.conf queues.conf > dialplans/imported.toml\n  \
    trunkline import asterisk extensions.conf queues.conf --context from-trunk --config config/demo.toml --into dialplans\n\n\
    The plan goes to the standard output, what needs a person to the standard error.\n\
    Exit codes: 0 a plan was made, 1 with --strict where something needs a person, 2 usage, 3 a file cannot be read or written"
)]
struct Asterisk {
    /// extensions.conf
    extensions: PathBuf,
    /// queues.conf
    queues: Option<PathBuf>,
    #[command(flatten)]
    how: How,
}

/// From FreeSWITCH's callcenter.conf.xml, ivr.conf.xml and the files of its dialplan
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  trunkline import freeswitch callcenter.conf.xml dialplan/*.xml --context public --into dialplans\n\n\
    The plan goes to the standard output, what needs a person to the standard error.\n\
    Exit codes: 0 a plan was made, 1 with --strict where something needs a person, 2 usage, 3 a file cannot be read or written"
)]
struct Freeswitch {
    /// XML files in any order; where two take the same calls, the first does
    #[arg(required = true)]
    files: Vec<PathBuf>,
    #[command(flatten)]
    how: How,
}

#[derive(Debug, Args)]
struct How {
    /// A context in which calls begin; again for each; where absent those that no other one leads to
    #[arg(long = "context", value_name = "NAME")]
    contexts: Vec<String>,
    /// The settings file of the floor: its prompts and agents need nobody
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// The language of the flows
    #[arg(long, default_value = "en")]
    language: String,
    /// The time zone of opening hours
    #[arg(long, default_value = "UTC")]
    zone: String,
    /// Write FOLDER/asterisk.toml or FOLDER/freeswitch.toml in place of the standard output
    #[arg(long, value_name = "FOLDER")]
    into: Option<PathBuf>,
    /// Overwrite the file that is there
    #[arg(long, requires = "into")]
    force: bool,
    /// How the list comes out
    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
    /// Exit with 1 where something needs a person
    #[arg(long)]
    strict: bool,
}

impl Import {
    pub(super) fn run(&self) -> Exit {
        match &self.from {
            From::Asterisk(Asterisk { extensions, queues, how }) => {
                let files: Vec<&Path> =
                    [Some(extensions), queues.as_ref()].into_iter().flatten().map(|file| &**file).collect();
                how.run("asterisk", &files, |sources, wishes| asterisk(&sources[0], sources.get(1), wishes))
            }
            From::Freeswitch(Freeswitch { files, how }) => {
                let files: Vec<&Path> = files.iter().map(|file| &**file).collect();
                how.run("freeswitch", &files, freeswitch)
            }
        }
    }
}

impl How {
    fn run(&self, name: &str, files: &[&Path], import: impl Fn(&[Source], &Wishes) -> Imported) -> Exit {
        let wishes = match self.wishes() {
            Ok(wishes) => wishes,
            Err(exit) => return exit,
        };
        let sources: Result<Vec<Source>, FloorError> = files.iter().map(|file| floor::read(file)).collect();
        let imported = match sources {
            Ok(sources) => import(&sources, &wishes),
            Err(error) => return report(&error),
        };
        if let Err(exit) = self.put(name, &imported.plan).and_then(|()| self.tell(&imported.left)) {
            return exit;
        }
        if self.strict && !imported.left.is_empty() { Exit::No } else { Exit::Fine }
    }

    fn wishes(&self) -> Result<Wishes, Exit> {
        let plain =
            !self.language.is_empty() && self.language.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-".contains(&b));
        if !plain {
            eprintln!("--language {}: give the name of a folder of prompts, such as en", self.language);
            return Err(Exit::Usage);
        }
        if let Err(error) = TimeZone::get(&self.zone) {
            eprintln!("--zone {}: {error}; give an IANA name such as Asia/Shanghai", self.zone);
            return Err(Exit::Usage);
        }
        let (mut prompts, mut agents) = (BTreeSet::new(), BTreeSet::new());
        if let Some(config) = &self.config {
            let settings = floor::load_settings(config).map_err(|error| report(&error))?;
            prompts = floor::prompt_files(Path::new(&settings.prompts)).map_err(|error| report(&error))?;
            agents = settings.agents.keys().cloned().collect();
        }
        let (language, zone, contexts) = (self.language.clone(), self.zone.clone(), self.contexts.clone());
        Ok(Wishes { prompts, agents, language, zone, contexts })
    }

    /// Writes the plan; a file that is there is overwritten only on demand.
    fn put(&self, name: &str, plan: &str) -> Result<(), Exit> {
        let Some(folder) = &self.into else {
            print!("{plan}");
            return Ok(());
        };
        let file = folder.join(format!("{name}.toml"));
        let written = fs::create_dir_all(folder).and_then(|()| {
            let mut options = OpenOptions::new();
            options.write(true);
            if self.force {
                options.create(true).truncate(true)
            } else {
                options.create_new(true)
            };
            options.open(&file)?.write_all(plan.as_bytes())
        });
        written.map_err(|error| {
            let there = error.kind() == std::io::ErrorKind::AlreadyExists;
            let advice = if there { "--force overwrites it" } else { "check the folder and its permissions" };
            eprintln!("cannot write {}: {error}; {advice}", file.display());
            Exit::Environment
        })
    }

    fn tell(&self, left: &[Problem]) -> Result<(), Exit> {
        match self.format {
            Format::Json => left.iter().for_each(|problem| eprintln!("{}", serde_json::json!(problem))),
            Format::Csv => return print_csv(left),
            Format::Table => left.iter().for_each(|Problem { file, line, message, hint, .. }| {
                let place = format!("{file}:{line}");
                eprintln!("{place:<32} {message}\n{:<32} -> {}", "", hint.as_deref().unwrap_or_default());
            }),
        }
        if self.format == Format::Table && !left.is_empty() {
            let what = if left.len() == 1 { "one thing needs" } else { "things need" };
            let count = if left.len() == 1 { String::new() } else { format!("{} ", left.len()) };
            eprintln!("{count}{what} a person; the plan passes `trunkline check` once prompts and agents are there");
        }
        Ok(())
    }
}

fn print_csv(left: &[Problem]) -> Result<(), Exit> {
    let mut writer = csv::Writer::from_writer(std::io::stderr().lock());
    let mut lines = vec![["file", "line", "found", "do"].map(str::to_owned)];
    lines.extend(left.iter().map(|Problem { file, line, message, hint, .. }| {
        [cell(file), line.to_string(), cell(message), cell(hint.as_deref().unwrap_or_default())]
    }));
    let written = lines.iter().try_for_each(|line| writer.write_record(line)).and_then(|()| Ok(writer.flush()?));
    written.map_err(|error| {
        eprintln!("cannot write the list: {error}");
        Exit::Environment
    })
}
