//! Sound that has been made of a party and may be heard, in the band of its codec, and in the other one for those who hear that.

use super::ear::STEP;
use crate::codec::Band;
use crate::codec::halfband::{Doubler, Halver};

/// How much is kept, in 8,000ths of a second as all times here: 512 ms.
const KEPT: usize = 4_096;

/// The last half second in both bands; the one that is not the party's is made once somebody hears it, and no further than that.
pub(super) struct Bands {
    band: Band,
    narrow: Box<[i16; KEPT]>,
    wide: Box<[[i16; 2]; KEPT]>,
    /// The instant up to which it was made in the party's band.
    made: u64,
    /// And in the other one.
    converted: u64,
    doubler: Doubler,
    halver: Halver,
}

impl Bands {
    /// Nothing as yet, of a party with this band, from the instant `begin` on.
    pub(super) fn new(band: Band, begin: u64) -> Self {
        Self {
            band,
            narrow: Box::new([0; KEPT]),
            wide: Box::new([[0; 2]; KEPT]),
            made: begin,
            converted: begin,
            doubler: Doubler::default(),
            halver: Halver::default(),
        }
    }

    /// The instant up to which sound was made.
    pub(super) fn made(&self) -> u64 {
        self.made
    }

    /// Whether more is to be made up to `end` than is kept.
    pub(super) fn is_far_behind(&self, end: u64) -> bool {
        end.saturating_sub(self.made) > (KEPT - STEP) as u64
    }

    /// Goes on at a later instant.
    pub(super) fn skip_to(&mut self, instant: u64) {
        self.made = instant;
    }

    /// Takes the next sound, in the party's band.
    pub(super) fn push(&mut self, samples: &[i16]) {
        match self.band {
            Band::Narrow => {
                for (at, sample) in (self.made..).zip(samples) {
                    put(&mut self.narrow[..], at, *sample);
                }
            }
            Band::Wide => {
                for (at, pair) in (self.made..).zip(samples.as_chunks::<2>().0) {
                    put(&mut self.wide[..], at, *pair);
                }
            }
        }
        self.made += (samples.len() / self.band.factor()) as u64;
    }

    /// Adds the `mix.len()` samples of a band before the instant `end`, which were made.
    pub(super) fn add(&mut self, end: u64, band: Band, mix: &mut [i32]) {
        if band != self.band {
            self.convert();
        }
        let begin = end.saturating_sub((mix.len() / band.factor()) as u64);
        match band {
            Band::Narrow => {
                for (at, place) in (begin..end).zip(mix) {
                    *place += i32::from(get(&self.narrow[..], at));
                }
            }
            Band::Wide => {
                for (at, places) in (begin..end).zip(mix.as_chunks_mut::<2>().0) {
                    let pair = get(&self.wide[..], at);
                    places.iter_mut().zip(pair).for_each(|(place, sample)| *place += i32::from(sample));
                }
            }
        }
    }

    fn convert(&mut self) {
        self.converted = self.converted.max(self.made.saturating_sub(KEPT as u64));
        for at in self.converted..self.made {
            match self.band {
                Band::Narrow => put(&mut self.wide[..], at, self.doubler.double(get(&self.narrow[..], at))),
                Band::Wide => put(&mut self.narrow[..], at, self.halver.halve(get(&self.wide[..], at))),
            }
        }
        self.converted = self.made;
    }
}

fn get<T: Copy + Default>(ring: &[T], at: u64) -> T {
    ring.get(at as usize % KEPT).copied().unwrap_or_default()
}

fn put<T>(ring: &mut [T], at: u64, value: T) {
    if let Some(place) = ring.get_mut(at as usize % KEPT) {
        *place = value;
    }
}
