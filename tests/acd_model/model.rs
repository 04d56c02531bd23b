//! What the ACD should do, said the slow and obvious way: lists, and a look at everybody each time.

use trunkline::acd::{Failure, Forced, Input, Settings};
use trunkline::id::{AgentId, CallId, QueueId};
use trunkline::journal::{AgentState, LeaveReason, SegmentEnd};

/// What can be compared with the engine's outputs.
#[derive(Clone, Debug, PartialEq)]
pub enum Effect {
    Present(CallId, AgentId, QueueId),
    Cancel(CallId, AgentId, SegmentEnd),
    Out(CallId, LeaveReason),
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Due {
    Agent(usize),
    Overflow(CallId),
    MaxWait(CallId),
}

pub struct Agent {
    pub state: AgentState,
    idle_since: i64,
    serving: usize,
    next: AgentState,
    own_calls: Vec<CallId>,
    reachable: bool,
}

pub struct Caller {
    pub call: CallId,
    pub queues: Vec<usize>,
    priority: i32,
    entered: i64,
    steps: usize,
    presented: bool,
    overdue: bool,
}

pub struct Model {
    settings: Settings,
    pub agents: Vec<Agent>,
    pub callers: Vec<Caller>,
    pub effects: Vec<Effect>,
    due: Vec<(i64, u64, Due)>,
    armed: u64,
}

impl Model {
    pub fn new(settings: Settings) -> Self {
        let offline = || Agent {
            state: AgentState::Offline,
            idle_since: 0,
            serving: 0,
            next: AgentState::Available,
            own_calls: Vec::new(),
            reachable: true,
        };
        let agents = settings.agents.iter().map(|_| offline()).collect();
        Self { settings, agents, callers: Vec::new(), effects: Vec::new(), due: Vec::new(), armed: 0 }
    }

    pub fn next_deadline(&self) -> Option<i64> {
        self.due.iter().map(|(at, ..)| *at).min()
    }

    /// Fires the first deadline at or before `now`; false when there is none.
    pub fn fire(&mut self, now: i64) -> bool {
        let first = self.due.iter().filter(|(at, ..)| *at <= now).min_by_key(|(at, order, _)| (*at, *order)).copied();
        let Some((.., what)) = first else { return false };
        self.due.retain(|(.., other)| *other != what);
        match what {
            Due::Agent(a) => self.agent_due(a, now),
            Due::Overflow(call) => self.overflow(call, now),
            Due::MaxWait(call) => {
                let caller = self.callers.iter_mut().find(|c| c.call == call).unwrap();
                caller.overdue = true;
                self.drop_overdue();
            }
        }
        self.pair(now);
        true
    }

    pub fn handle(&mut self, input: &Input, now: i64) {
        match input.clone() {
            Input::CallerEntered { call, queue, priority, entered_wall_ms } => {
                self.enter(call, &queue, priority, entered_wall_ms);
            }
            Input::CallerLeft { call } => self.leave(call, SegmentEnd::CallerLeft, now),
            Input::CallerRemoved { call } => self.leave(call, SegmentEnd::Switch, now),
            Input::AgentAnswered { agent, call } => self.answer(agent, call, now),
            // They come of calls that are joined, and no walk draws them.
            Input::HandedOver { .. } | Input::Moved { .. } => unreachable!("{input:?}"),
            Input::AgentSignedIn { agent }
            | Input::AgentSignedOut { agent }
            | Input::SetAvailable { agent }
            | Input::SetNotReady { agent, .. }
            | Input::EndAcw { agent }
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
                let a = self.settings.agents.iter().position(|known| known.id == agent).unwrap();
                self.handle_agent(a, input.clone(), now);
            }
        }
        self.pair(now);
    }

