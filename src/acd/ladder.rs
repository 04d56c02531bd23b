//! What callers of one kind ask of who answers, relaxing by steps: the queue's thresholds, and for callers who bring wishes of their
//! own those besides. Each kind waits, and is looked for, on its own ladder, so that an event looks at nobody in vain.

use std::collections::{BTreeMap, BTreeSet};

use crate::journal::SkillWish;

use super::Acd;
use super::agent::{Agent, Membership};
use super::caller::Entry;
use super::line::Place;
use super::queue::{Queue, Rank};
use super::settings::{Member, QueueSettings};

/// How many kinds of callers a queue tells apart at once; who comes after is of the first kind, without wishes.
const MOST: usize = 200;
/// So many are kept though no caller is of the kind; beyond that a new kind takes the place of one that is not needed.
const KEPT: usize = 16;

#[derive(Clone, Debug)]
pub(super) struct Ladder {
    /// What its callers wish.
    wishes: Box<[SkillWish]>,
    /// How many there are, those included whose agent's phone rings.
    pub(super) callers: u32,
    /// What is asked from an instant after the entry on (ms), the first from the beginning.
    rings: Vec<Ring>,
    /// Those whom any agent of their ring may have, by the ring that they have reached.
    pub(super) waiting: Vec<BTreeSet<Place>>,
    /// Available agents who qualify, the best first.
    pub(super) available: BTreeSet<Rank>,
}

#[derive(Clone, Debug)]
struct Ring {
    after_ms: u64,
    required: BTreeMap<String, u8>,
    /// The highest tier that is called.
    tier: u8,
}

impl Ladder {
    /// The queue's steps of relaxation stand earliest first.
    pub(super) fn new(settings: &QueueSettings, wishes: Box<[SkillWish]>) -> Self {
        let mut instants = BTreeSet::from([0]);
        instants.extend(settings.relax.iter().map(|step| step.after_ms));
        instants.extend(wishes.iter().filter_map(|wish| wish.for_ms));
        let ring = |after_ms| {
            let step = settings.relax.iter().rev().find(|step| step.after_ms <= after_ms);
            let (required, tier) = match step {
                Some(step) => (&step.required, step.tier),
                None => (&settings.required, settings.tier),
            };
            with(Ring { after_ms, required: required.clone(), tier }, &wishes)
        };
        let rings: Vec<Ring> = instants.into_iter().take(usize::from(u8::MAX)).map(ring).collect();
        Self { waiting: vec![BTreeSet::new(); rings.len()], available: BTreeSet::new(), callers: 0, wishes, rings }
    }

    /// The first ring that takes an agent of such levels; `None` where none does.
    pub(super) fn ring_of(&self, level: impl Fn(&str) -> Option<u8>, tier: u8) -> Option<u8> {
        let takes = |ring: &Ring| {
            let mut levels = ring.required.iter();
            tier <= ring.tier && levels.all(|(skill, least)| level(skill).is_some_and(|has| has >= *least))
        };
        self.rings.iter().position(takes).and_then(|ring| u8::try_from(ring).ok())
    }

    /// What is asked of members in a ring.
    pub(super) fn required_in(&self, ring: u8) -> &BTreeMap<String, u8> {
        // There is one at least.
        let last = self.rings.len() - 1;
        &self.rings[usize::from(ring).min(last)].required
    }

    /// The ring that a caller has reached who has waited so long.
    pub(super) fn ring_after(&self, waited_ms: i64) -> u8 {
        let reached = |ring: &&Ring| i64::try_from(ring.after_ms).is_ok_and(|after_ms| after_ms <= waited_ms);
        let steps = self.rings.iter().skip(1).filter(reached).count();
        u8::try_from(steps).unwrap_or(u8::MAX)
    }

    /// When the ring after this one is reached (ms after the entry).
    pub(super) fn next_after(&self, ring: u8) -> Option<u64> {
        self.rings.get(usize::from(ring) + 1).map(|ring| ring.after_ms)
    }

    /// The first in line whom an agent of this ring may have.
    pub(super) fn first_for(&self, ring: u8) -> Option<Place> {
        self.waiting[usize::from(ring)..].iter().filter_map(|places| places.first()).min().copied()
    }
}

