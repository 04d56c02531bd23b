//! A start: what the journal left open is closed, what it knows comes back.

use std::collections::BTreeSet;

use super::{Restart, Switch};
use crate::acd;
use crate::id::{AgentId, CallId, LegId};
use crate::journal::{AgentState, DialogState, Event};
use crate::sip::dialog::DialogId;
use crate::sip::endpoint::{DialogFacts, Why};
use crate::time::Now;

impl Switch {
    pub(super) fn resume(&mut self, restart: Restart, now: Now) {
        // First: that it is a start is for them to know.
        (self.orders, self.callbacks) = (restart.orders, restart.callbacks);
        (self.last_agents, self.lost_places) = (restart.last_agents, restart.lost_places);
        self.desks = restart.desks;
        let (node, version) = (self.settings.node.clone(), self.settings.version.clone());
        self.journal(Event::Started { node, boot: restart.boot, version }, now);
        for event in restart.closing {
            self.journal(event, now);
        }
        for (call, leg, dialog) in restart.dialogs {
            self.close_orphan(call, leg, dialog, now);
        }
        self.resume_callbacks(now);
        self.endpoint.restore_bindings(restart.bindings, now);
        self.endpoint.open_trunks(now);
        let (mut signed_in, mut known) = (BTreeSet::new(), BTreeSet::new());
        for (agent, seen) in restart.agents {
            known.insert(agent.clone());
            if seen.iter().any(|seen| seen.state != AgentState::Offline) {
                signed_in.insert(agent.clone());
            }
            self.acd.handle(acd::Input::Restored { agent, seen }, now);
        }
        // Whoever was signed in by a phone that is bound no longer is signed out.
        for agent in signed_in {
            if !self.has_phone(&agent) {
                self.acd.handle(acd::Input::AgentSignedOut { agent }, now);
            }
        }
        // Whose phone is always there begins signed in, and stays signed out once having said so.
        let is_new = |agent: &&AgentId| !known.contains(*agent) && self.desks.guest_of(agent).is_none();
        let begin: Vec<_> = self.settings.static_contacts.keys().filter(is_new).cloned().collect();
        for agent in begin {
            self.acd.handle(acd::Input::AgentSignedIn { agent }, now);
        }
    }

    /// Both sides of a call that the crash cut get their BYE.
    fn close_orphan(&mut self, call: CallId, leg: LegId, dialog: DialogState, now: Now) {
        let Ok(flow) = dialog.flow.parse() else {
            tracing::error!(%call, flow = dialog.flow, "a dialog of the last run names no usable way; no BYE is sent");
            let cause = crate::journal::Cause::switch_restart();
            self.journal(Event::LegEnded { call, leg, cause }, now);
            return;
        };
        let facts = DialogFacts {
            id: DialogId { call_id: dialog.call_id, local_tag: dialog.local_tag, remote_tag: dialog.remote_tag },
            local_uri: dialog.local_uri.value,
            remote_uri: dialog.remote_uri.value,
            remote_target: dialog.remote_target.value,
            route_set: dialog.route_set,
            local_cseq: dialog.local_cseq,
            remote_cseq: dialog.remote_cseq,
            flow,
        };
        self.orphans.insert(leg, call);
        self.endpoint.restore_dialog(leg, facts);
        self.endpoint.hang_up(leg, Why::new(41, "switch_restart"), now);
    }
}
