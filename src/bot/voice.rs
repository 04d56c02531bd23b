//! A bot's voice: syllables of a pitch of its own with pauses, so that a recording shows who speaks when.

use std::f64::consts::PI;

use super::script::Dice;
use crate::codec::tone::Sine;

/// Samples of 20 ms at 8 kHz.
pub(super) const FRAME: usize = 160;
/// Samples of one syllable: five to the second.
const SYLLABLE: u32 = 1_600;

/// One voice.
#[derive(Debug)]
pub(super) struct Voice {
    partials: [Sine; 3],
    dice: Dice,
    /// Samples of this spurt or pause that are left.
    left: u32,
    speaks: bool,
}

impl Voice {
    /// A voice whose pitch the seed decides.
    pub(super) fn new(seed: u64) -> Self {
        let mut dice = Dice::new(seed);
        let pitch = dice.between(110, 260) as f64;
        let partial = |times: f64, amplitude| Sine::new(pitch * times, 8_000, amplitude);
        // Soft: at most −16 dBFS together.
        Self { partials: [partial(1.0, 2_400), partial(2.0, 1_600), partial(3.0, 1_000)], dice, left: 0, speaks: false }
    }

    /// The next 20 ms.
    pub(super) fn frame(&mut self) -> [i16; FRAME] {
        let mut samples = [0; FRAME];
        for sample in &mut samples {
            if self.left == 0 {
                self.speaks = !self.speaks;
                // Whole syllables, so that no spurt breaks off in the middle of one.
                let syllables = if self.speaks { self.dice.between(6, 20) } else { self.dice.between(1, 5) };
                self.left = syllables as u32 * SYLLABLE;
            }
            self.left -= 1;
            let sound: i32 = self.partials.iter_mut().filter_map(Iterator::next).map(i32::from).sum();
            if self.speaks {
                let swell = (PI * f64::from(self.left % SYLLABLE) / f64::from(SYLLABLE)).sin();
                *sample = (f64::from(sound) * swell) as i16;
            }
        }
        samples
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_voice_is_heard_pauses_and_stays_soft() {
        let mut voice = Voice::new(1);
        let frames: Vec<_> = (0..1_000).map(|_| voice.frame()).collect();
        let loud = frames.iter().filter(|frame| frame.iter().any(|sample| sample.unsigned_abs() > 300)).count();
        let silent = frames.iter().filter(|frame| frame.iter().all(|sample| *sample == 0)).count();
        assert!(loud > 400 && silent > 50, "{loud} loud, {silent} silent of 1000");
        assert!(frames.iter().flatten().all(|sample| sample.unsigned_abs() <= 5_000));
    }

    #[test]
    fn two_seeds_are_two_voices() {
        assert_ne!(Voice::new(1).frame(), Voice::new(2).frame());
        assert_eq!(Voice::new(1).frame(), Voice::new(1).frame());
    }
}
