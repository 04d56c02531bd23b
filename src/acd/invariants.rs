//! What holds after every event, checked the slow way.

use crate::id::AgentId;
use crate::journal::AgentState;

use super::Acd;
use super::agent::Agent;
use super::caller::{Caller, Standing};
use super::queue::Rank;

impl Acd {
    /// Looks at the whole floor: for simulations and tests, never in an event.
    ///
    /// # Errors
    /// Names the first thing that is not as it must be.
    pub fn check_invariants(&self) -> Result<(), String> {
        for (number, agent) in self.agents.iter().enumerate() {
            self.check_agent(number, agent)?;
        }
        for (call, agent) in &self.handed {
            let presented = self.agents[*agent].presented() == Some(*call);
            ensure(presented, || format!("{call} is handed to {}, who knows nothing", self.agents[*agent].id))?;
        }
        for caller in self.callers.values() {
            self.check_caller(caller)?;
        }
        for (number, queue) in self.queues.iter().enumerate() {
            let id = &queue.settings.id;
            for (ladder_and_ring, place) in queue.waiting() {
                let idle = queue.best(ladder_and_ring, None).is_none();
                ensure(idle, || format!("{} waits in {id} while agents are available", place.call))?;
            }
            let entries =
                || self.callers.values().flat_map(|caller| &caller.queues).filter(|entry| entry.queue == number);
            for (at, ladder) in queue.ladders.iter().enumerate() {
                let there = entries().filter(|entry| usize::from(entry.ladder) == at).count();
                ensure(ladder.callers as usize == there, || {
                    format!("kind {at} of {id} counts {} of {there}", ladder.callers)
                })?;
            }
            let (mut signed_in, mut ready) = (0, 0);
            for (n, agent) in self.agents.iter().enumerate() {
                if agent.appearance == 0 && agent.membership(number, 0).is_some() {
                    signed_in += u32::from(self.presence(n).signed_in);
                    ready += u32::from(self.presence(n).ready);
                }
            }
            let counted = (queue.expectation.signed_in, queue.expectation.ready);
            ensure(counted == (signed_in, ready), || format!("{id} counts {counted:?} of {signed_in} and {ready}"))?;
            ensure(queue.waiting == queue.waiting().count(), || format!("{id} counts {} waiting", queue.waiting))?;
            ensure(queue.line.len() == queue.by_age.len(), || format!("{id} counts in two ways"))?;
            let known = queue.by_age.iter().all(|(_, call)| self.callers.contains_key(call));
            ensure(known, || format!("{id} holds a caller who is gone"))?;
        }
        let agents = self.agents.iter().filter(|agent| agent.timer.is_some()).count();
        let callers = self.callers.values().filter(|caller| caller.timer.is_some()).count();
        let timers = self.timers.len();
        ensure(timers == agents + callers, || format!("{timers} timers of {agents} agents and {callers} callers"))
    }

    fn check_agent(&self, number: usize, agent: &Agent) -> Result<(), String> {
        let id = &agent.id;
        let ladders = self.queues.iter().enumerate().flat_map(|(at, queue)| {
            let ladders = (0..=u8::MAX).zip(&queue.ladders);
            ladders.map(move |(ladder, seen)| (queue, agent.membership(at, ladder), seen))
        });
        for (queue, member, ladder) in ladders {
            let listed = ladder.available.iter().filter(|rank| rank.agent() == number).count();
            let free = agent.open_with.is_some() && member.is_some();
            let known = member.is_some_and(|member| ladder.available.contains(&Rank::of(number, member)));
            let fits = listed == usize::from(free) && known == free;
            ensure(fits, || format!("agent {id} listed {listed} times in queue {}", queue.settings.id))?;
        }
        if agent.appearance == 0 {
            self.check_appearances(number, id)?;
        }
        let fit = agent.state != AgentState::Available || agent.hindrance().is_none();
        ensure(fit, || format!("agent {id} is available with a phone that takes no call"))?;
        let ends = matches!(agent.state, AgentState::Acw { .. } | AgentState::NotReady { until_ms: Some(_), .. });
        let timed = agent.presented().is_some() || ends;
        ensure(timed == agent.timer.is_some(), || format!("agent {id} has no deadline, or one too many"))?;
        let wanted = self.wanted.get(&number);
        let busy = || self.presence(number).signed_in && self.open_appearance(number).is_none();
        let alone = wanted.is_none() || agent.appearance == 0 && busy();
        ensure(alone, || format!("callers wait for {id} alone, who is {:?}", agent.state))?;
        for place in wanted.into_iter().flatten() {
            let standing = self.callers.get(&place.call).map(|caller| &caller.standing);
            let mutual = matches!(standing, Some(Standing::Preferring { agent, .. }) if *agent == number);
            ensure(mutual, || format!("{} is to wait for {id}, and is {standing:?}", place.call))?;
        }
        let Some(call) = agent.presented() else { return Ok(()) };
        let caller = self.callers.get(&call);
        let mutual = caller.is_some_and(|caller| caller.agents().contains(&number));
        let booked = mutual || self.handed.get(&call) == Some(&number) && caller.is_none();
        ensure(booked, || format!("agent {id} is booked for {call}, which knows nothing"))
    }

