//! Why a call or a leg ended, kept from where it happened.

use serde::{Deserialize, Serialize};

/// Who ended the call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HangupBy {
    /// The customer.
    Caller,
    /// The agent.
    Agent,
    /// We did.
    Switch,
}

/// Why something ended: a SIP status (300–699) or a Q.850 cause (1–127), and our word for it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cause {
    /// The SIP status or Q.850 cause.
    pub code: u16,
    /// Our word, in `snake_case`, one of a closed list per room.
    pub text: String,
}

impl Cause {
    /// A cause by number and word.
    pub fn new(code: u16, text: &str) -> Self {
        Self { code, text: text.to_owned() }
    }

    /// Q.850 16: somebody hung up as people do.
    pub fn normal() -> Self {
        Self::new(16, "normal_clearing")
    }

    /// Q.850 41: the switch went down with the call and closed it at its next start.
    pub fn switch_restart() -> Self {
        Self::new(41, "switch_restart")
    }
}