    fn handle_agent(&mut self, a: usize, input: Input, now: i64) {
        use AgentState::{Acw, Available, Hold, NotReady, Offline, Reserved, Ringing, Talking};
        let state = self.agents[a].state.clone();
        let in_call = matches!(state, Talking { .. } | Hold { .. });
        match (input, state) {
            (Input::AgentSignedIn { .. }, Offline) => self.become_(a, Available, now),
            (Input::AgentSignedIn { .. }, _) if self.agents[a].next == Offline => self.agents[a].next = Available,
            (Input::AgentSignedOut { .. }, _) if in_call => self.agents[a].next = Offline,
            (Input::AgentSignedOut { .. }, _) => self.interrupt(a, Offline, SegmentEnd::Unreachable, now),
            (Input::SetAvailable { .. }, NotReady { .. } | Acw { .. }) => self.become_(a, Available, now),
            (Input::SetAvailable { .. }, _) if in_call => self.agents[a].next = Available,
            (Input::SetNotReady { .. }, _) if in_call && self.agents[a].next == Offline => {}
            (Input::SetNotReady { reason, .. }, _) if in_call => self.agents[a].next = NotReady { reason },
            (Input::SetNotReady { .. }, Offline) => {}
            (Input::SetNotReady { reason, .. }, _) => {
                self.interrupt(a, NotReady { reason }, SegmentEnd::Rejected, now);
            }
            (Input::EndAcw { .. }, Acw { .. }) => self.agent_due(a, now),
            (Input::PhoneRinging { call, .. }, Reserved { call: of }) if call == of => {
                self.become_(a, Ringing { call }, now);
            }
            (Input::AgentFailed { call, why, .. }, Reserved { call: of } | Ringing { call: of }) if call == of => {
                let reason = match why {
                    Failure::NoAnswer => "no_answer",
                    Failure::Busy => "busy",
                    Failure::Rejected => "rejected",
                    Failure::Unreachable => "unreachable",
                };
                self.give_back(call);
                self.become_(a, NotReady { reason: reason.into() }, now);
            }
            (Input::Hold { call, .. }, Talking { call: of }) if call == of => self.become_(a, Hold { call }, now),
            (Input::Resume { call, .. }, Hold { call: of }) if call == of => self.become_(a, Talking { call }, now),
            (Input::ConversationEnded { call, .. }, Talking { call: of } | Hold { call: of }) if call == of => {
                let acw = self.settings.queues[self.agents[a].serving].acw_ms as i64;
                let next = self.agents[a].next.clone();
                let acw_first = acw > 0 && next != Offline;
                self.become_(a, if acw_first { Acw { call, until_ms: now + acw } } else { next }, now);
            }
            (Input::PhoneTaken { call, .. }, _) => {
                self.agents[a].own_calls.push(call);
                self.look_at_phone(a, now);
            }
            (Input::PhoneFree { call, .. }, _) => {
                self.agents[a].own_calls.retain(|own| *own != call);
                self.look_at_phone(a, now);
            }
            (Input::PhoneReach { reachable, .. }, _) => {
                let changed = self.agents[a].reachable != reachable;
                self.agents[a].reachable = reachable;
                if changed {
                    self.look_at_phone(a, now);
                }
            }
            (Input::Forced { .. }, Offline) | (Input::Forced { to: Forced::Available, .. }, Available) => {}
            (Input::Forced { to, .. }, state) => {
                if let Talking { call } | Hold { call } = state {
                    self.cancel(a, call, SegmentEnd::Switch);
                }
                let next = match to {
                    Forced::Available => Available,
                    Forced::NotReady { reason } => NotReady { reason },
                    Forced::Offline => Offline,
                };
                self.interrupt(a, next, SegmentEnd::Switch, now);
            }
            (Input::Restored { state, since_wall_ms, .. }, Offline) => self.restore(a, state, since_wall_ms, now),
            _ => {}
        }
    }

    fn restore(&mut self, a: usize, state: AgentState, since: i64, now: i64) {
        match state {
            AgentState::Offline => {}
            AgentState::NotReady { reason } if reason != "unreachable" => {
                self.become_(a, AgentState::NotReady { reason }, now);
            }
            AgentState::Acw { until_ms, .. } if until_ms > now => self.become_(a, state, now),
            AgentState::Available => {
                self.become_(a, state, now);
                self.agents[a].idle_since = since;
            }
            _ => self.become_(a, AgentState::Available, now),
        }
    }

    /// Who is available or was taken out by the phone alone decides anew.
    fn look_at_phone(&mut self, a: usize, now: i64) {
        let by_phone = |reason: &str| reason == "own_call" || reason == "unreachable";
        match &self.agents[a].state {
            AgentState::Available => {
                let idle_since = self.agents[a].idle_since;
                self.become_(a, AgentState::Available, now);
                self.agents[a].idle_since = idle_since;
            }
            AgentState::NotReady { reason } if by_phone(reason) => self.become_(a, AgentState::Available, now),
            _ => {}
        }
    }

