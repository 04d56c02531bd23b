//! One waiting caller: one entry, which may name several queues.

use crate::id::{CallId, QueueId};
use crate::journal::{Event, LeaveReason, SegmentEnd, SkillWish};
use crate::time::{Now, TimerId};

use super::Acd;
use super::events::{Output, Preference};
use super::line::Place;
use super::settings::Needs;

/// What a caller waits for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// Any agent of the queues.
    Waiting,
    /// One agent, until an instant (wall ms).
    Preferring { agent: usize, until_ms: i64 },
    /// The answer of one of these, who are reserved or whose phones ring.
    Presented {
        agents: Vec<usize>,
        /// When one more phone is to ring (wall ms).
        more_ms: Option<i64>,
        /// The longest wait passed meanwhile: these are the last.
        overdue: bool,
    },
}

/// A queue in which a caller waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) queue: usize,
    /// Whom the caller may have there.
    pub(super) ladder: u8,
    /// How many of the steps of relaxation the caller has reached.
    pub(super) ring: u8,
}

#[derive(Clone, Debug)]
pub(super) struct Caller {
    /// Where the caller waits, never empty; the first is the one that was entered.
    pub(super) queues: Vec<Entry>,
    pub(super) priority: i32,
    /// What the caller asks of who answers, beyond what the queues ask.
    pub(super) wishes: Box<[SkillWish]>,
    pub(super) place: Place,
    pub(super) standing: Standing,
    /// Overflow steps taken.
    pub(super) steps: usize,
    /// Whom the caller had last: the queue, and the place in its list.
    pub(super) tried: Option<(usize, i64)>,
    /// Waits however long it takes.
    pub(super) stays: bool,
    /// When the caller joined (wall ms); the place may count from before.
    pub(super) joined_ms: i64,
    /// When the wait that is still to be expected was looked at last (wall ms).
    pub(super) looked_ms: i64,
    /// How long the caller was expected to wait on entering (ms).
    pub(super) expected_ms: Option<i64>,
    /// Fires when the next thing about the wait is due, at an instant (wall ms).
    pub(super) timer: Option<(i64, TimerId)>,
}

impl Caller {
    /// The phones that are reserved or ring.
    pub(super) fn agents(&self) -> &[usize] {
        match &self.standing {
            Standing::Presented { agents, .. } => agents,
            Standing::Waiting | Standing::Preferring { .. } => &[],
        }
    }
}

/// A caller who comes.
pub(super) struct Entering {
    pub(super) call: CallId,
    pub(super) priority: i32,
    /// From when the wait counts (wall ms).
    pub(super) entered_ms: i64,
    pub(super) wishes: Vec<SkillWish>,
    pub(super) stays: bool,
}

/// What happens to a caller.
impl Acd {
    pub(super) fn handle_entered(
        &mut self,
        entering: Entering,
        queue: &QueueId,
        prefer: Option<&Preference>,
        now: Now,
    ) {
        let Entering { call, priority, entered_ms, wishes, stays } = entering;
        if self.callers.contains_key(&call) {
            return;
        }
        let Some(home) = self.queue_numbers.get(queue).copied() else {
            self.outputs.push_back(Output::CallerOut { call, reason: LeaveReason::Refused });
            return;
        };
        self.touched += 1;
        let place = Place::new(self.ageing, priority, entered_ms, call);
        let position = self.queues[home].line.position(place);
        let since_ms = Some(entered_ms).filter(|entered_ms| *entered_ms < now.wall_ms);
        self.journal(Event::QueueEntered { call, queue: queue.clone(), priority, position, since_ms });
        if !stays && !self.queues[home].takes(position) {
            self.journal(Event::QueueLeft { call, queue: queue.clone(), reason: LeaveReason::Refused, position });
            self.outputs.push_back(Output::CallerOut { call, reason: LeaveReason::Refused });
            return;
        }
        let expected_ms = self.queues[home].expected_ms(position);
        self.queues[home].join(place);
        let entry = self.entry(home, &wishes, entered_ms, now);
        self.tell_unheeded(call, entry, &wishes);
        let caller = Caller {
            queues: vec![entry],
            priority,
            wishes: wishes.into(),
            place,
            standing: Standing::Waiting,
            steps: 0,
            tried: None,
            stays,
            joined_ms: now.wall_ms,
            looked_ms: now.wall_ms,
            expected_ms,
            timer: None,
        };
        self.callers.insert(call, Box::new(caller));
        let preferred = prefer.and_then(|prefer| self.preferred(prefer, now));
        if let Some(caller) = self.callers.get_mut(&call)
            && let Some((agent, until_ms)) = preferred
        {
            caller.standing = Standing::Preferring { agent, until_ms };
        }
        self.stand(call);
        self.arm_wait(call, now);
        self.match_caller(call, now);
    }

    /// How somebody with these wishes, who has waited since an instant (wall ms), stands in a queue.
    pub(super) fn entry(&mut self, queue: usize, wishes: &[SkillWish], entered_ms: i64, now: Now) -> Entry {
        let ladder = self.ladder(queue, wishes).unwrap_or(0);
        self.queues[queue].ladders[usize::from(ladder)].callers += 1;
        let entry = Entry { queue, ladder, ring: 0 };
        Entry { ring: self.ladder_of(&entry).ring_after(now.wall_ms.saturating_sub(entered_ms)), ..entry }
    }

    /// Says so where a queue has no room for what a caller who comes wishes.
    pub(super) fn tell_unheeded(&mut self, call: CallId, entry: Entry, wishes: &[SkillWish]) {
        if entry.ladder == 0 && !wishes.is_empty() {
            let queue = self.queues[entry.queue].settings.id.clone();
            self.outputs.push_back(Output::WishesUnheeded { call, queue });
        }
    }

