//! A party as others hear it where its packets cannot just be passed on: decoded, in order, even, and never silent for a lost packet.

use super::bands::Bands;
use crate::codec::g711::Law;
use crate::codec::halfband::Doubler;
use crate::codec::opus::{self, LONGEST};
use crate::codec::plc::Concealer;
use crate::codec::{Band, Codec, g722};
use crate::rtp::jitter::{Due, JitterBuffer};
use crate::rtp::packet::Header;
use crate::time::{MS, Now};

/// Time of a step, in 8,000ths of a second as all times here: 10 ms.
pub(super) const STEP: usize = 80;
/// Decoded sound that waits for its step, samples: a packet of the longest kind and what was left.
const DECODED: usize = LONGEST + 4 * STEP;
/// More than the wanted delay by this much, for a second: a step is left out (30 ms).
const EXCESS: u32 = 240;
/// Steps over which the least depth is looked at, 1 s.
const REVIEW: u32 = 100;
/// A gap of timestamps that is filled up rather than waited out (60 ms).
const FILLED: u32 = 480;

/// The instant `ns` (monotonic) in 8,000ths of a second.
pub(super) fn sample_at(ns: u64) -> u64 {
    ns / (MS / 8)
}

/// Decodes the sound of one party for all who listen to it. Everything is made once, with the ear.
pub struct Ear {
    /// With each packet the codec of its sound; none where it is a digit or silence.
    buffer: JitterBuffer<Option<Codec>>,
    decoder: Decoder,
    decoded: Decoded,
    /// What was made.
    bands: Bands,
    /// Sound is given out; else it is gathered first.
    playing: bool,
    /// The timestamp that should come next.
    expected: u32,
    /// What the last packet was, and how long it lasts.
    last: (Codec, usize),
    /// Samples in an 8,000th of a second.
    factor: usize,
    least_depth: u32,
    reviewed: u32,
}

/// Makes sound of packets, and of their absence.
struct Decoder {
    band: Band,
    g722: g722::Listener,
    /// None where the party has no wide codec.
    opus: Option<Box<opus::Listener>>,
    doubler: Doubler,
    concealer: Concealer,
    scratch: Box<[i16; LONGEST]>,
}

impl Decoder {
    fn new(band: Band) -> Self {
        let wide = band == Band::Wide;
        Self {
            band,
            g722: g722::Listener::default(),
            opus: wide.then(|| opus::Listener::new(band)).flatten().map(Box::new),
            doubler: Doubler::default(),
            concealer: Concealer::new(band),
            scratch: Box::new([0; LONGEST]),
        }
    }

    /// The sound of a packet, in the band of the party. A party without a wide codec sends none.
    fn decode(&mut self, codec: Codec, payload: &[u8]) -> &[i16] {
        let done = match (codec, self.band) {
            (Codec::G711(law), Band::Narrow) => {
                let pairs = self.scratch.iter_mut().zip(payload);
                pairs.map(|(sample, octet)| *sample = law.decode(*octet)).count()
            }
            (Codec::G711(law), Band::Wide) => {
                let pairs = self.scratch.as_chunks_mut::<2>().0.iter_mut().zip(payload);
                2 * pairs.map(|(pair, octet)| *pair = self.doubler.double(law.decode(*octet))).count()
            }
            (Codec::G722, Band::Wide) => self.g722.decode(payload, &mut self.scratch[..]),
            (Codec::Opus, _) => self.opus.as_mut().map_or(0, |opus| opus.decode(payload, &mut self.scratch)),
            (Codec::G722, Band::Narrow) => 0,
        };
        let heard = self.scratch.get_mut(..done).unwrap_or_default();
        if done > 0 {
            self.concealer.handle_heard(heard);
        }
        heard
    }

    /// Sound in the place of a lost packet of `codec` that lasted `len`; `next` is the packet after it.
    fn stand_in(&mut self, codec: Codec, len: usize, next: Option<&[u8]>) -> &[i16] {
        let len = len * self.band.factor();
        let known = match (codec, self.opus.as_mut()) {
            (Codec::Opus, Some(opus)) => opus.conceal(len, next, &mut self.scratch),
            _ => 0,
        };
        let room = self.scratch.get_mut(..len).unwrap_or_default();
        if known == len {
            self.concealer.handle_heard(room)
        } else {
            self.concealer.conceal(room)
        }
        room
    }
}

/// A short queue of samples.
struct Decoded {
    samples: [i16; DECODED],
    len: usize,
}

impl Decoded {
    fn push(&mut self, new: &[i16]) {
        let end = (self.len + new.len()).min(DECODED);
        if let Some(room) = self.samples.get_mut(self.len..end) {
            room.copy_from_slice(new.get(..room.len()).unwrap_or_default());
        }
        self.len = end;
    }

    fn take(&mut self, count: usize) {
        let count = count.min(self.len);
        self.samples.copy_within(count..self.len, 0);
        self.len -= count;
    }
}

impl Ear {
    /// An ear for a party whose codec has this band, and that is to be heard from `now` on.
    pub fn new(band: Band, now: Now) -> Self {
        Self {
            buffer: JitterBuffer::default(),
            decoder: Decoder::new(band),
            decoded: Decoded { samples: [0; DECODED], len: 0 },
            bands: Bands::new(band, sample_at(now.mono_ns)),
            playing: false,
            expected: 0,
            last: (Codec::G711(Law::Alaw), 160),
            factor: band.factor(),
            least_depth: u32::MAX,
            reviewed: 0,
        }
    }

