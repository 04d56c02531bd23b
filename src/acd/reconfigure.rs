//! Other settings while the floor works.
//!
//! What runs goes on: a phone rings by the settings with which it began, after-call work keeps its deadline, nobody who waits is
//! sent away. What comes next goes by the new settings, counted from when each caller entered.

use std::collections::{BTreeMap, BTreeSet};

use crate::id::{AgentId, CallId};
use crate::journal::{AgentState, Event, SegmentEnd};
use crate::time::Now;

use super::agent::{Agent, Next};
use super::caller::Standing;
use super::line::Place;
use super::queue::Queue;
use super::settings::{AgentSettings, QueueSettings};
use super::{Acd, BadSettings, Settings, Timer};

impl Acd {
    /// Puts the floor under other settings. Looks at all of it, as nothing else does.
    ///
    /// - Agents and queues that are new are there; those that stay take their new settings. A caller who waits is served by who
    ///   is a member now, and has the longest wait and the overflow of the new settings, counted from the entry: what is overdue
    ///   comes with the next [`Acd::handle_timeout`]. An overflow that was taken stays taken.
    /// - An agent who is gone ends the conversation and is offline then, without after-call work; one who is in none is offline
    ///   at once, and a caller presented there goes to somebody else. Of one who takes fewer calls at once now, those beyond go
    ///   on, with their after-call work.
    /// - A queue that is gone refuses who enters and takes no overflow. Who waits there is served as before until it is empty.
    ///
    /// # Errors
    /// The first of [`Settings::faults`]; nothing has changed then.
    pub fn reconfigure(&mut self, settings: Settings, now: Now) -> Result<(), BadSettings> {
        if let Some(fault) = settings.faults().into_iter().next() {
            return Err(fault);
        }
        let stay: BTreeMap<&AgentId, u8> =
            settings.agents.iter().map(|agent| (&agent.id, agent.capacity.max(1))).collect();
        for n in 0..self.agents.len() {
            let capacity = stay.get(&self.agents[n].id).copied().unwrap_or(0);
            self.agents[n].retired = self.agents[n].appearance >= capacity;
            if self.agents[n].retired {
                self.retire(n, now);
            }
        }
        self.ageing = settings.ageing;
        let waits_changed = self.replace_queues(settings.queues);
        self.replace_agents(settings.agents);
        self.number();
        self.stand_again(&waits_changed, now);
        self.match_all(now);
        if self.sends_on {
            self.doubtful.extend(self.callers.keys());
        }
        self.send_on();
        Ok(())
    }

    fn retire(&mut self, n: usize, now: Now) {
        let works = matches!(self.agents[n].state, AgentState::Acw { .. });
        let stays = works && !self.agents[self.first_appearance(n)].retired;
        if stays || self.agents[n].conversation().is_some() {
            return;
        }
        let presented = self.agents[n].presented();
        if let Some(call) = presented {
            self.cancel(n, call, SegmentEnd::Switch);
        }
        if let AgentState::Acw { call, .. } = self.agents[n].state {
            self.journal(Event::AcwEnded { call, agent: self.agents[n].id.clone() });
        }
        // What was to follow the after-call work is no wish of whoever signs in by that number again.
        self.agents[n].next = Next::Available;
        self.transition(n, AgentState::Offline, now);
        // Who takes the callers instead is decided once all is in place.
        if !self.presence(n).signed_in {
            self.release_wanted(n, now);
        }
        if let Some(call) = presented.filter(|call| self.forget_phone(*call, n)) {
            self.rejoin(call, now);
        }
    }

    /// Gives the queues whose callers have other deadlines now.
    fn replace_queues(&mut self, settings: Vec<QueueSettings>) -> BTreeSet<usize> {
        let served: BTreeSet<usize> =
            self.agents.iter().filter(|agent| agent.is_engaged()).map(|agent| agent.serving).collect();
        let mut former: Vec<Option<Queue>> = std::mem::take(&mut self.queues).into_iter().map(Some).collect();
        let mut moved = vec![0; former.len()];
        let mut waits_changed = BTreeSet::new();
        for settings in settings {
            let mut queue = Queue::new(settings);
            if let Some(from) = self.queue_numbers.get(&queue.settings.id).copied()
                && let Some(former) = former[from].take()
            {
                moved[from] = self.queues.len();
                queue.remember(&former);
                if !former.waits_like(&queue) {
                    waits_changed.insert(self.queues.len());
                }
            }
            self.queues.push(queue);
        }
        for (from, queue) in former.into_iter().enumerate() {
            let Some(queue) = queue.filter(|queue| queue.line.len() > 0 || served.contains(&from)) else { continue };
            moved[from] = self.queues.len();
            self.queues.push(queue.drained());
        }
        for agent in &mut self.agents {
            let serving = moved.get(agent.serving).copied().filter(|_| agent.is_engaged());
            agent.serving = serving.unwrap_or(0);
        }
        for entry in self.callers.values_mut().flat_map(|caller| &mut caller.queues) {
            entry.queue = moved[entry.queue];
        }
        waits_changed
    }

