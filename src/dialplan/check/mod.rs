//! What a plan that reads well can still get wrong: steps that nobody reaches, loops that spin, prompts without a file,
//! and recordings that nobody announced.

mod flows;
mod paths;
mod unused;

use std::collections::BTreeSet;

use super::action::Action;
use super::change::RecordChange;
use super::load::{Agents, Places, Surroundings};
use super::program::{Program, Prompt, StepRef};
use super::report::{Place, Report, suggest};
use super::speech;
use super::talk::Said;
use super::values::Template;
use paths::{Facts, Paths};

const NOWHERE: Place = Place { file: 0, offset: 0 };

pub(super) fn check(program: &Program, places: &Places, surroundings: Surroundings<'_>, report: &mut Report) {
    let paths = Paths::of(program);
    for (index, step) in program.steps.iter().enumerate() {
        let place = places.steps.get(index).copied().unwrap_or(NOWHERE);
        let Some(known) = paths.facts(StepRef(index)) else {
            if places.broken.contains(&step.flow) {
                continue;
            }
            report.problem(place, format!("no path leads to step \"{}\"", step.name), None);
            continue;
        };
        check_step(&step.name, &step.action, known, place, report);
        check_targets(&step.name, &step.action, program, surroundings.agents, place, report);
        for prompt in prompts_of(&step.action, known, place, report) {
            if !surroundings.prompts.contains(&prompt.path()) {
                let message = format!("step \"{}\" needs the prompt file \"{}\"", step.name, prompt.path());
                let hint =
                    format!("add [prompt.{}] {} = \"…\" to the catalogue and render it", prompt.name, prompt.language);
                report.problem(place, message, Some(hint));
            }
        }
    }
    unasked_consent(program, places, report);
    paths.spinning_loops(places, report);
    paths.endless_loops(places, report);
    flows::check(program, &paths, places, report);
    unused::check(program, &paths, places, report);
}

/// Consent is a key that the caller pressed: reports every step that says "agreed" and can be reached otherwise.
fn unasked_consent(program: &Program, places: &Places, report: &mut Report) {
    let agreed = |step: &StepRef| {
        let action = program.steps.get(step.0).map(|step| &step.action);
        matches!(action, Some(Action::Record { change: RecordChange::Agreed, .. }))
    };
    let starts = program.flows.values().map(|flow| flow.start);
    let unasked = program.steps.iter().flat_map(|step| match &step.action {
        Action::Menu { no_input, wrong_input, .. } => vec![*no_input, *wrong_input],
        other => other.exits(),
    });
    let wrong: BTreeSet<StepRef> = starts.chain(unasked).filter(agreed).collect();
    for step in wrong {
        let (Some(place), Some(named)) = (places.steps.get(step.0), program.steps.get(step.0)) else { continue };
        let hint = Some("let only the keys of a menu lead to it".to_owned());
        report.problem(*place, format!("step \"{}\" takes a yes that the caller has not pressed", named.name), hint);
    }
}

/// Whether a step's caller has to be answered before.
fn needs_answer(action: &Action) -> bool {
    matches!(
        action,
        Action::Play { .. }
            | Action::Menu { .. }
            | Action::Gather { .. }
            | Action::Language { .. }
            | Action::Queue { .. }
            | Action::Survey { .. }
            | Action::Consent { .. }
            | Action::Voicemail { .. }
            | Action::Callback { .. }
            | Action::Dial { .. }
            | Action::Transfer { .. }
            | Action::Conference { .. }
            | Action::Park { .. }
            | Action::Echo
            | Action::Agent { .. }
            | Action::Sit { .. }
            | Action::Record { .. }
    )
}

