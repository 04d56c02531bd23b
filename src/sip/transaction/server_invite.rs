//! INVITE, server side (RFC 3261 §17.2.1, RFC 6026 §8.5).

use super::timers::{Effect, GIVE_UP, T1, T2, T4, TRYING, Timer};
use crate::sip::message::{Message, response_to};

#[derive(Clone, Debug, PartialEq, Eq)]
enum State {
    Proceeding { request: Box<Message>, last: Option<Vec<u8>> },
    Accepted,
    Completed { refusal: Vec<u8>, interval_ms: u64 },
    Confirmed,
    Terminated,
}

/// One INVITE that came to us. It keeps its request until it is answered, for the 100 in its user's place.
#[derive(Clone, Debug)]
pub struct ServerInvite {
    reliable: bool,
    state: State,
}

impl ServerInvite {
    /// Takes the request and passes it up. `reliable`: it came over a stream.
    pub fn start(request: Message, reliable: bool) -> (Self, Vec<Effect>) {
        let machine = Self { reliable, state: State::Proceeding { request: Box::new(request), last: None } };
        (machine, vec![Effect::Pass, Effect::Arm(Timer::Trying, TRYING)])
    }

    /// Whether the INVITE can still be cancelled: no final response has left.
    pub fn is_open(&self) -> bool {
        matches!(self.state, State::Proceeding { .. })
    }

    /// Whether something is left to say without the stream that brought the INVITE: its answer, or a 2xx that is not acknowledged.
    pub fn outlives_its_stream(&self) -> bool {
        matches!(self.state, State::Proceeding { .. } | State::Accepted)
    }

    /// The INVITE came again.
    pub fn handle_repeat(&mut self) -> Vec<Effect> {
        match &self.state {
            State::Proceeding { last: Some(bytes), .. } | State::Completed { refusal: bytes, .. } => {
                vec![Effect::Send(bytes.clone())]
            }
            // Accepted: the dialog repeats its 2xx by itself (RFC 6026 §7.1).
            State::Proceeding { last: None, .. } | State::Accepted | State::Confirmed | State::Terminated => Vec::new(),
        }
    }

    /// The user answers. A 2xx may be given again until the transaction ends; other answers after a final one are ignored.
    pub fn respond(&mut self, response: &Message) -> Vec<Effect> {
        let code = response.code().unwrap_or_default();
        match &mut self.state {
            State::Proceeding { last, .. } if code < 200 => {
                let bytes = response.to_bytes();
                *last = Some(bytes.clone());
                vec![Effect::Disarm(Timer::Trying), Effect::Send(bytes)]
            }
            State::Proceeding { .. } if code < 300 => self.transition_to_accepted(response),
            State::Proceeding { .. } => self.transition_to_completed(response),
            State::Accepted if (200..300).contains(&code) => vec![Effect::Send(response.to_bytes())],
            State::Accepted | State::Completed { .. } | State::Confirmed | State::Terminated => Vec::new(),
        }
    }

    /// The ACK came: of a refusal it is absorbed, of a 2xx it goes up.
    pub fn handle_ack(&mut self) -> Vec<Effect> {
        match &self.state {
            State::Completed { .. } => self.transition_to_confirmed(),
            State::Accepted => vec![Effect::Pass],
            State::Proceeding { .. } | State::Confirmed | State::Terminated => Vec::new(),
        }
    }

    /// One of this transaction's timers fired.
    pub fn handle_timer(&mut self, timer: Timer) -> Vec<Effect> {
        match (&mut self.state, timer) {
            (State::Proceeding { request, last }, Timer::Trying) => {
                let bytes = response_to(request, 100, "Trying", None).to_bytes();
                *last = Some(bytes.clone());
                vec![Effect::Send(bytes)]
            }
            (State::Completed { refusal, interval_ms }, Timer::G) => {
                *interval_ms = interval_ms.saturating_mul(2).min(T2);
                vec![Effect::Send(refusal.clone()), Effect::Arm(Timer::G, *interval_ms)]
            }
            (State::Completed { .. }, Timer::H) => {
                self.state = State::Terminated;
                vec![Effect::TimedOut, Effect::Terminated]
            }
            (State::Confirmed, Timer::I) | (State::Accepted, Timer::L) => self.transition_to_terminated(),
            _ => Vec::new(),
        }
    }

    fn transition_to_accepted(&mut self, response: &Message) -> Vec<Effect> {
        self.state = State::Accepted;
        vec![Effect::Disarm(Timer::Trying), Effect::Send(response.to_bytes()), Effect::Arm(Timer::L, GIVE_UP)]
    }

    fn transition_to_completed(&mut self, response: &Message) -> Vec<Effect> {
        let bytes = response.to_bytes();
        self.state = State::Completed { refusal: bytes.clone(), interval_ms: T1 };
        let mut effects = vec![Effect::Disarm(Timer::Trying), Effect::Send(bytes), Effect::Arm(Timer::H, GIVE_UP)];
        if !self.reliable {
            effects.push(Effect::Arm(Timer::G, T1));
        }
        effects
    }

    fn transition_to_confirmed(&mut self) -> Vec<Effect> {
        self.state = State::Confirmed;
        let mut effects = vec![Effect::Disarm(Timer::G), Effect::Disarm(Timer::H)];
        if self.reliable {
            effects.extend(self.transition_to_terminated());
        } else {
            effects.push(Effect::Arm(Timer::I, T4));
        }
        effects
    }

    fn transition_to_terminated(&mut self) -> Vec<Effect> {
        self.state = State::Terminated;
        vec![Effect::Terminated]
    }
}
