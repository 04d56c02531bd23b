//! What is heard in the place of lost sound: the last pitch period again, fainter and fainter (after ITU-T G.711 Appendix I).

use super::Band;

/// The longest pitch period that is looked for, samples at 8 kHz (66 Hz).
const LONGEST: usize = 120;
/// The shortest (200 Hz).
const SHORTEST: usize = 40;
/// What is compared, 20 ms. These and those below are samples at 8 kHz.
const WINDOW: usize = 160;
/// What is remembered.
pub const HISTORY: usize = LONGEST + WINDOW;
/// After this much of repeating it grows fainter, 10 ms.
const FULL: usize = 80;
/// And after this much it is silent, 60 ms.
pub const GONE: usize = 480;
/// Over this much real sound takes over from the repeated, 4 ms.
pub const SEAM: usize = 32;

/// Conceals losses of one stream.
#[derive(Clone, Debug)]
pub struct Concealer {
    /// The newest at the end; what is remembered in the wide band, of which the narrow one uses the end.
    history: [i16; 2 * HISTORY],
    /// Samples where the constants have one.
    factor: usize,
    /// The period that is repeated; none while nothing is lost.
    pitch: Option<usize>,
    /// Samples concealed since the last real one.
    concealed: usize,
}

impl Concealer {
    /// For a stream in this band.
    pub fn new(band: Band) -> Self {
        Self { history: [0; 2 * HISTORY], factor: band.factor(), pitch: None, concealed: 0 }
    }

    /// Takes real sound, which is to be played; after a loss its beginning is blended with what stood in for it.
    pub fn handle_heard(&mut self, samples: &mut [i16]) {
        if let Some(pitch) = self.pitch.take() {
            let seam = SEAM * self.factor;
            for (index, sample) in samples.iter_mut().take(seam).enumerate() {
                let part = (index + 1) as f32 / (seam + 1) as f32;
                let stood_in = self.repeated(pitch, self.concealed + index);
                *sample = (f32::from(*sample) * part + stood_in * (1.0 - part)) as i16;
            }
            self.concealed = 0;
        }
        let room = self.history.len();
        let kept = samples.len().min(room);
        self.history.copy_within(kept.., 0);
        let (Some(place), Some(newest)) = (self.history.get_mut(room - kept..), samples.get(samples.len() - kept..))
        else {
            return;
        };
        place.copy_from_slice(newest);
    }

    /// Fills `out` with what stands in for lost sound.
    pub fn conceal(&mut self, out: &mut [i16]) {
        let pitch = *self.pitch.get_or_insert_with(|| pitch_of(&self.history, self.factor));
        for sample in out {
            *sample = self.repeated(pitch, self.concealed) as i16;
            self.concealed = self.concealed.saturating_add(1);
        }
    }

    /// Whether the last 60 ms and more were lost, so that there is nothing left to be heard.
    pub fn is_spent(&self) -> bool {
        self.concealed >= GONE * self.factor
    }

    fn repeated(&self, pitch: usize, index: usize) -> f32 {
        let sample = self.history.get(self.history.len() - pitch + index % pitch).copied().unwrap_or(0);
        let faint = index.saturating_sub(FULL * self.factor) as f32 / ((GONE - FULL) * self.factor) as f32;
        f32::from(sample) * (1.0 - faint).max(0.0)
    }
}

/// The distance at which the newest sound is most like itself.
fn pitch_of(history: &[i16; 2 * HISTORY], factor: usize) -> usize {
    let window = WINDOW * factor;
    let likeness = |lag: usize| {
        let newest = history.iter().skip(history.len() - window);
        let earlier = history.iter().skip(history.len() - window - lag);
        let (mut product, mut energy) = (0.0f32, 1.0f32);
        for (new, old) in newest.zip(earlier) {
            product += f32::from(*new) * f32::from(*old);
            energy += f32::from(*old) * f32::from(*old);
        }
        product.max(0.0) * product / energy
    };
    let mut best = (SHORTEST * factor, 0.0);
    for lag in SHORTEST * factor..=LONGEST * factor {
        let found = likeness(lag);
        if found > best.1 {
            best = (lag, found);
        }
    }
    best.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::tone::{Sine, energy_at};

    #[test]
    fn a_lost_frame_of_a_voice_is_hardly_heard() {
        let mut said: Vec<i16> = Sine::new(160.0, 8_000, 6_000)
            .zip(Sine::new(480.0, 8_000, 3_000))
            .map(|(low, high)| low + high)
            .take(1_600)
            .collect();
        let clean = said.clone();
        let mut concealer = Concealer::new(Band::Narrow);
        for (number, frame) in said.chunks_mut(160).enumerate() {
            if number == 6 { concealer.conceal(frame) } else { concealer.handle_heard(frame) }
        }
        let noise: f64 = clean.iter().zip(&said).map(|(a, b)| f64::from(a - b).powi(2)).sum::<f64>() / 160.0;
        assert!(noise < 0.1 * (6_000.0f64.powi(2) + 3_000.0f64.powi(2)) / 2.0, "{noise}");
        for hz in [160.0, 480.0] {
            let kept = energy_at(&said[960..1_120], hz, 8_000) / energy_at(&clean[960..1_120], hz, 8_000);
            assert!((0.7..1.2).contains(&kept), "{hz} Hz: {kept}");
        }
    }

    #[test]
    fn a_wide_voice_is_stood_in_for_as_long() {
        let mut concealer = Concealer::new(Band::Wide);
        let mut said: Vec<i16> = Sine::new(400.0, 16_000, 8_000).take(1_600).collect();
        concealer.handle_heard(&mut said);
        let mut lost = [0; 1_920];
        concealer.conceal(&mut lost);
        let kept = energy_at(&lost[..320], 400.0, 16_000) / (8_000.0f64.powi(2) / 2.0);
        assert!((0.7..1.1).contains(&kept), "{kept}");
        assert!(lost[800..960].iter().all(|sample| sample.abs() < 2_500) && lost[960..].iter().all(|s| *s == 0));
        assert!(concealer.is_spent());
    }

    #[test]
    fn what_stays_away_fades_to_silence_and_comes_back_whole() {
        let mut tone = Sine::new(400.0, 8_000, 8_000);
        let mut concealer = Concealer::new(Band::Narrow);
        let mut frame: Vec<i16> = tone.by_ref().take(800).collect();
        concealer.handle_heard(&mut frame);
        let mut lost = [0; 960];
        concealer.conceal(&mut lost);
        assert!(lost[..80].iter().any(|sample| sample.abs() > 7_000));
        assert!(lost[400..480].iter().all(|sample| sample.abs() < 2_000));
        assert!(lost[480..].iter().all(|sample| *sample == 0) && concealer.is_spent());
        let again: Vec<i16> = tone.take(160).collect();
        let mut heard = again.clone();
        concealer.handle_heard(&mut heard);
        assert_eq!(heard[SEAM..], again[SEAM..]);
        assert!(heard[0].abs() < 1_000 && !concealer.is_spent());
    }
}
