//! What a step does.

use std::collections::BTreeMap;

use super::change::{AgentChange, RecordChange, Tone};
use super::condition::Condition;
use super::inquiry::Inquiry;
use super::pattern::Pattern;
use super::program::{Music, StepRef};
use super::talk::{Ask, Entry, Item, Outside, Prefer, Waiting};
use super::values::Template;
use crate::id::{QueueId, TrunkId};
use crate::journal::Cause;

/// What a step does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Answers the call.
    Answer {
        /// Then.
        next: StepRef,
    },
    /// Lets the caller hear ringing, or something in its place, while nothing is answered.
    Ring {
        /// For how long, milliseconds.
        for_ms: u64,
        /// What is heard in place of ringing, once and to its end.
        prompts: Vec<Item>,
        /// Then.
        next: StepRef,
    },
    /// Plays prompts one after another.
    Play {
        /// What, in order.
        prompts: Vec<Item>,
        /// The announcement of a recording, which no key cuts short.
        notice: bool,
        /// Whether a key stops it.
        barge_in: bool,
        /// Then.
        next: StepRef,
    },
    /// Waits for one key.
    Menu {
        /// The question.
        ask: Ask,
        /// Where each key leads.
        keys: BTreeMap<char, StepRef>,
        /// Where the last retry leads when no key came.
        no_input: StepRef,
        /// Where the last retry leads when the key was a wrong one.
        wrong_input: StepRef,
    },
    /// Takes several keys into a variable.
    Gather {
        /// The question.
        ask: Ask,
        /// Where the keys go.
        entry: Entry,
        /// Then.
        next: StepRef,
        /// Where the last retry leads when no key came.
        no_input: StepRef,
        /// Where the last retry leads when the keys did not fit.
        wrong_input: StepRef,
    },
    /// The first case that holds decides.
    When {
        /// In order.
        cases: Vec<(Condition, StepRef)>,
        /// Where none holds.
        otherwise: StepRef,
    },
    /// Notes things about the call.
    Set {
        /// Variables and their new values.
        variables: Vec<(String, Template)>,
        /// The caller's class from here on.
        class: Option<String>,
        /// Tags that the call carries from here on.
        tags: Vec<String>,
        /// The language from here on.
        language: Option<String>,
        /// Then.
        next: StepRef,
    },
    /// Looks the caller up, in the directory or by another system.
    Customer {
        /// Whose number; the caller's where empty.
        number: Template,
        /// Who is asked in place of the directory.
        inquiry: Option<Inquiry>,
        /// Where a customer is found.
        known: StepRef,
        /// Where none is.
        unknown: StepRef,
    },
    /// Asks another system.
    Webhook {
        /// Which, and what.
        inquiry: Inquiry,
        /// Names of values in its answer, and the variables that take them.
        into: Vec<(String, String)>,
        /// Once it has answered.
        next: StepRef,
    },
    /// Goes through another flow and comes back.
    Call {
        /// Its first step.
        start: StepRef,
        /// What it is given: variables and their values, which are what they were when it has returned.
        with: Vec<(String, Template)>,
        /// Then.
        next: StepRef,
    },
    /// Comes back to where the flow was called.
    Return,
    /// Lets the caller choose a language; the question is put in each of them.
    Language {
        /// The question.
        ask: Ask,
        /// The language of each key.
        keys: BTreeMap<char, String>,
        /// The language where no valid key came.
        default: String,
        /// Then.
        next: StepRef,
    },
    /// Waits for an agent.
    Queue {
        /// Which queue.
        queue: QueueId,
        /// Greater goes first.
        priority: i32,
        /// Whether the conversation is recorded.
        record: bool,
        /// Where refusal and the longest wait lead; hang up where absent.
        next: Option<StepRef>,
        /// Where to go at once when nobody is signed in; waits where absent.
        unstaffed: Option<StepRef>,
        /// Where to go when the queue must record and nothing can be recorded; as `next` where absent.
        unrecorded: Option<StepRef>,
        /// What can happen while the caller waits.
        waiting: Waiting,
        /// Where the caller goes once the agent has hung up; hung up as well where absent.
        after: Option<StepRef>,
        /// Whom the caller is to have.
        prefer: Prefer,
        /// What the agent hears before the caller.
        announce: Vec<Item>,
    },
    /// Asks whether the call may be recorded. Silence is no.
    Consent {
        /// The question.
        ask: Ask,
        /// The key for yes.
        yes: char,
        /// The key for no.
        no: char,
        /// After a yes.
        next: StepRef,
        /// After a no.
        refused: StepRef,
    },
    /// Asks about the service, to be answered by one key.
    Survey {
        /// The question.
        ask: Ask,
        /// Its name in records.
        question: String,
        /// The best answer, 2 to 10; the key for ten is 0.
        scale: u8,
        /// Then.
        next: StepRef,
        /// Where the last retry leads.
        no_input: StepRef,
    },
    /// Takes a message.
    Voicemail {
        /// What is said before it, to its end; the last of it is the tone.
        greeting: Vec<Item>,
        /// Whose it is, in records and notices.
        mailbox: String,
        /// The longest message, milliseconds.
        longest_ms: u64,
        /// Where it leads when the caller ends the message by the hash key, or it is the longest.
        next: StepRef,
        /// Where it leads when nothing was said, or no message can be kept.
        failed: StepRef,
    },
    /// Notes that somebody is to be called back when it is the caller's turn.
    Callback {
        /// The number; the caller's where empty.
        number: Template,
        /// Whose agents call back.
        queue: QueueId,
        /// Greater goes first.
        priority: i32,
        /// By which trunk.
        trunk: TrunkId,
        /// Numbers that are called back; no others are, so that nobody has us call what is dear.
        allow: Vec<Pattern>,
        /// Hours within which customers are called back; at any time where absent.
        hours: Option<String>,
        /// After how long a number that was not reached is called again, milliseconds.
        retry_ms: u64,
        /// How often it is called at most.
        most: u32,
        /// Whether the conversation is recorded, where the caller was told so.
        record: bool,
        /// Then, once the request is safe.
        next: StepRef,
        /// Where it leads when the number is none to be called, or the request cannot be kept.
        failed: StepRef,
    },
    /// Calls somebody for the caller, who hears music meanwhile.
    Dial {
        /// Our users, in this order; those of one list at once.
        users: Vec<Vec<Template>>,
        /// A number outside, after them.
        outside: Option<Outside>,
        /// How long each may ring, milliseconds.
        ring_ms: u64,
        /// Whether the conversation is recorded.
        record: bool,
        /// Where it leads when nobody has answered.
        next: StepRef,
    },
    /// Goes on as though the caller had called another number.
    Transfer {
        /// The number: the plan's, or a user's.
        to: Template,
        /// Where it leads when it is neither, or the user does not answer.
        failed: StepRef,
    },
    /// Lets the caller speak with everybody else in a room.
    Conference {
        /// The room.
        room: Template,
        /// How many it holds.
        most: u32,
        /// Where keys lead, out of the room.
        keys: BTreeMap<char, StepRef>,
        /// Where it leads when the room is full, or cannot be joined.
        failed: StepRef,
    },
    /// Lets the caller wait in a slot until one of our users fetches the call; lets such a user fetch it.
    Park {
        /// The slot.
        slot: Template,
        /// What is heard meanwhile.
        music: Music,
        /// The longest wait, milliseconds.
        for_ms: u64,
        /// Where it leads when nobody has come by then.
        timeout: StepRef,
        /// Where it leads a user who has come to fetch, when nobody waits there.
        empty: StepRef,
        /// Where it leads when somebody waits there already, or no slot is left.
        occupied: StepRef,
    },
    /// Sends the caller's own voice back until the caller hangs up.
    Echo,
    /// Ends the call.
    Hangup {
        /// Why.
        cause: Cause,
        /// What a caller who has been answered hears before, and for how long, milliseconds.
        tone: Option<(Tone, u64)>,
    },
    /// Branches by the time of day.
    Hours {
        /// Name of the hours.
        hours: String,
        /// Within them.
        open: StepRef,
        /// Outside.
        closed: StepRef,
    },
    /// Changes the state of the agent whose phone calls; goes on at once.
    Agent {
        /// What to.
        change: AgentChange,
        /// Then.
        next: StepRef,
    },
    /// Seats an agent at the phone that calls; goes on at once.
    Sit {
        /// Who.
        agent: Template,
        /// What proves it.
        pin: Template,
        /// Then.
        next: StepRef,
        /// Where it is not proved, or cannot be.
        refused: StepRef,
    },
    /// Says something about the recording; goes on at once.
    Record {
        /// What.
        change: RecordChange,
        /// Then.
        next: StepRef,
    },
    /// Goes on elsewhere.
    Goto {
        /// There.
        next: StepRef,
    },
}
