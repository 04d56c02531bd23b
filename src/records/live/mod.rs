//! What is going on right now: the live views as a fold.

mod call;
mod counts;
mod public;
mod views;

pub use call::{LiveCall, LiveRecording, LiveState};
pub use public::public;
pub use views::{AgentLine, CallLine, CallbackLine, ParkedLine, QueueLine, StateLine};

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use self::counts::Counts;
use super::{AgentsFold, Wall};
use crate::id::{AgentId, CallId, QueueId};
use crate::journal::{Callbacks, Desks, Entry, Event, LeaveReason};

/// Calls in progress, agents' states, and what each queue served and lost.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LiveFold {
    calls: BTreeMap<CallId, LiveCall>,
    agents: AgentsFold,
    counts: BTreeMap<QueueId, Counts>,
    #[serde(default)]
    callbacks: Callbacks,
    #[serde(default)]
    desks: Desks,
}

impl LiveFold {
    /// How many calls are in progress.
    pub fn calls_in_progress(&self) -> usize {
        self.calls.len()
    }

    /// Every call in progress at `now`, oldest first.
    pub fn calls(&self, now: Wall) -> Vec<CallLine> {
        self.calls.iter().map(|(call, live)| CallLine::of(*call, live, now)).collect()
    }

    /// One call in progress at `now`.
    pub fn call(&self, call: CallId, now: Wall) -> Option<CallLine> {
        self.calls.get(&call).map(|live| CallLine::of(call, live, now))
    }

    /// The agents named, in that order; one never heard of is offline.
    pub fn agents<'a>(&self, agents: impl IntoIterator<Item = &'a AgentId>) -> Vec<AgentLine> {
        agents.into_iter().map(|agent| self.agent(agent)).collect()
    }

    /// One agent.
    pub fn agent(&self, agent: &AgentId) -> AgentLine {
        let phone = Some(self.desks.phone_of(agent)).filter(|phone| *phone != agent).cloned();
        AgentLine::of(agent, phone, &self.agents)
    }

    /// Queues at `now`, each with its members; served and abandoned are counted from `day` on, to a quarter of an hour. Calls are
    /// looked at once, however many queues there are.
    pub fn queues(&self, queues: &[(QueueId, Vec<AgentId>)], now: Wall, day: Wall) -> Vec<QueueLine> {
        let mut waiting: BTreeMap<&QueueId, Vec<&LiveCall>> = BTreeMap::new();
        for call in self.calls.values() {
            call.queues().for_each(|queue| waiting.entry(queue).or_default().push(call));
        }
        let line = |(queue, members): &(QueueId, Vec<AgentId>)| {
            self.queue(queue, members, waiting.get(queue).map_or(&[][..], Vec::as_slice), (now, day))
        };
        queues.iter().map(line).collect()
    }

    fn queue(
        &self,
        queue: &QueueId,
        members: &[AgentId],
        waiting: &[&LiveCall],
        (now, day): (Wall, Wall),
    ) -> QueueLine {
        let agents = self.agents(members);
        let entered = waiting.iter().filter_map(|call| call.queue_entered()).min();
        let (served, abandoned) = self.counts.get(queue).map_or((0, 0), |counts| counts.since(day));
        QueueLine {
            queue: queue.clone(),
            waiting: waiting.len(),
            presented: waiting.iter().filter(|call| call.is_presented()).count(),
            longest_wait_ms: entered.map_or(0, |entered| now.since(entered)),
            available: agents.iter().filter(|agent| self.agents.takes_call(&agent.agent)).count(),
            signed_in: agents.into_iter().filter(AgentLine::is_signed_in).map(|line| line.agent).collect(),
            members: members.to_vec(),
            served_today: served,
            abandoned_today: abandoned,
        }
    }

    /// Requests to be called back that stand.
    pub fn requests(&self) -> &Callbacks {
        &self.callbacks
    }

    /// The same for people, the oldest request first.
    pub fn callbacks(&self) -> Vec<CallbackLine> {
        self.callbacks.iter().map(|(call, callback)| CallbackLine::of(call, callback)).collect()
    }

    /// Who sits at whose phone.
    pub fn desks(&self) -> &Desks {
        &self.desks
    }

    /// Folds one entry.
    pub fn handle_entry(&mut self, entry: &Entry) {
        self.agents.handle_entry(entry);
        self.callbacks.handle_event(&entry.event);
        self.desks.handle_event(&entry.event);
        let at = Wall(entry.wall_ms);
        match &entry.event {
            event @ Event::CallOffered { call, .. } => {
                if let Some(live) = LiveCall::offered(event, at) {
                    self.calls.entry(*call).or_insert(live);
                }
            }
            Event::CallEnded { call, .. } => {
                self.calls.remove(call);
            }
            event => {
                let Some(live) = event.call().and_then(|call| self.calls.get_mut(&call)) else { return };
                let outcome = match event {
                    Event::QueueLeft { reason, .. } => Some(*reason),
                    Event::AgentAnswered { .. } => Some(LeaveReason::Answered),
                    _ => None,
                };
                // The caller's wait counts once, for the queue that the record will name.
                if let Some((reason, queue)) = outcome.and_then(|reason| Some((reason, live.take_wait(reason)?))) {
                    self.counts.entry(queue).or_default().add(reason, at);
                }
                live.handle_event(event, at);
            }
        }
    }
}

#[cfg(test)]
mod tests;
