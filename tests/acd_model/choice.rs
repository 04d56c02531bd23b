//! Whom the model chooses: every agent is looked at each time, and what a strategy goes by is counted anew.

use trunkline::id::{AgentId, QueueId};
use trunkline::journal::{AgentState, Strategy};

use super::model::{Agent, Caller, Model};

impl Model {
    /// How many steps of relaxation it takes until the queue would have the agent.
    pub fn ring_of(&self, a: usize, queue: &QueueId) -> Option<usize> {
        let (agent, queue) = (&self.agents[a].settings, self.settings(queue));
        let member = queue.members.iter().find(|member| member.agent == agent.id)?;
        let steps = queue.relax.iter().map(|step| (&step.required, step.tier));
        let mut rings = std::iter::once((&queue.required, queue.tier)).chain(steps);
        rings.position(|(required, tier)| {
            let has = |skill: &String| agent.skills.get(skill).copied().unwrap_or(0);
            member.tier <= tier && required.iter().all(|(skill, least)| has(skill) >= *least)
        })
    }

    /// Whose phones ring for the caller on behalf of the queue; `None` where nobody is there.
    pub fn choose(&self, caller: &Caller, queue: &QueueId) -> Option<Vec<AgentId>> {
        let settings = self.settings(queue);
        let place = |agent: &Agent| settings.members.iter().position(|member| member.agent == agent.settings.id);
        let mut there = Vec::new();
        for (a, agent) in self.agents.iter().enumerate().filter(|(_, agent)| agent.state == AgentState::Available) {
            if let Some(ring) = self.ring_of(a, queue).filter(|ring| *ring <= caller.rings[queue]) {
                let place = place(agent).unwrap();
                there.push(((ring, settings.members[place].tier), place, a));
            }
        }
        let best = there.iter().map(|(group, ..)| *group).min()?;
        there.retain(|(group, ..)| *group == best);
        let strategy = settings.strategy;
        let figure = |agent: &Agent, place: usize| match strategy {
            Strategy::FewestCalls => calls(agent),
            Strategy::LeastTalkTime => talked(&agent.past),
            Strategy::LeastOccupied => occupied(agent),
            strategy if strategy.is_by_place() => place as i64,
            _ => 0,
        };
        there.sort_by_key(|(_, place, a)| (figure(&self.agents[*a], *place), self.agents[*a].idle_since, *a));
        let after = match strategy {
            Strategy::RoundRobin => self.queue(queue).unwrap().last,
            Strategy::Sequential => caller.tried.as_ref().filter(|(tried, _)| tried == queue).map(|(_, place)| *place),
            _ => None,
        };
        let id = |(.., a): &(_, usize, usize)| self.agents[*a].settings.id.clone();
        Some(match strategy {
            Strategy::RingAll => there.iter().map(id).collect(),
            Strategy::Random | Strategy::WeightedRandom => {
                let won = self
                    .drawn
                    .iter()
                    .find(|(call, agent)| *call == caller.call && there.iter().any(|one| id(one) == *agent));
                vec![won.unwrap_or_else(|| panic!("nobody of {queue} who may have it got {}", caller.call)).1.clone()]
            }
            _ => {
                let onward = there.iter().find(|(_, place, _)| after.is_some_and(|after| *place > after));
                vec![id(onward.unwrap_or(&there[0]))]
            }
        })
    }

    pub fn more_at(&self, queue: &QueueId, now: i64) -> Option<i64> {
        let settings = self.settings(queue);
        (settings.strategy == Strategy::RingProgressively).then(|| now + settings.ring_more_ms as i64)
    }
}

/// Conversations since signing in.
fn calls(agent: &Agent) -> i64 {
    let starts = agent.past.windows(2).filter(|pair| {
        let rang = matches!(pair[0].0, AgentState::Reserved { .. } | AgentState::Ringing { .. });
        rang && matches!(pair[1].0, AgentState::Talking { .. })
    });
    starts.count() as i64
}

fn talked(past: &[(AgentState, i64)]) -> i64 {
    let talks = |state: &AgentState| state.conversation().is_some();
    past.iter().filter(|(state, _)| talks(state)).map(|(_, ms)| ms).sum()
}

/// Thousandths of the time in or free for calls, as it was when the agent came free.
fn occupied(agent: &Agent) -> i64 {
    let past = &agent.past[..agent.past_when_free];
    let sum = |which: fn(&AgentState) -> bool| -> i64 {
        past.iter().filter(|(state, _)| which(state)).map(|(_, ms)| ms).sum()
    };
    let busy = talked(past) + sum(|state| matches!(state, AgentState::Acw { .. }));
    let free =
        sum(|state| matches!(state, AgentState::Available | AgentState::Reserved { .. } | AgentState::Ringing { .. }));
    busy * 1_000 / (busy + free).max(1)
}
