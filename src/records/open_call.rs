//! One call while its record is still being written.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::record::{CallRecord, Disposition, Joined, Segment, Survey, Transfer};
use super::wall::Wall;
use crate::id::{AgentId, LegId};
use crate::journal::{AgentState, Cause, Cue, Direction, Event, HangupBy, LeaveReason, SegmentEnd};

/// Where one presentation stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum Phase {
    Presented,
    Ringing,
    Talking,
}

/// What an agent who spoke still owes the record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum Duty {
    /// The agent's state has not moved on from the conversation yet.
    Call,
    /// After-call work since then.
    Acw(Wall),
}

/// A call whose record is not final.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct OpenCall {
    pub(super) draft: CallRecord,
    /// The instant up to which times are counted; never goes back, though the wall clock may.
    pub(super) clock: Wall,
    /// The caller's leg; what is measured on it comes before its end.
    pub(super) leg: LegId,
    leg_ended: bool,
    /// The dialogs of its other legs, which are measured at their ends too.
    #[serde(default)]
    legs: BTreeSet<LegId>,
    /// Those of supervisors, whose sound is not the conversation's.
    #[serde(default)]
    pub(super) supervisors: BTreeSet<LegId>,
    /// Those of third parties who are there: index into what the draft says of them.
    #[serde(default)]
    thirds: BTreeMap<LegId, usize>,
    ended: bool,
    left: Option<LeaveReason>,
    position: u32,
    on_hold: bool,
    /// Whether a person at another switch speaks, who has no segment.
    peer: bool,
    /// Open presentations: index into the draft's segments, and phase.
    open: BTreeMap<AgentId, (usize, Phase)>,
    duties: BTreeMap<AgentId, Duty>,
    /// When the recording that is not closed yet began.
    pub(super) recording_since: Option<Wall>,
    /// What a listener to it looks for, while it may be needed.
    #[serde(default)]
    pub(super) cues: Vec<(Wall, Cue)>,
}

impl OpenCall {
    /// A call from its [`Event::CallOffered`]; `None` for any other event.
    pub(super) fn offered(event: &Event, at: Wall, node: &str) -> Option<Self> {
        let Event::CallOffered { call, leg, direction, trunk, caller, called } = event else { return None };
        let mut draft = CallRecord::begun(*call, node, *direction, at);
        draft.trunk.clone_from(trunk);
        (draft.caller, draft.called) = (caller.value.clone(), called.clone());
        Some(Self {
            draft,
            clock: at,
            leg: *leg,
            leg_ended: false,
            legs: BTreeSet::new(),
            supervisors: BTreeSet::new(),
            thirds: BTreeMap::new(),
            ended: false,
            left: None,
            position: 0,
            on_hold: false,
            peer: false,
            open: BTreeMap::new(),
            duties: BTreeMap::new(),
            recording_since: None,
            cues: Vec::new(),
        })
    }

    /// The record as far as it is known; `ended`, `cause` and `disposition` count only once [`Self::has_ended`].
    pub fn draft(&self) -> &CallRecord {
        &self.draft
    }

    /// Whether the call has ended and only after-call work, its recording or the end of the caller's leg is missing.
    pub fn has_ended(&self) -> bool {
        self.ended
    }

    /// Whether the caller is in a queue.
    pub fn is_waiting(&self) -> bool {
        self.draft.queue_entered.is_some() && self.draft.queue_left.is_none()
    }

    /// What closes the call after a crash, in order.
    pub(super) fn cut(&self) -> Vec<Event> {
        let call = self.draft.call_id;
        let mut events = Vec::new();
        if let (true, Some(queue)) = (self.is_waiting(), self.draft.queue.clone()) {
            events.push(Event::QueueLeft { call, queue, reason: LeaveReason::Ended, position: self.position });
        }
        let ended = |agent: &AgentId| Event::SegmentEnded { call, agent: agent.clone(), end: SegmentEnd::Switch };
        events.extend(self.open.keys().map(ended));
        let disposition = if self.draft.agent_answered.is_some() { "answered" } else { "failed" };
        let (by, cause) = (HangupBy::Switch, Cause::switch_restart());
        events.push(Event::CallEnded { call, by, cause, disposition: disposition.to_owned() });
        events
    }