    /// Takes a packet of the party; its timestamp is at 8 kHz.
    pub fn handle_packet(&mut self, header: &Header, sound: Option<Codec>, payload: &[u8], now: Now) {
        if self.buffer.put(header, sound, payload, sample_at(now.mono_ns) as u32) {
            self.playing = false;
            self.decoder.g722 = g722::Listener::default();
        }
    }

    /// Adds what is heard of the party in the `mix.len()` samples of a band before the instant `end` (8,000ths of a second since the
    /// clock's zero). Gives whether anything is: a party that sends nothing is not.
    pub fn hear(&mut self, end: u64, band: Band, mix: &mut [i32]) -> bool {
        if self.bands.is_far_behind(end) {
            // Nobody has listened for a while; what has waited since is old.
            self.bands.skip_to(end.saturating_sub((mix.len() / band.factor()) as u64));
            while self.buffer.depth() > self.buffer.delay() {
                self.buffer.skip();
            }
        }
        while self.bands.made() < end {
            self.step();
        }
        self.bands.add(end, band, mix);
        self.playing
    }

    /// Makes the next 10 ms.
    fn step(&mut self) {
        let step = STEP * self.factor;
        let mut made = [0; 2 * STEP];
        self.playing = self.playing || self.is_filled();
        if self.playing {
            let gained = self.decode(step);
            let ready = self.decoded.len.min(step);
            made.copy_from_slice(self.decoded.samples.first_chunk::<{ 2 * STEP }>().unwrap_or(&[0; 2 * STEP]));
            if ready < step {
                self.decoder.concealer.conceal(made.get_mut(ready..step).unwrap_or_default());
                if !gained {
                    self.expected = self.expected.wrapping_add(((step - ready) / self.factor) as u32);
                }
                // After 60 ms of nothing the next word is gathered anew.
                self.playing = !self.decoder.concealer.is_spent();
            }
            self.decoded.take(step);
            self.catch_up();
        }
        self.bands.push(made.get(..step).unwrap_or_default());
    }

    /// Whether enough waits to begin with.
    fn is_filled(&self) -> bool {
        self.buffer.waiting() > 0 && self.buffer.depth() + self.last.1 as u32 >= self.buffer.delay()
    }

    /// Decodes until so many samples are there, or nothing is due. True where time is to be gained, because a packet that is missing
    /// would have come by now if sound had waited as long as it should.
    fn decode(&mut self, samples: usize) -> bool {
        let (last, len) = self.last;
        while self.decoded.len < samples {
            match self.buffer.due() {
                Due::Nothing => return false,
                Due::Packet(timestamp, ..) if (1..=FILLED).contains(&timestamp.wrapping_sub(self.expected)) => {
                    // The party was quiet for a moment, or its packets were lost with their numbers.
                    let gap = timestamp.wrapping_sub(self.expected).min(STEP as u32);
                    self.decoded.push(self.decoder.stand_in(Codec::G711(Law::Alaw), gap as usize, None));
                    self.expected = self.expected.wrapping_add(gap);
                    continue;
                }
                Due::Packet(timestamp, sound, payload) => {
                    self.expected = timestamp;
                    if let Some(codec) = sound {
                        let heard = self.decoder.decode(codec, payload);
                        let len = heard.len() / self.factor;
                        self.expected = timestamp.wrapping_add(len as u32);
                        self.last = (codec, len);
                        self.decoded.push(heard);
                    }
                }
                Due::Lost { timestamp, .. }
                    if (1..=FILLED).contains(&timestamp.wrapping_sub(self.expected))
                        && timestamp.wrapping_sub(self.expected) + self.buffer.depth() < self.buffer.delay() =>
                {
                    return true;
                }
                Due::Lost { missing, timestamp, next } => {
                    let gap = timestamp.wrapping_sub(self.expected);
                    if gap == 0 || gap > FILLED {
                        // What stood in has taken their time already, or the party was away for long.
                        self.expected = timestamp;
                        (1..missing).for_each(|_| self.buffer.skip());
                    } else {
                        self.decoded.push(self.decoder.stand_in(last, len, next));
                        self.expected = self.expected.wrapping_add(len as u32);
                    }
                }
            }
            self.buffer.skip();
        }
        false
    }

    /// Leaves out a step where more has waited for a second than has to: the party's clock runs fast, or the network has calmed down.
    fn catch_up(&mut self) {
        self.least_depth = self.least_depth.min(self.buffer.depth() + (self.decoded.len / self.factor) as u32);
        self.reviewed += 1;
        if self.reviewed < REVIEW {
            return;
        }
        if self.least_depth > self.buffer.delay() + EXCESS {
            self.decode(2 * STEP * self.factor);
            self.fold();
        }
        (self.reviewed, self.least_depth) = (0, u32::MAX);
    }

    /// Makes one step of the next two, the first fading into the second.
    fn fold(&mut self) {
        let step = STEP * self.factor;
        let (first, second) = self.decoded.samples.split_at_mut(step);
        for (index, (old, new)) in first.iter().zip(second.iter_mut()).enumerate() {
            let part = index as f32 / step as f32;
            *new = (f32::from(*old) * (1.0 - part) + f32::from(*new) * part) as i16;
        }
        self.decoded.take(step);
    }
}

#[cfg(test)]
#[path = "ear_tests.rs"]
mod tests;
