//! What is recorded of a call, what is kept out of it, and who says so.

use std::sync::Arc;

use super::party::{PartyCall, Recording, Role};
use super::{CommandError, Switch};
use crate::call::CallState;
use crate::dialplan::{Cursor, CursorInput, RecordChange};
use crate::id::{CallId, LegId};
use crate::journal::{Consent, Cue, Event, PausedBy, RecordingState};
use crate::media::{Manifest, Mark, RecordingSpec, Side, Source};
use crate::time::{MS, Now};

/// Marks of one recording. Past them places are told no more, and a pause stays in force: bounded, and on the side of privacy.
const MARKS: usize = 1_000;
/// How far apart two keys of a code may lie, ms.
const CODE_MS: u64 = 3_000;
/// Keys that are remembered of a party.
const TYPED: usize = 8;

/// What is known of a call's recording beside its sound; also before it begins.
#[derive(Default)]
pub(super) struct Tape {
    consent: Option<Consent>,
    /// Somebody has paused it.
    paused: bool,
    /// The call is being handed on: the caller waits, or is in a menu.
    handed_on: bool,
    marks: Arc<[Mark]>,
}

impl Tape {
    /// Whether what is said is kept out.
    fn is_silent(&self) -> bool {
        self.paused || self.handed_on
    }

    /// Of what was before only who speaks counts, and a pause.
    fn begin(&mut self, now: Now) {
        let speaks = |mark: &&Mark| matches!(mark.cue, Cue::Agent { .. } | Cue::Peer);
        let pauses = |mark: &&Mark| matches!(mark.cue, Cue::Paused { .. });
        let speaker = self.marks.iter().rev().find(speaks);
        let pause = self.marks.iter().rev().find(pauses).filter(|_| self.is_silent());
        self.marks = speaker.into_iter().chain(pause).map(|mark| Mark { at: now, cue: mark.cue.clone() }).collect();
    }

    fn push(&mut self, mark: Mark) {
        if self.marks.len() < MARKS || matches!(mark.cue, Cue::Paused { .. }) {
            self.marks = self.marks.iter().cloned().chain([mark]).collect();
        }
    }
}

/// Keys that a party has pressed lately, for the codes that pause a recording and let it go on.
#[derive(Default)]
pub(super) struct Typed(Vec<(char, Now)>);

impl Typed {
    fn push(&mut self, key: char, at: Now) {
        let stale = |last: &(char, Now)| last.1.in_ms(CODE_MS) < at.mono_ns;
        if self.0.last().is_some_and(stale) || self.0.len() >= TYPED {
            self.0.clear();
        }
        self.0.push((key, at));
    }

    /// When the first key of the code was pressed, where the last keys are that code.
    fn take(&mut self, code: &str) -> Option<Now> {
        let begin = self.0.len().checked_sub(code.chars().count()).filter(|begin| *begin < self.0.len())?;
        let typed = self.0.get(begin..)?;
        let since = typed.first()?.1;
        let same = typed.iter().map(|(key, _)| *key).eq(code.chars());
        same.then(|| {
            self.0.clear();
            since
        })
    }
}

impl Switch {
    /// Begins the call's recording, lets the next party into it, or ends it.
    pub(super) fn record(&mut self, call: CallId, caller: LegId, other: LegId, record: bool, now: Now) {
        let Some(cell) = self.calls.get_mut(&call) else { return };
        // Whatever a queue, a route or a step asks for: no means no.
        let record = record && cell.tape.consent != Some(Consent::Refused);
        match (cell.recording, record) {
            (Recording::None, true) => {
                cell.recording = Recording::Running;
                cell.tape.begin(now);
                let consent = cell.tape.consent.unwrap_or(Consent::Announced);
                self.journal(Event::RecordingStarted { call, recording: call.to_string(), consent }, now);
            }
            (Recording::Running, true) => self.set_handed_on(call, false, now),
            (Recording::Running, false) => {
                cell.recording = Recording::Over;
                if let Some(media) = self.media_of(caller) {
                    media.recording = None;
                }
                return;
            }
            (Recording::None, false) | (Recording::Over, _) => return,
        }
        // Who stays in a call that is handed on keeps the channel, whichever side has handed it on.
        let kept = self.media_of(caller).and_then(|media| media.recording);
        let sides = match kept {
            Some(Side::Agent) => [(caller, Side::Agent), (other, Side::Caller)],
            Some(Side::Caller) | None => [(caller, Side::Caller), (other, Side::Agent)],
        };
        for (leg, side) in sides {
            if let Some(media) = self.media_of(leg) {
                media.recording = Some(side);
            }
        }
    }

