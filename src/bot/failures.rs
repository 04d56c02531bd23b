//! What went wrong, counted, and said once.

use std::collections::BTreeMap;

/// Kinds of failure that are told apart; the rest counts as one.
const KINDS: usize = 64;

/// Failures by what was tried and what came of it.
#[derive(Debug, Default)]
pub(super) struct Failures(BTreeMap<String, u64>);

impl Failures {
    /// Counts a failure; the first of its kind is logged.
    pub(super) fn note(&mut self, what: String) {
        let what = if self.0.len() < KINDS || self.0.contains_key(&what) { what } else { "something else".to_owned() };
        let count = self.0.entry(what.clone()).or_default();
        *count += 1;
        if *count == 1 {
            tracing::info!(%what, "a bot failed; more of the kind are only counted");
        }
    }

    /// Everything that went wrong, with how often.
    pub(super) fn told(&self) -> String {
        let each: Vec<String> = self.0.iter().map(|(what, count)| format!("{what} ({count})")).collect();
        if each.is_empty() { "none".to_owned() } else { each.join("; ") }
    }

    /// How many there were.
    pub(super) fn count(&self) -> u64 {
        self.0.values().sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_are_counted_and_bounded() {
        let mut failures = Failures::default();
        assert_eq!(failures.told(), "none");
        (0..1_000).for_each(|number| failures.note(format!("kind {}", number % 100)));
        assert_eq!((failures.count(), failures.0.len()), (1_000, KINDS + 1));
        assert!(failures.told().contains("kind 1 (10)"), "{}", failures.told());
    }
}
