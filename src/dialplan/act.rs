//! What a cursor takes in and what it gives back.

use super::program::{AgentChange, Prompt};
use crate::id::{QueueId, TrunkId};
use crate::journal::{Cause, LeaveReason};

/// What is known of a call when it comes in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallFacts {
    /// The number that was dialled.
    pub called: String,
    /// The caller's number.
    pub caller: String,
    /// The trunk that brought the call.
    pub trunk: Option<TrunkId>,
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
    /// The ACD let the caller go.
    QueueLeft {
        /// Why.
        reason: LeaveReason,
    },
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
        /// Whether to record; never without a notice that was heard to its end.
        record: bool,
    },
    /// Change the state of the agent whose phone calls; nothing where the caller is no agent.
    ChangeAgent(AgentChange),
    /// Send the caller's audio back.
    Echo,
    /// End the call.
    Hangup {
        /// Why.
        cause: Cause,
    },
}

/// What the plan may ask about the queues.
pub trait FloorView {
    /// How many agents of the queue are signed in, busy or not.
    fn signed_in(&self, queue: &QueueId) -> usize;
}
