//! A jitter buffer: packets are put in as they come, and taken out in their order, as late as their unevenness wants it.

use std::collections::VecDeque;

use super::packet::Header;

/// Packets that wait at most: 640 ms of 20 ms.
const PLACES: u16 = 32;
/// The longest payload that is kept: an Opus frame (RFC 6716 §3.2.1).
pub const PAYLOAD: usize = 1_275;
/// Packets over which the unevenness is looked at, twice: 4 s of 20 ms.
const WINDOW: u32 = 100;
/// The delay is never less than this, timestamp units at 8 kHz (20 ms), however even the packets are.
const LEAST: u32 = 160;
/// Nor more than this (240 ms): further than that, losing is better than waiting.
const MOST: u32 = 1_920;

#[derive(Clone, Debug)]
struct Place<K> {
    /// What is in it; none where nothing is.
    packet: Option<(u16, u32, K)>,
    len: usize,
    octets: [u8; PAYLOAD],
}

/// A packet that is there: its timestamp, what the caller said of it, its payload.
type Waiting<'a, K> = (u32, K, &'a [u8]);

/// What is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Due<'a, K> {
    /// The next packet: its timestamp, what the caller said of it, its payload.
    Packet(u32, K, &'a [u8]),
    /// The next one is missing.
    Lost {
        /// How many are missing.
        missing: u16,
        /// The timestamp of the first that came after them.
        timestamp: u32,
        /// The payload of that, where it follows the missing one directly.
        next: Option<&'a [u8]>,
    },
    /// Nothing has come.
    Nothing,
}

/// How late packets are against the promptest of them, over a window.
#[derive(Clone, Copy, Debug)]
struct Spread {
    least: i32,
    most: i32,
    packets: u32,
}

impl Spread {
    const NONE: Self = Self { least: i32::MAX, most: i32::MIN, packets: 0 };
}

/// The packets of one stream that wait. `K` is what the caller wants to know of a packet when it is due. Room is taken once; packets
/// allocate nothing.
#[derive(Clone, Debug)]
pub struct JitterBuffer<K> {
    places: Box<[Place<K>]>,
    ssrc: Option<u32>,
    /// The sequence number that is due; none before the first packet.
    due: Option<u16>,
    /// The newest timestamp, and the number of its packet.
    newest: (u16, u32),
    /// The zero of lateness: the first packet's.
    zero: i32,
    spreads: VecDeque<Spread>,
    waiting: u16,
    late: u64,
}

impl<K: Copy> Default for JitterBuffer<K> {
    fn default() -> Self {
        let place = Place { packet: None, len: 0, octets: [0; PAYLOAD] };
        Self {
            places: vec![place; usize::from(PLACES)].into_boxed_slice(),
            ssrc: None,
            due: None,
            newest: (0, 0),
            zero: 0,
            spreads: VecDeque::from([Spread::NONE; 2]),
            waiting: 0,
            late: 0,
        }
    }
}

impl<K: Copy> JitterBuffer<K> {
    /// Takes a packet that came at the instant `arrival` (8 kHz units); timestamps are at 8 kHz whatever the codec's clock. Gives
    /// whether it begins a new stream: then nothing of the old one is kept.
    pub fn put(&mut self, header: &Header, kind: K, payload: &[u8], arrival: u32) -> bool {
        let fresh = self.ssrc != Some(header.ssrc) || self.is_far(header.sequence);
        if fresh {
            self.restart(header, arrival);
        }
        self.note(header.timestamp, arrival);
        let due = *self.due.get_or_insert(header.sequence);
        if before(header.sequence, due) || payload.len() > PAYLOAD {
            self.late += 1;
            return fresh;
        }
        // One that comes this far ahead takes the place of the oldest.
        while header.sequence.wrapping_sub(self.due.unwrap_or(due)) >= PLACES {
            self.skip();
        }
        let Some(place) = self.places.get_mut(usize::from(header.sequence % PLACES)) else { return fresh };
        let Some(room) = place.octets.get_mut(..payload.len()) else { return fresh };
        room.copy_from_slice(payload);
        place.len = payload.len();
        self.waiting += u16::from(place.packet.is_none());
        place.packet = Some((header.sequence, header.timestamp, kind));
        if !before(header.sequence, self.newest.0) {
            self.newest = (header.sequence, header.timestamp);
        }
        fresh
    }

