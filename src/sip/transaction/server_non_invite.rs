//! Requests other than INVITE, server side (RFC 3261 §17.2.2).

use super::timers::{Effect, GIVE_UP, Timer};
use crate::sip::message::Message;

#[derive(Clone, Debug, PartialEq, Eq)]
enum State {
    Trying,
    Proceeding { last: Vec<u8> },
    Completed { last: Vec<u8> },
    Terminated,
}

/// One request that came to us.
#[derive(Clone, Debug)]
pub struct ServerNonInvite {
    reliable: bool,
    state: State,
}

impl ServerNonInvite {
    /// Passes the request up. `reliable`: it came over a stream.
    pub fn start(reliable: bool) -> (Self, Vec<Effect>) {
        (Self { reliable, state: State::Trying }, vec![Effect::Pass])
    }

    /// The request came again.
    pub fn handle_repeat(&mut self) -> Vec<Effect> {
        match &self.state {
            State::Proceeding { last } | State::Completed { last } => vec![Effect::Send(last.clone())],
            State::Trying | State::Terminated => Vec::new(),
        }
    }

    /// The user answers; answers after a final one are ignored.
    pub fn respond(&mut self, response: &Message) -> Vec<Effect> {
        match &self.state {
            State::Trying | State::Proceeding { .. } => match response.code() {
                Some(100..=199) => self.transition_to_proceeding(response),
                _ => self.transition_to_completed(response),
            },
            State::Completed { .. } | State::Terminated => Vec::new(),
        }
    }

    /// One of this transaction's timers fired.
    pub fn handle_timer(&mut self, timer: Timer) -> Vec<Effect> {
        match (&self.state, timer) {
            (State::Completed { .. }, Timer::J) => self.transition_to_terminated(),
            _ => Vec::new(),
        }
    }

    fn transition_to_proceeding(&mut self, response: &Message) -> Vec<Effect> {
        let last = response.to_bytes();
        self.state = State::Proceeding { last: last.clone() };
        vec![Effect::Send(last)]
    }

    fn transition_to_completed(&mut self, response: &Message) -> Vec<Effect> {
        let last = response.to_bytes();
        self.state = State::Completed { last: last.clone() };
        let mut effects = vec![Effect::Send(last)];
        if self.reliable {
            effects.extend(self.transition_to_terminated());
        } else {
            effects.push(Effect::Arm(Timer::J, GIVE_UP));
        }
        effects
    }

    fn transition_to_terminated(&mut self) -> Vec<Effect> {
        self.state = State::Terminated;
        vec![Effect::Terminated]
    }
}
