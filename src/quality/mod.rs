//! Quality sampling: frame and draw.
//!
//! Anybody can recompute a draw: take the published frame, check its hash; take the seed published afterwards, check that
//! its SHA-256 is the commitment published before; for each line of the frame compute HMAC-SHA256 with the seed's 32 bytes as
//! key over the ASCII text week, agent, call id without separators (`2026-W481001` and 26 characters); within each agent
//! sort by that value, smallest first; take the first max(minimum, ⌈percent · N / 100⌉), at most all. Those behind are the
//! replacements, in that order.

mod draw;
mod frame;

pub use draw::{Drawn, Seed, draw};
pub use frame::{BadWeek, Frame, RecordedCall, Rules, Week};
