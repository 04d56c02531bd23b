//! What a leg says and learns by RTCP (RFC 3550 §6): its reports, their interval, the round trip.

use std::net::SocketAddr;

use rand_chacha::ChaCha8Rng;
use rand_core::{Rng, SeedableRng};

use crate::rtp::rtcp::{self, Outgoing, ReportBlock, SenderInfo};
use crate::rtp::stats::{Receiver, Told};
use crate::rtp::stream::Rewriter;
use crate::time::{MS, Now};

/// The least interval between reports (§6.2), which two parties on a voice call never come near to the bandwidth limit with.
const INTERVAL_MS: f64 = 5_000.0;
/// Makes up for timers that are set anew drawing shorter intervals (e − 3/2, §6.3.1).
const COMPENSATION: f64 = 1.218_28;
/// Octets of our canonical name: 96 random bits in hexadecimal (RFC 7022 §4.2), another one for each call.
const CNAME_LEN: usize = 24;

/// A leg's part in the RTCP session with its party.
pub struct Reporter {
    random: ChaCha8Rng,
    cname: [u8; CNAME_LEN],
    started: Now,
    due_ns: u64,
    /// When the report before the last one was due: whoever has sent since then is a sender (§6.4).
    before_ns: u64,
    last_ns: u64,
    /// Whether anything was said: who was never heard takes no leave (§6.3.7).
    spoken: bool,
    /// From where the party's RTCP came last.
    source: Option<SocketAddr>,
    received: u64,
    trips: u32,
    told: Told,
    /// How many units the clock on the wire counts in an 8,000th of a second.
    clock: u32,
}

impl Reporter {
    /// A reporter whose name and intervals follow from `seed`. The first report comes after half an interval (§6.2).
    pub fn new(seed: u64, now: Now) -> Self {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let mut name = [0; CNAME_LEN / 2];
        random.fill_bytes(&mut name);
        let mut cname = [0; CNAME_LEN];
        let digits = name.iter().flat_map(|octet| [octet >> 4, octet & 15]);
        for (place, digit) in cname.iter_mut().zip(digits) {
            *place = b"0123456789abcdef".get(usize::from(digit)).copied().unwrap_or(b'0');
        }
        let mut reporter = Self {
            random,
            cname,
            started: now,
            due_ns: 0,
            before_ns: now.mono_ns,
            last_ns: now.mono_ns,
            spoken: false,
            source: None,
            received: 0,
            trips: 0,
            told: Told::default(),
            clock: 1,
        };
        reporter.due_ns = now.in_ms(reporter.interval_ms(0.5));
        reporter
    }

    /// From now on the streams' clocks count `factor` units in an 8,000th of a second.
    pub fn handle_clock(&mut self, factor: u32) {
        self.clock = factor.max(1);
    }

    /// When the next report is due (monotonic nanoseconds).
    pub fn deadline(&self) -> u64 {
        self.due_ns
    }

    /// From where the party's RTCP came last.
    pub fn source(&self) -> Option<SocketAddr> {
        self.source
    }

    /// Compound packets taken.
    pub fn received(&self) -> u64 {
        self.received
    }

    /// What the party said of our stream.
    pub fn told(&self) -> Told {
        self.told
    }

    /// Takes a compound packet of the party; `false` where it is none.
    pub fn handle_compound(
        &mut self,
        from: SocketAddr,
        datagram: &[u8],
        stream: &Rewriter,
        stats: &mut Receiver,
        now: Now,
    ) -> bool {
        let Some(compound) = rtcp::parse(datagram) else { return false };
        self.received += 1;
        self.source = Some(from);
        for report in compound.reports() {
            if let Some(sender) = report.sender {
                stats.handle_sender_report(rtcp::ntp_middle(sender.ntp), now);
            }
            for block in report.blocks().filter(|block| block.ssrc == stream.ssrc()) {
                self.learn(&block, stream, now);
            }
        }
        true
    }

    /// The report that is due, written into `out`; gives its length. None where it is not time.
    pub fn poll(&mut self, stream: &Rewriter, stats: &mut Receiver, out: &mut [u8], now: Now) -> Option<usize> {
        if now.mono_ns < self.due_ns {
            return None;
        }
        self.due_ns = now.in_ms(self.interval_ms(1.0));
        self.compose(stream, stats, false, out, now)
    }

    /// Takes leave at the leg's end.
    pub fn goodbye(&mut self, stream: &Rewriter, stats: &mut Receiver, out: &mut [u8], now: Now) -> Option<usize> {
        if !self.spoken && stream.sent_at().is_none() {
            return None;
        }
        self.compose(stream, stats, true, out, now)
    }

    /// Lets a report pass that nobody could be sent.
    pub fn skip(&mut self, now: Now) {
        if now.mono_ns >= self.due_ns {
            self.due_ns = now.in_ms(self.interval_ms(1.0));
        }
    }

    fn compose(
        &mut self,
        stream: &Rewriter,
        stats: &mut Receiver,
        goodbye: bool,
        out: &mut [u8],
        now: Now,
    ) -> Option<usize> {
        let sends = stream.sent_at().is_some_and(|at| at >= self.before_ns);
        (self.before_ns, self.last_ns) = (self.last_ns, now.mono_ns);
        let (packets, octets) = stream.sent();
        let timestamp = stream.timestamp_at(now).wrapping_mul(self.clock);
        let sender = sends.then(|| SenderInfo { ntp: self.ntp(now), timestamp, packets, octets });
        let block = stats.take_report_block(now);
        let block = block.map(|block| ReportBlock { jitter: block.jitter.saturating_mul(self.clock), ..block });
        self.spoken = true;
        rtcp::write(&Outgoing { ssrc: stream.ssrc(), sender, block, cname: &self.cname, goodbye }, out)
    }

    fn learn(&mut self, block: &ReportBlock, stream: &Rewriter, now: Now) {
        if let Some(trip) = block.round_trip_ms(self.ntp(now)) {
            self.trips = self.trips.saturating_add(1);
            let mean = self.told.round_trip_ms.unwrap_or(trip);
            self.told.round_trip_ms = Some(mean + (trip - mean) / f64::from(self.trips));
        }
        let (packets, _) = stream.sent();
        // Packets under way count as sent and not as lost yet: a little too good, never too bad.
        let lost = f64::from(block.cumulative_lost.max(0)) / f64::from(packets.max(1));
        self.told.loss = Some(lost.min(1.0));
        self.told.jitter_ms = Some(f64::from(block.jitter) / 8.0 / f64::from(self.clock));
    }

    /// The wall clock of the leg's beginning carried on by the monotonic one, so that a clock that is set makes no round trip.
    fn ntp(&self, now: Now) -> u64 {
        let began = self.started.wall_ms.max(0).unsigned_abs().saturating_mul(MS);
        rtcp::ntp(began.saturating_add(now.mono_ns.saturating_sub(self.started.mono_ns)))
    }

    /// An interval of half to one and a half times the usual one (§6.3.1), `part` of it.
    fn interval_ms(&mut self, part: f64) -> u64 {
        let spread = 0.5 + f64::from(self.random.next_u32()) / f64::from(u32::MAX);
        (INTERVAL_MS * part * spread / COMPENSATION) as u64
    }
}

#[cfg(test)]
#[path = "reporter_tests.rs"]
mod tests;
