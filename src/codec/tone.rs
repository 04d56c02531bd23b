//! Sines, and how much of one is in a sound.

use std::f64::consts::TAU;

/// An endless sine.
#[derive(Clone, Debug)]
pub struct Sine {
    phase: f64,
    step: f64,
    amplitude: f64,
}

impl Sine {
    /// A sine of `hz` at `rate` samples per second with the given peak (0–32767).
    pub fn new(hz: f64, rate: u32, amplitude: i16) -> Self {
        Self { phase: 0.0, step: TAU * hz / f64::from(rate), amplitude: f64::from(amplitude) }
    }
}

impl Iterator for Sine {
    type Item = i16;

    fn next(&mut self) -> Option<i16> {
        let sample = (self.phase.sin() * self.amplitude).round() as i16;
        self.phase = (self.phase + self.step) % TAU;
        Some(sample)
    }
}

/// The mean power of the component of `hz` in `samples` (Goertzel): a sine of peak A at that frequency gives A²/2.
pub fn energy_at(samples: &[i16], hz: f64, rate: u32) -> f64 {
    if samples.is_empty() {
        return 0.0;
    }
    let turn = TAU * hz / f64::from(rate);
    let coefficient = 2.0 * turn.cos();
    let (mut last, mut before) = (0.0, 0.0);
    for sample in samples {
        let next = f64::from(*sample) + coefficient * last - before;
        before = last;
        last = next;
    }
    let power = last * last + before * before - coefficient * last * before;
    2.0 * power / (samples.len() as f64).powi(2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tone_is_found_at_its_frequency_only() {
        let samples: Vec<i16> = Sine::new(440.0, 8_000, 10_000).take(8_000).collect();
        let expected = 10_000.0 * 10_000.0 / 2.0;
        assert!((energy_at(&samples, 440.0, 8_000) / expected - 1.0).abs() < 0.01);
        assert!(energy_at(&samples, 880.0, 8_000) < expected / 1e5);
        assert_eq!(energy_at(&[], 440.0, 8_000), 0.0);
    }
}
