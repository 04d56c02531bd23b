//! The live views' lines, as the API shows them.

use serde::Serialize;

use super::call::{LiveCall, LiveRecording, LiveState};
use crate::id::{AgentId, CallId, QueueId, TrunkId};
use crate::journal::{AgentState, Callback, Decision};
use crate::records::{AgentsFold, Wall};

/// A call in progress.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[allow(missing_docs, reason = "the fields carry the names of the call record")]
pub struct CallLine {
    pub call_id: CallId,
    pub caller: String,
    pub called: String,
    pub trunk: Option<String>,
    pub language: Option<String>,
    pub flow: Option<String>,
    pub step: Option<String>,
    pub state: LiveState,
    /// Since when the call is in its state.
    pub since: Wall,
    pub started: Wall,
    /// The queue last entered.
    pub queue: Option<QueueId>,
    pub queue_entered: Option<Wall>,
    pub agent: Option<AgentId>,
    /// Whom the call is presented to, or was to before it was answered, and why.
    pub presented: Vec<PresentedLine>,
    /// Whether what is said is kept: none where no recording runs.
    pub recording: Option<LiveRecording>,
    /// Where the caller is parked, where that is so; since when, says `since`.
    pub parked: Option<ParkedLine>,
    /// How long the caller has waited in queues up to now, or waited until a person spoke.
    pub wait_ms: u64,
}

impl CallLine {
    pub(super) fn of(call_id: CallId, live: &LiveCall, now: Wall) -> Self {
        Self {
            call_id,
            caller: live.caller.clone(),
            called: live.called.clone(),
            trunk: live.trunk.clone(),
            language: live.language.clone(),
            flow: live.flow.clone(),
            step: live.step.clone(),
            state: live.state,
            since: live.since,
            started: live.started,
            queue: live.queue.clone(),
            queue_entered: live.queue_entered(),
            agent: live.agent.clone(),
            presented: live.presented.iter().map(PresentedLine::of).collect(),
            recording: live.recording,
            parked: live.slot.as_ref().map(|(slot, by)| ParkedLine { slot: slot.clone(), by: by.clone() }),
            wait_ms: live.wait.map_or(0, |(entered, spent)| spent.unwrap_or_else(|| now.since(entered))),
        }
    }
}

/// Where a caller waits to be fetched.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ParkedLine {
    /// The slot.
    pub slot: String,
    /// Who of our users has handed the call on to it; none where the plan has led the caller there.
    pub by: Option<AgentId>,
}

/// Whom a call was presented to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PresentedLine {
    /// The agent.
    pub agent: AgentId,
    /// Why, in one line for people.
    pub why: String,
    /// The figures of that line.
    pub decision: Decision,
}

impl PresentedLine {
    fn of((agent, decision): (&AgentId, &Decision)) -> Self {
        Self { agent: agent.clone(), why: decision.line(agent), decision: decision.clone() }
    }
}

/// An agent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct AgentLine {
    /// The agent.
    pub agent: AgentId,
    /// The user at whose phone the agent sits, where that is another one's.
    pub phone: Option<AgentId>,
    /// What the agent is doing: of several calls, what is going on most.
    #[serde(flatten)]
    pub shown: StateLine,
    /// Of an agent who takes several calls at once, each of them; empty otherwise.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub appearances: Vec<StateLine>,
}

/// What an agent is doing, in a call or without one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct StateLine {
    /// The state's name, as in the journal.
    pub state: &'static str,
    /// Why, where the agent is not ready.
    pub reason: Option<String>,
    /// Whether the time counts as paid, where the settings say so of the reason; set by who knows them.
    pub paid: Option<bool>,
    /// The call that the state is about.
    pub call: Option<CallId>,
    /// Since when; none where the agent was never seen.
    pub since: Option<Wall>,
    /// When after-call work, or "not ready" after a call that was not taken, ends by itself.
    pub until: Option<Wall>,
}

impl StateLine {
    fn of(state: &AgentState, since: Option<i64>) -> Self {
        let (reason, until_ms) = match state {
            AgentState::NotReady { reason, until_ms } => (Some(reason.clone()), *until_ms),
            AgentState::Acw { until_ms, .. } => (None, Some(*until_ms)),
            _ => (None, None),
        };
        let (state, call) = (state.name(), state.call());
        Self { state, reason, paid: None, call, since: since.map(Wall), until: until_ms.map(Wall) }
    }
}

impl AgentLine {
    pub(super) fn of(agent: &AgentId, phone: Option<AgentId>, fold: &AgentsFold) -> Self {
        let shown = match fold.get(agent) {
            Some((state, since)) => StateLine::of(state, Some(since)),
            None => StateLine::of(&AgentState::Offline, None),
        };
        let all = fold.appearances(agent).filter(|(_, state, _)| **state != AgentState::Offline);
        let all = all.map(|(_, state, since)| StateLine::of(state, Some(since)));
        let appearances = Some(all.collect()).filter(|all: &Vec<_>| all.len() > 1).unwrap_or_default();
        Self { agent: agent.clone(), phone, shown, appearances }
    }

    pub(super) fn is_signed_in(&self) -> bool {
        self.shown.state != "offline"
    }
}

/// A queue.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct QueueLine {
    /// The queue.
    pub queue: QueueId,
    /// Callers in it.
    pub waiting: usize,
    /// Those of them for whom an agent was chosen.
    pub presented: usize,
    /// How long the longest of them has waited, ms.
    pub longest_wait_ms: u64,
    /// Members who could take a call now, those included who are in one and take several.
    pub available: usize,
    /// Members who are signed in.
    pub signed_in: Vec<AgentId>,
    /// All members.
    pub members: Vec<AgentId>,
    /// Callers whom an agent answered today.
    pub served_today: u64,
    /// Callers who left while waiting today.
    pub abandoned_today: u64,
}

/// Somebody who is to be called back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CallbackLine {
    /// The call in which it was asked for.
    pub call_id: CallId,
    /// The number.
    pub number: String,
    /// Whose agents call.
    pub queue: QueueId,
    /// By which trunk.
    pub trunk: TrunkId,
    /// From when the wait counts.
    pub since: Wall,
    /// How often the customer was called in vain.
    pub tries: u32,
    /// How often at most.
    pub most: u32,
    /// When the customer's turn comes again, after a call in vain.
    pub due: Option<Wall>,
    /// The call that is under way for it, or waits for an agent.
    pub attempt: Option<CallId>,
}

impl CallbackLine {
    pub(super) fn of(call_id: CallId, callback: &Callback) -> Self {
        let request = &callback.request;
        Self {
            call_id,
            number: request.number.value.clone(),
            queue: request.queue.clone(),
            trunk: request.trunk.clone(),
            since: Wall(request.entered_ms),
            tries: callback.tries,
            most: request.most,
            due: (callback.due_ms > 0 && callback.attempt.is_none()).then_some(Wall(callback.due_ms)),
            attempt: callback.attempt,
        }
    }
}
