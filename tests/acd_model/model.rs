//! What the ACD should do, said the slow and obvious way: lists, and a look at everybody each time.

use std::collections::BTreeMap;

use trunkline::acd::{Ageing, AgentSettings, Input, QueueSettings, Settings};
use trunkline::id::{AgentId, CallId, QueueId};
use trunkline::journal::{AgentState, LeaveReason, SegmentEnd};

/// What can be compared with the engine's outputs.
#[derive(Clone, Debug, PartialEq)]
pub enum Effect {
    Present(CallId, AgentId, QueueId),
    Cancel(CallId, AgentId, SegmentEnd),
    Out(CallId, LeaveReason),
}

#[derive(Clone, Debug, PartialEq)]
pub enum Due {
    Agent(AgentId),
    Wait(CallId),
}

pub struct Agent {
    pub settings: AgentSettings,
    pub state: AgentState,
    pub idle_since: i64,
    pub serving: QueueId,
    pub next: AgentState,
    pub own_calls: Vec<CallId>,
    pub reachable: bool,
    /// Calls in a row that rang out.
    pub missed: u32,
    /// After-call work that was asked for in this call.
    pub more_acw: i64,
    /// The settings name the agent no longer.
    pub retired: bool,
    /// Every state since signing in, and how long it held.
    pub past: Vec<(AgentState, i64)>,
    pub since: i64,
    /// As the past stood when the agent became available last.
    pub past_when_free: usize,
}

pub struct Queue {
    pub settings: QueueSettings,
    /// The settings name it no longer.
    pub draining: bool,
    /// Whose turn it was last, as a place in the list.
    pub last: Option<usize>,
}

pub struct Caller {
    pub call: CallId,
    pub queues: Vec<QueueId>,
    pub priority: i32,
    pub entered: i64,
    pub joined: i64,
    /// Steps of relaxation taken, by queue.
    pub rings: BTreeMap<QueueId, usize>,
    pub steps: usize,
    pub presented: Vec<AgentId>,
    pub overdue: bool,
    pub alone: Option<(AgentId, i64)>,
    pub more: Option<i64>,
    pub tried: Option<(QueueId, usize)>,
    /// For what instant the deadline stands.
    pub armed_for: Option<i64>,
}

pub struct Model {
    pub ageing: Ageing,
    pub queues: Vec<Queue>,
    /// In the order of the settings; those who are named no longer follow.
    pub agents: Vec<Agent>,
    pub callers: Vec<Caller>,
    pub effects: Vec<Effect>,
    pub due: Vec<(i64, u64, Due)>,
    pub armed: u64,
    /// What the engine has presented: where lots are drawn, the model only says who may win.
    pub drawn: Vec<(CallId, AgentId)>,
}

impl Agent {
    pub fn new(settings: AgentSettings) -> Self {
        Self {
            settings,
            state: AgentState::Offline,
            idle_since: 0,
            serving: QueueId::from(""),
            next: AgentState::Available,
            own_calls: Vec::new(),
            reachable: true,
            missed: 0,
            more_acw: 0,
            retired: false,
            past: Vec::new(),
            since: 0,
            past_when_free: 0,
        }
    }

    /// Whether the floor shows the agent.
    pub fn is_there(&self) -> bool {
        !self.retired || self.state != AgentState::Offline
    }

    pub fn presented(&self) -> Option<CallId> {
        match self.state {
            AgentState::Reserved { call } | AgentState::Ringing { call } => Some(call),
            _ => None,
        }
    }
}

impl Model {
    pub fn new(settings: Settings) -> Self {
        let mut model = Self {
            ageing: settings.ageing,
            queues: Vec::new(),
            agents: Vec::new(),
            callers: Vec::new(),
            effects: Vec::new(),
            due: Vec::new(),
            armed: 0,
            drawn: Vec::new(),
        };
        model.take(settings);
        model
    }

    /// Has agents and queues as the settings say, and afterwards those that they leave out.
    pub fn take(&mut self, settings: Settings) {
        self.ageing = settings.ageing;
        let mut former = std::mem::take(&mut self.agents);
        for settings in settings.agents {
            let agent = match former.iter().position(|agent| agent.settings.id == settings.id) {
                Some(at) => Agent { settings, retired: false, ..former.remove(at) },
                None => Agent::new(settings),
            };
            self.agents.push(agent);
        }
        self.agents.extend(former.into_iter().map(|agent| Agent { retired: true, ..agent }));
        let mut queues = Vec::new();
        for settings in settings.queues {
            let former = self.queue(&settings.id).filter(|former| former.settings.members == settings.members);
            let last = former.and_then(|former| former.last);
            queues.push(Queue { settings, draining: false, last });
        }
        for former in std::mem::take(&mut self.queues) {
            if queues.iter().all(|queue| queue.settings.id != former.settings.id) && self.is_in_use(&former) {
                queues.push(Queue { draining: true, ..former });
            }
        }
        self.queues = queues;
    }

