//! The one stream that an outgoing leg carries, whoever is its source at the moment.

use super::packet::Header;
use crate::time::{MS, Now};

/// Timestamp units in a millisecond at 8 kHz.
const PER_MS: u64 = 8;

/// A jump of a source's sequence by more than this is a new beginning of the source (RFC 3550 A.1, MAX_DROPOUT).
const MAX_JUMP: u16 = 3_000;

/// A jump of a source's timestamp by more than this (8 kHz units, 60 s) is a new beginning too.
const MAX_TIMESTAMP_JUMP: u32 = 480_000;

/// A local source that pauses for longer than this begins a new talk spurt.
const SPURT_GAP_MS: u64 = 100;

/// Names a source within one leg: the bridged leg, a prompt, the music. The caller chooses the numbers.
pub type SourceId = u32;

#[derive(Clone, Copy, Debug)]
struct Source {
    id: SourceId,
    ssrc: u32,
    /// The newest number that came in, to see jumps.
    newest_in: u16,
    newest_in_timestamp: u32,
    sequence_offset: u16,
    timestamp_offset: u32,
    /// The first number given out for this source: nothing may map before it. None once the source has gone so far on that nothing
    /// of it can: numbers half a turn later would count as earlier.
    first_out: Option<u16>,
}

/// Gives every packet of a leg its sequence, timestamp and SSRC so that the stream is one, whatever its sources.
///
/// Within a source, gaps and reordering stay as they came (the far jitter buffer wants to see them). At a change of source the
/// sequence goes on by one, the timestamp by the clock, and the marker is set.
#[derive(Clone, Debug)]
pub struct Rewriter {
    ssrc: u32,
    /// The newest number sent.
    sequence: u16,
    /// The newest timestamp sent.
    timestamp: u32,
    /// When the newest timestamp was sent; none before the first packet.
    sent_ns: Option<u64>,
    /// How long the newest packet lasts, as far as it is known.
    frame: u32,
    source: Option<Source>,
    packets: u32,
    octets: u32,
}

impl Rewriter {
    /// A stream that begins at `sequence` and `timestamp` (random, RFC 3550 §5.1).
    pub fn new(ssrc: u32, sequence: u16, timestamp: u32) -> Self {
        Self {
            ssrc,
            sequence: sequence.wrapping_sub(1),
            timestamp,
            sent_ns: None,
            frame: 160,
            source: None,
            packets: 0,
            octets: 0,
        }
    }

    /// The stream's own SSRC.
    pub fn ssrc(&self) -> u32 {
        self.ssrc
    }

    /// Packets and payload octets sent so far, as a sender report wants them (both wrap, RFC 3550 §6.4.1).
    pub fn sent(&self) -> (u32, u32) {
        (self.packets, self.octets)
    }

    /// When the newest packet left (monotonic nanoseconds), if any did.
    pub fn sent_at(&self) -> Option<u64> {
        self.sent_ns
    }

    /// The timestamp of the instant `now` on this stream's clock, for sender reports and for inserted digits.
    pub fn timestamp_at(&self, now: Now) -> u32 {
        match self.sent_ns {
            Some(at) => self.timestamp.wrapping_add(ticks(now.mono_ns.saturating_sub(at))),
            None => self.timestamp,
        }
    }

    /// Counts a packet that has left, for [`Self::sent`].
    pub fn count_sent(&mut self, payload_octets: usize) {
        self.packets = self.packets.wrapping_add(1);
        self.octets = self.octets.wrapping_add(payload_octets as u32);
    }

