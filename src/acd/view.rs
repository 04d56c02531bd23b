//! What others may see of the floor.

use crate::id::{AgentId, CallId, QueueId};
use crate::journal::AgentState;

use super::Acd;
use super::queue::Queue;

/// The floor as it stands, to read from.
#[derive(Clone, Copy, Debug)]
pub struct View<'a> {
    acd: &'a Acd,
}

/// One queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QueueView<'a> {
    /// The queue.
    pub id: &'a QueueId,
    /// Callers in it, those included whose agent's phone rings.
    pub waiting: u32,
    /// Of these, how many are being presented to an agent.
    pub presented: u32,
    /// Agents who would take a call at once.
    pub available: u32,
    /// When the one entered who waits longest (wall ms).
    pub oldest_entered_ms: Option<i64>,
}

/// One agent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AgentView<'a> {
    /// The agent.
    pub id: &'a AgentId,
    /// What he or she is doing.
    pub state: &'a AgentState,
    /// Since when (wall ms).
    pub since_ms: i64,
}

impl<'a> View<'a> {
    pub(super) fn of(acd: &'a Acd) -> Self {
        Self { acd }
    }

    /// One queue by name.
    pub fn queue(&self, id: &QueueId) -> Option<QueueView<'a>> {
        self.acd.queue_numbers.get(id).map(|number| of_queue(&self.acd.queues[*number]))
    }

    /// All queues in the order of the settings.
    pub fn queues(&self) -> impl Iterator<Item = QueueView<'a>> + use<'a> {
        self.acd.queues.iter().map(of_queue)
    }

    /// One agent by name.
    pub fn agent(&self, id: &AgentId) -> Option<AgentView<'a>> {
        self.acd.agent_numbers.get(id).map(|number| of_agent(&self.acd.agents[*number]))
    }

    /// All agents in the order of the settings.
    pub fn agents(&self) -> impl Iterator<Item = AgentView<'a>> + use<'a> {
        self.acd.agents.iter().map(of_agent)
    }

    /// The caller's position from 1 in each queue, the one that was entered first; empty when the call does not wait.
    pub fn positions(&self, call: CallId) -> Vec<(&'a QueueId, u32)> {
        let Some(caller) = self.acd.callers.get(&call) else { return Vec::new() };
        let queues = caller.queues.iter().map(|number| &self.acd.queues[*number]);
        queues.map(|queue| (&queue.id, queue.line.position(caller.place))).collect()
    }
}

impl QueueView<'_> {
    /// The longest wait at `wall_ms` (ms); 0 when nobody waits.
    pub fn longest_wait_ms(&self, wall_ms: i64) -> u64 {
        let wait = self.oldest_entered_ms.map_or(0, |entered| wall_ms.saturating_sub(entered));
        u64::try_from(wait).unwrap_or(0)
    }
}

fn of_queue(queue: &Queue) -> QueueView<'_> {
    let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    QueueView {
        id: &queue.id,
        waiting: count(queue.by_age.len()),
        presented: count(queue.by_age.len().saturating_sub(queue.waiting.len())),
        available: count(queue.available.len()),
        oldest_entered_ms: queue.by_age.first().map(|(entered, _)| *entered),
    }
}

fn of_agent(agent: &super::Agent) -> AgentView<'_> {
    AgentView { id: &agent.id, state: &agent.state, since_ms: agent.since_ms }
}
