//! A key that a leg's party is sent between the packets of others, because whoever pressed it said so by signalling.

use crate::rtp::event::{DigitPacket, DigitSender};
use crate::time::{MS, Now};

/// How long such a key is down: what phones send of one that is pressed shortly, ms.
pub(super) const KEY_MS: u16 = 160;
/// One packet each 20 ms.
const STEP_MS: u64 = 20;

/// Sends one key.
pub(super) struct Keyer {
    sender: DigitSender,
    next_ns: u64,
}

impl Keyer {
    /// Begins at `now`, which is `timestamp` in the leg's stream; `None` where it is no DTMF key.
    pub(super) fn new(digit: char, timestamp: u32, now: Now) -> Option<Self> {
        Some(Self { sender: DigitSender::new(digit, timestamp, KEY_MS)?, next_ns: now.mono_ns })
    }

    /// When the next packet is due (monotonic nanoseconds).
    pub(super) fn deadline(&self) -> u64 {
        self.next_ns
    }

    /// The packet that is due: none where it is not time (`Some(None)`), nor any more (`None`).
    pub(super) fn poll(&mut self, now: Now) -> Option<Option<DigitPacket>> {
        if now.mono_ns < self.next_ns {
            return Some(None);
        }
        self.next_ns = self.next_ns.max(now.mono_ns.saturating_sub(STEP_MS * MS)).saturating_add(STEP_MS * MS);
        self.sender.poll_packet().map(Some)
    }
}