    /// The header to send for a packet of `source`. `None` for a straggler from before the source's first packet here: it has
    /// no number left and is to be dropped.
    pub fn handle_packet(&mut self, source: SourceId, incoming: &Header, now: Now) -> Option<Header> {
        let known = self.source.filter(|known| known.goes_on(source, incoming));
        let fresh = known.is_none();
        let mut from = known.unwrap_or_else(|| self.join(source, incoming, now));
        let sequence = incoming.sequence.wrapping_add(from.sequence_offset);
        if from.first_out.is_some_and(|first| before(sequence, first)) {
            return None;
        }
        from.first_out = from.first_out.filter(|first| sequence.wrapping_sub(*first) <= MAX_JUMP);
        let timestamp = incoming.timestamp.wrapping_add(from.timestamp_offset);
        if !before(incoming.sequence, from.newest_in) {
            from.newest_in = incoming.sequence;
            from.newest_in_timestamp = incoming.timestamp;
        }
        self.source = Some(from);
        self.advance(sequence, timestamp, now);
        let marker = incoming.marker || fresh;
        Some(Header { marker, payload_type: incoming.payload_type, sequence, timestamp, ssrc: self.ssrc })
    }

    /// Leaves out a packet of `source`: it takes no number, so that its absence is no loss.
    pub fn pass_over(&mut self, source: SourceId, incoming: &Header) {
        if let Some(known) = self.source.as_mut().filter(|known| known.goes_on(source, incoming)) {
            known.sequence_offset = known.sequence_offset.wrapping_sub(1);
        }
    }

    /// The header for the next frame of a local `source` (prompt, music): `samples` at 8 kHz, sent in order.
    pub fn handle_frame(&mut self, source: SourceId, payload_type: u8, samples: u32, now: Now) -> Header {
        let gap_ns = now.mono_ns.saturating_sub(self.sent_ns.unwrap_or(0));
        let goes_on = self.source.is_some_and(|s| s.id == source) && gap_ns <= SPURT_GAP_MS * MS;
        let sequence = self.sequence.wrapping_add(1);
        let timestamp = if goes_on { self.timestamp.wrapping_add(self.frame) } else { self.next_timestamp(now) };
        self.source = Some(Source {
            id: source,
            ssrc: self.ssrc,
            newest_in: sequence,
            newest_in_timestamp: timestamp,
            sequence_offset: 0,
            timestamp_offset: 0,
            first_out: Some(sequence),
        });
        self.advance(sequence, timestamp, now);
        self.frame = samples;
        Header { marker: !goes_on, payload_type, sequence, timestamp, ssrc: self.ssrc }
    }

    /// The header for a packet of a key that goes in between those of a source, which goes on a number later: an event has one
    /// timestamp.
    pub fn handle_event(&mut self, payload_type: u8, marker: bool, timestamp: u32, now: Now) -> Header {
        self.sequence = self.sequence.wrapping_add(1);
        if let Some(source) = &mut self.source {
            source.sequence_offset = source.sequence_offset.wrapping_add(1);
        }
        self.sent_ns.get_or_insert(now.mono_ns);
        Header { marker, payload_type, sequence: self.sequence, timestamp, ssrc: self.ssrc }
    }

    fn join(&self, id: SourceId, incoming: &Header, now: Now) -> Source {
        let first_out = self.sequence.wrapping_add(1);
        Source {
            id,
            ssrc: incoming.ssrc,
            newest_in: incoming.sequence,
            newest_in_timestamp: incoming.timestamp,
            sequence_offset: first_out.wrapping_sub(incoming.sequence),
            timestamp_offset: self.next_timestamp(now).wrapping_sub(incoming.timestamp),
            first_out: Some(first_out),
        }
    }

    /// By the clock, and at least a frame on: two frames never share an instant.
    fn next_timestamp(&self, now: Now) -> u32 {
        match self.sent_ns {
            Some(at) => self.timestamp.wrapping_add(ticks(now.mono_ns.saturating_sub(at)).max(self.frame)),
            None => self.timestamp,
        }
    }

    fn advance(&mut self, sequence: u16, timestamp: u32, now: Now) {
        let first = self.sent_ns.is_none();
        if first || !before(sequence, self.sequence) {
            self.sequence = sequence;
        }
        let ahead = timestamp.wrapping_sub(self.timestamp);
        if first || (ahead != 0 && ahead < 1 << 31) {
            self.timestamp = timestamp;
            self.sent_ns = Some(now.mono_ns);
        }
    }
}

