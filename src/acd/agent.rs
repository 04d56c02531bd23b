//! One agent, or one of the calls that an agent takes at once: one state, one method per transition.

use std::collections::BTreeSet;

use crate::id::{AgentId, CallId};
use crate::journal::{AgentState, Event, LeaveReason, SegmentEnd};
use crate::time::{Now, TimerId};

use super::Acd;
use super::events::{Forced, Output};
use super::line::Place;
use super::phone::Phone;
use super::settings::AgentSettings;
use super::skills::{Levels, Skills};

/// What waits for the end of the agent's call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Next {
    Available,
    NotReady { reason: String },
    Offline,
}

/// An agent's part in a queue.
#[derive(Clone, Copy, Debug)]
pub(super) struct Membership {
    pub(super) queue: usize,
    /// For which of its callers.
    pub(super) ladder: u8,
    /// The first ring of these callers' thresholds that takes the agent.
    pub(super) ring: u8,
    pub(super) tier: u8,
    pub(super) weight: u8,
    /// In how many calls the agent is already, as the queue lists him or her.
    pub(super) calls: u8,
    /// From 0, in the queue's list.
    pub(super) place: u32,
    /// What the queue's strategy goes by, and since when the agent was idle (wall ms), as the queue lists him or her while available.
    pub(super) figure: i64,
    pub(super) idle_since_ms: i64,
}

impl Membership {
    /// By which they are sorted.
    pub(super) fn key(&self) -> (usize, u8) {
        (self.queue, self.ladder)
    }
}

/// What strategies go by, since the agent signed in (ms each). Time is the agent's own: several calls at once take as long as one.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Tally {
    pub(super) calls: i64,
    pub(super) talk_ms: i64,
    busy_ms: i64,
    free_ms: i64,
    /// Until when it has been counted (wall ms).
    pub(super) counted_ms: i64,
}

impl Tally {
    /// Counts what the agent has been doing until now.
    pub(super) fn count(&mut self, doing: &AgentState, now: Now) {
        let ms = now.wall_ms.saturating_sub(self.counted_ms).max(0);
        self.counted_ms = now.wall_ms;
        match doing {
            AgentState::Offline => *self = Self { counted_ms: now.wall_ms, ..Self::default() },
            AgentState::Talking { .. } | AgentState::Hold { .. } | AgentState::Consult { .. } => {
                self.talk_ms = self.talk_ms.saturating_add(ms);
                self.busy_ms = self.busy_ms.saturating_add(ms);
            }
            AgentState::Acw { .. } => self.busy_ms = self.busy_ms.saturating_add(ms),
            AgentState::Available | AgentState::Reserved { .. } | AgentState::Ringing { .. } => {
                self.free_ms = self.free_ms.saturating_add(ms);
            }
            AgentState::NotReady { .. } => {}
        }
    }

    /// Talk, hold and after-call work in thousandths of these and the time free for calls.
    pub(super) fn occupied(&self) -> i64 {
        let all = i128::from(self.busy_ms) + i128::from(self.free_ms);
        // A share is never above the whole.
        (i128::from(self.busy_ms) * 1_000 / all.max(1)) as i64
    }
}

