//! The virtual media engine: plays end, keys are reported, recordings close, ports go round in a small stock.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::SocketAddr;

use rand_chacha::ChaCha12Rng;
use trunkline::id::{CallId, LegId};
use trunkline::journal::RecordingState;
use trunkline::media::{LegMedia, Manifest, RecordingSpec, Source};
use trunkline::rtp::stats::Snapshot;
use trunkline::switch::{JournalEvent, LegCommand, MediaReport, PortLease};
use trunkline::time::{MS, Now};

use crate::dice::Dice;

/// Pairs of ports in all.
const PAIRS: u16 = 200;
/// Leases that the switch may keep in stock for each thread.
pub const STOCK: usize = 64;
pub const THREADS: u16 = 2;

struct Leg {
    epoch: u32,
    desired: LegMedia,
}

struct Recording {
    call: CallId,
    since_ns: u64,
    started_ms: i64,
    legs: BTreeSet<LegId>,
}

pub struct Media {
    rng: ChaCha12Rng,
    legs: BTreeMap<LegId, Leg>,
    released: BTreeSet<LegId>,
    recordings: BTreeMap<String, Recording>,
    free: VecDeque<u16>,
    lent: BTreeMap<u32, u16>,
    next_lease: u32,
    /// Reports and when they are due.
    pub due: Vec<(u64, MediaReport)>,
    pub wrong: Vec<String>,
}

impl Media {
    pub fn new(rng: ChaCha12Rng) -> Self {
        Self {
            rng,
            legs: BTreeMap::new(),
            released: BTreeSet::new(),
            recordings: BTreeMap::new(),
            free: (0..PAIRS).map(|pair| 20_000 + 2 * pair).collect(),
            lent: BTreeMap::new(),
            next_lease: 1,
            due: Vec::new(),
            wrong: Vec::new(),
        }
    }

    /// A pair for the switch's stock.
    pub fn lease(&mut self, thread: u16) -> Option<PortLease> {
        let rtp_port = self.free.pop_front()?;
        let id = self.next_lease;
        self.next_lease += 1;
        self.lent.insert(id, rtp_port);
        Some(PortLease { id, thread, rtp_port })
    }

    pub fn handle(&mut self, command: LegCommand, now: Now) {
        match command {
            LegCommand::Desire { leg, epoch, desired } => self.desire(leg, epoch, desired, now),
            LegCommand::Release { leg, lease } => self.release(leg, lease, now),
        }
    }

    fn desire(&mut self, leg: LegId, epoch: u32, desired: LegMedia, now: Now) {
        if let Source::Mix(of) = &desired.send {
            let elsewhere = |other: &&LegId| {
                self.legs.get(other).is_some_and(|other| other.desired.lease.thread != desired.lease.thread)
            };
            if let Some(other) = of.iter().find(elsewhere) {
                self.wrong.push(format!("leg {leg} is to hear leg {other} of another thread"));
            }
        }
        if self.released.contains(&leg) {
            return self.wrong.push(format!("leg {leg} is commanded after its release"));
        }
        if self.lent.get(&desired.lease.id) != Some(&desired.lease.rtp_port) {
            return self.wrong.push(format!("leg {leg} names ports that are not lent: {:?}", desired.lease));
        }
        let before = self.legs.get(&leg).map(|known| (known.epoch, known.desired.send.clone()));
        if before.as_ref().is_some_and(|(known, _)| *known >= epoch) {
            return self.wrong.push(format!("leg {leg}: epoch {epoch} does not rise"));
        }
        if let Some(Source::Play(list)) = before.as_ref().map(|(_, send)| send)
            && !matches!(&desired.send, Source::Play(same) if same.id == list.id)
        {
            let report = MediaReport::PlayFinished { leg, id: list.id, completed: false };
            let at = self.soon(now);
            self.due.push((at, report));
        }
        if let Source::Play(list) = &desired.send
            && before.is_none_or(|(_, send)| !matches!(send, Source::Play(same) if same.id == list.id))
        {
            let length: u64 = list.prompts.iter().map(|prompt| 500 + u64::from(prompt.0 % 7) * 350).sum();
            let report = MediaReport::PlayFinished { leg, id: list.id, completed: true };
            self.due.push((now.in_ms(length), report));
        }
        if let Some(spec) = &desired.recording {
            let fresh =
                || Recording { call: spec.call, since_ns: now.mono_ns, started_ms: now.wall_ms, legs: BTreeSet::new() };
            self.recordings.entry(spec.id.clone()).or_insert_with(fresh).legs.insert(leg);
        }
        let over = desired.recording.is_none();
        let known = self.legs.insert(leg, Leg { epoch, desired });
        if let Some(spec) = known.and_then(|known| known.desired.recording).filter(|_| over) {
            self.leave_recording(spec, leg, now);
        }
    }

