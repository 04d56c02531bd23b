//! New settings and a new plan while calls go on.

use super::{Settings, Switch};
use crate::acd::{self, BadSettings};
use crate::journal::Event;
use crate::time::Now;

impl Switch {
    /// Whether [`super::Input::Reload`] can carry these settings.
    ///
    /// # Errors
    /// The first contradiction of agents and queues.
    pub fn check_reload(settings: &Settings) -> Result<(), BadSettings> {
        settings.acd.faults().into_iter().next().map_or(Ok(()), Err)
    }

    pub(super) fn handle_reload(&mut self, new: Settings, changes: Vec<String>, now: Now) {
        if let Err(fault) = self.acd.reconfigure(new.acd.clone(), now) {
            tracing::error!(%fault, "settings were reloaded that contradict themselves; nothing has changed");
            return;
        }
        self.journal(Event::Reloaded { changes }, now);
        self.endpoint.set_users(new.sip.users, new.sip.emergency);
        let phones: Vec<_> = new
            .static_contacts
            .keys()
            .filter(|agent| !self.settings.static_contacts.contains_key(*agent))
            .cloned()
            .collect();
        let old = &mut self.settings;
        (old.program, old.acd) = (new.program, new.acd);
        (old.prompts, old.music, old.default_music) = (new.prompts, new.music, new.default_music);
        (old.routes, old.record_internal, old.recording_codes) = (new.routes, new.record_internal, new.recording_codes);
        (old.srtp, old.users_srtp) = (new.srtp, new.users_srtp);
        (old.auto_answer, old.static_contacts) = (new.auto_answer, new.static_contacts);
        (old.may_call, old.caller_ids, old.pins) = (new.may_call, new.caller_ids, new.pins);
        for agent in phones {
            self.acd.handle(acd::Input::AgentSignedIn { agent }, now);
        }
        // Their hours may have changed.
        self.resume_callbacks(now);
    }
}
