//! `trunkline route`: the steps that a call would take, without a phone.

use std::collections::{BTreeMap, VecDeque};
use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;
use jiff::Timestamp;

use super::Exit;
use super::check::report;
use super::floor;
use crate::dialplan::{Act, CallFacts, Catalogue, Cursor, CursorInput, FloorView, Unseated};
use crate::id::{QueueId, TrunkId};
use crate::journal::{Cause, LeaveReason};
use crate::time::{MS, Now};

/// Steps after which a call that only goes round is shown no further.
const MOST_ACTS: usize = 1_000;

/// Print the steps that a call would take
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  trunkline route --config config/demo.toml --to 4000 --from 13800138000 \
    --at 2026-10-01T21:30:00+08:00 --keys 1,2\n  \
    trunkline route --config config/demo.toml --to 4001 --queue support:waiting=12,available=0 --give-up 30s\n\n\
    Keys are pressed one per question, several of an entry together: --keys 1,4711#,2. A dash stands for silence.\n\
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
    /// The trunk that brings the call
    #[arg(long, value_name = "TRUNK")]
    trunk: Option<String>,
    /// The caller's class
    #[arg(long, value_name = "CLASS", default_value = "")]
    class: String,
    /// The agent whom the caller has spoken with last
    #[arg(long, value_name = "AGENT", default_value = "")]
    last_agent: String,
    /// The user who has handed the call on to the number
    #[arg(long, value_name = "USER", default_value = "")]
    transferred_by: String,
    /// When the call comes in, RFC 3339; now where absent
    #[arg(long, value_name = "INSTANT")]
    at: Option<Timestamp>,
    /// The keys that the caller presses, one or several per question; none from then on
    #[arg(long, value_delimiter = ',')]
    keys: Vec<String>,
    /// A queue as it is to be taken: NAME:waiting=N,available=N,signed_in=N,expected_wait=3m
    #[arg(long, value_name = "STATE", value_parser = parse_state)]
    queue: Vec<(String, QueueState)>,
    /// Nobody takes the call: what happens after such a wait, "30s"
    #[arg(long, value_name = "DURATION", value_parser = super::duration)]
    give_up: Option<u64>,
    /// An agent answers at once and hangs up after so long a talk, "60s"
    #[arg(long, value_name = "DURATION", value_parser = super::duration, conflicts_with = "give_up")]
    served: Option<u64>,
    /// What the next webhook answers, as KEY=VALUE,KEY=VALUE; once there is none left, they do not answer
    #[arg(long, value_name = "FIELDS", value_parser = parse_fields)]
    reply: Vec<Fields>,
    /// Hours that are closed by hand
    #[arg(long, value_name = "HOURS")]
    closed: Vec<String>,
}

/// What is pretended of a queue.
#[derive(Clone, Debug)]
struct QueueState {
    waiting: usize,
    available: usize,
    signed_in: usize,
    expected_wait_ms: Option<u64>,
}

impl Default for QueueState {
    /// Somebody is there and free.
    fn default() -> Self {
        Self { waiting: 0, available: 1, signed_in: 1, expected_wait_ms: None }
    }
}

/// What a webhook answers.
#[derive(Clone, Debug)]
struct Fields(BTreeMap<String, String>);

fn parse_fields(text: &str) -> Result<Fields, String> {
    let pair = |pair: &str| {
        let (name, value) = pair.split_once('=').ok_or_else(|| format!("\"{pair}\" is no field: write KEY=VALUE"))?;
        Ok((name.to_owned(), value.to_owned()))
    };
    text.split(',').filter(|text| !text.is_empty()).map(pair).collect::<Result<_, String>>().map(Fields)
}

fn parse_state(text: &str) -> Result<(String, QueueState), String> {
    let (name, rest) = text.split_once(':').ok_or("write NAME:waiting=3,available=0")?;
    let mut state = QueueState::default();
    for pair in rest.split(',') {
        let (key, value) = pair.split_once('=').ok_or_else(|| format!("\"{pair}\" is no figure: write waiting=3"))?;
        let count = || value.parse().map_err(|_| format!("\"{value}\" is no count"));
        match key {
            "waiting" => state.waiting = count()?,
            "available" => state.available = count()?,
            "signed_in" => state.signed_in = count()?,
            "expected_wait" => state.expected_wait_ms = Some(super::duration(value)?),
            _ => return Err(format!("a queue has no figure \"{key}\": waiting, available, signed_in, expected_wait")),
        }
    }
    Ok((name.to_owned(), state))
}

