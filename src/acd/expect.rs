//! How long callers will wait: from how long conversations have taken and how many agents are there for them.
//!
//! Everybody up to and including a caller's place has to get an agent, and of so many agents each comes free once in a mean handling
//! time: place × handling ÷ agents. Agents whom other queues need as well, and callers who give up, make it wrong in either
//! direction; how wrong is counted.

use crate::id::CallId;
use crate::time::Now;

use super::Acd;
use super::appearance::Presence;
use super::queue::Queue;

/// The weight of one more conversation in the mean is one in so many.
const MEMORY: i64 = 32;

/// What a queue knows for its estimates.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Expectation {
    /// Members who are signed in.
    pub(super) signed_in: u32,
    /// Of these, those who are not "not ready".
    pub(super) ready: u32,
    /// The mean of talk, hold and after-call work of one conversation (ms); 0 where none has ended yet.
    handling_ms: i64,
    /// Estimates that were put to the test by an answer.
    pub(super) tested: u64,
    /// The sum of their errors, whatever the direction (ms).
    pub(super) error_ms: u64,
}

impl Expectation {
    /// Goes on with what another queue object knew of the same queue.
    pub(super) fn remember(&mut self, former: &Self) {
        *self = Self { signed_in: self.signed_in, ready: self.ready, ..*former };
    }

    /// A member is there in this way now.
    pub(super) fn count(&mut self, presence: Presence) {
        self.signed_in += u32::from(presence.signed_in);
        self.ready += u32::from(presence.ready);
    }

    fn discount(&mut self, presence: Presence) {
        self.signed_in -= u32::from(presence.signed_in);
        self.ready -= u32::from(presence.ready);
    }

    fn learn(&mut self, ms: i64) {
        let step = if self.handling_ms == 0 { ms } else { (ms - self.handling_ms) / MEMORY };
        self.handling_ms = (self.handling_ms + step).max(1);
    }
}

impl Queue {
    /// How long a caller at this place (from 1) will wait (ms); `None` where nobody is there or nothing is known yet.
    pub(super) fn expected_ms(&self, place: u32) -> Option<i64> {
        if place as usize <= self.plain().available.len() {
            return Some(0);
        }
        let Expectation { ready, handling_ms, .. } = self.expectation;
        (ready > 0 && handling_ms > 0).then(|| i64::from(place).saturating_mul(handling_ms) / i64::from(ready))
    }
}

impl Acd {
    /// Tells the queues of an agent who may be there in another way now.
    pub(super) fn follow_presence(&mut self, n: usize, was: Presence) {
        let is = self.presence(n);
        if was == is {
            return;
        }
        // Whoever may have callers with wishes may have others.
        for member in self.agents[n].queues.iter().filter(|member| member.ladder == 0) {
            self.touched += 1;
            let expectation = &mut self.queues[member.queue].expectation;
            expectation.discount(was);
            expectation.count(is);
        }
        for at in 0..self.agents[n].queues.len() {
            if self.agents[n].queues[at].ladder == 0 {
                self.doubt(self.agents[n].queues[at].queue);
            }
        }
    }

    /// A conversation and what had to be done after it are over.
    pub(super) fn learn_handling(&mut self, n: usize) {
        if let Some(ms) = self.agents[n].handled_ms.take() {
            self.queues[self.agents[n].serving].expectation.learn(ms);
        }
    }

    /// A caller is answered: what was expected when he or she entered is put to the test.
    pub(super) fn test_estimate(&mut self, call: CallId, now: Now) {
        let Some(caller) = self.callers.get(&call) else { return };
        let Some(expected_ms) = caller.expected_ms else { return };
        let waited_ms = now.wall_ms.saturating_sub(caller.joined_ms);
        let expectation = &mut self.queues[caller.queues[0].queue].expectation;
        expectation.tested += 1;
        expectation.error_ms = expectation.error_ms.saturating_add(waited_ms.abs_diff(expected_ms));
    }
}
