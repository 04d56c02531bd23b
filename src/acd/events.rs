//! What the ACD is told, and what it asks for.

use crate::id::{AgentId, CallId, QueueId};
use crate::journal::{Decision, Event, LeaveReason, Seen, SegmentEnd, SkillWish};

/// Something that happened to an agent or a caller. One that no longer fits (a late ring, a second hang-up) changes nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "agent, call and queue say what they are")]
pub enum Input {
    /// The agent signed in and is available; takes back a sign-out that waits for the end of a call.
    AgentSignedIn { agent: AgentId },
    /// The agent signed out: after the call if there is one. A phone that rings stops.
    AgentSignedOut { agent: AgentId },
    /// The agent takes calls again; ends ACW, and takes back a "not ready" that waits for the end of a call.
    SetAvailable { agent: AgentId },
    /// The agent takes no calls: after call and ACW if in a call, at once otherwise (a phone that rings stops, ACW ends).
    SetNotReady { agent: AgentId, reason: String },
    /// The agent is done with after-call work.
    EndAcw { agent: AgentId },
    /// The agent needs so much more (ms) for after-call work: of the call that he or she is in, or the work that goes on.
    ExtendAcw { agent: AgentId, by_ms: u64 },
    /// A caller joins a queue. `entered_wall_ms` is the instant from which the wait counts; `wishes` is asked of who answers, in every
    /// queue in which he or she waits; `prefer` is whom he or she is to have, if possible. One who `stays` waits however full the
    /// queue is, and however long: a request to be called back.
    CallerEntered {
        call: CallId,
        queue: QueueId,
        priority: i32,
        entered_wall_ms: i64,
        wishes: Vec<SkillWish>,
        prefer: Option<Preference>,
        stays: bool,
    },
    /// The caller hung up.
    CallerLeft { call: CallId },
    /// The switch took the caller out: it ends the call.
    CallerRemoved { call: CallId },
    /// The plan took the caller out and goes on elsewhere: by a key, or because the hours ended.
    CallerExited { call: CallId },
    /// An agent in conversation hands the caller to another one, who is reserved if available. That caller stands in no line.
    HandedOver { call: CallId, from: AgentId, to: AgentId },
    /// The agent's conversation goes on in another call: two calls have been made one.
    Moved { agent: AgentId, from: CallId, to: CallId },
    /// The agent's phone rings.
    PhoneRinging { agent: AgentId, call: CallId },
    /// The agent answered.
    AgentAnswered { agent: AgentId, call: CallId },
    /// The presentation failed, and its leg is gone already.
    AgentFailed { agent: AgentId, call: CallId, why: Failure },
    /// The conversation is on hold.
    Hold { agent: AgentId, call: CallId },
    /// The hold ended.
    Resume { agent: AgentId, call: CallId },
    /// The agent is out of the conversation, whoever ended it.
    ConversationEnded { agent: AgentId, call: CallId },
    /// The agent placed a call: none is presented until it ends.
    PhoneTaken { agent: AgentId, call: CallId },
    /// A call that the agent placed has ended.
    PhoneFree { agent: AgentId, call: CallId },
    /// Whether one of the agent's phones answers; none is presented while none does.
    PhoneReach { agent: AgentId, reachable: bool },
    /// A supervisor acts on the agent, in whatever state but signed out.
    Forced { agent: AgentId, to: Forced },
    /// How the last run left the agent, by the journal: told once after a restart, before any caller enters.
    Restored { agent: AgentId, seen: Vec<Seen> },
}

/// An agent whom a caller waits for alone at first, a member of the queue or not. One who signs out is waited for no longer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Preference {
    /// The agent.
    pub agent: AgentId,
    /// How long (ms); 0 where only an agent who is free at once will do.
    pub wait_ms: u64,
}

/// Why a presentation failed. The agent becomes not ready with the reason of that name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// Rang until the timeout.
    NoAnswer,
    /// Busy.
    Busy,
    /// The agent refused.
    Rejected,
    /// The phone could not be reached.
    Unreachable,
}

impl Failure {
    /// The reason of the "not ready" that follows.
    pub fn reason(self) -> &'static str {
        match self {
            Self::NoAnswer => "no_answer",
            Self::Busy => "busy",
            Self::Rejected => "rejected",
            Self::Unreachable => "unreachable",
        }
    }

    /// Whether an agent who is not ready for this reason did not take a call.
    pub(super) fn is_reason(reason: &str) -> bool {
        [Self::NoAnswer, Self::Busy, Self::Rejected, Self::Unreachable].iter().any(|failure| failure.reason() == reason)
    }
}

/// What a supervisor makes of an agent. A call that the agent still had is cut ([`Output::CancelPresentation`]).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Forced {
    /// Available, whatever the agent was stuck in.
    Available,
    /// Not ready.
    NotReady {
        /// The reason code.
        reason: String,
    },
    /// Signed out.
    Offline,
}

/// What the ACD wants done, in this order.
#[derive(Clone, Debug, PartialEq)]
#[allow(
    clippy::large_enum_variant,
    reason = "outputs live until the next poll; a box each would cost more than it saves"
)]
pub enum Output {
    /// Call this agent for this caller; several may be called for one.
    Present {
        /// The caller's call.
        call: CallId,
        /// The agent, now reserved.
        agent: AgentId,
        /// For which queue.
        queue: QueueId,
        /// How the pair came about.
        why: Decision,
    },
    /// End the agent's leg of this call (CANCEL, or BYE if it was answered meanwhile).
    CancelPresentation {
        /// The caller's call.
        call: CallId,
        /// The agent.
        agent: AgentId,
        /// Why.
        reason: SegmentEnd,
    },
    /// The caller is out of the ACD without an agent; the flow goes on.
    CallerOut {
        /// The caller's call.
        call: CallId,
        /// `Timeout` or `Refused`.
        reason: LeaveReason,
    },
    /// The caller is served by what the queue asks alone: there are callers of too many other kinds at once.
    WishesUnheeded {
        /// The caller's call.
        call: CallId,
        /// The queue.
        queue: QueueId,
    },
    /// Write this down.
    Journal(Event),
}
