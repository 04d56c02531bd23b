//! One party's media as a machine.

mod outgoing;

use std::collections::VecDeque;
use std::net::SocketAddr;

use super::arrival::{Arrival, Clock, Kind, Narrow};
use super::command::{LegMedia, Source};
use super::ear::Ear;
use super::keyer::Keyer;
use super::mix::Mixer;
use super::play::Player;
use super::report::{DropReason, MediaReport, PacketFate};
use super::reporter::Reporter;
use super::silence::Silence;
use super::source_lock::{Learn, SourceLock, Verdict};
use super::voice::Voice;
use crate::codec::Codec;
use crate::codec::dtmf::Detector;
use crate::codec::g711::Law;
use crate::id::LegId;
use crate::rtp::event::{DigitReceiver, Key};
use crate::rtp::mos;
use crate::rtp::packet::{self, Header, Packet};
use crate::rtp::stats::{Receiver, Snapshot};
use crate::rtp::stream::{Rewriter, SourceId};
use crate::time::Now;

/// Comfort noise: a static payload type of its own, whatever the codec (RFC 3389 §3).
pub(super) const COMFORT_NOISE: u8 = 13;
/// The one-way delay that a score assumes beside the network's, milliseconds: our own part and a far jitter buffer.
const ONE_WAY_MS: f64 = 60.0;
/// A leg whose packets are further apart (milliseconds) does not wait: keys may lie unread for two of them.
pub const SOON_MS: u64 = 20;
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
    /// From which our canonical name and the intervals of our reports follow.
    pub reporter: u64,
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
    mixer: Option<Mixer>,
    keyer: Keyer,
    /// What encodes for the party, where others are not just passed on to it.
    voice: Option<Voice>,
    digits: DigitReceiver,
    clock: Clock,
    /// Looks for keys in the sound of a party that has no telephone-events.
    keys: Option<Box<Detector>>,
    /// Makes G.711 of the party's sound for its recording and its keys, where it is none.
    narrow: Option<Box<Narrow>>,
    /// Decodes the party for those who mix it.
    ear: Option<Box<Ear>>,
    stats: Receiver,
    reporter: Reporter,
    strangers: u64,
    strangers_told: u64,
    /// Packets of a payload type that was not agreed on, and the last such type.
    unusable: (u64, u8),
    unusable_told: u64,
    silence: Silence,
    /// Whether the party was heard within the last two seconds or so.
    speaks: bool,
    watch_ns: u64,
    reports: VecDeque<MediaReport>,
}

impl Leg {
    /// A leg in its first desired state, whose party is lost after `lost_ms` without a sign of life where sound is due; never where
    /// none.
    pub fn new(id: LegId, epoch: u32, media: LegMedia, start: StreamStart, lost_ms: Option<u64>, now: Now) -> Self {
        let mut leg = Self {
            id,
            epoch,
            lock: SourceLock::new(media.remote, media.learn),
            stream: Rewriter::new(start.ssrc, start.sequence, start.timestamp),
            source: 0,
            player: Player::new(&media.send, now),
            mixer: None,
            keyer: Keyer::new(&media.keys),
            voice: None,
            digits: DigitReceiver::default(),
            clock: Clock::default(),
            keys: None,
            narrow: None,
            ear: None,
            stats: Receiver::default(),
            reporter: Reporter::new(start.reporter, now),
            strangers: 0,
            strangers_told: 0,
            unusable: (0, 0),
            unusable_told: 0,
            silence: Silence::new(id, media.sound_due, lost_ms, now),
            speaks: false,
            watch_ns: now.in_ms(WATCH_MS),
            // Room for all that one event can say, so that reporting does not allocate: a lock, a key, a silence's end, strangers.
            reports: VecDeque::with_capacity(4),
            media,
        };
        leg.equip(true, now);
        leg
    }

