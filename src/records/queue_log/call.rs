//! What one call adds to `queue_log`.

use serde::{Deserialize, Serialize};

use super::QueueLogLine;
use crate::id::{AgentId, CallId, LegId, QueueId};
use crate::journal::{Event, LeaveReason, SegmentEnd};
use crate::records::Wall;

/// A call that may wait in queues, and speak with their agents.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct QueuedCall {
    caller: String,
    called: String,
    /// The queues in which it waits.
    waits: Vec<Wait>,
    /// The phones that ring for it.
    ringing: Vec<Ringing>,
    talk: Option<Talk>,
    /// A conversation that was handed on; to whom, the next entry says.
    handed: Option<(Talk, Wall)>,
    /// The key that leads out of the queues.
    key: Option<char>,
    /// It has ended; the queues in which it waited are told right behind.
    ended: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Wait {
    queue: QueueId,
    entered: Wall,
    position: u32,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Ringing {
    agent: AgentId,
    queue: QueueId,
    leg: LegId,
    since: Wall,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Talk {
    agent: AgentId,
    queue: QueueId,
    since: Wall,
    /// How long was waited, ms, and at which place the wait began.
    waited_ms: u64,
    position: u32,
}

impl Talk {
    /// Seconds waited and spoken, and the place: how each end of a conversation is told.
    fn figures(&self, ended: Wall) -> Vec<String> {
        vec![seconds(self.waited_ms), seconds(ended.since(self.since)), self.position.to_string()]
    }
}

impl QueuedCall {
    /// A call that was offered; `None` for any other event.
    pub(super) fn offered(event: &Event) -> Option<Self> {
        let Event::CallOffered { caller, called, .. } = event else { return None };
        Some(Self {
            caller: caller.value.clone(),
            called: called.clone(),
            waits: Vec::new(),
            ringing: Vec::new(),
            talk: None,
            handed: None,
            key: None,
            ended: false,
        })
    }

    /// Whether nothing more comes.
    pub(super) fn is_over(&self) -> bool {
        self.ended && self.waits.is_empty()
    }

    /// Folds what happened to the call; gives its lines.
    pub(super) fn handle_event(&mut self, call: CallId, event: &Event, at: Wall) -> Vec<QueueLogLine> {
        let mut lines = Lines { call, at, lines: Vec::new() };
        match event {
            Event::QueueEntered { queue, position, .. } => self.enter(queue, *position, &mut lines),
            Event::QueueKeyPressed { key, .. } => self.key = Some(*key),
            Event::QueueLeft { queue, reason, position, .. } => self.leave(queue, *reason, *position, &mut lines),
            Event::AgentPresented { agent, queue, leg, .. } => {
                let (agent, queue) = (agent.clone(), queue.clone());
                self.ringing.push(Ringing { agent, queue, leg: *leg, since: at });
            }
            Event::AgentAnswered { agent, .. } => self.answer(agent, &mut lines),
            Event::PeerAnswered { number, consulted, .. } => {
                let to = number.as_ref().map_or("", |number| number.value.as_str());
                self.handed_to(if *consulted { "ATTENDEDTRANSFER" } else { "BLINDTRANSFER" }, to, &mut lines);
            }
            Event::FlowEntered { flow, .. } => self.handed_to("BLINDTRANSFER", flow, &mut lines),
            Event::SegmentEnded { agent, end, .. } => self.end(agent, *end, &mut lines),
            Event::CallEnded { .. } => {
                self.ended = true;
                self.handed_to("BLINDTRANSFER", "", &mut lines);
            }
            _ => {}
        }
        lines.lines
    }

    fn enter(&mut self, queue: &QueueId, position: u32, lines: &mut Lines) {
        if self.waits.is_empty() {
            lines.add(Some(queue), None, "DID", vec![self.called.clone()]);
        }
        lines.add(Some(queue), None, "ENTERQUEUE", vec![String::new(), self.caller.clone(), position.to_string()]);
        self.key = None;
        self.waits.push(Wait { queue: queue.clone(), entered: lines.at, position });
    }

    fn leave(&mut self, queue: &QueueId, reason: LeaveReason, position: u32, lines: &mut Lines) {
        let Some(index) = self.waits.iter().position(|wait| wait.queue == *queue) else { return };
        let wait = self.waits.remove(index);
        let figures = [position.to_string(), wait.position.to_string(), seconds(lines.at.since(wait.entered))].to_vec();
        let (event, data) = match reason {
            // The conversation has told it.
            LeaveReason::Answered => return,
            LeaveReason::Abandoned => ("ABANDON", figures),
            LeaveReason::Timeout | LeaveReason::Overflow => ("EXITWITHTIMEOUT", figures),
            // No key where the hours have ended.
            LeaveReason::Exit => {
                let key = self.key.map_or_else(String::new, String::from);
                ("EXITWITHKEY", [vec![key], figures].concat())
            }
            LeaveReason::Refused | LeaveReason::Ended => ("EXITEMPTY", figures),
        };
        lines.add(Some(queue), None, event, data);
    }

    fn answer(&mut self, agent: &AgentId, lines: &mut Lines) {
        let rang = self.ringing.iter().position(|ringing| ringing.agent == *agent);
        // Who was rung has the call handed on blindly, who was spoken with before has it by consultation.
        let event = if rang.is_some() { "BLINDTRANSFER" } else { "ATTENDEDTRANSFER" };
        self.handed_to(event, agent.as_str(), lines);
        let Some(ringing) = rang.map(|index| self.ringing.remove(index)) else { return };
        let Some(wait) = self.waits.iter().find(|wait| wait.queue == ringing.queue) else { return };
        let waited_ms = lines.at.since(wait.entered);
        let talk = Talk {
            agent: agent.clone(),
            queue: ringing.queue.clone(),
            since: lines.at,
            waited_ms,
            position: wait.position,
        };
        let data = vec![seconds(waited_ms), ringing.leg.to_string(), seconds(lines.at.since(ringing.since))];
        lines.add(Some(&ringing.queue), Some(agent), "CONNECT", data);
        self.talk = Some(talk);
    }

    fn end(&mut self, agent: &AgentId, end: SegmentEnd, lines: &mut Lines) {
        if let Some(index) = self.ringing.iter().position(|ringing| ringing.agent == *agent) {
            let ringing = self.ringing.remove(index);
            // Phones that were rung to have a call handed on are no queue's.
            if self.waits.iter().any(|wait| wait.queue == ringing.queue) {
                let event = match end {
                    SegmentEnd::CallerLeft | SegmentEnd::Elsewhere | SegmentEnd::Switch => "RINGCANCELED",
                    _ => "RINGNOANSWER",
                };
                let ms = lines.at.since(ringing.since).to_string();
                lines.add(Some(&ringing.queue), Some(agent), event, vec![ms]);
            }
            return;
        }
        let Some(talk) = self.talk.take_if(|talk| talk.agent == *agent) else { return };
        match end {
            SegmentEnd::Transferred => self.handed = Some((talk, lines.at)),
            SegmentEnd::Agent => lines.add(Some(&talk.queue), Some(agent), "COMPLETEAGENT", talk.figures(lines.at)),
            _ => lines.add(Some(&talk.queue), Some(agent), "COMPLETECALLER", talk.figures(lines.at)),
        }
    }

    /// Tells a transfer now that it is known to whom: extension and context, or how it was joined and with what.
    fn handed_to(&mut self, event: &'static str, to: &str, lines: &mut Lines) {
        let Some((talk, ended)) = self.handed.take() else { return };
        let [first, second] = if event == "ATTENDEDTRANSFER" { ["BRIDGE", to] } else { [to, ""] };
        let data = [vec![first.to_owned(), second.to_owned()], talk.figures(ended)].concat();
        lines.add(Some(&talk.queue), Some(&talk.agent), event, data);
    }
}

/// The lines of one entry.
struct Lines {
    call: CallId,
    at: Wall,
    lines: Vec<QueueLogLine>,
}

impl Lines {
    fn add(&mut self, queue: Option<&QueueId>, agent: Option<&AgentId>, event: &'static str, data: Vec<String>) {
        let (queue, agent) = (queue.cloned(), agent.cloned());
        self.lines.push(QueueLogLine { at: self.at, call: Some(self.call), queue, agent, event, data });
    }
}

fn seconds(ms: u64) -> String {
    (ms / 1_000).to_string()
}
