//! One call in progress.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::id::{AgentId, QueueId};
use crate::journal::{Decision, Event, LeaveReason};
use crate::records::Wall;

/// What a call is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LiveState {
    /// On its way into a flow or to another switch.
    Offered,
    /// In a flow of the dialplan.
    Ivr,
    /// In a slot, until somebody fetches the call.
    Parked,
    /// In a queue.
    Waiting,
    /// An agent was chosen.
    Presented,
    /// The agent's phone rings.
    Ringing,
    /// A person speaks.
    Talking,
    /// On hold.
    Hold,
}

/// Where the recording of a call in progress stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LiveRecording {
    /// What is said is kept.
    Running,
    /// It is kept out.
    Paused,
}

/// A call in progress.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LiveCall {
    pub(super) caller: String,
    pub(super) called: String,
    pub(super) trunk: Option<String>,
    pub(super) language: Option<String>,
    pub(super) flow: Option<String>,
    pub(super) step: Option<String>,
    pub(super) state: LiveState,
    pub(super) since: Wall,
    pub(super) started: Wall,
    /// The queue last entered.
    pub(super) queue: Option<QueueId>,
    pub(super) agent: Option<AgentId>,
    /// Whom the call is presented to; once it was answered, to whom it was.
    #[serde(default)]
    pub(super) presented: BTreeMap<AgentId, Decision>,
    /// When the wait began, and how long it was once it is over.
    pub(super) wait: Option<(Wall, Option<u64>)>,
    #[serde(default)]
    pub(super) recording: Option<LiveRecording>,
    /// The slot that the caller waits in, and who has handed the call on to it.
    #[serde(default)]
    pub(super) slot: Option<(String, Option<AgentId>)>,
    /// Whether a recording would begin paused, or is.
    #[serde(default)]
    hushed: bool,
    /// The queues that the caller waits in now.
    queues: BTreeSet<QueueId>,
    /// Whether the present wait has not been counted yet.
    uncounted: bool,
}

impl LiveCall {
    pub(super) fn offered(event: &Event, at: Wall) -> Option<Self> {
        let Event::CallOffered { trunk, caller, called, .. } = event else { return None };
        Some(Self {
            caller: caller.value.clone(),
            called: called.clone(),
            trunk: trunk.as_ref().map(ToString::to_string),
            language: None,
            flow: None,
            step: None,
            state: LiveState::Offered,
            since: at,
            started: at,
            queue: None,
            agent: None,
            presented: BTreeMap::new(),
            wait: None,
            recording: None,
            slot: None,
            hushed: false,
            queues: BTreeSet::new(),
            uncounted: false,
        })
    }

    /// The queues in which it waits.
    pub(super) fn queues(&self) -> impl Iterator<Item = &QueueId> {
        self.queues.iter()
    }

    pub(super) fn is_presented(&self) -> bool {
        matches!(self.state, LiveState::Presented | LiveState::Ringing)
    }

    pub(super) fn queue_entered(&self) -> Option<Wall> {
        self.wait.map(|(entered, _)| entered)
    }

    /// Takes the wait that ends now for `reason` to be counted; `None` where it goes on or was counted.
    pub(super) fn take_wait(&mut self, reason: LeaveReason) -> Option<QueueId> {
        let ends = self.uncounted && reason != LeaveReason::Overflow;
        self.uncounted &= !ends;
        self.queue.clone().filter(|_| ends)
    }

