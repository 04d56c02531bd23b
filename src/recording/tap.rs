//! The tap on one bridge.

use super::cue::{CueMark, Mark};
use super::loss::Losses;
use super::manifest::Pause;
use super::placement::Placement;
use crate::codec::Band;
use crate::codec::g711::Law;
use crate::codec::plc::{Concealer, GONE, HISTORY, SEAM};
use crate::journal::{Consent, Cue};
use crate::time::{MS, Now};

/// Samples in a millisecond.
const PER_MS: u64 = 8;

/// The time line that is kept, in pairs of samples: what is held, what waits to fill a write, and room for frames ahead.
const RING: u64 = 8_192;

/// The smallest write while running (400 ms): fewer, larger writes, and with the hold less than a second lost by a kill.
const CHUNK: u64 = 3_200;

/// The largest single write (pairs).
const MAX_WRITE: u64 = 8_000;

/// After this many pauses a recording stays paused: bounded, and on the side of privacy.
const MAX_PAUSES: usize = 1_000;

/// How a tap works.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TapSettings {
    /// The law of the file; frames of the other one are transcoded.
    pub law: Law,
    /// How long frames wait for a late pause, in ms; at most 500 is kept.
    pub hold_ms: u64,
}

impl TapSettings {
    /// A file of `law`, holding frames for 300 ms.
    pub fn new(law: Law) -> Self {
        Self { law, hold_ms: 300 }
    }
}

/// Who was heard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// Left channel.
    Caller,
    /// Right channel.
    Agent,
}

/// One packet's sound.
#[derive(Clone, Copy, Debug)]
pub struct Frame<'a> {
    /// The stream it came in.
    pub ssrc: u32,
    /// Its RTP timestamp (8 kHz).
    pub timestamp: u32,
    /// How many packets of the stream are missing right before it.
    pub lost: u16,
    /// Its law.
    pub law: Law,
    /// Its octets, one a sample.
    pub payload: &'a [u8],
}

/// Where a tap stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Nobody has consented: nothing is kept.
    Unarmed,
    /// Sound is kept.
    Running {
        /// Why.
        consent: Consent,
    },
    /// Silence is kept instead of sound.
    Paused {
        /// Why it may go on afterwards.
        consent: Consent,
    },
    /// Nothing more comes in.
    Closed {
        /// Under which consent it ran, if it ever did.
        consent: Option<Consent>,
    },
}

/// What a tap wants done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TapOutput {
    /// Append these interleaved octets (caller, agent, caller, …).
    Write(Vec<u8>),
    /// Close the file; the last output.
    Close(Closed),
}

/// The figures of a closed tap.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Closed {
    /// When it began: milliseconds since 1970 UTC.
    pub started_ms: i64,
    /// Under which consent; none where it was never armed.
    pub consent: Option<Consent>,
    /// From arming to closing by the clock, pauses included.
    pub expected_ms: u64,
    /// What was given out for writing.
    pub written_ms: u64,
    /// Frames that came too late (or too far ahead) to find a place.
    pub misplaced: u64,
    /// What was kept out.
    pub pauses: Vec<Pause>,
    /// What happened meanwhile.
    pub cues: Vec<CueMark>,
}

/// A kept-out stretch of the time line, in samples; `to` is none while it lasts.
#[derive(Clone, Copy, Debug)]
struct Mask {
    from: u64,
    to: Option<u64>,
    late: u64,
}

/// Records one bridge. After every `handle_*` or mutator drain [`Tap::poll_output`], and come back at [`Tap::poll_timeout`].
#[derive(Clone, Debug)]
pub struct Tap {
    settings: TapSettings,
    state: State,
    /// The zero of the time line.
    start: Now,
    ring: Box<[[u8; 2]]>,
    sides: [Placement; 2],
    losses: [Losses; 2],
    /// Pairs given out.
    emitted: u64,
    /// Pairs that may be given out.
    ready: u64,
    masks: Vec<Mask>,
    /// By their places in samples.
    cues: Vec<(u64, Cue)>,
    misplaced: u64,
    /// Set when closing, taken when told.
    closing: Option<u64>,
}

impl Tap {
    /// A tap on a bridge that began at `start`; keeps nothing before [`Tap::arm`].
    pub fn new(settings: TapSettings, start: Now) -> Self {
        let silence = settings.law.silence();
        let settings = TapSettings { hold_ms: settings.hold_ms.min(500), ..settings };
        Self {
            settings,
            state: State::Unarmed,
            start,
            ring: vec![[silence; 2]; RING as usize].into_boxed_slice(),
            sides: Default::default(),
            losses: Default::default(),
            emitted: 0,
            ready: 0,
            masks: Vec::new(),
            cues: Vec::new(),
            misplaced: 0,
            closing: None,
        }
    }