    /// Makes ready what the desired state needs, so that packets find it and allocate nothing.
    fn equip(&mut self, recoded: bool, now: Now) {
        let (media, codec) = (&self.media, self.media.format.codec);
        if recoded {
            (self.voice, self.narrow, self.ear, self.mixer) = (None, None, None, None);
        }
        let mixes = matches!(media.send, Source::Mix(_));
        let plays = matches!(media.send, Source::Play(_) | Source::Music(_) | Source::Quiet);
        if self.voice.is_none() && (mixes || plays) {
            self.voice = Voice::of(codec);
        }
        let listens = media.deliver_digits && media.dtmf_received.is_none();
        if listens != self.keys.is_some() {
            self.keys = listens.then(Box::default);
        }
        if self.narrow.is_none() && (media.recording.is_some() || listens) {
            self.narrow = Narrow::of(codec);
        }
        self.reporter.handle_clock(codec.clock_factor());
        if media.heard != self.ear.is_some() {
            self.ear = media.heard.then(|| Box::new(Ear::new(codec.band(), now)));
        }
        if mixes != self.mixer.is_some() {
            self.mixer = mixes.then(|| Mixer::new(codec.band(), now));
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

    /// Where the party is for good, as signalling said, as long as it speaks from there.
    pub fn settled(&self) -> Option<SocketAddr> {
        match self.lock {
            SourceLock::Locked(party) if self.speaks => Some(party),
            _ => None,
        }
    }

    /// When to call [`Self::handle_tick`] (monotonic nanoseconds).
    pub fn deadline(&self) -> u64 {
        let own = self.watch_ns.min(self.reporter.deadline());
        let played = self.player.as_ref().map_or(u64::MAX, Player::deadline);
        let mixed = self.mixer.as_ref().map_or(u64::MAX, Mixer::deadline);
        let keyed = self.media.dtmf_pt.map_or(u64::MAX, |_| self.keyer.deadline());
        own.min(played).min(mixed).min(keyed)
    }

    /// Whether what the party says may be read at the leg's next tick, with the instant at which it came: nobody hears it but who
    /// waits for keys, and the next packet of what is played is due soon.
    pub fn can_wait(&self) -> bool {
        self.player.is_some() && self.media.recording.is_none() && !self.media.heard && self.packet_ms() <= SOON_MS
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
        let moved = (media.remote, media.learn) != (self.media.remote, self.media.learn);
        if moved {
            self.lock = SourceLock::new(media.remote, media.learn);
        }
        self.silence.handle_due(media.sound_due, moved, now);
        let recoded = media.format.codec != self.media.format.codec;
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
        self.equip(recoded, now);
        self.keyer.handle_keys(&self.media.keys, now);
        true
    }

    /// The party is at `remote`, and nowhere else: it has proved so on the port that browsers share.
    pub fn handle_remote(&mut self, remote: SocketAddr) {
        self.lock = SourceLock::new(Some(remote), Learn::Nowhere);
    }

    /// Takes a datagram from the leg's RTP port. An echo is written into `out`, the G.711 of wider sound into `narrow`.
    pub fn handle_packet<'a>(
        &mut self,
        from: SocketAddr,
        datagram: &'a [u8],
        narrow: &'a mut [u8],
        out: &mut [u8],
        now: Now,
    ) -> PacketFate<'a> {
        let Some(Packet { header, payload }) = packet::parse(datagram) else {
            return PacketFate::Drop(DropReason::Malformed);
        };
        match self.lock.handle_source(from, header.ssrc, now) {
            Verdict::Ours => {}
            Verdict::Locked => self.reports.push_back(MediaReport::SourceLocked { leg: self.id, addr: from }),
            Verdict::Learning => return PacketFate::Drop(DropReason::Learning),
            Verdict::Stranger => {
                self.strangers += 1;
                return PacketFate::Drop(DropReason::Stranger);
            }
        }
        self.speaks = true;
        let Some(kind) = self.kind_of(&header) else {
            self.unusable = (self.unusable.0 + 1, header.payload_type);
            return PacketFate::Drop(DropReason::PayloadType);
        };
        let header = self.clock.slow_down(header, self.media.format.codec.clock_factor());
        if let Some(report) = self.silence.handle_sound(kind == Kind::Quiet, now) {
            self.reports.push_back(report);
        }
        let lost = self.stats.handle_packet(&header, now);
        if matches!(kind, Kind::Digit(_))
            && let Some(Key::Down { digit }) = self.digits.handle_packet(&header, payload)
            && self.media.deliver_digits
        {
            self.reports.push_back(MediaReport::Digit { leg: self.id, digit, at: now });
        }
        let arrival = Arrival { header, kind, payload, lost, narrow: self.narrow(kind, &header, payload, narrow) };
        if let Some(keys) = &mut self.keys
            && let Some((law, octets)) = arrival.narrow
        {
            keys.listen(law, octets, |digit| {
                self.reports.push_back(MediaReport::Digit { leg: self.id, digit, at: now });
            });
        }
        if let Some(ear) = &mut self.ear {
            ear.handle_packet(&header, arrival.sound(), payload, now);
        }
        match &self.media.send {
            Source::Echo => match self.send(&arrival, out, now) {
                Some((to, len)) => PacketFate::Echo { to, len },
                None => PacketFate::Consumed(arrival),
            },
            Source::Bridge(to) => PacketFate::Forward { to: *to, arrival },
            // To the first of them, who is passed its packets, or its keys where its sound is mixed.
            Source::Mix(of) => match of.first() {
                Some(to) => PacketFate::Forward { to: *to, arrival },
                None => PacketFate::Consumed(arrival),
            },
            Source::Silence | Source::Quiet | Source::Play(_) | Source::Music(_) => PacketFate::Consumed(arrival),
        }
    }

