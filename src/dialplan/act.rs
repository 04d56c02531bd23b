//! What a cursor takes in and what it gives back.

use std::collections::BTreeMap;

use super::change::{AgentChange, RecordChange, Tone};
use super::decision::{Decision, Unseated};
use super::program::{Music, Prompt};
use crate::id::{AgentId, QueueId, TrunkId};
use crate::journal::{Cause, LeaveReason, SkillWish};

/// What is known of a call when it comes in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallFacts {
    /// The number that was dialled.
    pub called: String,
    /// The caller's number.
    pub caller: String,
    /// The trunk that brought the call.
    pub trunk: Option<TrunkId>,
    /// The caller's class, where it is known already; empty otherwise.
    pub class: String,
    /// The agent whom the caller has spoken with last; empty where nobody is known.
    pub last_agent: String,
    /// Who of our users has handed the call on to the number; empty where nobody has.
    pub transferred_by: String,
}

/// What happened to the call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CursorInput {
    /// The caller's leg is answered, its media flows.
    Answered,
    /// The play with this id ended.
    PlayFinished {
        /// As in [`Act::Play`].
        id: u32,
        /// Whether it was heard to its end.
        completed: bool,
    },
    /// A key (RFC 4733): 0-9, *, #, A-D.
    Digit(char),
    /// An agent has answered, or somebody has fetched the parked caller: the conversation begins.
    Connected,
    /// The agent has hung up, and the caller is there yet.
    AgentLeft,
    /// Nobody of [`Act::Dial`] has answered.
    NotReached {
        /// What the last one said.
        cause: Cause,
    },
    /// The caller is not let into a room, or into a slot.
    NotAdmitted {
        /// Why.
        why: String,
    },
    /// The caller has come to fetch somebody out of a slot, and cannot.
    NotFetched {
        /// Why.
        why: String,
    },
    /// What the caller has left is kept, and would survive a power cut; or is not.
    Stored {
        /// Whether it is.
        safe: bool,
    },
    /// What came of [`Act::Consult`].
    Replied {
        /// As in the question.
        id: u32,
        /// The values of the answer, or what was in the way.
        reply: Result<BTreeMap<String, String>, String>,
    },
    /// The ACD let the caller go.
    QueueLeft {
        /// Why.
        reason: LeaveReason,
    },
    /// The caller waited for a conversation that must be recorded, and it cannot be.
    Unrecordable,
    /// The caller hung up.
    HungUp,
}

/// What the switch is to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Act {
    /// Note that the caller reached a step.
    EnterStep {
        /// Its flow.
        flow: String,
        /// Its name.
        step: String,
    },
    /// Answer the call.
    Answer,
    /// Let the caller hear ringing; nothing is answered.
    Ring,
    /// Let the caller hear prompts in place of ringing; nothing is answered. Say [`CursorInput::PlayFinished`] in any case.
    PlayEarly {
        /// Which, in order.
        prompts: Vec<Prompt>,
        /// Names the play.
        id: u32,
    },
    /// Play prompts one after another, then say [`CursorInput::PlayFinished`].
    Play {
        /// Which, in order.
        prompts: Vec<Prompt>,
        /// Whether a key stops it.
        interruptible: bool,
        /// Names the play.
        id: u32,
    },
    /// Stop the running play; its end need not be told.
    StopPlay,
    /// From now on this language.
    ChooseLanguage(String),
    /// Hand the caller to a queue.
    Enqueue {
        /// Which.
        queue: QueueId,
        /// Greater goes first.
        priority: i32,
        /// What is asked of who answers, beyond what the queue asks.
        wishes: Vec<SkillWish>,
        /// Whether to record; never without a notice that was heard to its end, or the caller's yes.
        record: bool,
        /// Whether the plan wants the caller back once the agent has hung up: say [`CursorInput::AgentLeft`] then.
        after: bool,
        /// Whom the caller is to have, and for how long that agent alone is waited for, milliseconds.
        prefer: Option<(AgentId, u64)>,
    },
    /// Note what the caller said about the service.
    Survey {
        /// The question's name.
        question: String,
        /// 1 to 10.
        score: u8,
    },
    /// Keep what the caller says from now on; say [`CursorInput::Stored`] where that cannot be.
    BeginMessage,
    /// The message counts from now on, whoever ends it.
    KeepMessage {
        /// Whose it is.
        mailbox: String,
    },
    /// The message is over: keep nothing more, then say [`CursorInput::Stored`].
    EndMessage,
    /// Ask another system, then say [`CursorInput::Replied`].
    Consult(Question),
    /// Note that somebody is to be called back, then say [`CursorInput::Stored`].
    RequestCallback(CallbackWish),
    /// Say something to a caller who waits, then say [`CursorInput::PlayFinished`].
    PlayToWaiting {
        /// Which, in order.
        prompts: Vec<Prompt>,
        /// Names the play.
        id: u32,
    },
    /// Play the music of the queue again.
    PlayMusic,
    /// Take the caller out of the queue: the plan goes on elsewhere.
    LeaveQueue {
        /// The key that led out, if it was one.
        key: Option<char>,
    },
    /// From now on the caller is of this class.
    Classify {
        /// The class.
        class: String,
    },
    /// Something was decided; nothing is to be done.
    Decided(Decision),
    /// Change the state of the agent whose phone calls; nothing where the caller is no agent.
    ChangeAgent(AgentChange),
    /// An agent has proved to sit at the phone that calls.
    Sit {
        /// Who.
        agent: AgentId,
    },
    /// Somebody named an agent and did not prove it.
    NotSeated {
        /// Who was named.
        agent: AgentId,
        /// Why not.
        why: Unseated,
    },
    /// The call is not put through to this queue, because it must be recorded and cannot be, or may not.
    Unrecordable {
        /// Which queue.
        queue: QueueId,
    },
    /// Something about the call's recording.
    Record(RecordChange),
    /// Call these for the caller, those of one list at once and one list after the other; say [`CursorInput::NotReached`] where
    /// nobody answers.
    Dial {
        /// Whom, in order; none is empty.
        places: Vec<Vec<DialPlace>>,
        /// How long each may ring, milliseconds.
        ring_ms: u64,
        /// Whether to record; as with [`Act::Enqueue`].
        record: bool,
        /// Whether a recording of the call that runs goes on, though nothing asks for one.
        goes_on: bool,
    },
    /// The call goes on in another flow, as though its number had been called.
    EnterFlow {
        /// Its name.
        flow: String,
        /// The language in force from now on.
        language: String,
    },
    /// Let the caller speak with everybody in a room; say [`CursorInput::NotAdmitted`] where that cannot be.
    Confer {
        /// The room.
        room: String,
        /// How many it holds.
        most: u32,
    },
    /// The caller leaves the room.
    LeaveRoom,
    /// Let the caller wait in a slot until somebody fetches the call, and say [`CursorInput::Connected`] then; a caller who has come
    /// to fetch is joined with who waits there. Say [`CursorInput::NotAdmitted`] or [`CursorInput::NotFetched`] where that cannot be.
    Park {
        /// The slot.
        slot: String,
        /// What is heard meanwhile.
        music: Music,
    },
    /// The caller leaves the slot, and nobody has come.
    Unpark,
    /// Send the caller's audio back.
    Echo,
    /// Let the caller hear a tone: the plan is about to end the call.
    PlayTone {
        /// Which.
        tone: Tone,
        /// Why it ends, also where the caller is the first to hang up.
        cause: Cause,
    },
    /// End the call.
    Hangup {
        /// Why.
        cause: Cause,
    },
}

