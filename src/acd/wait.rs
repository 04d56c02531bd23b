//! What comes due while a caller waits: one timer for the first of it.

use std::collections::BTreeSet;

use crate::id::CallId;
use crate::journal::{Event, LeaveReason};
use crate::time::Now;

use super::caller::{Caller, Standing};
use super::events::Preference;
use super::line::Place;
use super::{Acd, Timer, deadline};

/// How often the wait that is still to be expected is looked at (ms).
const LOOK_MS: i64 = 10_000;

/// What is due; of one instant, the first named comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Due {
    /// A step of relaxation in the queue at this place of the caller's list.
    Relax(usize),
    /// The next overflow.
    Overflow,
    /// The end of waiting for one agent alone.
    Anyone,
    /// One more phone.
    More,
    /// A look at how long the wait will be yet.
    Look,
    /// The end of the wait.
    MaxWait,
}

impl Acd {
    /// Arms the timer for what is due first. One that stands for that instant already stays.
    pub(super) fn arm_wait(&mut self, call: CallId, now: Now) {
        let Some(caller) = self.callers.get(&call) else { return };
        let at = self.next_due(caller).map(|(at, _)| at);
        let Some(caller) = self.callers.get_mut(&call) else { return };
        if caller.timer.map(|(at, _)| at) == at {
            return;
        }
        if let Some((_, timer)) = caller.timer.take() {
            self.timers.disarm(timer);
        }
        caller.timer = at.map(|at| (at, self.timers.arm(deadline(now, at), Timer::Wait { call })));
    }

    pub(super) fn handle_wait_due(&mut self, call: CallId, now: Now) {
        let Some((armed_for, _)) = self.callers.get_mut(&call).and_then(|caller| caller.timer.take()) else { return };
        // The wall clock may have been set back since.
        let horizon = armed_for.max(now.wall_ms);
        while let Some((at, due)) = self.callers.get(&call).and_then(|caller| self.next_due(caller)) {
            if at > horizon {
                break;
            }
            match due {
                Due::Relax(place) => self.relax(call, place, now),
                Due::Overflow => self.overflow(call, now),
                Due::Anyone => self.take_anyone(call, now),
                Due::More => self.ring_more(call, now),
                Due::Look => self.look_ahead(call, now),
                Due::MaxWait => self.end_wait(call),
            }
        }
        self.arm_wait(call, now);
    }

    fn next_due(&self, caller: &Caller) -> Option<(i64, Due)> {
        let after = |ms: u64| caller.place.entered_ms.saturating_add(i64::try_from(ms).unwrap_or(i64::MAX));
        let relax = caller.queues.iter().enumerate().filter_map(|(place, entry)| {
            let after_ms = self.ladder_of(entry).next_after(entry.ring)?;
            Some((after(after_ms), Due::Relax(place)))
        });
        let home = &self.queues[caller.queues[0].queue].settings;
        let overflow = home.overflow.get(caller.steps).map(|step| (after(step.after_ms), Due::Overflow));
        let (own, overdue) = match &caller.standing {
            Standing::Waiting => (None, false),
            Standing::Preferring { until_ms, .. } => (Some((*until_ms, Due::Anyone)), false),
            Standing::Presented { more_ms, overdue, .. } => (more_ms.map(|at| (at, Due::More)), *overdue),
        };
        let joined = |ms: u64| caller.joined_ms.saturating_add(i64::try_from(ms).unwrap_or(i64::MAX));
        let max_wait = home.max_wait_ms.filter(|_| !overdue && !caller.stays).map(|ms| (joined(ms), Due::MaxWait));
        let looks = home.leave_expected_ms.is_some() && caller.standing == Standing::Waiting && !caller.stays;
        let look = looks.then(|| (caller.looked_ms.saturating_add(LOOK_MS), Due::Look));
        relax.chain(overflow).chain(own).chain(max_wait).chain(look).min()
    }

