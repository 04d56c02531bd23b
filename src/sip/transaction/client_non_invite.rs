//! Requests other than INVITE, client side (RFC 3261 §17.1.2).

use super::timers::{Effect, GIVE_UP, T1, T2, T4, Timer};
use crate::sip::message::Message;

#[derive(Clone, Debug, PartialEq, Eq)]
enum State {
    Trying { bytes: Vec<u8>, interval_ms: u64 },
    Proceeding { bytes: Vec<u8> },
    Completed,
    Terminated,
}

/// One request that we sent.
#[derive(Clone, Debug)]
pub struct ClientNonInvite {
    reliable: bool,
    state: State,
}

impl ClientNonInvite {
    /// Sends the request. `reliable`: the transport repeats by itself (TCP).
    pub fn start(request: &Message, reliable: bool) -> (Self, Vec<Effect>) {
        let bytes = request.to_bytes();
        let mut effects = vec![Effect::Send(bytes.clone()), Effect::Arm(Timer::F, GIVE_UP)];
        if !reliable {
            effects.push(Effect::Arm(Timer::E, T1));
        }
        (Self { reliable, state: State::Trying { bytes, interval_ms: T1 } }, effects)
    }

    /// A response with this transaction's branch came.
    pub fn handle_response(&mut self, response: &Message) -> Vec<Effect> {
        match (&mut self.state, response.code().unwrap_or_default()) {
            (State::Trying { bytes, .. } | State::Proceeding { bytes }, 100..=199) => {
                let bytes = std::mem::take(bytes);
                self.transition_to_proceeding(bytes)
            }
            (State::Trying { .. } | State::Proceeding { .. }, _) => self.transition_to_completed(),
            (State::Completed | State::Terminated, _) => Vec::new(),
        }
    }

    /// One of this transaction's timers fired.
    pub fn handle_timer(&mut self, timer: Timer) -> Vec<Effect> {
        match (&mut self.state, timer) {
            (State::Trying { bytes, interval_ms }, Timer::E) => {
                *interval_ms = interval_ms.saturating_mul(2).min(T2);
                vec![Effect::Send(bytes.clone()), Effect::Arm(Timer::E, *interval_ms)]
            }
            (State::Proceeding { bytes }, Timer::E) => {
                vec![Effect::Send(bytes.clone()), Effect::Arm(Timer::E, T2)]
            }
            (State::Trying { .. } | State::Proceeding { .. }, Timer::F) => {
                self.state = State::Terminated;
                vec![Effect::TimedOut, Effect::Terminated]
            }
            (State::Completed, Timer::K) => self.transition_to_terminated(),
            _ => Vec::new(),
        }
    }

    fn transition_to_proceeding(&mut self, bytes: Vec<u8>) -> Vec<Effect> {
        self.state = State::Proceeding { bytes };
        vec![Effect::Pass]
    }

    fn transition_to_completed(&mut self) -> Vec<Effect> {
        self.state = State::Completed;
        let mut effects = vec![Effect::Disarm(Timer::E), Effect::Disarm(Timer::F), Effect::Pass];
        if self.reliable {
            effects.extend(self.transition_to_terminated());
        } else {
            effects.push(Effect::Arm(Timer::K, T4));
        }
        effects
    }

    fn transition_to_terminated(&mut self) -> Vec<Effect> {
        self.state = State::Terminated;
        vec![Effect::Terminated]
    }
}
