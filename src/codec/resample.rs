//! To 8 kHz: prompts from a studio or a machine that speaks, voices for a telephone.

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

/// Samples at any rate from 8 kHz up, at 8 kHz: a filter of the same length in time, its taps found for each sample, as the two
/// rates seldom meet.
pub fn to_8k(samples: &[i16], from_hz: u32) -> Vec<i16> {
    let (from, half) = (f64::from(from_hz), HALF as f64 * f64::from(from_hz) / 16_000.0);
    let turn = 2.0 * CUTOFF_HZ / from;
    let count = samples.len() as u64 * 8_000 / u64::from(from_hz.max(1));
    let sample = |number: u64| {
        let centre = number as f64 * from / 8_000.0;
        let window = (centre - half).ceil() as i64..=(centre + half).floor() as i64;
        let (mut sum, mut weights) = (0.0, 0.0);
        for index in window {
            let weight = weight(index as f64 - centre, half, turn);
            let at = usize::try_from(index).ok().and_then(|index| samples.get(index)).copied().unwrap_or(0);
            sum += f64::from(at) * weight;
            weights += weight;
        }
        (sum / weights).round().clamp(-32_768.0, 32_767.0) as i16
    };
    (0..count).map(sample).collect()
}

/// The windowed sinc at a distance from its centre, in samples; side lobes below −70 dB.
fn weight(x: f64, half: f64, turn: f64) -> f64 {
    let sinc = if x.abs() < 1e-9 { turn } else { (PI * turn * x).sin() / (PI * x) };
    let phase = PI * x / (half + 1.0);
    sinc * (0.42 + 0.5 * phase.cos() + 0.08 * (2.0 * phase).cos())
}

/// Blackman window: side lobes below −70 dB. The taps sum to one, so a constant stays itself.
fn taps() -> Vec<f64> {
    let turn = 2.0 * CUTOFF_HZ / 16_000.0;
    let raw: Vec<f64> = (-HALF..=HALF).map(|n| weight(n as f64, HALF as f64, turn)).collect();
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
    fn other_rates_become_the_telephones() {
        for rate in [11_025, 22_050, 44_100, 48_000] {
            let tone = |hz: f64| to_8k(&Sine::new(hz, rate, 10_000).take(rate as usize).collect::<Vec<i16>>(), rate);
            for hz in [300.0, 1_000.0, 3_000.0] {
                let out = tone(hz);
                assert!(out.len().abs_diff(8_000) <= 1, "{rate}: {}", out.len());
                assert!(decibels(&out, hz).abs() < 0.5, "{hz} Hz at {rate}: {} dB", decibels(&out, hz));
            }
            // What would fold back to 3 kHz.
            assert!(decibels(&tone(5_000.0), 3_000.0) < -50.0, "{rate}");
        }
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
