//! Media of legs: leases, desired states, and what media threads report.

use std::collections::{BTreeMap, VecDeque};
use std::net::{IpAddr, SocketAddr};

use super::party::{Media, Role, Unopened};
use super::secrecy::wanted;
use super::{Output, Switch, Timer};
use crate::call::CallState;
use crate::dialplan::CursorInput;
use crate::id::{CallId, LegId};
use crate::journal::{Cause, Event};
use crate::media::{AudioFormat, Learn, LegCommand, LegMedia, MediaReport, PortLease, Snapshot, Source};
use crate::sdp::{AudioCodec, Negotiated};
use crate::sip::trunk::{Net, is_private};
use crate::time::Now;

/// Leases of each thread that wait for a call; a burst of calls is answered from them.
const STOCK: usize = 64;
/// Milliseconds of sound in a packet, as we ask every party to send them.
pub(super) const PACKET_MS: u16 = 20;
/// How long a thread may take to say that a leg's media is gone, ms.
const MEDIA_PATIENCE_MS: u64 = 2_000;

/// Bound ports that no leg has yet.
pub(super) struct Stock {
    threads: Vec<VecDeque<PortLease>>,
    next: usize,
    /// RTP ports of the leases that are here or with a leg, and how many: a port may be lent anew before its leg is known to be gone.
    ours: BTreeMap<u16, u32>,
}

impl Stock {
    pub(super) fn new(threads: u16) -> Self {
        let threads = (0..threads.max(1)).map(|_| VecDeque::with_capacity(STOCK)).collect();
        Self { threads, next: 0, ours: BTreeMap::new() }
    }

    pub(super) fn put(&mut self, lease: PortLease) {
        if let Some(stock) = self.threads.get_mut(usize::from(lease.thread)) {
            *self.ours.entry(lease.rtp_port).or_default() += 1;
            stock.push_back(lease);
        }
    }

    /// A leg's ports have gone back to their thread.
    fn forget(&mut self, lease: &PortLease) {
        if let Some(count) = self.ours.get_mut(&lease.rtp_port) {
            *count -= 1;
            if *count == 0 {
                self.ours.remove(&lease.rtp_port);
            }
        }
    }

    /// A lease of the thread whose turn it is, or of any that has one.
    pub(super) fn take(&mut self) -> Option<PortLease> {
        let count = self.threads.len();
        self.next = (self.next + 1) % count;
        (0..count).find_map(|step| self.threads.get_mut((self.next + step) % count)?.pop_front())
    }

    /// A lease of this thread: both legs of a bridge live on one.
    pub(super) fn take_of(&mut self, thread: u16) -> Option<PortLease> {
        self.threads.get_mut(usize::from(thread))?.pop_front()
    }

    /// The thread whose turn it is, for a leg that needs no lease.
    pub(super) fn next_thread(&mut self) -> u16 {
        self.next = (self.next + 1) % self.threads.len();
        u16::try_from(self.next).unwrap_or_default()
    }

    pub(super) fn wanted(&self) -> Option<u16> {
        let short = self.threads.iter().position(|stock| stock.len() < STOCK)?;
        u16::try_from(short).ok()
    }
}

impl Switch {
    /// What a leg's party hears from now on.
    pub(super) fn play(&mut self, leg: LegId, send: Source, now: Now) {
        if let Some(media) = self.media_of(leg) {
            media.send = send;
            self.command_media(leg, now);
        }
    }

    /// A leg gets no ports, because all of its thread's are with others.
    pub(super) fn lack_ports(&mut self) -> Cause {
        self.counts.without_ports += 1;
        tracing::warn!(
            "no media ports are left: a call, or a phone to be called, gets 503; widen rtp.ports, or take fewer calls at once"
        );
        Cause::new(503, "no_media_ports")
    }

    pub(super) fn media_of(&mut self, leg: LegId) -> Option<&mut Media> {
        self.legs.get_mut(&leg).and_then(|party| party.media.as_mut())
    }

    /// Whether a peer wants its sound sent to a port of ours: two legs that feed each other would never fall silent.
    pub(super) fn is_own_port(&self, remote: SocketAddr) -> bool {
        let ours = [Some(self.settings.media_address), self.settings.media_public];
        ours.contains(&Some(remote.ip())) && self.stock.ours.contains_key(&remote.port())
    }

