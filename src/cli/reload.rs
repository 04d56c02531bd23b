//! `trunkline reload`: makes the running floor follow its files.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use clap::Args;
use serde::Deserialize;

use super::Exit;
use super::client::{Answer, Client};
use super::floor::{self, FloorError};
use crate::api::{Named, Names, ReloadRefusal, ReloadReport};
use crate::config::{Program, Settings};
use crate::dialplan::Problem;
use crate::id::{AgentId, QueueId};
use crate::net::Tls;
use crate::node::{Node, Reloader};

/// Make the running floor follow its files
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  trunkline reload --config config/demo.toml --dry-run\n  \
    trunkline reload --config config/demo.toml\n\n\
    Settings, dialplans, prompts and certificates are read and checked aside and swapped at once. Calls in progress end on the\n\
    plan that they began with; queues that are gone take nobody new and serve who waits. A file that is wrong changes nothing.\n\
    Exit codes: 0 done, 1 problems in the files, 2 usage, 3 the floor does not answer")]
pub(super) struct Reload {
    /// The settings file
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// Only tell what would change
    #[arg(long)]
    dry_run: bool,
}

#[derive(Deserialize)]
struct Done {
    changes: Vec<String>,
    waiting: Vec<String>,
}

impl Reload {
    pub(super) fn run(&self) -> Exit {
        self.ask().unwrap_or_else(|exit| exit)
    }

    fn ask(&self) -> Result<Exit, Exit> {
        let path = if self.dry_run { "/api/v1/reload?dry_run=true" } else { "/api/v1/reload" };
        let done: Done = match Client::for_reload(&self.config)?.post(path)? {
            Answer::Done(done) => done,
            Answer::Refused(problem) => return Ok(tell_refusal(&problem)),
        };
        let verb = if self.dry_run { "would change" } else { "changed" };
        if done.changes.is_empty() {
            println!("nothing {verb}");
        }
        done.changes.iter().for_each(|line| println!("{verb}: {line}"));
        done.waiting.iter().for_each(|name| println!("waits for the next start: {name}"));
        Ok(Exit::Fine)
    }
}

fn tell_refusal(problem: &serde_json::Value) -> Exit {
    for one in problem["problems"].as_array().into_iter().flatten() {
        match serde_json::from_value::<Problem>(one.clone()) {
            Ok(one) => eprint!("{}", super::check::shown(&one)),
            Err(_) => eprintln!("{one}"),
        }
    }
    eprintln!("{}", problem["detail"].as_str().unwrap_or("the floor refuses"));
    Exit::No
}

/// Who and what the settings name, for the API.
pub(super) fn names(settings: &Settings, program: &Program) -> Names {
    let queues = program.queues().iter().map(|(name, queue)| {
        let members = queue.members.iter().map(|member| AgentId::from(member.as_str())).collect();
        (QueueId::from(name.as_str()), members)
    });
    let agents = settings.agents.keys().map(|agent| AgentId::from(agent.as_str())).collect();
    Names { agents, queues: queues.collect(), reasons: settings.reasons.clone() }
}

/// What reads the files of `config` again and puts them in force on `node`; the flag says that nothing is to be changed.
pub(super) fn reload(
    config: &Path,
    node: &Node,
    named: Named,
) -> impl Fn(bool) -> Result<ReloadReport, ReloadRefusal> + Send + Sync + 'static {
    let (config, reloader, tls) = (config.to_owned(), Arc::clone(&node.reloader), node.tls.clone());
    move |dry_run| follow(&config, &reloader, tls.as_ref(), &named, dry_run)
}

fn follow(
    config: &Path,
    reloader: &Mutex<Reloader>,
    tls: Option<&Tls>,
    named: &Named,
    dry_run: bool,
) -> Result<ReloadReport, ReloadRefusal> {
    // Held to the end: one reload at a time.
    let mut reloader = reloader.lock().unwrap_or_else(PoisonError::into_inner);
    let floor =
        floor::load(config).and_then(|floor| floor::check_files(&floor.settings, &floor.program).map(|()| floor));
    let floor = floor.map_err(|error| match error {
        FloorError::Wrong(problems) => ReloadRefusal::Wrong(serde_json::json!(problems)),
        FloorError::Unreadable { .. } => ReloadRefusal::Impossible(error.to_string()),
    })?;
    let warnings = serde_json::json!(floor.warnings);
    let told = if dry_run {
        reloader.look(&floor.settings, &floor.program)
    } else {
        let names = names(&floor.settings, &floor.program);
        if let Some(tls) = tls {
            tls.reload().map_err(|error| ReloadRefusal::Impossible(error.to_string()))?;
        }
        let told = reloader.reload(floor.settings, floor.program);
        let told = told.map_err(|error| ReloadRefusal::Impossible(error.to_string()))?;
        named.set(names);
        told
    };
    let waiting = told.waiting.into_iter().map(str::to_owned).collect();
    Ok(ReloadReport { changes: told.changes, waiting, warnings })
}
