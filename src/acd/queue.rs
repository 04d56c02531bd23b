//! One queue: who waits, who could answer.

use std::collections::BTreeSet;
use std::ops::Bound::{Excluded, Unbounded};

use crate::id::CallId;
use crate::journal::Strategy;

use super::agent::Membership;
use super::caller::Entry;
use super::expect::Expectation;
use super::ladder::Ladder;
use super::line::{Line, Place};
use super::settings::{Needs, QueueSettings};

/// How many phones ring at once for one caller: each needs ports before it is known who answers.
const MOST_PHONES: usize = 50;

/// An available agent as the queue's strategy sees him or her: the smallest is the best.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Rank {
    /// Who qualified in an earlier ring of thresholds is better.
    pub(super) ring: u8,
    pub(super) tier: u8,
    /// In how many calls the agent is already.
    pub(super) calls: u8,
    /// What the strategy goes by, the same for all where it goes by idle time.
    pub(super) figure: i64,
    /// Since when the agent has been idle (wall ms).
    pub(super) idle_since_ms: i64,
    agent: u32,
}

#[derive(Clone, Debug)]
pub(super) struct Queue {
    /// Its steps stand earliest first.
    pub(super) settings: QueueSettings,
    /// The settings name it no longer: nobody joins, and who waits is served by the members that it had.
    pub(super) draining: bool,
    /// All in the queue, those included whose agent's phone rings: tells positions.
    pub(super) line: Line,
    /// The same by the instant of entering: tells the longest wait.
    pub(super) by_age: BTreeSet<(i64, CallId)>,
    /// How many any agent may have, on all ladders.
    pub(super) waiting: usize,
    /// One for each kind of callers, the first for those without wishes.
    pub(super) ladders: Vec<Ladder>,
    /// The place in the list of who was presented a caller last.
    pub(super) last: Option<i64>,
    /// The lot of who was drawn last: later lots are drawn from here on.
    pub(super) drawn: i64,
    pub(super) expectation: Expectation,
}

impl Queue {
    pub(super) fn new(mut settings: QueueSettings) -> Self {
        settings.overflow.sort_by_key(|step| step.after_ms);
        settings.relax.sort_by_key(|step| step.after_ms);
        settings.members.shrink_to_fit();
        Self {
            ladders: vec![Ladder::new(&settings, Box::default())],
            settings,
            draining: false,
            line: Line::default(),
            by_age: BTreeSet::new(),
            waiting: 0,
            last: None,
            drawn: 0,
            expectation: Expectation::default(),
        }
    }

    /// The queue without anybody in it, as it goes on when the settings name it no longer.
    pub(super) fn drained(self) -> Self {
        let mut drained = Self { draining: true, last: self.last, ..Self::new(self.settings) };
        drained.expectation.remember(&self.expectation);
        drained
    }

    pub(super) fn join(&mut self, place: Place) {
        self.line.insert(place);
        self.by_age.insert((place.entered_ms, place.call));
    }

    pub(super) fn leave(&mut self, place: Place) {
        self.line.remove(place);
        self.by_age.remove(&(place.entered_ms, place.call));
    }

    /// Knows what the queue knew under its former settings: where it was in the list, if that is the same, and how long calls take.
    pub(super) fn remember(&mut self, former: &Self) {
        self.last = former.last.filter(|_| self.settings.members == former.settings.members);
        self.expectation.remember(&former.expectation);
    }

    /// Whether its callers wait as long and in the same way as those of `other`.
    pub(super) fn waits_like(&self, other: &Self) -> bool {
        self.settings.max_wait_ms == other.settings.max_wait_ms && self.settings.overflow == other.settings.overflow
    }