/// Of two thresholds for a skill the higher one holds.
fn with(mut ring: Ring, wishes: &[SkillWish]) -> Ring {
    let held = wishes.iter().filter(|wish| wish.for_ms.is_none_or(|for_ms| for_ms > ring.after_ms));
    for SkillWish { skill, least, .. } in held {
        let level = ring.required.entry(skill.clone()).or_default();
        *level = (*level).max(*least);
    }
    ring
}

impl Agent {
    /// Joins a ladder of a queue, in whose list the agent has this place, if the skills reach its thresholds, now or once they are
    /// relaxed; whether that is so.
    fn qualify(&mut self, (queue, ladder): (usize, u8), ring: Option<u8>, place: usize, member: &Member) -> bool {
        let Some(ring) = ring else { return false };
        let Err(at) = self.queues.binary_search_by_key(&(queue, ladder), Membership::key) else { return false };
        let place = u32::try_from(place).unwrap_or(u32::MAX);
        let (tier, weight) = (member.tier, member.weight);
        self.queues
            .insert(at, Membership { queue, ladder, ring, tier, weight, calls: 0, place, figure: 0, idle_since_ms: 0 });
        true
    }
}

impl Acd {
    /// The ladder of callers with such wishes; `None` where there are too many kinds. The first caller of a kind has it made, which
    /// looks at the queue's members.
    pub(super) fn ladder(&mut self, queue: usize, wishes: &[SkillWish]) -> Option<u8> {
        let ladders = &self.queues[queue].ladders;
        if let Some(known) = ladders.iter().position(|ladder| *ladder.wishes == *wishes) {
            return u8::try_from(known).ok();
        }
        let unused = || ladders.iter().skip(1).position(|ladder| ladder.callers == 0).map(|at| at + 1);
        let at = if ladders.len() < KEPT { None } else { unused() }.unwrap_or(ladders.len());
        let number = u8::try_from(at).ok().filter(|_| at < MOST)?;
        self.give_back(queue, number);
        let ladder = Ladder::new(&self.queues[queue].settings, wishes.into());
        let ladders = &mut self.queues[queue].ladders;
        match ladders.get_mut(at) {
            Some(unused) => *unused = ladder,
            None => ladders.push(ladder),
        }
        for place in 0..self.queues[queue].settings.members.len() {
            self.touched += 1;
            self.enlist(queue, number, place);
        }
        Some(number)
    }

    /// Nobody is called by a ladder any more.
    fn give_back(&mut self, queue: usize, ladder: u8) {
        if usize::from(ladder) >= self.queues[queue].ladders.len() {
            return;
        }
        for place in 0..self.queues[queue].settings.members.len() {
            self.touched += 1;
            let member = &self.queues[queue].settings.members[place].agent;
            let Some(first) = self.agent_numbers.get(member).copied() else { continue };
            for n in self.appearances(first) {
                self.agents[n].queues.retain(|member| member.key() != (queue, ladder));
            }
        }
    }

    /// Tells who stands at a place in a queue's list that he or she qualifies for the callers of a ladder, if so; gives the agent.
    pub(super) fn enlist(&mut self, queue: usize, ladder: u8, place: usize) -> Option<usize> {
        let member = self.queues[queue].settings.members[place].clone();
        let first = self.agent_numbers.get(&member.agent).copied()?;
        let mut qualifies = false;
        for n in self.appearances(first) {
            let level = |skill: &str| self.skills.level(&self.agents[n].skills, skill);
            let ring = self.queues[queue].ladders[usize::from(ladder)].ring_of(level, member.tier);
            qualifies = self.agents[n].qualify((queue, ladder), ring, place, &member);
            if let (true, Some(calls)) = (qualifies, self.agents[n].open_with) {
                self.index_in(n, (queue, ladder), calls);
            }
        }
        qualifies.then_some(first)
    }

    /// Where a caller's entry stands.
    pub(super) fn ladder_of(&self, entry: &Entry) -> &Ladder {
        &self.queues[entry.queue].ladders[usize::from(entry.ladder)]
    }
}

impl Queue {
    /// The ladder of callers without wishes.
    pub(super) fn plain(&self) -> &Ladder {
        &self.ladders[0]
    }
}
