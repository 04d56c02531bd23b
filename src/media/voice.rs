//! Packets out of linear sound, for a party that cannot just be passed what others send.

use crate::codec::g711::Law;
use crate::codec::halfband::Doubler;
use crate::codec::{Band, Codec, g722, opus};
use crate::media::play::{LONGEST_MIX, LONGEST_PACKET};

/// Encodes what one party hears. Its state goes on from packet to packet, whoever is heard: the party has one decoder.
pub(super) struct Voice {
    coder: Coder,
    /// What makes wide sound of a telephone's.
    doubler: Doubler,
}

enum Coder {
    G711(Law),
    G722(Box<g722::Speaker>),
    Opus(Box<opus::Speaker>),
}

impl Voice {
    /// A voice of `codec`; `None` where its library refuses.
    pub(super) fn of(codec: Codec) -> Option<Self> {
        let coder = match codec {
            Codec::G711(law) => Coder::G711(law),
            Codec::G722 => Coder::G722(Box::default()),
            Codec::Opus => Coder::Opus(Box::new(opus::Speaker::new(codec.band())?)),
        };
        Some(Self { coder, doubler: Doubler::default() })
    }

    /// Encodes samples in the band of its codec into `out`; gives the payload's length, `None` where `out` is too short or Opus has
    /// no such frame.
    pub(super) fn encode(&mut self, samples: &[i16], out: &mut [u8]) -> Option<usize> {
        match &mut self.coder {
            Coder::Opus(speaker) => speaker.encode(samples, out),
            Coder::G722(speaker) => speaker.encode(samples, out),
            Coder::G711(law) => {
                let out = out.get_mut(..samples.len())?;
                out.iter_mut().zip(samples).for_each(|(octet, sample)| *octet = law.encode(*sample));
                Some(samples.len())
            }
        }
    }

    /// Encodes samples at 8 kHz, 60 ms at most, whatever the band of its codec.
    pub(super) fn encode_narrow(&mut self, samples: &[i16], out: &mut [u8]) -> Option<usize> {
        if self.band() == Band::Narrow {
            return self.encode(samples, out);
        }
        let mut wide = [0; LONGEST_MIX];
        let samples = samples.get(..samples.len().min(LONGEST_PACKET))?;
        for (pair, sample) in wide.as_chunks_mut::<2>().0.iter_mut().zip(samples) {
            *pair = self.doubler.double(*sample);
        }
        self.encode(wide.get(..samples.len() * 2)?, out)
    }

    fn band(&self) -> Band {
        match self.coder {
            Coder::G711(_) => Band::Narrow,
            Coder::G722(_) | Coder::Opus(_) => Band::Wide,
        }
    }
}
