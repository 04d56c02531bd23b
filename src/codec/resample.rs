//! 16 kHz to 8 kHz: prompts from a studio, voices for a telephone.

use std::f64::consts::PI;

/// Half the length of the filter: 97 taps.
const HALF: isize = 48;

/// Where the filter is half way down; speech up to 3.4 kHz passes, what would fold back below 3.4 kHz does not.
const CUTOFF_HZ: f64 = 3_750.0;

/// Halves the rate of samples at 16 kHz through a windowed-sinc filter of fixed length; no delay.
pub fn halve(samples: &[i16]) -> Vec<i16> {
    let taps = taps();
    let at = |index: isize| usize::try_from(index).ok().and_then(|index| samples.get(index)).copied().unwrap_or(0);
    let centres = (0..samples.len() as isize).step_by(2);
    centres
        .map(|centre| {
            let window = (centre - HALF)..=(centre + HALF);
            let sum: f64 = window.zip(&taps).map(|(index, tap)| f64::from(at(index)) * tap).sum();
            sum.round().clamp(-32_768.0, 32_767.0) as i16
        })
        .collect()
}

/// Blackman window: side lobes below −70 dB. The taps sum to one, so a constant stays itself.
fn taps() -> Vec<f64> {
    let turn = 2.0 * CUTOFF_HZ / 16_000.0;
    let raw: Vec<f64> = (-HALF..=HALF)
        .map(|n| {
            let x = n as f64;
            let sinc = if n == 0 { turn } else { (PI * turn * x).sin() / (PI * x) };
            let phase = PI * x / (HALF + 1) as f64;
            sinc * (0.42 + 0.5 * phase.cos() + 0.08 * (2.0 * phase).cos())
        })
        .collect();
    let sum: f64 = raw.iter().sum();
    raw.iter().map(|tap| tap / sum).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::tone::{Sine, energy_at};

    fn through(hz: f64) -> Vec<i16> {
        let wide: Vec<i16> = Sine::new(hz, 16_000, 10_000).take(16_000).collect();
        halve(&wide)
    }

    fn decibels(samples: &[i16], hz: f64) -> f64 {
        10.0 * (energy_at(samples, hz, 8_000).max(1e-9) / 5e7).log10()
    }

    #[test]
    fn speech_passes() {
        for hz in [100.0, 300.0, 1_000.0, 2_000.0, 3_000.0, 3_300.0] {
            let out = through(hz);
            assert_eq!(out.len(), 8_000);
            let level = decibels(&out, hz);
            assert!(level.abs() < 0.5, "{hz} Hz: {level} dB");
        }
    }

    #[test]
    fn nothing_folds_back_into_speech() {
        for hz in [4_600.0, 5_000.0, 6_000.0, 7_500.0] {
            let level = decibels(&through(hz)[100..7_900], 8_000.0 - hz);
            assert!(level < -50.0, "{hz} Hz: {level} dB");
        }
    }
}
