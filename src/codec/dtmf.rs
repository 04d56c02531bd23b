//! Keys in the sound itself (ITU-T Q.23, Q.24), for parties that send no telephone-events: found by Goertzel's filter, and not in
//! what people say.

use std::f64::consts::TAU;
use std::sync::LazyLock;

use super::g711::Law;

/// Samples of a block, 12.75 ms at 8 kHz: the rows and columns lie well apart, and two of them fit into the shortest key (40 ms).
const BLOCK: usize = 102;
const ROWS: [f32; 4] = [697.0, 770.0, 852.0, 941.0];
const COLUMNS: [f32; 4] = [1_209.0, 1_336.0, 1_477.0, 1_633.0];
const KEYS: [[char; 4]; 4] = [['1', '2', '3', 'A'], ['4', '5', '6', 'B'], ['7', '8', '9', 'C'], ['*', '0', '#', 'D']];
/// Mean power of the weaker tone at least (a peak of 150, −42 dBm0).
const LEAST: f32 = 150.0 * 150.0 / 2.0;
/// A column may be so much stronger than its row, and a row than its column (8 and 4 dB, Q.24 Annex A).
const TWIST: (f32, f32) = (6.3, 2.5);
/// The tone must be so much stronger than each other one of its group (8 dB).
const CLEAR: f32 = 6.3;
/// The two tones are at least so much of all sound: voices have more than two.
const SHARE: f32 = 0.76;
/// A key is down after so many blocks, and up after so many of anything else.
const HITS: u8 = 2;
const MISSES: u8 = 2;

/// Goertzel's filters for the tones of one group, side by side so that the processor runs them at once.
type Filters = [f32; 4];

/// Parts of a block that are filtered side by side: each step of a filter waits for the one before it, and the processor could do
/// more meanwhile. With more of them, or both groups, it has no registers left.
const PARTS: usize = 3;
const PART: usize = BLOCK / PARTS;

/// The tones of one group, as their filters need them.
#[derive(Debug)]
struct Group {
    /// 2 cos ω, of Goertzel's recursion.
    coefficients: Filters,
    /// A filter's state one part later, had nothing come in: sin((PART + 1) ω), sin(PART ω) and sin((PART − 1) ω), by sin ω.
    later: [Filters; 3],
}

static GROUPS: LazyLock<[Group; 2]> = LazyLock::new(|| [ROWS, COLUMNS].map(Group::new));

impl Group {
    fn new(tones: [f32; 4]) -> Self {
        let omega = tones.map(|hz| TAU * f64::from(hz) / 8_000.0);
        let ratio = |steps: usize| omega.map(|omega| ((steps as f64 * omega).sin() / omega.sin()) as f32);
        let coefficients = omega.map(|omega| (2.0 * omega.cos()) as f32);
        Self { coefficients, later: [ratio(PART + 1), ratio(PART), ratio(PART - 1)] }
    }

    /// The mean power of each tone in a block.
    fn powers(&self, block: &[f32; BLOCK]) -> Filters {
        let mut states = [(Filters::default(), Filters::default()); PARTS];
        let (first, rest) = block.split_at(PART);
        let (second, third) = rest.split_at(PART);
        for ((first, second), third) in first.iter().zip(second).zip(third) {
            for (sample, (last, before)) in [first, second, third].into_iter().zip(&mut states) {
                for ((last, before), coefficient) in last.iter_mut().zip(before).zip(&self.coefficients) {
                    let next = coefficient * *last + (sample - *before);
                    (*before, *last) = (*last, next);
                }
            }
        }
        // Filters are linear: what came before goes on by itself under what comes later.
        let (mut last, mut before) = (Filters::default(), Filters::default());
        let [p, q, r] = &self.later;
        for (came_last, came_before) in &states {
            let constants = p.iter().zip(q).zip(r);
            let tones = last.iter_mut().zip(&mut before).zip(came_last.iter().zip(came_before)).zip(constants);
            for (((last, before), (came_last, came_before)), ((p, q), r)) in tones {
                let (one, other) = (*last, *before);
                *last = p * one - q * other + came_last;
                *before = q * one - r * other + came_before;
            }
        }
        for ((last, before), coefficient) in last.iter_mut().zip(before).zip(&self.coefficients) {
            let energy = *last * *last + before * before - coefficient * *last * before;
            *last = 2.0 * energy / (BLOCK * BLOCK) as f32;
        }
        last
    }
}