    /// One call rings at a time and none beside after-call work, and where one could be presented is known.
    fn check_appearances(&self, first: usize, id: &AgentId) -> Result<(), String> {
        let all = || self.appearances(first).map(|n| &self.agents[n]);
        let whole = all().enumerate().all(|(at, agent)| agent.id == *id && usize::from(agent.appearance) == at);
        ensure(whole, || format!("appearances of agent {id} stand apart"))?;
        let rings = all().filter(|agent| agent.presented().is_some()).count();
        ensure(rings <= 1, || format!("{rings} calls are presented to agent {id} at once"))?;
        let works = all().any(|agent| matches!(agent.state, AgentState::Acw { .. }));
        let free = all().any(|agent| agent.state == AgentState::Available);
        let calls = all().filter(|agent| agent.conversation().is_some()).count();
        let open: Vec<usize> = all().filter_map(|agent| agent.open_with).map(usize::from).collect();
        let capacity = all().filter(|agent| !agent.retired).count();
        let should = if free && rings == 0 && !works && calls < capacity { vec![calls] } else { Vec::new() };
        ensure(open == should, || format!("agent {id} is open to calls beside {open:?}, and not {should:?}"))
    }

    fn check_caller(&self, caller: &Caller) -> Result<(), String> {
        let call = caller.place.call;
        ensure(!self.is_left_alone(caller), || format!("{call} waits where nobody is there"))?;
        ensure(!caller.queues.is_empty(), || format!("{call} waits nowhere"))?;
        match &caller.standing {
            Standing::Waiting => {}
            Standing::Preferring { agent, .. } => {
                let wanted = self.wanted.get(agent).is_some_and(|places| places.contains(&caller.place));
                ensure(wanted, || format!("{call} waits for {}, who does not know", self.agents[*agent].id))?;
            }
            Standing::Presented { agents, .. } => {
                ensure(!agents.is_empty(), || format!("{call} is presented to nobody"))?;
                let mutual = agents.iter().all(|agent| self.agents[*agent].presented() == Some(call));
                ensure(mutual, || format!("{call} is presented to one who knows nothing"))?;
            }
        }
        for (at, queue) in self.queues.iter().enumerate() {
            let id = &queue.settings.id;
            let mut named = caller.queues.iter().filter(|entry| entry.queue == at);
            let (entry, twice) = (named.next(), named.next().is_some());
            let listed = queue.by_age.contains(&(caller.place.entered_ms, call));
            ensure(!twice && listed == entry.is_some(), || format!("{call} stands wrongly in {id}"))?;
            let waits: Vec<(u8, u8)> =
                queue.waiting().filter(|(_, place)| **place == caller.place).map(|(ring, _)| ring).collect();
            let waiting = entry.filter(|_| caller.standing == Standing::Waiting);
            let should = waiting.map(|entry| (entry.ladder, entry.ring));
            ensure(waits.iter().copied().eq(should), || format!("{call} waits in rings {waits:?} of {id}"))?;
        }
        Ok(())
    }
}

fn ensure(holds: bool, what: impl FnOnce() -> String) -> Result<(), String> {
    if holds { Ok(()) } else { Err(what()) }
}
