//! Everything that the journal can say.

use serde::{Deserialize, Serialize};

use super::{AgentState, CallbackRequest, Cause, Consent, Decision, HangupBy, PausedBy, Personal, is_default};
use crate::id::{AgentId, CallId, LegId, QueueId, TrunkId};

/// Which way a call came into being.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// From a trunk or an endpoint to us.
    Inbound,
    /// From us to the outside.
    Outbound,
    /// From one of our users to another.
    Internal,
}

/// Why a caller left a queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LeaveReason {
    /// An agent answered.
    Answered,
    /// The caller hung up.
    Abandoned,
    /// The longest wait was reached.
    Timeout,
    /// The queue takes nobody (full, closed, nobody signed in).
    Refused,
    /// The call went to another queue.
    Overflow,
    /// The plan took the caller out: by a key, or because the hours ended.
    Exit,
    /// The switch ended the call.
    Ended,
}

/// How one presentation to, or conversation with, an agent ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SegmentEnd {
    /// The phone rang until the ring timeout.
    NoAnswer,
    /// The phone was busy.
    Busy,
    /// The agent refused.
    Rejected,
    /// The phone could not be reached.
    Unreachable,
    /// The caller left while the phone rang.
    CallerLeft,
    /// Another agent's phone, which rang as well, was answered.
    Elsewhere,
    /// The agent hung up.
    Agent,
    /// The caller hung up.
    Caller,
    /// The call was handed on.
    Transferred,
    /// The switch ended it.
    Switch,
}

/// What became of a recording.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RecordingState {
    /// Whole: written equals expected.
    Complete,
    /// Shorter than it should be (a crash, a full disk).
    Partial,
    /// Nothing could be written.
    Failed,
}

/// What a restart needs to say BYE for a dialog (RFC 3261 §12).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DialogState {
    /// Call-ID header field.
    pub call_id: String,
    /// Our tag.
    pub local_tag: String,
    /// The peer's tag.
    pub remote_tag: String,
    /// Our address of record, as in From or To.
    pub local_uri: Personal,
    /// The peer's, as in From or To.
    pub remote_uri: Personal,
    /// The peer's Contact: where requests go.
    pub remote_target: Personal,
    /// Route set, topmost first.
    pub route_set: Vec<String>,
    /// The CSeq number of our last request.
    pub local_cseq: u32,
    /// The CSeq number of the peer's last request, if it sent one.
    pub remote_cseq: Option<u32>,
    /// `udp` or `tcp`, where the peer was last heard, and at which address of ours: `udp:127.0.0.1:5080@127.0.0.1:5060`.
    pub flow: String,
}

