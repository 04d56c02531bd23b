//! One customer's call: its legs, who is bridged with whom, and how it ends. The switch tells it what the SIP endpoint, the
//! dialplan and the ACD said, and carries out what it gives back.

mod callback;
mod ending;
mod leg;
mod machine;
mod routed;
#[cfg(test)]
mod tests;
mod transfer;

pub use leg::{Leg, LegState};
pub use machine::{Call, CallState};
pub use transfer::Giver;

use crate::id::{AgentId, LegId, QueueId};
use crate::journal::{Cause, Decision, Event, Personal, SegmentEnd};

/// What a call is told.
#[derive(Clone, Debug, PartialEq)]
pub enum Input {
    /// The dialplan wants the caller answered.
    Answer,
    /// The recording notice was played to its end.
    NoticePlayed,
    /// The flow reached a step after which a caller who hangs up has got what the flow is for (an echo, a farewell).
    Served,
    /// The caller entered a queue.
    Enqueued {
        /// Whether the conversation is recorded, once the notice has been played.
        record: bool,
        /// Whether the plan goes on with the caller once the agent has hung up.
        after: bool,
    },
    /// What the call has come to, whoever ends it, unless a person speaks: the caller has left what the flow is for, or is turned away.
    Left {
        /// `voicemail`, `callback` or `failed`.
        disposition: &'static str,
    },
    /// The caller left the queue without an agent and the dialplan goes on.
    Dequeued,
    /// The ACD chose an agent: for a caller who waits, while others' phones ring or not, or whom another agent hands on.
    Present {
        /// Who.
        agent: AgentId,
        /// The queue on whose behalf.
        queue: QueueId,
        /// The leg to dial, drawn by the switch.
        leg: LegId,
        /// Why this agent.
        why: Decision,
    },
    /// The ACD withdraws a presentation (ring timeout, forced by a supervisor), or who was to have the call is given up.
    Withdraw {
        /// Who was called; none where the phone is no agent's.
        agent: Option<AgentId>,
        /// What the segment ends with.
        end: SegmentEnd,
    },
    /// The agent's phone rings.
    AgentRinging {
        /// The leg.
        leg: LegId,
    },
    /// The agent's phone sent its 200.
    AgentAnswered {
        /// The leg.
        leg: LegId,
        /// Codec of the caller's leg.
        codec_in: String,
        /// Codec of the agent's leg.
        codec_out: String,
    },
    /// The agent's phone refused, failed or confirmed our CANCEL.
    AgentFailed {
        /// The leg.
        leg: LegId,
        /// What the segment ends with.
        end: SegmentEnd,
        /// The final status.
        cause: Cause,
    },
    /// The call is sent straight on to another switch or phone, or to several phones at once.
    Route {
        /// The legs to dial, drawn by the switch.
        legs: Vec<LegId>,
        /// Whether the conversation is recorded.
        record: bool,
    },
    /// The called phone rings.
    TargetRinging {
        /// The leg.
        leg: LegId,
    },
    /// The called side lets its caller hear something before it answers.
    TargetHeard {
        /// The leg.
        leg: LegId,
    },
    /// The called phone sent its 200.
    TargetAnswered {
        /// The leg.
        leg: LegId,
        /// Codec of the caller's leg.
        codec_in: String,
        /// Codec of the called leg.
        codec_out: String,
        /// Whom an agent has handed the call on to, where one has.
        number: Option<Personal>,
    },
    /// The called phone refused, failed or confirmed our CANCEL.
    TargetFailed {
        /// The leg.
        leg: LegId,
        /// The final status.
        cause: Cause,
    },
    /// A party of a call that no queue has given to an agent is one of our users, who hands it on: it counts as that agent's
    /// conversation from now on, and the other party as the caller.
    GivenBy {
        /// The user.
        agent: AgentId,
        /// That party's leg.
        leg: LegId,
    },
    /// Its agent hands the call on to a flow.
    ToFlow,
    /// Its agent hands the call on to a phone that is no agent's.
    ToTarget {
        /// The leg to dial, drawn by the switch.
        leg: LegId,
        /// Whether the conversation there is recorded.
        record: bool,
    },
    /// Its agent hands the call on to the party of a call of the agent's own, which is up; or one of our users has fetched its caller,
    /// who waits in a slot.
    ToParty {
        /// That party's leg.
        leg: LegId,
        /// Whose phone it is; none where it is no agent's.
        agent: Option<AgentId>,
        /// Whom the agent had called, or who has fetched; none where it was an agent out of a queue.
        number: Option<Personal>,
        /// Codec of the caller's leg.
        codec_in: String,
        /// Codec of the party's leg.
        codec_out: String,
    },
    /// The call's other party goes on in another call, by its caller's wish; or its caller does, who has fetched somebody there: this
    /// one is over.
    PartyGone {
        /// The leg.
        leg: LegId,
    },
    /// A user goes on by another phone, which is up.
    Moved {
        /// The leg that it replaces.
        from: LegId,
        /// Its leg.
        to: LegId,
    },
    /// A party held or resumed the conversation.
    Held {
        /// Whether it is on hold now.
        on: bool,
    },
    /// A party hung up: BYE, CANCEL, or its media or transport died.
    HungUp {
        /// The leg.
        leg: LegId,
        /// What the party said.
        cause: Cause,
    },
    /// The dialplan or the shutdown ends the call.
    Hangup {
        /// What is told to the parties.
        cause: Cause,
        /// Whether the flow ended as designed (`self_service`) or the call failed.
        as_designed: bool,
    },
    /// The SIP endpoint has closed the leg's dialog: nothing more will come from it.
    LegGone {
        /// The leg.
        leg: LegId,
    },
}