    /// Takes an event about this call.
    pub(super) fn handle_event(&mut self, event: &Event, at: Wall) {
        self.advance(at);
        self.keep_cue(event);
        match event {
            Event::ConsentSaid { .. }
            | Event::RecordingStarted { .. }
            | Event::RecordingPaused { .. }
            | Event::RecordingResumed { .. }
            | Event::RecordingClosed { .. } => self.handle_recording(event),
            Event::QualityMeasured { .. } => self.handle_quality(event),
            Event::Supervised { leg, mode, .. } => {
                if mode == "take_over" {
                    self.supervisors.remove(leg)
                } else {
                    self.supervisors.insert(*leg)
                };
            }
            Event::AcwEnded { agent, .. } => self.release(agent),
            Event::SurveyAnswered { question, score, .. } => {
                self.draft.survey = Some(Survey { question: question.clone(), score: *score });
            }
            // What the plan does after the conversation is part of the path.
            Event::StepEntered { step, .. } => self.draft.path.push(step.clone()),
            Event::MessageLeft { mailbox, .. } => self.draft.mailbox = Some(mailbox.clone()),
            Event::LegEnded { leg, .. } => {
                self.leg_ended |= *leg == self.leg;
                self.legs.remove(leg);
                self.lose_third(*leg);
            }
            // The record's times are closed with the call.
            _ if self.ended => {}
            // A call that came by a trunk keeps that one: the other is told by its leg's events.
            Event::TrunkChosen { trunk, .. } if self.draft.direction == Direction::Outbound => {
                self.draft.trunk = Some(trunk.clone());
            }
            Event::DialogChanged { leg, .. } if *leg != self.leg => {
                self.legs.insert(*leg);
            }
            Event::QueueEntered { .. } | Event::QueueLeft { .. } => self.handle_queue(event),
            Event::AgentPresented { agent, .. } => self.present(agent),
            Event::AgentRinging { agent, .. } => {
                if let Some((_, phase @ Phase::Presented)) = self.open.get_mut(agent) {
                    *phase = Phase::Ringing;
                }
            }
            Event::AgentAnswered { agent, codec_in, codec_out, .. } => {
                self.draft.codec_in = Some(codec_in.clone());
                self.draft.codec_out = Some(codec_out.clone());
                self.answer(agent);
            }
            Event::PeerAnswered { codec_in, codec_out, number, .. } => {
                self.draft.codec_in = Some(codec_in.clone());
                self.draft.codec_out = Some(codec_out.clone());
                if let Some(number) = number {
                    self.tell_taker(&number.value);
                }
                self.peer = true;
                self.person_speaks();
            }
            Event::PartyJoined { leg, by, number, .. } => {
                self.thirds.insert(*leg, self.draft.joined.len());
                let (by, party) = (by.clone(), number.value.clone());
                self.draft.joined.push(Joined { at: self.clock, by, party, left: None });
            }
            Event::CallLinked { linked, .. } => self.draft.linked_id = *linked,
            Event::HoldBegan { .. } => self.on_hold = true,
            Event::HoldEnded { .. } => self.on_hold = false,
            Event::SegmentEnded { agent, end, .. } => self.end_segment(agent, *end),
            Event::CallEnded { by, cause, disposition, .. } => self.end(*by, cause, disposition),
            _ => self.handle_ivr(event),
        }
    }

    /// Takes an agent's new state: where it moves on from this call, the agent's part of the record is done.
    pub(super) fn handle_agent(&mut self, agent: &AgentId, state: &AgentState, at: Wall) {
        self.advance(at);
        let Some(duty) = self.duties.get_mut(agent) else { return };
        let this = self.draft.call_id;
        match state {
            state if state.conversation() == Some(this) => {}
            AgentState::Acw { call, .. } if *call == this => {
                if *duty == Duty::Call {
                    *duty = Duty::Acw(self.clock);
                }
            }
            _ => self.release(agent),
        }
    }

    /// Whether an agent who spoke still owes the record something.
    pub(super) fn waits_for(&self, agent: &AgentId) -> bool {
        self.duties.contains_key(agent)
    }