    /// Where it stands.
    pub fn state(&self) -> State {
        self.state
    }

    /// The law of the file.
    pub fn law(&self) -> Law {
        self.settings.law
    }

    /// Lets recording begin at `at`, or with the bridge if that began later. Only the first call counts, and a refusal never does.
    pub fn arm(&mut self, consent: Consent, at: Now) {
        if self.state == State::Unarmed && consent != Consent::Refused {
            self.start = self.start.max(at);
            self.state = State::Running { consent };
        }
    }

    /// Takes the sound of one packet of `side` that arrived at `now`.
    pub fn handle_frame(&mut self, side: Side, frame: Frame<'_>, now: Now) {
        if !matches!(self.state, State::Running { .. } | State::Paused { .. }) || now < self.start {
            return;
        }
        self.handle_timeout(now);
        let arrival = self.position(now) as i64;
        let channel = side as usize;
        let Some(placement) = self.sides.get_mut(channel) else { return };
        let place = placement.place(frame.ssrc, frame.timestamp, arrival);
        let gap = self.losses.get_mut(channel).map_or(0, |losses| losses.handle_frame(&frame));
        let law = self.settings.law;
        let placed = self.put(channel, place, frame.payload, |octet| {
            let mut octet = [octet];
            frame.law.transcode(law, &mut octet);
            octet[0]
        });
        self.misplaced += u64::from(!placed);
        if gap > 0 && placed {
            self.stand_in(channel, place - gap, place);
        }
    }

    /// Puts samples into a channel from a place on, each as `made` makes it; `false` where all of that is given out already, or too
    /// far ahead.
    fn put(&mut self, channel: usize, place: i64, octets: &[u8], made: impl Fn(u8) -> u8) -> bool {
        let (first, end) = (self.emitted as i64, (self.emitted + RING) as i64);
        let from = place.max(first);
        let to = place.saturating_add(octets.len() as i64).min(end);
        if from >= to {
            return false;
        }
        let octets = octets.get((from - place) as usize..).unwrap_or_default();
        for (pair, octet) in self.stretch(from as u64, (to - from) as usize).zip(octets) {
            if let Some(sample) = pair.get_mut(channel) {
                *sample = made(*octet);
            }
        }
        true
    }

    /// `len` pairs from a place on.
    fn stretch(&mut self, from: u64, len: usize) -> impl Iterator<Item = &mut [u8; 2]> {
        let (before, after) = self.ring.split_at_mut((from % RING) as usize);
        after.iter_mut().chain(before).take(len)
    }

    /// Lets something stand for what was lost of a channel from one place to another, and blends what follows with it. A packet that
    /// comes yet takes its place back. What is kept out for good reason is never repeated.
    fn stand_in(&mut self, channel: usize, from: i64, to: i64) {
        let begin = from - HISTORY as i64;
        let since = |mask: &&Mask| mask.to.is_none_or(|end| end as i64 > begin);
        let kept_out = self.masks.iter().rev().take_while(since).any(|mask| (mask.from as i64) < to);
        if begin < self.emitted as i64 || kept_out {
            return;
        }
        let law = self.settings.law;
        let at = |tap: &Self, place: i64| {
            let pair = tap.ring.get((place as u64 % RING) as usize);
            law.decode(pair.and_then(|pair| pair.get(channel)).copied().unwrap_or(law.silence()))
        };
        let (mut history, mut lost, mut next) = ([0; HISTORY], [0; GONE], [0; SEAM]);
        history.iter_mut().zip(begin..).for_each(|(sample, place)| *sample = at(self, place));
        next.iter_mut().zip(to..).for_each(|(sample, place)| *sample = at(self, place));
        let lost = lost.get_mut(..GONE.min((to - from) as usize)).unwrap_or_default();
        let mut concealer = Concealer::new(Band::Narrow);
        concealer.handle_heard(&mut history);
        concealer.conceal(lost);
        concealer.handle_heard(&mut next);
        for (place, sample) in (from..to).zip(lost.iter().copied()).chain((to..).zip(next)) {
            self.put(channel, place, &[law.encode(sample)], |octet| octet);
        }
    }

    /// Takes in what happened in the call: pauses and their ends take effect, everything is kept as a place in the file.
    pub fn handle_mark(&mut self, mark: &Mark) {
        if !matches!(self.state, State::Running { .. } | State::Paused { .. }) {
            return;
        }
        match mark.cue {
            Cue::Paused { .. } => self.handle_pause(mark.at),
            Cue::Resumed { .. } => self.handle_resume(mark.at),
            _ => {}
        }
        self.cues.push((self.position(mark.at), mark.cue.clone()));
    }

