//! Keys: for the plan, for the recorder, and for whom a party speaks with, in the way that this one understands.

use super::Switch;
use super::party::Role;
use crate::dialplan::CursorInput;
use crate::id::LegId;
use crate::media::{KEYS, SentKey};
use crate::time::Now;

/// How long a key that was found in the sound is down where it goes on, ms: it is certain before it is up.
const HEARD_KEY_MS: u16 = 160;

impl Switch {
    /// A key, whichever way it came, first pressed at `at`. An agent's keys are for the caller's ears, not for the plan.
    pub(super) fn handle_digit(&mut self, leg: LegId, digit: char, at: Now, now: Now) {
        self.handle_code(leg, digit, at, now);
        if let Some(party) = self.legs.get(&leg).filter(|party| party.role == Role::Caller) {
            self.advance(party.call, CursorInput::Digit(digit), now);
        }
    }

    /// Whether the keys of a leg's party, which it sends as sound, are telephone-events for whom it speaks with.
    pub(super) fn presses_aloud(&self, leg: LegId) -> bool {
        let agreed = self.speaks_with(leg).and_then(|partner| self.agreed(leg, partner));
        agreed.is_some_and(|(presses, hears)| {
            presses.dtmf_receive.or(presses.dtmf_send).is_none() && hears.dtmf_send.is_some()
        })
    }

    /// A key that came by INFO is pressed in the media of whoever hears the party who pressed it: telephone-events and sound pass by
    /// themselves.
    pub(super) fn pass_signalled_key(&mut self, leg: LegId, digit: char, ms: u16, now: Now) {
        if let Some(media) = self.media_of(leg) {
            media.signals_keys = true;
        }
        self.pass_key(leg, digit, ms, now);
    }

    /// The same of a key that was found in a party's sound.
    pub(super) fn pass_key_of_sound(&mut self, leg: LegId, digit: char, now: Now) {
        if self.presses_aloud(leg) {
            self.pass_key(leg, digit, HEARD_KEY_MS, now);
        }
    }

    fn pass_key(&mut self, leg: LegId, digit: char, ms: u16, now: Now) {
        let Some(partner) = self.speaks_with(leg) else { return };
        if let Some(media) = self.media_of(partner) {
            let number = media.keys_sent.back().map_or(0, |key| key.number.wrapping_add(1));
            media.keys_sent.push_back(SentKey { number, digit, ms });
            if media.keys_sent.len() > KEYS {
                media.keys_sent.pop_front();
            }
            self.command_media(partner, now);
        }
    }
}
