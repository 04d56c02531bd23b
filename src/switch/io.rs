//! What goes into the switch and what comes out of it: the whole seam between the core and its shell.

use std::net::IpAddr;

use crate::id::{AgentId, CallId};
use crate::journal::Entry;
use crate::media::{LegCommand, MediaReport, PortLease};
use crate::sip::locate::{Question, Reply};
use crate::sip::message::Verdict;
use crate::sip::transaction::{Flow, Transmit};

/// Something that happened outside.
#[derive(Clone, Debug, PartialEq)]
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
    /// How far the disk has come.
    Journal(JournalProgress),
    /// Somebody with the right to do so wants something; answered by one [`Output::Reply`].
    Command {
        /// Comes back in the reply.
        id: u64,
        /// What.
        command: Command,
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
    /// Listen again to a source that is ignored.
    LiftBan {
        /// Its address.
        address: IpAddr,
    },
    /// End a call.
    HangUp {
        /// Which.
        call: CallId,
    },
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
}

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
    #[error("{0} is not banned")]
    UnknownBan(IpAddr),
    /// 409.
    #[error("agent {0} has no phone: register it, or give the agent a contact in the settings, and ask again")]
    NoPhone(AgentId),
    /// 503: the change was made and could not be made durable in time.
    #[error("the disk is stalled: the change is made, but would not survive a power cut yet; ask again")]
    Stalled,
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
