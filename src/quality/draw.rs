//! The draw from a frame, by a seed committed to before.

use std::collections::BTreeMap;

use hmac::{Hmac, KeyInit, Mac};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::frame::{Frame, RecordedCall, hex};
use crate::id::{AgentId, CallId};

/// The secret of a draw: 32 bytes. Publish [`Seed::commitment`] before, [`Seed::reveal`] after.
#[derive(Clone, PartialEq, Eq)]
pub struct Seed([u8; 32]);

impl std::fmt::Debug for Seed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Seed(…)")
    }
}

impl Seed {
    /// A seed from 32 random bytes.
    pub fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// SHA-256 of the seed, hexadecimal.
    pub fn commitment(&self) -> String {
        hex(&Sha256::digest(self.0))
    }

    /// The seed itself, hexadecimal.
    pub fn reveal(&self) -> String {
        hex(&self.0)
    }

    fn rank(&self, week: &str, line: &RecordedCall) -> Option<[u8; 32]> {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.0).ok()?;
        mac.update(week.as_bytes());
        mac.update(line.agent.as_str().as_bytes());
        mac.update(line.call.to_string().as_bytes());
        Some(mac.finalize().into_bytes().into())
    }
}

/// One agent's sample.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Drawn {
    /// The agent.
    pub agent: AgentId,
    /// How many recorded calls the agent has in the frame.
    pub of: usize,
    /// The calls to review, in order.
    pub sample: Vec<CallId>,
    /// Replacements, to be taken in this order with a logged reason.
    pub reserve: Vec<CallId>,
}

/// A call behind the HMAC by which it is ordered.
type Ranked = (Option<[u8; 32]>, CallId);

/// Draws from every agent, by agent. The same seed and frame give the same draw.
pub fn draw(frame: &Frame, seed: &Seed) -> Vec<Drawn> {
    let rules = frame.rules();
    let week = rules.week.to_string();
    let mut agents: BTreeMap<&AgentId, Vec<Ranked>> = BTreeMap::new();
    for line in frame.lines() {
        agents.entry(&line.agent).or_default().push((seed.rank(&week, line), line.call));
    }
    let draw_one = |(agent, mut ranked): (&AgentId, Vec<Ranked>)| {
        ranked.sort_unstable();
        let of = ranked.len();
        let mut sample: Vec<_> = ranked.into_iter().map(|(_, call)| call).collect();
        let reserve = sample.split_off(size(of, rules.minimum, rules.percent));
        Drawn { agent: agent.clone(), of, sample, reserve }
    };
    agents.into_iter().map(draw_one).collect()
}

/// max(minimum, ⌈percent · N / 100⌉), at most N.
fn size(of: usize, minimum: u32, percent: u8) -> usize {
    let share = of.saturating_mul(usize::from(percent.min(100))).div_ceil(100);
    share.max(usize::try_from(minimum).unwrap_or(usize::MAX)).min(of)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::quality::{Rules, Week};

    fn frame(reversed: bool) -> Frame {
        let week = Week::of(1_774_000_000_000, &jiff::tz::TimeZone::UTC).unwrap();
        let rules = Rules { week, zone: "UTC".into(), minimum: 3, percent: 10 };
        let line = |agent: &str, n: u128| RecordedCall { agent: agent.into(), call: CallId::new(n as i64, n) };
        let mut calls: Vec<_> = (0..41).map(|n| line("1001", n)).chain((0..2).map(|n| line("1002", n))).collect();
        if reversed {
            calls.reverse();
        }
        Frame::freeze(rules, calls)
    }

    #[test]
    fn same_seed_same_draw_whatever_the_order_and_the_right_sizes() {
        let seed = Seed::new([7; 32]);
        let drawn = draw(&frame(false), &seed);
        assert_eq!(drawn, draw(&frame(true), &seed));
        assert_eq!(frame(false).hash(), frame(true).hash());
        let sizes: Vec<_> = drawn.iter().map(|d| (d.agent.as_str(), d.of, d.sample.len(), d.reserve.len())).collect();
        assert_eq!(sizes, [("1001", 41, 5, 36), ("1002", 2, 2, 0)]);
        assert_ne!(drawn, draw(&frame(false), &Seed::new([8; 32])));
    }

    #[test]
    fn sizes_round_up_and_keep_the_minimum() {
        assert_eq!(
            [size(0, 3, 10), size(2, 3, 10), size(30, 3, 10), size(31, 3, 10), size(10, 0, 100)],
            [0, 2, 3, 4, 10]
        );
    }

    #[test]
    fn an_outsider_reaches_the_same_order() {
        // HMAC written out by RFC 2104 from the published values alone.
        let rank = |text: &str| -> Vec<u8> {
            let pad = |byte: u8| (0..64).map(move |n| if n < 32 { 7 ^ byte } else { byte }).collect::<Vec<u8>>();
            let inner = Sha256::digest([pad(0x36), text.as_bytes().to_vec()].concat());
            Sha256::digest([pad(0x5c), inner.to_vec()].concat()).to_vec()
        };
        let frame = frame(false);
        let mut calls: Vec<_> =
            frame.lines().filter(|line| line.agent.as_str() == "1001").map(|line| line.call).collect();
        calls.sort_by_key(|call| rank(&format!("2026-W121001{call}")));
        let drawn = draw(&frame, &Seed::new([7; 32]));
        let order: Vec<_> = drawn[0].sample.iter().chain(&drawn[0].reserve).copied().collect();
        assert_eq!(order, calls);
    }

    #[test]
    fn the_commitment_is_the_hash_of_the_seed() {
        let expected = "66687aadf862bd776c8fc18b8e9f8e20089714856ee233b3902a591d0d5f2925";
        assert_eq!(Seed::new([0; 32]).commitment(), expected);
    }
}
