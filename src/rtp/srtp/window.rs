//! Which packet of a stream a sequence number means (RFC 3711 §3.3.1), and whether it came before (§3.3.2).

/// Packets back from the newest one that are told apart; older ones count as replayed.
const WIDTH: u64 = 64;

/// The newest index of a stream and which of those before it have come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Window {
    /// Rollovers and sequence number of the newest packet, 48 bits; 31 bits in SRTCP.
    newest: Option<u64>,
    /// Bit n: the packet n before the newest has come.
    seen: u64,
    /// The newest index is that of an earlier key, of which nothing else counts.
    inherited: bool,
}

impl Window {
    /// The index that a sequence number stands for: the one that is nearest to the newest.
    pub(super) fn estimate(&self, sequence: u16) -> u64 {
        let Some(newest) = self.newest else { return u64::from(sequence) };
        let distance = sequence.wrapping_sub(newest as u16) as i16;
        let index = newest.wrapping_add_signed(i64::from(distance));
        // Before the first packet of all there is none: the number is ahead.
        if index > newest && distance < 0 { u64::from(sequence) } else { index }
    }

    /// Whether no packet of that index has come, as far as can be told.
    pub(super) fn is_new(&self, index: u64) -> bool {
        match self.newest {
            Some(newest) if !self.inherited && index <= newest => {
                newest - index < WIDTH && self.seen >> (newest - index) & 1 == 0
            }
            _ => true,
        }
    }

    /// Counts a packet that has been proved.
    pub(super) fn take(&mut self, index: u64) {
        match self.newest {
            Some(newest) if !self.inherited && index <= newest => {
                self.seen |= 1_u64.checked_shl((newest - index) as u32).unwrap_or(0);
            }
            Some(newest) if !self.inherited => {
                self.seen = self.seen.checked_shl((index - newest) as u32).unwrap_or(0) | 1;
                self.newest = Some(index);
            }
            _ => *self = Self { newest: Some(index), seen: 1, inherited: false },
        }
    }

    /// Where the stream goes on under another key.
    pub(super) fn rekeyed(&self) -> Self {
        Self { newest: self.newest, seen: 0, inherited: self.newest.is_some() }
    }

    /// Whether the peer may count from zero where we go on: under a new key, after a rollover.
    pub(super) fn may_have_restarted(&self) -> bool {
        self.inherited && self.newest.is_some_and(|newest| newest > 0xffff)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn rollovers_are_counted_in_order_and_out_of_it() {
        let mut window = Window::default();
        for (sequence, index) in [(65_534, 65_534), (0, 65_536), (65_535, 65_535), (1, 65_537), (32_000, 97_536)] {
            assert_eq!(window.estimate(sequence), index);
            assert!(window.is_new(index));
            window.take(index);
            assert!(!window.is_new(index));
        }
        assert!(!window.is_new(65_537), "too old to tell");
    }

    #[test]
    fn a_first_packet_that_is_late_is_not_a_rollover_ago() {
        let mut window = Window::default();
        window.take(window.estimate(3));
        assert_eq!(window.estimate(65_530), 65_530);
    }

    #[test]
    fn a_new_key_goes_on_counting_and_knows_no_packet() {
        let mut window = Window::default();
        window.take(70_000);
        let mut next = window.rekeyed();
        assert_eq!(next.estimate(70_001_u32 as u16), 70_001);
        assert!(next.is_new(70_000) && next.may_have_restarted());
        next.take(70_001);
        assert!(next.is_new(70_000) && !next.is_new(70_001) && !next.may_have_restarted());
    }

    proptest! {
        #[test]
        fn each_index_is_new_once(steps in proptest::collection::vec(-80_i64..80, 1..300)) {
            let mut window = Window::default();
            let mut taken = std::collections::BTreeSet::new();
            let mut at = 65_400_u64;
            for step in steps {
                at = at.saturating_add_signed(step);
                let index = window.estimate(at as u16);
                if window.is_new(index) {
                    prop_assert!(taken.insert(index), "{} twice", index);
                    window.take(index);
                }
            }
        }
    }
}
