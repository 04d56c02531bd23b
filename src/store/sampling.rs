//! From call records to the frame of the quality sample.

use std::collections::BTreeMap;

use crate::id::CallId;
use crate::journal::RecordingState;
use crate::quality::RecordedCall;
use crate::records::CallRecord;

/// Each recorded call once for every agent who spoke in it. Of several revisions the highest counts; a failed recording is none.
pub fn recorded_calls<'a>(records: impl IntoIterator<Item = &'a CallRecord>) -> Vec<RecordedCall> {
    let mut latest: BTreeMap<CallId, &CallRecord> = BTreeMap::new();
    for record in records {
        let kept = latest.entry(record.call_id).or_insert(record);
        if record.revision > kept.revision {
            *kept = record;
        }
    }
    let mut calls = Vec::new();
    for record in latest.into_values() {
        let state = record.recording.as_ref().and_then(|recording| recording.state);
        if !matches!(state, Some(RecordingState::Complete | RecordingState::Partial)) {
            continue;
        }
        for segment in record.segments.iter().filter(|segment| segment.answered.is_some()) {
            calls.push(RecordedCall { agent: segment.agent.clone(), call: record.call_id });
        }
    }
    calls
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::LegId;
    use crate::journal::{Cause, Consent, Direction, Entry, Event, HangupBy, Personal};
    use crate::records::Folder;

    #[test]
    fn the_last_revision_of_a_recorded_call_counts_once() {
        let call = CallId::new(1, 1);
        let (agent, queue, codec) = ("1001".into(), "support".into(), || "pcma".to_owned());
        let caller = Personal::number("555");
        let events = [
            Event::CallOffered {
                call,
                leg: LegId(1),
                direction: Direction::Inbound,
                trunk: None,
                caller,
                called: "4001".into(),
            },
            Event::AgentPresented { call, agent, queue, leg: LegId(2), why: "idle".into() },
            Event::AgentAnswered { call, agent: "1001".into(), codec_in: codec(), codec_out: codec() },
            Event::RecordingStarted { call, recording: "r".into(), consent: Consent::Announced },
            Event::CallEnded { call, by: HangupBy::Caller, cause: Cause::normal(), disposition: "answered".into() },
            Event::AcwEnded { call, agent: "1001".into() },
            Event::RecordingClosed {
                call,
                recording: "r".into(),
                state: RecordingState::Complete,
                expected_ms: 1,
                written_ms: 1,
                sha256: None,
            },
        ];
        let mut folder = Folder::default();
        let mut records = Vec::new();
        for (seq, event) in (1..).zip(events) {
            folder.handle_entry(&Entry { seq, wall_ms: 1_000, event });
            records.extend(std::iter::from_fn(|| folder.poll_record()));
        }
        assert_eq!(records.iter().map(|record| record.is_final).collect::<Vec<_>>(), [false, true]);
        assert_eq!(recorded_calls(&records), [RecordedCall { agent: "1001".into(), call }]);
        assert_eq!(recorded_calls(&records[..1]), []);
    }
}