    /// Commands a leg's media where anything changed, and its partner's, which may have to do it otherwise now: once a session was
    /// agreed on.
    pub(super) fn command_media(&mut self, leg: LegId, now: Now) {
        self.command_leg(leg, now);
        if let Some(partner) = self.partner(leg) {
            self.command_leg(partner, now);
        }
    }

    /// Whom a leg's party hears, where that is one other party.
    fn partner(&self, leg: LegId) -> Option<LegId> {
        match self.legs.get(&leg)?.media.as_ref()?.send {
            Source::Bridge(partner) => Some(partner),
            _ => None,
        }
    }

    /// Whom a leg's party hears and is heard by, where that is one other party.
    pub(super) fn speaks_with(&self, leg: LegId) -> Option<LegId> {
        self.partner(leg).filter(|partner| self.partner(*partner) == Some(leg))
    }

    /// What two legs have agreed on, if both have.
    pub(super) fn agreed(&self, one: LegId, other: LegId) -> Option<(&Negotiated, &Negotiated)> {
        let of = |leg: LegId| self.legs.get(&leg)?.media.as_ref()?.negotiated.as_ref();
        of(one).zip(of(other))
    }

    /// Whether a leg's pauses come as comfort noise.
    pub(super) fn agreed_on_noise(&self, leg: LegId) -> bool {
        let media = self.legs.get(&leg).and_then(|party| party.media.as_ref());
        media.and_then(|media| media.negotiated.as_ref()).is_some_and(|negotiated| negotiated.noise)
    }

    /// Whether `listener` can be passed the packets of `speaker` as they are. Who takes no telephone-events hears the other's keys as
    /// sound, which has to be made.
    fn passes(&self, speaker: LegId, listener: LegId) -> bool {
        let party = |leg| self.legs.get(&leg).and_then(|party| party.media.as_ref());
        let signals = party(speaker).is_some_and(|media| media.signals_keys);
        self.agreed(speaker, listener).is_none_or(|(speaks, hears)| {
            usual(speaks.codec).codec.passes_as(usual(hears.codec).codec)
                && hears.ptime_ms == PACKET_MS
                && (hears.dtmf_send.is_some() || (speaks.dtmf_receive.is_none() && !signals))
        })
    }

    /// Whether `listener` hears `speaker` decoded: because it cannot be passed the packets, or hears a supervisor beside.
    fn mixes(&self, listener: LegId, speaker: LegId) -> bool {
        let media = self.legs.get(&listener).and_then(|party| party.media.as_ref());
        media.is_some_and(|media| !media.beside.is_empty()) || !self.passes(speaker, listener)
    }

    fn command_leg(&mut self, leg: LegId, now: Now) {
        let partner = self.partner(leg);
        let mixed = partner.is_some_and(|partner| self.mixes(leg, partner));
        let heard = self.speaks_with(leg).is_some_and(|partner| self.mixes(partner, leg));
        let signalling = self.endpoint.flow_of(leg).map(|flow| flow.remote.ip());
        let (codes, aloud) = (self.recorder_on(leg).is_some(), self.presses_aloud(leg));
        let Some(party) = self.legs.get(&leg) else { return };
        let side = party.media.as_ref().and_then(|media| media.recording);
        let recording = side.and_then(|side| self.recording_spec(party.call, side));
        let Some(party) = self.legs.get_mut(&leg) else { return };
        let is_caller = party.role == Role::Caller;
        let Some(media) = party.media.as_mut().filter(|media| !media.released) else { return };
        let Some(negotiated) = &media.negotiated else { return };
        // Before the answer few callers send anything; in a queue or a menu nobody has to.
        let talks = |call: &CallId| {
            self.calls.get(call).is_some_and(|cell| matches!(cell.call.state(), CallState::Bridged { .. }))
        };
        let meets = || is_caller && self.calls.get(&party.call).is_some_and(|cell| cell.room.is_some());
        let sound_due = negotiated.direction.receives()
            && match media.send {
                Source::Bridge(_) => talks(&party.call),
                // A dead member would keep a place in the room.
                Source::Mix(_) => meets(),
                _ => false,
            };
        // In a conversation nobody waits for the caller's keys but, perhaps, the other party; finding them in the sound costs.
        let digits = codes || aloud || (is_caller && !matches!(media.send, Source::Bridge(_)));
        let desired = LegMedia {
            lease: media.lease,
            remote: media.remote,
            remote_rtcp: media.remote_rtcp,
            learn: learn_of(media, signalling, &self.settings.sip.local_nets),
            format: format_of(negotiated),
            dtmf_pt: negotiated.dtmf_send.or(negotiated.dtmf_receive),
            dtmf_received: negotiated.dtmf_receive.or(negotiated.dtmf_send),
            dtmf_clock: negotiated.dtmf_hz / 8_000,
            noise: negotiated.noise,
            send: match partner {
                Some(partner) if mixed => Source::Mix([&[partner], media.beside.as_slice()].concat()),
                _ => media.send.clone(),
            },
            recording,
            heard: heard || media.overheard,
            sound_due,
            deliver_digits: digits,
            keys: media.keys_sent.iter().copied().collect(),
            protection: wanted(&negotiated.secured, media.web.as_ref()),
        };
        if media.commanded.as_ref() == Some(&desired) {
            return;
        }
        media.epoch += 1;
        media.commanded = Some(desired.clone());
        let command = LegCommand::Desire { leg, epoch: media.epoch, desired };
        self.outbox.push(Output::Media(command), now);
    }

