//! What is told of a recording while it runs: why it may, who keeps what out of it, and the places that a listener looks for.

use serde::{Deserialize, Serialize};

use super::{Event, SegmentEnd};
use crate::id::AgentId;

/// What the caller has said to being recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Consent {
    /// The caller heard the announcement to its end and stayed.
    Announced,
    /// The caller was asked and pressed the key for yes.
    Given,
    /// The caller was asked and did not say yes: nothing is recorded.
    Refused,
}

impl Consent {
    /// Its name in the journal and in records.
    pub fn name(self) -> &'static str {
        match self {
            Self::Announced => "announced",
            Self::Given => "given",
            Self::Refused => "refused",
        }
    }
}

/// Who pauses a recording or lets it go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PausedBy {
    /// The agent, by the phone: INFO with `Record: off`, or the keys for it.
    Agent,
    /// A step of the dialplan.
    Dialplan,
    /// A supervisor or a program, by the API.
    Operator,
    /// Nobody: the call is being handed on, and no agent speaks with the caller.
    Transfer,
}

/// A place in a recording that a listener looks for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "cue", rename_all = "snake_case")]
pub enum Cue {
    /// This agent speaks from here on.
    Agent {
        /// Who.
        agent: AgentId,
    },
    /// Somebody at another switch or phone speaks from here on, whom no queue has called.
    Peer,
    /// A hold begins.
    Held,
    /// It ends.
    Retrieved,
    /// This agent has handed the call on.
    HandedOn {
        /// Who.
        agent: AgentId,
    },
    /// Silence from here on: somebody keeps out what is said.
    Paused {
        /// Who.
        by: PausedBy,
    },
    /// Sound again.
    Resumed {
        /// Who.
        by: PausedBy,
    },
}

impl Cue {
    /// The place that an event makes, and its instant (wall ms) where that is not the entry's own.
    pub fn of(event: &Event) -> Option<(Self, Option<i64>)> {
        let cue = match event {
            Event::AgentAnswered { agent, .. } => Self::Agent { agent: agent.clone() },
            Event::PeerAnswered { .. } => Self::Peer,
            Event::HoldBegan { .. } => Self::Held,
            Event::HoldEnded { .. } => Self::Retrieved,
            Event::SegmentEnded { agent, end: SegmentEnd::Transferred, .. } => Self::HandedOn { agent: agent.clone() },
            Event::RecordingPaused { by, from_ms, .. } => return Some((Self::Paused { by: *by }, Some(*from_ms))),
            Event::RecordingResumed { by, .. } => Self::Resumed { by: *by },
            _ => return None,
        };
        Some((cue, None))
    }
}
