//! Whether effects wait for the journal: what a peer or a media thread is told must be written before.

use std::collections::BTreeMap;

use trunkline::id::LegId;
use trunkline::switch::{Entry, JournalEvent, LegCommand, Output};
use trunkline::time::MS;

use crate::common::text::Text;

/// A disk slower than this stops no call, in ns.
const PATIENCE: u64 = 50 * MS;

/// An entry and when it was handed to the disk.
type Handed = (u64, u64);

/// What was journalled about legs and dialogs.
#[derive(Default)]
pub struct Gate {
    legs: BTreeMap<LegId, Handed>,
    dialogs: BTreeMap<String, Handed>,
}

impl Gate {
    pub fn note(&mut self, entry: &Entry, now_ns: u64) {
        let handed = (entry.seq, now_ns);
        match &entry.event {
            JournalEvent::CallOffered { leg, .. } | JournalEvent::AgentPresented { leg, .. } => {
                self.legs.entry(*leg).or_insert(handed);
            }
            JournalEvent::DialogChanged { dialog, .. } => {
                self.dialogs.entry(dialog.call_id.clone()).or_insert(handed);
            }
            _ => {}
        }
    }

    /// What is wrong with an effect that leaves while the disk has come as far as `written`.
    pub fn judge(&self, output: &Output, written: u64, now_ns: u64) -> Option<String> {
        let (what, handed) = match output {
            Output::Media(LegCommand::Desire { leg, .. }) => (format!("media of leg {leg}"), self.legs.get(leg)),
            Output::Transmit(transmit) if transmit.payload.starts_with(b"SIP/2.0 200") => {
                let text = Text::read(&transmit.payload).filter(|text| text.method() == "INVITE")?;
                let call_id = text.get("Call-ID").to_owned();
                let handed = self.dialogs.get(&call_id);
                if handed.is_none() {
                    return Some(format!("a 200 to {call_id} leaves, and its dialog is not journalled"));
                }
                (format!("a 200 to {call_id}"), handed)
            }
            _ => return None,
        };
        let (seq, at) = *handed?;
        let early = seq > written && now_ns < at + PATIENCE;
        early.then(|| format!("{what} leaves before entry {seq} is written; the disk has come to {written}"))
    }
}
