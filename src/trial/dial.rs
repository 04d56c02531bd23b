//! Phones that the plan calls for its caller, one after the other: those of our users, who do as agents do, and those outside.

use std::collections::VecDeque;

use super::case::{Person, Phone};
use super::play::{Deed, Stage};
use crate::call::{CallState, Input};
use crate::dialplan::DialPlace;
use crate::id::LegId;
use crate::journal::Cause;

/// Whom a step calls.
#[derive(Debug, Default)]
pub(super) struct Dialling {
    /// Those who have not been called yet.
    pub(super) left: VecDeque<Vec<DialPlace>>,
    /// Those who are being called at once, each on a leg of its own.
    pub(super) together: Vec<(LegId, DialPlace)>,
    /// How long each may ring.
    pub(super) ring_ms: u64,
    /// Whether the conversation is recorded.
    pub(super) record: bool,
}

impl Stage<'_> {
    /// The next one is called, or the next few at once.
    pub(super) fn dial_on(&mut self) {
        let together = self.dialling.left.pop_front().unwrap_or_default();
        let together: Vec<(LegId, DialPlace)> = together.into_iter().map(|place| (self.draw_leg(), place)).collect();
        let legs = together.iter().map(|(leg, _)| *leg).collect();
        let record = self.dialling.record;
        self.dialling.together = together;
        self.call.handle(Input::Route { legs, record });
    }

    pub(super) fn dial_target(&mut self, leg: LegId) {
        let Some(place) = self.dialling.together.iter().position(|(own, _)| *own == leg) else { return };
        let phone = match self.dialling.together.swap_remove(place).1 {
            DialPlace::User(user) => user.to_string(),
            DialPlace::Number { number, .. } => number,
        };
        self.note(format!("{phone} is called"));
        self.course.called.push(phone.clone());
        let unreachable = Person { phone: Phone::Unreachable, ..Person::default() };
        let person = self.target(&phone).unwrap_or(unreachable);
        match person.phone {
            Phone::Busy => return self.target_fails(leg, Cause::new(486, "busy")),
            Phone::Unreachable => return self.target_fails(leg, Cause::new(480, "no_contact")),
            Phone::Answers | Phone::Rings | Phone::Rejects => {}
        }
        self.call.handle(Input::TargetRinging { leg });
        self.after(self.dialling.ring_ms, Deed::RingOut { leg });
        if person.phone != Phone::Rings {
            self.after(person.after_ms, Deed::TargetDecides { phone, leg });
        }
    }

    fn target_fails(&mut self, leg: LegId, cause: Cause) {
        self.call.handle(Input::TargetFailed { leg, cause });
    }

    fn target(&self, phone: &str) -> Option<Person> {
        let agents = self.given.agents.iter().find(|(agent, _)| agent.as_str() == phone).map(|(_, person)| person);
        self.given.phones.get(phone).or(agents).cloned()
    }

    /// Whether a phone rings that the plan has called.
    pub(super) fn rings_for_plan(&self, leg: LegId) -> bool {
        matches!(self.call.state(), CallState::Routed { legs, .. } if legs.contains(&leg))
    }

    /// Whoever was called answers, or rejects the call. One that is given up by now is nobody's any more.
    pub(super) fn target_decides(&mut self, phone: String, leg: LegId) {
        let rings = self.rings_for_plan(leg);
        let Some(person) = self.target(&phone).filter(|_| rings) else { return };
        if person.phone == Phone::Rejects {
            return self.target_fails(leg, Cause::new(603, "declined"));
        }
        self.note(format!("{phone} answers"));
        self.after(person.talks_ms, Deed::TargetLeaves { phone, leg });
        let codec = || "PCMA".to_owned();
        self.call.handle(Input::TargetAnswered { leg, codec_in: codec(), codec_out: codec(), number: None });
    }
}