    /// Keeps out everything from the instant `from` on, also what has come since, as long as it is still held.
    pub fn handle_pause(&mut self, from: Now) {
        let State::Running { consent } = self.state else { return };
        let from = self.position(from);
        let late = self.emitted.saturating_sub(from);
        self.masks.push(Mask { from, to: None, late });
        self.state = State::Paused { consent };
    }

    /// Keeps sound again from the instant `at` on.
    pub fn handle_resume(&mut self, at: Now) {
        let State::Paused { consent } = self.state else { return };
        if self.masks.len() >= MAX_PAUSES {
            return;
        }
        // Ends never go back, even where instants come out of order: `emit` looks at the newest masks only.
        let earlier = self.masks.iter().rev().nth(1).and_then(|mask| mask.to).unwrap_or(0);
        let at = self.position(at).max(earlier);
        if let Some(mask) = self.masks.last_mut() {
            mask.to = Some(at.max(mask.from));
        }
        self.state = State::Running { consent };
    }

    /// Gives out what has been held long enough at `now`.
    pub fn handle_timeout(&mut self, now: Now) {
        if matches!(self.state, State::Running { .. } | State::Paused { .. }) {
            let held = self.position(now).saturating_sub(self.settings.hold_ms * PER_MS);
            if held >= self.emitted + CHUNK {
                self.ready = self.ready.max(held);
            }
        }
    }

    /// Ends the recording at `now` and gives out all that is held.
    pub fn close(&mut self, now: Now) {
        let (consent, end) = match self.state {
            State::Closed { .. } => return,
            State::Unarmed => (None, 0),
            State::Running { consent } | State::Paused { consent } => (Some(consent), self.position(now)),
        };
        let end = end.max(self.emitted);
        self.ready = end;
        self.closing = Some(end);
        self.state = State::Closed { consent };
    }

    /// When to call [`Tap::handle_timeout`] next (monotonic nanoseconds).
    pub fn poll_timeout(&self) -> Option<u64> {
        matches!(self.state, State::Running { .. } | State::Paused { .. })
            .then(|| self.start.in_ms((self.emitted + CHUNK).div_ceil(PER_MS) + self.settings.hold_ms))
    }

    /// The next thing to do; call until `None`.
    pub fn poll_output(&mut self) -> Option<TapOutput> {
        if self.emitted < self.ready {
            return Some(TapOutput::Write(self.emit()));
        }
        let end = self.closing.take()?;
        let State::Closed { consent } = self.state else { return None };
        let pauses = self.masks.iter().map(|mask| Pause {
            from_ms: mask.from.min(end) / PER_MS,
            to_ms: mask.to.unwrap_or(end).min(end) / PER_MS,
            late_ms: mask.late / PER_MS,
        });
        Some(TapOutput::Close(Closed {
            started_ms: self.start.wall_ms,
            consent,
            expected_ms: end / PER_MS,
            written_ms: self.emitted / PER_MS,
            misplaced: self.misplaced,
            pauses: pauses.collect(),
            cues: self.cues.drain(..).map(|(at, cue)| CueMark { at_ms: at.min(end) / PER_MS, cue }).collect(),
        }))
    }

    fn emit(&mut self) -> Vec<u8> {
        let from = self.emitted;
        let to = self.ready.min(from + MAX_WRITE);
        let silence = [self.settings.law.silence(); 2];
        let mut octets = Vec::with_capacity((to - from) as usize * 2);
        for pair in self.stretch(from, (to - from) as usize) {
            // The place is free for the next turn of the ring.
            octets.extend_from_slice(&std::mem::replace(pair, silence));
        }
        for mask in self.masks.iter().rev() {
            let end = mask.to.unwrap_or(u64::MAX);
            if end <= from {
                break;
            }
            let (start, end) = (mask.from.clamp(from, to) - from, end.clamp(from, to) - from);
            if let Some(kept_out) = octets.get_mut(start as usize * 2..end as usize * 2) {
                kept_out.fill(silence[0]);
            }
        }
        self.emitted = to;
        octets
    }

    /// Samples from the zero of the time line to `at`.
    fn position(&self, at: Now) -> u64 {
        at.mono_ns.saturating_sub(self.start.mono_ns) / (MS / PER_MS)
    }
}

#[cfg(test)]
#[path = "tap_tests.rs"]
mod tests;