    /// What is due now, until [`Self::skip`].
    pub fn due(&self) -> Due<'_, K> {
        match self.first() {
            None => Due::Nothing,
            Some((0, (timestamp, kind, payload))) => Due::Packet(timestamp, kind, payload),
            Some((missing, (timestamp, _, payload))) => {
                Due::Lost { missing, timestamp, next: (missing == 1).then_some(payload) }
            }
        }
    }

    /// The first packet that is there, and how many are missing before it.
    fn first(&self) -> Option<(u16, Waiting<'_, K>)> {
        let due = self.due.filter(|_| self.waiting > 0)?;
        (0..PLACES).find_map(|ahead| Some((ahead, self.at(due.wrapping_add(ahead))?)))
    }

    /// Goes on to the next packet, whether this one came or not.
    pub fn skip(&mut self) {
        let Some(due) = self.due else { return };
        if let Some(place) = self.places.get_mut(usize::from(due % PLACES))
            && place.packet.is_some_and(|(sequence, ..)| sequence == due)
        {
            place.packet = None;
            self.waiting -= 1;
        }
        self.due = Some(due.wrapping_add(1));
    }

    /// Packets that wait.
    pub fn waiting(&self) -> u16 {
        self.waiting
    }

    /// How much sound waits, 8 kHz units: from the first packet that is there to the beginning of the newest.
    pub fn depth(&self) -> u32 {
        self.first().map_or(0, |(_, (timestamp, ..))| self.newest.1.wrapping_sub(timestamp))
    }

    /// How long sound should wait, so that hardly any comes too late (8 kHz units).
    pub fn delay(&self) -> u32 {
        let least = self.spreads.iter().map(|spread| i64::from(spread.least)).min().unwrap_or(0);
        let most = self.spreads.iter().map(|spread| i64::from(spread.most)).max().unwrap_or(0);
        u32::try_from(most - least).unwrap_or(0).clamp(LEAST, MOST)
    }

    /// Packets that came when their time was over, and were left out.
    pub fn late(&self) -> u64 {
        self.late
    }

    fn at(&self, sequence: u16) -> Option<Waiting<'_, K>> {
        let place = self.places.get(usize::from(sequence % PLACES))?;
        let (found, timestamp, kind) = place.packet?;
        (found == sequence).then_some((timestamp, kind, place.octets.get(..place.len)?))
    }

    fn is_far(&self, sequence: u16) -> bool {
        self.due.is_some_and(|due| {
            let ahead = sequence.wrapping_sub(due);
            ahead > 3_000 && ahead < u16::MAX - 100
        })
    }

    fn restart(&mut self, header: &Header, arrival: u32) {
        self.places.iter_mut().for_each(|place| place.packet = None);
        self.waiting = 0;
        self.ssrc = Some(header.ssrc);
        self.due = Some(header.sequence);
        self.newest = (header.sequence, header.timestamp);
        self.zero = arrival.wrapping_sub(header.timestamp) as i32;
        self.spreads.iter_mut().for_each(|spread| *spread = Spread::NONE);
    }

    fn note(&mut self, timestamp: u32, arrival: u32) {
        let lateness = (arrival.wrapping_sub(timestamp) as i32).wrapping_sub(self.zero);
        let Some(newest) = self.spreads.back_mut() else { return };
        newest.least = newest.least.min(lateness);
        newest.most = newest.most.max(lateness);
        newest.packets += 1;
        if newest.packets >= WINDOW {
            self.spreads.pop_front();
            self.spreads.push_back(Spread::NONE);
        }
    }
}

/// Whether `one` comes before `other` (RFC 1982).
fn before(one: u16, other: u16) -> bool {
    one != other && other.wrapping_sub(one) < 1 << 15
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(n: u16) -> Header {
        let timestamp = u32::from(n) * 160;
        Header { marker: false, payload_type: 8, sequence: n.wrapping_add(65_530), timestamp, ssrc: 5 }
    }

    fn put(buffer: &mut JitterBuffer<()>, n: u16, late: u32) {
        buffer.put(&header(n), (), &[n as u8], u32::from(n) * 160 + 5_000 + late);
    }

    /// What comes out until nothing is due: the payloads, `None` for what is lost.
    fn drain(buffer: &mut JitterBuffer<()>) -> Vec<Option<u8>> {
        let mut out = Vec::new();
        loop {
            match buffer.due() {
                Due::Packet(_, (), payload) => out.push(Some(payload[0])),
                Due::Lost { .. } => out.push(None),
                Due::Nothing => return out,
            }
            buffer.skip();
        }
    }

    #[test]
    fn order_is_made_over_the_wrap_and_holes_are_told() {
        let mut buffer = JitterBuffer::default();
        for n in [0, 2, 1, 3, 5, 7, 8, 8, 10] {
            put(&mut buffer, n, 0);
        }
        assert!(matches!(buffer.due(), Due::Packet(0, (), [0])));
        assert_eq!((buffer.depth(), buffer.waiting()), (1_600, 8));
        let numbers: Vec<u8> = drain(&mut buffer).into_iter().map(|one| one.unwrap_or(99)).collect();
        assert_eq!(numbers, [0, 1, 2, 3, 99, 5, 99, 7, 8, 99, 10]);
        put(&mut buffer, 9, 0);
        assert_eq!((buffer.late(), buffer.waiting()), (1, 0));
    }

    #[test]
    fn a_lost_one_shows_what_follows_it() {
        let mut buffer = JitterBuffer::default();
        put(&mut buffer, 0, 0);
        put(&mut buffer, 3, 0);
        buffer.skip();
        assert_eq!(buffer.due(), Due::Lost { missing: 2, timestamp: 480, next: None });
        buffer.skip();
        assert_eq!(buffer.due(), Due::Lost { missing: 1, timestamp: 480, next: Some(&[3]) });
    }

    #[test]
    fn the_delay_follows_the_unevenness_and_forgets_it() {
        let mut buffer = JitterBuffer::default();
        let mut run = |range: std::ops::Range<u16>, late: fn(u16) -> u32| {
            range.for_each(|n| {
                put(&mut buffer, n, late(n));
                drain(&mut buffer);
            });
            buffer.delay()
        };
        assert_eq!(run(0..50, |_| 0), LEAST);
        assert_eq!(run(50..100, |n| u32::from(n % 10) * 80), 720);
        assert_eq!(run(100..400, |_| 40), LEAST);
        assert_eq!(run(400..410, |n| if n == 405 { 8_000 } else { 0 }), MOST);
    }

    #[test]
    fn a_flood_ahead_pushes_the_oldest_out_and_a_new_stream_begins_anew() {
        let mut buffer = JitterBuffer::default();
        (0..100).for_each(|n| put(&mut buffer, n, 0));
        assert_eq!(drain(&mut buffer).first(), Some(&Some(68)));
        assert!(buffer.put(&Header { ssrc: 6, ..header(3) }, (), &[1], 0));
        assert_eq!(drain(&mut buffer), [Some(1)]);
        assert!(!buffer.put(&Header { ssrc: 6, ..header(4) }, (), &[0; PAYLOAD + 1], 0));
        assert_eq!(buffer.waiting(), 0);
    }
}
