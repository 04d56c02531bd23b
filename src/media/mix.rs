//! The clock of a leg whose party hears others decoded: when it is due, and the keys that go in between.

use super::arrival::{Arrival, Kind};
use super::ear::sample_at;
use crate::codec::tone::Sine;
use crate::codec::{Band, dtmf};
use crate::rtp::event::{DigitPacket, DigitReceiver, DigitSender, Event, Key};
use crate::time::{MS, Now};

/// How late a thread may be before packets are skipped in time instead of sent in a burst.
const BURST_LIMIT_MS: u64 = 100;
/// A key goes as one packet each 20 ms, whatever the sound's packets last.
const KEY_STEP_MS: u64 = 20;
/// The longest that a key is down, ms.
const LONGEST_KEY_MS: u16 = 8_000;
/// A key of which nothing more came for so long (ms) is up: all packets that say so were lost.
const LET_GO_MS: u64 = 150;
/// How long a key is heard at least (Q.24 asks for 40 ms): 70 ms, in 8,000ths of a second.
const SHORTEST_TONES: u32 = 560;
/// Peak of each of the two tones of a key: −9 dBm0 together, as phones send them.
const TONE_PEAK: i16 = 5_500;

/// What a party that listens to a mix is sent besides sound.
pub(super) struct Mixer {
    band: Band,
    next_ns: u64,
    keys: DigitReceiver,
    /// The key that is down: as events, where the party takes them.
    event: Option<DigitSender>,
    /// Else as the sound of it.
    tones: Option<Tones>,
    /// When the last packet of the key that is down came (monotonic ns).
    held_ns: Option<u64>,
}

/// A key as sound.
struct Tones {
    pair: [Sine; 2],
    /// How much is still to be heard, in 8,000ths of a second; it ends by itself where no end is told.
    left: u32,
    played: u32,
}

impl Mixer {
    /// Of a party that hears this band.
    pub(super) fn new(band: Band, now: Now) -> Self {
        Self { band, next_ns: now.mono_ns, keys: DigitReceiver::default(), event: None, tones: None, held_ns: None }
    }

    /// When the next packet is due (monotonic nanoseconds).
    pub(super) fn deadline(&self) -> u64 {
        self.next_ns
    }

    /// The instant (8,000ths of a second) up to which sound is due in a packet of `packet_ms`; none where it is not time. Call until
    /// `None`.
    pub(super) fn handle_tick(&mut self, packet_ms: u64, now: Now) -> Option<u64> {
        if now.mono_ns < self.next_ns {
            return None;
        }
        if self.held_ns.is_some_and(|held_ns| now.mono_ns.saturating_sub(held_ns) > LET_GO_MS * MS) {
            self.release(0);
        }
        let step = if self.event.is_some() { KEY_STEP_MS } else { packet_ms } * MS;
        let late = now.mono_ns - self.next_ns;
        if late > BURST_LIMIT_MS * MS {
            self.next_ns += late / step * step;
        }
        let end = sample_at(self.next_ns);
        self.next_ns = self.next_ns.saturating_add(step);
        Some(end)
    }

    /// Takes a telephone-event packet of the party that is listened to. `timestamp` is what our stream stands at.
    pub(super) fn handle_key(&mut self, arrival: &Arrival<'_>, timestamp: u32, takes_events: bool, now: Now) {
        let Kind::Digit(factor) = arrival.kind else { return };
        let ended = Event::parse(arrival.payload).filter(|event| event.end);
        match self.keys.handle_packet(&arrival.header, arrival.payload) {
            Some(Key::Down { digit }) => {
                match takes_events {
                    true => self.event = DigitSender::new(digit, timestamp, LONGEST_KEY_MS),
                    false => self.press(digit, LONGEST_KEY_MS),
                }
                // Of some keys only the end is heard.
                if let Some(event) = ended {
                    return self.release(u32::from(event.duration) / factor.max(1));
                }
            }
            Some(Key::Up { duration, .. }) => return self.release(duration / factor.max(1)),
            None if self.held_ns.is_none() => return,
            None => {}
        }
        self.held_ns = Some(now.mono_ns);
    }

    /// The key is up, after so long (8,000ths of a second).
    fn release(&mut self, duration: u32) {
        self.held_ns = None;
        if let Some(tones) = &mut self.tones {
            // As long as it was down, however late and close together its packets came.
            tones.left = duration.max(SHORTEST_TONES).saturating_sub(tones.played);
        }
        if let Some(event) = &mut self.event {
            event.release(duration);
        }
    }

    /// Has a key heard as sound, for so long unless it is let go before.
    pub(super) fn press(&mut self, digit: char, ms: u16) {
        let pair = dtmf::tones_of(digit).map(|pair| pair.map(|hz| Sine::new(hz, self.band.rate(), TONE_PEAK)));
        self.tones = pair.map(|pair| Tones { pair, left: u32::from(ms) * 8, played: 0 });
    }

    /// The packet of the key that is down: it goes in the place of sound.
    pub(super) fn poll_event(&mut self) -> Option<DigitPacket> {
        let packet = self.event.as_mut()?.poll_packet();
        if packet.is_none() {
            self.event = None;
        }
        packet
    }

    /// Adds the tones of the key that is down; gives whether one is.
    pub(super) fn add_tones(&mut self, mix: &mut [i32]) -> bool {
        let Some(Tones { pair, left, played }) = &mut self.tones else { return false };
        let factor = self.band.factor();
        let due = (*left).min((mix.len() / factor) as u32);
        for place in mix.iter_mut().take(due as usize * factor) {
            *place += pair.iter_mut().filter_map(Sine::next).map(i32::from).sum::<i32>();
        }
        *left -= due;
        *played += due;
        if *left == 0 {
            self.tones = None;
        }
        due > 0
    }
}