    /// What the media thread is told of the recording of a leg's party.
    pub(super) fn recording_spec(&self, call: CallId, side: Side) -> Option<RecordingSpec> {
        let cell = self.calls.get(&call).filter(|cell| cell.recording == Recording::Running)?;
        let consent = cell.tape.consent.unwrap_or(Consent::Announced);
        Some(RecordingSpec { id: call.to_string(), call, side, consent, marks: Arc::clone(&cell.tape.marks) })
    }

    /// Something happened that a listener may look for. It is told to the media thread at once: there may be no later command.
    pub(super) fn mark(&mut self, call: CallId, cue: Cue, at_ms: Option<i64>, now: Now) {
        let Some(cell) = self.calls.get_mut(&call) else { return };
        cell.tape.push(Mark { at: at_ms.map_or(now, |at_ms| instant(at_ms, now)), cue });
        if cell.recording != Recording::Running {
            return;
        }
        let legs: Vec<LegId> = cell.call.legs().map(|leg| leg.id).collect();
        for leg in legs {
            if self.media_of(leg).is_some_and(|media| media.recording.is_some()) {
                self.command_media(leg, now);
            }
        }
    }

    /// Keeps out of the recording what is said from the instant `from` on. A pause of a pause changes nothing.
    pub(super) fn pause_recording(
        &mut self,
        call: CallId,
        by: PausedBy,
        from: Now,
        now: Now,
    ) -> Result<(), CommandError> {
        let tape = self.tape_of(call, by)?;
        let before = std::mem::replace(&mut tape.paused, true) || tape.handed_on;
        self.tell_silence(call, before, by, from.min(now), now);
        Ok(())
    }

    /// Lets the recording go on from now on.
    pub(super) fn resume_recording(&mut self, call: CallId, by: PausedBy, now: Now) -> Result<(), CommandError> {
        let tape = self.tape_of(call, by)?;
        if tape.paused && tape.marks.len() >= MARKS {
            return Err(CommandError::PausedForGood(call));
        }
        let before = tape.is_silent();
        tape.paused = false;
        self.tell_silence(call, before, by, now, now);
        Ok(())
    }

    /// What is said while a call is handed on, by a caller who waits or pays and by an agent who is about to leave, is for nobody's
    /// ears: it is kept out until somebody speaks with the caller again.
    pub(super) fn set_handed_on(&mut self, call: CallId, handed_on: bool, now: Now) {
        let Some(cell) = self.calls.get_mut(&call).filter(|cell| cell.recording == Recording::Running) else { return };
        let tape = &mut cell.tape;
        let before = tape.is_silent();
        tape.handed_on = handed_on;
        // With no room for another mark a pause stays in force.
        tape.paused |= before && !handed_on && tape.marks.len() >= MARKS;
        self.tell_silence(call, before, PausedBy::Transfer, now, now);
    }

    /// Journals that the recording falls silent, from when on, or goes on, where it did the other before.
    fn tell_silence(&mut self, call: CallId, before: bool, by: PausedBy, from: Now, now: Now) {
        let silent = self.calls.get(&call).is_some_and(|cell| cell.tape.is_silent());
        let from_ms = from.wall_ms;
        let event = match (before, silent) {
            (false, true) => {
                tracing::info!(%call, ?by, from_ms, "the recording is paused");
                Event::RecordingPaused { call, by, from_ms }
            }
            (true, false) => {
                tracing::info!(%call, ?by, "the recording goes on");
                Event::RecordingResumed { call, by }
            }
            (true, true) | (false, false) => return,
        };
        self.journal(event, now);
    }

    /// The tape of a call that is recorded; a plan may say beforehand how its recording begins.
    fn tape_of(&mut self, call: CallId, by: PausedBy) -> Result<&mut Tape, CommandError> {
        let cell = self.calls.get_mut(&call).ok_or(CommandError::UnknownCall(call))?;
        match cell.recording {
            Recording::Running => Ok(&mut cell.tape),
            Recording::None if by == PausedBy::Dialplan => Ok(&mut cell.tape),
            Recording::None | Recording::Over => Err(CommandError::NotRecorded(call)),
        }
    }