    pub(super) fn handle_event(&mut self, event: &Event, at: Wall) {
        match event {
            Event::FlowEntered { flow, language, .. } => {
                (self.flow, self.language) = (Some(flow.clone()), Some(language.clone()));
                self.enter(LiveState::Ivr, at);
            }
            Event::StepEntered { step, .. } => self.step = Some(step.clone()),
            Event::LanguageChosen { language, .. } => self.language = Some(language.clone()),
            Event::QueueEntered { queue, .. } => self.enter_queue(queue, at),
            Event::QueueLeft { queue, reason, .. } => self.leave_queue(queue, *reason, at),
            Event::AgentPresented { agent, why, .. }
                // An agent who is asked in a conversation (a consultation) does not end it.
                if !self.is_spoken() => {
                    self.agent = Some(agent.clone());
                    self.presented.insert(agent.clone(), why.clone());
                    if self.state != LiveState::Ringing {
                        self.enter(LiveState::Presented, at);
                    }
                }
            Event::AgentRinging { .. } if self.state == LiveState::Presented => self.enter(LiveState::Ringing, at),
            Event::AgentAnswered { agent, .. } => {
                self.agent = Some(agent.clone());
                self.presented.retain(|presented, _| presented == agent);
                self.speak(at);
            }
            Event::PeerAnswered { .. } => self.speak(at),
            Event::HoldBegan { .. } if self.state == LiveState::Talking => self.enter(LiveState::Hold, at),
            Event::HoldEnded { .. } if self.state == LiveState::Hold => self.enter(LiveState::Talking, at),
            Event::RecordingStarted { .. } => self.recording = Some(self.kept()),
            Event::RecordingPaused { .. } | Event::RecordingResumed { .. } => {
                self.hushed = matches!(event, Event::RecordingPaused { .. });
                self.recording = self.recording.map(|_| self.kept());
            }
            Event::RecordingClosed { .. } => self.recording = None,
            Event::Parked { slot, by, .. } => {
                self.slot = Some((slot.clone(), by.clone()));
                self.enter(LiveState::Parked, at);
            }
            Event::Unparked { .. } => {
                self.slot = None;
                self.enter(LiveState::Ivr, at);
            }
            Event::SegmentEnded { agent, .. } => self.lose_agent(agent, at),
            _ => {}
        }
    }

    /// A presentation or conversation is over. While other phones ring, the call is shown with one of theirs.
    fn lose_agent(&mut self, agent: &AgentId, at: Wall) {
        self.presented.remove(agent);
        if self.agent.as_ref() == Some(agent) {
            self.agent = self.presented.keys().next().cloned();
            if self.agent.is_none() {
                self.enter(self.without_agent(), at);
            }
        }
    }

    fn kept(&self) -> LiveRecording {
        if self.hushed { LiveRecording::Paused } else { LiveRecording::Running }
    }

    fn is_spoken(&self) -> bool {
        matches!(self.state, LiveState::Talking | LiveState::Hold)
    }

    fn without_agent(&self) -> LiveState {
        if self.queues.is_empty() { LiveState::Ivr } else { LiveState::Waiting }
    }

    fn enter(&mut self, state: LiveState, at: Wall) {
        if self.state != state {
            (self.state, self.since) = (state, at);
        }
    }

    fn speak(&mut self, at: Wall) {
        self.queues.clear();
        self.end_wait(at);
        self.enter(LiveState::Talking, at);
    }

    fn end_wait(&mut self, at: Wall) {
        if let Some((entered, spent @ None)) = &mut self.wait {
            *spent = Some(at.since(*entered));
        }
    }

    fn enter_queue(&mut self, queue: &QueueId, at: Wall) {
        let goes_on = !self.queues.is_empty() || self.uncounted;
        if !goes_on {
            self.wait = Some((at, None));
        } else if let Some((_, spent)) = &mut self.wait {
            *spent = None;
        }
        self.uncounted = true;
        self.queues.insert(queue.clone());
        self.queue = Some(queue.clone());
        if !self.is_presented() {
            self.enter(LiveState::Waiting, at);
        }
    }

    fn leave_queue(&mut self, queue: &QueueId, reason: LeaveReason, at: Wall) {
        if !self.queues.remove(queue) || !self.queues.is_empty() {
            return;
        }
        self.end_wait(at);
        if reason != LeaveReason::Answered && !self.is_spoken() {
            self.agent = None;
            self.presented.clear();
            self.enter(LiveState::Ivr, at);
        }
    }
}
