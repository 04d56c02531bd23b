//! What a receiving stream lost and how unevenly it came (RFC 3550 §6.4.1, appendices A.1, A.3, A.8).

use super::packet::Header;
use super::rtcp::ReportBlock;
use crate::time::{MS, Now};

/// Nanoseconds of one timestamp unit at 8 kHz.
const UNIT_NS: u64 = MS / 8;

/// A larger step forward is a restart, not loss (A.1, MAX_DROPOUT).
const MAX_DROPOUT: u16 = 3_000;

/// The memory of sequence numbers, to tell a late packet from a repeated one.
const WINDOW: u32 = 64;

/// The figures of one leg since its beginning, over changes of SSRC.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Snapshot {
    /// Packets that should have come.
    pub expected: u64,
    /// Packets that came, each once.
    pub received: u64,
    /// Copies of packets that were there already.
    pub duplicates: u64,
    /// Packets that came after a later one.
    pub reordered: u64,
    /// How often the sender began a new stream.
    pub restarts: u64,
    /// Fraction lost, 0–1.
    pub loss: f64,
    /// Interarrival jitter in ms.
    pub jitter_ms: f64,
    /// What the party said of our stream by RTCP.
    pub told: Told,
}

/// What a party says of the stream that it gets from us; each is none where it never said so.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Told {
    /// The round trip, the mean over its reports, ms.
    pub round_trip_ms: Option<f64>,
    /// Fraction lost on the way to it, 0–1.
    pub loss: Option<f64>,
    /// Interarrival jitter at its end, ms.
    pub jitter_ms: Option<f64>,
}

#[derive(Clone, Copy, Debug)]
struct Stream {
    ssrc: u32,
    first: u64,
    /// The highest sequence number with its wraps above bit 15.
    highest: u64,
    /// Bit n: `highest − n` has come.
    seen: u64,
    received: u64,
    duplicates: u64,
    /// Where a restart would go on (A.1, bad_seq).
    suspect: Option<u16>,
    last_timestamp: u32,
    last_arrival: u32,
    jitter: f64,
    /// Expected and received at the last report.
    reported: (u64, u64),
}

/// Watches the packets of one leg; clock rate 8 kHz.
#[derive(Clone, Debug, Default)]
pub struct Receiver {
    stream: Option<Stream>,
    ended: Snapshot,
    reordered: u64,
    last_sender_report: Option<(u32, u64)>,
}

impl Receiver {
    /// Counts one packet that arrived at `now`; gives how many are missing between it and the newest before it.
    pub fn handle_packet(&mut self, header: &Header, now: Now) -> u16 {
        let arrival = (now.mono_ns / UNIT_NS) as u32;
        let Some(stream) = self.stream.as_mut().filter(|stream| stream.ssrc == header.ssrc) else {
            self.restart(header, arrival);
            return 0;
        };
        let ahead = header.sequence.wrapping_sub(stream.highest as u16);
        if ahead == 0 {
            stream.duplicates += 1;
        } else if ahead < MAX_DROPOUT {
            stream.forward(u32::from(ahead), header, arrival);
            return ahead - 1;
        } else if ahead > u16::MAX - 100 {
            self.reordered += u64::from(stream.fill(u32::from(ahead.wrapping_neg())));
        } else if stream.suspect == Some(header.sequence) {
            self.restart(header, arrival);
        } else {
            stream.suspect = Some(header.sequence.wrapping_add(1));
        }
        0
    }

    /// Remembers a sender report, so that the peer can compute the round trip: the middle 32 bits of its NTP time.
    pub fn handle_sender_report(&mut self, ntp_middle: u32, now: Now) {
        self.last_sender_report = Some((ntp_middle, now.mono_ns));
    }

    /// The figures so far.
    pub fn snapshot(&self) -> Snapshot {
        let mut all = self.ended;
        if let Some(stream) = &self.stream {
            all.expected += stream.expected();
            all.received += stream.received;
            all.duplicates += stream.duplicates;
            all.jitter_ms = stream.jitter / 8.0;
        }
        all.reordered = self.reordered;
        if all.expected > 0 {
            all.loss = all.expected.saturating_sub(all.received) as f64 / all.expected as f64;
        }
        all
    }

    /// The block for the next receiver report; its fraction is that since the block before. `None` before the first packet.
    pub fn take_report_block(&mut self, now: Now) -> Option<ReportBlock> {
        let stream = self.stream.as_mut()?;
        // RFC 3550 counts duplicates as received.
        let totals = (stream.expected(), stream.received + stream.duplicates);
        let expected = totals.0.saturating_sub(stream.reported.0);
        let received = totals.1.saturating_sub(stream.reported.1);
        stream.reported = totals;
        let lost = expected.saturating_sub(received);
        let fraction_lost = (lost * 256).checked_div(expected).unwrap_or(0).min(255) as u8;
        let cumulative = (totals.0 as i64 - totals.1 as i64).clamp(-0x80_0000, 0x7f_ffff);
        let (last_sender_report, delay) = match self.last_sender_report {
            Some((middle, at)) => {
                (middle, (u128::from(now.mono_ns.saturating_sub(at)) * 65_536 / 1_000_000_000) as u32)
            }
            None => (0, 0),
        };
        Some(ReportBlock {
            ssrc: stream.ssrc,
            fraction_lost,
            cumulative_lost: cumulative as i32,
            highest_sequence: stream.highest as u32,
            jitter: stream.jitter as u32,
            last_sender_report,
            delay_since_last: delay,
        })
    }

