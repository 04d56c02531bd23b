//! What a leg hears of others whose sound is decoded for it.

use super::{Buffers, MediaThread};
use crate::time::Now;

impl MediaThread {
    /// Sends a leg that listens to others decoded what they say.
    pub(super) fn mix(&mut self, index: usize, buf: &mut Buffers, now: Now) {
        loop {
            let Some(slot) = self.slots.get_mut(index).and_then(Option::as_mut) else { return };
            let Some((end, samples, band)) = slot.leg.mix_due(now) else { return };
            let Some(mix) = buf.mix.get_mut(..samples) else { return };
            mix.fill(0);
            let mut heard = false;
            for number in 0.. {
                let slot = self.slots.get(index).and_then(Option::as_ref);
                let Some(party) = slot.and_then(|slot| slot.leg.mixed(number)) else { break };
                let party = self.by_leg.get(&party).and_then(|party| self.slots.get_mut(*party));
                if let Some(party) = party.and_then(Option::as_mut) {
                    heard |= party.leg.hear(end, band, mix);
                }
            }
            let Some(slot) = self.slots.get_mut(index).and_then(Option::as_mut) else { return };
            if let Some((to, len)) = slot.leg.send_mix(mix, heard, &mut buf.outgoing, now) {
                slot.send_rtp(&mut buf.outgoing, len, to);
            }
        }
    }
}
