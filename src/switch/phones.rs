//! Phones that register: their bindings are safe before their 200 leaves.

use super::{JournalProgress, Output, Switch, Waiting};
use crate::journal::Event;
use crate::sip::endpoint::Confirmation;
use crate::sip::registrar::{Binding, BindingChange};
use crate::time::Now;

impl Switch {
    pub(super) fn handle_registered(&mut self, confirmation: Box<Confirmation>, changes: Vec<BindingChange>, now: Now) {
        for change in changes {
            let event = match change {
                BindingChange::Added(binding) | BindingChange::Refreshed(binding) => changed(binding),
                BindingChange::Removed { aor, uri } => removed(aor, uri),
            };
            self.journal(event, now);
        }
        self.wait_for_sync(Waiting::Register(confirmation), now);
    }

    pub(super) fn handle_binding_expired(&mut self, aor: String, uri: String, now: Now) {
        self.journal(removed(aor, uri), now);
    }

    /// Parks a confirmation until all that was journalled so far is synced.
    pub(super) fn wait_for_sync(&mut self, waiting: Waiting, now: Now) {
        self.waiting.push_back((self.outbox.last_seq(), waiting));
        self.release_confirmations(self.outbox.progress(), now);
    }

    pub(super) fn handle_progress(&mut self, progress: JournalProgress, now: Now) {
        self.outbox.handle_progress(progress);
        self.endpoint.set_refusing(self.draining || progress.full);
        self.release_confirmations(progress, now);
    }

    /// Confirmations leave once synced; when the disk is stalled they are refused rather than late.
    fn release_confirmations(&mut self, progress: JournalProgress, now: Now) {
        while let Some((seq, waiting)) =
            self.waiting.pop_front_if(|(seq, _)| *seq <= progress.synced || progress.stalled)
        {
            let safe = seq <= progress.synced;
            match waiting {
                Waiting::Register(confirmation) if safe => self.endpoint.confirm(*confirmation, now),
                Waiting::Register(confirmation) => self.endpoint.refuse_confirmation(&confirmation, now),
                Waiting::Reply { id } => {
                    let result = if safe { Ok(seq) } else { Err(super::CommandError::Stalled) };
                    self.outbox.push(Output::Reply { id, result }, now);
                }
            }
        }
    }
}

fn changed(binding: Binding) -> Event {
    Event::BindingChanged {
        aor: binding.aor,
        contact: binding.uri,
        flow: binding.flow,
        call_id: binding.call_id,
        cseq: binding.cseq,
        expires_ms: binding.expires_wall_ms,
    }
}

fn removed(aor: String, contact: String) -> Event {
    Event::BindingChanged { aor, contact, flow: String::new(), call_id: String::new(), cseq: 0, expires_ms: 0 }
}
