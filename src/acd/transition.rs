//! Every change of an agent's state: one method each, and the places in the queues that go with it.

use rand_core::Rng;

use crate::id::CallId;
use crate::journal::{AgentState, Event, Strategy};
use crate::time::Now;

use super::agent::{Agent, Membership, Tally};
use super::queue::Rank;
use super::{Acd, Timer, deadline};

/// The mean of a lot of weight 1: a few billion draws fit before lots run out.
const LOT: f64 = 4_294_967_296.0;

/// What strategies go by, of all the agent's calls.
struct Figures {
    calls: u8,
    tally: Tally,
    idle_since_ms: i64,
}

impl Acd {
    pub(super) fn transition_to_available(&mut self, n: usize, now: Now) {
        self.transition(n, AgentState::Available, now);
    }

    pub(super) fn transition_to_reserved(&mut self, n: usize, call: CallId, queue: usize, now: Now) {
        self.transition(n, AgentState::Reserved { call }, now);
        self.agents[n].serving = queue;
        self.lease(n, now);
    }

    pub(super) fn transition_to_ringing(&mut self, n: usize, call: CallId, now: Now) {
        self.transition(n, AgentState::Ringing { call }, now);
        self.lease(n, now);
    }

    pub(super) fn transition_to_talking(&mut self, n: usize, call: CallId, now: Now) {
        self.transition(n, AgentState::Talking { call }, now);
    }

    /// On hold; with a call of the phone's own beside it the agent consults somebody.
    pub(super) fn transition_to_hold(&mut self, n: usize, call: CallId, now: Now) {
        let consults = self.agents[n].phone.has_own_calls() && self.is_held_last(n);
        let state = if consults { AgentState::Consult { call } } else { AgentState::Hold { call } };
        self.transition(n, state, now);
    }

    pub(super) fn transition_to_acw(&mut self, n: usize, call: CallId, until_ms: i64, now: Now) {
        self.transition(n, AgentState::Acw { call, until_ms }, now);
        self.agents[n].timer = Some(self.timers.arm(deadline(now, until_ms), Timer::Acw { agent: n }));
    }

    /// Not ready until the agent says otherwise, or until an instant (wall ms).
    pub(super) fn transition_to_not_ready(&mut self, n: usize, reason: String, until_ms: Option<i64>, now: Now) {
        self.transition(n, AgentState::NotReady { reason, until_ms }, now);
        self.agents[n].timer = until_ms.map(|at| self.timers.arm(deadline(now, at), Timer::Back { agent: n }));
    }

    pub(super) fn transition_to_offline(&mut self, n: usize, now: Now) {
        self.transition(n, AgentState::Offline, now);
    }

    /// Leaves the old state with its timer and its places in the queues, and writes the new one down if it is one.
    pub(super) fn transition(&mut self, n: usize, state: AgentState, now: Now) {
        self.touched += 1;
        if let Some(call) = self.agents[n].presented().filter(|call| state.presented() != Some(*call))
            && self.handed.get(&call) == Some(&n)
        {
            self.handed.remove(&call);
        }
        if let Some(timer) = self.agents[n].timer.take() {
            self.timers.disarm(timer);
        }
        self.unindex(n);
        if self.agents[n].state != state {
            self.count(n, now);
            let done = self.agents[n].state.is_handling() && !state.is_handling();
            self.set_state(n, state.clone());
            if done {
                self.learn_handling(n);
            }
            self.agents[n].since_ms = now.wall_ms;
            let Agent { id, appearance, .. } = &self.agents[n];
            let (agent, appearance) = (id.clone(), *appearance);
            self.journal(Event::AgentChanged { agent, appearance, state });
        }
        self.open(n);
    }

    /// The state itself, and what queues know of it.
    pub(super) fn set_state(&mut self, n: usize, state: AgentState) {
        let was = self.presence(n);
        self.agents[n].state = state;
        self.follow_presence(n, was);
    }

    fn lease(&mut self, n: usize, now: Now) {
        let ring_timeout_ms = self.queues[self.agents[n].serving].settings.ring_timeout_ms;
        self.agents[n].timer = Some(self.timers.arm(now.in_ms(ring_timeout_ms), Timer::Lease { agent: n }));
    }

    /// Lists an appearance of an agent who is in so many calls in the queues, as each queue's strategy sees him or her.
    pub(super) fn index(&mut self, n: usize, calls: u8) {
        self.agents[n].open_with = Some(calls);
        let figures = self.figures(n, calls);
        for at in 0..self.agents[n].queues.len() {
            self.touched += 1;
            self.index_at(n, at, &figures);
        }
    }

    /// The same for the callers of one ladder of a queue.
    pub(super) fn index_in(&mut self, n: usize, (queue, ladder): (usize, u8), calls: u8) {
        let at = self.agents[n].queues.binary_search_by_key(&(queue, ladder), Membership::key);
        let figures = self.figures(n, calls);
        at.into_iter().for_each(|at| self.index_at(n, at, &figures));
    }

    fn figures(&self, n: usize, calls: u8) -> Figures {
        let tally = self.agents[self.first_appearance(n)].tally;
        Figures { calls, tally, idle_since_ms: self.idle_since_ms(n) }
    }

    fn index_at(&mut self, n: usize, at: usize, &Figures { calls, tally, idle_since_ms }: &Figures) {
        let member = &self.agents[n].queues[at];
        let queue = &self.queues[member.queue];
        let figure = match queue.settings.strategy {
            Strategy::RingAll | Strategy::LongestIdle => 0,
            Strategy::FewestCalls => tally.calls,
            Strategy::LeastTalkTime => tally.talk_ms,
            Strategy::LeastOccupied => tally.occupied(),
            Strategy::RoundRobin | Strategy::Linear | Strategy::Sequential | Strategy::RingProgressively => {
                i64::from(member.place)
            }
            Strategy::Random => queue.drawn.saturating_add(lot(&mut self.random, 1)),
            Strategy::WeightedRandom => queue.drawn.saturating_add(lot(&mut self.random, member.weight)),
        };
        let member = &mut self.agents[n].queues[at];
        (member.figure, member.idle_since_ms, member.calls) = (figure, idle_since_ms, calls);
        let ladder = &mut self.queues[member.queue].ladders[usize::from(member.ladder)];
        ladder.available.insert(Rank::of(n, member));
    }

    pub(super) fn unindex(&mut self, n: usize) {
        if self.agents[n].open_with.take().is_none() {
            return;
        }
        for member in &self.agents[n].queues {
            self.touched += 1;
            let ladder = &mut self.queues[member.queue].ladders[usize::from(member.ladder)];
            ladder.available.remove(&Rank::of(n, member));
        }
    }
}

/// A lot by which the smallest wins. It is distributed exponentially: as such lots forget how long they have been held, agents
/// who draw theirs at different times, each from the last winner's on, are still drawn by their weights alone.
fn lot(random: &mut impl Rng, weight: u8) -> i64 {
    // Never zero, whose logarithm is infinite.
    let uniform = ((random.next_u64() >> 11) + 1) as f64 / (1u64 << 53) as f64;
    (-uniform.ln() * LOT / f64::from(weight.max(1))) as i64
}