impl Source {
    fn goes_on(&self, id: SourceId, incoming: &Header) -> bool {
        let jump = incoming.sequence.wrapping_sub(self.newest_in) as i16;
        let leap = incoming.timestamp.wrapping_sub(self.newest_in_timestamp) as i32;
        self.id == id
            && self.ssrc == incoming.ssrc
            && jump.unsigned_abs() <= MAX_JUMP
            && leap.unsigned_abs() <= MAX_TIMESTAMP_JUMP
    }
}

fn before(a: u16, b: u16) -> bool {
    (a.wrapping_sub(b) as i16) < 0
}

fn ticks(ns: u64) -> u32 {
    (ns / (MS / PER_MS)) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    fn incoming(sequence: u16, timestamp: u32) -> Header {
        Header { marker: false, payload_type: 8, sequence, timestamp, ssrc: 99 }
    }

    #[test]
    fn a_change_of_source_is_one_stream_to_the_ear() {
        let start = Now::default();
        let mut rewriter = Rewriter::new(1, 65_535, u32::MAX - 100);
        let mut sent = Vec::new();
        for i in 0..5u64 {
            sent.push(rewriter.handle_frame(1, 8, 160, start.plus_ms(i * 20)));
        }
        for i in 0..5u64 {
            let header = incoming(4_000 + i as u16, 7_000_000 + i as u32 * 160);
            sent.push(rewriter.handle_packet(2, &header, start.plus_ms(100 + i * 20)).unwrap());
        }
        for (i, pair) in sent.windows(2).enumerate() {
            assert_eq!(pair[1].sequence, pair[0].sequence.wrapping_add(1), "{i}");
            assert_eq!(pair[1].timestamp, pair[0].timestamp.wrapping_add(160), "{i}");
            assert_eq!(pair[1].ssrc, 1);
        }
        let marked: Vec<_> = sent.iter().map(|h| h.marker).collect();
        assert_eq!(marked, [true, false, false, false, false, true, false, false, false, false]);
        assert_eq!(sent[0].sequence, 65_535);
    }

    #[test]
    fn loss_and_order_within_a_source_stay_visible_and_stragglers_have_no_number() {
        let start = Now::default();
        let mut rewriter = Rewriter::new(1, 10, 0);
        let mut number = |n: u16| {
            let now = start.plus_ms(u64::from(n) * 20);
            rewriter.handle_packet(7, &incoming(n, u32::from(n) * 160), now).map(|h| (h.sequence, h.timestamp))
        };
        assert_eq!(number(100), Some((10, 0)));
        assert_eq!(number(103), Some((13, 480)));
        assert_eq!(number(102), Some((12, 320)));
        assert_eq!(number(99), None);
        assert_eq!(number(104), Some((14, 640)));
    }

    #[test]
    fn a_packet_that_is_passed_over_leaves_no_gap_and_its_time_passes() {
        let start = Now::default();
        let mut rewriter = Rewriter::new(1, 10, 0);
        let first = rewriter.handle_packet(2, &incoming(100, 0), start).unwrap();
        rewriter.pass_over(2, &incoming(101, 160));
        rewriter.pass_over(3, &incoming(7, 160));
        let next = rewriter.handle_packet(2, &incoming(102, 1_600), start.plus_ms(200)).unwrap();
        assert_eq!((first.sequence, next.sequence, next.timestamp), (10, 11, 1_600));
    }

    #[test]
    fn silence_between_sources_passes_on_the_timestamp_too() {
        let start = Now::default();
        let mut rewriter = Rewriter::new(1, 10, 0);
        rewriter.handle_frame(1, 8, 160, start);
        let later = rewriter.handle_packet(2, &incoming(1, 5), start.plus_ms(1_000)).unwrap();
        assert_eq!((later.sequence, later.timestamp, later.marker), (11, 8_000, true));
    }

    #[test]
    fn a_restarted_source_is_joined_anew() {
        let start = Now::default();
        let mut rewriter = Rewriter::new(1, 10, 0);
        rewriter.handle_packet(2, &incoming(1, 0), start);
        let mut other = incoming(40_000, 12_345);
        other.ssrc = 100;
        let header = rewriter.handle_packet(2, &other, start.plus_ms(20)).unwrap();
        assert_eq!((header.sequence, header.timestamp, header.marker), (11, 160, true));
    }
}
