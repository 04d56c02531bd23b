//! `queue_log` as Asterisk writes it, folded from the journal (docs.asterisk.org, Operation, Logging, Queue Logs).
//!
//! Members of queues are those of the plan, so nobody is added or removed: agents log in and off. A not-ready agent is paused for
//! every queue.

mod call;
mod line;

#[cfg(test)]
mod tests;

pub use line::QueueLogLine;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{AgentsFold, Wall};
use crate::id::{AgentId, CallId};
use crate::journal::{AgentState, Entry, Event};
use call::QueuedCall;

/// Folds entries, in order, into lines.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct QueueLog {
    calls: BTreeMap<CallId, QueuedCall>,
    agents: BTreeMap<AgentId, SignedIn>,
    #[serde(default)]
    states: AgentsFold,
}

/// An agent who is signed in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct SignedIn {
    since: Wall,
    /// Why the agent is not ready; `None` where it is.
    paused: Option<String>,
}

impl QueueLog {
    /// Folds one entry; gives the lines that it adds, in order.
    pub fn handle_entry(&mut self, entry: &Entry) -> Vec<QueueLogLine> {
        let at = Wall(entry.wall_ms);
        match &entry.event {
            Event::Started { .. } => vec![line(at, None, "QUEUESTART", Vec::new())],
            Event::Reloaded { .. } => vec![line(at, None, "CONFIGRELOAD", Vec::new())],
            Event::AgentChanged { agent, .. } => {
                self.states.handle_entry(entry);
                // Of several calls at once, what is going on most.
                let state = self.states.state(agent).cloned();
                state.map(|state| self.handle_agent(agent, &state, at)).unwrap_or_default()
            }
            event => {
                let Some(call) = event.call() else { return Vec::new() };
                if let Some(offered) = QueuedCall::offered(event) {
                    self.calls.entry(call).or_insert(offered);
                }
                let lines = self.calls.get_mut(&call).map(|queued| queued.handle_event(call, event, at));
                if self.calls.get(&call).is_some_and(QueuedCall::is_over) {
                    self.calls.remove(&call);
                }
                lines.unwrap_or_default()
            }
        }
    }

    fn handle_agent(&mut self, agent: &AgentId, state: &AgentState, at: Wall) -> Vec<QueueLogLine> {
        let mut lines = Vec::new();
        let mut add = |event, data: Vec<String>| lines.push(line(at, Some(agent), event, data));
        if *state == AgentState::Offline {
            if let Some(gone) = self.agents.remove(agent) {
                let seconds = at.since(gone.since) / 1_000;
                add("AGENTLOGOFF", vec![agent.to_string(), seconds.to_string()]);
            }
            return lines;
        }
        let known = self.agents.entry(agent.clone()).or_insert_with(|| {
            add("AGENTLOGIN", vec![agent.to_string()]);
            SignedIn { since: at, paused: None }
        });
        let paused = match state {
            AgentState::NotReady { reason, .. } => Some(reason.clone()),
            _ => None,
        };
        if known.paused != paused {
            if let (Some(reason), None) = (&known.paused, &paused) {
                add("UNPAUSEALL", vec![reason.clone()]);
            }
            if let Some(reason) = &paused {
                add("PAUSEALL", vec![reason.clone()]);
            }
            known.paused = paused;
        }
        lines
    }
}

fn line(at: Wall, agent: Option<&AgentId>, event: &'static str, data: Vec<String>) -> QueueLogLine {
    QueueLogLine { at, call: None, queue: None, agent: agent.cloned(), event, data }
}