/// The mean power of all sound in a block.
fn power_of(block: &[f32; BLOCK]) -> f32 {
    let mut sums = [0.0f32; 6];
    for samples in block.chunks_exact(6) {
        sums.iter_mut().zip(samples).for_each(|(sum, sample)| *sum += sample * sample);
    }
    sums.iter().sum::<f32>() / BLOCK as f32
}

/// Listens to one stream at 8 kHz.
#[derive(Clone, Debug)]
pub struct Detector {
    /// As it came: a quarter of the memory that samples take, which is rarely at hand when the next packet comes.
    block: [u8; BLOCK],
    octets: usize,
    /// What the last blocks were, and how many.
    candidate: Option<char>,
    hits: u8,
    misses: u8,
    /// The key that is down.
    down: Option<char>,
}

impl Default for Detector {
    fn default() -> Self {
        // Here, and not at the first loud block.
        LazyLock::force(&GROUPS);
        Self { block: [0; BLOCK], octets: 0, candidate: None, hits: 0, misses: 0, down: None }
    }
}

impl Detector {
    /// Takes what comes next; tells each key that is down from now on. A sender that changes its law within a block makes noise of
    /// what of it came before.
    pub fn listen(&mut self, law: Law, mut came: &[u8], mut found: impl FnMut(char)) {
        while let Some(room) = self.block.get_mut(self.octets..) {
            let (now, later) = came.split_at(came.len().min(room.len()));
            room.iter_mut().zip(now).for_each(|(place, octet)| *place = *octet);
            self.octets += now.len();
            came = later;
            if self.octets < BLOCK {
                return;
            }
            self.octets = 0;
            if let Some(key) = self.judge(key_in(&self.block.map(|octet| f32::from(law.decode(octet))))) {
                found(key);
            }
        }
    }

    fn judge(&mut self, found: Option<char>) -> Option<char> {
        self.hits = if found.is_some() && found == self.candidate { self.hits.saturating_add(1) } else { 1 };
        self.candidate = found;
        if self.down.is_some() && found != self.down {
            self.misses += 1;
            if self.misses >= MISSES {
                self.down = None;
            }
        } else {
            self.misses = 0;
        }
        if self.down.is_none() && found.is_some() && self.hits >= HITS {
            (self.down, self.misses) = (found, 0);
            return found;
        }
        None
    }
}

/// The tones of a key, Hz: its row's and its column's; `None` where it is no DTMF key.
pub fn tones_of(digit: char) -> Option<[f64; 2]> {
    let place = KEYS.iter().flatten().position(|key| *key == digit)?;
    Some([f64::from(*ROWS.get(place / 4)?), f64::from(*COLUMNS.get(place % 4)?)])
}

/// The key whose tones the block is made of. What is fainter than the faintest pair need not be looked at, nor columns where no row
/// is as loud as the faintest beside its column.
fn key_in(block: &[f32; BLOCK]) -> Option<char> {
    let power = power_of(block);
    if power < LEAST {
        return None;
    }
    let [rows, columns] = &*GROUPS;
    let (row, row_power) = loudest(&rows.powers(block))?;
    if row_power * (1.0 + TWIST.0) < power * SHARE {
        return None;
    }
    let (column, column_power) = loudest(&columns.powers(block))?;
    let fits = row_power.min(column_power) >= LEAST
        && column_power <= row_power * TWIST.0
        && row_power <= column_power * TWIST.1
        && row_power + column_power >= power * SHARE;
    KEYS.get(row)?.get(column).copied().filter(|_| fits)
}