    fn release(&mut self, leg: LegId, lease: PortLease, now: Now) {
        if self.lent.remove(&lease.id).is_none() {
            return self.wrong.push(format!("leg {leg} gives back ports that are not lent: {lease:?}"));
        }
        self.free.push_back(lease.rtp_port);
        self.released.insert(leg);
        let Some(known) = self.legs.remove(&leg) else { return };
        let at = self.soon(now);
        let figures = Snapshot { expected: 100, received: 100, ..Snapshot::default() };
        self.due.push((at, MediaReport::Quality { leg, figures, mos: Some(4.2), rtcp_received: 1 }));
        if let Some(spec) = known.desired.recording {
            self.leave_recording(spec, leg, now);
        }
    }

    /// After the last leg a recording is closed.
    fn leave_recording(&mut self, spec: RecordingSpec, leg: LegId, now: Now) {
        let at = self.soon(now);
        let Some(recording) = self.recordings.get_mut(&spec.id) else { return };
        recording.legs.remove(&leg);
        if recording.legs.is_empty()
            && let Some(recording) = self.recordings.remove(&spec.id)
        {
            let expected_ms = (now.mono_ns - recording.since_ns) / MS;
            let manifest = Manifest {
                recording: spec.id,
                call: recording.call,
                file: String::new(),
                started: recording.started_ms,
                consent: None,
                expected_ms,
                written_ms: expected_ms,
                sha256: None,
                recorded_sha256: None,
                state: RecordingState::Complete,
                pauses: Vec::new(),
                cues: Vec::new(),
            };
            let at = at + self.rng.below(300) * MS;
            self.due.push((at, MediaReport::RecordingClosed { manifest }));
        }
    }

    /// A report is worth telling while its leg lives; the end of a play that has been replaced was told already.
    pub fn still_true(&self, report: &MediaReport) -> bool {
        match report {
            MediaReport::PlayFinished { leg, id, completed: true } => self
                .legs
                .get(leg)
                .is_some_and(|known| matches!(&known.desired.send, Source::Play(list) if list.id == *id)),
            _ => true,
        }
    }

    /// The report of a key that the phone at `from` presses, where anybody listens.
    pub fn key(&self, from: SocketAddr, digit: char, now: Now) -> Option<MediaReport> {
        let hears = |leg: &Leg| leg.desired.remote == Some(from) && leg.desired.deliver_digits;
        let (leg, _) = self.legs.iter().find(|(_, leg)| hears(leg))?;
        Some(MediaReport::Digit { leg: *leg, digit, at: now })
    }

    /// The process dies: sockets go, and recordings end a little before their sound did.
    pub fn crash(&mut self, now: Now) -> Vec<JournalEvent> {
        let rng = &mut self.rng;
        let cut = std::mem::take(&mut self.recordings).into_iter().map(|(recording, state)| {
            let expected_ms = (now.mono_ns - state.since_ns) / MS;
            JournalEvent::RecordingClosed {
                call: state.call,
                recording,
                state: RecordingState::Partial,
                expected_ms,
                written_ms: expected_ms.saturating_sub(rng.below(1_000)),
                sha256: None,
            }
        });
        let cut = cut.collect();
        let fresh = Self::new(self.rng.clone());
        let (wrong, next_lease) = (std::mem::take(&mut self.wrong), self.next_lease);
        *self = Self { wrong, next_lease, ..fresh };
        cut
    }

    /// What is left on a floor without calls.
    pub fn leftovers(&self) -> Vec<String> {
        let mut left: Vec<String> = self.legs.keys().map(|leg| format!("leg {leg} still has media")).collect();
        left.extend(self.recordings.keys().map(|id| format!("recording {id} is still open")));
        let stock = STOCK * usize::from(THREADS);
        if self.lent.len() != stock {
            left.push(format!("{} leases are lent, the stock takes {stock}", self.lent.len()));
        }
        left
    }

    fn soon(&mut self, now: Now) -> u64 {
        now.mono_ns + self.rng.below(20) * MS
    }
}
