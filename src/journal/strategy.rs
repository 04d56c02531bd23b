//! How a queue chooses among agents who are free: our names, and those that other queues have for the same.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Whom of several free agents a caller gets. Where two are equal, who is idle longer; then who stands earlier in the settings.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Strategy {
    /// All at once, but 50 at most; who answers first has the caller.
    RingAll,
    /// Who has been idle longest.
    #[default]
    LongestIdle,
    /// The next one in the queue's list after who was called last.
    RoundRobin,
    /// Who has answered the fewest calls since signing in.
    FewestCalls,
    /// Who has talked least since signing in, holds included.
    LeastTalkTime,
    /// Whose share of talk, hold and after-call work was least when he or she came free.
    LeastOccupied,
    /// The first one in the queue's list.
    Linear,
    /// Anyone, each as likely.
    Random,
    /// Anyone, as likely as his or her weight says.
    WeightedRandom,
    /// The next one in the queue's list after whom this caller had last: each caller goes down the list.
    Sequential,
    /// Down the queue's list, while those before ring on.
    RingProgressively,
}

/// Every name, ours first.
const NAMES: &[(&str, Strategy)] = &[
    ("ring-all", Strategy::RingAll),
    ("longest-idle", Strategy::LongestIdle),
    ("round-robin", Strategy::RoundRobin),
    ("fewest-calls", Strategy::FewestCalls),
    ("least-talk-time", Strategy::LeastTalkTime),
    ("least-occupied", Strategy::LeastOccupied),
    ("linear", Strategy::Linear),
    ("random", Strategy::Random),
    ("weighted-random", Strategy::WeightedRandom),
    ("sequential", Strategy::Sequential),
    ("ring-progressively", Strategy::RingProgressively),
    // Asterisk's.
    ("ringall", Strategy::RingAll),
    ("leastrecent", Strategy::LongestIdle),
    ("fewestcalls", Strategy::FewestCalls),
    ("rrmemory", Strategy::RoundRobin),
    ("rrordered", Strategy::RoundRobin),
    ("wrandom", Strategy::WeightedRandom),
    // FreeSWITCH's.
    ("longest-idle-agent", Strategy::LongestIdle),
    ("top-down", Strategy::Linear),
    ("agent-with-least-talk-time", Strategy::LeastTalkTime),
    ("agent-with-fewest-calls", Strategy::FewestCalls),
    ("sequentially-by-agent-order", Strategy::Sequential),
];

impl Strategy {
    /// Every name that is read, ours first.
    pub fn names() -> impl Iterator<Item = &'static str> {
        NAMES.iter().map(|(name, _)| *name)
    }

    /// Our name for it.
    pub fn name(self) -> &'static str {
        // Each has one, and ours stand before the others'.
        NAMES.iter().find(|(_, strategy)| *strategy == self).map_or("", |(name, _)| name)
    }

    /// Whether it goes by an agent's place in the queue's list.
    pub fn is_by_place(self) -> bool {
        matches!(self, Self::RoundRobin | Self::Linear | Self::Sequential | Self::RingProgressively)
    }

    /// Whether it draws lots.
    pub fn is_random(self) -> bool {
        matches!(self, Self::Random | Self::WeightedRandom)
    }
}

/// No strategy has this name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no strategy \"{0}\"")]
pub struct UnknownStrategy(pub String);

impl FromStr for Strategy {
    type Err = UnknownStrategy;

    fn from_str(text: &str) -> Result<Self, UnknownStrategy> {
        let found = NAMES.iter().find(|(name, _)| *name == text);
        found.map(|(_, strategy)| *strategy).ok_or_else(|| UnknownStrategy(text.to_owned()))
    }
}

impl fmt::Display for Strategy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_names_of_other_queues_are_read_and_ours_are_written() {
        let ours = |name: &str| name.parse::<Strategy>().map(Strategy::name);
        let asterisk =
            ["ringall", "leastrecent", "fewestcalls", "random", "rrmemory", "linear", "wrandom", "rrordered"];
        let expected = [
            "ring-all",
            "longest-idle",
            "fewest-calls",
            "random",
            "round-robin",
            "linear",
            "weighted-random",
            "round-robin",
        ];
        assert_eq!(asterisk.map(ours), expected.map(Ok));
        let freeswitch = [
            "ring-all",
            "longest-idle-agent",
            "round-robin",
            "top-down",
            "agent-with-least-talk-time",
            "agent-with-fewest-calls",
            "sequentially-by-agent-order",
            "random",
            "ring-progressively",
        ];
        let expected = [
            "ring-all",
            "longest-idle",
            "round-robin",
            "linear",
            "least-talk-time",
            "fewest-calls",
            "sequential",
            "random",
            "ring-progressively",
        ];
        assert_eq!(freeswitch.map(ours), expected.map(Ok));
        assert_eq!(ours("ring_all"), Err(UnknownStrategy("ring_all".to_owned())));
        for (_, strategy) in NAMES {
            assert_eq!(serde_json::to_value(strategy).unwrap(), strategy.name(), "one name everywhere");
        }
    }
}
