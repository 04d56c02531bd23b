//! Where a trunk's calls go: targets by priority and weight, and which of them answer.

use std::cmp::Reverse;

use crate::sip::message::Uri;
use crate::sip::weights::in_turn;
use crate::time::Now;

/// One place where a trunk takes calls.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// Where: its user part is replaced by the called number.
    pub uri: Uri,
    /// Lower ones come first.
    pub priority: u16,
    /// The share of the calls within a priority; 0 only where all others have failed.
    pub weight: u16,
}

/// Whether a target answers OPTIONS.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Health {
    /// It answered the last one.
    Up,
    /// It was not asked yet, or is never asked.
    Unknown,
    /// It has not answered twice in a row, or said 503.
    Down,
}

/// A target as it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TargetState {
    /// Where.
    pub uri: Uri,
    /// Whether it answers.
    pub health: Health,
    /// Since when, wall ms; 0 where it was never asked.
    pub since_wall_ms: i64,
    /// What the last answer took, microseconds.
    pub round_trip_us: Option<u64>,
}

/// Failures in a row after which a target counts as down.
const FAILURES: u32 = 2;

#[derive(Clone, Debug)]
struct Watched {
    target: Target,
    health: Health,
    since_wall_ms: i64,
    failures: u32,
    round_trip_us: Option<u64>,
}

/// A trunk's targets and how they fare.
#[derive(Clone, Debug, Default)]
pub(in crate::sip) struct Targets(Vec<Watched>);

impl Targets {
    pub(in crate::sip) fn new(targets: &[Target]) -> Self {
        let watched = |target: &Target| Watched {
            target: target.clone(),
            health: Health::Unknown,
            since_wall_ms: 0,
            failures: 0,
            round_trip_us: None,
        };
        Self(targets.iter().map(watched).collect())
    }

    /// Where to call, one after the other: those that answer first, then by priority, then drawn by weight (as RFC 2782 does).
    /// Those that are down come last: who is wrong about that is still tried.
    pub(in crate::sip) fn order(&self, draw: impl FnMut() -> u64) -> Vec<Uri> {
        let mut sorted: Vec<&Watched> = self.0.iter().collect();
        sorted.sort_by_key(|watched| watched.rank());
        let order = in_turn(sorted, |watched| watched.rank(), |watched| watched.target.weight, 0, draw);
        order.into_iter().map(|watched| watched.target.uri.clone()).collect()
    }

    pub(in crate::sip) fn uri(&self, index: usize) -> Option<&Uri> {
        self.0.get(index).map(|watched| &watched.target.uri)
    }

    /// A target answered after that long, or did not (`None`). Returns its new state where that has changed.
    pub(in crate::sip) fn handle_probe(&mut self, index: usize, took_us: Option<u64>, now: Now) -> Option<Health> {
        let watched = self.0.get_mut(index)?;
        watched.round_trip_us = took_us;
        watched.failures = if took_us.is_some() { 0 } else { watched.failures + 1 };
        let health = match took_us {
            Some(_) => Health::Up,
            None if watched.failures >= FAILURES => Health::Down,
            None => watched.health,
        };
        if health == watched.health {
            return None;
        }
        watched.health = health;
        watched.since_wall_ms = now.wall_ms;
        Some(health)
    }

    pub(in crate::sip) fn states(&self) -> Vec<TargetState> {
        let state = |watched: &Watched| TargetState {
            uri: watched.target.uri.clone(),
            health: watched.health,
            since_wall_ms: watched.since_wall_ms,
            round_trip_us: watched.round_trip_us,
        };
        self.0.iter().map(state).collect()
    }
}

impl Watched {
    /// A target without weight comes after all others of its priority.
    fn rank(&self) -> (bool, u16, Reverse<bool>) {
        (self.health == Health::Down, self.target.priority, Reverse(self.target.weight > 0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn targets(list: &[(&str, u16, u16)]) -> Targets {
        let target = |(host, priority, weight): &(&str, u16, u16)| Target {
            uri: format!("sip:{host}").parse().unwrap(),
            priority: *priority,
            weight: *weight,
        };
        Targets::new(&list.iter().map(target).collect::<Vec<_>>())
    }

    fn hosts(targets: &Targets, draw: u64) -> String {
        let order = targets.order(|| draw);
        order.iter().map(|uri| uri.host.as_str()).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn priority_comes_before_weight_and_weight_is_a_share() {
        let targets = targets(&[("a", 2, 1), ("b", 1, 3), ("c", 1, 1), ("d", 1, 0)]);
        let mut first = std::collections::BTreeMap::new();
        for draw in 0..400 {
            let order = hosts(&targets, draw);
            assert!(order.ends_with(" d a"), "{order}");
            *first.entry(order[..1].to_owned()).or_insert(0) += 1;
        }
        assert_eq!(first, [("b".to_owned(), 300), ("c".to_owned(), 100)].into());
    }

    #[test]
    fn who_does_not_answer_twice_is_called_last_until_it_answers() {
        let mut targets = targets(&[("a", 1, 1), ("b", 2, 1)]);
        let now = Now { mono_ns: 0, wall_ms: 5 };
        assert_eq!(targets.handle_probe(0, None, now), None);
        assert_eq!(hosts(&targets, 0), "a b");
        assert_eq!(targets.handle_probe(0, None, now), Some(Health::Down));
        assert_eq!(hosts(&targets, 0), "b a");
        assert_eq!(targets.handle_probe(0, Some(900), now), Some(Health::Up));
        assert_eq!((hosts(&targets, 0), targets.handle_probe(0, Some(1), now)), ("a b".to_owned(), None));
        assert_eq!(targets.states()[0].round_trip_us, Some(1));
    }
}