/// Somebody to be called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DialPlace {
    /// The phone of one of our users.
    User(AgentId),
    /// A number outside.
    Number {
        /// The number.
        number: String,
        /// By which trunk.
        trunk: TrunkId,
    },
}

/// A question to another system.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    /// Comes back in the reply.
    pub id: u32,
    /// The same when the same thing is asked again.
    pub about: u32,
    /// Whom: a webhook of the settings.
    pub hook: String,
    /// The step that asks, with its flow.
    pub step: String,
    /// What is told, by its name.
    pub fields: BTreeMap<String, String>,
    /// How long an answer counts, milliseconds.
    pub timeout_ms: u64,
}

/// Whom to call back, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallbackWish {
    /// The number.
    pub number: String,
    /// Whose agents call.
    pub queue: QueueId,
    /// Greater goes first.
    pub priority: i32,
    /// What is asked of who calls, beyond what the queue asks.
    pub wishes: Vec<SkillWish>,
    /// By which trunk.
    pub trunk: TrunkId,
    /// Hours within which it is called; at any time where absent.
    pub hours: Option<String>,
    /// After how long again, milliseconds.
    pub retry_ms: u64,
    /// How often at most.
    pub most: u32,
    /// Whether the conversation is recorded.
    pub record: bool,
}

/// What the plan of one call may ask about the floor.
pub trait FloorView {
    /// Whether an agent may sit down at the phone that calls, by the PIN.
    ///
    /// # Errors
    /// Why not.
    fn may_sit(&self, agent: &str, pin: &str) -> Result<(), Unseated>;

    /// How many agents of the queue are signed in, busy or not.
    fn signed_in(&self, queue: &QueueId) -> usize;

    /// How many callers wait in the queue.
    fn waiting(&self, queue: &QueueId) -> usize;

    /// How many agents of the queue could take a call now.
    fn available(&self, queue: &QueueId) -> usize;

    /// How long a caller who joins the queue now is expected to wait, ms; `None` where nobody knows.
    fn expected_wait_ms(&self, queue: &QueueId) -> Option<u64>;

    /// The call's own place in its line, from 1; `None` where it waits in none.
    fn position(&self) -> Option<u32>;

    /// How long the call itself is expected to wait yet, ms.
    fn own_expected_wait_ms(&self) -> Option<u64>;

    /// Until when somebody has closed these hours by hand (wall ms).
    fn closed_until(&self, hours: &str) -> Option<i64>;

    /// The prompt that ops have put in front of this flow.
    fn announcement(&self, flow: &str) -> Option<String>;

    /// Whether recordings can be written now.
    fn can_record(&self) -> bool;
}