/// What a call wants done.
#[derive(Clone, Debug, PartialEq)]
pub enum Output {
    /// Send the caller a 200.
    AnswerCaller,
    /// Send the caller a final response of 300 or more.
    RefuseCaller {
        /// Its status and our word.
        cause: Cause,
    },
    /// Tell the caller that the called phone rings.
    RingCaller,
    /// Let the caller hear what the called side says before it answers; nothing is recorded.
    BridgeEarly {
        /// The called phone's leg.
        leg: LegId,
    },
    /// Invite the phone that the call was routed to.
    DialTarget {
        /// The leg.
        leg: LegId,
    },
    /// Invite the agent.
    DialAgent {
        /// The leg.
        leg: LegId,
        /// The agent.
        agent: AgentId,
    },
    /// An agent has answered who calls a customer back: the agent's part begins, and the agent hears music until the customer answers.
    CallBack {
        /// The agent.
        agent: AgentId,
        /// The agent's leg.
        leg: LegId,
    },
    /// CANCEL the leg's INVITE.
    CancelLeg {
        /// The leg.
        leg: LegId,
        /// For the Reason header.
        cause: Cause,
    },
    /// Send the leg a BYE.
    ByeLeg {
        /// The leg.
        leg: LegId,
        /// For the Reason header.
        cause: Cause,
    },
    /// Join the media of both legs; record where `record`.
    Bridge {
        /// The caller's leg.
        caller: LegId,
        /// The agent's leg, or that of the phone that the call was routed to.
        agent: LegId,
        /// Whether the tap is armed.
        record: bool,
    },
    /// Let caller and agent hear each other no longer: the call is being handed on.
    Suspend {
        /// The caller's leg.
        caller: LegId,
        /// The agent's leg.
        agent: LegId,
    },
    /// Let caller and agent hear each other again.
    Rejoin,
    /// Tell the agent's phone what came of handing the call on.
    TransferEnded {
        /// The agent's leg.
        leg: LegId,
        /// A SIP status: 200 where somebody has the call now.
        code: u16,
    },
    /// Tell the ACD that the presentation came to nothing.
    PresentationFailed {
        /// The agent.
        agent: AgentId,
        /// How.
        end: SegmentEnd,
    },
    /// The caller, whom we have called, has answered: see where the call goes.
    CallerThere,
    /// Nobody whom the plan has called for its caller has answered: the plan goes on.
    NotReached {
        /// What the last one said.
        cause: Cause,
    },
    /// The agent has hung up and the call is over, but the plan goes on with its caller; nothing more is recorded.
    PlanGoesOn,
    /// The plan that went on after the conversation is over.
    PlanOver,
    /// Tell the ACD that the caller is gone.
    CallerLeft,
    /// Tell the ACD that the conversation is over: ACW begins.
    ConversationEnded {
        /// The agent.
        agent: AgentId,
    },
    /// Write this to the journal, before any output that follows.
    Journal(Box<Event>),
    /// Every leg is gone: forget the call.
    Finished,
}
