//! What a call waits for at its place in the plan.

use super::message::Message;
use super::queued::Queued;
use crate::dialplan::program::{Program, StepRef};
use crate::journal::Cause;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// Waiting for the 200 to leave.
    Answering {
        next: StepRef,
    },
    /// The caller hears ringing.
    Ringing {
        deadline_ns: u64,
        next: StepRef,
    },
    Playing {
        id: u32,
        notice: bool,
        interruptible: bool,
        next: StepRef,
    },
    /// The question is being played.
    Asking {
        id: u32,
        question: StepRef,
        attempt: u32,
    },
    /// The question was played, silence runs.
    Listening {
        deadline_ns: u64,
        question: StepRef,
        attempt: u32,
    },
    /// The first keys of an entry have come.
    Collecting {
        keys: String,
        deadline_ns: u64,
        question: StepRef,
        attempt: u32,
    },
    Queued(Queued),
    /// An agent speaks with the caller.
    Talking {
        after: Option<StepRef>,
    },
    /// Somebody is being called for the caller, or speaks with the caller.
    Dialling {
        next: StepRef,
    },
    /// What comes before a message is said.
    Greeting {
        id: u32,
        step: StepRef,
    },
    /// The caller speaks a message.
    Speaking(Message),
    /// Another system is being asked.
    Consulting {
        id: u32,
        about: u32,
        deadline_ns: u64,
        step: StepRef,
        tries: u32,
    },
    /// What the caller has left is being kept.
    Storing {
        deadline_ns: u64,
        next: StepRef,
        failed: StepRef,
    },
    /// The caller speaks with everybody in a room.
    Conferring {
        step: StepRef,
    },
    /// The caller waits in a slot, or has come to fetch somebody out of it.
    Parked {
        deadline_ns: u64,
        step: StepRef,
    },
    Echoing,
    /// A last tone is heard.
    Parting {
        deadline_ns: u64,
        cause: Cause,
    },
    Ended,
}

impl State {
    /// When what it waits for is overdue (monotonic nanoseconds).
    pub(super) fn deadline_ns(&self) -> Option<u64> {
        match self {
            Self::Listening { deadline_ns, .. }
            | Self::Collecting { deadline_ns, .. }
            | Self::Ringing { deadline_ns, .. }
            | Self::Storing { deadline_ns, .. }
            | Self::Parked { deadline_ns, .. }
            | Self::Parting { deadline_ns, .. }
            | Self::Consulting { deadline_ns, .. } => Some(*deadline_ns),
            Self::Queued(queued) => queued.deadline_ns(),
            Self::Speaking(message) => Some(message.deadline_ns),
            _ => None,
        }
    }

    /// Whether a key would lead somewhere, or is waited for.
    pub(super) fn takes_keys(&self, program: &Program) -> bool {
        match self {
            Self::Listening { .. } | Self::Collecting { .. } | Self::Asking { .. } | Self::Speaking(_) => true,
            Self::Conferring { .. } => true,
            Self::Queued(queued) => queued.has_keys(program),
            _ => false,
        }
    }
}
