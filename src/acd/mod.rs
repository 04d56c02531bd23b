//! The ACD: which caller reaches which agent, and when.
//!
//! A pure engine on events and time. [`Acd::handle`] takes what happened, [`Acd::poll_output`] gives what to do about it,
//! [`Acd::poll_timeout`] says when to call [`Acd::handle_timeout`].
//!
//! The decision is one pair at a time. When an agent frees, the caller with the highest score among the agent's queues is
//! presented; when a caller arrives, comes back or is added to a queue, the longest-idle agent among the caller's queues.
//! Before each event nobody eligible waits while an eligible agent is available, and an event frees one side at most, so one
//! pair restores it. A reservation is a lease: when its deadline passes without an answer the agent is taken out (not ready)
//! and the caller, whose place never changed, goes to the next one.

mod agent;
mod caller;
mod events;
mod handover;
mod invariants;
mod line;
mod matching;
mod phone;
mod queue;
mod settings;
mod view;

pub use events::{Failure, Forced, Input, Output};
pub use phone::OWN_CALL;
pub use settings::{Ageing, AgentSettings, BadSettings, OverflowStep, QueueSettings, Settings};
pub use view::{AgentView, QueueView, View};

use std::collections::{BTreeMap, VecDeque};

use crate::id::{AgentId, CallId, QueueId};
use crate::journal::{Event, LeaveReason};
use crate::time::{Now, Timers};

use agent::Agent;
use caller::Caller;
use queue::Queue;

/// Deadlines of the ACD.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Timer {
    /// When to take an agent out who was presented a call and did not answer.
    Lease { agent: usize },
    /// When to end an agent's after-call work.
    Acw { agent: usize },
    /// When to add a caller's next queue.
    Overflow { call: CallId },
    /// When a caller has waited as long as the queue allows.
    MaxWait { call: CallId },
}

/// Agents, queues and callers of one floor.
///
/// Agents and queues are numbered in the order of the settings; every number inside comes from these two lists, which never
/// shrink, so indexing by it holds.
#[derive(Clone, Debug)]
pub struct Acd {
    ageing: Ageing,
    agents: Vec<Agent>,
    queues: Vec<Queue>,
    agent_numbers: BTreeMap<AgentId, usize>,
    queue_numbers: BTreeMap<QueueId, usize>,
    callers: BTreeMap<CallId, Caller>,
    /// Calls that another agent hands over, whose callers stand in no line, and to whom they are presented.
    handed: BTreeMap<CallId, usize>,
    timers: Timers<Timer>,
    outputs: VecDeque<Output>,
    touched: u64,
}

impl Acd {
    /// A floor with everybody signed out. Skills are weighed once here: a member who does not reach a queue's thresholds is
    /// never called for it.
    ///
    /// # Errors
    /// The first of [`Settings::faults`].
    pub fn new(settings: Settings) -> Result<Self, BadSettings> {
        if let Some(fault) = settings.faults().into_iter().next() {
            return Err(fault);
        }
        let number = |index, id: &AgentId| (id.clone(), index);
        let agent_numbers: BTreeMap<_, _> = settings.agents.iter().enumerate().map(|(i, a)| number(i, &a.id)).collect();
        let queue_numbers: BTreeMap<_, _> =
            settings.queues.iter().enumerate().map(|(i, q)| (q.id.clone(), i)).collect();
        let mut agents: Vec<Agent> = settings.agents.into_iter().map(Agent::new).collect();
        let mut queues = Vec::with_capacity(settings.queues.len());
        for (index, queue) in settings.queues.into_iter().enumerate() {
            for agent in queue.members.iter().filter_map(|member| agent_numbers.get(member)) {
                agents[*agent].qualify(index, &queue.required);
            }
            let steps = queue.overflow.iter().filter_map(|s| queue_numbers.get(&s.to).map(|to| (s.after_ms, *to)));
            let steps = steps.collect();
            queues.push(Queue::new(queue, steps));
        }
        Ok(Self {
            ageing: settings.ageing,
            agents,
            queues,
            agent_numbers,
            queue_numbers,
            callers: BTreeMap::new(),
            handed: BTreeMap::new(),
            timers: Timers::default(),
            outputs: VecDeque::new(),
            touched: 0,
        })
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
            Input::CallerEntered { call, queue, priority, entered_wall_ms } => {
                self.handle_entered(call, &queue, priority, entered_wall_ms, now);
            }
            Input::CallerLeft { call } => self.handle_left(call, LeaveReason::Abandoned, now),
            Input::CallerRemoved { call } => self.handle_left(call, LeaveReason::Ended, now),
            Input::AgentSignedIn { agent } => self.with(&agent, |acd, n| acd.handle_signed_in(n, now)),
            Input::AgentSignedOut { agent } => self.with(&agent, |acd, n| acd.handle_signed_out(n, now)),
            Input::SetAvailable { agent } => self.with(&agent, |acd, n| acd.handle_set_available(n, now)),
            Input::SetNotReady { agent, reason } => {
                self.with(&agent, |acd, n| acd.handle_set_not_ready(n, reason, now))
            }
            Input::EndAcw { agent } => self.with(&agent, |acd, n| acd.handle_acw_over(n, now)),
            Input::HandedOver { call, from, to } => {
                self.with(&to, |acd, n| acd.handle_handed_over(n, call, &from, now))
            }
            Input::Moved { agent, from, to } => self.with(&agent, |acd, n| acd.handle_moved(n, from, to, now)),
            Input::PhoneRinging { agent, call } => self.with(&agent, |acd, n| acd.handle_ringing(n, call, now)),
            Input::AgentAnswered { agent, call } => self.handle_answered(agent, call, now),
            Input::AgentFailed { agent, call, why } => self.with(&agent, |acd, n| acd.handle_failed(n, call, why, now)),
            Input::Hold { agent, call } => self.with(&agent, |acd, n| acd.handle_hold(n, call, now)),
            Input::Resume { agent, call } => self.with(&agent, |acd, n| acd.handle_resume(n, call, now)),
            Input::ConversationEnded { agent, call } => {
                self.with(&agent, |acd, n| acd.handle_conversation_ended(n, call, now));
            }
            Input::PhoneTaken { agent, call } => self.with(&agent, |acd, n| acd.handle_phone_taken(n, call, now)),
            Input::PhoneFree { agent, call } => self.with(&agent, |acd, n| acd.handle_phone_free(n, call, now)),
            Input::PhoneReach { agent, reachable } => {
                self.with(&agent, |acd, n| acd.handle_phone_reach(n, reachable, now));
            }
            Input::Forced { agent, to } => self.with(&agent, |acd, n| acd.handle_forced(n, to, now)),
            Input::Restored { agent, state, since_wall_ms } => {
                self.with(&agent, |acd, n| acd.handle_restored(n, state, since_wall_ms, now));
            }
        }
    }

    /// Acts on every deadline that has passed.
    pub fn handle_timeout(&mut self, now: Now) {
        while let Some(timer) = self.timers.pop_due(now) {
            match timer {
                Timer::Lease { agent } => self.handle_lease_over(agent, now),
                Timer::Acw { agent } => self.handle_acw_over(agent, now),
                Timer::Overflow { call } => self.handle_overflow(call, now),
                Timer::MaxWait { call } => self.handle_max_wait(call),
            }
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

    fn with(&mut self, agent: &AgentId, act: impl FnOnce(&mut Self, usize)) {
        if let Some(number) = self.agent_numbers.get(agent).copied() {
            act(self, number);
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
