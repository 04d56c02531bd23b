//! The frozen list from which is drawn.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::id::{AgentId, CallId};

/// An ISO 8601 week, printed as `2026-W48`: always eight characters, so that what the HMAC covers has one reading.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Week {
    year: u16,
    week: u8,
}

/// A text that names no week.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("\"{0}\" is no week: expected an ISO week from 1000 to 9999, as 2026-W48")]
pub struct BadWeek(pub String);

impl Week {
    /// The week in which the instant `wall_ms` (milliseconds since 1970 UTC) lies in `zone`.
    pub fn of(wall_ms: i64, zone: &jiff::tz::TimeZone) -> Result<Self, BadWeek> {
        let bad = || BadWeek(format!("{wall_ms} ms"));
        let instant = jiff::Timestamp::from_millisecond(wall_ms).map_err(|_| bad())?;
        let date = zone.to_datetime(instant).date().iso_week_date();
        format!("{:04}-W{:02}", date.year(), date.week()).parse()
    }
}

impl fmt::Display for Week {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-W{:02}", self.year, self.week)
    }
}

impl FromStr for Week {
    type Err = BadWeek;

    fn from_str(text: &str) -> Result<Self, BadWeek> {
        let parts = text.split_once("-W").and_then(|(year, week)| Some((year.parse().ok()?, week.parse().ok()?)));
        match parts {
            Some((year @ 1000..=9999, week @ 1..=53)) if text.len() == 8 => Ok(Self { year, week }),
            _ => Err(BadWeek(text.to_owned())),
        }
    }
}

impl TryFrom<String> for Week {
    type Error = BadWeek;

    fn try_from(text: String) -> Result<Self, BadWeek> {
        text.parse()
    }
}

impl From<Week> for String {
    fn from(week: Week) -> Self {
        week.to_string()
    }
}

/// One recorded call of one agent: a line of the frame.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct RecordedCall {
    /// Who spoke.
    pub agent: AgentId,
    /// In which call.
    pub call: CallId,
}

/// The rules under which a frame was frozen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rules {
    /// The week.
    pub week: Week,
    /// The zone in which its days were counted (IANA name).
    pub zone: String,
    /// At least so many calls of each agent, if there are so many.
    pub minimum: u32,
    /// At least so many per cent of each agent's calls, 0–100.
    pub percent: u8,
}

/// The frozen frame: rules, lines in order, and the hash that is published before the draw.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Frame {
    rules: Rules,
    lines: BTreeSet<RecordedCall>,
}

impl Frame {
    /// Freezes the frame. The order of `calls` and doubles in it make no difference.
    pub fn freeze(rules: Rules, calls: impl IntoIterator<Item = RecordedCall>) -> Self {
        Self { rules, lines: calls.into_iter().collect() }
    }

    /// The rules.
    pub fn rules(&self) -> &Rules {
        &self.rules
    }

    /// The lines by agent, then call.
    pub fn lines(&self) -> impl Iterator<Item = &RecordedCall> {
        self.lines.iter()
    }

    /// SHA-256 (hexadecimal) over the text of the frame: a line `week zone minimum percent`, then a line `agent call` each,
    /// single spaces, every line ended by a line feed.
    pub fn hash(&self) -> String {
        let Rules { week, zone, minimum, percent } = &self.rules;
        let mut hasher = Sha256::new();
        hasher.update(format!("{week} {zone} {minimum} {percent}\n"));
        for line in &self.lines {
            hasher.update(format!("{} {}\n", line.agent, line.call));
        }
        hex(&hasher.finalize())
    }
}

/// Bytes as lower-case hexadecimal digits.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
