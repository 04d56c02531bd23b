//! One party's media as a machine.

use std::collections::VecDeque;
use std::net::SocketAddr;

use super::command::{LegMedia, Source};
use super::play::{Player, Step};
use super::prompt::{FRAME_BYTES, PromptStore};
use super::report::{DropReason, MediaReport, PacketFate};
use super::source_lock::{SourceLock, Verdict};
use crate::codec::g711::Law;
use crate::id::LegId;
use crate::recording::Frame;
use crate::rtp::event::{DigitReceiver, Key};
use crate::rtp::mos;
use crate::rtp::packet::{self, HEADER_LEN, Header, Packet};
use crate::rtp::rtcp;
use crate::rtp::stats::Receiver;
use crate::rtp::stream::{Rewriter, SourceId};
use crate::time::{MS, Now};

/// A party that sends nothing for so long (milliseconds) is reported as silent.
const SILENT_MS: u64 = 5_000;
/// The one-way delay that a score assumes, milliseconds: our own part and a far jitter buffer; the network's is not measured.
const ONE_WAY_MS: f64 = 60.0;
/// How often silence and strangers are looked at, milliseconds.
const WATCH_MS: u64 = 1_000;

/// Where a leg's outgoing stream begins; random, so that nobody guesses it (RFC 3550 §5.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StreamStart {
    /// Synchronisation source.
    pub ssrc: u32,
    /// First sequence number.
    pub sequence: u16,
    /// First timestamp.
    pub timestamp: u32,
}

/// A packet of the leg's party, to be sent by the other leg of its bridge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Arrival<'a> {
    header: Header,
    kind: Kind,
    payload: &'a [u8],
}

impl<'a> Arrival<'a> {
    /// The sound in it.
    pub fn frame(&self) -> Option<Frame<'a>> {
        let Kind::Audio(law) = self.kind else { return None };
        Some(Frame { ssrc: self.header.ssrc, timestamp: self.header.timestamp, law, payload: self.payload })
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Audio(Law),
    Digit,
}

/// One leg: who speaks to it, what it hears, and the one stream that it sends.
pub struct Leg {
    id: LegId,
    epoch: u32,
    media: LegMedia,
    lock: SourceLock,
    stream: Rewriter,
    source: SourceId,
    player: Option<Player>,
    digits: DigitReceiver,
    stats: Receiver,
    rtcp_received: u64,
    strangers: u64,
    strangers_told: u64,
    heard_ns: u64,
    silence_told: bool,
    watch_ns: u64,
    reports: VecDeque<MediaReport>,
}

impl Leg {
    /// A leg in its first desired state.
    pub fn new(id: LegId, epoch: u32, media: LegMedia, start: StreamStart, now: Now) -> Self {
        Self {
            id,
            epoch,
            lock: SourceLock::new(media.remote, media.nat),
            stream: Rewriter::new(start.ssrc, start.sequence, start.timestamp),
            source: 0,
            player: Player::new(&media.send, now),
            digits: DigitReceiver::default(),
            stats: Receiver::default(),
            rtcp_received: 0,
            strangers: 0,
            strangers_told: 0,
            heard_ns: now.mono_ns,
            silence_told: false,
            watch_ns: now.in_ms(WATCH_MS),
            // Room for all that one event can say, so that reporting does not allocate.
            reports: VecDeque::with_capacity(8),
            media,
        }
    }

    /// Whose media this is.
    pub fn id(&self) -> LegId {
        self.id
    }

    /// The leg's state as it was last commanded.
    pub fn media(&self) -> &LegMedia {
        &self.media
    }

    /// Packets from elsewhere that were dropped.
    pub fn strangers(&self) -> u64 {
        self.strangers
    }

    /// When to call [`Self::handle_tick`] (monotonic nanoseconds).
    pub fn deadline(&self) -> u64 {
        self.player.as_ref().map_or(self.watch_ns, |player| player.deadline().min(self.watch_ns))
    }

    /// The next thing to tell the switch. Call until `None` after each `handle_*`.
    pub fn poll_report(&mut self) -> Option<MediaReport> {
        self.reports.pop_front()
    }

    /// Takes a desired state; `false` where one as new is in force already.
    pub fn handle_command(&mut self, epoch: u32, media: LegMedia, now: Now) -> bool {
        if epoch <= self.epoch {
            return false;
        }
        self.epoch = epoch;
        if (media.remote, media.nat) != (self.media.remote, self.media.nat) {
            self.lock = SourceLock::new(media.remote, media.nat);
            self.heard_ns = now.mono_ns;
            self.silence_told = false;
        }
        if media.send != self.media.send {
            self.source = self.source.wrapping_add(1);
        }
        if !self.player.as_ref().is_some_and(|player| player.serves(&media.send)) {
            if let Some(id) = self.player.take().and_then(|player| player.playlist()) {
                self.reports.push_back(MediaReport::PlayFinished { leg: self.id, id, completed: false });
            }
            // A list that has been played to its end is not begun again by a command about something else.
            if media.send != self.media.send {
                self.player = Player::new(&media.send, now);
            }
        }
        self.media = media;
        true
    }