/// What happened. Fields are named and measured as in the call record of `records`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
#[allow(missing_docs, reason = "the fields carry the names of the call record")]
pub enum Event {
    /// The daemon started; everything before without an end was cut.
    Started { node: String, boot: u32, version: String },
    /// The daemon stopped in order.
    Stopped,
    /// Somebody closed hours by hand until an instant.
    HoursClosed { hours: String, until_ms: i64 },
    /// The closure was taken back.
    HoursReopened { hours: String },
    /// Somebody put a prompt in front of a flow until an instant.
    AnnouncementSet { flow: String, prompt: String, until_ms: i64 },
    /// It was taken away.
    AnnouncementTaken { flow: String },
    /// Settings and dialplans were read again, and are in force.
    Reloaded { changes: Vec<String> },
    /// A call was offered to us (or by us).
    CallOffered {
        call: CallId,
        leg: LegId,
        direction: Direction,
        trunk: Option<TrunkId>,
        caller: Personal,
        called: String,
    },
    /// The call belongs to another one, the first of a chain: an agent asks somebody about it, or hands it on.
    CallLinked { call: CallId, linked: CallId },
    /// The dialplan chose a flow.
    FlowEntered { call: CallId, flow: String, language: String },
    /// The caller reached a step.
    StepEntered { call: CallId, step: String },
    /// The caller is of this class from now on.
    CallerClassified { call: CallId, class: String },
    /// The caller chose a language.
    LanguageChosen { call: CallId, language: String },
    /// The first 200 to the caller left.
    CallAnswered { call: CallId },
    /// A call is placed by this trunk; again where the trunk before did not take it.
    TrunkChosen { call: CallId, leg: LegId, trunk: TrunkId },
    /// A dialog came to be, or its CSeq or target moved.
    DialogChanged { call: CallId, leg: LegId, dialog: DialogState },
    /// A leg is gone: its dialog is closed on both sides or given up.
    LegEnded { call: CallId, leg: LegId, cause: Cause },
    /// The caller entered a queue. `since_ms` is from when the place counts (wall milliseconds), where that was before.
    QueueEntered {
        call: CallId,
        queue: QueueId,
        priority: i32,
        position: u32,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        since_ms: Option<i64>,
    },
    /// A key of the caller's leads out of the queue.
    QueueKeyPressed { call: CallId, key: char },
    /// The caller left it.
    QueueLeft { call: CallId, queue: QueueId, reason: LeaveReason, position: u32 },
    /// An agent was chosen; several may be for one caller.
    AgentPresented { call: CallId, agent: AgentId, queue: QueueId, leg: LegId, why: Decision },
    /// The agent's phone rings (180).
    AgentRinging { call: CallId, agent: AgentId },
    /// The agent answered: a person speaks.
    AgentAnswered { call: CallId, agent: AgentId, codec_in: String, codec_out: String },
    /// The other switch or phone that the call was routed to answered: a person speaks, whom no queue has called. `number` is
    /// whom an agent has handed the call on to; `consulted` where the agent had spoken with that party before.
    PeerAnswered {
        call: CallId,
        codec_in: String,
        codec_out: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        number: Option<Personal>,
        #[serde(default, skip_serializing_if = "is_default")]
        consulted: bool,
    },
    /// A hold began, by the agent's or the caller's side.
    HoldBegan { call: CallId },
    /// The hold ended.
    HoldEnded { call: CallId },
    /// A presentation or conversation ended.
    SegmentEnded { call: CallId, agent: AgentId, end: SegmentEnd },
    /// An agent sits down at the phone of that user, until signing out.
    DeskTaken { agent: AgentId, phone: AgentId },
    /// An agent's state changed. One who takes several calls at once has a state for each, by the number of the appearance, from 0.
    AgentChanged {
        agent: AgentId,
        #[serde(default, skip_serializing_if = "is_default")]
        appearance: u8,
        #[serde(flatten)]
        state: AgentState,
    },
    /// What an agent wants to do once the call of an appearance is over: "not ready" or sign out; "available" takes that back.
    AgentWished {
        agent: AgentId,
        #[serde(default, skip_serializing_if = "is_default")]
        appearance: u8,
        #[serde(flatten)]
        state: AgentState,
    },
    /// After-call work for a call ended; its record is final.
    AcwEnded { call: CallId, agent: AgentId },
    /// The caller was asked for consent to a recording, and said so.
    ConsentSaid { call: CallId, consent: Consent },
    /// A supervisor was called into the conversation, or does something else in it from now on: `monitor`, `whisper`, `barge`,
    /// `take_over`. Its end is that of the leg.
    Supervised { call: CallId, leg: LegId, by: AgentId, mode: String },
    /// A recording began with the bridge. `consent` says why it may.
    RecordingStarted { call: CallId, recording: String, consent: Consent },
    /// Nothing said from `from_ms` on (wall ms) is kept; silence stands for it. Where no recording runs, one would begin so.
    RecordingPaused { call: CallId, by: PausedBy, from_ms: i64 },
    /// What is said is kept again.
    RecordingResumed { call: CallId, by: PausedBy },
    /// A recording is closed: what should be there and what is.
    RecordingClosed {
        call: CallId,
        recording: String,
        state: RecordingState,
        expected_ms: u64,
        written_ms: u64,
        sha256: Option<String>,
    },
    /// Media quality of a leg over its life: fraction lost 0–1, jitter in ms, MOS 1–4.5, of what came from its party; round trip in
    /// ms, and loss and jitter of what the party got from us, where it has told them by RTCP.
    QualityMeasured {
        call: CallId,
        leg: LegId,
        mos: Option<f32>,
        loss: f32,
        jitter_ms: f32,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        round_trip_ms: Option<f32>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        sent_loss: Option<f32>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        sent_jitter_ms: Option<f32>,
    },
    /// The caller has left a message; its sound is the call's recording.
    MessageLeft { call: CallId, mailbox: String, caller: Personal },
    /// The caller has asked to be called back.
    CallbackRequested {
        call: CallId,
        #[serde(flatten)]
        request: CallbackRequest,
    },
    /// The customer who asked in `call` is being called back by the call `attempt`, which waits for an agent at first.
    CallbackPlaced { call: CallId, attempt: CallId },
    /// `attempt` has come to nothing, and the customer is to be called again at an instant (wall ms); `tried` says whether the
    /// customer was called in vain, or only the hours ended before an agent was free.
    CallbackPutOff {
        call: CallId,
        attempt: CallId,
        due_ms: i64,
        #[serde(default = "was_tried")]
        tried: bool,
    },
    /// A request to be called back is done with: `reached`, `given_up`, `cancelled`.
    CallbackEnded { call: CallId, attempt: CallId, outcome: String },
    /// The caller has answered a question about the service, once the agent had hung up: a key from 1 up, 10 at most.
    SurveyAnswered { call: CallId, question: String, score: u8 },
    /// The caller speaks in a room.
    ConferenceJoined { call: CallId, room: String },
    /// The caller is out of the room.
    ConferenceLeft { call: CallId, room: String },
    /// The caller waits in a slot until somebody fetches the call; `by` is who has handed it on.
    Parked {
        call: CallId,
        slot: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        by: Option<AgentId>,
    },
    /// The caller is out of the slot: fetched `by` one of our users, gone, or sent on by the plan.
    Unparked {
        call: CallId,
        slot: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        by: Option<AgentId>,
    },
    /// One of our users has brought the party of another call of the user's into the conversation, as a third one. Its end is that
    /// of the leg.
    PartyJoined { call: CallId, leg: LegId, by: AgentId, number: Personal },
    /// A party that should be heard has sent no sound for so long.
    SoundMissing { call: CallId, leg: LegId, ms: u64 },
    /// The call ended, once.
    CallEnded { call: CallId, by: HangupBy, cause: Cause, disposition: String },
    /// A contact was bound, refreshed or (with `expires_ms` in the past) removed; `q` is its preference in thousandths,
    /// `path` the proxies before it, `instance` the phone and its way where it registers by Outbound.
    BindingChanged {
        aor: String,
        contact: String,
        flow: String,
        call_id: String,
        cseq: u32,
        expires_ms: i64,
        q: u16,
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        path: Vec<String>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        instance: Option<String>,
    },
}

