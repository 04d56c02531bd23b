//! The fold from entries to records.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use serde::{Deserialize, Serialize};

use super::dialogs::DialogsFold;
use super::heard::OpenRecording;
use super::open_call::OpenCall;
use super::record::CallRecord;
use super::wall::Wall;
use crate::id::{AgentId, CallId, LegId};
use crate::journal::{AgentState, DialogState, Entry, Event};

/// A call without an end, and what is needed to say BYE for it.
#[derive(Clone, Debug, PartialEq)]
pub struct OpenCallView<'a> {
    /// The call.
    pub call: CallId,
    /// What is known of it.
    pub state: &'a OpenCall,
    /// Its live dialogs by leg.
    pub dialogs: Vec<(LegId, &'a DialogState)>,
}

/// Folds entries, in order, into one record per call.
///
/// Drain [`Self::poll_record`] after each entry. A record comes with revision 1 when its call ends, and once more when the
/// agents' after-call work, the recording and (of an answered call) its legs are closed, unless they were already.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Folder {
    node: String,
    // In boxes, as a map that grows at its end leaves much of its room empty.
    calls: BTreeMap<CallId, Box<OpenCall>>,
    dialogs: DialogsFold,
    /// Calls in which an agent spoke and that may wait for what the agent does next; swept when the agent's state changes.
    owed: BTreeMap<AgentId, BTreeSet<CallId>>,
    /// Which call each of an agent's appearances is about, for those who take several at once.
    #[serde(default)]
    shown: BTreeMap<AgentId, BTreeMap<u8, CallId>>,
    ready: VecDeque<CallRecord>,
}

impl Folder {
    /// The calls without an end, oldest first. After a crash: those that it cut.
    pub fn open_calls(&self) -> impl Iterator<Item = OpenCallView<'_>> {
        self.calls.iter().filter(|(_, call)| !call.has_ended()).map(|(call, state)| OpenCallView {
            call: *call,
            state,
            dialogs: self.dialogs.of(*call).collect(),
        })
    }

    /// The calls that have ended and whose record waits for after-call work or a recording.
    pub fn unfinished(&self) -> impl Iterator<Item = (CallId, &OpenCall)> {
        self.calls.iter().filter(|(_, call)| call.has_ended()).map(|(call, state)| (*call, &**state))
    }

    /// The recordings that have begun and are not closed, each with its call.
    pub fn open_recordings(&self) -> impl Iterator<Item = (CallId, OpenRecording<'_>)> {
        self.calls.iter().filter_map(|(call, open)| open.open_recording().map(|recording| (*call, recording)))
    }

    /// All open dialogs, also those of calls that have ended.
    pub fn dialogs(&self) -> &DialogsFold {
        &self.dialogs
    }

    /// What closes every open call at a start after a crash: leaving the queue, ending segments, ending the call with cause
    /// `switch_restart` (`answered` if a person had answered, `failed` else). Ask before new calls come; journal the events
    /// with the wall time of the start's own entry, and recordings' ends beside them.
    pub fn cut_by_restart(&self) -> Vec<Event> {
        self.calls.values().filter(|call| !call.has_ended()).flat_map(|call| call.cut()).collect()
    }

    /// Folds one entry.
    pub fn handle_entry(&mut self, entry: &Entry) {
        self.dialogs.handle_entry(entry);
        let at = Wall(entry.wall_ms);
        match &entry.event {
            Event::Started { node, .. } => {
                self.node.clone_from(node);
                let ended: Vec<_> = self.unfinished().map(|(id, _)| id).collect();
                for id in ended {
                    self.update(id, OpenCall::handle_start);
                }
            }
            Event::AgentChanged { agent, appearance, state } => self.handle_agent(agent, *appearance, state, at),
            event @ Event::CallOffered { call, .. } => {
                if let Some(open) = OpenCall::offered(event, at, &self.node) {
                    self.calls.entry(*call).or_insert_with(|| Box::new(open));
                }
            }
            event => {
                if let Some(id) = event.call() {
                    if let Event::AgentAnswered { agent, .. } = event {
                        self.owed.entry(agent.clone()).or_default().insert(id);
                    }
                    self.update(id, |call| call.handle_event(event, at));
                }
            }
        }
    }

    /// Tells the calls in which an agent spoke what he or she does next; those that another appearance is about are not concerned.
    fn handle_agent(&mut self, agent: &AgentId, appearance: u8, state: &AgentState, at: Wall) {
        let mut shown = self.shown.remove(agent).unwrap_or_default();
        match state.call() {
            Some(call) => shown.insert(appearance, call),
            None => shown.remove(&appearance),
        };
        let elsewhere: BTreeSet<CallId> =
            shown.iter().filter(|(other, _)| **other != appearance).map(|(_, call)| *call).collect();
        if !shown.is_empty() {
            self.shown.insert(agent.clone(), shown);
        }
        let mut owed = self.owed.remove(agent).unwrap_or_default();
        for id in owed.difference(&elsewhere) {
            self.update(*id, |call| call.handle_agent(agent, state, at));
        }
        owed.retain(|id| self.calls.get(id).is_some_and(|call| call.waits_for(agent)));
        if !owed.is_empty() {
            self.owed.insert(agent.clone(), owed);
        }
    }

    /// The next record that is ready. Call until `None`.
    pub fn poll_record(&mut self) -> Option<CallRecord> {
        self.ready.pop_front()
    }

    fn update(&mut self, id: CallId, change: impl FnOnce(&mut OpenCall)) {
        let Some(call) = self.calls.get_mut(&id) else { return };
        change(call);
        let Some(record) = call.tell() else { return };
        if record.is_final {
            self.calls.remove(&id);
        }
        self.ready.push_back(record);
    }
}
