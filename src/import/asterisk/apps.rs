//! What an application does, as a step of ours.

use std::collections::BTreeMap;

use super::super::draft::{Do, Said, prompt_name, ring_s, safe_name};
use super::contexts::Priority;
use super::walk::{Here, Walk};

/// The longest pause and the longest wait that is believed, seconds: a day.
const DAY_S: f64 = 86_400.0;

/// Applications that callers notice nothing of.
const UNHEARD: [&str; 4] = ["noop", "verbose", "log", "dumpchan"];

/// Applications without an equal, and what is done instead.
const INSTEAD: [(&str, &str); 21] = [
    ("gosub", "write what it does as a flow and a step with do = \"call\"; here the call goes on behind it"),
    ("macro", "write what it does as a flow and a step with do = \"call\"; here the call goes on behind it"),
    (
        "gosubif",
        "write what it does as a flow, and a when step that leads to a call step; here the call goes on behind it",
    ),
    ("return", "the call ends here: a flow that is called ends by do = \"return\""),
    ("voicemailmain", "messages are found in the records and fetched by the API; here the call goes on"),
    ("confbridge", "write a step with do = \"conference\" (docs/dialplan.md)"),
    ("meetme", "write a step with do = \"conference\" (docs/dialplan.md)"),
    ("park", "write [number.\"85xx\"] and a flow with a step that does \"park\" (docs/dialplan.md)"),
    ("parkedcall", "the number that parks a call fetches it: a step that does \"park\" (docs/dialplan.md)"),
    ("page", "there is no paging"),
    ("directory", "there is no directory by name: ask for the number by a gather step"),
    ("mixmonitor", "write record = true at the queue step, and a notice before it (docs/recordings.md)"),
    ("monitor", "write record = true at the queue step, and a notice before it (docs/recordings.md)"),
    ("agi", "ask the other system by a webhook step (docs/webhooks.md)"),
    ("system", "ask the other system by a webhook step (docs/webhooks.md)"),
    ("addqueuemember", "agents sign in with their phones; members stand in [queue.NAME]"),
    ("removequeuemember", "agents sign out with their phones or *74; members stand in [queue.NAME]"),
    ("pausequeuemember", "a flow with do = \"agent\", state = \"not_ready\" does it (*72 in dialplans/demo.toml)"),
    ("unpausequeuemember", "a flow with do = \"agent\", state = \"available\" does it (*71 in dialplans/demo.toml)"),
    ("sayunixtime", "a play step says { time = \"\" } and { date = \"\" }"),
    ("musiconhold", "music plays in queues: music = \"…\" in [queue.NAME]"),
];

