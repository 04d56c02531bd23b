//! What follows for calls where recordings cannot be written: calls go on, but for those that must be recorded.

use super::{Storage, StorageFigures, Switch};
use crate::acd;
use crate::call::{CallState, Input};
use crate::dialplan::CursorInput;
use crate::id::{CallId, QueueId};
use crate::time::Now;

impl Switch {
    /// Whether a conversation that begins now could be recorded.
    pub(super) fn can_record(&self) -> bool {
        self.storage.storage == Storage::Fine
    }

    pub(super) fn handle_storage(&mut self, figures: StorageFigures, now: Now) {
        let before = std::mem::replace(&mut self.storage, figures).storage;
        if before == figures.storage {
            return;
        }
        let (free_bytes, lost_ms) = (figures.free_bytes, figures.lost_ms);
        if self.can_record() {
            return tracing::warn!(free_bytes, lost_ms, "recordings can be written again");
        }
        tracing::error!(
            reason = figures.storage.name(),
            free_bytes,
            "recordings cannot be written: calls go on without, those that must be recorded are not put through; \
             see to the disk of data_dir/recordings (trunkline_recording_alarm)"
        );
        self.send_back_unrecordable(now);
    }

    /// Callers who wait for a conversation that must be recorded wait in vain: their plan goes on.
    fn send_back_unrecordable(&mut self, now: Now) {
        let waits = |state: &CallState| matches!(state, CallState::Waiting { .. } | CallState::Presented { .. });
        let waiting: Vec<CallId> =
            self.calls.iter().filter(|(_, cell)| waits(cell.call.state())).map(|(call, _)| *call).collect();
        for call in waiting {
            let positions = self.acd.view().positions(call);
            let strict = positions.iter().map(|(queue, _)| QueueId::clone(queue)).find(|queue| self.must_record(queue));
            let Some(queue) = strict else { continue };
            self.tell_unrecordable(call, &queue);
            self.acd.handle(acd::Input::CallerRemoved { call }, now);
            self.tell(call, Input::Dequeued);
            self.advance(call, CursorInput::Unrecordable, now);
        }
    }

    fn must_record(&self, queue: &QueueId) -> bool {
        self.settings.program.queues().get(queue.as_str()).is_some_and(|queue| queue.must_record)
    }

    /// A call is not put through.
    pub(super) fn tell_unrecordable(&mut self, call: CallId, queue: &QueueId) {
        self.counts.unrecordable += 1;
        let reason = self.storage.storage.name();
        tracing::warn!(%call, %queue, storage = reason, "a call that must be recorded cannot be, and is not put through");
    }
}
