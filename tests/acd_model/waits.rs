//! What the model's callers go through.

use std::collections::BTreeMap;

use trunkline::acd::{Needs, Preference};
use trunkline::id::{AgentId, CallId, QueueId};
use trunkline::journal::{AgentState, LeaveReason, SegmentEnd};

use super::model::{Caller, Due, Effect, Model, Queue};

/// What comes due in a wait; of one instant, the first named comes first.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Step {
    Relax(usize),
    Overflow,
    Anyone,
    More,
    MaxWait,
}

impl Model {
    /// The agent is out of the presentation; the caller waits again once nobody is in it.
    pub fn give_back(&mut self, call: CallId, agent: &AgentId, now: i64) {
        let Some(at) = self.at(call) else { return };
        let caller = &mut self.callers[at];
        caller.presented.retain(|presented| presented != agent);
        if caller.presented.is_empty() {
            caller.more = None;
            if caller.overdue {
                return self.time_out(call);
            }
            self.arm_wait(call, now);
        }
    }

    pub fn time_out(&mut self, call: CallId) {
        self.forget(call);
        self.effects.push(Effect::Out(call, LeaveReason::Timeout));
    }

    pub fn forget(&mut self, call: CallId) {
        self.callers.retain(|caller| caller.call != call);
        self.due.retain(|(.., what)| *what != Due::Wait(call));
    }

    pub fn enter(
        &mut self,
        (call, priority, entered): (CallId, i32, i64),
        queue: &QueueId,
        prefer: Option<Preference>,
        now: i64,
    ) {
        if self.at(call).is_some() {
            return;
        }
        if !self.takes(queue) {
            self.effects.push(Effect::Out(call, LeaveReason::Refused));
            return;
        }
        let alone = prefer.filter(|prefer| match self.state(&prefer.agent) {
            None | Some(AgentState::Offline) => false,
            Some(AgentState::Available) => true,
            Some(_) => prefer.wait_ms > 0,
        });
        self.callers.push(Caller {
            call,
            queues: vec![queue.clone()],
            priority,
            entered,
            joined: now,
            rings: BTreeMap::from([(queue.clone(), self.reached(queue, now - entered))]),
            steps: 0,
            presented: Vec::new(),
            overdue: false,
            alone: alone.map(|prefer| (prefer.agent, now + prefer.wait_ms as i64)),
            more: None,
            tried: None,
            armed_for: None,
        });
        self.arm_wait(call, now);
    }

    pub fn reached(&self, queue: &QueueId, waited: i64) -> usize {
        self.settings(queue).relax.iter().filter(|step| step.after_ms as i64 <= waited).count()
    }

    pub fn takes(&self, id: &QueueId) -> bool {
        let inside = self.callers.iter().filter(|caller| caller.queues.contains(id)).count();
        let room = |queue: &Queue| queue.settings.capacity.is_none_or(|capacity| inside < capacity as usize);
        let there =
            |queue: &Queue| [queue.settings.join_needs, queue.settings.wait_needs].map(|needs| self.has(id, needs));
        self.queue(id).is_some_and(|queue| room(queue) && !queue.draining && there(queue) == [true, true])
    }

    /// Whether one of the members is there who have to be.
    fn has(&self, queue: &QueueId, needs: Needs) -> bool {
        let mut members = (0..self.agents.len()).filter(|a| self.ring_of(*a, queue).is_some());
        members.any(|a| match (&self.agents[a].state, needs) {
            (AgentState::Offline, _) => needs == Needs::Nobody,
            (AgentState::NotReady { .. }, Needs::Ready) => false,
            _ => true,
        }) || needs == Needs::Nobody
    }

    /// Whoever waits for anybody where nobody is there does not wait any longer.
    pub fn send_on(&mut self) {
        let alone = |caller: &&Caller| {
            let needs = self.settings(&caller.queues[0]).wait_needs;
            let waits = caller.presented.is_empty() && caller.alone.is_none();
            waits && !caller.queues.iter().any(|queue| self.has(queue, needs))
        };
        let mut calls: Vec<CallId> = self.callers.iter().filter(alone).map(|caller| caller.call).collect();
        calls.sort_unstable();
        for call in calls {
            self.forget(call);
            self.effects.push(Effect::Out(call, LeaveReason::Refused));
        }
    }

