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
