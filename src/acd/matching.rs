//! The one decision: which pair?

use crate::id::CallId;
use crate::journal::{Decision, NextBest, SkillFit, Strategy};
use crate::time::Now;

use super::Acd;
use super::caller::{Entry, Standing};
use super::events::Output;
use super::line::Place;
use super::queue::Rank;

impl Acd {
    /// Calls are short, agents are not: the first of the caller's queues, in the order in which they were joined, that has
    /// somebody; whom, says its strategy. A caller who waits for one agent gets no other one.
    pub(super) fn match_caller(&mut self, call: CallId, now: Now) {
        let Some(caller) = self.callers.get(&call) else { return };
        match caller.standing {
            Standing::Presented { .. } => {}
            Standing::Preferring { agent, .. } => {
                if let Some(open) = self.open_appearance(agent) {
                    self.present_preferred(call, open, now);
                }
            }
            Standing::Waiting => {
                let tried = caller.tried;
                for at in 0..caller.queues.len() {
                    self.touched += 1;
                    let Some(entry) = self.callers.get(&call).map(|caller| caller.queues[at]) else { return };
                    if self.present_best(call, entry, tried, now) {
                        return;
                    }
                }
            }
        }
    }

    /// Presents the caller to whom the queue's strategy chooses; `false` where nobody is there.
    fn present_best(&mut self, call: CallId, entry: Entry, tried: Option<(usize, i64)>, now: Now) -> bool {
        let queue = &self.queues[entry.queue];
        let tried = tried.filter(|(queue, _)| *queue == entry.queue).map(|(_, place)| place);
        let Some((best, next)) = queue.best((entry.ladder, entry.ring), tried) else { return false };
        let strategy = queue.settings.strategy;
        if strategy == Strategy::RingAll {
            let all: Vec<Rank> = queue.all_best((entry.ladder, entry.ring)).collect();
            let phones = i64::try_from(all.len()).unwrap_or(i64::MAX);
            let chosen = all.iter().map(|rank| (rank.agent(), self.by_strategy(entry, *rank, phones, None))).collect();
            self.present(call, entry, chosen, None, now);
            return true;
        }
        let figure = |rank: Rank| match strategy {
            Strategy::LongestIdle => now.wall_ms.saturating_sub(rank.idle_since_ms).max(0),
            strategy if strategy.is_by_place() => rank.figure + 1,
            strategy if strategy.is_random() => {
                let member = self.agents[rank.agent()].membership(entry.queue, entry.ladder);
                member.map_or(0, |member| i64::from(member.weight))
            }
            _ => rank.figure,
        };
        let next = next.map(|next| NextBest { agent: self.agents[next.agent()].id.clone(), figure: figure(next) });
        let why = self.by_strategy(entry, best, figure(best), next);
        let more_ms = self.more_at(entry.queue, now);
        self.present(call, entry, vec![(best.agent(), why)], more_ms, now);
        true
    }

    fn by_strategy(&self, entry: Entry, rank: Rank, figure: i64, next: Option<NextBest>) -> Decision {
        Decision::Strategy {
            strategy: self.queues[entry.queue].settings.strategy,
            figure,
            ring: rank.ring,
            tier: rank.tier,
            calls: rank.calls,
            skills: self.fits(rank.agent(), entry),
            next,
        }
    }

    /// The agent's skills that the queue asks for of who answers this caller.
    fn fits(&self, agent: usize, entry: Entry) -> Vec<SkillFit> {
        let required = self.ladder_of(&entry).required_in(entry.ring).iter();
        let has = |skill: &str| self.skills.level(&self.agents[agent].skills, skill).unwrap_or(0);
        required.map(|(skill, needs)| SkillFit { skill: skill.clone(), has: has(skill), needs: *needs }).collect()
    }

    /// When one more phone is to ring for a caller who is presented now.
    fn more_at(&self, queue: usize, now: Now) -> Option<i64> {
        let settings = &self.queues[queue].settings;
        let ms = i64::try_from(settings.ring_more_ms).unwrap_or(i64::MAX).max(1);
        (settings.strategy == Strategy::RingProgressively).then(|| now.wall_ms.saturating_add(ms))
    }