    pub fn is_in_use(&self, queue: &Queue) -> bool {
        use AgentState::{Available, NotReady, Offline};
        let works = |agent: &&Agent| !matches!(agent.state, Offline | Available | NotReady { .. });
        self.callers.iter().any(|caller| caller.queues.contains(&queue.settings.id))
            || self.agents.iter().filter(works).any(|agent| agent.serving == queue.settings.id)
    }

    /// Who is named no longer and in no conversation is offline; everybody else goes on by the new settings.
    pub fn reconfigure(&mut self, settings: Settings, now: i64) {
        for a in 0..self.agents.len() {
            let id = self.agents[a].settings.id.clone();
            let talks = self.agents[a].state.conversation().is_some();
            if talks || settings.agents.iter().any(|agent| agent.id == id) {
                continue;
            }
            let presented = self.agents[a].presented();
            if let Some(call) = presented {
                self.cancel(a, call, SegmentEnd::Switch);
            }
            self.become_(a, AgentState::Offline, now);
            self.nobody_waits_alone_for(&id, now);
            if let Some(call) = presented {
                self.give_back(call, &id, now);
            }
        }
        let waits = |queue: &QueueSettings| (queue.max_wait_ms, queue.overflow.clone());
        let changed = |former: &Queue| {
            let queue = settings.queues.iter().find(|queue| queue.id == former.settings.id);
            queue.is_some_and(|queue| waits(queue) != waits(&former.settings))
        };
        let changed: Vec<QueueId> =
            self.queues.iter().filter(|queue| changed(queue)).map(|queue| queue.settings.id.clone()).collect();
        self.take(settings);
        let mut calls: Vec<CallId> = self.callers.iter().map(|caller| caller.call).collect();
        calls.sort_unstable();
        for call in calls {
            let at = self.at(call).unwrap();
            self.callers[at].tried = None;
            if changed.contains(&self.callers[at].queues[0]) {
                (self.callers[at].steps, self.callers[at].overdue) = (0, false);
            }
            for queue in self.callers[at].queues.clone() {
                let reached = self.reached(&queue, now - self.callers[at].entered);
                self.callers[at].rings.insert(queue, reached);
            }
            self.arm_wait(call, now);
        }
        self.pair(now);
        self.send_on();
    }

    pub fn queue(&self, id: &QueueId) -> Option<&Queue> {
        self.queues.iter().find(|queue| queue.settings.id == *id)
    }

    /// The queue that a caller waits in or an agent works for.
    pub fn settings(&self, id: &QueueId) -> &QueueSettings {
        &self.queue(id).unwrap().settings
    }

    pub fn at(&self, call: CallId) -> Option<usize> {
        self.callers.iter().position(|caller| caller.call == call)
    }

    pub fn next_deadline(&self) -> Option<i64> {
        self.due.iter().map(|(at, ..)| *at).min()
    }

    /// Fires the first deadline at or before `now`; false when there is none.
    pub fn fire(&mut self, now: i64) -> bool {
        let first = self.due.iter().filter(|(at, ..)| *at <= now).min_by_key(|(at, order, _)| (*at, *order)).cloned();
        let Some((.., what)) = first else { return false };
        self.due.retain(|(.., other)| *other != what);
        match what {
            Due::Agent(agent) => self.agent_due(self.number(&agent).unwrap(), now),
            Due::Wait(call) => self.wait_due(call, now),
        }
        self.pair(now);
        self.send_on();
        true
    }

    pub fn handle(&mut self, input: &Input, now: i64) {
        match input.clone() {
            Input::CallerEntered { call, queue, priority, entered_wall_ms, prefer, .. } => {
                self.enter((call, priority, entered_wall_ms), &queue, prefer, now);
            }
            Input::CallerLeft { call } => self.leave(call, SegmentEnd::CallerLeft, now),
            Input::CallerRemoved { call } | Input::CallerExited { call } => self.leave(call, SegmentEnd::Switch, now),
            Input::AgentAnswered { agent, call } => self.answer(agent, call, now),
            // They come of calls that are joined, and no walk draws them.
            Input::HandedOver { .. } | Input::Moved { .. } => unreachable!("{input:?}"),
            Input::AgentSignedIn { agent }
            | Input::AgentSignedOut { agent }
            | Input::SetAvailable { agent }
            | Input::SetNotReady { agent, .. }
            | Input::EndAcw { agent }
            | Input::ExtendAcw { agent, .. }
            | Input::PhoneRinging { agent, .. }
            | Input::AgentFailed { agent, .. }
            | Input::Hold { agent, .. }
            | Input::Resume { agent, .. }
            | Input::ConversationEnded { agent, .. }
            | Input::PhoneTaken { agent, .. }
            | Input::PhoneFree { agent, .. }
            | Input::PhoneReach { agent, .. }
            | Input::Forced { agent, .. }
            | Input::Restored { agent, .. } => {
                if let Some(a) = self.number(&agent) {
                    self.handle_agent(a, input.clone(), now);
                }
            }
        }
        self.pair(now);
        self.send_on();
    }