fn was_tried() -> bool {
    true
}

impl Event {
    /// The call that the event is about, if it is about one.
    pub fn call(&self) -> Option<CallId> {
        match self {
            Self::Started { .. }
            | Self::Stopped
            | Self::HoursClosed { .. }
            | Self::HoursReopened { .. }
            | Self::AnnouncementSet { .. }
            | Self::AnnouncementTaken { .. }
            | Self::Reloaded { .. }
            | Self::BindingChanged { .. }
            | Self::DeskTaken { .. }
            | Self::AgentChanged { .. }
            | Self::AgentWished { .. } => None,
            Self::CallOffered { call, .. }
            | Self::CallLinked { call, .. }
            | Self::FlowEntered { call, .. }
            | Self::StepEntered { call, .. }
            | Self::LanguageChosen { call, .. }
            | Self::CallerClassified { call, .. }
            | Self::TrunkChosen { call, .. }
            | Self::CallAnswered { call }
            | Self::DialogChanged { call, .. }
            | Self::LegEnded { call, .. }
            | Self::QueueEntered { call, .. }
            | Self::QueueKeyPressed { call, .. }
            | Self::QueueLeft { call, .. }
            | Self::AgentPresented { call, .. }
            | Self::AgentRinging { call, .. }
            | Self::AgentAnswered { call, .. }
            | Self::PeerAnswered { call, .. }
            | Self::HoldBegan { call }
            | Self::HoldEnded { call }
            | Self::SegmentEnded { call, .. }
            | Self::AcwEnded { call, .. }
            | Self::ConsentSaid { call, .. }
            | Self::RecordingStarted { call, .. }
            | Self::Supervised { call, .. }
            | Self::RecordingPaused { call, .. }
            | Self::RecordingResumed { call, .. }
            | Self::RecordingClosed { call, .. }
            | Self::QualityMeasured { call, .. }
            | Self::SoundMissing { call, .. }
            | Self::MessageLeft { call, .. }
            | Self::CallbackRequested { call, .. }
            | Self::CallbackPlaced { call, .. }
            | Self::CallbackPutOff { call, .. }
            | Self::CallbackEnded { call, .. }
            | Self::SurveyAnswered { call, .. }
            | Self::ConferenceJoined { call, .. }
            | Self::ConferenceLeft { call, .. }
            | Self::Parked { call, .. }
            | Self::Unparked { call, .. }
            | Self::PartyJoined { call, .. }
            | Self::CallEnded { call, .. } => Some(*call),
        }
    }
}
