//! A party as others hear it where its packets cannot just be passed on: decoded, in order, even, and never silent for a lost packet.

use crate::codec::Codec;
use crate::codec::g711::Law;
use crate::codec::g722::Narrower;
use crate::codec::opus::{self, LONGEST};
use crate::codec::plc::Concealer;
use crate::rtp::jitter::{Due, JitterBuffer};
use crate::rtp::packet::Header;
use crate::time::{MS, Now};

/// Samples of a step, 10 ms.
const STEP: usize = 80;
/// Sound that has been made and may be heard, samples: 512 ms.
const RING: usize = 4_096;
/// Decoded sound that waits for its step: a packet of the longest kind and what was left.
const DECODED: usize = LONGEST + 2 * STEP;
/// More than the wanted delay by this much, for a second: a step is left out (30 ms).
const EXCESS: u32 = 240;
/// Steps over which the least depth is looked at, 1 s.
const REVIEW: u32 = 100;
/// A gap of timestamps that is filled up rather than waited out, samples (60 ms).
const FILLED: u32 = 480;

/// The instant `ns` (monotonic) in samples at 8 kHz.
pub(super) fn sample_at(ns: u64) -> u64 {
    ns / (MS / 8)
}

/// Decodes the sound of one party for all who listen to it. Everything is made once, with the ear.
pub struct Ear {
    /// With each packet the codec of its sound; none where it is a digit or silence.
    buffer: JitterBuffer<Option<Codec>>,
    decoder: Decoder,
    decoded: Decoded,
    /// What was made, by the sample's instant.
    ring: Box<[i16; RING]>,
    /// The instant up to which it was made.
    made: u64,
    /// Sound is given out; else it is gathered first.
    playing: bool,
    /// The timestamp that should come next.
    expected: u32,
    /// What the last packet was, and how long.
    last: (Codec, usize),
    least_depth: u32,
    reviewed: u32,
}

/// Makes sound of packets, and of their absence.
struct Decoder {
    narrower: Narrower,
    opus: Option<Box<opus::Listener>>,
    concealer: Concealer,
    scratch: Box<[i16; LONGEST]>,
}

impl Decoder {
    fn decode(&mut self, codec: Codec, payload: &[u8]) -> &[i16] {
        let done = match codec {
            Codec::G711(law) => {
                let pairs = self.scratch.iter_mut().zip(payload);
                pairs.map(|(sample, octet)| *sample = law.decode(*octet)).count()
            }
            Codec::G722 => self.narrower.decode(payload, &mut self.scratch[..]),
            Codec::Opus => self.opus.as_mut().map_or(0, |opus| opus.decode(payload, &mut self.scratch)),
        };
        let heard = self.scratch.get_mut(..done).unwrap_or_default();
        if done > 0 {
            self.concealer.handle_heard(heard);
        }
        heard
    }

    /// Sound in the place of `len` samples of a lost packet of `codec`; `next` is the packet after it.
    fn stand_in(&mut self, codec: Codec, len: usize, next: Option<&[u8]>) -> &[i16] {
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
    /// An ear for a party that is to be heard from `now` on.
    pub fn new(now: Now) -> Self {
        Self {
            buffer: JitterBuffer::default(),
            decoder: Decoder {
                narrower: Narrower::default(),
                opus: opus::Listener::new().map(Box::new),
                concealer: Concealer::default(),
                scratch: Box::new([0; LONGEST]),
            },
            decoded: Decoded { samples: [0; DECODED], len: 0 },
            ring: Box::new([0; RING]),
            made: sample_at(now.mono_ns),
            playing: false,
            expected: 0,
            last: (Codec::G711(Law::Alaw), 160),
            least_depth: u32::MAX,
            reviewed: 0,
        }
    }

    /// Takes a packet of the party; its timestamp is at 8 kHz.
    pub fn handle_packet(&mut self, header: &Header, sound: Option<Codec>, payload: &[u8], now: Now) {
        if self.buffer.put(header, sound, payload, sample_at(now.mono_ns) as u32) {
            self.playing = false;
            self.decoder.narrower = Narrower::default();
        }
    }

    /// Adds what is heard of the party in the `mix.len()` samples before the instant `end` (8 kHz since the clock's zero). Gives
    /// whether anything is: a party that sends nothing is not.
    pub fn hear(&mut self, end: u64, mix: &mut [i32]) -> bool {
        let behind = end.saturating_sub(self.made);
        if behind > (RING - STEP) as u64 {
            // Nobody has listened for a while; what has waited since is old.
            self.made = end - (mix.len() as u64).min(end);
            while self.buffer.depth() > self.buffer.delay() {
                self.buffer.skip();
            }
        }
        while self.made < end {
            self.step();
        }
        let begin = end.saturating_sub(mix.len() as u64);
        for (at, place) in (begin..end).zip(mix) {
            *place += i32::from(self.ring.get(at as usize % RING).copied().unwrap_or(0));
        }
        self.playing
    }

    /// Makes the next 10 ms.
    fn step(&mut self) {
        let mut made = [0; STEP];
        self.playing = self.playing || self.is_filled();
        if self.playing {
            let gained = self.decode(STEP);
            let ready = self.decoded.len.min(STEP);
            made.copy_from_slice(self.decoded.samples.first_chunk::<STEP>().unwrap_or(&[0; STEP]));
            if ready < STEP {
                self.decoder.concealer.conceal(made.get_mut(ready..).unwrap_or_default());
                if !gained {
                    self.expected = self.expected.wrapping_add((STEP - ready) as u32);
                }
                // After 60 ms of nothing the next word is gathered anew.
                self.playing = !self.decoder.concealer.is_spent();
            }
            self.decoded.take(STEP);
            self.catch_up();
        }
        for (at, sample) in (self.made..).zip(made) {
            if let Some(place) = self.ring.get_mut(at as usize % RING) {
                *place = sample;
            }
        }
        self.made += STEP as u64;
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
                        self.expected = timestamp.wrapping_add(heard.len() as u32);
                        self.last = (codec, heard.len());
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
        self.least_depth = self.least_depth.min(self.buffer.depth() + self.decoded.len as u32);
        self.reviewed += 1;
        if self.reviewed < REVIEW {
            return;
        }
        if self.least_depth > self.buffer.delay() + EXCESS {
            self.decode(2 * STEP);
            self.fold();
        }
        (self.reviewed, self.least_depth) = (0, u32::MAX);
    }

    /// Makes one step of the next two, the first fading into the second.
    fn fold(&mut self) {
        let (first, second) = self.decoded.samples.split_at_mut(STEP);
        for (index, (old, new)) in first.iter().zip(second.iter_mut()).enumerate() {
            let part = index as f32 / STEP as f32;
            *new = (f32::from(*old) * (1.0 - part) + f32::from(*new) * part) as i16;
        }
        self.decoded.take(STEP);
    }
}

#[cfg(test)]
#[path = "ear_tests.rs"]
mod tests;
