//! One waiting caller: one entry, which may name several queues.

use crate::id::{CallId, QueueId};
use crate::journal::{Event, LeaveReason, SegmentEnd};
use crate::time::{Now, TimerId};

use super::events::Output;
use super::line::Place;
use super::{Acd, Timer, deadline};

/// Whether an agent is reserved for the caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    Waiting,
    Presented {
        agent: usize,
        /// The longest wait passed meanwhile: this is the last presentation.
        overdue: bool,
    },
}

#[derive(Clone, Debug)]
pub(super) struct Caller {
    /// Where the caller waits, never empty; the first is the one that was entered.
    pub(super) queues: Vec<usize>,
    pub(super) priority: i32,
    pub(super) place: Place,
    pub(super) standing: Standing,
    /// Overflow steps taken.
    steps: usize,
    pub(super) overflow: Option<TimerId>,
    pub(super) max_wait: Option<TimerId>,
}

/// What happens to a caller.
impl Acd {
    pub(super) fn handle_entered(&mut self, call: CallId, queue: &QueueId, priority: i32, entered_ms: i64, now: Now) {
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
        self.journal(Event::QueueEntered { call, queue: queue.clone(), priority, position });
        if self.queues[home].is_full() {
            self.journal(Event::QueueLeft { call, queue: queue.clone(), reason: LeaveReason::Refused, position });
            self.outputs.push_back(Output::CallerOut { call, reason: LeaveReason::Refused });
            return;
        }
        self.queues[home].join(place);
        self.queues[home].waiting.insert(place);
        let max_wait = self.queues[home].max_wait_ms;
        let max_wait = max_wait.map(|ms| self.timers.arm(wait_deadline(now, place, ms), Timer::MaxWait { call }));
        let caller = Caller {
            queues: vec![home],
            priority,
            place,
            standing: Standing::Waiting,
            steps: 0,
            overflow: None,
            max_wait,
        };
        self.callers.insert(call, caller);
        self.arm_overflow(call, now);
        self.match_caller(call, now);
    }

    pub(super) fn handle_left(&mut self, call: CallId, reason: LeaveReason, now: Now) {
        let Some(caller) = self.callers.get(&call) else { return self.take_back(call, reason, now) };
        let (home, standing) = (caller.queues[0], caller.standing);
        self.leave_all(call, home, reason);
        if let Standing::Presented { agent, .. } = standing {
            let end = if reason == LeaveReason::Abandoned { SegmentEnd::CallerLeft } else { SegmentEnd::Switch };
            self.withdraw(agent, call, end, now);
        }
    }

    pub(super) fn handle_overflow(&mut self, call: CallId, now: Now) {
        let Some(caller) = self.callers.get_mut(&call) else { return };
        let Some((_, to)) = self.queues[caller.queues[0]].overflow.get(caller.steps).copied() else { return };
        caller.steps += 1;
        let (place, priority, standing) = (caller.place, caller.priority, caller.standing);
        // A step to a queue that is named already, or full, leaves the caller where he or she is.
        if !caller.queues.contains(&to) && !self.queues[to].is_full() {
            caller.queues.push(to);
            self.touched += 1;
            let position = self.queues[to].line.position(place);
            let queue = self.queues[to].id.clone();
            self.journal(Event::QueueEntered { call, queue, priority, position });
            self.queues[to].join(place);
            if standing == Standing::Waiting {
                self.queues[to].waiting.insert(place);
                self.match_caller(call, now);
            }
        }
        self.arm_overflow(call, now);
    }

    pub(super) fn handle_max_wait(&mut self, call: CallId) {
        let Some(caller) = self.callers.get_mut(&call) else { return };
        match &mut caller.standing {
            Standing::Presented { overdue, .. } => *overdue = true,
            Standing::Waiting => self.time_out(call),
        }
    }

    /// The presentation came to nothing: back to the place that the caller never lost.
    pub(super) fn return_to_line(&mut self, call: CallId, now: Now) {
        let Some(caller) = self.callers.get_mut(&call) else { return };
        let overdue = matches!(caller.standing, Standing::Presented { overdue: true, .. });
        caller.standing = Standing::Waiting;
        if overdue {
            self.time_out(call);
            return;
        }
        for queue in &caller.queues {
            self.touched += 1;
            self.queues[*queue].waiting.insert(caller.place);
        }
        self.match_caller(call, now);
    }

    fn time_out(&mut self, call: CallId) {
        if let Some(home) = self.callers.get(&call).map(|caller| caller.queues[0]) {
            self.leave_all(call, home, LeaveReason::Timeout);
            self.outputs.push_back(Output::CallerOut { call, reason: LeaveReason::Timeout });
        }
    }

    /// Removes the entry. `last` is the queue that accounts for the call: it is left with `reason`, after the others. The
    /// others are left with `Overflow` when an agent answered, as the call went elsewhere, and with `reason` otherwise.
    pub(super) fn leave_all(&mut self, call: CallId, last: usize, reason: LeaveReason) {
        let Some(caller) = self.callers.remove(&call) else { return };
        for timer in [caller.overflow, caller.max_wait].into_iter().flatten() {
            self.timers.disarm(timer);
        }
        let others = caller.queues.iter().copied().filter(|queue| *queue != last);
        for number in others.chain([last]) {
            self.touched += 1;
            let queue = &mut self.queues[number];
            let position = queue.line.position(caller.place);
            queue.leave(caller.place);
            let reason = if number != last && reason == LeaveReason::Answered { LeaveReason::Overflow } else { reason };
            let queue = queue.id.clone();
            self.journal(Event::QueueLeft { call, queue, reason, position });
        }
    }

    fn arm_overflow(&mut self, call: CallId, now: Now) {
        let Some(caller) = self.callers.get_mut(&call) else { return };
        let step = self.queues[caller.queues[0]].overflow.get(caller.steps);
        caller.overflow = step.map(|(after_ms, _)| {
            self.timers.arm(wait_deadline(now, caller.place, *after_ms), Timer::Overflow { call })
        });
    }
}

/// The monotonic instant at which the caller has waited `ms`.
fn wait_deadline(now: Now, place: Place, ms: u64) -> u64 {
    deadline(now, place.entered_ms.saturating_add(i64::try_from(ms).unwrap_or(i64::MAX)))
}
