//! An agent takes a conversation over to another phone of the same account: INVITE with Replaces (RFC 3891).

use super::Switch;
use super::party::{Party, Role};
use crate::call::{CallState, Input};
use crate::id::{AgentId, CallId, LegId};
use crate::sdp::Negotiator;
use crate::sip::endpoint::{Identity, Invite};
use crate::time::Now;

impl Switch {
    pub(super) fn handle_replacement(&mut self, leg: LegId, old: LegId, invite: &Invite, now: Now) {
        if let Err(code) = self.replace(leg, old, invite, now) {
            tracing::info!(%leg, %old, code, "a phone does not take another one's place");
            // What was taken for it goes back; the leg is nobody's yet.
            if let Some(media) = self.legs.remove(&leg).and_then(|party| party.media) {
                self.stock.put(media.lease);
            }
            self.endpoint.refuse(leg, code, now);
        }
    }

    fn replace(&mut self, leg: LegId, old: LegId, invite: &Invite, now: Now) -> Result<(), u16> {
        let (call, agent) = self.own_conversation(old, &invite.identity)?;
        let secure = self.calls.get(&call).is_some_and(|cell| cell.secure);
        if secure && !invite.flow.transport.is_secure() {
            return Err(480);
        }
        let negotiator = Negotiator::new(self.random_u128() as u64);
        self.legs.insert(leg, Party::new(call, Role::Agent(agent), negotiator));
        self.prepare_media(leg, invite).map_err(|cause| cause.code)?;
        let thread = |leg: &LegId| self.legs.get(leg)?.media.as_ref().map(|media| media.lease.thread);
        let port = self.legs.get(&leg).and_then(|party| party.media.as_ref()).map(|media| media.lease.rtp_port);
        let port = port.filter(|_| thread(&leg) == thread(&old)).ok_or(503_u16)?;
        let local = self.local_media(port, Some(invite.flow.remote.ip()), None, None);
        let recording = self.media_of(old).and_then(|media| media.recording.clone());
        if let Some(media) = self.media_of(leg) {
            media.recording = recording;
        }
        let body = self.legs.get_mut(&leg).map(|party| party.describe(&local)).unwrap_or_default();
        self.endpoint.answer(leg, body, now);
        self.tell(call, Input::Moved { from: old, to: leg });
        Ok(())
    }

    /// The conversation that a leg is, where it is that of the agent who asks.
    fn own_conversation(&self, leg: LegId, identity: &Identity) -> Result<(CallId, AgentId), u16> {
        let Identity::User(user) = identity else { return Err(403) };
        let party = self.legs.get(&leg).ok_or(481_u16)?;
        let agent = match &party.role {
            Role::Agent(agent) if agent.as_str() == user => agent.clone(),
            // A call that the agent has placed stays on the phone that placed it.
            Role::Agent(_) | Role::Caller | Role::Target => return Err(603),
        };
        match self.calls.get(&party.call).map(|cell| cell.call.state()) {
            Some(CallState::Bridged { leg: talking, .. }) if *talking == leg => Ok((party.call, agent)),
            _ => Err(603),
        }
    }
}