    /// A step of the plan about the recording.
    pub(super) fn change_recording(&mut self, call: CallId, change: RecordChange, now: Now) {
        let by = PausedBy::Dialplan;
        let done = match change {
            RecordChange::Paused => self.pause_recording(call, by, now, now),
            RecordChange::Running => self.resume_recording(call, by, now),
            RecordChange::Agreed => self.take_consent(call, Consent::Given, now),
            RecordChange::Refused => self.take_consent(call, Consent::Refused, now),
        };
        if let Err(error) = done {
            tracing::info!(%call, %error, "a step about the recording changes nothing");
        }
    }

    /// The caller's word on being recorded. A refusal also ends a recording that runs; what is in it by then had consent.
    fn take_consent(&mut self, call: CallId, consent: Consent, now: Now) -> Result<(), CommandError> {
        let cell = self.calls.get_mut(&call).ok_or(CommandError::UnknownCall(call))?;
        cell.tape.consent = Some(consent);
        self.journal(Event::ConsentSaid { call, consent }, now);
        if consent == Consent::Refused {
            self.end_recording(call, now);
        }
        Ok(())
    }

    /// Nothing more is recorded of a call.
    pub(super) fn end_recording(&mut self, call: CallId, now: Now) {
        let running = self.calls.get_mut(&call).filter(|cell| cell.recording == Recording::Running);
        let Some(cell) = running else { return };
        cell.recording = Recording::Over;
        let legs: Vec<LegId> = cell.call.legs().map(|leg| leg.id).collect();
        for leg in legs {
            if let Some(media) = self.media_of(leg) {
                media.recording = None;
            }
            self.command_media(leg, now);
        }
    }

    /// Records what the caller says into a message of its own; `false` where that cannot be.
    pub(super) fn begin_message(&mut self, call: CallId, now: Now) -> bool {
        let can_record = self.can_record();
        let Some(cell) = self.calls.get_mut(&call) else { return false };
        if !can_record || cell.recording != Recording::None || cell.tape.consent == Some(Consent::Refused) {
            return false;
        }
        cell.recording = Recording::Running;
        cell.tape.begin(now);
        let (caller, consent) = (cell.caller, Consent::Announced);
        self.journal(Event::RecordingStarted { call, recording: call.to_string(), consent }, now);
        if let Some(media) = self.media_of(caller) {
            media.recording = Some(Side::Caller);
        }
        self.play(caller, Source::Quiet, now);
        true
    }

    /// A recording's file is closed; a caller who has left a message may wait for that.
    pub(super) fn handle_recording_closed(&mut self, manifest: Manifest, now: Now) {
        let (call, failed) = (manifest.call, manifest.state == RecordingState::Failed);
        let event = Event::RecordingClosed {
            call: manifest.call,
            recording: manifest.recording,
            state: manifest.state,
            expected_ms: manifest.expected_ms,
            written_ms: manifest.written_ms,
            sha256: manifest.sha256,
        };
        self.journal(event, now);
        let stores = |cell: &PartyCall| cell.cursor.as_ref().is_some_and(Cursor::is_storing);
        match self.calls.get(&call) {
            Some(cell) if stores(cell) && failed => {
                self.advance(call, CursorInput::Stored { safe: false }, now);
            }
            Some(cell) if stores(cell) => self.store_for(call, now),
            _ => {}
        }
    }

    /// A phone asks by INFO that the recording pause or go on, from when its request was received.
    pub(super) fn handle_record_wish(&mut self, leg: LegId, on: bool, now: Now) {
        let done = match self.recorder_on(leg) {
            Some(call) if on => self.resume_recording(call, PausedBy::Agent, now),
            Some(call) => self.pause_recording(call, PausedBy::Agent, self.received, now),
            None => return self.endpoint.answer_record(leg, 403, now),
        };
        if let Err(error) = &done {
            tracing::info!(%leg, on, %error, "a phone's wish about the recording is refused");
        }
        self.endpoint.answer_record(leg, if done.is_ok() { 200 } else { 403 }, now);
    }