    /// A start lies behind: what was to be told of an ended call's leg will not come any more.
    pub(super) fn handle_start(&mut self) {
        if self.ended {
            self.leg_ended = true;
            self.legs.clear();
        }
    }

    /// The record, one revision higher than the last, if the call has ended.
    pub(super) fn tell(&mut self) -> Option<CallRecord> {
        let recording = self.draft.recording.as_ref().is_some_and(|recording| recording.state.is_none());
        let leg = self.draft.answered.is_some() && !(self.leg_ended && self.legs.is_empty());
        let is_final = self.duties.is_empty() && !recording && !leg;
        if !self.ended || (self.draft.revision > 0 && !is_final) {
            return None;
        }
        self.draft.revision = self.draft.revision.saturating_add(1);
        self.draft.is_final = is_final;
        Some(self.draft.clone())
    }

    /// Counts the time since the last event into whatever was going on.
    fn advance(&mut self, at: Wall) {
        let ms = at.since(self.clock);
        self.clock = self.clock.max(at);
        if self.ended || ms == 0 {
            return;
        }
        let is_in = |wanted: Phase| self.open.values().any(|(_, phase)| *phase == wanted);
        let (ringing, talking) = (is_in(Phase::Ringing), self.peer || is_in(Phase::Talking));
        if self.draft.agent_answered.is_some() {
            let counter = if talking && !self.on_hold { &mut self.draft.talk_ms } else { &mut self.draft.hold_ms };
            *counter = counter.saturating_add(ms);
        } else if self.is_waiting() && ringing {
            self.draft.ring_ms = self.draft.ring_ms.saturating_add(ms);
        }
        for (index, phase) in self.open.values() {
            let Some(segment) = self.draft.segments.get_mut(*index) else { continue };
            match phase {
                Phase::Presented => {}
                Phase::Ringing => segment.ring_ms = segment.ring_ms.saturating_add(ms),
                Phase::Talking if self.on_hold => segment.hold_ms = segment.hold_ms.saturating_add(ms),
                Phase::Talking => segment.talk_ms = segment.talk_ms.saturating_add(ms),
            }
        }
    }

    fn handle_ivr(&mut self, event: &Event) {
        let draft = &mut self.draft;
        match event {
            Event::FlowEntered { flow, language, .. } => {
                // The one that the caller came to; an agent may have handed the call on to others.
                draft.flow.get_or_insert_with(|| flow.clone());
                draft.language = Some(language.clone());
            }
            Event::LanguageChosen { language, .. } => draft.language = Some(language.clone()),
            Event::CallerClassified { class, .. } => draft.caller_class = Some(class.clone()),
            Event::CallAnswered { .. } => draft.answered = draft.answered.or(Some(self.clock)),
            _ => {}
        }
    }

    fn handle_queue(&mut self, event: &Event) {
        // After a person has spoken, the wait of the record is over; a second one counts as hold.
        if self.draft.agent_answered.is_some() {
            return;
        }
        match event {
            Event::QueueEntered { queue, position, .. } => {
                let goes_on = self.is_waiting() || self.left == Some(LeaveReason::Overflow);
                if !goes_on {
                    self.draft.queue_entered = Some(self.clock);
                    self.draft.ring_ms = 0;
                }
                self.draft.queue = Some(queue.clone());
                self.draft.queue_left = None;
                self.position = *position;
            }
            Event::QueueLeft { reason, .. } if self.is_waiting() => self.leave_queue(*reason),
            _ => {}
        }
    }

    fn leave_queue(&mut self, reason: LeaveReason) {
        self.left = Some(reason);
        self.draft.queue_left = Some(self.clock);
        self.draft.wait_ms = self.draft.queue_entered.map_or(0, |entered| self.clock.since(entered));
    }

    fn present(&mut self, agent: &AgentId) {
        self.end_segment(agent, SegmentEnd::Switch);
        self.open.insert(agent.clone(), (self.draft.segments.len(), Phase::Presented));
        self.draft.segments.push(Segment {
            agent: agent.clone(),
            presented: self.clock,
            answered: None,
            ended: self.clock,
            ring_ms: 0,
            talk_ms: 0,
            hold_ms: 0,
            end_reason: SegmentEnd::Switch,
        });
    }

