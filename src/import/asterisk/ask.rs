//! Questions: Background with WaitExten, and Read.

use super::super::draft::{Ask, Do, Entry, Said};
use super::apps::{seconds, text_of};
use super::branch::variable;
use super::numbers::{SPECIAL, longest, pattern};
use super::walk::{Here, Walk};

/// How long WaitExten waits where neither it nor TIMEOUT(response) says so, seconds.
const RESPONSE_S: f64 = 10.0;
/// The silence after a Background that nothing waits behind, ms.
const AT_ONCE_MS: u64 = 100;
/// The prompt of a question that only waits.
const SILENCE: &str = "silence";
/// The variable that holds what was dialled in a question for several keys.
const DIALLED: &str = "dialled";

impl Walk<'_> {
    /// A run of Background and Playback up to a WaitExten is one question.
    pub(super) fn question(&mut self, here: &Here) -> Do {
        let contexts = self.contexts;
        let Some(exten) = contexts.exten_of(&here.context, &here.exten) else { return Do::Echo };
        let mut prompts = Vec::new();
        let mut wait_ms = None;
        let mut last = here.number;
        for number in here.number.. {
            let Some(priority) = exten.steps.get(&number) else { break };
            let args = super::conf::split(&priority.args, ',');
            match priority.app.as_str() {
                "background" => {
                    prompts.extend(self.prompts(&Here { place: priority.place, ..here.clone() }, args.first()))
                }
                "waitexten" => {
                    let given = seconds(args.first()).unwrap_or_else(|| self.response(here));
                    wait_ms = Some((given * 1_000.0) as u64);
                }
                _ => break,
            }
            last = number;
            self.take_in(here, number);
            if wait_ms.is_some() {
                break;
            }
        }
        let onward = self.step_at(here, last.saturating_add(1));
        let single = self.keys(here);
        let several = self.several(here);
        if single.is_empty() && several.is_empty() && !prompts.is_empty() {
            return Do::Play { said: prompts.into_iter().map(Said::Prompt).collect(), barge_in: true, next: onward };
        }
        if prompts.is_empty() {
            prompts.push(SILENCE.to_owned());
        }
        let end = |walk: &mut Self, special| match walk.dialled(here, &here.context, special) {
            Some(step) => step,
            None => walk.end(here),
        };
        let no_input = if wait_ms.is_some() { end(self, "t") } else { onward };
        let wrong_input = end(self, "i");
        let ask = Ask { prompts, timeout_ms: wait_ms.unwrap_or(AT_ONCE_MS), ..Ask::default() };
        if several.is_empty() {
            let keys =
                single.into_iter().filter_map(|key| Some((key, self.dialled(here, &here.context, &key.to_string())?)));
            return Do::Menu { ask, keys: keys.collect(), no_input, wrong_input };
        }
        self.several_keys(here, ask, several, (no_input, wrong_input))
    }

    /// TIMEOUT(response) as this extension sets it before, seconds.
    fn response(&self, here: &Here) -> f64 {
        let steps = self.contexts.exten_of(&here.context, &here.exten).map(|exten| exten.steps.range(..here.number));
        let set = steps.into_iter().flatten().rev().find_map(|(_, step)| {
            let value = step.args.strip_prefix("TIMEOUT(response)=").filter(|_| step.app == "set")?;
            seconds(Some(&value.to_owned()))
        });
        set.unwrap_or(RESPONSE_S)
    }

    /// The single keys that the context serves.
    fn keys(&self, here: &Here) -> Vec<char> {
        let served = |key: &char| self.contexts.find(&here.context, &key.to_string()).is_some();
        "0123456789*#".chars().filter(served).collect()
    }

    /// Numbers of more than one key that the context serves: those of extensions whose patterns we can mean.
    fn several(&self, here: &Here) -> Vec<String> {
        let mut found = Vec::new();
        for name in self.contexts.within(&here.context) {
            let Some(context) = self.contexts.all.get(name) else { continue };
            let several = |exten: &&String| {
                !SPECIAL.contains(&exten.as_str()) && pattern(exten).is_ok_and(|pattern| longest(&pattern) > 1)
            };
            found.extend(context.order.iter().filter(several).cloned());
        }
        found
    }

    /// Keys into a variable, and a branch by what they are.
    fn several_keys(&mut self, here: &Here, ask: Ask, several: Vec<String>, ends: (usize, usize)) -> Do {
        let (no_input, wrong_input) = ends;
        let mut patterns: Vec<_> = several.iter().filter_map(|exten| Some((pattern(exten).ok()?, exten))).collect();
        patterns.sort_by(|(one, _), (two, _)| one.narrowness(two));
        patterns.dedup_by(|(one, _), (two, _)| one.text() == two.text());
        let most = patterns.iter().map(|(pattern, _)| longest(pattern)).max().unwrap_or(1);
        let mut cases = Vec::new();
        let mut hash = false;
        for key in self.keys(here) {
            hash |= key == '#';
            let step = self.dialled(here, &here.context, &key.to_string());
            cases.extend(step.map(|step| (format!("variable = \"{DIALLED}\", is = \"{key}\""), step)));
        }
        for (pattern, exten) in patterns {
            // The narrowest one that is like this: whoever dials a number that fits is led there.
            let Some((context, exten)) = self.owner(here, exten) else { continue };
            let first = self.contexts.exten_of(&context, &exten).and_then(|exten| exten.steps.keys().next().copied());
            let Some(first) = first else { continue };
            let step = self.lead_to(here, (context, exten, first));
            cases.push((format!("variable = \"{DIALLED}\", fits = \"{}\"", pattern.text()), step));
        }
        self.plan.variables.insert(DIALLED.to_owned());
        let next = self.push(here.flow, &here.came, here.place, Do::When { cases, otherwise: wrong_input });
        let end = if hash { None } else { Some('#') };
        let entry = Entry { into: DIALLED.to_owned(), least: 1, most, end };
        Do::Gather { ask, entry, next, no_input }
    }

    /// The context of an extension within this one.
    fn owner(&self, here: &Here, exten: &str) -> Option<(String, String)> {
        let within = self.contexts.within(&here.context);
        let owner = within.into_iter().find(|name| self.contexts.exten_of(name, exten).is_some())?;
        Some((owner.to_owned(), exten.to_owned()))
    }

    /// Read(variable,files,most,options,attempts,timeout).
    pub(super) fn read(&mut self, here: &Here) -> Do {
        let Some(into) = here.args.first().and_then(|name| variable(name)) else {
            return self.skip(here, "a variable's name has letters, digits and _ and begins with a letter");
        };
        if here.args.get(3).is_some_and(|options| !options.is_empty()) {
            self.todo(here.place, &text_of(here), "its options are left out");
        }
        let mut prompts = self.prompts(here, here.args.get(1));
        if prompts.is_empty() {
            prompts.push(SILENCE.to_owned());
        }
        let number = |n: usize| here.args.get(n).and_then(|text| text.parse::<u32>().ok()).filter(|number| *number > 0);
        let timeout = seconds(here.args.get(5)).filter(|seconds| *seconds > 0.0).unwrap_or(RESPONSE_S);
        let retries = number(4).map_or(0, |attempts| (attempts - 1).min(10));
        let ask = Ask { prompts, timeout_ms: (timeout * 1_000.0) as u64, retries, ..Ask::default() };
        self.plan.variables.insert(into.clone());
        let entry = Entry { into, least: 1, most: number(2).unwrap_or(64).min(64), end: Some('#') };
        let next = self.next(here);
        Do::Gather { ask, entry, next, no_input: next }
    }
}
