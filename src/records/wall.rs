//! Wall-clock instants as records show them.

use std::fmt;
use std::str::FromStr;

use jiff::{Timestamp, tz::Offset};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Milliseconds since 1970 UTC; written as RFC 3339 with offset (`2026-03-01T08:00:00.250+00:00`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Wall(pub i64);

impl Wall {
    /// Milliseconds from `earlier` to this instant, 0 where it lies before.
    pub fn since(self, earlier: Self) -> u64 {
        u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0)
    }
}

impl fmt::Display for Wall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Instants outside the years -9999 to 9999 cannot be shown; no clock gives them.
        let shown = Timestamp::from_millisecond(self.0).unwrap_or(Timestamp::UNIX_EPOCH);
        write!(f, "{:.3}", shown.display_with_offset(Offset::UTC))
    }
}

impl FromStr for Wall {
    type Err = jiff::Error;

    fn from_str(text: &str) -> Result<Self, jiff::Error> {
        text.parse::<Timestamp>().map(|instant| Self(instant.as_millisecond()))
    }
}

impl Serialize for Wall {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Wall {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_written_with_offset_and_reads_back() {
        let wall = Wall(1_772_352_000_250);
        assert_eq!(wall.to_string(), "2026-03-01T08:00:00.250+00:00");
        assert_eq!(wall.to_string().parse::<Wall>().unwrap(), wall);
    }
}
