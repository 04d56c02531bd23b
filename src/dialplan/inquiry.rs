//! What a step asks another system.

use super::program::StepRef;
use super::values::Template;

/// A question to a webhook of the settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inquiry {
    /// Which, by its name in the settings.
    pub hook: String,
    /// What it is told, by name.
    pub send: Vec<(String, Template)>,
    /// How long an answer may take, milliseconds.
    pub timeout_ms: u64,
    /// How often it is asked again.
    pub retries: u32,
    /// Where the step leads when it does not answer.
    pub failed: StepRef,
}
