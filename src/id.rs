//! Names of the things that every room talks about.
//!
//! Identifiers are drawn by the switch (time and randomness are arguments), so a simulation with one seed draws the same ones.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

const CROCKFORD: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/// One customer's call. Sorts by the instant at which the call was offered; printed as 26 characters (ULID alphabet).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CallId(u128);

impl CallId {
    /// Makes an id from the offering instant (milliseconds since 1970, 48 bits used) and 80 random bits.
    pub fn new(wall_ms: i64, random: u128) -> Self {
        let time = u128::from((wall_ms.max(0) as u64) & 0xffff_ffff_ffff) << 80;
        Self(time | (random & ((1 << 80) - 1)))
    }

    /// The number behind the text form.
    pub fn as_u128(self) -> u128 {
        self.0
    }
}

impl fmt::Display for CallId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for shift in (0..26).rev() {
            let digit = (self.0 >> (shift * 5)) & 31;
            write!(f, "{}", CROCKFORD[digit as usize] as char)?;
        }
        Ok(())
    }
}

impl fmt::Debug for CallId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A text that is no call id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("\"{0}\" is not a call id: expected 26 characters of 0-9 and A-Z without I, L, O, U")]
pub struct BadCallId(pub String);

impl FromStr for CallId {
    type Err = BadCallId;

    fn from_str(text: &str) -> Result<Self, BadCallId> {
        let bad = || BadCallId(text.to_owned());
        if text.len() != 26 || text.as_bytes()[0] > b'7' {
            return Err(bad());
        }
        let mut value = 0u128;
        for byte in text.bytes() {
            let digit = CROCKFORD.iter().position(|c| *c == byte.to_ascii_uppercase()).ok_or_else(bad)?;
            value = (value << 5) | digit as u128;
        }
        Ok(Self(value))
    }
}

impl Serialize for CallId {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for CallId {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// One party's dialog and media. Unique over restarts: the upper 24 bits count the starts of the daemon.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub struct LegId(pub u64);

impl LegId {
    /// The `sequence`th leg since start number `boot`.
    pub fn new(boot: u32, sequence: u64) -> Self {
        Self((u64::from(boot) << 40) | (sequence & 0xff_ffff_ffff))
    }
}

impl fmt::Display for LegId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:x}", self.0)
    }
}

macro_rules! name {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(Arc<str>);

        impl $name {
            /// The name as written.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl From<&str> for $name {
            fn from(text: &str) -> Self {
                Self(text.into())
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

name!(
    /// A person who takes calls, by the number under which he or she is known ("1001").
    AgentId
);
name!(
    /// A queue of the ACD, by its name in the settings.
    QueueId
);
name!(
    /// A trunk, by its name in the settings.
    TrunkId
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn call_ids_read_back_and_sort_by_time() {
        let early = CallId::new(1_700_000_000_000, u128::MAX);
        let late = CallId::new(1_700_000_000_001, 0);
        assert!(early < late);
        assert!(early.to_string() < late.to_string());
        assert_eq!(early.to_string().parse::<CallId>(), Ok(early));
        assert!("8ZZZZZZZZZZZZZZZZZZZZZZZZZ".parse::<CallId>().is_err());
        assert!("U".repeat(26).parse::<CallId>().is_err());
    }

    #[test]
    fn legs_of_two_starts_never_meet() {
        assert_ne!(LegId::new(1, 7), LegId::new(2, 7));
    }
}
