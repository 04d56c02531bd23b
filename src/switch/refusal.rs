//! Why commands are not carried out.

use std::net::IpAddr;

use crate::id::{AgentId, CallId};

/// Why a command was not carried out.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CommandError {
    /// 404.
    #[error("there is no agent \"{0}\"")]
    UnknownAgent(AgentId),
    /// 404.
    #[error("there is no call {0} in progress")]
    UnknownCall(CallId),
    /// 404.
    #[error("nobody is to be called back for call {0}")]
    UnknownCallback(CallId),
    /// 404.
    #[error("{0} is not banned")]
    UnknownBan(IpAddr),
    /// 404.
    #[error("there is no {kind} \"{name}\" in the dialplan")]
    Unwritten {
        /// What it would be.
        kind: &'static str,
        /// Its name.
        name: String,
    },
    /// 404.
    #[error("{0} is no number of the plan, no user and no number that a route takes")]
    NoWay(String),
    /// 403.
    #[error("{user} may not call {number}: may_call lacks \"{class}\"")]
    Barred {
        /// Who.
        user: AgentId,
        /// Whom.
        number: String,
        /// The class of service that is lacking.
        class: String,
    },
    /// 404.
    #[error("nothing stands in front of flow \"{0}\"")]
    NotAnnounced(String),
    /// 404.
    #[error("hours \"{0}\" are not closed by hand")]
    NotClosed(String),
    /// 409.
    #[error("the prompt \"{prompt}\" is not there in {language}, which flow \"{flow}\" speaks")]
    Unspoken {
        /// The prompt.
        prompt: String,
        /// In which language.
        language: String,
        /// The flow.
        flow: String,
    },
    /// 409.
    #[error(
        "agent {0} has no phone: register it, let the agent sit down at one (*70 in the demo), or give a contact in the settings, and ask again"
    )]
    NoPhone(AgentId),
    /// 409.
    #[error("agent {0} is in no conversation out of a queue and has no after-call work that could go on longer")]
    NoAcw(AgentId),
    /// 409.
    #[error("call {0} is not being recorded")]
    NotRecorded(CallId),
    /// 409.
    #[error("in call {0} nobody talks with an agent or a colleague now")]
    NoConversation(CallId),
    /// 409.
    #[error("{0} is a party of that conversation")]
    OwnConversation(AgentId),
    /// 409.
    #[error("agent {agent} cannot be freed: {why}")]
    NotFreed {
        /// Who.
        agent: AgentId,
        /// What is in the way.
        why: &'static str,
    },
    /// 409.
    #[error("call {0} has as many supervisors as a call may have")]
    TooManySupervisors(CallId),
    /// 409.
    #[error("calls {call} and {other} cannot become one conversation: {why}")]
    NotJoined {
        /// The call that was to go on.
        call: CallId,
        /// The other one.
        other: CallId,
        /// What is in the way.
        why: String,
    },
    /// 404.
    #[error("{user} does not listen to call {call}")]
    NotSupervised {
        /// The call.
        call: CallId,
        /// Who does not.
        user: AgentId,
    },
    /// 409.
    #[error("the phone of {user} cannot be called: {why}")]
    NotReached {
        /// Whose.
        user: AgentId,
        /// What is in the way.
        why: String,
    },
    /// 409: it was paused so often that it stays paused.
    #[error("the recording of call {0} was paused too often: it stays paused to its end")]
    PausedForGood(CallId),
    /// 503: the change was made and could not be made durable in time.
    #[error("the disk is stalled: the change is made, but would not survive a power cut yet; ask again")]
    Stalled,
}