    pub fn number(&self, agent: &AgentId) -> Option<usize> {
        self.agents.iter().position(|known| known.settings.id == *agent)
    }

    /// What an agent is doing who is known.
    pub fn state(&self, agent: &AgentId) -> Option<&AgentState> {
        self.number(agent).map(|a| &self.agents[a].state)
    }

    pub fn cancel(&mut self, a: usize, call: CallId, reason: SegmentEnd) {
        self.effects.push(Effect::Cancel(call, self.agents[a].settings.id.clone(), reason));
    }

    pub fn arm(&mut self, at: i64, what: Due) {
        self.armed += 1;
        self.due.push((at, self.armed, what));
    }

    /// Points × 1000.
    pub fn score(&self, caller: &Caller) -> i64 {
        let age = &self.ageing;
        i64::from(age.base) * i64::from(caller.priority) * 1000 - i64::from(age.rate) * caller.entered
    }

    pub fn order(&self, caller: &Caller) -> (i64, i64, CallId) {
        (-self.score(caller), caller.entered, caller.call)
    }

    /// One more than those with a higher score, in each of the caller's queues.
    pub fn positions(&self, caller: &Caller) -> Vec<u32> {
        let before = |queue: &QueueId| {
            let inside = self.callers.iter().filter(|other| other.queues.contains(queue));
            inside.filter(|other| self.order(other) < self.order(caller)).count() as u32
        };
        caller.queues.iter().map(|queue| before(queue) + 1).collect()
    }

    /// The first in line for whom there is somebody, until there is none: in the first of the caller's queues that has somebody.
    pub fn pair(&mut self, now: i64) {
        'next: loop {
            let mut waiting: Vec<_> = self.callers.iter().filter(|caller| caller.presented.is_empty()).collect();
            waiting.sort_by_key(|caller| self.order(caller));
            for caller in waiting {
                let call = caller.call;
                let choice = match &caller.alone {
                    Some((agent, _)) if self.state(agent) == Some(&AgentState::Available) => {
                        Some((caller.queues[0].clone(), vec![agent.clone()]))
                    }
                    Some(_) => None,
                    None => caller.queues.iter().find_map(|queue| Some((queue.clone(), self.choose(caller, queue)?))),
                };
                if let Some((queue, agents)) = choice {
                    self.present(call, &queue, agents, now);
                    continue 'next;
                }
            }
            return;
        }
    }

    pub fn present(&mut self, call: CallId, queue: &QueueId, agents: Vec<AgentId>, now: i64) {
        let at = self.at(call).unwrap();
        let alone = self.callers[at].alone.take().is_some();
        let more = self.more_at(queue, now).filter(|_| !alone);
        self.callers[at].more = more;
        for agent in agents {
            self.reserve(at, queue, agent, now);
        }
        self.arm_wait(call, now);
    }

    pub fn reserve(&mut self, at: usize, queue: &QueueId, agent: AgentId, now: i64) {
        let a = self.number(&agent).unwrap();
        let place = self.settings(queue).members.iter().position(|member| member.agent == agent);
        if let Some(place) = place.filter(|_| self.ring_of(a, queue).is_some()) {
            self.queues.iter_mut().find(|known| known.settings.id == *queue).unwrap().last = Some(place);
            self.callers[at].tried = Some((queue.clone(), place));
        }
        let call = self.callers[at].call;
        self.callers[at].presented.push(agent.clone());
        self.agents[a].serving = queue.clone();
        self.become_(a, AgentState::Reserved { call }, now);
        self.effects.push(Effect::Present(call, agent, queue.clone()));
    }

    pub fn ring_more(&mut self, at: usize, now: i64) {
        let caller = &self.callers[at];
        let queue = self.agents[self.number(&caller.presented[0]).unwrap()].serving.clone();
        let one = self.choose(caller, &queue);
        self.callers[at].more = self.more_at(&queue, now);
        if let Some(agent) = one.and_then(|agents| agents.into_iter().next()) {
            self.reserve(at, &queue, agent, now);
        }
    }
}
