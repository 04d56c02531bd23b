//! What steps change: an agent's state, the recording, the tone at the end.

/// What an agent can dial to become.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AgentChange {
    /// Takes calls.
    Available,
    /// Takes no calls after the present one.
    NotReady,
    /// Is done with after-call work.
    EndAcw,
    /// Needs so much more after-call work, milliseconds.
    ExtendAcw {
        /// How much.
        by_ms: u64,
    },
    /// Signed out.
    SignOut,
}

/// A tone of call progress that tells a caller why the call ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tone {
    /// Who was called is in a call.
    Busy,
    /// The call cannot be served.
    Congestion,
}

impl Tone {
    /// Every one, by its name in plans, which is also that of its music.
    pub(super) const ALL: [(&str, Self); 2] = [("busy", Self::Busy), ("congestion", Self::Congestion)];

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Busy => "busy",
            Self::Congestion => "congestion",
        }
    }
}

/// What a step says about the recording.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RecordChange {
    /// What is said from here on is kept out; where no recording runs, one begins so.
    Paused,
    /// It is kept again.
    Running,
    /// The caller has pressed the key for yes.
    Agreed,
    /// The caller has not: nothing is recorded of this call from here on.
    Refused,
}
