//! One recording in a media thread: the tap, and its way to the disk.

use std::sync::Arc;

use super::command::RecordingSpec;
use crate::codec::g711::Law;
use crate::id::CallId;
use crate::recording::{Closed, Frame, Mark, Side, Tap, TapOutput, TapSettings};
use crate::time::Now;

/// What is to be done to a recording's file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordingWork {
    /// The recording's name.
    pub id: Arc<str>,
    /// Its call.
    pub call: CallId,
    /// The law of the file.
    pub law: Law,
    /// Octets that were lost before this, because the disk did not keep up; silence stands for them.
    pub missing: u64,
    /// What to do.
    pub step: RecordingStep,
}

/// One step of a file's life; the first one creates it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RecordingStep {
    /// Append interleaved sound.
    Append(Vec<u8>),
    /// Write the manifest and close.
    Close(Closed),
}

/// A recording that runs from the first leg that names it to the last.
pub struct Recorder {
    id: Arc<str>,
    call: CallId,
    tap: Tap,
    legs: u32,
    missing: u64,
    refused_close: Option<Closed>,
    /// How many of the recording's marks it has taken.
    marked: usize,
}

impl Recorder {
    /// Begins a recording at `now`. That the switch names it means that the caller's consent is there.
    pub fn new(spec: &RecordingSpec, law: Law, now: Now) -> Self {
        let mut tap = Tap::new(TapSettings::new(law), now);
        tap.arm(spec.consent, now);
        let id = spec.id.as_str().into();
        Self { id, call: spec.call, tap, legs: 0, missing: 0, refused_close: None, marked: 0 }
    }

    /// Its name.
    pub fn id(&self) -> &Arc<str> {
        &self.id
    }

    /// Takes the marks that it has not taken yet. The list only grows, whichever leg's command brings it.
    pub fn follow(&mut self, marks: &[Mark]) {
        for mark in marks.get(self.marked..).unwrap_or_default() {
            self.tap.handle_mark(mark);
            self.marked += 1;
        }
    }

    /// Counts a leg that names the recording.
    pub fn join(&mut self) {
        self.legs += 1;
    }

    /// Takes a leg out; the last one closes the recording. Gives whether it is closed.
    pub fn leave(&mut self, now: Now) -> bool {
        self.legs = self.legs.saturating_sub(1);
        if self.legs == 0 {
            self.tap.close(now);
        }
        self.legs == 0
    }

    /// Closes the recording whoever is still in it, because the thread ends.
    pub fn close(&mut self, now: Now) {
        self.tap.close(now);
    }

    /// Takes the sound of one packet.
    pub fn handle_frame(&mut self, side: Side, frame: Frame<'_>, now: Now) {
        self.tap.handle_frame(side, frame, now);
    }

    /// When to call [`Self::handle_tick`] (monotonic nanoseconds); none once it is closed.
    pub fn deadline(&self) -> Option<u64> {
        self.tap.poll_timeout()
    }

    /// Lets time pass where nobody speaks.
    pub fn handle_tick(&mut self, now: Now) {
        self.tap.handle_timeout(now);
    }

    /// The next thing to do to the file. Call until `None`.
    pub fn poll_work(&mut self) -> Option<RecordingWork> {
        let step = match self.refused_close.take() {
            Some(closed) => RecordingStep::Close(closed),
            None => match self.tap.poll_output()? {
                TapOutput::Write(octets) => RecordingStep::Append(octets),
                TapOutput::Close(closed) => RecordingStep::Close(closed),
            },
        };
        let missing = std::mem::take(&mut self.missing);
        Some(RecordingWork { id: Arc::clone(&self.id), call: self.call, law: self.tap.law(), missing, step })
    }

    /// Takes back what the writer had no room for: sound becomes a gap, the end is said again later.
    pub fn handle_refused(&mut self, work: RecordingWork) {
        self.missing = self.missing.saturating_add(work.missing);
        match work.step {
            RecordingStep::Append(octets) => self.missing = self.missing.saturating_add(octets.len() as u64),
            RecordingStep::Close(closed) => self.refused_close = Some(closed),
        }
    }

    /// Whether the end has still to be said.
    pub fn owes_close(&self) -> bool {
        self.refused_close.is_some()
    }
}
