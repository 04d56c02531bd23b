//! `trunkline route`: the steps that a call would take, without a phone.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;
use jiff::Timestamp;

use super::Exit;
use super::check::report;
use super::floor;
use crate::dialplan::{Act, CallFacts, Catalogue, Cursor, CursorInput, FloorView};
use crate::id::QueueId;
use crate::time::{MS, Now};

/// Steps after which a call that only goes round is shown no further.
const MOST_ACTS: usize = 1_000;

/// Print the steps that a call would take
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  trunkline route --config config/demo.toml --to 4000 --from 13800138000 \
    --at 2026-10-01T21:30:00+08:00 --keys 1,2\n\n\
    Exit codes: 0 fine, 1 no flow for the number or problems in the files, 2 usage, 3 a file cannot be read")]
pub(super) struct Route {
    /// The settings file
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// The number that is dialled
    #[arg(long, value_name = "NUMBER")]
    to: String,
    /// The caller's number
    #[arg(long, value_name = "NUMBER", default_value = "13800138000")]
    from: String,
    /// When the call comes in, RFC 3339; now where absent
    #[arg(long, value_name = "INSTANT")]
    at: Option<Timestamp>,
    /// The keys that the caller presses, one per question; none from then on
    #[arg(long, value_delimiter = ',')]
    keys: Vec<char>,
}

/// A floor on which somebody is signed in everywhere.
struct Staffed;

impl FloorView for Staffed {
    fn signed_in(&self, _queue: &QueueId) -> usize {
        1
    }
}

impl Route {
    pub(super) fn run(&self) -> Exit {
        let floor = match floor::load(&self.config) {
            Ok(floor) => floor,
            Err(error) => return report(&error),
        };
        let at = self.at.unwrap_or_else(Timestamp::now);
        let now = Now { mono_ns: 0, wall_ms: at.as_millisecond() };
        let facts = CallFacts { called: self.to.clone(), caller: self.from.clone(), trunk: None };
        let Some(mut cursor) = Cursor::start(Arc::new(floor.program), facts, now, &Staffed) else {
            eprintln!("no flow serves {}; add [number.\"{}\"] to a dialplan", self.to, self.to);
            return Exit::No;
        };
        println!("flow {} in {}", cursor.flow(), cursor.language());
        self.walk(&mut cursor, now, &floor.catalogue);
        Exit::Fine
    }

    fn walk(&self, cursor: &mut Cursor, mut now: Now, catalogue: &Catalogue) {
        let mut keys: VecDeque<char> = self.keys.iter().copied().collect();
        for _ in 0..MOST_ACTS {
            if let Some(act) = cursor.poll_act() {
                println!("{}", told(&act, catalogue));
                match act {
                    Act::Answer => cursor.handle(CursorInput::Answered, now, &Staffed),
                    Act::Play { id, .. } => {
                        cursor.handle(CursorInput::PlayFinished { id, completed: true }, now, &Staffed);
                    }
                    Act::Enqueue { .. } | Act::Echo | Act::Hangup { .. } => return,
                    Act::EnterStep { .. } | Act::StopPlay | Act::ChooseLanguage(_) | Act::ChangeAgent(_) => {}
                }
            } else if let Some(deadline) = cursor.poll_timeout() {
                if let Some(key) = keys.pop_front() {
                    println!("  key {key}");
                    cursor.handle(CursorInput::Digit(key), now, &Staffed);
                } else {
                    let wait_ms = deadline.saturating_sub(now.mono_ns) / MS;
                    println!("  no key for {wait_ms} ms");
                    now = now.plus_ms(wait_ms);
                    cursor.handle_timeout(now, &Staffed);
                }
            } else {
                return;
            }
        }
        println!("… and so on: stopped after {MOST_ACTS} acts");
    }
}

fn told(act: &Act, catalogue: &Catalogue) -> String {
    match act {
        Act::EnterStep { flow, step } => format!("{flow}.{step}"),
        Act::Answer => "  answer".to_owned(),
        Act::Play { prompts, .. } => {
            let line = |prompt: &crate::dialplan::Prompt| {
                let text = catalogue.text(&prompt.language, &prompt.name).unwrap_or("(no text in the catalogue)");
                format!("  play {}: {text}", prompt.path())
            };
            prompts.iter().map(line).collect::<Vec<_>>().join("\n")
        }
        Act::StopPlay => "  stop".to_owned(),
        Act::ChooseLanguage(language) => format!("  language {language}"),
        Act::Enqueue { queue, priority, record } => {
            format!("  queue {queue}, priority {priority}, {}", if *record { "recorded" } else { "not recorded" })
        }
        Act::ChangeAgent(change) => format!("  agent becomes {change:?}"),
        Act::Echo => "  echo".to_owned(),
        Act::Hangup { cause } => format!("  hang up: {} {}", cause.code, cause.text),
    }
}
