//! Between 8 and 16 kHz while a call runs: a half-band filter that keeps its state from packet to packet.

use std::f64::consts::PI;

/// Pairs of taps around the middle that are not zero: 47 taps in all, 1.4 ms of delay at 16 kHz.
const PAIRS: usize = 12;
/// Samples that the filter looks at.
const SPAN: usize = 4 * PAIRS - 1;
/// Where the taps around the middle are symmetrical.
const MIDDLE: usize = SPAN / 2;
/// Kaiser's parameter for side lobes 60 dB down: speech to 3.4 kHz passes, what would fold back below that does not.
const BETA: f64 = 5.65;

/// Taps at the odd distances 1, 3, … from the middle; the middle itself is a half, and the even ones are zero.
fn taps() -> [f32; PAIRS] {
    let weight = |distance: f64| {
        let place = distance / (MIDDLE + 1) as f64;
        bessel(BETA * (1.0 - place * place).sqrt()) / bessel(BETA)
    };
    let mut taps = [0.0; PAIRS];
    for (number, tap) in taps.iter_mut().enumerate() {
        let distance = (2 * number + 1) as f64;
        *tap = ((PI * distance / 2.0).sin() / (PI * distance) * weight(distance)) as f32;
    }
    // A constant stays itself.
    let sum: f32 = taps.iter().sum();
    taps.map(|tap| tap * 0.25 / sum)
}

/// The modified Bessel function of order zero.
fn bessel(x: f64) -> f64 {
    let mut term = 1.0;
    (1..30).fold(1.0, |sum, n| {
        term *= (x / 2.0 / f64::from(n)).powi(2);
        sum + term
    })
}

/// The last samples, the newest at the end.
#[derive(Clone, Debug)]
struct Window<const N: usize> {
    samples: [f32; N],
}

impl<const N: usize> Window<N> {
    fn push(&mut self, sample: f32) {
        self.samples.rotate_left(1);
        if let Some(last) = self.samples.last_mut() {
            *last = sample;
        }
    }

    fn at(&self, index: usize) -> f32 {
        self.samples.get(index).copied().unwrap_or(0.0)
    }
}

fn to_sample(value: f32) -> i16 {
    value.round() as i16
}

/// 16 kHz to 8 kHz.
#[derive(Clone, Debug)]
pub struct Halver {
    taps: [f32; PAIRS],
    window: Window<SPAN>,
}

impl Default for Halver {
    fn default() -> Self {
        Self { taps: taps(), window: Window { samples: [0.0; SPAN] } }
    }
}

impl Halver {
    /// Makes one sample of the next two.
    pub fn halve(&mut self, pair: [i16; 2]) -> i16 {
        pair.iter().for_each(|sample| self.window.push(f32::from(*sample)));
        let sides = self.taps.iter().enumerate().map(|(number, tap)| {
            let distance = 2 * number + 1;
            tap * (self.window.at(MIDDLE - distance) + self.window.at(MIDDLE + distance))
        });
        to_sample(self.window.at(MIDDLE) / 2.0 + sides.sum::<f32>())
    }
}

/// 8 kHz to 16 kHz.
#[derive(Clone, Debug)]
pub struct Doubler {
    taps: [f32; PAIRS],
    window: Window<{ 2 * PAIRS }>,
}

impl Default for Doubler {
    fn default() -> Self {
        Self { taps: taps(), window: Window { samples: [0.0; 2 * PAIRS] } }
    }
}

impl Doubler {
    /// Makes two samples of the next one.
    pub fn double(&mut self, sample: i16) -> [i16; 2] {
        self.window.push(f32::from(sample));
        let between = self
            .taps
            .iter()
            .enumerate()
            .map(|(number, tap)| 2.0 * tap * (self.window.at(PAIRS - 1 - number) + self.window.at(PAIRS + number)));
        [to_sample(self.window.at(PAIRS - 1)), to_sample(between.sum())]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::tone::{Sine, energy_at};

    fn decibels(samples: &[i16], hz: f64, rate: u32) -> f64 {
        10.0 * (energy_at(samples, hz, rate).max(1e-9) / 5e7).log10()
    }

    fn halved(hz: f64) -> Vec<i16> {
        let wide: Vec<i16> = Sine::new(hz, 16_000, 10_000).take(16_000).collect();
        let mut halver = Halver::default();
        wide.as_chunks::<2>().0.iter().map(|pair| halver.halve(*pair)).collect()
    }

    fn doubled(hz: f64) -> Vec<i16> {
        let mut doubler = Doubler::default();
        Sine::new(hz, 8_000, 10_000).take(8_000).flat_map(|sample| doubler.double(sample)).collect()
    }

    #[test]
    fn speech_passes_both_ways_at_its_level() {
        for hz in [100.0, 300.0, 1_000.0, 2_000.0, 3_000.0, 3_300.0] {
            let (down, up) = (halved(hz), doubled(hz));
            assert_eq!((down.len(), up.len()), (8_000, 16_000));
            let levels = (decibels(&down[100..], hz, 8_000), decibels(&up[100..], hz, 16_000));
            assert!(levels.0.abs() < 0.3 && levels.1.abs() < 0.3, "{hz} Hz: {levels:?} dB");
        }
    }

    #[test]
    fn nothing_folds_back_and_no_image_appears() {
        for hz in [4_700.0, 5_000.0, 6_000.0, 7_500.0] {
            let level = decibels(&halved(hz)[100..], 8_000.0 - hz, 8_000);
            assert!(level < -50.0, "{hz} Hz: {level} dB");
        }
        for hz in [300.0, 1_000.0, 3_000.0] {
            let level = decibels(&doubled(hz)[100..], 8_000.0 - hz, 16_000);
            assert!(level < -50.0, "the image of {hz} Hz: {level} dB");
        }
    }
}