#[derive(Clone, Debug)]
pub(super) struct Agent {
    pub(super) id: AgentId,
    /// Which of the agent's calls this is about, from 0.
    pub(super) appearance: u8,
    /// Of how many.
    pub(super) appearances: u8,
    /// In how many calls the agent is, where a further one could be presented here now: the queues list this appearance then.
    pub(super) open_with: Option<u8>,
    pub(super) skills: Levels,
    /// After-call work (ms) whatever the queue.
    pub(super) acw_ms: Option<u64>,
    /// After-call work (ms) that the agent has asked for beyond that, in this call.
    pub(super) more_acw_ms: u64,
    /// The queues and their ladders for which the agent qualifies, ascending.
    pub(super) queues: Vec<Membership>,
    /// Kept on the first of several appearances.
    pub(super) tally: Tally,
    /// Talk, hold and after-call work of the present call so far (ms); `None` where its beginning was not seen.
    pub(super) handled_ms: Option<i64>,
    pub(super) state: AgentState,
    /// Since when the state holds (wall ms).
    pub(super) since_ms: i64,
    /// Since when the agent has been idle (wall ms). A presentation that came to nothing without the agent's doing does not
    /// touch it.
    pub(super) idle_since_ms: i64,
    /// The queue of the present or last call.
    pub(super) serving: usize,
    pub(super) next: Next,
    /// The lease or the end of ACW.
    pub(super) timer: Option<TimerId>,
    pub(super) phone: Phone,
    /// Calls in a row that rang out, since the agent answered or said anything; kept on the first of several appearances.
    pub(super) missed: u32,
    /// The settings name the agent no longer: offline as soon as no call is left.
    pub(super) retired: bool,
}

impl From<Option<AgentState>> for Next {
    fn from(wish: Option<AgentState>) -> Self {
        match wish {
            Some(AgentState::Offline) => Self::Offline,
            Some(AgentState::NotReady { reason, .. }) => Self::NotReady { reason },
            _ => Self::Available,
        }
    }
}

impl Agent {
    pub(super) fn new(settings: AgentSettings, skills: &mut Skills) -> Self {
        Self { skills: skills.levels(&settings.skills), acw_ms: settings.acw_ms, ..Self::named(settings.id) }
    }

    /// Signed out, without skills.
    pub(super) fn named(id: AgentId) -> Self {
        Self {
            id,
            appearance: 0,
            appearances: 1,
            open_with: None,
            skills: Levels::default(),
            acw_ms: None,
            more_acw_ms: 0,
            queues: Vec::new(),
            tally: Tally::default(),
            handled_ms: None,
            state: AgentState::Offline,
            since_ms: 0,
            idle_since_ms: 0,
            serving: 0,
            next: Next::Available,
            timer: None,
            phone: Phone::default(),
            missed: 0,
            retired: false,
        }
    }

    /// Whether nothing is left of the agent but what is known of the phone.
    pub(super) fn is_gone(&self) -> bool {
        self.retired && self.state == AgentState::Offline
    }

    /// The agent's part in a queue, for callers of a ladder.
    pub(super) fn membership(&self, queue: usize, ladder: u8) -> Option<&Membership> {
        self.queues.binary_search_by_key(&(queue, ladder), Membership::key).ok().map(|at| &self.queues[at])
    }

    /// Counts how long the present call has been handled in the state that ends now.
    pub(super) fn count_handling(&mut self, now: Now) {
        if self.state.is_handling() {
            let ms = now.wall_ms.saturating_sub(self.since_ms).max(0);
            self.handled_ms = self.handled_ms.map(|sum| sum.saturating_add(ms));
        }
    }

    /// The call that is presented to the agent.
    pub(super) fn presented(&self) -> Option<CallId> {
        self.state.presented()
    }

    /// Whether the agent works on a call: [`Self::serving`] says for which queue.
    pub(super) fn is_engaged(&self) -> bool {
        self.state.presented().is_some() || self.state.is_handling()
    }

    /// The call that the agent is in.
    pub(super) fn conversation(&self) -> Option<CallId> {
        self.state.conversation()
    }
}

/// What happens to an agent.
impl Acd {
    pub(super) fn handle_signed_in(&mut self, n: usize, now: Now) {
        if self.agents[n].is_gone() {
            return;
        }
        let first = self.first_appearance(n);
        if self.agents[n].state == AgentState::Offline && n != first && self.agents[first].state != AgentState::Offline
        {
            // Somebody who is not ready is so in every call.
            self.join_in(n, now);
            self.match_agent(n, now);
        } else if self.agents[n].state == AgentState::Offline {
            self.free(n, now);
        } else if self.agents[n].next == Next::Offline {
            self.wish(n, Next::Available);
        }
    }

