//! Calls that nobody has made: at random instants, as Erlang's formulas have them.

use rand_chacha::ChaCha12Rng;
use rand_core::{Rng, SeedableRng};

use super::erlang::Load;
use super::simulation::Arrival;
use crate::id::QueueId;

/// A random time of this mean, exponentially distributed; in the unit of the mean.
pub fn exponential(random: &mut ChaCha12Rng, mean: f64) -> f64 {
    // Never zero, whose logarithm is infinite.
    let uniform = ((random.next_u64() >> 11) + 1) as f64 / (1u64 << 53) as f64;
    -uniform.ln() * mean
}

/// So many calls to a queue, the same ones for the same seed.
pub fn draw(load: &Load, queue: &QueueId, calls: usize, seed: u64) -> Vec<Arrival> {
    let mut random = ChaCha12Rng::seed_from_u64(seed);
    let ms = |seconds: f64| (seconds * 1_000.0).round() as u64;
    let mut at_s = 0.0;
    let arrival = |_| {
        at_s += exponential(&mut random, 1.0 / load.rate);
        Arrival {
            at_ms: ms(at_s),
            queue: queue.clone(),
            priority: 0,
            patience_ms: load.patience_s.map(|patience_s| ms(exponential(&mut random, patience_s))),
            service_ms: ms(exponential(&mut random, load.handling_s)),
        }
    };
    (0..calls).map(arrival).collect()
}