    /// A key of one of our users, which may end a code.
    pub(super) fn handle_code(&mut self, leg: LegId, key: char, at: Now, now: Now) {
        let Some(call) = self.recorder_on(leg) else { return };
        let Some(party) = self.legs.get_mut(&leg) else { return };
        party.typed.push(key, at);
        let codes = &self.settings.recording_codes;
        let done = if let Some(from) = codes.pause.as_deref().and_then(|code| party.typed.take(code)) {
            self.pause_recording(call, PausedBy::Agent, from, now)
        } else if codes.resume.as_deref().and_then(|code| party.typed.take(code)).is_some() {
            self.resume_recording(call, PausedBy::Agent, now)
        } else {
            return;
        };
        if let Err(error) = done {
            tracing::info!(%leg, %error, "a code about the recording changes nothing");
        }
    }

    /// The call whose recording the party on a leg may pause: one of our users in a conversation. A caller whom a queue has given to
    /// an agent may not, user or not.
    pub(super) fn recorder_on(&self, leg: LegId) -> Option<CallId> {
        let party = self.legs.get(&leg)?;
        let cell = self.calls.get(&party.call)?;
        let given = || {
            let CallState::Bridged { leg: talking, .. } = cell.call.state() else { return true };
            self.legs.get(talking).is_some_and(|other| matches!(other.role, Role::Agent(_)) && other.user.is_none())
        };
        let may = match party.role {
            Role::Agent(_) => true,
            Role::Supervisor => false,
            Role::Target => party.user.is_some(),
            Role::Caller => cell.from_agent.is_some() && !given(),
        };
        may.then_some(party.call)
    }
}

/// The instant `at_ms` (wall), which is not after `now`.
pub(super) fn instant(at_ms: i64, now: Now) -> Now {
    let back_ms = u64::try_from(now.wall_ms.saturating_sub(at_ms)).unwrap_or(0);
    let mono_ns = now.mono_ns.saturating_sub(back_ms.saturating_mul(MS));
    Now { mono_ns, wall_ms: at_ms.min(now.wall_ms) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_known_by_its_last_keys_and_holds_from_its_first() {
        let at = |ms| Now::default().plus_ms(ms);
        let mut typed = Typed::default();
        for (number, key) in (0..).zip("12*".chars()) {
            typed.push(key, at(number * 100));
            assert_eq!(typed.take("*1"), None);
        }
        typed.push('1', at(900));
        assert_eq!((typed.take("*2"), typed.take("*1"), typed.take("*1")), (None, Some(at(200)), None));
        typed.push('*', at(2_000));
        typed.push('1', at(5_001));
        assert_eq!(typed.take("*1"), None, "too slow");
        assert_eq!(typed.take(""), None);
    }

    #[test]
    fn an_instant_lies_never_after_now() {
        let now = Now { mono_ns: 5_000 * MS, wall_ms: 100_000 };
        assert_eq!(instant(99_000, now), Now { mono_ns: 4_000 * MS, wall_ms: 99_000 });
        assert_eq!(instant(200_000, now), now);
        assert_eq!(instant(0, now), Now { mono_ns: 0, wall_ms: 0 });
    }

    #[test]
    fn a_tape_begins_with_who_speaks_and_whether_it_is_paused() {
        let at = |ms| Now::default().plus_ms(ms);
        let mut tape = Tape { paused: true, ..Tape::default() };
        let by = PausedBy::Dialplan;
        for cue in [Cue::Peer, Cue::Held, Cue::Paused { by }, Cue::Agent { agent: "1001".into() }] {
            tape.push(Mark { at: at(1), cue });
        }
        tape.begin(at(9));
        let told: Vec<_> = tape.marks.iter().map(|mark| (mark.at, mark.cue.clone())).collect();
        assert_eq!(told, [(at(9), Cue::Agent { agent: "1001".into() }), (at(9), Cue::Paused { by })]);
        (0..2 * MARKS).for_each(|_| tape.push(Mark { at: at(9), cue: Cue::Held }));
        assert_eq!(tape.marks.len(), MARKS);
        tape.push(Mark { at: at(9), cue: Cue::Paused { by } });
        assert_eq!(tape.marks.len(), MARKS + 1, "a pause always has room");
    }
}
