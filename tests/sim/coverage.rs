//! Which transitions a run reached, read from the journal.

use std::collections::BTreeMap;

use trunkline::switch::{Entry, JournalEvent};

/// How often each transition was reached.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Coverage(BTreeMap<String, u64>);

impl Coverage {
    pub fn of(entries: &[Entry]) -> Self {
        let mut reached = Self::default();
        let mut agents: BTreeMap<(String, u8), &'static str> = BTreeMap::new();
        for entry in entries {
            match &entry.event {
                JournalEvent::AgentChanged { agent, appearance, state } => {
                    let to = state.name();
                    let from = agents.insert((agent.to_string(), *appearance), to).unwrap_or("offline");
                    reached.count(format!("agent {from} -> {to}"));
                }
                JournalEvent::CallEnded { by, disposition, cause, .. } => {
                    let by = format!("{by:?}").to_lowercase();
                    let restart = if cause.text == "switch_restart" { " (restart)" } else { "" };
                    reached.count(format!("call ended by {by}: {disposition}{restart}"));
                }
                JournalEvent::SegmentEnded { end, .. } => reached.count(format!("segment ended: {end:?}")),
                JournalEvent::QueueLeft { reason, .. } => reached.count(format!("queue left: {reason:?}")),
                JournalEvent::RecordingClosed { state, .. } => reached.count(format!("recording {state:?}")),
                JournalEvent::Stopped => reached.count("orderly stop".to_owned()),
                JournalEvent::HoldBegan { .. } => reached.count("hold began".to_owned()),
                JournalEvent::HoldEnded { .. } => reached.count("hold ended".to_owned()),
                JournalEvent::MessageLeft { .. } => reached.count("message left".to_owned()),
                JournalEvent::SurveyAnswered { .. } => reached.count("survey answered".to_owned()),
                JournalEvent::CallbackRequested { .. } => reached.count("callback requested".to_owned()),
                JournalEvent::CallbackPutOff { .. } => reached.count("callback put off".to_owned()),
                JournalEvent::CallbackEnded { outcome, .. } => reached.count(format!("callback {outcome}")),
                JournalEvent::ConferenceJoined { .. } => reached.count("room joined".to_owned()),
                JournalEvent::ConferenceLeft { .. } => reached.count("room left".to_owned()),
                JournalEvent::Parked { by: Some(_), .. } => reached.count("parked by an agent".to_owned()),
                JournalEvent::Parked { by: None, .. } => reached.count("parked by the plan".to_owned()),
                JournalEvent::Unparked { by: Some(_), .. } => reached.count("fetched out of a slot".to_owned()),
                JournalEvent::Unparked { by: None, .. } => reached.count("out of a slot, not fetched".to_owned()),
                JournalEvent::StepEntered { step, .. } if step == "slot.occupied" => {
                    reached.count("a slot is taken".to_owned());
                }
                JournalEvent::StepEntered { step, .. } if step == "slot.nobody" => {
                    reached.count("nobody to fetch, or to go back to".to_owned());
                }
                JournalEvent::StepEntered { step, .. } if step == "room.desk" => {
                    reached.count("out of a room, or not let in".to_owned());
                }
                JournalEvent::StepEntered { step, .. } if step == "desk.on" => {
                    reached.count("nobody of several answers".to_owned());
                }
                JournalEvent::LegEnded { cause, .. } if cause.text == "answered_elsewhere" => {
                    reached.count("another phone was faster".to_owned());
                }
                JournalEvent::PeerAnswered { .. } => reached.count("routed call answered".to_owned()),
                _ => {}
            }
        }
        reached
    }

    pub fn count(&mut self, what: String) {
        *self.0.entry(what).or_default() += 1;
    }

    pub fn add(&mut self, other: &Self) {
        for (what, count) in &other.0 {
            *self.0.entry(what.clone()).or_default() += count;
        }
    }

    /// What should have been reached and was not.
    pub fn missing(&self) -> Vec<&'static str> {
        EXPECTED.iter().copied().filter(|what| !self.0.contains_key(*what)).collect()
    }

    /// A line for each transition.
    pub fn table(&self) -> String {
        self.0.iter().map(|(what, count)| format!("{count:>8}  {what}\n")).collect()
    }
}

/// Every transition that this floor can reach.
const EXPECTED: &[&str] = &[
    "agent offline -> available",
    "agent available -> reserved",
    "agent available -> not_ready",
    "agent available -> offline",
    "agent reserved -> ringing",
    "agent reserved -> talking",
    "agent reserved -> available",
    "agent reserved -> not_ready",
    "agent ringing -> talking",
    "agent ringing -> available",
    "agent ringing -> not_ready",
    "agent ringing -> offline",
    "agent talking -> hold",
    "agent talking -> acw",
    "agent hold -> talking",
    "agent hold -> acw",
    "agent acw -> available",
    "agent acw -> not_ready",
    "agent acw -> offline",
    "agent not_ready -> available",
    "agent not_ready -> offline",
    "call ended by caller: abandoned",
    "call ended by caller: answered",
    "call ended by caller: self_service",
    "call ended by agent: answered",
    "call ended by switch: self_service",
    "call ended by switch: refused",
    "call ended by switch: failed",
    "call ended by switch: answered",
    "call ended by switch: failed (restart)",
    "call ended by switch: answered (restart)",
    "segment ended: NoAnswer",
    "segment ended: Busy",
    "segment ended: Rejected",
    "segment ended: Unreachable",
    "segment ended: CallerLeft",
    "segment ended: Agent",
    "segment ended: Caller",
    "segment ended: Switch",
    "segment ended: Transferred",
    "parked by an agent",
    "parked by the plan",
    "fetched out of a slot",
    "out of a slot, not fetched",
    "a slot is taken",
    "nobody to fetch, or to go back to",
    "queue left: Answered",
    "queue left: Abandoned",
    "queue left: Timeout",
    "queue left: Refused",
    "queue left: Ended",
    "recording Complete",
    "recording Partial",
    "hold began",
    "hold ended",
    "routed call answered",
    "orderly stop",
    "message left",
    "room joined",
    "room left",
    "out of a room, or not let in",
    "nobody of several answers",
    "call ended by caller: voicemail",
    "call ended by switch: voicemail",
    "call ended by switch: callback",
    "call ended by switch: busy",
    "call ended by switch: no_answer",
    "survey answered",
    "callback requested",
    "callback put off",
    "callback reached",
    "callback given_up",
    "callback cancelled",
];