    /// One more phone rings, if there is one; then it is time to look for a further one.
    pub(super) fn ring_more(&mut self, call: CallId, now: Now) {
        let Some(caller) = self.callers.get(&call) else { return };
        let Some(queue) = caller.agents().first().map(|agent| self.agents[*agent].serving) else { return };
        let Some(entry) = caller.queues.iter().copied().find(|entry| entry.queue == queue) else { return };
        let best = self.queues[queue].best((entry.ladder, entry.ring), None).map(|(best, _)| best);
        let more_ms = self.more_at(queue, now);
        let caller = self.callers.get_mut(&call);
        if let Some(Standing::Presented { agents, more_ms: at, .. }) = caller.map(|caller| &mut caller.standing) {
            *at = more_ms;
            agents.extend(best.map(|best| best.agent()));
        }
        if let Some(best) = best {
            let why = self.by_strategy(entry, best, best.figure + 1, None);
            self.reserve(call, entry, best.agent(), why, now);
        }
    }

    /// Agents are short: the caller with the highest score whom the agent may have, be it as one of a queue or as the one whom
    /// the caller waits for. A caller who names several of the agent's queues is taken from the one joined first.
    pub(super) fn match_agent(&mut self, agent: usize, now: Now) {
        let Some(calls) = self.agents[agent].open_with else { return };
        let Some(place) = self.first_for(agent) else { return };
        let Some(caller) = self.callers.get(&place.call) else { return };
        if matches!(caller.standing, Standing::Preferring { .. }) {
            return self.present_preferred(place.call, agent, now);
        }
        let serves = |entry: &Entry| {
            let member = self.agents[agent].membership(entry.queue, entry.ladder);
            member.is_some_and(|member| member.ring <= entry.ring)
        };
        let Some(entry) = caller.queues.iter().copied().find(serves) else { return };
        let why = Decision::Line {
            waited_ms: waited_ms(place, now),
            priority: caller.priority,
            calls,
            waiting: u32::try_from(self.queues[entry.queue].waiting).unwrap_or(u32::MAX),
            skills: self.fits(agent, entry),
        };
        let more_ms = self.more_at(entry.queue, now);
        self.present(place.call, entry, vec![(agent, why)], more_ms, now);
    }

    /// Several agents have come free at once: the first in line chooses first.
    pub(super) fn match_agents(&mut self, agents: &[usize], now: Now) {
        if let [agent] = agents {
            return self.match_agent(*agent, now);
        }
        loop {
            let mut first: Option<Place> = None;
            for agent in agents {
                if self.agents[*agent].open_with.is_some() {
                    first = [first, self.first_for(*agent)].into_iter().flatten().min();
                }
            }
            let Some(place) = first else { return };
            self.match_caller(place.call, now);
        }
    }

    /// The first in line whom an agent may have.
    fn first_for(&mut self, agent: usize) -> Option<Place> {
        let mut best = self.wanted.get(&self.first_appearance(agent)).and_then(|places| places.first()).copied();
        for member in &self.agents[agent].queues {
            self.touched += 1;
            let first = self.queues[member.queue].ladders[usize::from(member.ladder)].first_for(member.ring);
            best = [best, first].into_iter().flatten().min();
        }
        best
    }

    fn present_preferred(&mut self, call: CallId, agent: usize, now: Now) {
        let Some(caller) = self.callers.get(&call) else { return };
        let (home, waited_ms) = (caller.queues[0], waited_ms(caller.place, now));
        self.present(call, home, vec![(agent, Decision::Preferred { waited_ms })], None, now);
    }

    fn present(&mut self, call: CallId, entry: Entry, chosen: Vec<(usize, Decision)>, more_ms: Option<i64>, now: Now) {
        self.unlist(call);
        let Some(caller) = self.callers.get_mut(&call) else { return };
        let agents = chosen.iter().map(|(agent, _)| *agent).collect();
        caller.standing = Standing::Presented { agents, more_ms, overdue: false };
        for (agent, why) in chosen {
            self.reserve(call, entry, agent, why, now);
        }
        self.arm_wait(call, now);
    }

    fn reserve(&mut self, call: CallId, entry: Entry, agent: usize, why: Decision, now: Now) {
        let queue = entry.queue;
        if let Some(member) = self.agents[agent].membership(queue, entry.ladder) {
            let place = i64::from(member.place);
            self.queues[queue].last = Some(place);
            if self.queues[queue].settings.strategy.is_random() {
                self.queues[queue].drawn = self.queues[queue].drawn.max(member.figure);
            }
            if let Some(caller) = self.callers.get_mut(&call) {
                caller.tried = Some((queue, place));
            }
        }
        self.transition_to_reserved(agent, call, queue, now);
        let (agent, queue) = (self.agents[agent].id.clone(), self.queues[queue].settings.id.clone());
        self.outputs.push_back(Output::Present { call, agent, queue, why });
    }
}

fn waited_ms(place: Place, now: Now) -> u64 {
    u64::try_from(now.wall_ms.saturating_sub(place.entered_ms)).unwrap_or(0)
}
