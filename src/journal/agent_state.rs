//! What an agent is doing.

use serde::{Deserialize, Serialize};

use crate::id::CallId;

/// What an agent is doing. One record per agent, never per queue.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum AgentState {
    /// Not signed in.
    Offline,
    /// Waiting for a call.
    Available,
    /// Chosen for a call whose presentation has not reached the phone yet.
    Reserved {
        /// The call.
        call: CallId,
    },
    /// The phone rings.
    Ringing {
        /// The call.
        call: CallId,
    },
    /// In conversation.
    Talking {
        /// The call.
        call: CallId,
    },
    /// In a call that is on hold.
    Hold {
        /// The call.
        call: CallId,
    },
    /// In a call that is on hold, while the agent's phone is in a call of its own: with whom the agent consults.
    Consult {
        /// The call on hold.
        call: CallId,
    },
    /// After-call work.
    Acw {
        /// The call that it is about.
        call: CallId,
        /// When it ends by itself, wall milliseconds; survives a restart.
        until_ms: i64,
    },
    /// Signed in and not to be called.
    NotReady {
        /// Why: `no_answer`, `rejected`, or a reason code chosen by the agent.
        reason: String,
        /// When the agent is available again by itself, wall milliseconds; survives a restart.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        until_ms: Option<i64>,
    },
}

/// How one of the calls that an agent can take at once was seen last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// Its number, from 0.
    pub appearance: u8,
    /// Its last state.
    pub state: AgentState,
    /// Since when (wall ms).
    pub since_wall_ms: i64,
    /// What the agent wants to do once that call is over, where it is anything but being available.
    pub wish: Option<AgentState>,
}

impl AgentState {
    /// The smaller, the more goes on: which of several calls at once an agent is shown in.
    pub fn rank(&self) -> u8 {
        match self {
            Self::Talking { .. } => 0,
            Self::Consult { .. } => 1,
            Self::Hold { .. } => 2,
            Self::Ringing { .. } => 3,
            Self::Reserved { .. } => 4,
            Self::Acw { .. } => 5,
            Self::Available => 6,
            Self::NotReady { .. } => 7,
            Self::Offline => 8,
        }
    }

    /// The call that the state is about.
    pub fn call(&self) -> Option<CallId> {
        match self {
            Self::Reserved { call }
            | Self::Ringing { call }
            | Self::Talking { call }
            | Self::Hold { call }
            | Self::Consult { call }
            | Self::Acw { call, .. } => Some(*call),
            Self::Offline | Self::Available | Self::NotReady { .. } => None,
        }
    }

    /// The state's name, as the journal writes it.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Offline => "offline",
            Self::Available => "available",
            Self::Reserved { .. } => "reserved",
            Self::Ringing { .. } => "ringing",
            Self::Talking { .. } => "talking",
            Self::Hold { .. } => "hold",
            Self::Consult { .. } => "consult",
            Self::Acw { .. } => "acw",
            Self::NotReady { .. } => "not_ready",
        }
    }

    /// The call that is presented to the agent.
    pub fn presented(&self) -> Option<CallId> {
        match self {
            Self::Reserved { call } | Self::Ringing { call } => Some(*call),
            _ => None,
        }
    }

    /// Whether the agent works on a call: talk, hold, after-call work.
    pub fn is_handling(&self) -> bool {
        self.conversation().is_some() || matches!(self, Self::Acw { .. })
    }

    /// The call that the agent is in, on hold or not.
    pub fn conversation(&self) -> Option<CallId> {
        match self {
            Self::Talking { call } | Self::Hold { call } | Self::Consult { call } => Some(*call),
            _ => None,
        }
    }

    /// Whether the agent is there for calls: signed in and not "not ready".
    pub fn is_ready(&self) -> bool {
        !matches!(self, Self::Offline | Self::NotReady { .. })
    }
}
