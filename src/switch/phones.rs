//! Phones that register: their bindings are safe before their 200 leaves.

use std::collections::BTreeSet;

use super::{JournalProgress, Output, Switch, Waiting};
use crate::dialplan::CursorInput;
use crate::id::{AgentId, CallId};
use crate::journal::Event;
use crate::sip::endpoint::{Confirmation, user_of};
use crate::sip::registrar::{Binding, BindingChange};
use crate::time::Now;

impl Switch {
    pub(super) fn handle_registered(&mut self, confirmation: Box<Confirmation>, changes: Vec<BindingChange>, now: Now) {
        let users: BTreeSet<String> = changes.iter().map(|change| user_of(change.aor()).to_owned()).collect();
        for change in changes {
            let event = match change {
                BindingChange::Added(binding) | BindingChange::Refreshed(binding) => changed(binding),
                BindingChange::Removed { aor, uri } => removed(aor, uri),
            };
            self.journal(event, now);
        }
        for user in users {
            self.follow_reach(&user, now);
        }
        self.wait_for_sync(Waiting::Register(confirmation), now);
    }

    /// A contact answers our OPTIONS, or no longer does. An agent none of whose phones answers is presented no caller.
    pub(super) fn handle_reachability(&mut self, user: &str, uri: &str, reachable: bool, now: Now) {
        if reachable {
            tracing::debug!(user, uri, "a phone answers OPTIONS");
        } else {
            tracing::warn!(
                user,
                uri,
                "a phone answers no OPTIONS; look at its power, its network and its registration"
            );
        }
        self.follow_reach(user, now);
    }

    fn follow_reach(&mut self, user: &str, now: Now) {
        if let Some(agent) = self.reached_by(user) {
            self.tell_reach(agent, now);
        }
    }

    /// Whether a call can be sent to the agent at all.
    pub(super) fn has_phone(&self, agent: &AgentId) -> bool {
        let phone = self.desks.phone_of(agent);
        let bound = !self.endpoint.registrar().contacts(&self.endpoint.aor(phone.as_str())).is_empty();
        bound || self.settings.static_contacts.contains_key(phone)
    }

    pub(super) fn handle_binding_expired(&mut self, aor: String, uri: String, now: Now) {
        let user = user_of(&aor).to_owned();
        self.journal(removed(aor, uri), now);
        self.follow_reach(&user, now);
    }

    /// Parks a confirmation until all that was journalled so far is synced.
    pub(super) fn wait_for_sync(&mut self, waiting: Waiting, now: Now) {
        self.waiting.push_back((self.outbox.last_seq(), waiting));
        self.release_confirmations(self.outbox.progress(), now);
    }

    /// A call's plan goes on once everything so far is synced.
    pub(super) fn store_for(&mut self, call: CallId, now: Now) {
        self.storing.push_back((self.outbox.last_seq(), call));
        self.release_stored(self.outbox.progress(), now);
    }

    fn release_stored(&mut self, progress: JournalProgress, now: Now) {
        while let Some((_, call)) = self.storing.pop_front_if(|(seq, _)| *seq <= progress.synced) {
            self.advance(call, CursorInput::Stored { safe: true }, now);
        }
    }

    pub(super) fn handle_progress(&mut self, progress: JournalProgress, now: Now) {
        self.outbox.handle_progress(progress);
        self.endpoint.set_refusing(self.draining || progress.full);
        self.release_confirmations(progress, now);
        self.release_stored(progress, now);
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
        q: binding.q,
        path: binding.path,
        instance: binding.instance,
    }
}

fn removed(aor: String, contact: String) -> Event {
    let none = String::new;
    let (flow, call_id, path) = (none(), none(), Vec::new());
    Event::BindingChanged { aor, contact, flow, call_id, cseq: 0, expires_ms: 0, q: 0, path, instance: None }
}
