//! The one decision: which pair?

use crate::id::CallId;
use crate::time::Now;

use super::Acd;
use super::caller::Standing;
use super::events::Output;
use super::line::Place;
use super::queue::Idle;

impl Acd {
    /// Calls are short, agents are not: the longest-idle agent among the caller's queues, for the queue that
    /// the caller joined first if the agent serves several of them.
    pub(super) fn match_caller(&mut self, call: CallId, now: Now) {
        let Some(caller) = self.callers.get(&call) else { return };
        if caller.standing != Standing::Waiting {
            return;
        }
        let mut best: Option<(Idle, usize)> = None;
        let mut second: Option<Idle> = None;
        for queue in &caller.queues {
            for idle in self.queues[*queue].available.iter().take(2).copied() {
                self.touched += 1;
                match best {
                    Some((chosen, _)) if idle == chosen => {}
                    Some((chosen, _)) if idle > chosen => second = Some(second.map_or(idle, |other| other.min(idle))),
                    _ => {
                        second = best.map(|(former, _)| former).or(second);
                        best = Some((idle, *queue));
                    }
                }
            }
        }
        let Some(((since_ms, agent), queue)) = best else { return };
        let mut why = format!("agent {}: idle {} s", self.agents[agent].id, seconds(now, since_ms));
        for (skill, least) in &self.queues[queue].required {
            let has = self.agents[agent].skills.get(skill).copied().unwrap_or(0);
            why.push_str(&format!(", skill {skill} {has} ≥ {least}"));
        }
        if let Some((since_ms, next)) = second {
            why.push_str(&format!("; next best {}: idle {} s", self.agents[next].id, seconds(now, since_ms)));
        }
        self.present(call, agent, queue, why, now);
    }

    /// Agents are short: the caller with the highest score among the agent's queues. A caller who names several of these
    /// is taken from the one joined first.
    pub(super) fn match_agent(&mut self, agent: usize, now: Now) {
        let mut best: Option<Place> = None;
        for queue in &self.agents[agent].queues {
            self.touched += 1;
            let first = self.queues[*queue].waiting.first().copied();
            best = [best, first].into_iter().flatten().min();
        }
        let Some(place) = best else { return };
        let Some(caller) = self.callers.get(&place.call) else { return };
        let serves = |queue: &usize| self.agents[agent].queues.binary_search(queue).is_ok();
        let Some(queue) = caller.queues.iter().copied().find(serves) else { return };
        let why = format!(
            "agent {} free: caller waited {} s, priority {}, first of {} waiting",
            self.agents[agent].id,
            seconds(now, place.entered_ms),
            caller.priority,
            self.queues[queue].waiting.len(),
        );
        self.present(place.call, agent, queue, why, now);
    }

    fn present(&mut self, call: CallId, agent: usize, queue: usize, why: String, now: Now) {
        let Some(caller) = self.callers.get_mut(&call) else { return };
        caller.standing = Standing::Presented { agent, overdue: false };
        for queue in &caller.queues {
            self.touched += 1;
            self.queues[*queue].waiting.remove(&caller.place);
        }
        self.transition_to_reserved(agent, call, queue, now);
        let (agent, queue) = (self.agents[agent].id.clone(), self.queues[queue].id.clone());
        self.outputs.push_back(Output::Present { call, agent, queue, why });
    }
}

fn seconds(now: Now, since_ms: i64) -> i64 {
    now.wall_ms.saturating_sub(since_ms).max(0) / 1000
}