fn check_step(name: &str, action: &Action, known: &Facts, place: Place, report: &mut Report) {
    if needs_answer(action) && !known.answered {
        let hint = Some("put a step with do = \"answer\" on every path before it".to_owned());
        report.problem(place, format!("step \"{name}\" can be reached before the call is answered"), hint);
    }
    if matches!(action, Action::Ring { .. }) && known.maybe_answered {
        let hint = Some("put it before the step with do = \"answer\"".to_owned());
        report.problem(place, format!("step \"{name}\" would ring after the call is answered"), hint);
    }
    let begins = matches!(
        action,
        Action::Queue { .. }
            | Action::Voicemail { .. }
            | Action::Callback { .. }
            | Action::Dial { .. }
            | Action::Transfer { .. }
            | Action::Conference { .. }
            | Action::Park { .. }
    );
    if begins && known.afterwards {
        let hint = Some("let \"after\" lead to steps that only play, ask and hang up".to_owned());
        let message = format!("step \"{name}\" can be reached after the agent has hung up, when the call is over");
        report.problem(place, message, hint);
    }
    let survey = matches!(action, Action::Survey { .. });
    if survey && !known.afterwards {
        let hint = Some("lead to it by \"after\" of a queue step".to_owned());
        report.warning(place, format!("step \"{name}\" asks about a service that nobody has given yet"), hint);
    }
    let records = matches!(
        action,
        Action::Queue { record: true, .. } | Action::Callback { record: true, .. } | Action::Dial { record: true, .. }
    );
    if records && !known.noticed {
        let hint = Some("put a play step with notice = true on every path before it, or ask by a menu".to_owned());
        report.problem(place, format!("step \"{name}\" would record callers who were not told so"), hint);
    }
}

/// Whoever a step names without a variable has to be there.
fn check_targets(
    name: &str,
    action: &Action,
    program: &Program,
    agents: Option<&Agents>,
    place: Place,
    report: &mut Report,
) {
    let Some(agents) = agents else { return };
    let (users, to): (Vec<&Template>, _) = match action {
        Action::Dial { users, .. } => (users.iter().flatten().collect(), None),
        Action::Transfer { to, .. } => (Vec::new(), Some(to)),
        _ => return,
    };
    let hint = |wanted: &str| suggest(wanted, agents.keys().map(String::as_str));
    for user in users.into_iter().filter_map(Template::plain).filter(|user| !agents.contains_key(user)) {
        report.problem(
            place,
            format!("step \"{name}\" calls \"{user}\", and the settings have no such agent"),
            hint(&user),
        );
    }
    if let Some(to) = to.and_then(Template::plain)
        && !agents.contains_key(&to)
        && program.numbers.destination(&to, None).is_none()
    {
        let message = format!("step \"{name}\" leads to \"{to}\", which is neither a number of the plan nor an agent");
        report.problem(place, message, hint(&to));
    }
}

/// The prompts that a step may play, in every language in which a call may reach it.
fn prompts_of(action: &Action, known: &Facts, place: Place, report: &mut Report) -> BTreeSet<Prompt> {
    let items = action.items();
    let of_keys: BTreeSet<String>;
    let languages = match action {
        // The question is put in every language that can be chosen.
        Action::Language { keys, .. } => {
            of_keys = keys.values().cloned().collect();
            &of_keys
        }
        _ => &known.languages,
    };
    let mut prompts = BTreeSet::new();
    for language in languages {
        let prompt = |name: String| Prompt::new(language, &name);
        let named = items.iter().filter_map(|item| match &item.what {
            Said::Prompt(name) => Some(prompt(name.clone())),
            _ => None,
        });
        prompts.extend(named);
        let silent = items.iter().any(|item| matches!(&item.what, Said::Text(texts) if !texts.contains_key(language)));
        if silent {
            let hint = Some(format!("add {language} = \"…\" to each say"));
            report.problem(place, format!("a text is not there in \"{language}\", which a call may speak here"), hint);
        }
        if items.iter().all(|item| matches!(item.what, Said::Prompt(_) | Said::Text(_))) {
            continue;
        }
        if !speech::LANGUAGES.contains(&language.as_str()) {
            let known = speech::LANGUAGES.join(" and ");
            report.problem(place, format!("numbers cannot be said in \"{language}\", only in {known}"), None);
            continue;
        }
        prompts.extend(speech::vocabulary(language).into_iter().map(prompt));
    }
    prompts
}

#[cfg(test)]
mod tests;
