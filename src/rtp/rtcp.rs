//! Sender and receiver reports (RFC 3550 §6.4): built for our legs, read from theirs.

const SENDER_REPORT: u8 = 200;
const RECEIVER_REPORT: u8 = 201;
const DESCRIPTION: u8 = 202;
const GOODBYE: u8 = 203;

/// Seconds between 1900 (NTP) and 1970.
const NTP_OFFSET: u64 = 2_208_988_800;

/// Octets of a report block.
const BLOCK_LEN: usize = 24;

/// A longer round trip (65536ths of a second; 30 s) is none: calls do not live through it.
const LONGEST_TRIP: u32 = 30 << 16;

/// What the sender of a stream says about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SenderInfo {
    /// Wall clock as NTP: seconds since 1900 above bit 31, fraction below.
    pub ntp: u64,
    /// The same instant on the stream's clock.
    pub timestamp: u32,
    /// Packets sent so far.
    pub packets: u32,
    /// Payload octets sent so far.
    pub octets: u32,
}

/// What a receiver says about one stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReportBlock {
    /// The stream that this is about.
    pub ssrc: u32,
    /// Lost since the last report, in 256ths.
    pub fraction_lost: u8,
    /// Lost since the beginning, 24 bits; below zero where packets were doubled.
    pub cumulative_lost: i32,
    /// Highest sequence number, wraps in the upper 16 bits.
    pub highest_sequence: u32,
    /// Interarrival jitter in timestamp units.
    pub jitter: u32,
    /// Middle 32 bits of the NTP time of the last sender report that came; 0 where none did.
    pub last_sender_report: u32,
    /// Time since then in 65536ths of a second.
    pub delay_since_last: u32,
}

/// A report of ours. A leg has one stream each way, so one block is enough.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outgoing<'a> {
    /// Who reports.
    pub ssrc: u32,
    /// Present in a sender report.
    pub sender: Option<SenderInfo>,
    /// How the peer's stream arrives, where one does.
    pub block: Option<ReportBlock>,
    /// Our canonical name (§6.5.1): ASCII.
    pub cname: &'a [u8],
    /// Whether we leave the session with it (BYE).
    pub goodbye: bool,
}

/// A peer's SR or RR.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Report<'a> {
    /// Who reports.
    pub ssrc: u32,
    /// Present in a sender report.
    pub sender: Option<SenderInfo>,
    blocks: &'a [[u8; BLOCK_LEN]],
}

impl<'a> Report<'a> {
    /// Its blocks, 31 at most.
    pub fn blocks(&self) -> impl Iterator<Item = ReportBlock> + use<'a> {
        self.blocks.iter().map(ReportBlock::read)
    }
}

/// A compound packet whose lengths have been checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Compound<'a> {
    datagram: &'a [u8],
}

impl<'a> Compound<'a> {
    /// Its reports in order.
    pub fn reports(&self) -> impl Iterator<Item = Report<'a>> + use<'a> {
        packets(self.datagram).flatten().filter_map(|packet| packet.report())
    }

    /// Whether a BYE is in it.
    pub fn goodbye(&self) -> bool {
        packets(self.datagram).flatten().any(|packet| packet.kind == GOODBYE)
    }
}

/// An instant, nanoseconds since 1970, as NTP.
pub fn ntp(unix_ns: u64) -> u64 {
    const SECOND: u64 = 1_000_000_000;
    // NTP seconds wrap in 2036 by design.
    let seconds = (unix_ns / SECOND).wrapping_add(NTP_OFFSET) & 0xffff_ffff;
    (seconds << 32) | (((unix_ns % SECOND) << 32) / SECOND)
}

/// The middle 32 bits of an NTP time: 65536ths of a second.
pub fn ntp_middle(ntp: u64) -> u32 {
    (ntp >> 16) as u32
}

impl ReportBlock {
    /// The round trip in ms that this block, arriving at the NTP time `arrived`, shows (RFC 3550 §6.4.1); `None` before our first
    /// report.
    pub fn round_trip_ms(&self, arrived: u64) -> Option<f64> {
        if self.last_sender_report == 0 {
            return None;
        }
        let trip = ntp_middle(arrived).wrapping_sub(self.last_sender_report).wrapping_sub(self.delay_since_last);
        // A peer that is quicker than its own delay says, or that names a report which we never sent, says nothing of use.
        (trip < LONGEST_TRIP).then(|| f64::from(trip) * 1_000.0 / 65_536.0)
    }