    fn replace_agents(&mut self, settings: Vec<AgentSettings>) {
        let mut former: Vec<Option<Agent>> = std::mem::take(&mut self.agents).into_iter().map(Some).collect();
        let mut moved = vec![0; former.len()];
        for settings in settings {
            let first = self.agent_numbers.get(&settings.id).copied();
            let had = match first.and_then(|first| former[first].as_ref().map(|agent| (first, agent.appearances))) {
                Some((first, appearances)) => first..first + usize::from(appearances),
                None => 0..0,
            };
            let capacity = settings.capacity.max(1);
            // Beyond the capacity those stay whose calls go on.
            let busy = had.clone().rev().find(|n| former[*n].as_ref().is_some_and(|agent| !agent.is_gone()));
            let last = busy.map_or(0, |busy| u8::try_from(busy - had.start).unwrap_or(u8::MAX));
            let appearances = capacity.max(last.saturating_add(1));
            let fresh = Agent::new(settings, &mut self.skills);
            for (appearance, from) in (0..appearances).zip(had.clone().map(Some).chain(std::iter::repeat(None))) {
                let agent = from.and_then(|from| former[from].take()).unwrap_or_else(|| fresh.beside(appearance));
                if let Some(from) = from {
                    moved[from] = self.agents.len();
                }
                let (skills, acw_ms) = (fresh.skills.clone(), fresh.acw_ms);
                self.agents.push(Agent { appearance, appearances, skills, acw_ms, ..agent });
            }
            former[had].fill_with(|| None);
        }
        for (from, agent) in former.into_iter().enumerate() {
            let Some(agent) = agent else { continue };
            moved[from] = self.agents.len();
            self.agents.push(agent);
        }
        for caller in self.callers.values_mut() {
            match &mut caller.standing {
                Standing::Waiting => {}
                Standing::Preferring { agent, .. } => *agent = moved[*agent],
                Standing::Presented { agents, .. } => agents.iter_mut().for_each(|agent| *agent = moved[*agent]),
            }
        }
        self.handed.values_mut().for_each(|agent| *agent = moved[*agent]);
        for timer in self.timers.iter_mut() {
            if let Timer::Lease { agent } | Timer::Acw { agent } | Timer::Back { agent } = timer {
                *agent = moved[*agent];
            }
        }
    }

    /// Puts callers and available agents into the queues, which are empty.
    fn stand_again(&mut self, waits_changed: &BTreeSet<usize>, now: Now) {
        self.wanted.clear();
        for (call, mut caller) in std::mem::take(&mut self.callers) {
            caller.place = Place::new(self.ageing, caller.priority, caller.place.entered_ms, call);
            caller.tried = None;
            for entry in &mut caller.queues {
                *entry = self.entry(entry.queue, &caller.wishes, caller.place.entered_ms, now);
                self.queues[entry.queue].join(caller.place);
            }
            if waits_changed.contains(&caller.queues[0].queue) {
                caller.steps = 0;
                if let Standing::Presented { overdue, .. } = &mut caller.standing {
                    *overdue = false;
                }
            }
            self.callers.insert(call, caller);
        }
        let calls: Vec<CallId> = self.callers.keys().copied().collect();
        for call in calls {
            self.stand(call);
            self.arm_wait(call, now);
        }
        for n in 0..self.agents.len() {
            if self.agents[n].appearance == 0 {
                self.open(n);
            }
        }
        for n in 0..self.agents.len() {
            if self.agents[n].appearance > 0 {
                self.join_in(n, now);
            }
        }
        // Everybody looks for callers next.
        self.opened.clear();
    }

    /// Several callers and agents may have come together: the first in line first.
    fn match_all(&mut self, now: Now) {
        if self.agents.iter().all(|agent| agent.open_with.is_none()) {
            return;
        }
        let lines = self.queues.iter().flat_map(|queue| queue.waiting().map(|(_, place)| *place));
        let wanted = self.wanted.values().flatten().copied();
        let waiting: BTreeSet<Place> = lines.chain(wanted).collect();
        waiting.into_iter().for_each(|place| self.match_caller(place.call, now));
    }
}
