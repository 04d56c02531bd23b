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
    /// Of these, how many are being presented to an agent, or wait for one alone.
    pub presented: u32,
    /// Agents who would take a call at once.
    pub available: u32,
    /// Members who are signed in.
    pub signed_in: u32,
    /// Of these, those who are not "not ready".
    pub ready: u32,
    /// How long whoever enters now is expected to wait (ms); `None` where nobody is there or nothing is known yet.
    pub expected_wait_ms: Option<u64>,
    /// Estimates that were put to the test by an answer.
    pub estimates: u64,
    /// The sum of their errors, whatever the direction (ms).
    pub estimates_error_ms: u64,
    /// When the one entered who waits longest (wall ms).
    pub oldest_entered_ms: Option<i64>,
}

/// One agent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AgentView<'a> {
    /// The agent.
    pub id: &'a AgentId,
    /// What he or she is doing; of several calls, what is going on most: in this order talking, consulting, on hold, ringing,
    /// reserved, after-call work, available.
    pub state: &'a AgentState,
    /// Since when (wall ms).
    pub since_ms: i64,
    /// Whether a call could be presented now.
    pub takes_call: bool,
}

impl<'a> View<'a> {
    pub(super) fn of(acd: &'a Acd) -> Self {
        Self { acd }
    }

    /// One queue by name.
    pub fn queue(&self, id: &QueueId) -> Option<QueueView<'a>> {
        self.acd.queue_numbers.get(id).map(|number| of_queue(&self.acd.queues[*number]))
    }

    /// All queues in the order of the settings; those that only drain follow.
    pub fn queues(&self) -> impl Iterator<Item = QueueView<'a>> + use<'a> {
        self.acd.queues.iter().map(of_queue)
    }

    /// One agent by name.
    pub fn agent(&self, id: &AgentId) -> Option<AgentView<'a>> {
        self.acd.agent_numbers.get(id).and_then(|first| of_agent(self.acd, *first))
    }

    /// What one agent is doing in each of the calls that he or she can be in at once.
    pub fn appearances(&self, id: &AgentId) -> impl Iterator<Item = &'a AgentState> + use<'a> {
        let acd = self.acd;
        let all = acd.agent_numbers.get(id).map_or(0..0, |first| acd.appearances(*first));
        all.map(|n| &acd.agents[n].state)
    }

    /// All agents in the order of the settings; those who only finish a call follow.
    pub fn agents(&self) -> impl Iterator<Item = AgentView<'a>> + use<'a> {
        let firsts = (0..self.acd.agents.len()).filter(|n| self.acd.agents[*n].appearance == 0);
        firsts.filter_map(|first| of_agent(self.acd, first))
    }

    /// The caller's position from 1 in each queue, the one that was entered first; empty when the call does not wait.
    pub fn positions(&self, call: CallId) -> Vec<(&'a QueueId, u32)> {
        let Some(caller) = self.acd.callers.get(&call) else { return Vec::new() };
        let queues = caller.queues.iter().map(|entry| &self.acd.queues[entry.queue]);
        queues.map(|queue| (&queue.settings.id, queue.line.position(caller.place))).collect()
    }

    /// How long the caller is expected to wait yet (ms), by the queue that promises the least; `None` where nothing is known.
    pub fn expected_wait_ms(&self, call: CallId) -> Option<u64> {
        let caller = self.acd.callers.get(&call)?;
        let queues = caller.queues.iter().map(|entry| &self.acd.queues[entry.queue]);
        queues.filter_map(|queue| expected(queue, queue.line.position(caller.place))).min()
    }
}

fn expected(queue: &Queue, place: u32) -> Option<u64> {
    queue.expected_ms(place).and_then(|ms| u64::try_from(ms).ok())
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
        id: &queue.settings.id,
        waiting: count(queue.by_age.len()),
        presented: count(queue.by_age.len().saturating_sub(queue.waiting)),
        available: count(queue.plain().available.len()),
        signed_in: queue.expectation.signed_in,
        ready: queue.expectation.ready,
        expected_wait_ms: expected(queue, count(queue.line.len()).saturating_add(1)),
        estimates: queue.expectation.tested,
        estimates_error_ms: queue.expectation.error_ms,
        oldest_entered_ms: queue.by_age.first().map(|(entered, _)| *entered),
    }
}

/// The agent whose first appearance it is, as the appearance shows that is in the midst of most.
fn of_agent(acd: &Acd, first: usize) -> Option<AgentView<'_>> {
    let agent = acd.foremost(first)?;
    let takes_call = acd.open_appearance(first).is_some();
    Some(AgentView { id: &agent.id, state: &agent.state, since_ms: agent.since_ms, takes_call })
}
