//! Why a plan went where it did, for `route`, traces and tests.

use super::hours::Because;
use crate::id::QueueId;
use crate::journal::Cause;

/// What a plan decided, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// By hours.
    Hours {
        /// Which.
        hours: String,
        /// Whether they are open.
        open: bool,
        /// What decided.
        because: Because,
    },
    /// By the cases of a `when` step.
    Case {
        /// The first that holds, from 1; `None` where none does.
        number: Option<usize>,
    },
    /// By the directory, or another system in its place.
    Customer {
        /// Who it is; `None` where nobody knows.
        name: Option<String>,
    },
    /// Nobody is signed in.
    Unstaffed {
        /// To this queue.
        queue: QueueId,
    },
    /// The hours of those who wait have ended.
    Closing {
        /// Which.
        hours: String,
    },
    /// By another system.
    Webhook {
        /// Which.
        hook: String,
        /// What was in the way; `None` where it answered.
        why: Option<String>,
    },
    /// Nobody has answered a call of the plan's.
    NotReached {
        /// What the last one said.
        cause: Cause,
    },
    /// A number is not one that may be called.
    NotAllowed {
        /// The number.
        number: String,
    },
    /// A number is neither the plan's nor a user's, or the call has been sent on too often.
    NotTransferred {
        /// The number.
        number: String,
    },
    /// An agent was named who was to sit at the phone that calls.
    Sits {
        /// Who.
        agent: String,
        /// Why not; `None` where it was proved.
        refused: Option<Unseated>,
    },
    /// The caller was not let into a room, or into a slot.
    NotAdmitted {
        /// Why.
        why: String,
    },
    /// The caller has come to fetch somebody out of a slot, and could not.
    NotFetched {
        /// Why.
        why: String,
    },
    /// Nothing can be recorded for this caller, so no message is taken.
    NoMessage,
    /// A value did not fit its variable, which keeps what it has.
    Unfit {
        /// The variable.
        variable: String,
    },
}

impl std::fmt::Display for Decision {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Hours { hours, open: true, because } => write!(f, "hours {hours} are open, {because}"),
            Self::Hours { hours, open: false, because } => write!(f, "hours {hours} are closed, {because}"),
            Self::Case { number: Some(number) } => write!(f, "case {number} holds"),
            Self::Case { number: None } => write!(f, "no case holds"),
            Self::Customer { name: Some(name) } => write!(f, "the caller is known: {name}"),
            Self::Customer { name: None } => write!(f, "the caller is not known"),
            Self::Unstaffed { queue } => write!(f, "nobody is signed in to {queue}"),
            Self::Closing { hours } => write!(f, "hours {hours} have ended"),
            Self::Webhook { hook, why: None } => write!(f, "webhook {hook} has answered"),
            Self::Webhook { hook, why: Some(why) } => write!(f, "webhook {hook} has not answered: {why}"),
            Self::NotReached { cause } => write!(f, "nobody has answered: {} {}", cause.code, cause.text),
            Self::NotAllowed { number } => write!(f, "{number} is no number that may be called"),
            Self::NotTransferred { number } => {
                write!(f, "no flow or user is called {number}, or the call went in a circle")
            }
            Self::Sits { agent, refused: None } => write!(f, "agent {agent} sits at the phone that calls"),
            Self::Sits { agent, refused: Some(why) } => write!(f, "agent {agent} is not let in: {why}"),
            Self::NotAdmitted { why } => write!(f, "the caller is not let in: {why}"),
            Self::NotFetched { why } => write!(f, "nobody is fetched: {why}"),
            Self::NoMessage => write!(f, "nothing can be recorded, so no message is taken"),
            Self::Unfit { variable } => write!(f, "the value does not fit {variable}, which stays as it is"),
        }
    }
}

/// Why an agent does not sit down at the phone that calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unseated {
    /// There is no such agent, or the PIN is another one.
    WrongPin,
    /// The agent is in a conversation, or who sits at the phone is.
    InUse,
    /// Too many PINs were wrong.
    Locked,
    /// The call is no phone's of ours.
    Outside,
}

impl std::fmt::Display for Unseated {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::WrongPin => "no agent has this number and this PIN",
            Self::InUse => "the agent, or who sits at the phone, is in a conversation",
            Self::Locked => "too many PINs were wrong, and five minutes are not over",
            Self::Outside => "the call comes from no phone of ours",
        })
    }
}