    /// Gives a leg's ports back. The thread says when they are, with the leg's last figures.
    pub(super) fn release_media(&mut self, leg: LegId, now: Now) {
        let Some(media) = self.media_of(leg).filter(|media| !media.released) else { return };
        media.released = true;
        let (lease, known) = (media.lease, media.commanded.is_some());
        self.outbox.push(Output::Media(LegCommand::Release { leg, lease }), now);
        if known {
            self.timers.arm(now.in_ms(MEDIA_PATIENCE_MS), Timer::MediaGone(leg));
        } else {
            // The thread has never heard of the leg and has nothing to say about it.
            self.handle_media_gone(leg, now);
        }
    }

    pub(super) fn handle_media(&mut self, report: MediaReport, now: Now) {
        match report {
            MediaReport::Digit { leg, digit, at } => {
                self.handle_digit(leg, digit, at, now);
                self.pass_key_of_sound(leg, digit, now);
            }
            MediaReport::PlayFinished { leg, .. } if self.handle_announced(leg, now) => {}
            MediaReport::PlayFinished { leg, id, completed } => {
                if let Some(call) = self.legs.get(&leg).map(|party| party.call) {
                    self.advance(call, CursorInput::PlayFinished { id, completed }, now);
                }
            }
            MediaReport::Quality { leg, figures, mos, .. } => self.handle_quality(leg, figures, mos, now),
            MediaReport::RecordingClosed { manifest } => self.handle_recording_closed(manifest, now),
            MediaReport::LeaseUnknown { leg } => {
                tracing::error!(leg = %leg, "a media thread does not know the ports of a leg; its call ends");
                let cause = Cause::new(500, "media_lost");
                if let Some(call) = self.legs.get(&leg).map(|party| party.call) {
                    self.tell(call, crate::call::Input::Hangup { cause, as_designed: false });
                }
                self.handle_media_gone(leg, now);
            }
            MediaReport::Strangers { leg, count } => {
                let Some(party) = self.legs.get_mut(&leg) else { return };
                self.counts.strangers += count.saturating_sub(std::mem::replace(&mut party.strangers, count));
                let call = party.call;
                tracing::warn!(leg = %leg, %call, count, "packets from strangers are dropped");
            }
            MediaReport::Unusable { leg, payload_type, count } => {
                let Some(party) = self.legs.get_mut(&leg) else { return };
                self.counts.unusable += count.saturating_sub(std::mem::replace(&mut party.unusable, count));
                let call = party.call;
                tracing::warn!(
                    leg = %leg, %call, payload_type, count,
                    "a party sends packets of a payload type that was not agreed on; they are dropped"
                );
            }
            MediaReport::Unopened { leg, counts } => self.handle_unopened(leg, counts),
            MediaReport::BrowserLost { leg, fault, why } => self.handle_browser_lost(leg, fault, &why),
            MediaReport::WebStrangers { count } => {
                self.counts.web_strangers += count;
                tracing::debug!(count, "datagrams to the browsers' port of who has proved nothing are dropped");
            }
            MediaReport::Silent { leg, ms } => self.handle_silent(leg, ms, now),
            MediaReport::Heard { leg, ms } => {
                let Some(call) = self.legs.get(&leg).map(|party| party.call) else { return };
                tracing::info!(leg = %leg, %call, ms, "a party that was silent is heard again");
            }
            MediaReport::Lost { leg, ms } => self.handle_lost(leg, ms),
            MediaReport::SourceLocked { .. } => {}
        }
    }

