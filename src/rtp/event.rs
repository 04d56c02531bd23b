//! Keys pressed on a phone, as they travel in RTP (telephone-event, RFC 4733).

use super::packet::Header;

/// The longest duration that one packet can say (RFC 4733 §2.5.1.3: longer events come in segments).
const SEGMENT: u16 = u16::MAX;

/// Timestamp units of 20 ms at 8 kHz.
const STEP: u16 = 160;

/// How far back in time (timestamp units, 5 s) and in sequence a packet of an earlier event may lie to be a straggler. Both are
/// asked: some senders' clocks step back between events, and the sequence alone has wrapped after long talk.
const STRAGGLER: (u32, u16) = (40_000, 1_000);

/// How often the last packet of an event is sent (RFC 4733 §2.5.1.4).
const END_PACKETS: u8 = 3;

const KEYS: &[u8; 16] = b"0123456789*#ABCD";

/// One telephone-event payload (RFC 4733 §2.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Event {
    /// The key: `0`–`9`, `*`, `#`, `A`–`D`.
    pub digit: char,
    /// Whether the key has been released.
    pub end: bool,
    /// Power in −dBm0, 0 (loud) to 63.
    pub volume: u8,
    /// How long the key has been down, in timestamp units (8 to a millisecond).
    pub duration: u16,
}

impl Event {
    /// Reads a payload; `None` where it is short or names no DTMF key.
    pub fn parse(payload: &[u8]) -> Option<Self> {
        let [code, flags, high, low] = *payload.first_chunk::<4>()?;
        let digit = char::from(*KEYS.get(usize::from(code))?);
        Some(Self { digit, end: flags & 0x80 != 0, volume: flags & 0x3f, duration: u16::from_be_bytes([high, low]) })
    }

    /// The payload; `None` where `digit` is no DTMF key.
    pub fn write(&self) -> Option<[u8; 4]> {
        let code = KEYS.iter().position(|key| char::from(*key) == self.digit)?;
        let [high, low] = self.duration.to_be_bytes();
        Some([code as u8, (u8::from(self.end) << 7) | self.volume.min(63), high, low])
    }
}

/// Rewrites an event's duration from a clock that counts `from` units in an 8,000th of a second to one that counts `to`. What has no
/// room any more stays at the most (8 s at 8 kHz, 1.4 s at 48 kHz).
pub fn rescale(payload: &mut [u8], from: u32, to: u32) {
    if from != to
        && let Some([high, low]) = payload.get_mut(2..4).and_then(|duration| duration.first_chunk_mut::<2>())
    {
        let duration = u32::from(u16::from_be_bytes([*high, *low])) * to / from.max(1);
        [*high, *low] = u16::try_from(duration).unwrap_or(u16::MAX).to_be_bytes();
    }
}

/// What a [`DigitReceiver`] has understood.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Key {
    /// A key went down: count digits by this one.
    Down {
        /// Which key.
        digit: char,
    },
    /// The key came up. Missing where all its end packets were lost.
    Up {
        /// Which key.
        digit: char,
        /// How long it was down, in timestamp units (8 to a millisecond).
        duration: u32,
    },
}

#[derive(Clone, Copy, Debug)]
struct Pressed {
    ssrc: u32,
    /// The newest of the event's packets.
    sequence: u16,
    timestamp: u32,
    digit: char,
    /// Duration of the segments that are over.
    before: u32,
    duration: u16,
    up: bool,
}

/// Makes one digit of the many packets of an event, whatever the network loses, repeats or reorders.
#[derive(Clone, Debug, Default)]
pub struct DigitReceiver {
    last: Option<Pressed>,
}

impl DigitReceiver {
    /// Takes one telephone-event packet.
    pub fn handle_packet(&mut self, header: &Header, payload: &[u8]) -> Option<Key> {
        let event = Event::parse(payload)?;
        let Some(last) = self.last.as_mut().filter(|last| last.ssrc == header.ssrc) else {
            return self.press(header, event);
        };
        let behind = (last.timestamp.wrapping_sub(header.timestamp), last.sequence.wrapping_sub(header.sequence));
        if last.timestamp == header.timestamp {
            if behind.1 > u16::MAX / 2 {
                last.sequence = header.sequence;
            }
            return last.hold(event);
        }
        if last.continues(header, event) {
            last.before = last.before.saturating_add(u32::from(SEGMENT));
            last.timestamp = header.timestamp;
            last.sequence = header.sequence;
            last.duration = 0;
            return last.hold(event);
        }
        if behind.0 < STRAGGLER.0 && behind.1 < STRAGGLER.1 {
            return None;
        }
        self.press(header, event)
    }

    fn press(&mut self, header: &Header, event: Event) -> Option<Key> {
        self.last = Some(Pressed {
            ssrc: header.ssrc,
            sequence: header.sequence,
            timestamp: header.timestamp,
            digit: event.digit,
            before: 0,
            duration: event.duration,
            // An event of which only the end arrived is told once, as pressed.
            up: event.end,
        });
        Some(Key::Down { digit: event.digit })
    }
}

impl Pressed {
    fn hold(&mut self, event: Event) -> Option<Key> {
        if self.up || event.digit != self.digit {
            return None;
        }
        self.duration = self.duration.max(event.duration);
        self.up = event.end;
        let duration = self.before.saturating_add(u32::from(self.duration));
        self.up.then_some(Key::Up { digit: self.digit, duration })
    }

    fn continues(&self, header: &Header, event: Event) -> bool {
        !self.up
            && !header.marker
            && event.digit == self.digit
            && header.timestamp == self.timestamp.wrapping_add(u32::from(SEGMENT))
    }
}