    pub(super) fn handle_signed_out(&mut self, n: usize, now: Now) {
        if self.agents[n].conversation().is_some() {
            self.wish(n, Next::Offline);
        } else {
            self.take_out(n, Next::Offline, SegmentEnd::Unreachable, now);
        }
    }

    pub(super) fn handle_set_available(&mut self, n: usize, now: Now) {
        self.agents[n].missed = 0;
        match self.agents[n].state {
            AgentState::NotReady { .. } => self.free(n, now),
            AgentState::Acw { .. } => {
                self.agents[n].next = Next::Available;
                self.handle_acw_over(n, now);
            }
            AgentState::Talking { .. } | AgentState::Hold { .. } | AgentState::Consult { .. } => {
                self.wish(n, Next::Available);
            }
            AgentState::Offline | AgentState::Available | AgentState::Reserved { .. } | AgentState::Ringing { .. } => {}
        }
    }

    pub(super) fn handle_set_not_ready(&mut self, n: usize, reason: String, now: Now) {
        if self.agents[n].conversation().is_some() {
            // A sign-out that waits already is the stronger wish.
            if self.agents[n].next != Next::Offline {
                self.wish(n, Next::NotReady { reason });
            }
        } else if self.agents[n].state != AgentState::Offline {
            self.take_out(n, Next::NotReady { reason }, SegmentEnd::Rejected, now);
        }
    }

    /// Keeps for the end of the call what the agent wants then.
    fn wish(&mut self, n: usize, next: Next) {
        if self.agents[n].next == next {
            return;
        }
        let state = match &next {
            Next::Available => AgentState::Available,
            Next::NotReady { reason } => AgentState::NotReady { reason: reason.clone(), until_ms: None },
            Next::Offline => AgentState::Offline,
        };
        self.agents[n].next = next;
        let (agent, appearance) = (self.agents[n].id.clone(), self.agents[n].appearance);
        self.journal(Event::AgentWished { agent, appearance, state });
    }

    pub(super) fn handle_ringing(&mut self, n: usize, call: CallId, now: Now) {
        if self.agents[n].state == (AgentState::Reserved { call }) {
            self.transition_to_ringing(n, call, now);
        }
    }

    /// An answer that crossed the end of its presentation is cancelled, so that no agent's leg is left alone.
    pub(super) fn handle_answered(&mut self, agent: AgentId, call: CallId, now: Now) {
        let number = self.agent_numbers.get(&agent).map(|first| self.appearance_with(*first, call));
        match number.filter(|n| self.agents[*n].presented() == Some(call)) {
            Some(n) => {
                let queue = self.agents[n].serving;
                let mut others = self.callers.get(&call).map(|caller| caller.agents().to_vec()).unwrap_or_default();
                others.retain(|other| *other != n);
                self.test_estimate(call, now);
                self.leave_all(call, queue, LeaveReason::Answered);
                // Counted first: what becomes open to calls is listed by it.
                self.begin_handling(n);
                self.transition_to_talking(n, call, now);
                self.withdraw(&others, call, SegmentEnd::Elsewhere, now);
            }
            None if number.is_some_and(|n| self.agents[n].conversation() == Some(call)) => {}
            None => self.outputs.push_back(Output::CancelPresentation { call, agent, reason: SegmentEnd::Switch }),
        }
    }

    pub(super) fn handle_hold(&mut self, n: usize, call: CallId, now: Now) {
        if self.agents[n].state == (AgentState::Talking { call }) {
            self.transition_to_hold(n, call, now);
        }
    }

    pub(super) fn handle_resume(&mut self, n: usize, call: CallId, now: Now) {
        if matches!(self.agents[n].state, AgentState::Hold { call: of } | AgentState::Consult { call: of } if of == call)
        {
            self.transition(n, AgentState::Talking { call }, now);
        }
    }