    /// The one place where an agent's state changes.
    fn become_(&mut self, a: usize, wanted: AgentState, now: i64) {
        let agent = &self.agents[a];
        let state = match wanted {
            AgentState::Available if !agent.reachable => AgentState::NotReady { reason: "unreachable".into() },
            AgentState::Available if !agent.own_calls.is_empty() => AgentState::NotReady { reason: "own_call".into() },
            other => other,
        };
        self.due.retain(|(.., what)| *what != Due::Agent(a));
        let ring = self.settings.queues[self.agents[a].serving].ring_timeout_ms as i64;
        match &state {
            AgentState::Reserved { .. } | AgentState::Ringing { .. } => self.arm(now + ring, Due::Agent(a)),
            AgentState::Acw { until_ms, .. } => self.arm(*until_ms, Due::Agent(a)),
            AgentState::Talking { .. } | AgentState::Hold { .. } => {}
            AgentState::Available => (self.agents[a].idle_since, self.agents[a].next) = (now, AgentState::Available),
            AgentState::Offline | AgentState::NotReady { .. } => self.agents[a].next = AgentState::Available,
        }
        self.agents[a].state = state;
    }

    fn agent_due(&mut self, a: usize, now: i64) {
        let next = self.agents[a].next.clone();
        let (call, end, reason) = match self.agents[a].state {
            AgentState::Acw { .. } => return self.become_(a, next, now),
            AgentState::Reserved { call } => (call, SegmentEnd::Unreachable, "unreachable"),
            AgentState::Ringing { call } => (call, SegmentEnd::NoAnswer, "no_answer"),
            ref other => panic!("no deadline belongs to {other:?}"),
        };
        self.cancel(a, call, end);
        self.give_back(call);
        self.become_(a, AgentState::NotReady { reason: reason.into() }, now);
    }

    fn interrupt(&mut self, a: usize, next: AgentState, reason: SegmentEnd, now: i64) {
        if let AgentState::Reserved { call } | AgentState::Ringing { call } = self.agents[a].state {
            self.cancel(a, call, reason);
            self.give_back(call);
            // The caller looks for somebody else first.
            if next == AgentState::Available {
                self.pair(now);
            }
        }
        self.become_(a, next, now);
    }

    fn cancel(&mut self, a: usize, call: CallId, reason: SegmentEnd) {
        self.effects.push(Effect::Cancel(call, self.settings.agents[a].id.clone(), reason));
    }

    fn give_back(&mut self, call: CallId) {
        self.callers.iter_mut().find(|caller| caller.call == call).unwrap().presented = false;
        self.drop_overdue();
    }

    fn drop_overdue(&mut self) {
        while let Some(at) = self.callers.iter().position(|caller| caller.overdue && !caller.presented) {
            let call = self.callers[at].call;
            self.forget(call);
            self.effects.push(Effect::Out(call, LeaveReason::Timeout));
        }
    }

    fn forget(&mut self, call: CallId) {
        self.callers.retain(|caller| caller.call != call);
        self.due.retain(|(.., what)| *what != Due::Overflow(call) && *what != Due::MaxWait(call));
    }

    fn enter(&mut self, call: CallId, queue: &QueueId, priority: i32, entered: i64) {
        if self.callers.iter().any(|caller| caller.call == call) {
            return;
        }
        let home = self.settings.queues.iter().position(|known| known.id == *queue);
        let Some(home) = home.filter(|home| !self.full(*home)) else {
            self.effects.push(Effect::Out(call, LeaveReason::Refused));
            return;
        };
        let queues = vec![home];
        self.callers.push(Caller { call, queues, priority, entered, steps: 0, presented: false, overdue: false });
        if let Some(wait) = self.settings.queues[home].max_wait_ms {
            self.arm(entered + wait as i64, Due::MaxWait(call));
        }
        self.arm_overflow(call);
    }

    fn full(&self, queue: usize) -> bool {
        let inside = self.callers.iter().filter(|caller| caller.queues.contains(&queue)).count();
        self.settings.queues[queue].capacity.is_some_and(|capacity| inside >= capacity as usize)
    }