    fn read(octets: &[u8; BLOCK_LEN]) -> Self {
        let words = octets.as_chunks::<4>().0;
        let word = |at: usize| words.get(at).map_or(0, |word| u32::from_be_bytes(*word));
        Self {
            ssrc: word(0),
            fraction_lost: (word(1) >> 24) as u8,
            // The shifts carry the sign of the 24-bit number.
            cumulative_lost: (word(1) << 8) as i32 >> 8,
            highest_sequence: word(2),
            jitter: word(3),
            last_sender_report: word(4),
            delay_since_last: word(5),
        }
    }

    fn words(&self) -> [u32; BLOCK_LEN / 4] {
        let lost = (u32::from(self.fraction_lost) << 24) | (self.cumulative_lost as u32 & 0xff_ffff);
        [self.ssrc, lost, self.highest_sequence, self.jitter, self.last_sender_report, self.delay_since_last]
    }
}

/// Writes a compound packet: the report, our canonical name (§6.1), and BYE where we leave. `None` where `out` is too small or the
/// name is longer than 255 octets.
pub fn write(report: &Outgoing<'_>, out: &mut [u8]) -> Option<usize> {
    let name_len = u8::try_from(report.cname.len()).ok()?;
    let mut to = Octets { out, at: 0 };
    let kind = if report.sender.is_some() { SENDER_REPORT } else { RECEIVER_REPORT };
    let start = to.begin(0x80 | u8::from(report.block.is_some()), kind, report.ssrc)?;
    if let Some(sender) = report.sender {
        to.put(&sender.ntp.to_be_bytes())?;
        to.words(&[sender.timestamp, sender.packets, sender.octets])?;
    }
    if let Some(block) = report.block {
        to.words(&block.words())?;
    }
    to.end(start)?;
    let start = to.begin(0x81, DESCRIPTION, report.ssrc)?;
    to.put(&[1, name_len])?;
    to.put(report.cname)?;
    // A chunk ends with at least one null octet, at a 32-bit boundary.
    let padding = 4 - to.at % 4;
    to.put([0; 4].get(..padding)?)?;
    to.end(start)?;
    if report.goodbye {
        let start = to.begin(0x81, GOODBYE, report.ssrc)?;
        to.end(start)?;
    }
    Some(to.at)
}

/// Where a compound packet is written.
struct Octets<'a> {
    out: &'a mut [u8],
    at: usize,
}

impl Octets<'_> {
    fn put(&mut self, octets: &[u8]) -> Option<()> {
        let end = self.at + octets.len();
        self.out.get_mut(self.at..end)?.copy_from_slice(octets);
        self.at = end;
        Some(())
    }

    fn words(&mut self, words: &[u32]) -> Option<()> {
        words.iter().try_for_each(|word| self.put(&word.to_be_bytes()))
    }

    /// Begins a packet whose length is not known yet; gives where it began.
    fn begin(&mut self, first: u8, kind: u8, ssrc: u32) -> Option<usize> {
        let start = self.at;
        self.put(&[first, kind, 0, 0])?;
        self.words(&[ssrc])?;
        Some(start)
    }

    fn end(&mut self, start: usize) -> Option<()> {
        let words = ((self.at - start) / 4 - 1) as u16;
        self.out.get_mut(start + 2..start + 4)?.copy_from_slice(&words.to_be_bytes());
        Some(())
    }
}

/// Reads a compound packet; `None` where a length does not fit. Packets of other kinds are passed over.
pub fn parse(datagram: &[u8]) -> Option<Compound<'_>> {
    let whole =
        packets(datagram).all(|packet| packet.is_some_and(|packet| !packet.reports() || packet.report().is_some()));
    whole.then_some(Compound { datagram })
}

/// One packet of a compound packet, its head read.
#[derive(Clone, Copy)]
struct Packet<'a> {
    kind: u8,
    count: u8,
    /// What follows the head.
    body: &'a [u8],
}

impl<'a> Packet<'a> {
    fn reports(self) -> bool {
        matches!(self.kind, SENDER_REPORT | RECEIVER_REPORT)
    }