impl Walk<'_> {
    pub(super) fn translate(&mut self, here: &Here, priority: &Priority) -> Do {
        match priority.app.as_str() {
            "answer" => Do::Answer { next: self.next(here) },
            "playback" => self.playback(here),
            "background" | "waitexten" => self.question(here),
            "read" => self.read(here),
            "queue" => self.queue(here),
            "goto" => self.goto(here),
            "gotoif" => self.goto_if(here),
            "gotoiftime" => self.goto_if_time(here),
            "set" => self.set(here),
            "wait" => self.pause(here, seconds(here.args.first())),
            "ringing" => self.pause(here, Some(1.0)),
            "echo" => Do::Echo,
            "voicemail" => self.voicemail(here),
            "saydigits" => self.say(here, Said::Digits),
            "saynumber" => self.say(here, Said::Number),
            "dial" => self.dial(here),
            "hangup" => hang_up(here.args.first().and_then(|code| code.parse().ok()).unwrap_or(16)),
            "busy" => hang_up(17),
            "congestion" => hang_up(34),
            app if UNHEARD.contains(&app) => Do::Jump { next: self.next(here) },
            app => self.without_equal(here, app, &priority.text),
        }
    }

    fn without_equal(&mut self, here: &Here, app: &str, text: &str) -> Do {
        let instead = INSTEAD.iter().find(|(name, _)| *name == app).map(|(_, instead)| *instead);
        let advice =
            instead.unwrap_or("no step does this; see \"Steps\" in docs/dialplan.md. Here the call goes on behind it");
        self.todo(here.place, text, advice);
        let next = if app == "return" { self.end(here) } else { self.next(here) };
        Do::Jump { next }
    }

    /// Goes on without what could not be taken over.
    pub(super) fn skip(&mut self, here: &Here, advice: &str) -> Do {
        let text = text_of(here);
        self.todo(here.place, &text, advice);
        Do::Jump { next: self.next(here) }
    }

    fn pause(&mut self, here: &Here, seconds: Option<f64>) -> Do {
        let next = self.next(here);
        match seconds {
            Some(seconds) => Do::Ring { ms: (seconds * 1_000.0) as u64, next },
            None => self.skip(here, "a pause by a variable is left out"),
        }
    }

    /// The prompts of "a&b"; those that cannot be named are noted.
    pub(super) fn prompts(&mut self, here: &Here, files: Option<&String>) -> Vec<String> {
        let mut prompts = Vec::new();
        for file in files.map_or("", String::as_str).split('&').filter(|file| !file.is_empty()) {
            match prompt_name(file) {
                Some(name) => prompts.push(name),
                None => {
                    self.todo(here.place, &text_of(here), "a prompt has a plain name here: letters, digits, _ and -")
                }
            }
        }
        prompts
    }

    fn playback(&mut self, here: &Here) -> Do {
        if here.args.get(1).is_some_and(|options| !options.is_empty()) {
            self.todo(here.place, &text_of(here), "its options are left out: the call is answered, and all is played");
        }
        let said: Vec<Said> = self.prompts(here, here.args.first()).into_iter().map(Said::Prompt).collect();
        let next = self.next(here);
        if said.is_empty() {
            self.skip(here, "nothing is left to be played")
        } else {
            Do::Play { said, barge_in: false, next }
        }
    }

    fn say(&mut self, here: &Here, said: fn(String) -> Said) -> Do {
        let text = here.args.first().and_then(|text| self.text(here, text));
        match text.filter(|_| self.speaks) {
            Some(text) => Do::Play { said: vec![said(text)], barge_in: false, next: self.next(here) },
            None => self.skip(
                here,
                "numbers are said in English and Chinese, out of variables of the plan: { number = \"{name}\" }",
            ),
        }
    }

    /// Dial(PJSIP/1001&PJSIP/1002,seconds,options): users of ours; who is outside is called by a trunk, and costs.
    fn dial(&mut self, here: &Here) -> Do {
        let targets = here.args.first().map_or("", String::as_str).split('&');
        let users: Option<Vec<String>> = targets
            .map(|target| {
                let (technology, user) = target.split_once('/')?;
                let plain = |user: &str| {
                    !user.is_empty() && user.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-".contains(&b))
                };
                let known = ["PJSIP", "SIP", "IAX2"].contains(&technology) && (user == "${EXTEN}" || plain(user));
                known.then(|| self.text(here, user)).flatten()
            })
            .collect();
        let Some(users) = users else {
            let advice = "a dial step calls users of ours, and numbers outside by number, trunk and allow; here the call goes on";
            return self.skip(here, advice);
        };
        if here.args.get(2).is_some_and(|options| !options.is_empty()) {
            self.todo(here.place, &text_of(here), "its options are left out");
        }
        Do::Dial { users: vec![users], ring_s: ring_s(seconds(here.args.get(1))), next: self.next(here) }
    }

    fn voicemail(&mut self, here: &Here) -> Do {
        let mailbox = here.args.first().map_or("", String::as_str).split('&').next().unwrap_or_default();
        let mailbox = mailbox.replace("${EXTEN}", if here.exten.starts_with('_') { "${EXTEN}" } else { &here.exten });
        if mailbox.is_empty() || mailbox.contains('$') {
            return self.skip(here, "a mailbox has one name here: a voicemail step with mailbox = \"…\"");
        }
        let next = self.next(here);
        Do::Voicemail { mailbox, prompts: vec!["vm-intro".to_owned()], next }
    }

    fn queue(&mut self, here: &Here) -> Do {
        let name = here.args.first().map_or(String::new(), |name| safe_name(name));
        let Some(keys_of) = self.plan.queues.get(&name).map(|queue| queue.keys_of.clone()) else {
            return self.skip(here, "the plan has no such queue: give queues.conf to the import, or add [queue.NAME]");
        };
        if let Some(wait) = seconds(here.args.get(4)).filter(|wait| *wait >= 1.0) {
            // A day at most.
            let wait = wait as u32;
            let known = self.plan.queues.get_mut(&name).map(|queue| *queue.max_wait_s.get_or_insert(wait));
            if known.is_some_and(|known| known != wait) {
                self.todo(
                    here.place,
                    &text_of(here),
                    "the longest wait is the queue's own: another line gave it one already",
                );
            }
        }
        let more = [1, 2, 3, 5, 6, 7, 8].into_iter().any(|n| here.args.get(n).is_some_and(|option| !option.is_empty()));
        if more {
            self.todo(here.place, &text_of(here), "options, URL, announcement and scripts are left out");
        }
        let mut keys = BTreeMap::new();
        if let Some(context) = keys_of {
            for key in "0123456789*#".chars() {
                keys.extend(self.dialled(here, &context, &key.to_string()).map(|step| (key, step)));
            }
        }
        Do::Queue { queue: name, keys, next: self.next(here) }
    }
}

/// How the call ends, by the cause of Q.850.
fn hang_up(code: u16) -> Do {
    let cause = match code {
        17 => "user_busy",
        19 => "no_answer",
        21 => "call_rejected",
        34 => "no_circuit_available",
        _ => "normal_clearing",
    };
    Do::Hangup { code: code.clamp(1, 699), cause }
}

/// Seconds of an argument; `None` where it is no number, or none to be believed.
pub(super) fn seconds(text: Option<&String>) -> Option<f64> {
    let seconds: f64 = text?.parse().ok()?;
    (0.0..=DAY_S).contains(&seconds).then_some(seconds)
}

/// What a line says, without its file and number.
pub(super) fn text_of(here: &Here) -> String {
    here.came.split_once(": ").map_or(here.came.clone(), |(_, text)| text.to_owned())
}