    pub(super) fn handle_left(&mut self, call: CallId, reason: LeaveReason, now: Now) {
        let Some(caller) = self.callers.get(&call) else { return self.take_back(call, reason, now) };
        let (home, phones) = (caller.queues[0].queue, caller.agents().to_vec());
        self.leave_all(call, home, reason);
        let end = if reason == LeaveReason::Abandoned { SegmentEnd::CallerLeft } else { SegmentEnd::Switch };
        self.withdraw(&phones, call, end, now);
    }

    /// Lists the caller where agents look who come free.
    pub(super) fn stand(&mut self, call: CallId) {
        let Some(caller) = self.callers.get(&call) else { return };
        match caller.standing {
            Standing::Waiting => {
                for entry in &caller.queues {
                    self.touched += 1;
                    self.queues[entry.queue].wait(caller.place, entry);
                }
            }
            Standing::Preferring { agent, .. } => {
                self.wanted.entry(agent).or_default().insert(caller.place);
            }
            Standing::Presented { .. } => {}
        }
    }

    /// Takes the caller off these lists.
    pub(super) fn unlist(&mut self, call: CallId) {
        let Some(caller) = self.callers.get(&call) else { return };
        match caller.standing {
            Standing::Waiting => {
                for entry in &caller.queues {
                    self.touched += 1;
                    self.queues[entry.queue].unwait(caller.place, entry);
                }
            }
            Standing::Preferring { agent, .. } => {
                let places = self.wanted.get_mut(&agent);
                if places.is_some_and(|places| places.remove(&caller.place) && places.is_empty()) {
                    self.wanted.remove(&agent);
                }
            }
            Standing::Presented { .. } => {}
        }
    }

    /// An agent is out of a presentation. Whether it was the last one, and the caller is to wait again.
    pub(super) fn forget_phone(&mut self, call: CallId, agent: usize) -> bool {
        let standing = self.callers.get_mut(&call).map(|caller| &mut caller.standing);
        let Some(Standing::Presented { agents, .. }) = standing else { return false };
        agents.retain(|other| *other != agent);
        agents.is_empty()
    }

    /// An agent is out of a presentation; after the last one the caller is back at the place that was never lost.
    pub(super) fn return_to_line(&mut self, call: CallId, agent: usize, now: Now) {
        if self.forget_phone(call, agent) {
            self.rejoin(call, now);
            self.match_caller(call, now);
        }
    }

    /// The caller waits again, unless the longest wait is over.
    pub(super) fn rejoin(&mut self, call: CallId, now: Now) {
        let Some(caller) = self.callers.get_mut(&call) else { return };
        let overdue = matches!(caller.standing, Standing::Presented { overdue: true, .. });
        self.unlist(call);
        if let Some(caller) = self.callers.get_mut(&call) {
            caller.standing = Standing::Waiting;
        }
        self.stand(call);
        if overdue {
            return self.time_out(call);
        }
        if self.sends_on {
            self.doubtful.insert(call);
        }
        self.arm_wait(call, now);
    }

    pub(super) fn time_out(&mut self, call: CallId) {
        self.put_out(call, LeaveReason::Timeout);
    }

    pub(super) fn put_out(&mut self, call: CallId, reason: LeaveReason) {
        if let Some(home) = self.callers.get(&call).map(|caller| caller.queues[0].queue) {
            self.leave_all(call, home, reason);
            self.outputs.push_back(Output::CallerOut { call, reason });
        }
    }

    /// The members of a queue who are there have become fewer: its callers are looked at once the event is over.
    pub(super) fn doubt(&mut self, queue: usize) {
        let queue = &self.queues[queue];
        if self.sends_on && !queue.has(Needs::Ready) {
            self.touched += queue.by_age.len() as u64;
            self.doubtful.extend(queue.by_age.iter().map(|(_, call)| *call));
        }
    }

    /// Who waits where nobody is there goes on by the plan, in the order of the calls.
    pub(super) fn send_on(&mut self) {
        for call in std::mem::take(&mut self.doubtful) {
            if self.callers.get(&call).is_some_and(|caller| self.is_left_alone(caller)) {
                self.put_out(call, LeaveReason::Refused);
            }
        }
    }

    /// Whether a caller waits for anybody while nobody is there of whom the queue that was entered says that he or she has to be.
    pub(super) fn is_left_alone(&self, caller: &Caller) -> bool {
        let needs = self.queues[caller.queues[0].queue].settings.wait_needs;
        let waits = caller.standing == Standing::Waiting && !caller.stays;
        waits && !caller.queues.iter().any(|entry| self.queues[entry.queue].has(needs))
    }

    /// Removes the entry. `last` is the queue that accounts for the call: it is left with `reason`, after the others. The
    /// others are left with `Overflow` when an agent answered, as the call went elsewhere, and with `reason` otherwise.
    pub(super) fn leave_all(&mut self, call: CallId, last: usize, reason: LeaveReason) {
        self.unlist(call);
        let Some(caller) = self.callers.remove(&call) else { return };
        if let Some((_, timer)) = caller.timer {
            self.timers.disarm(timer);
        }
        let others = caller.queues.iter().copied().filter(|entry| entry.queue != last);
        let accounts = caller.queues.iter().copied().filter(|entry| entry.queue == last);
        for Entry { queue: number, ladder, .. } in others.chain(accounts) {
            self.touched += 1;
            let queue = &mut self.queues[number];
            queue.ladders[usize::from(ladder)].callers -= 1;
            let position = queue.line.position(caller.place);
            queue.leave(caller.place);
            let reason = if number != last && reason == LeaveReason::Answered { LeaveReason::Overflow } else { reason };
            let queue = queue.settings.id.clone();
            self.journal(Event::QueueLeft { call, queue, reason, position });
        }
    }
}
