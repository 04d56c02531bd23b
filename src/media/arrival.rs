//! What comes from a party, on its way to a recording and to those who listen.

use crate::codec::g711::Law;
use crate::codec::g722::Narrower;
use crate::codec::opus::{self, LONGEST};
use crate::codec::{Band, Codec};
use crate::recording::Frame;
use crate::rtp::packet::Header;

/// A packet of the leg's party, to be sent by the other leg of its bridge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Arrival<'a> {
    /// Its timestamp counts at 8 kHz, whatever the party's clock.
    pub(super) header: Header,
    pub(super) kind: Kind,
    pub(super) payload: &'a [u8],
    /// How many packets are missing right before it.
    pub(super) lost: u16,
    /// The sound in it as G.711, where it was asked for.
    pub(super) narrow: Option<(Law, &'a [u8])>,
}

/// What is in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Sound(Codec),
    /// A telephone-event, and how many units its clock counts in an 8,000th of a second.
    Digit(u32),
    /// The party is quiet: it lives, and nothing is to be heard.
    Quiet,
}

impl<'a> Arrival<'a> {
    /// The sound in it, as it is recorded.
    pub fn frame(&self) -> Option<Frame<'a>> {
        let (law, payload) = self.narrow?;
        Some(Frame { ssrc: self.header.ssrc, timestamp: self.header.timestamp, lost: self.lost, law, payload })
    }

    /// The codec of the sound in it.
    pub(super) fn sound(&self) -> Option<Codec> {
        match self.kind {
            Kind::Sound(codec) => Some(codec),
            Kind::Digit(_) | Kind::Quiet => None,
        }
    }
}

/// Timestamps of a clock that runs faster, at 8 kHz. They wrap where 8 kHz ones do, not where the faster clock does.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Clock {
    stream: Option<u32>,
    fast: u32,
    slow: u32,
}

impl Clock {
    /// The header with its timestamp at 8 kHz, of one whose clock counts `factor` times as fast.
    pub(super) fn slow_down(&mut self, header: Header, factor: u32) -> Header {
        if factor <= 1 {
            return header;
        }
        if self.stream.replace(header.ssrc) != Some(header.ssrc) {
            (self.fast, self.slow) = (header.timestamp, header.timestamp);
        }
        let steps = (header.timestamp.wrapping_sub(self.fast) as i32).div_euclid(factor as i32);
        let slow = self.slow.wrapping_add(steps as u32);
        if steps > 0 {
            self.fast = self.fast.wrapping_add((steps as u32).wrapping_mul(factor));
            self.slow = slow;
        }
        Header { timestamp: slow, ..header }
    }
}

/// Makes G.711 of a party's sound packet by packet, for its recording.
#[derive(Default)]
pub(super) struct Narrow {
    narrower: Narrower,
    opus: Option<(Box<opus::Listener>, Box<[i16; LONGEST]>)>,
    heard: Option<u32>,
}

impl Narrow {
    /// What a leg of `codec` needs for it; nothing where that is G.711.
    pub(super) fn of(codec: Codec) -> Option<Box<Self>> {
        let opus = || opus::Listener::new(Band::Narrow).map(|listener| (Box::new(listener), Box::new([0; LONGEST])));
        match codec {
            Codec::G711(_) => None,
            Codec::G722 => Some(Box::default()),
            Codec::Opus => Some(Box::new(Self { opus: opus(), ..Self::default() })),
        }
    }

    /// The G.711 of a packet of stream `ssrc`, in `out`.
    pub(super) fn narrow<'a>(&mut self, ssrc: u32, codec: Codec, payload: &[u8], out: &'a mut [u8]) -> &'a [u8] {
        if self.heard.replace(ssrc) != Some(ssrc) {
            self.narrower = Narrower::default();
        }
        let law = codec.law();
        let done = match (codec, &mut self.opus) {
            (Codec::G722, _) => self.narrower.narrow(payload, law, out),
            (Codec::Opus, Some((listener, samples))) => {
                let done = listener.decode(payload, samples);
                out.iter_mut()
                    .zip(samples.iter().take(done))
                    .map(|(octet, sample)| *octet = law.encode(*sample))
                    .count()
            }
            (Codec::Opus | Codec::G711(_), _) => 0,
        };
        out.get(..done).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fast_clock_is_followed_over_its_wrap() {
        let mut clock = Clock::default();
        let at = |timestamp: u32| Header { marker: false, payload_type: 111, sequence: 0, timestamp, ssrc: 1 };
        let start = u32::MAX - 48_000;
        let first = clock.slow_down(at(start), 6).timestamp;
        for frame in 1..200u32 {
            let slow = clock.slow_down(at(start.wrapping_add(frame * 960)), 6).timestamp;
            assert_eq!(slow.wrapping_sub(first), frame * 160);
        }
        // A straggler is as far behind as it is.
        assert_eq!(clock.slow_down(at(start.wrapping_add(197 * 960)), 6).timestamp.wrapping_sub(first), 197 * 160);
        assert_eq!(clock.slow_down(at(5), 1).timestamp, 5);
    }
}
