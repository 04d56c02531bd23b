//! What an application does, as a step of ours.

use std::collections::BTreeMap;

use super::super::draft::{Ask, Do, Entry, Said, prompt_name, ring_s, variable_name};
use super::extensions::Action;
use super::{Reading, queue_name};
use crate::dialplan::{Pattern, Place};

/// Applications that callers notice nothing of.
const UNHEARD: [&str; 3] = ["log", "info", "verbose_events"];
/// The prompt of a question that only waits.
const SILENCE: &str = "silence";
/// The longest pause that is believed, ms.
const LONGEST_MS: u64 = 3_600_000;
/// The most keys of one entry.
const MOST_KEYS: u32 = 64;

/// Applications without an equal, and what is done instead.
const INSTEAD: [(&str, &str); 10] = [
    ("conference", "write a step with do = \"conference\" (docs/dialplan.md)"),
    ("park", "a call waits in a queue here"),
    ("valet_park", "write [number.\"85xx\"] and a flow with a step that does \"park\" (docs/dialplan.md)"),
    ("lua", "ask the other system by a webhook step (docs/webhooks.md)"),
    ("curl", "ask the other system by a webhook step (docs/webhooks.md)"),
    ("execute_extension", "write what it does as a flow and a step with do = \"call\""),
    ("record_session", "write record = true at the queue step, and a notice before it (docs/recordings.md)"),
    ("say", "a play step says { number = \"…\" }, { digits = \"…\" }, { date = \"…\" } and { time = \"…\" }"),
    ("export", "variables of other legs are not known here"),
    ("fifo", "write it as [queue.NAME] and a queue step"),
];

/// Why calls end, by FreeSWITCH's words.
const CAUSES: [(&str, u16, &str); 8] = [
    ("NORMAL_CLEARING", 16, "normal_clearing"),
    ("UNALLOCATED_NUMBER", 1, "unallocated_number"),
    ("NO_ROUTE_DESTINATION", 3, "no_route"),
    ("USER_BUSY", 17, "user_busy"),
    ("NO_USER_RESPONSE", 18, "no_answer"),
    ("NO_ANSWER", 19, "no_answer"),
    ("CALL_REJECTED", 21, "call_rejected"),
    ("NORMAL_TEMPORARY_FAILURE", 41, "temporary_failure"),
];

