//! What must hold at the end of a morning: the invariants of the architecture, one by one.

use std::collections::{BTreeMap, BTreeSet};

use trunkline::id::CallId;
use trunkline::records::{CallRecord, check};
use trunkline::switch::JournalEvent;

use crate::floor::Floor;

/// Recorded and spoken time may differ by this much, ms.
const TOLERANCE_MS: u64 = 100;
/// The step whose agents hear something before the caller, and how long that takes at most, ms.
const ANNOUNCED: &str = "menu.complaint";
const ANNOUNCED_MS: u64 = 1_250;

pub fn at_the_end(floor: &mut Floor) {
    if !floor.wrong.is_empty() {
        return;
    }
    let mut wrong = Vec::new();
    let (folds, records) = floor.disk.fold();
    everything_is_gone(floor, &mut wrong);
    everyone_is_home(floor, &mut wrong);
    counters_agree(floor, &mut wrong);
    let open: Vec<_> = folds.records.open_calls().map(|open| open.call).collect();
    if !open.is_empty() {
        wrong.push(format!("calls without an end in the journal: {open:?}"));
    }
    let unfinished: Vec<_> = folds.records.unfinished().map(|(call, _)| call).collect();
    if !unfinished.is_empty() {
        wrong.push(format!("records that never became final: {unfinished:?}"));
    }
    let dialogs = folds.records.dialogs().dialogs().count();
    if dialogs > 0 {
        wrong.push(format!("{dialogs} dialogs are open in the journal"));
    }
    one_record_for_each_call(floor, &records, &mut wrong);
    for record in &records {
        wrong.extend(check(record).into_iter().map(|found| found.to_string()));
        recordings(floor.crashes > 0, record, &mut wrong);
    }
    floor.wrong.extend(wrong);
}

/// Invariants 3 and 5: no leg, lease, transaction, timer or dialog outlives its call, on either side.
fn everything_is_gone(floor: &mut Floor, wrong: &mut Vec<String>) {
    match &floor.switch {
        Some(switch) if switch.load() != [0; 6] => {
            wrong.push(format!("calls, legs, sessions, dialogs, transactions, timers are left: {:?}", switch.load()));
        }
        Some(_) => {}
        None => wrong.push("the switch is down".to_owned()),
    }
    wrong.extend(floor.media.leftovers());
    let (ends, cuts) = (floor.crashes + floor.stops, floor.power_cuts + floor.stops);
    for person in &mut floor.people {
        wrong.extend(person.ua().leftovers());
        // A process that died cannot tell a phone that rings, and one that stops tells it three times; what was not synced may be
        // forgotten. Nothing else may.
        let [ringing, speaking] = person.ua().forgotten;
        if (ringing > 0 && ends == 0) || (speaking > 0 && cuts == 0) {
            let user = &person.ua().user;
            wrong.push(format!(
                "{user}: the switch forgot {ringing} calls that rang and {speaking} in which people spoke"
            ));
        }
    }
}

/// Invariant 8: what the switch counts live is what the journal says since its last start.
fn counters_agree(floor: &Floor, wrong: &mut Vec<String>) {
    let Some(figures) = floor.switch.as_ref().map(|switch| switch.figures(floor.now)) else { return };
    let entries = floor.disk.entries();
    let start = entries.iter().rposition(|entry| matches!(entry.event, JournalEvent::Started { .. })).unwrap_or(0);
    let since = &entries[start..];
    let offered: BTreeSet<CallId> = since
        .iter()
        .filter_map(|entry| match entry.event {
            JournalEvent::CallOffered { call, .. } => Some(call),
            _ => None,
        })
        .collect();
    // The ends of calls that a crash cut stand behind the start, too, and are of no call of this run.
    let ended = since
        .iter()
        .filter(|entry| matches!(&entry.event, JournalEvent::CallEnded { call, .. } if offered.contains(call)));
    let told = (figures.calls_offered, figures.calls_ended, figures.journal_seq);
    let folded = (offered.len() as u64, ended.count() as u64, entries.len() as u64);
    if told != folded {
        wrong.push(format!("calls offered, ended, last entry: the switch counts {told:?}, the journal {folded:?}"));
    }
}

/// Invariant 1, at rest: whoever went home is signed out.
fn everyone_is_home(floor: &Floor, wrong: &mut Vec<String>) {
    for agent in floor.disk.signed_in() {
        wrong.push(format!("an agent whose phone is gone is not signed out: {agent}"));
    }
}

/// Invariant 4: one chain of revisions for each call, the last one final.
fn one_record_for_each_call(floor: &Floor, records: &[CallRecord], wrong: &mut Vec<String>) {
    let mut offered = BTreeSet::new();
    let mut ended: BTreeMap<CallId, u32> = BTreeMap::new();
    for entry in floor.disk.entries() {
        match &entry.event {
            JournalEvent::CallOffered { call, .. } => {
                offered.insert(*call);
            }
            JournalEvent::CallEnded { call, .. } => *ended.entry(*call).or_default() += 1,
            _ => {}
        }
    }
    let mut chains: BTreeMap<CallId, Vec<(u32, bool)>> = BTreeMap::new();
    for record in records {
        chains.entry(record.call_id).or_default().push((record.revision, record.is_final));
    }
    for call in &offered {
        if ended.get(call) != Some(&1) {
            wrong.push(format!("call {call} ended {:?} times", ended.get(call)));
        }
        let chain = chains.remove(call).unwrap_or_default();
        let sound = matches!(chain.as_slice(), [(1, true)] | [(1, false), (2, true)]);
        if !sound {
            wrong.push(format!("call {call} has the records {chain:?}"));
        }
    }
    if !chains.is_empty() {
        wrong.push(format!("records of calls that nobody offered: {chains:?}"));
    }
}

/// Invariant 7: what should have been recorded was, but for what a crash took.
fn recordings(crashed: bool, record: &CallRecord, wrong: &mut Vec<String>) {
    let (true, Some(recording)) = (record.is_final, &record.recording) else { return };
    if recording.state.is_none() {
        return wrong.push(format!("recording of {} was never closed", record.call_id));
    }
    // A message is recorded, and nobody's talk.
    if record.agent_answered.is_none() {
        return;
    }
    let spoken = record.talk_ms + record.hold_ms;
    // What an agent hears before the caller is the agent's time, and not recorded.
    let announced = record.path.iter().any(|step| step == ANNOUNCED);
    let missing = spoken.saturating_sub(recording.expected_ms).saturating_sub(if announced { ANNOUNCED_MS } else { 0 });
    let off = missing.max(recording.expected_ms.saturating_sub(spoken));
    if !crashed && (off > TOLERANCE_MS || recording.written_ms != recording.expected_ms) {
        let (expected, written) = (recording.expected_ms, recording.written_ms);
        wrong.push(format!("call {}: {spoken} ms spoken, {expected} expected, {written} written", record.call_id));
    }
}