    fn restart(&mut self, header: &Header, arrival: u32) {
        if self.stream.is_some() {
            self.ended = Snapshot { restarts: self.ended.restarts + 1, ..self.snapshot() };
        }
        let number = u64::from(header.sequence);
        self.last_sender_report = None;
        self.stream = Some(Stream {
            ssrc: header.ssrc,
            first: number,
            highest: number,
            seen: 1,
            received: 1,
            duplicates: 0,
            suspect: None,
            last_timestamp: header.timestamp,
            last_arrival: arrival,
            jitter: 0.0,
            reported: (0, 0),
        });
    }
}

impl Stream {
    fn expected(&self) -> u64 {
        self.highest - self.first + 1
    }

    fn forward(&mut self, ahead: u32, header: &Header, arrival: u32) {
        self.highest += u64::from(ahead);
        self.seen = self.seen.checked_shl(ahead).unwrap_or(0) | 1;
        self.received += 1;
        self.suspect = None;
        // The packets of one telephone-event share a timestamp: their spacing says nothing about the network.
        if header.timestamp != self.last_timestamp {
            let came = arrival.wrapping_sub(self.last_arrival) as i32;
            let sent = header.timestamp.wrapping_sub(self.last_timestamp) as i32;
            let difference = came.wrapping_sub(sent).unsigned_abs();
            self.jitter += (f64::from(difference) - self.jitter) / 16.0;
            self.last_timestamp = header.timestamp;
            self.last_arrival = arrival;
        }
    }

    /// Whether the late packet fills a hole.
    fn fill(&mut self, behind: u32) -> bool {
        let number = self.highest.checked_sub(u64::from(behind));
        if behind >= WINDOW || number.is_none_or(|number| number < self.first) {
            // Too old to be told from a copy, or from before the beginning.
            return false;
        }
        if self.seen >> behind & 1 == 1 {
            self.duplicates += 1;
            return false;
        }
        self.seen |= 1 << behind;
        self.received += 1;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(n: u64) -> Header {
        let timestamp = (n as u32).wrapping_mul(160);
        Header { marker: false, payload_type: 0, sequence: n as u16, timestamp, ssrc: 5 }
    }

    fn feed(numbers: impl IntoIterator<Item = u64>) -> Receiver {
        let mut receiver = Receiver::default();
        for n in numbers {
            receiver.handle_packet(&header(n), Now::default().plus_ms(n * 20));
        }
        receiver
    }

    #[test]
    fn loss_is_counted_over_the_wrap() {
        let snapshot = feed((65_000..66_000).filter(|n| n % 10 != 5)).snapshot();
        assert_eq!((snapshot.expected, snapshot.received), (1_000, 900));
        assert!((snapshot.loss - 0.1).abs() < 1e-9);
        assert!(snapshot.jitter_ms < 1e-9);
    }

    #[test]
    fn copies_and_disorder_are_no_loss() {
        let snapshot = feed([10, 12, 11, 11, 13, 13, 15, 14]).snapshot();
        assert_eq!((snapshot.expected, snapshot.received, snapshot.duplicates, snapshot.reordered), (6, 6, 2, 2));
        assert_eq!(snapshot.loss, 0.0);
    }

    #[test]
    fn a_new_ssrc_and_a_jump_are_restarts_without_loss() {
        let mut receiver = feed(1..=10);
        for n in 30_001..=30_010 {
            receiver.handle_packet(&header(n), Now::default());
        }
        for n in 1..=10 {
            receiver.handle_packet(&Header { ssrc: 6, ..header(n) }, Now::default());
        }
        let snapshot = receiver.snapshot();
        // The first packet of the jump is the price of not believing it.
        assert_eq!((snapshot.expected, snapshot.received, snapshot.restarts), (29, 29, 2));
    }

    #[test]
    fn jitter_follows_uneven_arrival() {
        let mut receiver = Receiver::default();
        for n in 0..500 {
            receiver.handle_packet(&header(n), Now::default().plus_ms(n * 20 + (n % 2) * 10));
        }
        assert!((receiver.snapshot().jitter_ms - 10.0).abs() < 0.1);
    }

    #[test]
    fn a_report_block_tells_the_loss_since_the_last() {
        let mut receiver = feed((0..100).filter(|n| n % 4 != 1));
        receiver.handle_sender_report(77, Now::default());
        let block = receiver.take_report_block(Now::default().plus_ms(500)).unwrap();
        assert_eq!((block.fraction_lost, block.cumulative_lost, block.highest_sequence), (64, 25, 99));
        assert_eq!((block.last_sender_report, block.delay_since_last), (77, 32_768));
        let next = receiver.take_report_block(Now::default()).unwrap();
        assert_eq!((next.fraction_lost, next.cumulative_lost), (0, 25));
    }
}
