//! Call progress tones: what callers hear while a phone rings, is busy, or cannot be reached, as each country's network plays them
//! (ITU-T E.180, supplement 2).

use std::f64::consts::TAU;

const RATE: f64 = 8_000.0;
/// Samples of a millisecond.
const PER_MS: usize = 8;
/// The loudest sample of a tone of one frequency: −18 dBFS, below a voice.
const PEAK: f64 = 4_100.0;
/// Of the first and last samples of each sound, which rise and fall so that they do not click (5 ms).
const RAMP: usize = 40;

/// The names of the tones, as files name them.
pub const NAMES: [&str; 3] = ["ringback", "busy", "congestion"];

/// The country whose tones are played where none is named: those that the ITU recommends.
pub const DEFAULT: &str = "itu";

/// Frequencies (Hz), and milliseconds of sound and silence in turn.
type Tone = (&'static [u16], &'static [u32]);

/// By country: ringback, busy, congestion.
const COUNTRIES: [(&str, [Tone; 3]); 14] = [
    (DEFAULT, [(&[425], &[1_000, 4_000]), (&[425], &[500, 500]), (&[425], &[250, 250])]),
    ("au", [(&[400, 450], &[400, 200, 400, 2_000]), (&[425], &[375, 375]), (&[425], &[375, 375])]),
    ("br", [(&[425], &[1_000, 4_000]), (&[425], &[250, 250]), (&[425], &[250, 250, 750, 250])]),
    ("cn", [(&[450], &[1_000, 4_000]), (&[450], &[350, 350]), (&[450], &[700, 700])]),
    ("de", [(&[425], &[1_000, 4_000]), (&[425], &[480, 480]), (&[425], &[240, 240])]),
    ("es", [(&[425], &[1_500, 3_000]), (&[425], &[200, 200]), (&[425], &[200, 200, 200, 200, 200, 600])]),
    ("fr", [(&[440], &[1_500, 3_500]), (&[440], &[500, 500]), (&[440], &[500, 500])]),
    ("gb", [(&[400, 450], &[400, 200, 400, 2_000]), (&[400], &[375, 375]), (&[400], &[400, 350, 225, 525])]),
    ("hk", [(&[440, 480], &[400, 200, 400, 3_000]), (&[480, 620], &[500, 500]), (&[480, 620], &[250, 250])]),
    ("it", [(&[425], &[1_000, 4_000]), (&[425], &[500, 500]), (&[425], &[200, 200])]),
    ("jp", [(&[400], &[1_000, 2_000]), (&[400], &[500, 500]), (&[400], &[500, 500])]),
    ("nl", [(&[425], &[1_000, 4_000]), (&[425], &[500, 500]), (&[425], &[250, 250])]),
    ("sg", [(&[425], &[400, 200, 400, 2_000]), (&[425], &[750, 750]), (&[425], &[250, 250])]),
    ("us", [(&[440, 480], &[2_000, 4_000]), (&[480, 620], &[500, 500]), (&[480, 620], &[250, 250])]),
];

/// The countries whose tones are known, by ISO 3166 code.
pub fn countries() -> impl Iterator<Item = &'static str> {
    COUNTRIES.iter().map(|(country, _)| *country)
}

/// One period of a tone by its name, to be repeated, at 8 kHz; `None` where the name is none of [`NAMES`]. A country that is not
/// known has the tones of [`DEFAULT`].
pub fn tone(country: &str, name: &str) -> Option<Vec<i16>> {
    let which = NAMES.iter().position(|known| *known == name)?;
    let (_, tones) = COUNTRIES.iter().find(|(known, _)| *known == country).unwrap_or(&COUNTRIES[0]);
    let (frequencies, cadence) = tones[which];
    let mut samples = Vec::new();
    for (part, ms) in cadence.iter().enumerate() {
        let length = *ms as usize * PER_MS;
        match part % 2 {
            0 => samples.extend((0..length).map(|at| sample(frequencies, at, length))),
            _ => samples.resize(samples.len() + length, 0),
        }
    }
    Some(samples)
}

fn sample(frequencies: &[u16], at: usize, length: usize) -> i16 {
    let edge = at.min(length - 1 - at).min(RAMP) as f64 / RAMP as f64;
    let waves: f64 = frequencies.iter().map(|hz| (TAU * f64::from(*hz) * at as f64 / RATE).sin()).sum();
    (waves / frequencies.len() as f64 * PEAK * edge).round() as i16
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_country_has_its_tones_in_its_cadence() {
        for country in countries() {
            for name in NAMES {
                let samples = tone(country, name).unwrap();
                assert!(samples.len() >= 400 * PER_MS && samples.len() <= 6_000 * PER_MS, "{country} {name}");
                assert!(
                    samples[100..1_000].iter().any(|s| s.abs() > 2_000) && samples.ends_with(&[0; 800]),
                    "{country} {name}"
                );
            }
        }
        assert_eq!(tone("cn", "dial"), None);
        assert_eq!(tone("??", "busy"), tone(DEFAULT, "busy"));
    }

    #[test]
    fn a_british_phone_rings_twice_in_three_seconds() {
        let samples = tone("gb", "ringback").unwrap();
        let heard = |ms: usize| samples[ms * PER_MS..(ms + 50) * PER_MS].iter().any(|s| s.abs() > 500);
        assert_eq!([0, 300, 450, 650, 950, 1_100, 2_900].map(heard), [true, true, false, true, true, false, false]);
        assert_eq!(samples.len(), 3_000 * PER_MS);
    }
}