    /// Whether one more may join, at this position.
    pub(super) fn takes(&self, position: u32) -> bool {
        let settings = &self.settings;
        let room = settings.capacity.is_none_or(|capacity| self.by_age.len() < capacity as usize);
        let soon = settings.max_expected_ms.is_none_or(|most| {
            self.expected_ms(position).is_none_or(|ms| u64::try_from(ms).is_ok_and(|ms| ms <= most))
        });
        room && soon && !self.draining && self.has(settings.join_needs) && self.has(settings.wait_needs)
    }

    /// Whether who is needed is there.
    pub(super) fn has(&self, needs: Needs) -> bool {
        match needs {
            Needs::Nobody => true,
            Needs::SignedIn => self.expectation.signed_in > 0,
            Needs::Ready => self.expectation.ready > 0,
        }
    }

    pub(super) fn wait(&mut self, place: Place, entry: &Entry) {
        let is_new = self.ladders[usize::from(entry.ladder)].waiting[usize::from(entry.ring)].insert(place);
        self.waiting += usize::from(is_new);
    }

    pub(super) fn unwait(&mut self, place: Place, entry: &Entry) {
        let was_there = self.ladders[usize::from(entry.ladder)].waiting[usize::from(entry.ring)].remove(&place);
        self.waiting -= usize::from(was_there);
    }

    /// Everybody whom an agent may have, by ladder and ring.
    pub(super) fn waiting(&self) -> impl Iterator<Item = ((u8, u8), &Place)> {
        (0..=u8::MAX).zip(&self.ladders).flat_map(|(number, ladder)| {
            let rings = (0..=u8::MAX).zip(&ladder.waiting);
            rings.flat_map(move |(ring, places)| places.iter().map(move |place| ((number, ring), place)))
        })
    }

    /// Whom a caller of a ladder and a ring gets, and who would have been next. `tried` is the place in the list of whom the caller
    /// had last.
    pub(super) fn best(&self, (ladder, ring): (u8, u8), tried: Option<i64>) -> Option<(Rank, Option<Rank>)> {
        let may = |rank: &&Rank| rank.ring <= ring;
        let available = &self.ladders[usize::from(ladder)].available;
        let first = available.first().filter(may)?;
        let after = match self.settings.strategy {
            Strategy::RoundRobin => self.last,
            Strategy::Sequential => tried,
            _ => None,
        };
        let onward = after.and_then(|place| {
            let from = Rank { figure: place + 1, idle_since_ms: i64::MIN, agent: 0, ..*first };
            available.range(from..).next().filter(|rank| first.is_beside(rank))
        });
        let best = onward.unwrap_or(first);
        let later = available.range((Excluded(best), Unbounded)).next().filter(may);
        let around = Some(first).filter(|first| *first != best);
        let next = later.filter(|later| best.is_beside(later)).or(around).or(later);
        Some((*best, next.copied()))
    }

    /// All whose phones ring at once for a caller of a ladder and a ring: those who are as good as the best.
    pub(super) fn all_best(&self, (ladder, ring): (u8, u8)) -> impl Iterator<Item = Rank> {
        let available = &self.ladders[usize::from(ladder)].available;
        let first = available.first().filter(|rank| rank.ring <= ring).copied();
        let beside = move |rank: &Rank| first.is_some_and(|first| first.is_beside(rank));
        available.iter().copied().take_while(beside).take(MOST_PHONES)
    }
}

impl Rank {
    /// The rank of an agent by number, as he or she stands in a queue. Nobody has four billion agents.
    pub(super) fn of(agent: usize, member: &Membership) -> Self {
        let Membership { ring, tier, calls, figure, idle_since_ms, .. } = *member;
        Self { ring, tier, calls, figure, idle_since_ms, agent: u32::try_from(agent).unwrap_or(u32::MAX) }
    }

    /// The agent's number.
    pub(super) fn agent(&self) -> usize {
        self.agent as usize
    }

    /// Whether both are of the same ring and tier, and as busy.
    fn is_beside(&self, other: &Self) -> bool {
        (self.ring, self.tier, self.calls) == (other.ring, other.tier, other.calls)
    }
}
