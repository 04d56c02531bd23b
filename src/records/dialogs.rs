//! The dialogs that are open, to say BYE for them after a crash.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::id::{CallId, LegId};
use crate::journal::{DialogState, Entry, Event};

/// Open dialogs by call and leg, also those of calls that have ended and whose BYE is not answered yet.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DialogsFold {
    // In boxes, as a map of two has room for eleven.
    calls: BTreeMap<CallId, BTreeMap<LegId, Box<DialogState>>>,
}

impl DialogsFold {
    /// Every open dialog.
    pub fn dialogs(&self) -> impl Iterator<Item = (CallId, LegId, &DialogState)> {
        self.calls.iter().flat_map(|(call, legs)| legs.iter().map(move |(leg, dialog)| (*call, *leg, &**dialog)))
    }

    /// The open dialogs of one call.
    pub fn of(&self, call: CallId) -> impl Iterator<Item = (LegId, &DialogState)> {
        self.calls.get(&call).into_iter().flatten().map(|(leg, dialog)| (*leg, &**dialog))
    }

    /// Folds one entry.
    pub fn handle_entry(&mut self, entry: &Entry) {
        match &entry.event {
            Event::DialogChanged { call, leg, dialog } => {
                self.calls.entry(*call).or_default().insert(*leg, Box::new(dialog.clone()));
            }
            Event::LegEnded { call, leg, .. } => {
                let Some(legs) = self.calls.get_mut(call) else { return };
                legs.remove(leg);
                if legs.is_empty() {
                    self.calls.remove(call);
                }
            }
            _ => {}
        }
    }
}
