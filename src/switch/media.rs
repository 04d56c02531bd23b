//! Media of legs: leases, desired states, and what media threads report.

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;

use super::party::{Media, Recording, Role};
use super::{Output, Switch, Timer};
use crate::dialplan::CursorInput;
use crate::id::{CallId, LegId};
use crate::journal::Event;
use crate::media::{AudioFormat, LegCommand, LegMedia, MediaReport, PortLease, RecordingSpec, Side, Source};
use crate::sdp::{AudioCodec, Negotiated};
use crate::time::Now;

/// Leases of each thread that wait for a call; a burst of calls is answered from them.
const STOCK: usize = 24;
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

    pub(super) fn media_of(&mut self, leg: LegId) -> Option<&mut Media> {
        self.legs.get_mut(&leg).and_then(|party| party.media.as_mut())
    }

    /// Whether a peer wants its sound sent to a port of ours: two legs that feed each other would never fall silent.
    pub(super) fn is_own_port(&self, remote: SocketAddr) -> bool {
        let ours = [Some(self.settings.media_address), self.settings.media_public];
        ours.contains(&Some(remote.ip())) && self.stock.ours.contains_key(&remote.port())
    }

    /// Commands a leg's media where anything changed, once a session was agreed on.
    pub(super) fn command_media(&mut self, leg: LegId, now: Now) {
        let Some(party) = self.legs.get_mut(&leg) else { return };
        let digits = party.role == Role::Caller;
        let Some(media) = party.media.as_mut().filter(|media| !media.released) else { return };
        let Some(negotiated) = &media.negotiated else { return };
        let desired = LegMedia {
            lease: media.lease,
            remote: media.remote,
            nat: media.nat,
            format: format_of(negotiated),
            dtmf_pt: negotiated.dtmf_send.or(negotiated.dtmf_receive),
            send: media.send.clone(),
            recording: media.recording.clone(),
            deliver_digits: digits,
        };
        if media.commanded.as_ref() == Some(&desired) {
            return;
        }
        media.epoch += 1;
        media.commanded = Some(desired.clone());
        let command = LegCommand::Desire { leg, epoch: media.epoch, desired };
        self.outbox.push(Output::Media(command), now);
    }

    /// Begins the call's recording, lets the next party into it, or ends it.
    pub(super) fn record(&mut self, call: CallId, caller: LegId, other: LegId, record: bool, now: Now) {
        let Some(cell) = self.calls.get_mut(&call) else { return };
        let id = call.to_string();
        match (cell.recording, record) {
            (Recording::None, true) => {
                cell.recording = Recording::Running;
                let consent = "announced".to_owned();
                self.journal(Event::RecordingStarted { call, recording: id.clone(), consent }, now);
            }
            (Recording::Running, true) => {}
            (Recording::Running, false) => {
                cell.recording = Recording::Over;
                if let Some(media) = self.media_of(caller) {
                    media.recording = None;
                }
                return;
            }
            (Recording::None, false) | (Recording::Over, _) => return,
        }
        for (leg, side) in [(caller, Side::Caller), (other, Side::Agent)] {
            if let Some(media) = self.media_of(leg) {
                media.recording = Some(RecordingSpec { id: id.clone(), call, side });
            }
        }
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
            self.handle_media_gone(leg);
        }
    }

    /// A key of the caller's, whichever way it came. An agent's keys are for the caller's ears, not for the plan.
    pub(super) fn handle_digit(&mut self, leg: LegId, digit: char, now: Now) {
        if let Some(party) = self.legs.get(&leg).filter(|party| party.role == Role::Caller) {
            self.advance(party.call, CursorInput::Digit(digit), now);
        }
    }

    pub(super) fn handle_media(&mut self, report: MediaReport, now: Now) {
        match report {
            MediaReport::Digit { leg, digit, .. } => self.handle_digit(leg, digit, now),
            MediaReport::PlayFinished { leg, id, completed } => {
                if let Some(call) = self.legs.get(&leg).map(|party| party.call) {
                    self.advance(call, CursorInput::PlayFinished { id, completed }, now);
                }
            }
            MediaReport::Quality { leg, figures, mos, .. } => {
                if let Some(party) = self.legs.get(&leg).filter(|party| party.role == Role::Caller) {
                    let (mos, loss) = (mos.map(|mos| mos as f32), figures.loss as f32);
                    let jitter_ms = figures.jitter_ms as f32;
                    let event = Event::QualityMeasured { call: party.call, leg, mos, loss, jitter_ms };
                    self.journal(event, now);
                }
                self.handle_media_gone(leg);
            }
            MediaReport::RecordingClosed { manifest } => {
                let event = Event::RecordingClosed {
                    call: manifest.call,
                    recording: manifest.recording,
                    state: manifest.state,
                    expected_ms: manifest.expected_ms,
                    written_ms: manifest.written_ms,
                    sha256: manifest.sha256,
                };
                self.journal(event, now);
            }
            MediaReport::LeaseUnknown { leg } => {
                tracing::error!(leg = %leg, "a media thread does not know the ports of a leg; its call ends");
                let cause = crate::journal::Cause::new(500, "media_lost");
                if let Some(call) = self.legs.get(&leg).map(|party| party.call) {
                    self.tell(call, crate::call::Input::Hangup { cause, as_designed: false });
                }
                self.handle_media_gone(leg);
            }
            MediaReport::Strangers { leg, count } => {
                let Some(party) = self.legs.get_mut(&leg) else { return };
                self.counts.strangers += count.saturating_sub(std::mem::replace(&mut party.strangers, count));
                let call = party.call;
                tracing::warn!(leg = %leg, %call, count, "packets from strangers are dropped");
            }
            MediaReport::Silent { leg, ms } => {
                let call = self.legs.get(&leg).map(|party| party.call);
                tracing::info!(leg = %leg, call = ?call, ms, "no packets come from a party");
            }
            MediaReport::SourceLocked { .. } => {}
        }
    }

    /// The thread has given the leg's ports back.
    pub(super) fn handle_media_gone(&mut self, leg: LegId) {
        if let Some(media) = self.legs.get_mut(&leg).and_then(|party| party.media.take()) {
            self.stock.forget(&media.lease);
            self.finish_leg(leg);
        }
    }
}

fn format_of(negotiated: &Negotiated) -> AudioFormat {
    let law = match negotiated.codec {
        AudioCodec::Pcmu => AudioFormat::PCMU,
        AudioCodec::Pcma => AudioFormat::PCMA,
    };
    AudioFormat { payload_type: negotiated.pt_send, ..law }
}
