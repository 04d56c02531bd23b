//! Our users call one another: a user who proved the password dials another one's name. Nobody else reaches a phone by its name.

use super::Switch;
use super::dial::{Callee, shown_to_phones};
use super::party::Role;
use crate::id::{AgentId, CallId, LegId};
use crate::journal::Cause;
use crate::sip::endpoint::Dial;
use crate::time::Now;

impl Switch {
    /// Whether that is the name of one of our users.
    pub(super) fn is_user(&self, name: &str) -> bool {
        let agent = AgentId::from(name);
        let elsewhere = self.settings.static_contacts.contains_key(&agent) || self.settings.pins.contains_key(&agent);
        elsewhere || self.settings.sip.users.contains_key(name)
    }

    /// Why a user cannot be called now: 486 where the user's phones are in a call, 480 where there is none that answers.
    pub(super) fn why_not_called(&self, user: &AgentId) -> Option<Cause> {
        let lost = || self.endpoint.registrar().is_lost(&self.endpoint.aor(self.desks.phone_of(user).as_str()));
        match self.phone_of(user) {
            _ if self.lines.is_busy(user.as_str()) => Some(Cause::new(486, "in_a_call")),
            None => Some(Cause::new(480, "no_contact")),
            Some(_) if lost() => Some(Cause::new(480, "unreachable")),
            Some(_) => None,
        }
    }

    /// Calls a user's phone, and keeps queues from calling it meanwhile.
    pub(super) fn dial_user(&mut self, call: CallId, leg: LegId, user: AgentId, now: Now) -> Result<(), Cause> {
        let own = self.calls.get(&call).is_some_and(|cell| cell.from_agent.as_ref() == Some(&user));
        let hindered = if own { Some(Cause::new(486, "own_number")) } else { self.why_not_called(&user) };
        if let Some(cause) = hindered {
            return Err(cause);
        }
        let (ways, nat) = self.phone_of(&user).ok_or_else(|| Cause::new(480, "no_contact"))?;
        let callee = Callee { role: Role::Target, user: Some(user.clone()), nat, trunk: None };
        let body = self.offer_to(call, leg, &ways[0], callee, now)?;
        let cell = self.calls.get_mut(&call).ok_or_else(|| Cause::new(500, "no_call"))?;
        cell.early_media = false;
        let (from, domain) = shown_to_phones(cell);
        let carried = cell.carried.clone();
        let name = carried.name.clone().filter(|_| !carried.private);
        // A phone redirects nobody: it must not spend the switch's money.
        let dial = Dial { name, domain, nat, carried, ..Dial::new(ways, from, body) };
        self.endpoint.dial(leg, dial, now);
        self.take_phone(call, Some(user), now);
        Ok(())
    }
}
