//! Whom a plan calls for its caller: one place after the other, or several at once; and what somebody outside sees of who calls.

use super::Switch;
use super::party::{Onward, Place};
use crate::call::{CallState, Input};
use crate::dialplan::{CursorInput, DialPlace};
use crate::id::{CallId, LegId};
use crate::journal::Cause;
use crate::media::Source;
use crate::time::Now;

impl Switch {
    /// Calls somebody for the caller; those who do not answer make room for the next ones.
    pub(super) fn dial_for(&mut self, call: CallId, places: Vec<Vec<DialPlace>>, ring_ms: u64, record: bool, now: Now) {
        let Some(cell) = self.calls.get_mut(&call) else { return };
        let number = |place: &DialPlace| match place {
            DialPlace::User(user) => user.as_str().to_owned(),
            DialPlace::Number { number, .. } => number.clone(),
        };
        let called = places.last().and_then(|places| places.last()).map(number).unwrap_or_default();
        let place = |place: DialPlace| match place {
            DialPlace::User(user) => Place::User(user),
            DialPlace::Number { trunk, .. } => Place::Trunk(trunk),
        };
        let together = |places: Vec<DialPlace>| {
            let mut places: Vec<Place> = places.into_iter().map(place).collect();
            if places.len() == 1 { places.pop() } else { Some(Place::Together(places)) }
        };
        let left = places.into_iter().filter_map(together).collect();
        cell.onward = Some(Onward { ring_ms: Some(ring_ms), record, ..Onward::to(called, left) });
        let caller = cell.caller;
        self.play(caller, Source::Music(self.ringback()), now);
        self.dial_places(call);
    }

    /// Calls the next place of those left, or the next few at once.
    fn dial_places(&mut self, call: CallId) {
        let Some(onward) = self.calls.get_mut(&call).and_then(|cell| cell.onward.as_mut()) else { return };
        let record = onward.record;
        let together = match onward.left.pop_front() {
            Some(Place::Together(places)) => places,
            first => {
                // The leg takes it from there.
                onward.left.extend(first);
                onward.left.rotate_right(1);
                Vec::new()
            }
        };
        let legs: Vec<LegId> = (0..together.len().max(1)).map(|_| self.endpoint.next_leg()).collect();
        if let Some(onward) = self.calls.get_mut(&call).and_then(|cell| cell.onward.as_mut()) {
            onward.together = legs.iter().copied().zip(together).collect();
        }
        self.tell(call, Input::Route { legs, record });
    }

    /// Who was called for the caller has not answered: the next one is called, or the plan goes on.
    pub(super) fn dial_on(&mut self, call: CallId, cause: Cause, now: Now) {
        let onward = self.calls.get(&call).and_then(|cell| cell.onward.as_ref());
        if onward.is_some_and(|onward| !onward.left.is_empty()) {
            tracing::info!(%call, code = cause.code, why = cause.text, "nobody answers there; the next one is called");
            return self.dial_places(call);
        }
        // Where no plan goes on, there is nothing more to be done for the caller.
        if self.calls.get(&call).is_some_and(|cell| cell.cursor.is_none()) {
            return self.tell(call, Input::Hangup { cause, as_designed: false });
        }
        self.advance(call, CursorInput::NotReached { cause }, now);
    }

    /// What a leg is to call next: its own place where several are called at once, else the next of all.
    pub(super) fn take_place(&mut self, call: CallId, leg: LegId) -> Option<Place> {
        let cell = self.calls.get_mut(&call)?;
        let beside_others = matches!(cell.call.state(), CallState::Routed { legs, .. } if legs.len() > 1);
        let onward = cell.onward.as_mut()?;
        if let Some(own) = onward.together.iter().position(|(own, _)| *own == leg) {
            return Some(onward.together.swap_remove(own).1);
        }
        let next = onward.left.front()?;
        if beside_others || matches!(next, Place::Together(_)) { None } else { onward.left.pop_front() }
    }

    /// The number that somebody outside sees: that which a customer who is called back had called, that of the queue of a user who
    /// places the call, else the caller's own.
    pub(super) fn shown_outside(&self, call: CallId) -> Option<String> {
        let cell = self.calls.get(&call)?;
        if cell.calls_back.is_some() {
            return Some(cell.called.clone());
        }
        let user = cell.from_agent.as_ref().filter(|user| user.as_str() == cell.number);
        let queues = user.and_then(|user| self.settings.caller_ids.get(user));
        cell.caller_id.as_ref().or(queues).or(Some(&cell.number)).cloned()
    }
}
