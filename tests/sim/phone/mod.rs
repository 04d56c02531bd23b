//! Phones of raw text: own parser, own transactions (RFC 3261 §17), own dialogs. Each watches its own view of every call.

mod agent;
mod caller;
mod client;
mod server;
mod session;

pub use agent::Agent;
pub use caller::{Caller, Errand};
pub use session::{Session, State};

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::SocketAddr;

use rand_chacha::ChaCha12Rng;
use trunkline::time::{MS, Now};

use crate::common::text::Text;
use crate::dice::Dice;
use client::Client;
use server::Served;

/// RFC 3261's estimates, in ms.
const T1: u64 = 500;
const T2: u64 = 4_000;
const GIVE_UP: u64 = 64 * T1;

/// What a phone wants done.
#[derive(Debug)]
pub enum Act {
    Send(Vec<u8>),
    /// Come back at this instant with this number.
    Wake(u64, u64),
    /// The person presses a key.
    Key(char),
}

/// What a phone's transactions tell its script.
#[derive(Debug)]
pub enum Event {
    /// A response to a request outside dialogs that the script sent itself.
    Response { message: Text },
    /// Our INVITE was answered.
    Answered { session: usize },
    /// A call comes in.
    Invited { session: usize },
    /// Our 2xx was acknowledged: people speak.
    Acked { session: usize },
    /// The session is over, on whichever side it began to end.
    Over,
    /// The script asked to be woken.
    Due(Step),
}

/// What a script does next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// When the caller gives up on an INVITE.
    Cancel { session: usize },
    /// When a person lets the phone ring out loud.
    Ring { session: usize },
    /// When a person picks up or refuses.
    Decide { session: usize },
    /// When a person holds, or resumes.
    Hold { session: usize, on: bool },
    /// When a person parks the other one in a slot.
    Refer { session: usize, slot: u8 },
    /// When a person hangs up.
    HangUp { session: usize },
    /// When a session has lasted longer than any should.
    Forgotten { session: usize },
    /// When a person presses a key.
    Press { key: char },
    /// When the phone registers again.
    Register,
}

#[derive(Debug)]
enum Timer {
    Resend(String),
    GiveUp(String),
    Repeat(String),
    Step(Step),
}

/// The part of a phone that all scripts share.
pub struct Ua {
    pub user: String,
    pub addr: SocketAddr,
    pub rtp_port: u16,
    pub tcp: bool,
    pub rng: ChaCha12Rng,
    pub sessions: Vec<Session>,
    pub acts: VecDeque<Act>,
    pub wrong: Vec<String>,
    /// Calls that the switch never ended: those that were ringing, and those in which people spoke.
    pub forgotten: [u32; 2],
    events: VecDeque<Event>,
    clients: BTreeMap<String, Client>,
    served: BTreeMap<String, Served>,
    branches: BTreeSet<String>,
    timers: BTreeMap<u64, Timer>,
    last_timer: u64,
    now: Now,
}

/// Where the switch listens.
pub const SWITCH: &str = "10.0.0.1";

impl Ua {
    pub fn new(user: &str, addr: SocketAddr, tcp: bool, rng: ChaCha12Rng) -> Self {
        Self {
            user: user.to_owned(),
            addr,
            rtp_port: 4_000,
            tcp,
            rng,
            sessions: Vec::new(),
            acts: VecDeque::new(),
            wrong: Vec::new(),
            forgotten: [0; 2],
            events: VecDeque::new(),
            clients: BTreeMap::new(),
            served: BTreeMap::new(),
            branches: BTreeSet::new(),
            timers: BTreeMap::new(),
            last_timer: 0,
            now: Now::default(),
        }
    }

    pub fn ip(&self) -> String {
        self.addr.ip().to_string()
    }

    /// Arms a step of the script, in ms from now.
    pub fn plan(&mut self, in_ms: u64, step: Step) {
        self.arm(in_ms, Timer::Step(step));
    }

    pub fn next_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    pub fn receive(&mut self, bytes: &[u8], now: Now) {
        self.now = now;
        let Some(text) = Text::read(bytes) else {
            return self.wrong.push(format!("{} cannot read {:?}", self.user, String::from_utf8_lossy(bytes)));
        };
        match text.code() {
            Some(code) => self.receive_response(code, text),
            None => self.receive_request(text),
        }
    }

    pub fn wake(&mut self, token: u64, now: Now) {
        self.now = now;
        match self.timers.remove(&token) {
            Some(Timer::Resend(key)) => self.resend(key),
            Some(Timer::GiveUp(key)) => self.give_up(&key),
            Some(Timer::Repeat(key)) => self.repeat(key),
            Some(Timer::Step(step)) => self.events.push_back(Event::Due(step)),
            None => {}
        }
    }

    /// What is wrong when everything should be over.
    pub fn leftovers(&self) -> Vec<String> {
        let open = self.sessions.iter().filter(|session| session.state != State::Dead);
        open.map(|session| format!("{}: session {} is {:?}", self.user, session.call_id, session.state)).collect()
    }

    /// Ends what has lasted longer than any call should, and remembers it.
    fn forget(&mut self, session: usize) {
        match self.sessions[session].state {
            State::Early => {
                self.forgotten[0] += 1;
                if self.sessions[session].offered.is_some() {
                    self.respond(session, 480, "Temporarily Unavailable");
                } else {
                    self.cancel(session);
                }
            }
            State::Up => {
                self.forgotten[1] += 1;
                self.hang_up(session);
            }
            State::Closing | State::Dead => {}
        }
    }

    fn arm(&mut self, in_ms: u64, timer: Timer) {
        self.last_timer += 1;
        self.timers.insert(self.last_timer, timer);
        self.acts.push_back(Act::Wake(self.now.mono_ns + in_ms * MS, self.last_timer));
    }

    fn send(&mut self, bytes: Vec<u8>) {
        self.acts.push_back(Act::Send(bytes));
    }

    fn branch(&mut self) -> String {
        let branch = format!("z9hG4bK{}{}", self.rng.word(), self.rng.word());
        self.branches.insert(branch.clone());
        branch
    }

    fn via(&self, branch: &str) -> String {
        let transport = if self.tcp { "TCP" } else { "UDP" };
        format!("Via: SIP/2.0/{transport} {};branch={branch};rport\r\n", self.addr)
    }

    pub fn contact(&self) -> String {
        let transport = if self.tcp { ";transport=tcp" } else { "" };
        format!("<sip:{}@{}{transport}>", self.user, self.addr)
    }

    fn over(&mut self, session: usize) {
        if let Some(session) = self.sessions.get_mut(session)
            && session.state != State::Dead
        {
            session.state = State::Dead;
            self.events.push_back(Event::Over);
        }
    }
}
