//! Requests to be called back that stand, folded from the journal.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Event, Personal, SkillWish};
use crate::id::{CallId, QueueId, TrunkId};

/// Whom to call back, and how.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CallbackRequest {
    /// The number.
    pub number: Personal,
    /// What the customer is to see as the caller.
    pub shown: String,
    /// Whose agents call.
    pub queue: QueueId,
    /// Greater goes first.
    pub priority: i32,
    /// What is asked of who calls, beyond what the queue asks.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub wishes: Vec<SkillWish>,
    /// From when the wait counts (wall ms).
    pub entered_ms: i64,
    /// By which trunk.
    pub trunk: TrunkId,
    /// Hours within which the customer is called; at any time where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hours: Option<String>,
    /// Not before this instant (wall ms).
    #[serde(default)]
    pub due_ms: i64,
    /// After how long again, milliseconds.
    pub retry_ms: u64,
    /// How often at most.
    pub most: u32,
    /// Whether the conversation is recorded.
    pub record: bool,
}

/// Somebody who is to be called back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Callback {
    /// Whom, and how.
    pub request: CallbackRequest,
    /// How often the customer was called in vain.
    pub tries: u32,
    /// Not before this instant (wall ms).
    pub due_ms: i64,
    /// The call that is under way for it; after a restart it is not any more.
    pub attempt: Option<CallId>,
}

/// Requests by the call in which they were made.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Callbacks(BTreeMap<CallId, Callback>);

impl Callbacks {
    /// Takes in what happened; other events change nothing.
    pub fn handle_event(&mut self, event: &Event) {
        match event {
            Event::CallbackRequested { call, request } => {
                let due_ms = request.due_ms;
                let callback = Callback { request: request.clone(), tries: 0, due_ms, attempt: None };
                self.0.insert(*call, callback);
            }
            Event::CallbackPlaced { call, attempt } => {
                if let Some(callback) = self.0.get_mut(call) {
                    callback.attempt = Some(*attempt);
                }
            }
            Event::CallbackPutOff { call, due_ms, tried, .. } => {
                if let Some(callback) = self.0.get_mut(call) {
                    callback.tries = callback.tries.saturating_add(u32::from(*tried));
                    (callback.due_ms, callback.attempt) = (*due_ms, None);
                }
            }
            Event::CallbackEnded { call, .. } => drop(self.0.remove(call)),
            // No call outlives a start.
            Event::Started { .. } => self.0.values_mut().for_each(|callback| callback.attempt = None),
            _ => {}
        }
    }

    /// The request that was made in a call.
    pub fn get(&self, call: CallId) -> Option<&Callback> {
        self.0.get(&call)
    }

    /// All that stand, by the call in which they were made.
    pub fn iter(&self) -> impl Iterator<Item = (CallId, &Callback)> {
        self.0.iter().map(|(call, callback)| (*call, callback))
    }

    /// Whether somebody at this number is to be called by the agents of a queue already.
    pub fn has(&self, number: &str, queue: &QueueId) -> bool {
        self.0.values().any(|callback| callback.request.number.value == number && callback.request.queue == *queue)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_stands_until_it_is_done_with() {
        let (call, attempt) = (CallId::new(1, 1), CallId::new(2, 2));
        let mut callbacks = Callbacks::default();
        let request = CallbackRequest {
            number: Personal::number("138"),
            shown: "4000".into(),
            queue: "q".into(),
            priority: 1,
            wishes: Vec::new(),
            entered_ms: 5,
            trunk: "t".into(),
            hours: None,
            due_ms: 0,
            retry_ms: 1_000,
            most: 3,
            record: false,
        };
        callbacks.handle_event(&Event::CallbackRequested { call, request });
        assert!(callbacks.has("138", &"q".into()) && !callbacks.has("138", &"r".into()));
        callbacks.handle_event(&Event::CallbackPlaced { call, attempt });
        assert_eq!(callbacks.get(call).and_then(|callback| callback.attempt), Some(attempt));
        callbacks.handle_event(&Event::Started { node: "n".into(), boot: 2, version: "0".into() });
        assert_eq!(callbacks.get(call).map(|callback| (callback.attempt, callback.tries)), Some((None, 0)));
        callbacks.handle_event(&Event::CallbackPutOff { call, attempt, due_ms: 60, tried: false });
        assert_eq!(callbacks.get(call).map(|callback| (callback.due_ms, callback.tries)), Some((60, 0)));
        callbacks.handle_event(&Event::CallbackPutOff { call, attempt, due_ms: 70, tried: true });
        assert_eq!(callbacks.get(call).map(|callback| (callback.due_ms, callback.tries)), Some((70, 1)));
        callbacks.handle_event(&Event::CallbackEnded { call, attempt, outcome: "reached".into() });
        assert_eq!(callbacks.iter().count(), 0);
    }
}
