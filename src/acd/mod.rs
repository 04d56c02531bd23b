//! The ACD: which caller reaches which agent, and when.
//!
//! A pure engine on events and time. [`Acd::handle`] takes what happened, [`Acd::poll_output`] gives what to do about it,
//! [`Acd::poll_timeout`] says when to call [`Acd::handle_timeout`].
//!
//! The decision is one pair at a time. When an agent frees, the caller with the highest score whom the agent may have is presented;
//! when a caller arrives, comes back, is added to a queue or may have more agents, one whom the queue's strategy chooses (or all).
//! Before each event nobody eligible waits while an eligible agent is available, and an event frees one side at most, so one
//! pair restores it; where several agents come free at once, the first in line chooses first. A reservation is a lease: when its
//! deadline passes without an answer the agent is taken out (not ready) and the caller, whose place never changed, goes to the
//! next one.

mod after_call;
mod agent;
mod appearance;
mod caller;
mod events;
mod expect;
mod handover;
mod invariants;
mod ladder;
mod line;
mod matching;
mod phone;
mod queue;
mod reconfigure;
mod restored;
mod settings;
mod skills;
mod transition;
mod untaken;
mod view;
mod wait;

use caller::Entering;
pub use events::{Failure, Forced, Input, Output, Preference};
pub use phone::{OWN_CALL, follows_phone};
pub use settings::{
    Ageing, AgentSettings, BadSettings, Member, Needs, OverflowStep, QueueSettings, Relaxation, Settings, Untaken,
};
pub use view::{AgentView, QueueView, View};

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use rand_chacha::ChaCha12Rng;
use rand_core::SeedableRng;

use crate::id::{AgentId, CallId, QueueId};
use crate::journal::{Event, LeaveReason};
use crate::time::{Now, Timers};

use agent::Agent;
use caller::Caller;
use line::Place;
use queue::Queue;
use skills::Skills;

/// Deadlines of the ACD.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Timer {
    /// When to take an agent out who was presented a call and did not answer.
    Lease { agent: usize },
    /// When to end an agent's after-call work.
    Acw { agent: usize },
    /// When an agent who did not take a call gets calls again.
    Back { agent: usize },
    /// When the next thing about a caller's wait is due.
    Wait { call: CallId },
}

/// Agents, queues and callers of one floor.
///
/// Agents and queues are numbered in the order of the settings; every number inside comes from these two lists, which only
/// [`Acd::reconfigure`] changes, with every number in it, so indexing by it holds.
#[derive(Clone, Debug)]
pub struct Acd {
    ageing: Ageing,
    agents: Vec<Agent>,
    skills: Skills,
    queues: Vec<Queue>,
    agent_numbers: BTreeMap<AgentId, usize>,
    queue_numbers: BTreeMap<QueueId, usize>,
    /// In boxes, as a map that grows at its end leaves half of its room empty.
    callers: BTreeMap<CallId, Box<Caller>>,
    /// Callers who wait for one agent alone, by the agent's first appearance.
    wanted: BTreeMap<usize, BTreeSet<Place>>,
    /// Calls that another agent hands over, whose callers stand in no line, and to whom they are presented.
    handed: BTreeMap<CallId, usize>,
    /// Appearances to which calls can be presented because of what happened on others.
    opened: Vec<usize>,
    /// Whether a queue sends on who waits while nobody is there.
    sends_on: bool,
    /// Callers for whom nobody may be there any more.
    doubtful: BTreeSet<CallId>,
    timers: Timers<Timer>,
    outputs: VecDeque<Output>,
    /// For strategies that draw lots.
    random: ChaCha12Rng,
    touched: u64,
}

impl Acd {
    /// A floor with everybody signed out. Skills are weighed once here: a member who does not reach a queue's thresholds is
    /// called for it once they are relaxed, or never. `seed` is for strategies that draw lots.
    ///
    /// # Errors
    /// The first of [`Settings::faults`].
    pub fn new(settings: Settings, seed: [u8; 32]) -> Result<Self, BadSettings> {
        if let Some(fault) = settings.faults().into_iter().next() {
            return Err(fault);
        }
        let mut skills = Skills::default();
        let mut agents = Vec::with_capacity(settings.agents.len());
        for settings in settings.agents {
            let capacity = settings.capacity;
            Agent::new(settings, &mut skills).push(capacity, &mut agents);
        }
        let mut acd = Self {
            ageing: settings.ageing,
            agents,
            skills,
            queues: settings.queues.into_iter().map(Queue::new).collect(),
            agent_numbers: BTreeMap::new(),
            queue_numbers: BTreeMap::new(),
            callers: BTreeMap::new(),
            wanted: BTreeMap::new(),
            handed: BTreeMap::new(),
            opened: Vec::new(),
            sends_on: false,
            doubtful: BTreeSet::new(),
            timers: Timers::default(),
            outputs: VecDeque::new(),
            random: ChaCha12Rng::from_seed(seed),
            touched: 0,
        };
        acd.number();
        Ok(acd)
    }

    /// Numbers agents and queues as they stand in their lists, and tells each agent the queues that he or she qualifies for.
    fn number(&mut self) {
        let firsts = self.agents.iter().enumerate().filter(|(_, agent)| agent.appearance == 0);
        self.agent_numbers = firsts.map(|(n, agent)| (agent.id.clone(), n)).collect();
        self.queue_numbers = self.queues.iter().enumerate().map(|(n, queue)| (queue.settings.id.clone(), n)).collect();
        self.sends_on = self.queues.iter().any(|queue| queue.settings.wait_needs != Needs::Nobody);
        for agent in &mut self.agents {
            agent.queues.clear();
            agent.open_with = None;
        }
        for number in 0..self.queues.len() {
            for place in 0..self.queues[number].settings.members.len() {
                let Some(first) = self.enlist(number, 0, place) else { continue };
                // A name is kept once, however many queues list the agent.
                self.queues[number].settings.members[place].agent = self.agents[first].id.clone();
                let presence = self.presence(first);
                self.queues[number].expectation.count(presence);
            }
        }
    }

