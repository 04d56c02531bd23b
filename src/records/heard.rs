//! What media tells of a call: its recording, and how well its parties were heard.

use super::open_call::OpenCall;
use super::record::{KeptOut, Quality, Recording};
use super::wall::Wall;
use crate::journal::{Cue, Event};

/// Places of one recording that are kept for a start after a crash, as many as the switch itself tells.
const CUES: usize = 1_001;

/// A recording that has begun and is not closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OpenRecording<'a> {
    /// Its name.
    pub name: &'a str,
    /// When it began.
    pub since: Wall,
    /// Why it may.
    pub consent: crate::journal::Consent,
    /// What happened meanwhile, and when.
    pub cues: &'a [(Wall, Cue)],
}

impl OpenCall {
    /// The recording that has begun and is not closed.
    pub fn open_recording(&self) -> Option<OpenRecording<'_>> {
        let recording = self.draft.recording.as_ref().filter(|recording| recording.state.is_none())?;
        let since = self.recording_since?;
        Some(OpenRecording { name: &recording.id, since, consent: recording.consent, cues: &self.cues })
    }

    pub(super) fn keep_cue(&mut self, event: &Event) {
        if self.cues.len() < CUES
            && let Some((cue, at_ms)) = Cue::of(event)
        {
            self.cues.push((at_ms.map_or(self.clock, Wall), cue));
        }
    }

    pub(super) fn handle_recording(&mut self, event: &Event) {
        let (clock, draft) = (self.clock, &mut self.draft);
        match event {
            Event::ConsentSaid { consent, .. } => draft.consent = Some(*consent),
            Event::RecordingStarted { recording, consent, .. } => {
                draft.consent = draft.consent.or(Some(*consent));
                let mut begun = Recording::begun(recording, *consent);
                // A plan may have paused it before it began.
                let last = self.cues.iter().rev().find_map(|(_, cue)| match cue {
                    Cue::Paused { by } => Some(Some(*by)),
                    Cue::Resumed { .. } => Some(None),
                    _ => None,
                });
                begun.pauses.extend(last.flatten().map(|by| KeptOut { from: clock, to: None, by }));
                draft.recording = Some(begun);
                self.recording_since = Some(clock);
            }
            Event::RecordingPaused { by, from_ms, .. } => {
                let Some(kept) = draft.recording.as_mut().filter(|kept| kept.state.is_none()) else { return };
                if kept.pauses.last().is_none_or(|last| last.to.is_some()) {
                    kept.pauses.push(KeptOut { from: Wall(*from_ms), to: None, by: *by });
                }
            }
            Event::RecordingResumed { .. } => {
                let last = draft.recording.as_mut().and_then(|kept| kept.pauses.last_mut());
                if let Some(last) = last {
                    last.to = last.to.or(Some(clock));
                }
            }
            Event::RecordingClosed { recording, state, expected_ms, written_ms, sha256, .. } => {
                let Some(kept) = draft.recording.as_mut().filter(|kept| kept.id == *recording) else { return };
                kept.state = Some(*state);
                (kept.expected_ms, kept.written_ms) = (*expected_ms, *written_ms);
                kept.sha256.clone_from(sha256);
                self.cues.clear();
            }
            _ => {}
        }
    }

    pub(super) fn handle_quality(&mut self, event: &Event) {
        let Event::QualityMeasured { leg, mos, loss, jitter_ms, round_trip_ms, sent_loss, sent_jitter_ms, .. } = event
        else {
            return;
        };
        let quality = Quality {
            mos: *mos,
            loss: *loss,
            jitter_ms: *jitter_ms,
            round_trip_ms: *round_trip_ms,
            sent_loss: *sent_loss,
            sent_jitter_ms: *sent_jitter_ms,
        };
        if self.supervisors.contains(leg) {
            return;
        }
        if *leg == self.leg {
            self.draft.quality = Some(quality);
        } else if mos.is_some() || self.draft.quality_agent.is_none() {
            // A phone that was rung and never spoke says nothing of the conversation.
            self.draft.quality_agent = Some(quality);
        }
    }
}