/// The floor as the command line has it.
struct Pretended {
    queues: BTreeMap<String, QueueState>,
    closed: Vec<String>,
}

impl Pretended {
    fn queue(&self, queue: &QueueId) -> QueueState {
        self.queues.get(queue.as_str()).cloned().unwrap_or_default()
    }
}

impl FloorView for Pretended {
    fn signed_in(&self, queue: &QueueId) -> usize {
        self.queue(queue).signed_in
    }

    fn waiting(&self, queue: &QueueId) -> usize {
        self.queue(queue).waiting
    }

    fn available(&self, queue: &QueueId) -> usize {
        self.queue(queue).available
    }

    fn expected_wait_ms(&self, queue: &QueueId) -> Option<u64> {
        self.queue(queue).expected_wait_ms
    }

    fn position(&self) -> Option<u32> {
        let waiting = self.queues.values().map(|queue| queue.waiting).max().unwrap_or(0);
        u32::try_from(waiting).ok().map(|waiting| waiting + 1)
    }

    fn own_expected_wait_ms(&self) -> Option<u64> {
        self.queues.values().filter_map(|queue| queue.expected_wait_ms).max()
    }

    fn closed_until(&self, hours: &str) -> Option<i64> {
        self.closed.iter().any(|closed| closed == hours).then_some(i64::MAX)
    }

    fn announcement(&self, _flow: &str) -> Option<String> {
        None
    }

    fn can_record(&self) -> bool {
        true
    }

    // Whatever was typed is right.
    fn may_sit(&self, agent: &str, pin: &str) -> Result<(), Unseated> {
        if agent.is_empty() || pin.is_empty() { Err(Unseated::WrongPin) } else { Ok(()) }
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
        let trunk = self.trunk.as_deref().map(TrunkId::from);
        if let Some(name) = self.unknown(&floor) {
            eprintln!("{name}");
            return Exit::Usage;
        }
        let facts = CallFacts {
            called: self.to.clone(),
            caller: self.from.clone(),
            trunk: trunk.clone(),
            class: self.class.clone(),
            last_agent: self.last_agent.clone(),
            transferred_by: self.transferred_by.clone(),
        };
        let pretended = Pretended { queues: self.queue.iter().cloned().collect(), closed: self.closed.clone() };
        if let Some(destination) = floor.program.numbers().destination(&self.to, trunk.as_ref())
            && (destination.called != self.to || destination.by != self.to)
        {
            println!("number {} by [number.\"{}\"]", destination.called, destination.by);
        }
        let Some(cursor) = Cursor::start(Arc::new(floor.program), facts, now, &pretended) else {
            eprintln!("no flow serves {}; add [number.\"{}\"] to a dialplan", self.to, self.to);
            return Exit::No;
        };
        println!("flow {} in {}", cursor.flow(), cursor.language());
        let keys = self.keys.iter().cloned().collect();
        let (pretended, catalogue) = (&pretended, &floor.catalogue);
        let (give_up, served) = (self.give_up, self.served);
        let replies = self.reply.iter().map(|fields| fields.0.clone()).collect();
        Walk { cursor, now, keys, pretended, catalogue, give_up, served, replies, waits: None }.go();
        Exit::Fine
    }

    /// A name on the command line that the files do not have.
    fn unknown(&self, floor: &floor::Floor) -> Option<String> {
        let queue = self.queue.iter().map(|(name, _)| name).find(|name| !floor.program.queues().contains_key(*name));
        if let Some(name) = queue {
            return Some(format!("--queue: there is no queue \"{name}\""));
        }
        let hours = self.closed.iter().find(|name| !floor.program.hours().contains_key(*name));
        hours.map(|name| format!("--closed: there are no hours \"{name}\""))
    }
}

/// One call on its way.
struct Walk<'a> {
    cursor: Cursor,
    now: Now,
    keys: VecDeque<String>,
    pretended: &'a Pretended,
    catalogue: &'a Catalogue,
    /// How long a wait lasts of which nothing comes, milliseconds.
    give_up: Option<u64>,
    /// How long an agent talks who answers at once, milliseconds.
    served: Option<u64>,
    /// What webhooks answer, in order.
    replies: VecDeque<BTreeMap<String, String>>,
    /// When a wait ends of which nothing comes.
    waits: Option<u64>,
}

