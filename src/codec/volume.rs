//! Louder and softer.

/// Makes sound louder by so many decibels, or softer where there are less than none; what gets too loud is clipped.
pub fn scale(samples: &mut [i16], db: i8) {
    if db == 0 {
        return;
    }
    let factor = 10f32.powf(f32::from(db) / 20.0);
    // The cast saturates.
    samples.iter_mut().for_each(|sample| *sample = (f32::from(*sample) * factor).round() as i16);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::tone::{Sine, energy_at};

    #[test]
    fn a_tone_gets_louder_and_softer_by_the_decibels_asked_for() {
        let level = |db: i8, peak: i16| {
            let mut samples: Vec<i16> = Sine::new(440.0, 8_000, peak).take(8_000).collect();
            scale(&mut samples, db);
            10.0 * (energy_at(&samples, 440.0, 8_000) / (f64::from(peak).powi(2) / 2.0)).log10()
        };
        for db in [-30, -6, 0, 6, 12] {
            assert!((level(db, 4_000) - f64::from(db)).abs() < 0.1, "{db} dB: {}", level(db, 4_000));
        }
    }

    #[test]
    fn what_gets_too_loud_is_clipped_and_does_not_wrap() {
        let mut samples = [30_000, -30_000, 0, 100];
        scale(&mut samples, 12);
        assert_eq!(samples, [i16::MAX, i16::MIN, 0, 398]);
    }
}
