//! The call record: one per call, the same names in JSON and CSV.

use serde::{Deserialize, Serialize};

use super::Wall;
use crate::id::{AgentId, CallId, QueueId, TrunkId};
use crate::journal::{Cause, Consent, Direction, HangupBy, PausedBy, RecordingState, SegmentEnd};

/// What came of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Disposition {
    /// A person answered.
    Answered,
    /// The IVR ended it as designed.
    SelfService,
    /// The caller left while waiting or ringing.
    Abandoned,
    /// The caller left a message.
    Voicemail,
    /// The caller will be called back.
    Callback,
    /// We would not take it.
    Refused,
    /// Something went wrong.
    Failed,
    /// The called party was busy.
    Busy,
    /// The called party did not answer.
    NoAnswer,
}

impl Disposition {
    /// The disposition by its name in the journal.
    pub fn from_name(name: &str) -> Option<Self> {
        Some(match name {
            "answered" => Self::Answered,
            "self_service" => Self::SelfService,
            "abandoned" => Self::Abandoned,
            "voicemail" => Self::Voicemail,
            "callback" => Self::Callback,
            "refused" => Self::Refused,
            "failed" => Self::Failed,
            "busy" => Self::Busy,
            "no_answer" => Self::NoAnswer,
            _ => return None,
        })
    }
}

/// One presentation to an agent, and the conversation if it was answered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Segment {
    /// The agent.
    pub agent: AgentId,
    /// When the agent was chosen.
    pub presented: Wall,
    /// When the agent answered.
    pub answered: Option<Wall>,
    /// When the presentation or the conversation ended.
    pub ended: Wall,
    /// How long the phone rang, ms.
    pub ring_ms: u64,
    /// Conversation without holds, ms.
    pub talk_ms: u64,
    /// Holds within the conversation, ms.
    pub hold_ms: u64,
    /// Why it ended.
    pub end_reason: SegmentEnd,
}

/// The call was handed on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Transfer {
    /// When.
    pub at: Wall,
    /// Who handed it on.
    pub from: AgentId,
    /// Who answered next, if anybody did.
    pub to: Option<String>,
}

/// A third party was brought into the conversation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Joined {
    /// When.
    pub at: Wall,
    /// Who brought it in.
    pub by: AgentId,
    /// Whom: the number that was dialled, or our user.
    pub party: String,
    /// When it left; none where it stayed to the end.
    pub left: Option<Wall>,
}

/// What the caller said afterwards.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Survey {
    /// The question's name.
    pub question: String,
    /// What the key stands for, 1 to 10.
    pub score: u8,
}

/// The recording of the call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recording {
    /// Its name in the store.
    pub id: String,
    /// What became of it; none while it is being closed.
    pub state: Option<RecordingState>,
    /// How long it should be, ms.
    pub expected_ms: u64,
    /// How long it is, ms.
    pub written_ms: u64,
    /// SHA-256 of the file, hexadecimal.
    pub sha256: Option<String>,
    /// Why it may be.
    pub consent: Consent,
    /// What was kept out of it; silence stands for that.
    #[serde(default)]
    pub pauses: Vec<KeptOut>,
}

impl Recording {
    /// One that has begun and holds nothing.
    pub(super) fn begun(id: &str, consent: Consent) -> Self {
        let id = id.to_owned();
        Self { id, state: None, expected_ms: 0, written_ms: 0, sha256: None, consent, pauses: Vec::new() }
    }
}

/// A stretch of a recording that somebody kept out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeptOut {
    /// From when.
    pub from: Wall,
    /// Until when; none where to the end.
    pub to: Option<Wall>,
    /// By whom.
    pub by: PausedBy,
}

/// Media quality of a leg over its life.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Quality {
    /// Mean opinion score, 1–4.5.
    pub mos: Option<f32>,
    /// Fraction of packets lost, 0–1.
    pub loss: f32,
    /// Interarrival jitter, ms (RFC 3550 §6.4.1).
    pub jitter_ms: f32,
    /// Round trip between us and the party, ms; none where it sent no RTCP reports about us.
    #[serde(default)]
    pub round_trip_ms: Option<f32>,
    /// Fraction of our packets that were lost on the way to the party, as it reports.
    #[serde(default)]
    pub sent_loss: Option<f32>,
    /// Jitter of our packets at the party, as it reports, ms.
    #[serde(default)]
    pub sent_jitter_ms: Option<f32>,
}

