//! Callers who hung up while they waited, or whom a crash cut off: from when their place counted, for when they call again.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::recent::Recent;
use super::{Event, LeaveReason};
use crate::id::{CallId, QueueId};

/// A place in a queue that nobody holds any more.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Place {
    queue: QueueId,
    /// From when it counted (wall ms).
    since_ms: i64,
    /// When it was lost (wall ms).
    left_ms: i64,
}

/// A call whose caller may come to wait.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Waiting {
    number: String,
    /// The queue, and from when the place counts (wall ms).
    place: Option<(QueueId, i64)>,
    /// The lost place that this one is: nobody has it twice, and who is refused has it still.
    resumed: Option<Place>,
}

/// Lost places by the caller's number.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LostPlaces {
    /// The callers of the calls that go on, and where they wait.
    calls: BTreeMap<CallId, Waiting>,
    lost: Recent<Place>,
}

impl LostPlaces {
    /// Takes in what happened at an instant (wall ms); other events change nothing.
    pub fn handle_event(&mut self, event: &Event, at_ms: i64) {
        match event {
            Event::CallOffered { call, caller, .. } if is_number(&caller.subject) => {
                let number = caller.subject.clone();
                self.calls.insert(*call, Waiting { number, place: None, resumed: None });
            }
            // An overflow adds queues; the place is that of the first one.
            Event::QueueEntered { call, queue, since_ms, .. } => {
                let Some(waiting) = self.calls.get_mut(call).filter(|waiting| waiting.place.is_none()) else { return };
                waiting.place = Some((queue.clone(), since_ms.unwrap_or(at_ms)));
                if self.lost.get(&waiting.number).is_some_and(|lost| lost.queue == *queue) {
                    waiting.resumed = self.lost.forget(&waiting.number);
                }
            }
            Event::QueueLeft { call, queue, reason, .. } => {
                let Some(waiting) = self.calls.get_mut(call) else { return };
                let Some((queue, since_ms)) = waiting.place.take_if(|(waits_in, _)| waits_in == queue) else { return };
                let resumed = waiting.resumed.take();
                let lost = match reason {
                    LeaveReason::Abandoned => Some(Place { queue, since_ms, left_ms: at_ms }),
                    LeaveReason::Refused => resumed,
                    _ => None,
                };
                match lost {
                    Some(place) => self.lost.remember(waiting.number.clone(), place),
                    // Also where a stop has kept the place of one who was answered after all.
                    None if *reason == LeaveReason::Answered => drop(self.lost.forget(&waiting.number)),
                    None => {}
                }
            }
            Event::CallEnded { call, .. } => drop(self.calls.remove(call)),
            // Whom a stop or a crash cuts off is not to blame.
            Event::Stopped => self.keep_all(at_ms),
            Event::Started { .. } => {
                self.keep_all(at_ms);
                self.calls.clear();
            }
            _ => {}
        }
    }

    fn keep_all(&mut self, left_ms: i64) {
        for Waiting { number, place, .. } in self.calls.values() {
            let Some((queue, since_ms)) = place.clone() else { continue };
            self.lost.remember(number.clone(), Place { queue, since_ms, left_ms });
        }
    }

    /// From when the caller's place in this queue counts (wall ms), if it was lost within `within_ms` before `now_ms`.
    pub fn of(&self, number: &str, queue: &QueueId, within_ms: u64, now_ms: i64) -> Option<i64> {
        let place = self.lost.get(number).filter(|place| place.queue == *queue)?;
        let gone_ms = now_ms.saturating_sub(place.left_ms);
        u64::try_from(gone_ms).is_ok_and(|gone_ms| gone_ms <= within_ms).then_some(place.since_ms)
    }
}

