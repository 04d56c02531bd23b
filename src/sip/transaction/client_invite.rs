//! INVITE, client side (RFC 3261 §17.1.1, RFC 6026 §8.4).

use super::timers::{Effect, GIVE_UP, T1, TIMER_D, Timer};
use crate::sip::message::Message;

/// The machine's state, with what belongs to it.
#[derive(Clone, Debug, PartialEq, Eq)]
enum State {
    Calling { request: Box<Message>, bytes: Vec<u8>, interval_ms: u64 },
    Proceeding { request: Box<Message> },
    Accepted,
    Completed { ack: Vec<u8> },
    Terminated,
}

/// One INVITE that we sent. It keeps its request for as long as it may need it: most of its life it has had its answer.
#[derive(Clone, Debug)]
pub struct ClientInvite {
    reliable: bool,
    state: State,
}

impl ClientInvite {
    /// Sends the request. `reliable`: the transport repeats by itself (TCP).
    pub fn start(request: Message, reliable: bool) -> (Self, Vec<Effect>) {
        let bytes = request.to_bytes();
        let mut effects = vec![Effect::Send(bytes.clone()), Effect::Arm(Timer::B, GIVE_UP)];
        if !reliable {
            effects.push(Effect::Arm(Timer::A, T1));
        }
        let state = State::Calling { request: Box::new(request), bytes, interval_ms: T1 };
        (Self { reliable, state }, effects)
    }

    /// The request as sent, until a final response has come (then a CANCEL has no use).
    pub fn unanswered(&self) -> Option<&Message> {
        match &self.state {
            State::Calling { request, .. } | State::Proceeding { request } => Some(request),
            State::Accepted | State::Completed { .. } | State::Terminated => None,
        }
    }

    /// A response with this transaction's branch came.
    pub fn handle_response(&mut self, response: &Message) -> Vec<Effect> {
        let code = response.code().unwrap_or_default();
        match std::mem::replace(&mut self.state, State::Terminated) {
            State::Calling { request, .. } | State::Proceeding { request } => match code {
                100..=199 => self.transition_to_proceeding(request),
                200..=299 => self.transition_to_accepted(),
                _ => self.transition_to_completed(&request, response),
            },
            over => {
                self.state = over;
                match &self.state {
                    State::Accepted if (200..300).contains(&code) => vec![Effect::Pass],
                    State::Completed { ack } if code >= 300 => vec![Effect::Send(ack.clone())],
                    _ => Vec::new(),
                }
            }
        }
    }

    /// One of this transaction's timers fired.
    pub fn handle_timer(&mut self, timer: Timer) -> Vec<Effect> {
        match (&mut self.state, timer) {
            (State::Calling { bytes, interval_ms, .. }, Timer::A) => {
                *interval_ms = interval_ms.saturating_mul(2);
                vec![Effect::Send(bytes.clone()), Effect::Arm(Timer::A, *interval_ms)]
            }
            (State::Calling { .. }, Timer::B) => {
                self.state = State::Terminated;
                vec![Effect::TimedOut, Effect::Terminated]
            }
            (State::Accepted, Timer::M) | (State::Completed { .. }, Timer::D) => self.transition_to_terminated(),
            _ => Vec::new(),
        }
    }

    fn transition_to_proceeding(&mut self, request: Box<Message>) -> Vec<Effect> {
        self.state = State::Proceeding { request };
        vec![Effect::Disarm(Timer::A), Effect::Disarm(Timer::B), Effect::Pass]
    }

    fn transition_to_accepted(&mut self) -> Vec<Effect> {
        self.state = State::Accepted;
        vec![Effect::Disarm(Timer::A), Effect::Disarm(Timer::B), Effect::Pass, Effect::Arm(Timer::M, GIVE_UP)]
    }

    fn transition_to_completed(&mut self, request: &Message, response: &Message) -> Vec<Effect> {
        let ack = super::requests::ack_for_refusal(request, response).to_bytes();
        self.state = State::Completed { ack: ack.clone() };
        let mut effects = vec![Effect::Disarm(Timer::A), Effect::Disarm(Timer::B), Effect::Send(ack), Effect::Pass];
        if self.reliable {
            effects.extend(self.transition_to_terminated());
        } else {
            effects.push(Effect::Arm(Timer::D, TIMER_D));
        }
        effects
    }

    fn transition_to_terminated(&mut self) -> Vec<Effect> {
        self.state = State::Terminated;
        vec![Effect::Terminated]
    }
}
