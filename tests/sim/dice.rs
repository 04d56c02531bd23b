//! Chance that a seed repeats.

use rand_chacha::ChaCha12Rng;
use rand_core::{Rng, SeedableRng};

pub trait Dice {
    /// A number below `bound`; 0 where that is 0.
    fn below(&mut self, bound: u64) -> u64;
    /// One of a range, both ends included.
    fn between(&mut self, low: u64, high: u64) -> u64;
    /// True so many times in a thousand.
    fn thousandths(&mut self, count: u64) -> bool;
    /// Eight hexadecimal digits, for tags and branches.
    fn word(&mut self) -> String;
}

impl Dice for ChaCha12Rng {
    fn below(&mut self, bound: u64) -> u64 {
        if bound == 0 { 0 } else { self.next_u64() % bound }
    }

    fn between(&mut self, low: u64, high: u64) -> u64 {
        low + self.below(high.saturating_sub(low) + 1)
    }

    fn thousandths(&mut self, count: u64) -> bool {
        self.below(1_000) < count
    }

    fn word(&mut self) -> String {
        format!("{:08x}", self.next_u32())
    }
}

/// A stream of chance of its own for one part of a floor, so that what one part draws never moves another.
pub fn stream(seed: u64, part: u64) -> ChaCha12Rng {
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    let mut rng = ChaCha12Rng::from_seed(bytes);
    rng.set_stream(part);
    rng
}
