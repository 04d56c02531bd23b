//! Keys that a leg's party is sent between the packets of others, because whoever pressed them said so by signalling.

use std::collections::VecDeque;

use super::command::{KEYS, SentKey};
use crate::rtp::event::{DigitPacket, DigitSender};
use crate::time::{MS, Now};

/// One packet each 20 ms.
const STEP_MS: u64 = 20;
/// What lies between two keys at least (Q.24 asks for 40 ms), ms.
const PAUSE_MS: u64 = 60;

/// Sends keys, one after the other.
pub(super) struct Keyer {
    /// The number of the last key that was taken.
    taken: Option<u32>,
    waiting: VecDeque<SentKey>,
    sender: Option<DigitSender>,
    next_ns: u64,
}

impl Keyer {
    /// Of a new leg; `keys` were pressed before its time.
    pub(super) fn new(keys: &[SentKey]) -> Self {
        let taken = keys.last().map(|key| key.number);
        Self { taken, waiting: VecDeque::new(), sender: None, next_ns: 0 }
    }

    /// Takes what is new among the last keys. Of those that nobody can send yet no more wait than a list holds.
    pub(super) fn handle_keys(&mut self, keys: &[SentKey], now: Now) {
        let idle = self.waiting.is_empty() && self.sender.is_none();
        let taken = self.taken;
        for key in keys.iter().filter(|key| taken.is_none_or(|taken| key.number.wrapping_sub(taken) as i32 > 0)) {
            self.taken = Some(key.number);
            if self.waiting.len() < KEYS {
                self.waiting.push_back(*key);
            }
        }
        if idle {
            self.next_ns = self.next_ns.max(now.mono_ns);
        }
    }

    /// When the next packet is due (monotonic nanoseconds).
    pub(super) fn deadline(&self) -> u64 {
        if self.waiting.is_empty() && self.sender.is_none() { u64::MAX } else { self.next_ns }
    }

    /// The packet that is due, if one is; `timestamp` is what the leg's stream stands at. Call until `None`.
    pub(super) fn poll_packet(&mut self, timestamp: u32, now: Now) -> Option<DigitPacket> {
        while now.mono_ns >= self.next_ns {
            let Some(sender) = &mut self.sender else {
                let key = self.waiting.pop_front()?;
                self.sender = DigitSender::new(key.digit, timestamp, key.ms);
                continue;
            };
            if let Some(packet) = sender.poll_packet() {
                self.next_ns = self.next_ns.max(now.mono_ns.saturating_sub(STEP_MS * MS)).saturating_add(STEP_MS * MS);
                return Some(packet);
            }
            self.sender = None;
            self.next_ns = now.in_ms(PAUSE_MS);
        }
        None
    }

    /// The key that is due where it goes as sound.
    pub(super) fn poll_key(&mut self, now: Now) -> Option<SentKey> {
        let key = (now.mono_ns >= self.next_ns).then(|| self.waiting.pop_front())??;
        self.next_ns = now.in_ms(u64::from(key.ms) + PAUSE_MS);
        Some(key)
    }
}