impl Walk<'_> {
    fn go(&mut self) {
        for _ in 0..MOST_ACTS {
            if let Some(act) = self.cursor.poll_act() {
                let indent = if matches!(act, Act::EnterStep { .. }) { "" } else { "  " };
                act.told(self.catalogue).iter().for_each(|line| println!("{indent}{line}"));
                if !self.answer(&act) {
                    return;
                }
            } else if !self.pass() {
                return;
            }
        }
        println!("… and so on: stopped after {MOST_ACTS} acts");
    }

    /// Plays the floor's part; `false` where the call is over as far as can be told.
    fn answer(&mut self, act: &Act) -> bool {
        match act {
            Act::Answer => self.tell(CursorInput::Answered),
            Act::Play { id, .. } | Act::PlayEarly { id, .. } | Act::PlayToWaiting { id, .. } => {
                self.tell(CursorInput::PlayFinished { id: *id, completed: true });
            }
            Act::Enqueue { .. } => match (self.served, self.give_up) {
                (Some(ms), _) => {
                    self.tell(CursorInput::Connected);
                    self.skip(self.now.in_ms(ms), "an agent talks for");
                    self.tell(CursorInput::AgentLeft);
                }
                (None, Some(ms)) => self.waits = Some(self.now.in_ms(ms)),
                (None, None) => return false,
            },
            Act::Dial { .. } => match (self.served, self.give_up) {
                (Some(_), _) | (None, None) => return false,
                (None, Some(ms)) => {
                    self.skip(self.now.in_ms(ms), "nobody answers for");
                    self.tell(CursorInput::NotReached { cause: Cause::new(19, "no_answer") });
                }
            },
            Act::Park { .. } => {
                if let Some(ms) = self.served {
                    self.tell(CursorInput::Connected);
                    self.skip(self.now.in_ms(ms), "who has fetched the call talks for");
                    return false;
                }
            }
            Act::Consult(question) => {
                let reply = match self.replies.pop_front() {
                    Some(fields) => Ok(fields),
                    None => Err("no --reply is left".to_owned()),
                };
                self.tell(CursorInput::Replied { id: question.id, reply });
            }
            Act::EndMessage | Act::RequestCallback(_) => self.tell(CursorInput::Stored { safe: true }),
            Act::LeaveQueue { .. } => self.waits = None,
            Act::Echo | Act::Hangup { .. } => return false,
            _ => {}
        }
        true
    }

    fn tell(&mut self, input: CursorInput) {
        self.cursor.handle(input, self.now, self.pretended);
    }

    /// Lets time pass to whatever comes next; `false` where nothing does.
    fn pass(&mut self) -> bool {
        let deadline = self.cursor.poll_timeout();
        if let (Some(end), None) = (self.waits, deadline.filter(|at| self.waits.is_some_and(|end| *at < end))) {
            self.skip(end, "nobody answers for");
            self.waits = None;
            self.tell(CursorInput::QueueLeft { reason: LeaveReason::Timeout });
            return true;
        }
        // In a room keys are all that can happen.
        let Some(deadline) = deadline.or_else(|| self.cursor.takes_keys().then_some(self.now.mono_ns)) else {
            return false;
        };
        if self.keys.is_empty() && self.cursor.poll_timeout().is_none() {
            return false;
        }
        // Keys answer questions and lead out of queues; a dash lets one time pass.
        match self.keys.pop_front().filter(|_| self.cursor.takes_keys()) {
            Some(keys) if keys != "-" => {
                for key in keys.chars() {
                    println!("  key {key}");
                    self.tell(CursorInput::Digit(key));
                }
            }
            _ => {
                self.skip(deadline, if self.cursor.takes_keys() { "no key for" } else { "after" });
                self.cursor.handle_timeout(self.now, self.pretended);
            }
        }
        true
    }

    fn skip(&mut self, to_ns: u64, what: &str) {
        let wait_ms = to_ns.saturating_sub(self.now.mono_ns) / MS;
        println!("  {what} {wait_ms} ms");
        self.now = self.now.plus_ms(wait_ms);
    }
}
