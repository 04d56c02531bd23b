//! What holds after every event, checked the slow way.

use crate::journal::AgentState;

use super::Acd;
use super::caller::Standing;

impl Acd {
    /// Looks at the whole floor: for simulations and tests, never in an event.
    ///
    /// # Errors
    /// Names the first thing that is not as it must be.
    pub fn check_invariants(&self) -> Result<(), String> {
        let mut timers = 0;
        for (number, agent) in self.agents.iter().enumerate() {
            timers += usize::from(agent.timer.is_some());
            for (at, queue) in self.queues.iter().enumerate() {
                let listed = queue.available.contains(&(agent.idle_since_ms, number));
                let free = agent.state == AgentState::Available && agent.queues.contains(&at);
                ensure(listed == free, || format!("agent {} listed {listed} in queue {}", agent.id, queue.id))?;
            }
            let fit = agent.state != AgentState::Available || agent.hindrance().is_none();
            ensure(fit, || format!("agent {} is available with a phone that takes no call", agent.id))?;
            let timed = agent.presented().is_some() || matches!(agent.state, AgentState::Acw { .. });
            ensure(timed == agent.timer.is_some(), || format!("agent {} has no deadline, or one too many", agent.id))?;
            if let Some(call) = agent.presented() {
                let standing = self.callers.get(&call).map(|caller| caller.standing);
                let mutual = matches!(standing, Some(Standing::Presented { agent, .. }) if agent == number);
                let booked = mutual || self.handed.get(&call) == Some(&number) && standing.is_none();
                ensure(booked, || format!("agent {} is booked for {call}, which is {standing:?}", agent.id))?;
            }
        }
        for (call, agent) in &self.handed {
            let presented = self.agents[*agent].presented() == Some(*call);
            ensure(presented, || format!("{call} is handed to {}, who knows nothing", self.agents[*agent].id))?;
        }
        for (call, caller) in &self.callers {
            timers += caller.overflow.iter().chain(&caller.max_wait).count();
            ensure(!caller.queues.is_empty(), || format!("{call} waits nowhere"))?;
            if let Standing::Presented { agent, .. } = caller.standing {
                let mutual = self.agents[agent].presented() == Some(*call);
                ensure(mutual, || format!("{call} is presented to {}, who knows nothing", self.agents[agent].id))?;
            }
            for (at, queue) in self.queues.iter().enumerate() {
                let named = caller.queues.iter().filter(|number| **number == at).count();
                let listed = queue.by_age.contains(&(caller.place.entered_ms, caller.place));
                let waits = queue.waiting.contains(&caller.place);
                ensure(named <= 1 && listed == (named == 1), || format!("{call} stands wrongly in {}", queue.id))?;
                let should = named == 1 && caller.standing == Standing::Waiting;
                ensure(waits == should, || format!("{call} waits {waits} in {}", queue.id))?;
            }
        }
        for queue in &self.queues {
            let idle = queue.waiting.is_empty() || queue.available.is_empty();
            ensure(idle, || format!("callers wait in {} while agents are available", queue.id))?;
            ensure(queue.line.len() == queue.by_age.len(), || format!("{} counts in two ways", queue.id))?;
            let known = queue.by_age.iter().all(|(_, place)| self.callers.contains_key(&place.call));
            ensure(known, || format!("{} holds a caller who is gone", queue.id))?;
        }
        // A caller's deadline that has fired keeps its name, so timers may be fewer but never more.
        ensure(self.timers.len() <= timers, || format!("{} timers for {timers} deadlines", self.timers.len()))
    }
}

fn ensure(holds: bool, what: impl FnOnce() -> String) -> Result<(), String> {
    if holds { Ok(()) } else { Err(what()) }
}