    fn arm_overflow(&mut self, call: CallId) {
        let caller = self.callers.iter().find(|caller| caller.call == call).unwrap();
        if let Some(step) = self.settings.queues[caller.queues[0]].overflow.get(caller.steps) {
            let at = caller.entered + step.after_ms as i64;
            self.arm(at, Due::Overflow(call));
        }
    }

    fn overflow(&mut self, call: CallId, now: i64) {
        let at = self.callers.iter().position(|caller| caller.call == call).unwrap();
        let caller = &mut self.callers[at];
        let to = self.settings.queues[caller.queues[0]].overflow[caller.steps].to.clone();
        caller.steps += 1;
        let to = self.settings.queues.iter().position(|queue| queue.id == to).unwrap();
        if !self.callers[at].queues.contains(&to) && !self.full(to) {
            self.callers[at].queues.push(to);
            self.pair(now);
        }
        if self.callers.iter().any(|caller| caller.call == call) {
            self.arm_overflow(call);
        }
    }

    fn leave(&mut self, call: CallId, end: SegmentEnd, now: i64) {
        self.forget(call);
        for a in 0..self.agents.len() {
            if let AgentState::Reserved { call: of } | AgentState::Ringing { call: of } = self.agents[a].state
                && of == call
            {
                self.cancel(a, call, end);
                let idle_since = self.agents[a].idle_since;
                self.become_(a, AgentState::Available, now);
                self.agents[a].idle_since = idle_since;
            }
        }
    }

    fn answer(&mut self, agent: AgentId, call: CallId, now: i64) {
        let a = self.settings.agents.iter().position(|known| known.id == agent).unwrap();
        match self.agents[a].state {
            AgentState::Reserved { call: of } | AgentState::Ringing { call: of } if of == call => {
                self.forget(call);
                self.become_(a, AgentState::Talking { call }, now);
            }
            AgentState::Talking { call: of } | AgentState::Hold { call: of } if of == call => {}
            _ => self.cancel(a, call, SegmentEnd::Switch),
        }
    }

    fn arm(&mut self, at: i64, what: Due) {
        self.armed += 1;
        self.due.push((at, self.armed, what));
    }

    fn serves(&self, a: usize, queue: usize) -> bool {
        let (agent, queue) = (&self.settings.agents[a], &self.settings.queues[queue]);
        let enough = |(skill, least): (&String, &u8)| agent.skills.get(skill).copied().unwrap_or(0) >= *least;
        queue.members.contains(&agent.id) && queue.required.iter().all(enough)
    }

    /// Points × 1000.
    fn score(&self, caller: &Caller, now: i64) -> i64 {
        let age = &self.settings.ageing;
        i64::from(age.base) * i64::from(caller.priority) * 1000 + i64::from(age.rate) * (now - caller.entered)
    }

    /// One more than those with a higher score, in each of the caller's queues.
    pub fn positions(&self, caller: &Caller) -> Vec<u32> {
        let order = |other: &Caller| (-self.score(other, 0), other.entered, other.call);
        let before = |queue: &usize| {
            let inside = self.callers.iter().filter(|other| other.queues.contains(queue));
            inside.filter(|other| order(other) < order(caller)).count() as u32
        };
        caller.queues.iter().map(|queue| before(queue) + 1).collect()
    }

    /// Among all pairs that could talk: the caller with the highest score, with the agent who is idle longest.
    fn pair(&mut self, now: i64) {
        loop {
            let mut pairs = Vec::new();
            for (c, caller) in self.callers.iter().enumerate().filter(|(_, caller)| !caller.presented) {
                let score = self.score(caller, now);
                for (a, agent) in self.agents.iter().enumerate() {
                    let queue = caller.queues.iter().find(|queue| self.serves(a, **queue));
                    if let (AgentState::Available, Some(queue)) = (&agent.state, queue) {
                        pairs.push(((-score, caller.entered, caller.call), (agent.idle_since, a), *queue, c));
                    }
                }
            }
            let Some((.., (_, a), queue, c)) = pairs.into_iter().min() else { return };
            let call = self.callers[c].call;
            self.callers[c].presented = true;
            self.agents[a].serving = queue;
            self.become_(a, AgentState::Reserved { call }, now);
            let (agent, queue) = (self.settings.agents[a].id.clone(), self.settings.queues[queue].id.clone());
            self.effects.push(Effect::Present(call, agent, queue));
        }
    }
}
