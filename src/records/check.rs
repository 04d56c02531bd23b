//! Whether a record's times add up (invariant 4).

use super::record::{CallRecord, Disposition};

/// One thing that does not add up.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "record {call}, revision {revision}: {what}; the journal's events of this call are out of order or the fold is wrong"
)]
pub struct Inconsistency {
    /// The call.
    pub call: crate::id::CallId,
    /// The revision.
    pub revision: u32,
    /// What does not add up, with the figures.
    pub what: String,
}

/// Everything that does not add up in `record`; empty for a good one.
pub fn check(record: &CallRecord) -> Vec<Inconsistency> {
    let mut found = Vec::new();
    let mut expect = |holds: bool, what: &dyn Fn() -> String| {
        if !holds {
            found.push(Inconsistency { call: record.call_id, revision: record.revision, what: what() });
        }
    };
    let spoken = record.talk_ms.saturating_add(record.hold_ms);
    let since_answer = record.agent_answered.map_or(0, |answered| record.ended.since(answered));
    expect(spoken == since_answer, &|| {
        format!("talk + hold = {spoken} ms, agent_answered → ended = {since_answer} ms")
    });
    let wait_end = record.agent_answered.or(record.queue_left);
    let wait = record.queue_entered.zip(wait_end).map_or(0, |(entered, end)| end.since(entered));
    expect(record.wait_ms == wait, &|| format!("wait_ms = {}, queue_entered → its end = {wait} ms", record.wait_ms));
    expect(record.ring_ms <= record.wait_ms, &|| format!("ring {} ms > wait {} ms", record.ring_ms, record.wait_ms));
    for (name, at) in [
        ("answered", record.answered),
        ("agent_answered", record.agent_answered),
        ("queue_entered", record.queue_entered),
        ("queue_left", record.queue_left),
    ] {
        let within = at.is_none_or(|at| record.started <= at && at <= record.ended);
        expect(within, &|| format!("{name} lies outside started … ended"));
    }
    let left =
        record.queue_entered.is_some() == record.queue_left.is_some() && record.queue_entered <= record.queue_left;
    expect(left, &|| "queue_entered and queue_left do not go together".to_owned());
    let spoke = record.disposition != Disposition::Answered || record.agent_answered.is_some();
    expect(spoke, &|| "answered, but no agent_answered".to_owned());
    for segment in &record.segments {
        let spoken = segment.talk_ms.saturating_add(segment.hold_ms);
        let talk = segment.answered.map_or(0, |answered| segment.ended.since(answered));
        expect(spoken == talk, &|| format!("segment of {}: talk + hold = {spoken} ms of {talk} ms", segment.agent));
        let before = segment.answered.unwrap_or(segment.ended).since(segment.presented);
        let rings = segment.ring_ms <= before;
        expect(rings, &|| format!("segment of {}: ring {} ms of {before} ms", segment.agent, segment.ring_ms));
    }
    found
}