impl Reading<'_> {
    pub(super) fn step(&mut self, action: &Action, first_is_called: bool, next: usize) -> Do {
        let words: Vec<&str> = action.data.split_whitespace().collect();
        match action.app.as_str() {
            "answer" => Do::Answer { next },
            "sleep" => match action.data.parse::<u64>() {
                Ok(ms) if ms <= LONGEST_MS => Do::Ring { ms, next },
                _ => self.skip(action, "a pause has milliseconds, up to an hour", next),
            },
            "ring_ready" => Do::Ring { ms: 1_000, next },
            "playback" => self.playback(action, next),
            "callcenter" => self.wait(action, next),
            "transfer" => self.transfer(action, &words, first_is_called, next),
            "ivr" => match self.menus.get(&action.data) {
                Some(menu) => Do::Goto { flow: menu.flow },
                None => self.skip(action, "no file has this menu: give ivr.conf.xml to the import as well", next),
            },
            "bridge" => self.bridge(action, first_is_called, next),
            "hangup" => self.hang_up(action),
            "echo" => Do::Echo,
            "voicemail" => match words[..] {
                [_, .., mailbox] if !mailbox.contains('$') => {
                    Do::Voicemail { mailbox: mailbox.to_owned(), prompts: vec!["vm-intro".to_owned()], next }
                }
                _ => self.skip(action, "a mailbox has one name here: a voicemail step with mailbox = \"…\"", next),
            },
            "set" => self.set(action, first_is_called, next),
            "play_and_get_digits" => self.digits(action, &words, next),
            app if UNHEARD.contains(&app) => Do::Jump { next },
            app => {
                let instead = INSTEAD.iter().find(|(name, _)| *name == app).map(|(_, instead)| *instead);
                self.skip(action, instead.unwrap_or("no step does this; here the call goes on"), next)
            }
        }
    }

    /// Goes on without what could not be taken over.
    fn skip(&mut self, action: &Action, advice: &str, next: usize) -> Do {
        self.todo(action.place, format!("{} {}", action.app, action.data).trim(), advice);
        Do::Jump { next }
    }

    fn playback(&mut self, action: &Action, next: usize) -> Do {
        let files = action.data.strip_prefix("file_string://").unwrap_or(&action.data);
        let said: Option<Vec<Said>> = files.split('!').map(|file| prompt_name(file).map(Said::Prompt)).collect();
        match said.filter(|_| !files.contains("://")) {
            Some(said) => Do::Play { said, barge_in: false, next },
            None => self.skip(action, "a play step names prompts: letters, digits, _ and -", next),
        }
    }

    fn wait(&mut self, action: &Action, next: usize) -> Do {
        let queue = queue_name(&action.data);
        if self.plan.queues.contains_key(&queue) {
            return Do::Queue { queue, keys: BTreeMap::new(), next };
        }
        self.skip(action, "no file has this queue with members: give callcenter.conf.xml to the import as well", next)
    }

    fn transfer(&mut self, action: &Action, words: &[&str], first_is_called: bool, next: usize) -> Do {
        let (number, context) = (words.first().copied().unwrap_or_default(), words.get(2).copied());
        let called = number == "${destination_number}" || (number == "$1" && first_is_called);
        // The last one that begins before the action is the one that it stands in.
        let stands_in = |place: Place| place <= action.place && place.file == action.place.file;
        let own = self.extensions.iter().rfind(|extension| stands_in(extension.place));
        let own = own.map(|extension| extension.numbers.clone()).unwrap_or_default();
        let serves = |pattern: &Pattern| {
            if called { own.iter().any(|own| own.text() == pattern.text()) } else { pattern.fits(number) }
        };
        let found = self.extensions.iter().find(|extension| {
            let there = context.is_none_or(|context| context == extension.context);
            there && extension.numbers.iter().any(serves)
        });
        match found {
            Some(extension) => Do::Goto { flow: extension.flow },
            None => self.skip(action, "no extension of the files takes this number", next),
        }
    }

    /// user/1001|user/1002@domain,user/1003: users of ours, those between bars one after the other, others at once; who is outside is called by a trunk, and costs.
    fn bridge(&mut self, action: &Action, first_is_called: bool, next: usize) -> Do {
        let user = |target: &str| {
            let user = target.strip_prefix("user/")?.split('@').next()?;
            let plain = !user.is_empty() && user.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-".contains(&b));
            if plain { Some(user.to_owned()) } else { text(user, first_is_called).filter(|user| user == "{called}") }
        };
        let users: Option<Vec<Vec<String>>> =
            action.data.split('|').map(|together| together.split(',').map(user).collect()).collect();
        match users {
            Some(users) => Do::Dial { users, ring_s: ring_s(None), next },
            None => {
                let advice = "a dial step calls users of ours, and numbers outside by number, trunk and allow; here the call goes on";
                self.skip(action, advice, next)
            }
        }
    }

    fn hang_up(&mut self, action: &Action) -> Do {
        let cause = if action.data.is_empty() { "NORMAL_CLEARING" } else { &action.data };
        let known = CAUSES.iter().find(|(name, ..)| name.eq_ignore_ascii_case(cause));
        if known.is_none() {
            self.todo(
                action.place,
                &format!("hangup {cause}"),
                "write its number of Q.850 as code of the hangup step; it is 16 now",
            );
        }
        let (code, cause) = known.map_or((16, "normal_clearing"), |(_, code, cause)| (*code, *cause));
        Do::Hangup { code, cause }
    }

    fn set(&mut self, action: &Action, first_is_called: bool, next: usize) -> Do {
        let (name, value) = action.data.split_once('=').unwrap_or_default();
        let (name, value) = (name.trim(), value.trim());
        if name == "default_language"
            && !value.is_empty()
            && value.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
        {
            return Do::Set { variables: BTreeMap::new(), language: Some(value.to_owned()), next };
        }
        // FreeSWITCH acts upon these; in a plan they would be names only.
        let acted_upon = ["hangup_after_bridge", "continue_on_fail", "call_timeout", "ringback", "transfer_ringback"];
        let ours = variable_name(name).filter(|_| !acted_upon.contains(&name));
        match ours.zip(text(value, first_is_called)) {
            Some((ours, value)) => {
                self.plan.variables.insert(ours.clone());
                Do::Set { variables: BTreeMap::from([(ours, value)]), language: None, next }
            }
            None => self.skip(
                action,
                "a plan sets variables of its own, classes, tags and the language; this is left out",
                next,
            ),
        }
    }

    /// least most tries timeout terminators file invalid-file variable …
    fn digits(&mut self, action: &Action, words: &[&str], next: usize) -> Do {
        let [least, most, tries, timeout, ends, file, invalid, into, more @ ..] = words else {
            return self.skip(
                action,
                "a gather step needs all of it: least, most, tries, timeout, end, prompt, variable",
                next,
            );
        };
        let number = |text: &str| text.parse::<u32>().ok();
        let read = (number(least), number(most), number(tries), number(timeout));
        let (Some(least), Some(most), Some(tries), Some(timeout)) = read else {
            return self.skip(action, "a gather step needs numbers here", next);
        };
        let Some(into) = variable_name(into) else {
            return self.skip(action, "a variable's name has letters, digits and _ and begins with a letter", next);
        };
        if !more.is_empty() {
            self.todo(
                action.place,
                &format!("{} {}", action.app, action.data),
                "write fits = [\"…\"] at the gather step, and wrong_input",
            );
        }
        let name = |file: &str| prompt_name(file).filter(|_| !file.contains("://"));
        let most = most.clamp(1, MOST_KEYS);
        let ask = Ask {
            prompts: vec![name(file).unwrap_or_else(|| SILENCE.to_owned())],
            invalid: name(invalid).into_iter().filter(|name| name != "silence_stream").collect(),
            timeout_ms: u64::from(timeout).min(LONGEST_MS),
            retries: tries.saturating_sub(1).min(10),
            ..Ask::default()
        };
        self.plan.variables.insert(into.clone());
        let end = ends.chars().next().filter(|end| "#*".contains(*end));
        let entry = Entry { into, least: least.min(most), most, end };
        Do::Gather { ask, entry, next, no_input: next }
    }
}

/// A text with variables as ours; `None` where it asks for something that a plan does not know.
fn text(text: &str, first_is_called: bool) -> Option<String> {
    let mut ours = text.replace('{', "{{").replace('}', "}}");
    for (theirs, name) in [("${{caller_id_number}}", "{caller}"), ("${{destination_number}}", "{called}")] {
        ours = ours.replace(theirs, name);
    }
    if first_is_called {
        ours = ours.replace("$1", "{called}");
    }
    (!ours.contains('$') && ours.chars().count() <= 1_000).then_some(ours)
}
