//! Music on hold: an own little piece, made at start, so that no floor needs anybody's recording.

use std::f64::consts::TAU;

use rand_chacha::ChaCha12Rng;
use rand_core::{Rng, SeedableRng};

const RATE: f64 = 8_000.0;

/// Samples of one eighth note: 120 to the minute.
const EIGHTH: usize = 2_000;

/// Chords of two seconds each (semitones above C3): C, a, F, G, e, a, d, G.
const CHORDS: [[i32; 3]; 8] =
    [[0, 4, 7], [-3, 0, 4], [-7, -3, 0], [-5, -1, 2], [4, 7, 11], [-3, 0, 4], [2, 5, 9], [-5, -1, 2]];

/// The loudest sample: quiet beside a voice (−14 dBFS).
const PEAK: f64 = 6_500.0;

/// A piece of 16 s at 8 kHz that loops without a seam: its last notes ring into its beginning. One seed is one piece.
pub fn piece(seed: u64) -> Vec<i16> {
    let mut random = ChaCha12Rng::seed_from_u64(seed);
    let mut sound = vec![0.0f64; CHORDS.len() * 8 * EIGHTH];
    for (bar, chord) in CHORDS.iter().enumerate() {
        let start = bar * 8 * EIGHTH;
        pluck(&mut sound, start, hz(chord[0] - 12), 0.9, 1.6);
        for (beat, degree) in [0, 1, 2, 1, 0, 2, 1, 2].into_iter().enumerate() {
            pluck(&mut sound, start + beat * EIGHTH, hz(chord[degree]), 0.35, 0.5);
        }
        // The melody takes notes of the chord only, so whatever the seed draws is in tune.
        for beat in [0, 3, 4, 6] {
            let draw = random.next_u32();
            if beat == 0 || draw % 4 != 0 {
                let degree = (draw >> 8) as usize % 3;
                pluck(&mut sound, start + beat * EIGHTH, hz(chord[degree] + 12), 0.6, 0.8);
            }
        }
    }
    let loudest = sound.iter().fold(1e-9f64, |peak, sample| peak.max(sample.abs()));
    sound.iter().map(|sample| (sample / loudest * PEAK).round() as i16).collect()
}

/// Semitones above C3 (130.8 Hz) in Hz.
fn hz(semitones: i32) -> f64 {
    130.812_8 * (f64::from(semitones) / 12.0).exp2()
}

/// Adds a soft plucked note that fades with a time constant of `fade` seconds; what rings past the end goes on at the start.
fn pluck(sound: &mut [f64], start: usize, hz: f64, gain: f64, fade: f64) {
    let length = sound.len();
    let ring = (fade * 5.0 * RATE) as usize;
    for (i, at) in (start..).take(ring.min(length)).enumerate() {
        let seconds = i as f64 / RATE;
        let attack = (seconds / 0.012).min(1.0);
        let envelope = gain * attack * (-seconds / fade).exp();
        let turn = TAU * hz * seconds;
        let voice = turn.sin() + 0.3 * (2.0 * turn).sin() + 0.08 * (3.0 * turn).sin();
        if let Some(sample) = sound.get_mut(at % length) {
            *sample += envelope * voice;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_piece_is_16_quiet_seconds_without_a_seam_or_a_hole() {
        let music = piece(1);
        assert_eq!(music.len(), 128_000);
        assert_eq!(music, piece(1));
        assert_ne!(music, piece(2));
        assert!(music.iter().all(|sample| sample.abs() <= 6_500));
        let step = |a: i16, b: i16| i32::from(a).abs_diff(i32::from(b));
        let largest = music.windows(2).map(|w| step(w[0], w[1])).max().unwrap();
        assert!(step(music[127_999], music[0]) <= largest);
        for second in music.chunks(8_000) {
            assert!(second.iter().any(|sample| sample.abs() > 1_000));
        }
    }
}