    pub(super) fn handle_forced(&mut self, n: usize, to: Forced, now: Now) {
        if let Some(call) = self.agents[n].conversation() {
            self.cancel(n, call, SegmentEnd::Switch);
            self.journal(Event::AcwEnded { call, agent: self.agents[n].id.clone() });
        }
        let next = match to {
            _ if self.agents[n].state == AgentState::Offline => return,
            Forced::Available if self.agents[n].state == AgentState::Available => return,
            Forced::Available => Next::Available,
            Forced::NotReady { reason } => Next::NotReady { reason },
            Forced::Offline => Next::Offline,
        };
        self.take_out(n, next, SegmentEnd::Switch, now);
    }

    /// Leaves whatever the agent was in, a presentation included, for `next`.
    fn take_out(&mut self, n: usize, next: Next, reason: SegmentEnd, now: Now) {
        let presented = self.agents[n].presented();
        if let Some(call) = presented {
            self.cancel(n, call, reason);
        }
        if let AgentState::Acw { call, .. } = self.agents[n].state {
            self.journal(Event::AcwEnded { call, agent: self.agents[n].id.clone() });
        }
        self.agents[n].next = next;
        match presented {
            Some(call) if self.agents[n].next == Next::Available => {
                // Freed by a supervisor: both sides come free at once, so the caller goes first, to somebody else if possible.
                self.return_to_line(call, n, now);
                self.settle(n, None, now);
            }
            // Otherwise the agent settles first, so that the caller who comes back is not presented here again.
            Some(call) => {
                let back = self.forget_phone(call, n).then_some(call);
                if let Some(call) = back {
                    self.rejoin(call, now);
                }
                self.settle(n, back, now);
            }
            None => self.settle(n, None, now),
        }
    }

    /// Goes to what waited for the end of the call. Whoever can have somebody else now, because the agent is gone or in another
    /// presentation no longer (`back`), is served in the order of the line.
    pub(super) fn settle(&mut self, n: usize, back: Option<CallId>, now: Now) {
        match std::mem::replace(&mut self.agents[n].next, Next::Available) {
            _ if self.agents[n].retired => self.transition_to_offline(n, now),
            Next::Available => {
                self.free(n, now);
                self.forgive(n, now);
            }
            Next::NotReady { reason } => self.transition_to_not_ready(n, reason, None, now),
            Next::Offline => self.transition_to_offline(n, now),
        }
        let back = back.and_then(|call| self.callers.get(&call)).map(|caller| caller.place);
        let mut line: BTreeSet<Place> = back.into_iter().collect();
        if !self.presence(n).signed_in {
            line.extend(self.release_wanted(n, now));
        }
        line.into_iter().for_each(|place| self.match_caller(place.call, now));
    }

    /// The agent is idle from now on.
    pub(super) fn free(&mut self, n: usize, now: Now) {
        self.agents[n].idle_since_ms = now.wall_ms;
        self.offer(n, now);
        self.match_agent(n, now);
    }

    /// Available, unless the phone can take no call.
    pub(super) fn offer(&mut self, n: usize, now: Now) {
        match self.agents[n].hindrance() {
            Some(reason) => self.transition_to_not_ready(n, reason.to_owned(), None, now),
            None => self.transition_to_available(n, now),
        }
    }

    pub(super) fn cancel(&mut self, n: usize, call: CallId, reason: SegmentEnd) {
        let agent = self.agents[n].id.clone();
        self.outputs.push_back(Output::CancelPresentation { call, agent, reason });
    }

    /// The caller needs these agents, who were presented, no longer: they are as idle as before.
    pub(super) fn withdraw(&mut self, agents: &[usize], call: CallId, reason: SegmentEnd, now: Now) {
        for n in agents {
            self.cancel(*n, call, reason);
            self.offer(*n, now);
        }
        self.match_agents(agents, now);
    }
}