/// The loudest tone of a group, where it is louder by far.
fn loudest(group: &Filters) -> Option<(usize, f32)> {
    let (index, power) = group.iter().copied().enumerate().max_by(|one, other| one.1.total_cmp(&other.1))?;
    let clear = group.iter().enumerate().all(|(other, weaker)| other == index || weaker * CLEAR < power);
    clear.then_some((index, power))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::tone::Sine;

    /// A key for so many milliseconds, its row at `peak`, the column stronger by `twist`, both off by `shift`.
    fn key(digit: char, ms: usize, peak: f64, twist: f64, shift: f64) -> Vec<i16> {
        let [row, column] = tones_of(digit).unwrap();
        let tone = |hz: f64, peak: f64| Sine::new(hz * shift, 8_000, peak as i16);
        let pair = tone(row, peak).zip(tone(column, peak * twist));
        pair.map(|(row, column)| row + column).take(ms * 8).collect()
    }

    fn found(sound: impl IntoIterator<Item = i16>) -> String {
        let mut keys = String::new();
        let octets: Vec<u8> = sound.into_iter().map(|sample| Law::Alaw.encode(sample)).collect();
        let mut detector = Detector::default();
        // As packets bring it, and blocks begin anywhere in them.
        octets.chunks(160).for_each(|packet| detector.listen(Law::Alaw, packet, |key| keys.push(key)));
        keys
    }

    fn row_of_keys(peak: f64, twist: f64, shift: f64, noise: i32) -> String {
        let mut dice = 1u32;
        let mut sound = Vec::new();
        for digit in KEYS.iter().flatten() {
            sound.extend(key(*digit, 40, peak, twist, shift));
            sound.extend([0; 320]);
        }
        found(sound.into_iter().map(|sample| {
            dice = dice.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let hiss = if noise > 0 { (dice >> 16) as i32 % (2 * noise) - noise } else { 0 };
            (i32::from(sample) + hiss) as i16
        }))
    }

    #[test]
    fn every_key_of_forty_milliseconds_is_found_once() {
        let all: String = KEYS.iter().flatten().collect();
        for (peak, twist, shift, noise) in [
            (8_000.0, 1.0, 1.0, 0),
            (300.0, 1.0, 1.0, 0),
            (14_000.0, 1.0, 1.0, 0),
            (5_000.0, 2.2, 1.0, 0),
            (5_000.0, 0.7, 1.0, 0),
            (5_000.0, 1.0, 1.015, 0),
            (5_000.0, 1.0, 0.985, 0),
            (5_000.0, 1.0, 1.0, 1_500),
        ] {
            assert_eq!(row_of_keys(peak, twist, shift, noise), all, "{peak} {twist} {shift} {noise}");
        }
    }

    #[test]
    fn three_parts_together_are_the_whole_block() {
        let mut dice = 7u32;
        for _ in 0..50 {
            let block = [0.0; BLOCK].map(|_: f32| {
                dice = dice.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                f32::from((dice >> 16) as i16)
            });
            for (group, tones) in GROUPS.iter().zip([ROWS, COLUMNS]) {
                for (power, hz) in group.powers(&block).into_iter().zip(tones) {
                    let step = TAU * f64::from(hz) / 8_000.0;
                    let sum = |wave: fn(f64) -> f64| -> f64 {
                        block.iter().enumerate().map(|(at, sample)| f64::from(*sample) * wave(step * at as f64)).sum()
                    };
                    let direct = 2.0 * (sum(f64::cos).powi(2) + sum(f64::sin).powi(2)) / (BLOCK * BLOCK) as f64;
                    assert!((f64::from(power) - direct).abs() < direct.max(1e4) * 1e-3, "{hz} Hz: {power} {direct}");
                }
            }
        }
    }

    #[test]
    fn a_long_key_is_one_and_a_key_pressed_twice_is_two() {
        assert_eq!(found(key('5', 2_000, 6_000.0, 1.0, 1.0)), "5");
        let pause = vec![0; 320];
        assert_eq!(found([key('5', 60, 6_000.0, 1.0, 1.0), pause, key('5', 60, 6_000.0, 1.0, 1.0)].concat()), "55");
    }

    #[test]
    fn what_is_no_key_is_none() {
        assert_eq!(found(key('5', 20, 6_000.0, 1.0, 1.0)), "", "too short");
        assert_eq!(found(key('5', 200, 6_000.0, 1.0, 1.035)), "", "off by 3.5 %");
        assert_eq!(found(key('5', 200, 6_000.0, 4.0, 1.0)), "", "twisted by 12 dB");
        assert_eq!(found(Sine::new(770.0, 8_000, 9_000).take(1_600)), "", "one tone");
        assert_eq!(found(Sine::new(425.0, 8_000, 9_000).take(8_000)), "", "a dial tone");
        assert_eq!(found(key('5', 200, 90.0, 1.0, 1.0)), "", "too faint");
    }
}
