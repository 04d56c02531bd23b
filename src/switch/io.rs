//! What goes into the switch and what comes out of it: the whole seam between the core and its shell.

use std::collections::BTreeMap;
use std::net::IpAddr;

use super::{CommandError, Settings};
use crate::acd::Forced;
use crate::id::{AgentId, CallId, QueueId, TrunkId};
use crate::journal::Entry;
use crate::media::{LegCommand, MediaReport, PortLease, StorageFigures};
use crate::sip::locate::{Question, Reply};
use crate::sip::message::Verdict;
use crate::sip::transaction::{Flow, Transmit};

/// Something that happened outside.
#[derive(Clone, Debug)]
pub enum Input {
    /// A message came over `flow`; the shell has judged its bytes already.
    Sip {
        /// The judgement.
        verdict: Box<Verdict>,
        /// The way it came.
        flow: Flow,
        /// How long it has waited since it was received, nanoseconds.
        waited_ns: u64,
    },
    /// A way to a peer is broken: a stream that closed, a peer that refuses datagrams.
    FlowBroken {
        /// The way.
        flow: Flow,
    },
    /// What came of [`Output::Resolve`].
    Resolved {
        /// The question.
        question: Question,
        /// The answer.
        reply: Reply,
    },
    /// A media thread tells something.
    Media(MediaReport),
    /// A bound pair of ports for the stock; see [`super::Switch::wants_lease`].
    Leased(PortLease),
    /// How the disk of the recordings fares; to be told four times a second at least.
    Storage(StorageFigures),
    /// How far the disk has come.
    Journal(JournalProgress),
    /// What came of [`Output::Ask`].
    Answered {
        /// Whose plan asked.
        call: CallId,
        /// As in the question.
        id: u32,
        /// The values of the answer, or what was in the way.
        reply: Result<BTreeMap<String, String>, String>,
    },
    /// Somebody with the right to do so wants something; answered by one [`Output::Reply`].
    Command {
        /// Comes back in the reply.
        id: u64,
        /// What.
        command: Command,
    },
    /// Follow new files from now on; calls in progress end on the plan that they began with. The settings have passed
    /// [`super::Switch::check_reload`].
    Reload {
        /// All of them; what only a start reads stays as it is.
        settings: Box<Settings>,
        /// What is different, for the journal.
        changes: Vec<String>,
    },
    /// Stop in order: new calls get 503, calls in progress may finish for `deadline_ms`, then get their BYE.
    Drain {
        /// Milliseconds from now.
        deadline_ms: u64,
    },
}

/// How far the journal's writer has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct JournalProgress {
    /// The last entry that survives `kill -9`.
    pub written: u64,
    /// The last entry that survives a power cut.
    pub synced: u64,
    /// A sync is overdue: confirmations get 503, calls pass.
    pub stalled: bool,
    /// The backlog is at its limit: new calls get 503.
    pub full: bool,
}

/// What the API may ask of the switch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// Bring an agent into another state, as the agent or a supervisor wishes.
    SetAgent {
        /// Who.
        agent: AgentId,
        /// What to.
        wish: AgentWish,
    },
    /// Bring an agent into another state at once; a call that the agent has ends.
    Free {
        /// Who.
        agent: AgentId,
        /// What to.
        to: Forced,
    },
    /// Call a user's phone, and then whom the user wants to speak with.
    PlaceCall {
        /// The new call, drawn by whoever asks.
        call: CallId,
        /// The user.
        user: AgentId,
        /// What the user would dial.
        to: String,
        /// The queue whose number is shown outside.
        queue: Option<QueueId>,
    },
    /// Have an agent call a customer.
    FollowUp {
        /// Names the request, drawn by whoever asks.
        call: CallId,
        /// Whom, and how.
        wish: FollowUp,
    },
    /// Listen again to a source that is ignored.
    LiftBan {
        /// Its address.
        address: IpAddr,
    },
    /// Call a user's phone into a conversation, or change what the user who listens does there.
    Supervise {
        /// Whose conversation.
        call: CallId,
        /// The user.
        by: AgentId,
        /// Who hears whom.
        mode: Supervision,
    },
    /// Let a user who listens leave.
    EndSupervision {
        /// Whose conversation.
        call: CallId,
        /// The user.
        by: AgentId,
    },
    /// Put a user who listens in the agent's place.
    TakeOver {
        /// Whose conversation.
        call: CallId,
        /// The user.
        by: AgentId,
    },
    /// Make one conversation of two calls of one user's phones: whom the user has called in the other one comes into the first.
    Join {
        /// The call that goes on.
        call: CallId,
        /// The one that the user has placed.
        other: CallId,
    },
    /// Close hours by hand until an instant (wall ms).
    CloseHours {
        /// Which.
        hours: String,
        /// Until when.
        until_ms: i64,
    },
    /// Take a closure by hand back.
    ReopenHours {
        /// Which.
        hours: String,
    },
    /// Put a prompt in front of a flow until an instant (wall ms).
    Announce {
        /// Which flow.
        flow: String,
        /// The prompt.
        prompt: String,
        /// Until when.
        until_ms: i64,
    },
    /// Take it away.
    EndAnnouncement {
        /// Which flow.
        flow: String,
    },
    /// Call a customer back no more, who is not in conversation yet.
    CancelCallback {
        /// The call in which it was asked for.
        call: CallId,
    },
    /// End a call.
    HangUp {
        /// Which.
        call: CallId,
    },
    /// Keep out of a call's recording what is said from an instant on.
    PauseRecording {
        /// Which call's.
        call: CallId,
        /// The instant, wall milliseconds; what was said up to 300 ms ago can still be kept out.
        from_ms: i64,
    },
    /// Let it go on.
    ResumeRecording {
        /// Which call's.
        call: CallId,
    },
}

