//! G.711, G.722, Opus, tones, keys and sample rates. Samples are linear 16 bit.

pub mod dtmf;
pub mod g711;
pub mod g722;
pub mod halfband;
pub mod music;
pub mod opus;
pub mod plc;
pub mod progress;
pub mod resample;
pub mod tone;
pub mod volume;
pub mod wav;

/// How sound is coded on a leg.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Codec {
    /// G.711: an octet for each 8,000th of a second.
    G711(g711::Law),
    /// G.722: the same.
    G722,
    /// Opus: packets of any length.
    Opus,
}

/// How much of a sound's spectrum is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Band {
    /// A telephone's: 8,000 samples a second.
    Narrow,
    /// 16,000 samples a second, heard up to 7 kHz and more.
    Wide,
}

impl Band {
    /// Samples in an 8,000th of a second.
    pub fn factor(self) -> usize {
        match self {
            Self::Narrow => 1,
            Self::Wide => 2,
        }
    }

    /// Samples in a second.
    pub fn rate(self) -> u32 {
        self.factor() as u32 * 8_000
    }
}

impl Codec {
    /// How much of a sound it carries.
    pub fn band(self) -> Band {
        match self {
            Self::G711(_) => Band::Narrow,
            Self::G722 | Self::Opus => Band::Wide,
        }
    }

    /// The law that its sound has once it is G.711: for recordings.
    pub fn law(self) -> g711::Law {
        match self {
            Self::G711(law) => law,
            Self::G722 | Self::Opus => g711::Law::Alaw,
        }
    }

    /// How many units its RTP clock counts in an 8,000th of a second.
    pub fn clock_factor(self) -> u32 {
        match self {
            Self::G711(_) | Self::G722 => 1,
            Self::Opus => 6,
        }
    }

    /// Whether a packet of `self` can be made one of `other` octet by octet, without decoding.
    pub fn passes_as(self, other: Self) -> bool {
        matches!((self, other), (Self::G711(_), Self::G711(_))) || self == other
    }
}