    fn answer(&mut self, agent: &AgentId) {
        if !self.open.contains_key(agent) {
            self.present(agent);
        }
        let Some((index, phase)) = self.open.get_mut(agent) else { return };
        if *phase == Phase::Talking {
            return;
        }
        *phase = Phase::Talking;
        if let Some(segment) = self.draft.segments.get_mut(*index) {
            segment.answered = Some(self.clock);
        }
        self.duties.insert(agent.clone(), Duty::Call);
        self.tell_taker(agent.as_str());
        self.person_speaks();
    }

    /// Somebody has the call whom it was handed on to.
    fn tell_taker(&mut self, taker: &str) {
        if let Some(transfer) = self.draft.transfers.last_mut().filter(|transfer| transfer.to.is_none()) {
            transfer.to = Some(taker.to_owned());
        }
    }

    /// A third party is gone, before the call is over.
    fn lose_third(&mut self, leg: LegId) {
        let place = self.thirds.remove(&leg).filter(|_| !self.ended);
        if let Some(joined) = place.and_then(|place| self.draft.joined.get_mut(place)) {
            joined.left = Some(self.clock);
        }
    }

    /// The first person who speaks ends the wait.
    fn person_speaks(&mut self) {
        if self.draft.agent_answered.is_some() {
            return;
        }
        self.draft.agent_answered = Some(self.clock);
        if self.is_waiting() {
            self.left = Some(LeaveReason::Answered);
            self.draft.queue_left = Some(self.clock);
        }
        self.draft.wait_ms = self.draft.queue_entered.map_or(0, |entered| self.clock.since(entered));
    }

    fn end_segment(&mut self, agent: &AgentId, reason: SegmentEnd) {
        if reason == SegmentEnd::Transferred {
            self.draft.transfers.push(Transfer { at: self.clock, from: agent.clone(), to: None });
        }
        let Some((index, _)) = self.open.remove(agent) else {
            // Who placed or was sent the call, and hands it on, has no segment; nor has anybody else who spoke.
            self.peer &= reason != SegmentEnd::Transferred;
            self.on_hold &= self.peer;
            return;
        };
        let Some(segment) = self.draft.segments.get_mut(index) else { return };
        segment.ended = self.clock;
        segment.end_reason = reason;
        if !self.peer && !self.open.values().any(|(_, phase)| *phase == Phase::Talking) {
            self.on_hold = false;
        }
    }

    fn end(&mut self, by: HangupBy, cause: &Cause, disposition: &str) {
        let open: Vec<_> = self.open.iter().map(|(agent, (_, phase))| (agent.clone(), *phase)).collect();
        for (agent, phase) in open {
            let reason = match (by, phase) {
                (HangupBy::Caller, Phase::Talking) => SegmentEnd::Caller,
                (HangupBy::Caller, _) => SegmentEnd::CallerLeft,
                (HangupBy::Agent, Phase::Talking) => SegmentEnd::Agent,
                (HangupBy::Agent | HangupBy::Switch, _) => SegmentEnd::Switch,
            };
            self.end_segment(&agent, reason);
        }
        if self.is_waiting() {
            self.leave_queue(if by == HangupBy::Caller { LeaveReason::Abandoned } else { LeaveReason::Ended });
        }
        if *cause == Cause::switch_restart() {
            // Nobody tells that an agent of a cut call moved on; work that had begun keeps its deadline.
            self.duties.retain(|_, duty| *duty != Duty::Call);
            self.leg_ended = true;
            self.legs.clear();
        }
        self.ended = true;
        self.draft.ended = self.clock;
        self.draft.hangup_by = by;
        self.draft.cause = cause.clone();
        self.draft.disposition = Disposition::from_name(disposition).unwrap_or(Disposition::Failed);
    }

    fn release(&mut self, agent: &AgentId) {
        if let Some(Duty::Acw(since)) = self.duties.remove(agent) {
            self.draft.acw_ms = self.draft.acw_ms.saturating_add(self.clock.since(since));
        }
    }
}
