//! One queue: who waits, who could answer.

use std::collections::BTreeSet;

use crate::id::QueueId;

use super::line::{Line, Place};
use super::settings::QueueSettings;

/// An agent in the order "longest idle first, then as in the settings".
pub(super) type Idle = (i64, usize);

#[derive(Clone, Debug)]
pub(super) struct Queue {
    pub(super) id: QueueId,
    pub(super) ring_timeout_ms: u64,
    pub(super) acw_ms: u64,
    pub(super) max_wait_ms: Option<u64>,
    pub(super) capacity: Option<u32>,
    pub(super) required: Vec<(String, u8)>,
    /// (milliseconds after entering, queue), earliest first.
    pub(super) overflow: Vec<(u64, usize)>,
    /// All in the queue, those included whose agent's phone rings: tells positions.
    pub(super) line: Line,
    /// The same by the instant of entering: tells the longest wait.
    pub(super) by_age: BTreeSet<(i64, Place)>,
    /// Those for whom no agent is reserved.
    pub(super) waiting: BTreeSet<Place>,
    /// Available agents who qualify.
    pub(super) available: BTreeSet<Idle>,
}

impl Queue {
    pub(super) fn new(settings: QueueSettings, mut overflow: Vec<(u64, usize)>) -> Self {
        overflow.sort_by_key(|(after_ms, _)| *after_ms);
        Self {
            id: settings.id,
            ring_timeout_ms: settings.ring_timeout_ms,
            acw_ms: settings.acw_ms,
            max_wait_ms: settings.max_wait_ms,
            capacity: settings.capacity,
            required: settings.required.into_iter().collect(),
            overflow,
            line: Line::default(),
            by_age: BTreeSet::new(),
            waiting: BTreeSet::new(),
            available: BTreeSet::new(),
        }
    }

    pub(super) fn join(&mut self, place: Place) {
        self.line.insert(place);
        self.by_age.insert((place.entered_ms, place));
    }

    pub(super) fn leave(&mut self, place: Place) {
        self.line.remove(place);
        self.by_age.remove(&(place.entered_ms, place));
        self.waiting.remove(&place);
    }

    pub(super) fn is_full(&self) -> bool {
        self.capacity.is_some_and(|capacity| self.by_age.len() >= capacity as usize)
    }
}
