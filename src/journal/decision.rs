//! Why a caller was presented to an agent: figures of that moment, which become text only where somebody reads them.

use std::fmt::Write as _;

use serde::{Deserialize, Serialize};

use super::{Strategy, is_default};
use crate::id::AgentId;

/// Why this agent and this caller.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "rule", rename_all = "snake_case")]
pub enum Decision {
    /// Agents were free when the caller came, came back or could have more of them: the queue's strategy chose.
    Strategy {
        /// Which.
        strategy: Strategy,
        /// What it went by, in its own measure.
        figure: i64,
        /// The ring of the queue's thresholds at which the agent qualifies: 0 for those of the beginning.
        #[serde(default, skip_serializing_if = "is_default")]
        ring: u8,
        /// The agent's tier.
        #[serde(default, skip_serializing_if = "is_default")]
        tier: u8,
        /// In how many calls the agent was already.
        #[serde(default, skip_serializing_if = "is_default")]
        calls: u8,
        /// The skills that the queue asked for.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        skills: Vec<SkillFit>,
        /// Who would have been next.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        next: Option<NextBest>,
    },
    /// Callers waited when the agent came free: the first in line.
    Line {
        /// How long the caller had waited, ms.
        waited_ms: u64,
        /// The caller's class.
        priority: i32,
        /// How many waited in the queue, this one included.
        waiting: u32,
        /// In how many calls the agent was already.
        #[serde(default, skip_serializing_if = "is_default")]
        calls: u8,
        /// The skills that the queue asked for.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        skills: Vec<SkillFit>,
    },
    /// The caller was to have this agent, if he or she came free in time.
    Preferred {
        /// How long the caller had waited, ms.
        waited_ms: u64,
    },
    /// Another agent hands the caller on.
    HandedOver {
        /// Who.
        from: AgentId,
    },
    /// A line for people, of a journal from before the figures were kept.
    #[serde(untagged)]
    Told(String),
}

/// A skill that a caller asks for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct SkillWish {
    /// Its name.
    pub skill: String,
    /// The least proficiency, 1–100.
    pub least: u8,
    /// For how long only agents who have it are called, milliseconds from when the caller entered; always where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub for_ms: Option<u64>,
}

/// A skill that a queue asks for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SkillFit {
    /// Its name.
    pub skill: String,
    /// The agent's proficiency, 1–100.
    pub has: u8,
    /// The least that would have done.
    pub needs: u8,
}

/// Whom the strategy would have chosen without the one whom it chose.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NextBest {
    /// Who.
    pub agent: AgentId,
    /// What the strategy goes by.
    pub figure: i64,
}

impl Decision {
    /// One line for people: "agent 1003: idle 312 s, skill billing 80 ≥ 60; next best 1001: idle 287 s".
    pub fn line(&self, agent: &AgentId) -> String {
        match self {
            Self::Strategy { strategy, figure, ring, tier, calls, skills, next } => {
                let mut line = format!("agent {agent}: {}", measured(*strategy, *figure));
                for (name, value) in [("ring", ring), ("tier", tier), ("calls already", calls)] {
                    if *value > 0 {
                        let _ = write!(line, ", {name} {value}");
                    }
                }
                line.push_str(&fits(skills));
                if let Some(NextBest { agent, figure }) = next {
                    let _ = write!(line, "; next best {agent}: {}", measured(*strategy, *figure));
                }
                line
            }
            Self::Line { waited_ms, priority, waiting, calls, skills } => format!(
                "agent {agent} free{}: caller waited {} s, priority {priority}, first of {waiting} waiting{}",
                if *calls > 0 { format!(" beside calls already {calls}") } else { String::new() },
                waited_ms / 1_000,
                fits(skills)
            ),
            Self::Preferred { waited_ms } => {
                format!("agent {agent}: the caller's own, waited {} s", waited_ms / 1_000)
            }
            Self::HandedOver { from } => format!("agent {agent}: handed over by {from}"),
            Self::Told(line) => line.clone(),
        }
    }
}

impl From<&str> for Decision {
    fn from(line: &str) -> Self {
        Self::Told(line.to_owned())
    }
}

fn fits(skills: &[SkillFit]) -> String {
    skills.iter().map(|SkillFit { skill, has, needs }| format!(", skill {skill} {has} ≥ {needs}")).collect()
}

/// A strategy's figure in words. Idle and talk are ms, occupation is in thousandths.
fn measured(strategy: Strategy, figure: i64) -> String {
    match strategy {
        Strategy::RingAll => format!("one of {figure} phones"),
        Strategy::LongestIdle => format!("idle {} s", figure / 1_000),
        Strategy::FewestCalls => format!("{figure} calls"),
        Strategy::LeastTalkTime => format!("talked {} s", figure / 1_000),
        Strategy::LeastOccupied => format!("occupied {}.{} %", figure / 10, figure % 10),
        Strategy::RoundRobin | Strategy::Linear | Strategy::Sequential | Strategy::RingProgressively => {
            format!("place {figure}")
        }
        Strategy::Random | Strategy::WeightedRandom => format!("drawn by weight {figure}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_become_a_line_and_lines_of_old_journals_are_read() {
        let decision = Decision::Strategy {
            strategy: Strategy::LongestIdle,
            figure: 312_400,
            ring: 0,
            tier: 1,
            calls: 0,
            skills: vec![SkillFit { skill: "billing".into(), has: 80, needs: 60 }],
            next: Some(NextBest { agent: "1001".into(), figure: 287_000 }),
        };
        let line = "agent 1003: idle 312 s, tier 1, skill billing 80 ≥ 60; next best 1001: idle 287 s";
        assert_eq!(decision.line(&"1003".into()), line);
        let written = serde_json::to_string(&decision).unwrap();
        assert_eq!(serde_json::from_str::<Decision>(&written).unwrap(), decision);
        assert_eq!(serde_json::from_str::<Decision>("\"idle\"").unwrap(), Decision::from("idle"));
    }
}