/// Whether that is a number, and no word for one who does not want to be known.
fn is_number(text: &str) -> bool {
    let digits = text.strip_prefix('+').unwrap_or(text);
    digits.len() >= 3 && digits.bytes().all(|b| b.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::LegId;
    use crate::journal::{Direction, Personal};

    /// Calls of one number, told at instants.
    struct Caller(LostPlaces);

    impl Caller {
        fn call(&mut self, n: u128, at_ms: i64) -> CallId {
            let (call, leg, direction) = (CallId::new(1, n), LegId(1), Direction::Inbound);
            let (trunk, caller) = (None, Personal::number("138"));
            self.0.handle_event(&Event::CallOffered { call, leg, direction, trunk, caller, called: "4".into() }, at_ms);
            call
        }

        fn enter(&mut self, call: CallId, queue: &str, since_ms: Option<i64>, at_ms: i64) {
            let queue = queue.into();
            self.0.handle_event(&Event::QueueEntered { call, queue, priority: 0, position: 1, since_ms }, at_ms);
        }

        fn leave(&mut self, call: CallId, queue: &str, reason: LeaveReason, at_ms: i64) {
            self.0.handle_event(&Event::QueueLeft { call, queue: queue.into(), reason, position: 1 }, at_ms);
        }

        fn place(&self, queue: &str, now_ms: i64) -> Option<i64> {
            self.0.of("138", &queue.into(), 1_000, now_ms)
        }
    }

    #[test]
    fn a_place_is_kept_for_a_time_and_over_a_second_try() {
        let mut caller = Caller(LostPlaces::default());
        let first = caller.call(1, 100);
        caller.enter(first, "support", None, 200);
        caller.enter(first, "sales", None, 300);
        caller.leave(first, "sales", LeaveReason::Abandoned, 400);
        caller.leave(first, "support", LeaveReason::Abandoned, 400);
        assert_eq!((caller.place("support", 1_400), caller.place("support", 1_401)), (Some(200), None));
        assert_eq!(caller.place("sales", 400), None, "the place is that of the queue that was entered");
        let second = caller.call(2, 500);
        caller.enter(second, "support", Some(200), 600);
        assert_eq!(caller.place("support", 600), None, "nobody has it twice");
        caller.leave(second, "support", LeaveReason::Abandoned, 2_000);
        assert_eq!(caller.place("support", 2_500), Some(200));
        let third = caller.call(3, 2_500);
        caller.enter(third, "support", Some(200), 2_500);
        caller.leave(third, "support", LeaveReason::Answered, 2_600);
        assert_eq!(caller.place("support", 2_600), None, "who was answered has had it");
    }

    #[test]
    fn who_is_refused_or_asks_elsewhere_has_the_place_still() {
        let mut caller = Caller(LostPlaces::default());
        let first = caller.call(1, 100);
        caller.enter(first, "support", None, 200);
        caller.leave(first, "support", LeaveReason::Abandoned, 300);
        let second = caller.call(2, 400);
        caller.enter(second, "sales", None, 400);
        caller.enter(caller_call(3), "support", None, 400);
        assert_eq!(caller.place("support", 500), Some(200), "sales is another line, and so is a stranger's");
        let third = caller.call(4, 500);
        caller.enter(third, "support", Some(200), 500);
        caller.leave(third, "support", LeaveReason::Refused, 500);
        assert_eq!((caller.place("support", 1_300), caller.place("support", 1_301)), (Some(200), None));
    }

    fn caller_call(n: u128) -> CallId {
        CallId::new(1, n)
    }

    #[test]
    fn who_waits_while_the_floor_closes_has_the_place_unless_answered() {
        let mut caller = Caller(LostPlaces::default());
        let call = caller.call(1, 100);
        caller.enter(call, "support", None, 200);
        caller.0.handle_event(&Event::Stopped, 300);
        assert_eq!(caller.place("support", 400), Some(200));
        caller.leave(call, "support", LeaveReason::Answered, 400);
        assert_eq!(caller.place("support", 400), None);
    }

    #[test]
    fn whom_a_crash_cut_off_has_the_place_back() {
        let mut caller = Caller(LostPlaces::default());
        let call = caller.call(1, 100);
        caller.enter(call, "support", None, 200);
        caller.0.handle_event(&Event::Started { node: "n".into(), boot: 2, version: "0".into() }, 5_000);
        caller.leave(call, "support", LeaveReason::Ended, 5_000);
        assert_eq!(caller.place("support", 6_000), Some(200));
    }
}
