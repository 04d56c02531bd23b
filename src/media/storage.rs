//! How the disk of the recordings fares.

/// Whether recordings can be written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Storage {
    /// They can.
    #[default]
    Fine,
    /// Less space is left than is to be kept free, or none at all.
    Full,
    /// The system refuses to write, for another reason than space.
    Failing,
    /// A write has not come back for two seconds, or sound was lost because there were too many before it.
    Stalled,
}

impl Storage {
    /// What is wrong, if anything is.
    pub const TROUBLES: [Self; 3] = [Self::Full, Self::Failing, Self::Stalled];

    /// Its name in metrics and alarms.
    pub fn name(self) -> &'static str {
        match self {
            Self::Fine => "fine",
            Self::Full => "full",
            Self::Failing => "failing",
            Self::Stalled => "stalled",
        }
    }
}

/// The same in figures.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StorageFigures {
    /// Whether they can be written.
    pub storage: Storage,
    /// Bytes that are left where they lie.
    pub free_bytes: u64,
    /// Milliseconds of sound that could not be written since the start; silence stands for them.
    pub lost_ms: u64,
    /// Milliseconds of long prompts that came too late from the disk; silence was heard in their place.
    pub late_ms: u64,
}
