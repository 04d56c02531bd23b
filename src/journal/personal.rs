//! Personal data on its way into the journal.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A personal field (a number, a name, an address that holds one) and the caller whose key seals it on disk.
///
/// `Debug` never shows the value, so that a log line cannot leak it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Personal {
    /// The caller's number: names the key, erased with the person.
    pub subject: String,
    /// The value itself.
    pub value: String,
}

impl Personal {
    /// A value that belongs to `subject`.
    pub fn of(subject: &str, value: impl Into<String>) -> Self {
        Self { subject: subject.to_owned(), value: value.into() }
    }

    /// A caller's own number.
    pub fn number(number: &str) -> Self {
        Self::of(number, number)
    }
}

impl fmt::Debug for Personal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Personal(…)")
    }
}