    /// Takes a datagram from the leg's RTP port. An echo is written into `out`.
    pub fn handle_packet<'a>(
        &mut self,
        from: SocketAddr,
        datagram: &'a [u8],
        out: &mut [u8],
        now: Now,
    ) -> PacketFate<'a> {
        let Some(Packet { header, payload }) = packet::parse(datagram) else {
            return PacketFate::Drop(DropReason::Malformed);
        };
        match self.lock.handle_source(from) {
            Verdict::Ours => {}
            Verdict::Locked => self.reports.push_back(MediaReport::SourceLocked { leg: self.id, addr: from }),
            Verdict::Learning => return PacketFate::Drop(DropReason::Learning),
            Verdict::Stranger => {
                self.strangers += 1;
                return PacketFate::Drop(DropReason::Stranger);
            }
        }
        let kind = if header.payload_type == self.media.format.payload_type {
            Kind::Audio(self.media.format.law)
        } else if Some(header.payload_type) == self.media.dtmf_pt {
            Kind::Digit
        } else {
            return PacketFate::Drop(DropReason::PayloadType);
        };
        self.heard_ns = now.mono_ns;
        self.silence_told = false;
        self.stats.handle_packet(&header, now);
        if kind == Kind::Digit
            && let Some(Key::Down { digit }) = self.digits.handle_packet(&header, payload)
            && self.media.deliver_digits
        {
            self.reports.push_back(MediaReport::Digit { leg: self.id, digit, at: now });
        }
        let arrival = Arrival { header, kind, payload };
        match self.media.send {
            Source::Echo => match self.send(&arrival, out, now) {
                Some((to, len)) => PacketFate::Echo { to, len },
                None => PacketFate::Consumed(arrival),
            },
            Source::Bridge(to) => PacketFate::Forward { to, arrival },
            Source::Silence | Source::Play(_) | Source::Music(_) => PacketFate::Consumed(arrival),
        }
    }

    /// Takes a datagram from the leg's RTCP port. Only the party's host counts.
    pub fn handle_rtcp(&mut self, from: SocketAddr, datagram: &[u8], now: Now) {
        if self.lock.destination().is_none_or(|party| party.ip() != from.ip()) {
            self.strangers += 1;
            return;
        }
        let Some(compound) = rtcp::parse(datagram) else { return };
        self.rtcp_received += 1;
        for report in &compound.reports {
            if let Some(sender) = report.sender {
                self.stats.handle_sender_report(rtcp::ntp_middle(sender.ntp), now);
            }
        }
    }

    /// Makes a packet of leg `from` one of this leg's own in `out`: header, payload type, law. Gives where to send how much of it,
    /// or `None` where this leg does not listen to `from` or cannot carry it.
    pub fn send_bridged(
        &mut self,
        from: LegId,
        arrival: &Arrival<'_>,
        out: &mut [u8],
        now: Now,
    ) -> Option<(SocketAddr, usize)> {
        if self.media.send != Source::Bridge(from) {
            return None;
        }
        self.send(arrival, out, now)
    }

    fn send(&mut self, arrival: &Arrival<'_>, out: &mut [u8], now: Now) -> Option<(SocketAddr, usize)> {
        let to = self.lock.destination()?;
        let format = self.media.format;
        let payload_type = match arrival.kind {
            Kind::Audio(_) => format.payload_type,
            Kind::Digit => self.media.dtmf_pt?,
        };
        let header = self.stream.handle_packet(self.source, &Header { payload_type, ..arrival.header }, now)?;
        let len = packet::write(&header, arrival.payload, out)?;
        if let Kind::Audio(law) = arrival.kind {
            law.transcode(format.law, out.get_mut(HEADER_LEN..len)?);
        }
        self.stream.count_sent(arrival.payload.len());
        Some((to, len))
    }

    /// Does what is due: gives a packet to send from `buf`. Call until `None`.
    pub fn handle_tick(&mut self, store: &PromptStore, buf: &mut [u8], now: Now) -> Option<(SocketAddr, usize)> {
        if now.mono_ns >= self.watch_ns {
            self.watch(now);
        }
        loop {
            let format = self.media.format;
            match self.player.as_mut()?.handle_tick(store, format.law, now)? {
                Step::Frame(frame) => {
                    // A party whose address is unknown misses what is played, as it would on the network.
                    let Some(to) = self.lock.destination() else { continue };
                    let header = self.stream.handle_frame(self.source, format.payload_type, FRAME_BYTES as u32, now);
                    let len = packet::write(&header, frame, buf)?;
                    self.stream.count_sent(FRAME_BYTES);
                    return Some((to, len));
                }
                Step::Finished { id, completed } => {
                    self.player = None;
                    self.reports.push_back(MediaReport::PlayFinished { leg: self.id, id, completed });
                }
                Step::Nothing => self.player = None,
            }
        }
    }

    /// How the party's packets arrived, for the leg's end.
    pub fn quality(&self) -> MediaReport {
        let figures = self.stats.snapshot();
        let mos = (figures.received > 0).then(|| mos::mos(mos::r_factor(figures.loss, ONE_WAY_MS)));
        MediaReport::Quality { leg: self.id, figures, mos, rtcp_received: self.rtcp_received }
    }

    fn watch(&mut self, now: Now) {
        self.watch_ns = now.in_ms(WATCH_MS);
        let ms = now.mono_ns.saturating_sub(self.heard_ns) / MS;
        if ms >= SILENT_MS && !self.silence_told && self.media.remote.is_some() {
            self.silence_told = true;
            self.reports.push_back(MediaReport::Silent { leg: self.id, ms });
        }
        if self.strangers > self.strangers_told {
            self.strangers_told = self.strangers;
            self.reports.push_back(MediaReport::Strangers { leg: self.id, count: self.strangers });
        }
    }
}
