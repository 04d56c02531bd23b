//! What the bots decide: who calls when and whom, which keys are pressed, how long anybody waits, talks and rests.
//!
//! A pure machine: inputs, time and a seed go in, [`Output`]s come out. The rest of the room carries them out.

mod agent;
mod caller;
mod dice;

use std::collections::{BTreeMap, VecDeque};

use agent::Agent;
use caller::Caller;
pub(super) use dice::Dice;

use crate::time::{Now, Timers};

/// Bot calls that may be under way at once; further ones are counted and not placed, so that bots never crowd a floor out.
pub const MOST_CALLERS: usize = 40;

/// Names a caller for the length of one call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct CallerId(pub u64);

/// What the floor did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input {
    /// The floor answered a caller.
    Answered(CallerId),
    /// A caller's call is over, whoever ended it.
    CallerGone(CallerId),
    /// An agent's phone is called; `from` is the number that it shows.
    Offered {
        /// Which agent, counted from 0.
        agent: usize,
        /// The caller's number.
        from: String,
    },
    /// The call at an agent's phone is over, answered or not.
    AgentFree(usize),
    /// A feature code came to nothing.
    CodeFailed {
        /// Which agent.
        agent: usize,
        /// Which code.
        code: &'static str,
    },
    /// Everybody is to hang up and do nothing more.
    Stop,
}

/// What a bot does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// A caller dials.
    Call {
        /// Who.
        caller: CallerId,
        /// The caller's number.
        from: String,
        /// The number dialled.
        to: &'static str,
        /// Over TCP rather than UDP.
        stream: bool,
    },
    /// A caller presses a key.
    Press(CallerId, char),
    /// A caller hangs up, or gives up before the answer.
    Leave(CallerId),
    /// An agent's phone rings.
    Ring(usize),
    /// An agent answers.
    Answer(usize),
    /// An agent refuses with this status.
    Refuse(usize, u16),
    /// An agent hangs up.
    HangUp(usize),
    /// An agent dials a feature code.
    Dial(usize, &'static str),
}

/// Deadlines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Timer {
    /// When to place the next call.
    Arrival,
    /// When a caller presses the next key.
    Key(CallerId),
    /// When a caller has had enough, or is done.
    Leave(CallerId),
    /// When an agent does with the call what was drawn.
    Act(usize),
    /// When an agent dials a feature code.
    Code(usize, &'static str),
}

/// Figures since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Calls placed.
    pub placed: u64,
    /// Calls not placed because of [`MOST_CALLERS`].
    pub held_back: u64,
    /// Calls that an agent answered.
    pub taken: u64,
    /// Calls that an agent refused or let ring out.
    pub not_taken: u64,
}

/// The bots' minds.
pub struct Script {
    calls_per_minute: u32,
    dice: Dice,
    callers: BTreeMap<CallerId, Caller>,
    agents: Vec<Agent>,
    timers: Timers<Timer>,
    outputs: VecDeque<Output>,
    counts: Counts,
    last: u64,
    stopped: bool,
}

impl Script {
    /// A floor of `agents` with so many calls a minute on average (none for 0); the first comes soon.
    pub fn new(calls_per_minute: u32, agents: usize, seed: u64, now: Now) -> Self {
        let mut timers = Timers::default();
        if calls_per_minute > 0 {
            timers.arm(now.in_ms(1_000), Timer::Arrival);
        }
        Self {
            calls_per_minute,
            dice: Dice::new(seed),
            callers: BTreeMap::new(),
            agents: (0..agents).map(|_| Agent::default()).collect(),
            timers,
            outputs: VecDeque::new(),
            counts: Counts::default(),
            last: 0,
            stopped: false,
        }
    }

    /// Figures since the start.
    pub fn counts(&self) -> Counts {
        self.counts
    }

    /// Takes what happened.
    pub fn handle(&mut self, input: Input, now: Now) {
        match input {
            Input::Answered(caller) => self.handle_answered(caller, now),
            Input::CallerGone(caller) => self.handle_caller_gone(caller),
            Input::Offered { agent, from } => self.handle_offered(agent, from, now),
            Input::AgentFree(agent) => self.handle_agent_free(agent, now),
            Input::CodeFailed { agent, code } => self.handle_code_failed(agent, code, now),
            Input::Stop => self.handle_stop(),
        }
    }

    /// Acts on every deadline that has passed.
    pub fn handle_timeout(&mut self, now: Now) {
        while let Some(timer) = self.timers.pop_due(now) {
            match timer {
                Timer::Arrival => self.handle_arrival(now),
                Timer::Key(caller) => self.handle_key_due(caller, now),
                Timer::Leave(caller) => self.outputs.push_back(Output::Leave(caller)),
                Timer::Act(agent) => self.handle_act_due(agent, now),
                Timer::Code(agent, code) => self.handle_code_due(agent, code, now),
            }
        }
    }

    /// When to call [`Self::handle_timeout`] (monotonic nanoseconds).
    pub fn poll_timeout(&self) -> Option<u64> {
        self.timers.next_deadline()
    }

    /// The next thing that a bot does. Call until `None` after each `handle*`.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    fn handle_stop(&mut self) {
        self.stopped = true;
        self.timers = Timers::default();
        self.outputs.extend(self.callers.keys().map(|caller| Output::Leave(*caller)));
        let agents = self.agents.iter().enumerate();
        self.outputs.extend(agents.filter_map(|(number, agent)| agent.farewell(number)));
    }
}

#[cfg(test)]
mod tests;
