//! A user takes a conversation over to another phone of the same account: INVITE with Replaces (RFC 3891).

use super::Switch;
use super::party::{Party, Role};
use crate::call::{CallState, Input};
use crate::id::{CallId, LegId};
use crate::sdp::Negotiator;
use crate::sip::endpoint::{Identity, Invite};
use crate::time::Now;

impl Switch {
    pub(super) fn handle_replacement(&mut self, leg: LegId, old: LegId, invite: &Invite, now: Now) {
        if let Err(code) = self.replace(leg, old, invite, now) {
            tracing::info!(%leg, %old, code, "a phone does not take another one's place");
            // What was taken for it goes back; the leg is nobody's yet.
            let media = self.legs.remove(&leg).and_then(|party| party.media);
            if let Some(media) = media.filter(|media| media.web.is_none()) {
                self.stock.put(media.lease);
            }
            self.endpoint.refuse(leg, code, now);
        }
    }

    fn replace(&mut self, leg: LegId, old: LegId, invite: &Invite, now: Now) -> Result<(), u16> {
        let (call, role) = self.own_conversation(old, &invite.identity)?;
        let user = self.legs.get(&old).and_then(|party| party.user.clone());
        let secure = self.calls.get(&call).is_some_and(|cell| cell.secure);
        if secure && !invite.flow.transport.is_secure() {
            return Err(480);
        }
        let negotiator = Negotiator::new(self.random_u128() as u64);
        let is_caller = role == Role::Caller;
        self.legs.insert(leg, Box::new(Party { user, ..Party::new(call, role, negotiator) }));
        self.prepare_media(leg, invite, None).map_err(|cause| cause.code)?;
        let thread = |leg: &LegId| self.legs.get(leg)?.media.as_ref().map(|media| media.lease.thread);
        let local = self.local_media(leg, Some(invite.flow.remote.ip()), None);
        let local = local.filter(|_| thread(&leg) == thread(&old)).ok_or(503_u16)?;
        let recording = self.media_of(old).and_then(|media| media.recording);
        if let Some(media) = self.media_of(leg) {
            media.recording = recording;
        }
        let body = self.legs.get_mut(&leg).map(|party| party.describe(&local, now)).unwrap_or_default();
        self.endpoint.answer(leg, body, now);
        if let Some(cell) = self.calls.get_mut(&call) {
            cell.rehost(old, leg);
            if is_caller {
                cell.caller = leg;
            }
        }
        self.tell(call, Input::Moved { from: old, to: leg });
        Ok(())
    }

    /// The conversation that a leg is, and as what, where it is that of the user who asks.
    fn own_conversation(&self, leg: LegId, identity: &Identity) -> Result<(CallId, Role), u16> {
        let Identity::User(user) = identity else { return Err(403) };
        let party = self.legs.get(&leg).ok_or(481_u16)?;
        let cell = self.calls.get(&party.call).ok_or(481_u16)?;
        let CallState::Bridged { leg: talking, .. } = cell.call.state() else { return Err(603) };
        let owner = match &party.role {
            Role::Agent(agent) if *talking == leg => Some(agent),
            Role::Target if *talking == leg => party.user.as_ref(),
            Role::Caller if cell.caller == leg => cell.from_agent.as_ref(),
            Role::Agent(_) | Role::Caller | Role::Target | Role::Supervisor => None,
        };
        match owner {
            Some(owner) if owner.as_str() == user => Ok((party.call, party.role.clone())),
            _ => Err(603),
        }
    }
}
