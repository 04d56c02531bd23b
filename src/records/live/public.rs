//! What readers of the event stream are told.

use serde_json::{Value, json};

use crate::journal::{Entry, Event};
use crate::records::Wall;

/// The entry as a JSON object with `seq` and `at` beside the event's own fields; `None` for what only the switch needs.
///
/// Of personal data it holds the caller's number, which the list of calls shows too; dialogs and bindings stay inside.
pub fn public(entry: &Entry) -> Option<Value> {
    if matches!(entry.event, Event::DialogChanged { .. } | Event::BindingChanged { .. }) {
        return None;
    }
    let mut told = serde_json::to_value(&entry.event).ok()?;
    let fields = told.as_object_mut()?;
    // Whose data it is, is nothing for readers.
    for name in ["caller", "number"] {
        if let Some(value) = fields.get(name).and_then(|personal| personal.get("value")).cloned() {
            fields.insert(name.to_owned(), value);
        }
    }
    fields.insert("seq".to_owned(), json!(entry.seq));
    fields.insert("at".to_owned(), json!(Wall(entry.wall_ms)));
    Some(told)
}