/// One packet that a [`DigitSender`] wants sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DigitPacket {
    /// Set on the first packet of the event.
    pub marker: bool,
    /// The instant at which the key went down; the same for the whole event.
    pub timestamp: u32,
    /// The payload to [`Event::write`].
    pub event: Event,
}

/// Sends one digit: one packet each 20 ms, then its end three times.
#[derive(Clone, Debug)]
pub struct DigitSender {
    digit: char,
    timestamp: u32,
    duration: u16,
    sent: u16,
    ends: u8,
}

impl DigitSender {
    /// A digit pressed at `timestamp` for `duration_ms` (40 ms to 8 s; rounded up to 20 ms); `None` where it is no DTMF key.
    pub fn new(digit: char, timestamp: u32, duration_ms: u16) -> Option<Self> {
        KEYS.iter().find(|key| char::from(**key) == digit)?;
        let steps = duration_ms.clamp(40, 8_000).div_ceil(20);
        Some(Self { digit, timestamp, duration: steps * STEP, sent: 0, ends: 0 })
    }

    /// The key came up after `duration` (timestamp units at 8 kHz): its end is due once that much was sent, or at once.
    pub fn release(&mut self, duration: u32) {
        let wanted = u16::try_from(duration.div_ceil(u32::from(STEP))).unwrap_or(u16::MAX).saturating_mul(STEP);
        self.duration = self.duration.min(wanted.max(self.sent.saturating_add(STEP)));
    }

    /// The next packet; call each 20 ms until `None`.
    pub fn poll_packet(&mut self) -> Option<DigitPacket> {
        if self.ends == END_PACKETS {
            return None;
        }
        let marker = self.sent == 0;
        self.sent = self.sent.saturating_add(STEP).min(self.duration);
        let end = self.sent == self.duration;
        self.ends += u8::from(end);
        let event = Event { digit: self.digit, end, volume: 10, duration: self.sent };
        Some(DigitPacket { marker, timestamp: self.timestamp, event })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packets(text: &str) -> Vec<(Header, [u8; 4])> {
        let mut sequence = 65_530u16;
        let mut all = Vec::new();
        for (at, digit) in text.chars().enumerate() {
            let mut sender = DigitSender::new(digit, 0xffff_f000u32.wrapping_add(at as u32 * 2_000), 100).unwrap();
            while let Some(packet) = sender.poll_packet() {
                sequence = sequence.wrapping_add(1);
                let header =
                    Header { marker: packet.marker, payload_type: 101, sequence, timestamp: packet.timestamp, ssrc: 7 };
                all.push((header, packet.event.write().unwrap()));
            }
        }
        all
    }

    fn heard(packets: &[(Header, [u8; 4])]) -> String {
        let mut receiver = DigitReceiver::default();
        let downs = packets.iter().filter_map(|(header, payload)| match receiver.handle_packet(header, payload) {
            Some(Key::Down { digit }) => Some(digit),
            _ => None,
        });
        downs.collect()
    }

    #[test]
    fn every_key_is_heard_once_with_its_duration() {
        let all = packets("0123456789*#ABCD");
        assert_eq!(all.len(), 16 * 7);
        assert_eq!(heard(&all), "0123456789*#ABCD");
        let mut receiver = DigitReceiver::default();
        let keys: Vec<_> = all[..7].iter().filter_map(|(h, p)| receiver.handle_packet(h, p)).collect();
        assert_eq!(keys, [Key::Down { digit: '0' }, Key::Up { digit: '0', duration: 800 }]);
    }

    #[test]
    fn lost_ends_and_lost_beginnings_still_give_each_digit_once() {
        let all = packets("1122");
        let no_ends: Vec<_> = all.iter().filter(|(_, p)| p[1] & 0x80 == 0).copied().collect();
        assert_eq!(heard(&no_ends), "1122");
        let last_only: Vec<_> = all.iter().skip(6).step_by(7).copied().collect();
        assert_eq!(heard(&last_only), "1122");
    }

    #[test]
    fn reordered_and_repeated_packets_press_nothing_twice() {
        let mut all = packets("12");
        all.swap(5, 8);
        all.swap(0, 3);
        let twice: Vec<_> = all.iter().flat_map(|p| [*p, *p]).collect();
        assert_eq!(heard(&twice), "12");
    }

    #[test]
    fn a_clock_that_steps_back_and_a_sequence_that_wraps_lose_no_digit() {
        let event = Event { digit: '7', end: true, volume: 0, duration: 800 }.write().unwrap();
        let numbers = [(10, 100_000), (20, 90_000), (40_000, 90_000 + 6_400_000)];
        let all = numbers.map(|(sequence, timestamp)| {
            (Header { marker: true, payload_type: 101, sequence, timestamp, ssrc: 1 }, event)
        });
        assert_eq!(heard(&all), "777");
    }

    #[test]
    fn a_key_held_for_longer_than_a_segment_is_one_digit() {
        let event = |end, duration| Event { digit: '5', end, volume: 0, duration }.write().unwrap();
        let header = |timestamp| Header { marker: false, payload_type: 101, sequence: 0, timestamp, ssrc: 1 };
        let mut receiver = DigitReceiver::default();
        assert_eq!(receiver.handle_packet(&header(100), &event(false, SEGMENT)), Some(Key::Down { digit: '5' }));
        assert_eq!(receiver.handle_packet(&header(100 + 65_535), &event(false, 160)), None);
        let up = receiver.handle_packet(&header(100 + 65_535), &event(true, 320));
        assert_eq!(up, Some(Key::Up { digit: '5', duration: 65_535 + 320 }));
    }

    #[test]
    fn what_is_no_key_is_no_event() {
        assert_eq!(Event::parse(&[16, 0, 0, 0]), None);
        assert_eq!(Event::parse(&[1, 0, 0]), None);
        assert!(DigitSender::new('x', 0, 100).is_none());
    }
}