    fn next_step(&self, caller: &Caller) -> Option<(i64, Step)> {
        let mut steps = Vec::new();
        for (at, queue) in caller.queues.iter().enumerate() {
            if let Some(step) = self.settings(queue).relax.get(caller.rings[queue]) {
                steps.push((caller.entered + step.after_ms as i64, Step::Relax(at)));
            }
        }
        let home = self.settings(&caller.queues[0]);
        if let Some(step) = home.overflow.get(caller.steps) {
            steps.push((caller.entered + step.after_ms as i64, Step::Overflow));
        }
        if let Some((_, until)) = &caller.alone {
            steps.push((*until, Step::Anyone));
        }
        if let Some(at) = caller.more {
            steps.push((at, Step::More));
        }
        if let Some(ms) = home.max_wait_ms.filter(|_| !caller.overdue) {
            steps.push((caller.joined + ms as i64, Step::MaxWait));
        }
        steps.into_iter().min()
    }

    /// One deadline stands for a caller: that of what comes first.
    pub fn arm_wait(&mut self, call: CallId, now: i64) {
        let Some(at) = self.at(call) else { return };
        let next = self.next_step(&self.callers[at]).map(|(at, _)| at);
        if self.callers[at].armed_for != next {
            self.callers[at].armed_for = next;
            self.due.retain(|(.., what)| *what != Due::Wait(call));
            if let Some(at) = next {
                self.arm(at.max(now), Due::Wait(call));
            }
        }
    }

    pub fn wait_due(&mut self, call: CallId, now: i64) {
        if let Some(at) = self.at(call) {
            self.callers[at].armed_for = None;
        }
        while let Some(at) = self.at(call) {
            let Some((due, step)) = self.next_step(&self.callers[at]) else { break };
            if due > now {
                break;
            }
            let caller = &mut self.callers[at];
            match step {
                Step::Relax(place) => *caller.rings.get_mut(&caller.queues[place]).unwrap() += 1,
                Step::Overflow => self.overflow(at, now),
                Step::Anyone => {
                    caller.alone = None;
                    self.arm_wait(call, now);
                }
                Step::More => self.ring_more(at, now),
                Step::MaxWait if caller.presented.is_empty() => self.time_out(call),
                Step::MaxWait => caller.overdue = true,
            }
            self.pair(now);
        }
        self.arm_wait(call, now);
    }

    pub fn overflow(&mut self, at: usize, now: i64) {
        let caller = &self.callers[at];
        let to = self.settings(&caller.queues[0]).overflow[caller.steps].to.clone();
        self.callers[at].steps += 1;
        if !self.callers[at].queues.contains(&to) && self.takes(&to) {
            let reached = self.reached(&to, now - self.callers[at].entered);
            self.callers[at].rings.insert(to.clone(), reached);
            self.callers[at].queues.push(to);
        }
    }

    pub fn leave(&mut self, call: CallId, end: SegmentEnd, now: i64) {
        if let Some(at) = self.at(call) {
            let phones = self.callers[at].presented.clone();
            self.forget(call);
            self.withdraw(&phones, call, end, now);
        }
    }

    pub fn withdraw(&mut self, phones: &[AgentId], call: CallId, end: SegmentEnd, now: i64) {
        for agent in phones {
            let a = self.number(agent).unwrap();
            self.cancel(a, call, end);
            self.stay_idle(a, now);
        }
    }

    pub fn answer(&mut self, agent: AgentId, call: CallId, now: i64) {
        let Some(a) = self.number(&agent) else {
            self.effects.push(Effect::Cancel(call, agent, SegmentEnd::Switch));
            return;
        };
        match self.agents[a].state {
            AgentState::Reserved { call: of } | AgentState::Ringing { call: of } if of == call => {
                let mut others = self.callers[self.at(call).unwrap()].presented.clone();
                others.retain(|other| *other != agent);
                self.forget(call);
                self.become_(a, AgentState::Talking { call }, now);
                self.withdraw(&others, call, SegmentEnd::Elsewhere, now);
            }
            ref state if state.conversation() == Some(call) => {}
            _ => self.cancel(a, call, SegmentEnd::Switch),
        }
    }
}