    /// The floor as it stands.
    pub fn view(&self) -> View<'_> {
        View::of(self)
    }

    /// How many agents, queues and callers have been looked at since the start: shows that an event costs what it touches.
    pub fn touched(&self) -> u64 {
        self.touched
    }

    /// Takes one event. Agents and calls that are not known change nothing.
    pub fn handle(&mut self, input: Input, now: Now) {
        match input {
            Input::CallerEntered { call, queue, priority, entered_wall_ms, wishes, prefer, stays } => {
                let entry = Entering { call, priority, entered_ms: entered_wall_ms, wishes, stays };
                self.handle_entered(entry, &queue, prefer.as_ref(), now);
            }
            Input::CallerLeft { call } => self.handle_left(call, LeaveReason::Abandoned, now),
            Input::CallerRemoved { call } => self.handle_left(call, LeaveReason::Ended, now),
            Input::CallerExited { call } => self.handle_left(call, LeaveReason::Exit, now),
            Input::AgentSignedIn { agent } => self.with(&agent, |acd, n| acd.handle_signed_in(n, now)),
            Input::AgentSignedOut { agent } => self.with(&agent, |acd, n| acd.handle_signed_out(n, now)),
            Input::SetAvailable { agent } => self.with(&agent, |acd, n| acd.handle_set_available(n, now)),
            Input::SetNotReady { agent, reason } => {
                self.with(&agent, |acd, n| acd.handle_set_not_ready(n, reason.clone(), now));
            }
            Input::EndAcw { agent } => self.with(&agent, |acd, n| acd.handle_acw_over(n, now)),
            Input::ExtendAcw { agent, by_ms } => self.handle_extend_acw(&agent, by_ms, now),
            Input::HandedOver { call, from, to } => self.handle_handed_over(call, &from, &to, now),
            Input::Moved { agent, from, to } => self.on(&agent, from, |acd, n| acd.handle_moved(n, from, to, now)),
            Input::PhoneRinging { agent, call } => self.on(&agent, call, |acd, n| acd.handle_ringing(n, call, now)),
            Input::AgentAnswered { agent, call } => self.handle_answered(agent, call, now),
            Input::AgentFailed { agent, call, why } => {
                self.on(&agent, call, |acd, n| acd.handle_failed(n, call, why, now));
            }
            Input::Hold { agent, call } => self.on(&agent, call, |acd, n| acd.handle_hold(n, call, now)),
            Input::Resume { agent, call } => self.on(&agent, call, |acd, n| acd.handle_resume(n, call, now)),
            Input::ConversationEnded { agent, call } => {
                self.on(&agent, call, |acd, n| acd.handle_conversation_ended(n, call, now));
            }
            Input::PhoneTaken { agent, call } => self.with(&agent, |acd, n| acd.handle_phone_taken(n, call, now)),
            Input::PhoneFree { agent, call } => self.with(&agent, |acd, n| acd.handle_phone_free(n, call, now)),
            Input::PhoneReach { agent, reachable } => {
                self.with(&agent, |acd, n| acd.handle_phone_reach(n, reachable, now));
            }
            Input::Forced { agent, to } => self.with(&agent, |acd, n| acd.handle_forced(n, to.clone(), now)),
            Input::Restored { agent, seen } => self.handle_restored(&agent, seen, now),
        }
        self.match_opened(now);
        self.send_on();
    }

    /// Acts on every deadline that has passed.
    pub fn handle_timeout(&mut self, now: Now) {
        while let Some(timer) = self.timers.pop_due(now) {
            match timer {
                Timer::Lease { agent } => self.handle_lease_over(agent, now),
                Timer::Acw { agent } => self.handle_acw_over(agent, now),
                Timer::Back { agent } => self.handle_back(agent, now),
                Timer::Wait { call } => self.handle_wait_due(call, now),
            }
            self.match_opened(now);
            self.send_on();
        }
    }

    /// The next thing to do; `None` when all is said.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// When to call [`Acd::handle_timeout`] (monotonic nanoseconds).
    pub fn poll_timeout(&self) -> Option<u64> {
        self.timers.next_deadline()
    }

    /// Acts on all of an agent's appearances. One to which a call is being presented comes last, so that its caller does not go
    /// to another one that follows.
    fn with(&mut self, agent: &AgentId, act: impl Fn(&mut Self, usize)) {
        let Some(first) = self.agent_numbers.get(agent).copied() else { return };
        let presented = self.appearances(first).find(|n| self.agents[*n].presented().is_some());
        let others = self.appearances(first).filter(|n| Some(*n) != presented);
        others.chain(presented).for_each(|n| act(self, n));
    }

    /// Acts on the appearance of an agent that has to do with a call.
    fn on(&mut self, agent: &AgentId, call: CallId, act: impl FnOnce(&mut Self, usize)) {
        if let Some(first) = self.agent_numbers.get(agent).copied() {
            act(self, self.appearance_with(first, call));
        }
    }

    fn journal(&mut self, event: Event) {
        self.outputs.push_back(Output::Journal(event));
    }
}

/// The monotonic deadline of a wall-clock instant.
fn deadline(now: Now, wall_ms: i64) -> u64 {
    now.in_ms(u64::try_from(wall_ms.saturating_sub(now.wall_ms)).unwrap_or(0))
}