    /// What a payload type stands for. A party that changes to the other law of G.711 under its static number is understood, whatever
    /// was agreed.
    fn kind_of(&self, header: &Header) -> Option<Kind> {
        let format = self.media.format;
        if header.payload_type == format.received {
            return Some(Kind::Sound(format.codec));
        }
        if Some(header.payload_type) == self.media.dtmf_received {
            return Some(Kind::Digit(self.media.dtmf_clock));
        }
        match header.payload_type {
            COMFORT_NOISE => Some(Kind::Quiet),
            other => Law::from_payload_type(other).map(|law| Kind::Sound(Codec::G711(law))),
        }
    }

    fn narrow<'a>(
        &mut self,
        kind: Kind,
        header: &Header,
        payload: &'a [u8],
        out: &'a mut [u8],
    ) -> Option<(Law, &'a [u8])> {
        match kind {
            Kind::Sound(Codec::G711(law)) => Some((law, payload)),
            Kind::Sound(codec) => {
                let narrow = self.narrow.as_mut()?;
                Some((codec.law(), narrow.narrow(header.ssrc, codec, payload, out)))
            }
            Kind::Digit(_) | Kind::Quiet => None,
        }
    }

    /// Takes a datagram from the leg's RTCP port. Only the party's host counts.
    pub fn handle_rtcp(&mut self, from: SocketAddr, datagram: &[u8], now: Now) {
        let described = self.media.remote_rtcp.map(|addr| addr.ip());
        let party = self.lock.destination().map(|addr| addr.ip());
        if party.is_none() || (party != Some(from.ip()) && described != Some(from.ip())) {
            self.strangers += 1;
            return;
        }
        if self.reporter.handle_compound(from, datagram, &self.stream, &mut self.stats, now) {
            self.silence.handle_life(now);
        }
    }

    /// The RTCP that is due, in `out`: where to send how much of it, from the leg's RTCP port.
    pub fn poll_rtcp(&mut self, out: &mut [u8], now: Now) -> Option<(SocketAddr, usize)> {
        let Some(to) = self.rtcp_destination() else {
            self.reporter.skip(now);
            return None;
        };
        Some((to, self.reporter.poll(&self.stream, &mut self.stats, out, now)?))
    }

    /// The leave that the leg takes at its end (BYE), as [`Self::poll_rtcp`] gives it.
    pub fn goodbye(&mut self, out: &mut [u8], now: Now) -> Option<(SocketAddr, usize)> {
        let to = self.rtcp_destination()?;
        Some((to, self.reporter.goodbye(&self.stream, &mut self.stats, out, now)?))
    }

    /// Where RTCP goes: where the description says; behind a NAT back to where the party's comes from, and until some has come to
    /// the port after its RTP.
    fn rtcp_destination(&self) -> Option<SocketAddr> {
        let party = self.lock.destination()?;
        let next = SocketAddr::new(party.ip(), party.port().checked_add(1)?);
        if Some(party) == self.media.remote {
            return self.media.remote_rtcp.or(Some(next));
        }
        self.reporter.source().filter(|source| source.ip() == party.ip()).or(Some(next))
    }

    /// How the party's packets arrived, for the leg's end.
    pub fn quality(&self) -> MediaReport {
        let figures = Snapshot { told: self.reporter.told(), ..self.stats.snapshot() };
        let delay = ONE_WAY_MS + figures.told.round_trip_ms.unwrap_or(0.0) / 2.0;
        let mos = (figures.received > 0).then(|| mos::mos(mos::r_factor(figures.loss, delay)));
        MediaReport::Quality { leg: self.id, figures, mos, rtcp_received: self.reporter.received() }
    }

    fn watch(&mut self, now: Now) {
        self.watch_ns = now.in_ms(WATCH_MS);
        self.speaks = self.silence.quiet_ms(now) < 2 * WATCH_MS;
        if let Some(report) = self.silence.handle_tick(now) {
            self.reports.push_back(report);
        }
        if self.strangers > self.strangers_told {
            self.strangers_told = self.strangers;
            self.reports.push_back(MediaReport::Strangers { leg: self.id, count: self.strangers });
        }
        let (count, payload_type) = self.unusable;
        if count > self.unusable_told {
            self.unusable_told = count;
            self.reports.push_back(MediaReport::Unusable { leg: self.id, payload_type, count });
        }
    }
}

#[cfg(test)]
#[path = "leg_tests.rs"]
mod tests;
