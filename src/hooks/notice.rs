//! What is told: journal entries as notices.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use crate::id::CallId;
use crate::journal::{Entry, Event, NoticeKind};

/// One thing to be told.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Notice {
    /// Its name, the same whenever it is told.
    pub(super) id: String,
    pub(super) kind: NoticeKind,
    pub(super) body: String,
}

/// A message whose recording is not closed yet.
struct Message {
    seq: u64,
    mailbox: String,
    caller: String,
}

/// Makes notices of entries, in order.
#[derive(Default)]
pub(super) struct Notices {
    messages: BTreeMap<CallId, Message>,
}

impl Notices {
    /// The entry from which on everything has to be read again after a restart, when all up to `seq` has been told.
    pub(super) fn resume_at(&self, seq: u64) -> u64 {
        self.messages.values().map(|message| message.seq.saturating_sub(1)).min().unwrap_or(seq).min(seq)
    }

    pub(super) fn take(&mut self, entry: &Entry) -> Option<Notice> {
        match &entry.event {
            Event::MessageLeft { call, mailbox, caller } => {
                let (mailbox, caller) = (mailbox.clone(), caller.value.clone());
                self.messages.insert(*call, Message { seq: entry.seq, mailbox, caller });
                None
            }
            Event::RecordingClosed { call, written_ms, sha256, .. } => {
                let Message { mailbox, caller, .. } = self.messages.remove(call)?;
                let recording = format!("/api/v1/records/{call}/recording");
                let told = json!({
                    "mailbox": mailbox, "caller": caller, "recording": recording, "length_ms": written_ms, "sha256": sha256,
                });
                Some(notice(NoticeKind::VoicemailLeft, *call, None, entry, told))
            }
            Event::CallbackRequested { call, request } => {
                let told = json!({ "number": request.number.value, "queue": request.queue });
                Some(notice(NoticeKind::CallbackRequested, *call, None, entry, told))
            }
            Event::CallbackPutOff { call, attempt, due_ms, .. } => {
                let told = json!({ "attempt": attempt, "again": time(*due_ms) });
                Some(notice(NoticeKind::CallbackPutOff, *call, Some(*attempt), entry, told))
            }
            Event::CallbackEnded { call, attempt, outcome } => {
                let told = json!({ "attempt": attempt, "outcome": outcome });
                Some(notice(NoticeKind::CallbackEnded, *call, None, entry, told))
            }
            Event::SurveyAnswered { call, question, score } => {
                let told = json!({ "question": question, "score": score });
                Some(notice(NoticeKind::SurveyAnswered, *call, None, entry, told))
            }
            _ => None,
        }
    }
}

/// `apart` tells notices of one kind about one call from one another.
fn notice(kind: NoticeKind, call: CallId, apart: Option<CallId>, entry: &Entry, told: Value) -> Notice {
    let mut body = Map::new();
    body.insert("type".to_owned(), kind.name().into());
    body.insert("call_id".to_owned(), call.to_string().into());
    body.insert("at".to_owned(), time(entry.wall_ms).into());
    body.insert("seq".to_owned(), entry.seq.into());
    if let Value::Object(told) = told {
        body.extend(told);
    }
    let apart = apart.map_or(String::new(), |apart| format!("-{apart}"));
    Notice { id: format!("{}-{call}{apart}", kind.name()), kind, body: Value::Object(body).to_string() }
}

fn time(wall_ms: i64) -> String {
    jiff::Timestamp::from_millisecond(wall_ms).map_or(String::new(), |at| at.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::{Personal, RecordingState};

    fn entry(seq: u64, event: Event) -> Entry {
        Entry { seq, wall_ms: 1_790_818_200_000, event }
    }

    #[test]
    fn a_message_is_told_once_its_recording_is_closed_and_read_again_until_then() {
        let call = CallId::new(1, 1);
        let mut notices = Notices::default();
        let left = Event::MessageLeft { call, mailbox: "m".into(), caller: Personal::number("138") };
        assert_eq!(notices.take(&entry(7, left)), None);
        assert_eq!((notices.resume_at(9), notices.resume_at(3)), (6, 3));
        let closed = Event::RecordingClosed {
            call,
            recording: "r".into(),
            state: RecordingState::Complete,
            expected_ms: 5_000,
            written_ms: 5_000,
            sha256: Some("ab".into()),
        };
        let notice = notices.take(&entry(9, closed.clone())).expect("a notice");
        assert_eq!(notice.id, format!("voicemail_left-{call}"));
        let body: Value = serde_json::from_str(&notice.body).expect("JSON");
        assert_eq!(
            (&body["mailbox"], &body["caller"], &body["length_ms"]),
            (&"m".into(), &"138".into(), &5_000.into())
        );
        assert_eq!(notices.take(&entry(10, closed)), None, "other recordings are nobody's message");
        assert_eq!(notices.resume_at(10), 10);
    }
}