/// What a supervisor does in a conversation. All hear both parties.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Supervision {
    /// Nobody hears the supervisor.
    Monitor,
    /// The agent does.
    Whisper,
    /// Both do.
    Barge,
}

impl Supervision {
    /// Its name in commands and the journal.
    pub fn name(self) -> &'static str {
        match self {
            Self::Monitor => "monitor",
            Self::Whisper => "whisper",
            Self::Barge => "barge",
        }
    }
}

impl std::str::FromStr for Supervision {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        [Self::Monitor, Self::Whisper, Self::Barge].into_iter().find(|mode| mode.name() == text).ok_or(())
    }
}

/// A state that can be asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AgentWish {
    /// Takes calls; ends after-call work.
    Available,
    /// Takes no calls, after the present one.
    NotReady {
        /// The reason code.
        reason: String,
    },
    /// Signed out, after the present call.
    Offline,
    /// More time for after-call work: of the present call, or the work that goes on.
    MoreAcw {
        /// How much (ms).
        by_ms: u64,
    },
}

/// A customer whom an agent is to call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FollowUp {
    /// The number.
    pub number: String,
    /// Whose agents call.
    pub queue: QueueId,
    /// By which trunk.
    pub trunk: TrunkId,
    /// What the customer sees; the queue's number where absent.
    pub shown: Option<String>,
    /// Not before this instant (wall ms); now where absent.
    pub due_ms: Option<i64>,
    /// After how long a customer who was not reached is called again, milliseconds.
    pub retry_ms: u64,
    /// How often at most.
    pub most: u32,
    /// Whether the conversation is recorded; that it is, the agent says.
    pub record: bool,
    /// Greater goes first.
    pub priority: i32,
}

/// A question to another system.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Consultation {
    /// Whose plan asks.
    pub call: CallId,
    /// Comes back in the answer.
    pub id: u32,
    /// Whom: a webhook of the settings.
    pub hook: String,
    /// The same when the same thing is asked again.
    pub key: String,
    /// JSON.
    pub body: String,
    /// How long an answer counts, milliseconds.
    pub timeout_ms: u64,
}

/// Something to be done outside, in this order.
#[derive(Clone, Debug, PartialEq)]
#[allow(
    clippy::large_enum_variant,
    reason = "outputs live until the next poll; a box each would cost more than it saves"
)]
pub enum Output {
    /// Append to the journal. What follows from it comes only once it is written.
    Journal(Entry),
    /// Send these bytes.
    Transmit(Transmit),
    /// Ask DNS; answer with [`Input::Resolved`]. Where none comes, whoever waits is served after a deadline.
    Resolve(Question),
    /// Ask another system; answer with [`Input::Answered`]. Where none comes, the plan goes on after its deadline.
    Ask(Consultation),
    /// For a trace: this Call-ID belongs to the call.
    Traced {
        /// The call.
        call: CallId,
        /// The SIP Call-ID of one of its legs.
        sip: String,
    },
    /// Command a media thread.
    Media(LegCommand),
    /// Answer a command; comes once what it changed is synced.
    Reply {
        /// As in [`Input::Command`].
        id: u64,
        /// The journal's sequence number that holds its effect: a reader may wait for it.
        result: Result<u64, CommandError>,
    },
    /// The drain is done: every call is gone. The last output.
    Drained,
}
