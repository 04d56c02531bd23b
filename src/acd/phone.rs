//! The agent's phone: while it is in a call of its own or out of reach, no caller is presented to it.

use super::agent::Agent;
use super::{Acd, Failure};
use crate::id::CallId;
use crate::journal::AgentState;
use crate::time::Now;

/// The reason of "not ready" while the agent's phone is in a call of its own.
pub const OWN_CALL: &str = "own_call";

/// What is known of an agent's phone apart from the calls that are presented to it.
#[derive(Clone, Debug, Default)]
pub(super) struct Phone {
    /// Calls that the agent has placed.
    own_calls: Vec<CallId>,
    lost: bool,
}

impl Phone {
    pub(super) fn has_own_calls(&self) -> bool {
        !self.own_calls.is_empty()
    }
}

impl Agent {
    /// Why the phone can take no call: the reason of the "not ready" that stands in for "available".
    pub(super) fn hindrance(&self) -> Option<&'static str> {
        match &self.phone {
            Phone { lost: true, .. } => Some(Failure::Unreachable.reason()),
            phone if phone.has_own_calls() => Some(OWN_CALL),
            Phone { .. } => None,
        }
    }
}

/// Whether a "not ready" is the phone's and not the agent's wish.
pub(super) fn is_hindered(state: &AgentState) -> bool {
    matches!(state, AgentState::NotReady { reason, .. } if follows_phone(reason))
}

/// Whether a "not ready" of this reason begins and ends with what happens to the phone.
pub fn follows_phone(reason: &str) -> bool {
    reason == OWN_CALL || reason == Failure::Unreachable.reason()
}

impl Acd {
    pub(super) fn handle_phone_taken(&mut self, n: usize, call: CallId, now: Now) {
        let calls = &mut self.agents[n].phone.own_calls;
        if !calls.contains(&call) {
            calls.push(call);
        }
        self.follow_phone(n, now);
    }

    pub(super) fn handle_phone_free(&mut self, n: usize, call: CallId, now: Now) {
        self.agents[n].phone.own_calls.retain(|known| *known != call);
        self.follow_phone(n, now);
    }

    pub(super) fn handle_phone_reach(&mut self, n: usize, reachable: bool, now: Now) {
        if self.agents[n].phone.lost == reachable {
            self.agents[n].phone.lost = !reachable;
            self.follow_phone(n, now);
        }
    }

    /// Brings an agent who is available, or would be but for the phone, into line with the phone, and one whose conversation is on
    /// hold. Every other state goes on and looks at the phone when it ends.
    fn follow_phone(&mut self, n: usize, now: Now) {
        if let AgentState::Hold { call } | AgentState::Consult { call } = self.agents[n].state {
            return self.transition_to_hold(n, call, now);
        }
        match self.agents[n].hindrance() {
            Some(reason) if self.agents[n].state == AgentState::Available || is_hindered(&self.agents[n].state) => {
                self.transition_to_not_ready(n, reason.to_owned(), None, now);
            }
            None if is_hindered(&self.agents[n].state) => self.free(n, now),
            _ => {}
        }
    }
}
