//! Sender and receiver reports (RFC 3550 §6.4): built for our legs, read from theirs.

use crate::time::Now;

const SENDER_REPORT: u8 = 200;
const RECEIVER_REPORT: u8 = 201;
const DESCRIPTION: u8 = 202;
const GOODBYE: u8 = 203;

/// Seconds between 1900 (NTP) and 1970.
const NTP_OFFSET: u64 = 2_208_988_800;

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

/// One SR or RR. A leg has one stream each way, so one block is enough to write; of a peer's blocks all are read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// Who reports.
    pub ssrc: u32,
    /// Present in a sender report.
    pub sender: Option<SenderInfo>,
    /// At most 31.
    pub blocks: Vec<ReportBlock>,
}

/// What a compound packet held.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Compound {
    /// Its reports in order.
    pub reports: Vec<Report>,
    /// Whether a BYE was in it.
    pub goodbye: bool,
}

/// The wall clock of `now` as NTP.
pub fn ntp(now: Now) -> u64 {
    let ms = now.wall_ms.max(0) as u64;
    // NTP seconds wrap in 2036 by design.
    let seconds = (ms / 1_000).wrapping_add(NTP_OFFSET) & 0xffff_ffff;
    (seconds << 32) | (((ms % 1_000) << 32) / 1_000)
}

/// The middle 32 bits of an NTP time: 65536ths of a second.
pub fn ntp_middle(ntp: u64) -> u32 {
    (ntp >> 16) as u32
}

impl ReportBlock {
    /// The round trip in ms that this block, arriving at `now`, shows (RFC 3550 §6.4.1); `None` before our first report.
    pub fn round_trip_ms(&self, now: Now) -> Option<f64> {
        if self.last_sender_report == 0 {
            return None;
        }
        let trip = ntp_middle(ntp(now)).wrapping_sub(self.last_sender_report).wrapping_sub(self.delay_since_last);
        // Clocks that were set meanwhile give nonsense.
        (trip < 60 << 16).then(|| f64::from(trip) * 1_000.0 / 65_536.0)
    }
}

/// Writes a compound packet: the report, then our canonical name (§6.1). `None` where `out` is too small, where there are more
/// than 31 blocks or the name is longer than 255 octets.
pub fn write(report: &Report, cname: &str, out: &mut [u8]) -> Option<usize> {
    if report.blocks.len() > 31 || cname.len() > 255 {
        return None;
    }
    let kind = if report.sender.is_some() { SENDER_REPORT } else { RECEIVER_REPORT };
    let mut bytes = Vec::with_capacity(128);
    bytes.extend_from_slice(&[0x80 | report.blocks.len() as u8, kind, 0, 0]);
    bytes.extend_from_slice(&report.ssrc.to_be_bytes());
    if let Some(sender) = report.sender {
        bytes.extend_from_slice(&sender.ntp.to_be_bytes());
        for word in [sender.timestamp, sender.packets, sender.octets] {
            bytes.extend_from_slice(&word.to_be_bytes());
        }
    }
    for block in &report.blocks {
        let lost = (u32::from(block.fraction_lost) << 24) | (block.cumulative_lost as u32 & 0xff_ffff);
        let tail = [block.highest_sequence, block.jitter, block.last_sender_report, block.delay_since_last];
        for word in [block.ssrc, lost].into_iter().chain(tail) {
            bytes.extend_from_slice(&word.to_be_bytes());
        }
    }
    set_length(&mut bytes, 0);
    let description = bytes.len();
    bytes.extend_from_slice(&[0x81, DESCRIPTION, 0, 0]);
    bytes.extend_from_slice(&report.ssrc.to_be_bytes());
    bytes.extend_from_slice(&[1, cname.len() as u8]);
    bytes.extend_from_slice(cname.as_bytes());
    // A chunk ends with at least one null octet, at a 32-bit boundary.
    let padded = (bytes.len() / 4 + 1) * 4;
    bytes.resize(padded, 0);
    set_length(&mut bytes, description);
    out.get_mut(..bytes.len())?.copy_from_slice(&bytes);
    Some(bytes.len())
}

fn set_length(bytes: &mut [u8], start: usize) {
    let words = ((bytes.len() - start) / 4 - 1) as u16;
    if let Some(field) = bytes.get_mut(start + 2..start + 4) {
        field.copy_from_slice(&words.to_be_bytes());
    }
}

/// Reads a compound packet; `None` where a length does not fit. Packets of other kinds are passed over.
pub fn parse(datagram: &[u8]) -> Option<Compound> {
    let mut compound = Compound::default();
    let mut rest = datagram;
    while !rest.is_empty() {
        let [first, kind, high, low] = *rest.first_chunk::<4>()?;
        if first >> 6 != 2 {
            return None;
        }
        let length = (usize::from(u16::from_be_bytes([high, low])) + 1) * 4;
        let (packet, after) = rest.split_at_checked(length)?;
        rest = after;
        match kind {
            SENDER_REPORT | RECEIVER_REPORT => {
                compound.reports.push(report(packet, kind == SENDER_REPORT, first & 31)?);
            }
            GOODBYE => compound.goodbye = true,
            _ => {}
        }
    }
    Some(compound)
}

fn report(packet: &[u8], sends: bool, count: u8) -> Option<Report> {
    let mut words = packet.as_chunks::<4>().0.iter().map(|word| u32::from_be_bytes(*word)).skip(1);
    let ssrc = words.next()?;
    let sender = if sends {
        let ntp = (u64::from(words.next()?) << 32) | u64::from(words.next()?);
        Some(SenderInfo { ntp, timestamp: words.next()?, packets: words.next()?, octets: words.next()? })
    } else {
        None
    };
    let mut blocks = Vec::with_capacity(usize::from(count));
    for _ in 0..count {
        let ssrc = words.next()?;
        let lost = words.next()?;
        blocks.push(ReportBlock {
            ssrc,
            fraction_lost: (lost >> 24) as u8,
            // The shifts carry the sign of the 24-bit number.
            cumulative_lost: (lost << 8) as i32 >> 8,
            highest_sequence: words.next()?,
            jitter: words.next()?,
            last_sender_report: words.next()?,
            delay_since_last: words.next()?,
        });
    }
    Some(Report { ssrc, sender, blocks })
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
        for sender in [Some(sender), None] {
            let report = Report { ssrc: 1, sender, blocks: vec![block()] };
            let mut out = [0; 128];
            let length = write(&report, "trunkline", &mut out).unwrap();
            assert_eq!(length % 4, 0);
            assert_eq!(parse(&out[..length]), Some(Compound { reports: vec![report.clone()], goodbye: false }));
            assert_eq!(parse(&out[..length - 4]), None);
            assert_eq!(write(&report, "trunkline", &mut out[..40]), None);
        }
    }

    #[test]
    fn the_round_trip_leaves_out_the_peers_delay() {
        let sent = Now { mono_ns: 0, wall_ms: 1_700_000_000_000 };
        let block = ReportBlock { last_sender_report: ntp_middle(ntp(sent)), delay_since_last: 65_536, ..block() };
        let trip = block.round_trip_ms(sent.plus_ms(1_080)).unwrap();
        assert!((trip - 80.0).abs() < 0.1, "{trip}");
    }

    proptest! {
        #[test]
        fn nothing_from_the_wire_panics(mut bytes in proptest::collection::vec(any::<u8>(), 0..120), kind in 199u8..205) {
            if let [first, second, high, ..] = bytes.as_mut_slice() {
                (*first, *second, *high) = (0x80 | (*first & 31), kind, 0);
            }
            let _ = parse(&bytes);
        }
    }
}