/// Everything about one call. Durations are milliseconds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CallRecord {
    /// The call.
    pub call_id: CallId,
    /// The first call of the chain that this one belongs to; itself where it stands alone.
    pub linked_id: CallId,
    /// The node that handled it.
    pub node: String,
    /// 1 for the first form, one more each time it is told again.
    pub revision: u32,
    /// Whether nothing more is to come.
    #[serde(rename = "final")]
    pub is_final: bool,
    /// The trunk over which it came, or left where one of our users placed it.
    pub trunk: Option<TrunkId>,
    /// Which way it came into being.
    pub direction: Direction,
    /// The caller's number.
    pub caller: String,
    /// The number called.
    pub called: String,
    /// The class that the dialplan gave the caller.
    pub caller_class: Option<String>,
    /// The language spoken.
    pub language: Option<String>,
    /// The dialplan's flow.
    pub flow: Option<String>,
    /// The steps reached, in order.
    pub path: Vec<String>,
    /// When it was offered.
    pub started: Wall,
    /// The first 200 to the caller.
    pub answered: Option<Wall>,
    /// A person speaks.
    pub agent_answered: Option<Wall>,
    /// When it ended.
    pub ended: Wall,
    /// What came of it.
    pub disposition: Disposition,
    /// Who ended it.
    pub hangup_by: HangupBy,
    /// Why, from where it happened.
    pub cause: Cause,
    /// The queue last waited in before a person spoke.
    pub queue: Option<QueueId>,
    /// When that wait began; an overflow goes on with it.
    pub queue_entered: Option<Wall>,
    /// When that wait ended.
    pub queue_left: Option<Wall>,
    /// `queue_entered` → `agent_answered`, or → `queue_left`.
    pub wait_ms: u64,
    /// The part of `wait_ms` in which at least one agent's phone rang.
    pub ring_ms: u64,
    /// `agent_answered` → `ended` without `hold_ms`.
    pub talk_ms: u64,
    /// After `agent_answered`: on hold, or between two agents.
    pub hold_ms: u64,
    /// After-call work of all agents.
    pub acw_ms: u64,
    /// Every presentation to an agent.
    pub segments: Vec<Segment>,
    /// Every handing on.
    pub transfers: Vec<Transfer>,
    /// Third parties of the conversation.
    #[serde(default)]
    pub joined: Vec<Joined>,
    /// The code that the agent gave the call.
    pub disposition_code: Option<String>,
    /// Whether the agent called it resolved.
    pub resolved: Option<bool>,
    /// The agent's notes.
    pub notes: Option<String>,
    /// The caller's answer to the survey.
    pub survey: Option<Survey>,
    /// Where the caller has left a message, which is the recording.
    #[serde(default)]
    pub mailbox: Option<String>,
    /// What the caller has said to being recorded: announced and stayed, given, refused; none where it did not come up.
    #[serde(default)]
    pub consent: Option<Consent>,
    /// The recording, if one was begun.
    pub recording: Option<Recording>,
    /// Media quality of the caller's leg, if measured.
    pub quality: Option<Quality>,
    /// Media quality of the leg of the agent or called phone that was measured last.
    #[serde(default)]
    pub quality_agent: Option<Quality>,
    /// Codec from the agent.
    pub codec_in: Option<String>,
    /// Codec to the agent.
    pub codec_out: Option<String>,
}

impl CallRecord {
    /// A record of which nothing is known but where and when it began: revision 0, as a crash would leave it.
    pub(super) fn begun(call: CallId, node: &str, direction: Direction, at: Wall) -> Self {
        Self {
            call_id: call,
            linked_id: call,
            node: node.to_owned(),
            revision: 0,
            is_final: false,
            trunk: None,
            direction,
            caller: String::new(),
            called: String::new(),
            caller_class: None,
            language: None,
            flow: None,
            path: Vec::new(),
            started: at,
            answered: None,
            agent_answered: None,
            ended: at,
            disposition: Disposition::Failed,
            hangup_by: HangupBy::Switch,
            cause: Cause::switch_restart(),
            queue: None,
            queue_entered: None,
            queue_left: None,
            wait_ms: 0,
            ring_ms: 0,
            talk_ms: 0,
            hold_ms: 0,
            acw_ms: 0,
            segments: Vec::new(),
            transfers: Vec::new(),
            joined: Vec::new(),
            disposition_code: None,
            resolved: None,
            notes: None,
            survey: None,
            mailbox: None,
            consent: None,
            recording: None,
            quality: None,
            quality_agent: None,
            codec_in: None,
            codec_out: None,
        }
    }
}
