//! What chance decides, from a seed: the same seed gives the same floor.

use rand_chacha::ChaCha12Rng;
use rand_core::{Rng, SeedableRng};

/// First digits of Chinese mobile numbers; eight more follow.
const PREFIXES: [&str; 10] = ["133", "135", "138", "139", "150", "158", "176", "186", "189", "199"];

/// Seeded chance.
#[derive(Clone, Debug)]
pub(in crate::bot) struct Dice(ChaCha12Rng);

impl Dice {
    pub(in crate::bot) fn new(seed: u64) -> Self {
        Self(ChaCha12Rng::seed_from_u64(seed))
    }

    /// A number from `low` to `high`, both included.
    pub(in crate::bot) fn between(&mut self, low: u64, high: u64) -> u64 {
        low + self.0.next_u64() % (high - low + 1)
    }

    /// True so many times in a hundred.
    pub(in crate::bot) fn percent(&mut self, share: u64) -> bool {
        self.between(0, 99) < share
    }

    pub(in crate::bot) fn pick<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.between(0, of.len() as u64 - 1) as usize]
    }

    /// How long until the next of events that come independently of each other, `per_minute` on average, ms (a Poisson process).
    pub(in crate::bot) fn until_next_ms(&mut self, per_minute: u32) -> u64 {
        // In (0, 1], so that the logarithm is finite.
        let share = ((self.0.next_u64() >> 11) + 1) as f64 / (1u64 << 53) as f64;
        (-share.ln() * 60_000.0 / f64::from(per_minute.max(1))) as u64
    }

    pub(in crate::bot) fn mobile_number(&mut self) -> String {
        format!("{}{:08}", self.pick(&PREFIXES), self.between(0, 99_999_999))
    }

    /// A seed for something of its own.
    pub(in crate::bot) fn seed(&mut self) -> u64 {
        self.0.next_u64()
    }
}