    fn relax(&mut self, call: CallId, place: usize, now: Now) {
        self.unlist(call);
        if let Some(entry) = self.callers.get_mut(&call).and_then(|caller| caller.queues.get_mut(place)) {
            entry.ring = entry.ring.saturating_add(1);
        }
        self.stand(call);
        self.match_caller(call, now);
    }

    fn overflow(&mut self, call: CallId, now: Now) {
        let Some(caller) = self.callers.get_mut(&call) else { return };
        let Some(step) = self.queues[caller.queues[0].queue].settings.overflow.get(caller.steps) else { return };
        caller.steps += 1;
        // A step to a queue that is named already, that takes nobody or is no more leaves the caller where he or she is.
        let Some(to) = self.queue_numbers.get(&step.to).copied() else { return };
        let position = self.queues[to].line.position(caller.place);
        if caller.queues.iter().any(|entry| entry.queue == to) || !self.queues[to].takes(position) {
            return;
        }
        self.unlist(call);
        let Some(caller) = self.callers.get_mut(&call) else { return };
        let (place, priority, joined_ms) = (caller.place, caller.priority, caller.joined_ms);
        let wishes = caller.wishes.clone();
        let entry = self.entry(to, &wishes, place.entered_ms, now);
        self.tell_unheeded(call, entry, &wishes);
        self.callers.entry(call).and_modify(|caller| caller.queues.push(entry));
        self.touched += 1;
        let queue = self.queues[to].settings.id.clone();
        let since_ms = Some(place.entered_ms).filter(|entered_ms| *entered_ms < joined_ms);
        self.journal(Event::QueueEntered { call, queue, priority, position, since_ms });
        self.queues[to].join(place);
        self.stand(call);
        self.match_caller(call, now);
    }

    /// Whoever has too long to wait yet, in every queue, goes on by the plan.
    fn look_ahead(&mut self, call: CallId, now: Now) {
        let Some(caller) = self.callers.get_mut(&call) else { return };
        caller.looked_ms = now.wall_ms.max(caller.looked_ms.saturating_add(LOOK_MS));
        let most = self.queues[caller.queues[0].queue].settings.leave_expected_ms;
        self.touched += caller.queues.len() as u64;
        let expected = self.view().expected_wait_ms(call);
        if most.zip(expected).is_some_and(|(most, expected)| expected > most) {
            self.put_out(call, LeaveReason::Refused);
        }
    }

    fn end_wait(&mut self, call: CallId) {
        let Some(caller) = self.callers.get_mut(&call) else { return };
        match &mut caller.standing {
            Standing::Presented { overdue, .. } => *overdue = true,
            Standing::Waiting | Standing::Preferring { .. } => self.time_out(call),
        }
    }

    /// Whom a caller waits for alone, and until when; `None` where there is nothing to wait for.
    pub(super) fn preferred(&self, prefer: &Preference, now: Now) -> Option<(usize, i64)> {
        let agent = self.agent_numbers.get(&prefer.agent).copied()?;
        let is_open = self.open_appearance(agent).is_some();
        let comes = is_open || prefer.wait_ms > 0 && self.presence(agent).signed_in;
        let wait_ms = i64::try_from(prefer.wait_ms).unwrap_or(i64::MAX);
        comes.then(|| (agent, now.wall_ms.saturating_add(wait_ms)))
    }

    /// The caller waits for one agent no longer, but for any.
    fn take_anyone(&mut self, call: CallId, now: Now) {
        self.rejoin(call, now);
        self.match_caller(call, now);
    }

    /// Whom callers wait for alone is gone: they wait for anybody. Gives them, for whom to look.
    pub(super) fn release_wanted(&mut self, agent: usize, now: Now) -> BTreeSet<Place> {
        let released = self.wanted.get(&self.first_appearance(agent)).cloned().unwrap_or_default();
        released.iter().for_each(|place| self.rejoin(place.call, now));
        released
    }
}
