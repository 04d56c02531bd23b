//! Dialplans of other switches, made into ours: texts go in, a plan and a list of what needs a person come out.
//!
//! What has an equal step is translated, everything else is on the list. The plan passes the checker as soon as the prompts that it
//! names are there, its agents are in the settings, and so it is always a place to go on from.

mod asterisk;
mod draft;
mod freeswitch;
mod mend;
mod write;

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use crate::dialplan::{Place, Problem, Report};

pub use asterisk::asterisk;
pub use draft::Wishes;
pub use freeswitch::freeswitch;

use draft::{Ask, Do, Plan, Said};

/// What became of the files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Imported {
    /// A dialplan file.
    pub plan: String,
    /// The prompts that it plays, by name.
    pub prompts: BTreeSet<String>,
    /// What needs a person: where it stands, what was found (`message`), and what to do (`hint`).
    pub left: Vec<Problem>,
}

/// Mends and writes a plan. `agents` says where each agent was named.
fn finish(
    mut plan: Plan,
    agents: &BTreeMap<String, Place>,
    from: &str,
    wishes: &Wishes,
    mut report: Report,
) -> Imported {
    if plan.flows.is_empty() {
        let advice = "no number leads anywhere: name the context in which calls begin by --context".to_owned();
        report.warning(Place { file: 0, offset: 0 }, "a plan without flows", Some(advice));
    }
    mend::mend(&mut plan, &mut report);
    let prompts = prompts(&plan);
    for (name, place) in &prompts {
        if !wishes.prompts.contains(&format!("{}/{name}.wav", wishes.language)) {
            let advice = format!(
                "put {}/{name}.wav into the folder of prompts (WAV, one channel, 16 bit, 8 or 16 kHz), or add [prompt.{name}] to \
                 its catalogue and render it",
                wishes.language
            );
            report.warning(*place, format!("the prompt \"{name}\""), Some(advice));
        }
    }
    for (agent, place) in agents.iter().filter(|(agent, _)| !wishes.agents.contains(*agent)) {
        let used = plan.queues.values().any(|queue| queue.members.contains(agent));
        if used {
            let advice = Some(format!("add [agent.\"{agent}\"] to the settings"));
            report.warning(*place, format!("agent {agent}"), advice);
        }
    }
    let text = write::write(&plan, from, wishes);
    let prompts = prompts.into_keys().collect();
    Imported { plan: text, prompts, left: report.into_problems() }
}

/// The prompts that steps play, and where each is played first.
fn prompts(plan: &Plan) -> BTreeMap<String, Place> {
    let mut prompts = BTreeMap::new();
    for step in plan.flows.iter().flat_map(|flow| &flow.steps) {
        let said = |said: &[Said]| -> Vec<String> {
            let named = said.iter().filter_map(|said| match said {
                Said::Prompt(name) => Some(name.clone()),
                _ => None,
            });
            named.collect()
        };
        let names = match &step.action {
            Do::Play { said: list, .. } => said(list),
            Do::Menu { ask: Ask { prompts, again, invalid, .. }, .. }
            | Do::Gather { ask: Ask { prompts, again, invalid, .. }, .. } => {
                [prompts, again, invalid].into_iter().flatten().cloned().collect()
            }
            Do::Voicemail { prompts, .. } => prompts.iter().cloned().chain(["beep".to_owned()]).collect(),
            Do::Queue { queue, .. } => {
                let messages = plan.queues.get(queue).map_or(&[][..], |queue| &queue.messages);
                messages.iter().flat_map(|message| said(&message.said)).collect()
            }
            _ => Vec::new(),
        };
        for name in names {
            prompts.entry(name).or_insert(step.place);
        }
    }
    prompts
}