    fn report(self) -> Option<Report<'a>> {
        if !self.reports() {
            return None;
        }
        let (ssrc, mut rest) = self.body.split_first_chunk::<4>()?;
        let mut sender = None;
        if self.kind == SENDER_REPORT {
            let (info, after) = rest.split_first_chunk::<20>()?;
            sender = Some(SenderInfo::read(info));
            rest = after;
        }
        let blocks = rest.as_chunks::<BLOCK_LEN>().0.get(..usize::from(self.count))?;
        Some(Report { ssrc: u32::from_be_bytes(*ssrc), sender, blocks })
    }
}

impl SenderInfo {
    fn read(octets: &[u8; 20]) -> Self {
        let words = octets.as_chunks::<4>().0;
        let word = |at: usize| words.get(at).map_or(0, |word| u32::from_be_bytes(*word));
        let ntp = (u64::from(word(0)) << 32) | u64::from(word(1));
        Self { ntp, timestamp: word(2), packets: word(3), octets: word(4) }
    }
}

/// The packets of a datagram; a last `None` where what is left is none.
fn packets(datagram: &[u8]) -> impl Iterator<Item = Option<Packet<'_>>> {
    let mut rest = datagram;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let packet = next_packet(rest);
        rest = packet.map_or(&[], |(_, after)| after);
        Some(packet.map(|(packet, _)| packet))
    })
}

fn next_packet(rest: &[u8]) -> Option<(Packet<'_>, &[u8])> {
    let [first, kind, high, low] = *rest.first_chunk::<4>()?;
    if first >> 6 != 2 {
        return None;
    }
    let length = (usize::from(u16::from_be_bytes([high, low])) + 1) * 4;
    let (packet, after) = rest.split_at_checked(length)?;
    Some((Packet { kind, count: first & 31, body: packet.get(4..)? }, after))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn block() -> ReportBlock {
        ReportBlock {
            ssrc: 2,
            fraction_lost: 26,
            cumulative_lost: -3,
            highest_sequence: 65_540,
            jitter: 12,
            last_sender_report: 1,
            delay_since_last: 0,
        }
    }

    #[test]
    fn reports_read_back() {
        let sender = SenderInfo { ntp: 1 << 40, timestamp: 3, packets: 4, octets: 5 };
        for (sender, block) in [(Some(sender), Some(block())), (None, Some(block())), (Some(sender), None)] {
            for goodbye in [false, true] {
                let report = Outgoing { ssrc: 1, sender, block, cname: b"trunkline", goodbye };
                let mut out = [0; 128];
                let length = write(&report, &mut out).unwrap();
                assert_eq!(length % 4, 0);
                let read = parse(&out[..length]).unwrap();
                let [only] = read.reports().collect::<Vec<_>>()[..] else { panic!("{read:?}") };
                assert_eq!((only.ssrc, only.sender, only.blocks().next()), (1, sender, block));
                assert_eq!((only.blocks().count(), read.goodbye()), (usize::from(block.is_some()), goodbye));
                assert_eq!(parse(&out[..length - 2]), None);
                assert_eq!(write(&report, &mut out[..length - 1]), None);
            }
        }
    }

    #[test]
    fn more_blocks_than_there_are_octets_for_are_no_report() {
        let mut out = [0; 128];
        let report = Outgoing { ssrc: 1, sender: None, block: Some(block()), cname: b"x", goodbye: false };
        let length = write(&report, &mut out).unwrap();
        out[0] = 0x82;
        assert_eq!(parse(&out[..length]), None);
    }

    #[test]
    fn the_round_trip_leaves_out_the_peers_delay() {
        let sent = 1_700_000_000_123_456_789;
        let block = ReportBlock { last_sender_report: ntp_middle(ntp(sent)), delay_since_last: 65_536, ..block() };
        let trip = block.round_trip_ms(ntp(sent + 1_080_000_000)).unwrap();
        assert!((trip - 80.0).abs() < 0.1, "{trip}");
        assert_eq!(block.round_trip_ms(ntp(sent + 900_000_000)), None);
        assert_eq!(ReportBlock { last_sender_report: 0, ..block }.round_trip_ms(ntp(sent)), None);
    }

    proptest! {
        #[test]
        fn nothing_from_the_wire_panics(mut bytes in proptest::collection::vec(any::<u8>(), 0..120), kind in 199u8..205) {
            if let [first, second, high, ..] = bytes.as_mut_slice() {
                (*first, *second, *high) = (0x80 | (*first & 31), kind, 0);
            }
            let compound = parse(&bytes);
            let _ = compound.map(|compound| (compound.reports().flat_map(|report| report.blocks()).count(), compound.goodbye()));
        }
    }
}
