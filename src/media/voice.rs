//! Packets out of linear sound, for a party that cannot just be passed what others send.

use crate::codec::Codec;
use crate::codec::g711::Law;
use crate::codec::g722::Widener;
use crate::codec::opus;

/// Encodes what one party hears. Its state goes on from packet to packet, whoever is heard: the party has one decoder.
pub(super) enum Voice {
    G711(Law),
    G722(Box<Widener>),
    Opus(Box<opus::Speaker>),
}

impl Voice {
    /// A voice of `codec`; `None` where its library refuses.
    pub(super) fn of(codec: Codec) -> Option<Self> {
        Some(match codec {
            Codec::G711(law) => Self::G711(law),
            Codec::G722 => Self::G722(Box::default()),
            Codec::Opus => Self::Opus(Box::new(opus::Speaker::new()?)),
        })
    }

    /// Encodes samples at 8 kHz into `out`; gives the payload's length, `None` where `out` is too short or Opus has no such frame.
    pub(super) fn encode(&mut self, samples: &[i16], out: &mut [u8]) -> Option<usize> {
        match self {
            Self::Opus(speaker) => return speaker.encode(samples, out),
            Self::G711(law) => {
                let out = out.get_mut(..samples.len())?;
                out.iter_mut().zip(samples).for_each(|(octet, sample)| *octet = law.encode(*sample));
            }
            Self::G722(widener) => {
                let out = out.get_mut(..samples.len())?;
                out.iter_mut().zip(samples).for_each(|(octet, sample)| *octet = widener.widen(*sample));
            }
        }
        Some(samples.len())
    }
}