    /// Packets that are not the party's, or not for the first time; where it is the party that nobody hears, its keys are wrong.
    fn handle_unopened(&mut self, leg: LegId, counts: Unopened) {
        let Some(party) = self.legs.get_mut(&leg) else { return };
        let before = std::mem::replace(&mut party.unopened, counts);
        for (total, (now, before)) in self.counts.unopened.iter_mut().zip(counts.iter().zip(before)) {
            *total += now.saturating_sub(before);
        }
        let (call, [malformed, forged, replayed, sources]) = (party.call, counts);
        tracing::warn!(leg = %leg, %call, malformed, forged, replayed, sources, "packets that are no SRTP of the party's are dropped");
    }

    /// One-way sound: nothing comes from a party that should be heard.
    fn handle_silent(&mut self, leg: LegId, ms: u64, now: Now) {
        let Some(party) = self.legs.get(&leg) else { return };
        let (call, role) = (party.call, party.role.clone());
        let remote = party.media.as_ref().and_then(|media| media.remote);
        self.counts.silences += 1;
        tracing::warn!(
            leg = %leg, %call, ?role, ?remote, ms,
            "no sound comes from a party of a conversation; check what lies between it and our RTP ports (NAT, firewall), and its SDP"
        );
        self.journal(Event::SoundMissing { call, leg, ms }, now);
    }

    /// No sign of life from a party either: whoever is still there gets its BYE.
    fn handle_lost(&mut self, leg: LegId, ms: u64) {
        let Some(call) = self.legs.get(&leg).map(|party| party.call) else { return };
        self.counts.media_timeouts += 1;
        tracing::warn!(
            leg = %leg, %call, ms,
            "neither RTP nor RTCP comes from a party of a conversation; the call ends (rtp.silence_timeout)"
        );
        let cause = Cause::new(41, "media_timeout");
        self.tell(call, crate::call::Input::Hangup { cause, as_designed: false });
    }

    fn handle_quality(&mut self, leg: LegId, figures: Snapshot, mos: Option<f64>, now: Now) {
        if let Some(call) = self.legs.get(&leg).map(|party| party.call) {
            let (of, told) = (|value: f64| value as f32, figures.told);
            let event = Event::QualityMeasured {
                call,
                leg,
                mos: mos.map(of),
                loss: of(figures.loss),
                jitter_ms: of(figures.jitter_ms),
                round_trip_ms: told.round_trip_ms.map(of),
                sent_loss: told.loss.map(of),
                sent_jitter_ms: told.jitter_ms.map(of),
            };
            self.journal(event, now);
        }
        self.handle_media_gone(leg, now);
    }

    /// The thread has given the leg's ports back.
    pub(super) fn handle_media_gone(&mut self, leg: LegId, now: Now) {
        if let Some(media) = self.legs.get_mut(&leg).and_then(|party| party.media.take()) {
            self.stock.forget(&media.lease);
            self.finish_leg(leg, now);
        }
    }
}

/// Whether the party is where its description says. A private address of a party that signals from a public one is of no use here,
/// unless it lies in a network of ours; what it is then must come from where its signalling comes from.
fn learn_of(media: &Media, signalling: Option<IpAddr>, local_nets: &[Net]) -> Learn {
    if media.nat {
        return Learn::Anywhere;
    }
    let described = media.remote.map(|remote| remote.ip());
    let useless = |ip: IpAddr| is_private(ip) && !local_nets.iter().any(|net| net.contains(ip));
    match signalling.filter(|ip| !is_private(*ip) && described.is_some_and(useless)) {
        Some(host) => Learn::Host(host),
        None => Learn::Nowhere,
    }
}

/// A codec as media knows it, under its usual payload type.
fn usual(codec: AudioCodec) -> AudioFormat {
    match codec {
        AudioCodec::Pcmu => AudioFormat::PCMU,
        AudioCodec::Pcma => AudioFormat::PCMA,
        AudioCodec::G722 => AudioFormat::G722,
        AudioCodec::Opus => AudioFormat::OPUS,
    }
}

fn format_of(negotiated: &Negotiated) -> AudioFormat {
    AudioFormat {
        payload_type: negotiated.pt_send,
        received: negotiated.pt_receive,
        packet_ms: u8::try_from(negotiated.ptime_ms).unwrap_or(PACKET_MS as u8),
        ..usual(negotiated.codec)
    }
}
