//! Agents who sit down at whatever phone is free: they say who they are and prove it by their PIN.

use std::collections::BTreeMap;

use super::{Switch, as_agent};
use crate::acd::{self, Acd};
use crate::call::Input;
use crate::dialplan::Unseated;
use crate::id::{AgentId, CallId};
use crate::journal::Event;
use crate::sip::digest::Secret;
use crate::sip::endpoint::{Identity, Invite};
use crate::time::Now;

/// Wrong PINs in a row after which an agent's PIN is not looked at for a while.
const MOST_WRONG: u32 = 5;
/// For how long (ms).
const LOCKED_MS: i64 = 300_000;

/// Wrong PINs by the agent who was named.
#[derive(Debug, Default)]
pub struct Attempts(BTreeMap<AgentId, (u32, i64)>);

impl Attempts {
    fn count(&mut self, agent: &AgentId, now: Now) -> u32 {
        let (wrong, at_ms) = self.0.entry(agent.clone()).or_default();
        *wrong = if now.wall_ms.saturating_sub(*at_ms) > LOCKED_MS { 1 } else { *wrong + 1 };
        *at_ms = now.wall_ms;
        *wrong
    }

    fn is_locked(&self, agent: &AgentId, wall_ms: i64) -> bool {
        self.0.get(agent).is_some_and(|(wrong, at_ms)| *wrong >= MOST_WRONG && wall_ms - at_ms <= LOCKED_MS)
    }
}

/// Whether the agent is in a conversation, or a call is presented to him or her.
fn is_engaged(acd: &Acd, agent: &AgentId) -> bool {
    let state = acd.view().agent(agent).map(|seen| seen.state);
    state.is_some_and(|state| state.conversation().is_some() || state.presented().is_some())
}

/// Who may sit down at a phone.
#[derive(Clone, Copy, Debug)]
pub enum Seats<'a> {
    /// Every agent.
    Anybody,
    /// Who proves it.
    ByPin(Proofs<'a>),
}

/// PINs, those that were wrong, and whether the phone is free.
#[derive(Clone, Copy, Debug)]
pub struct Proofs<'a> {
    pins: &'a BTreeMap<AgentId, Secret>,
    attempts: &'a Attempts,
    is_free: bool,
}

impl Seats<'_> {
    /// Lets an agent sit down whose PIN is right, where neither the agent nor who sits at the phone is in a conversation.
    ///
    /// # Errors
    /// Why not.
    pub(super) fn may_sit(&self, acd: &Acd, agent: &str, pin: &str, wall_ms: i64) -> Result<(), Unseated> {
        let agent = as_agent(agent);
        let (proved, locked, is_free) = match self {
            Self::Anybody => (acd.view().agent(&agent).is_some(), false, true),
            Self::ByPin(Proofs { pins, attempts, is_free }) => {
                let right = pins.get(&agent).is_some_and(|right| right.expose() == pin);
                (right, attempts.is_locked(&agent, wall_ms), *is_free)
            }
        };
        // Whoever tries while it is locked learns nothing of the PIN.
        match (locked, proved, is_free && !is_engaged(acd, &agent)) {
            (true, ..) => Err(Unseated::Locked),
            (_, false, _) => Err(Unseated::WrongPin),
            (_, _, false) => Err(Unseated::InUse),
            _ => Ok(()),
        }
    }
}

impl Switch {
    /// What decides whether somebody may sit down at the phone that places a call.
    pub(super) fn seats(&self, call: CallId) -> Seats<'_> {
        let phone = self.calls.get(&call).and_then(|cell| cell.phone.as_ref());
        let guest = phone.map(|phone| self.desks.guest_of(phone).unwrap_or(phone));
        let is_free = guest.is_some_and(|guest| !is_engaged(&self.acd, guest));
        Seats::ByPin(Proofs { pins: &self.settings.pins, attempts: &self.attempts, is_free })
    }

    /// An agent has proved to sit at the phone that places a call: signed in there, and whoever sat there is signed out.
    pub(super) fn sit(&mut self, call: CallId, agent: AgentId, now: Now) {
        let Some(cell) = self.calls.get_mut(&call) else { return };
        let Some(phone) = cell.phone.clone() else { return };
        let caller = cell.caller;
        let before = cell.from_agent.replace(agent.clone());
        tracing::info!(%call, %agent, %phone, "an agent sits down at a phone");
        self.attempts.0.remove(&agent);
        if let Some(other) = self.reached_by(phone.as_str()).filter(|other| *other != agent) {
            self.acd.handle(acd::Input::AgentSignedOut { agent: other }, now);
        }
        self.journal(Event::DeskTaken { agent: agent.clone(), phone }, now);
        // The phone is in this call as the agent's from now on.
        if let Some(party) = self.legs.get_mut(&caller) {
            party.user = Some(agent.clone());
        }
        self.take_phone(call, Some(agent.clone()), now);
        self.free_phone(call, before.filter(|before| *before != agent), now);
        self.tell_reach(agent.clone(), now);
        self.tell(call, Input::Served);
        self.acd.handle(acd::Input::AgentSignedIn { agent: agent.clone() }, now);
        self.acd.handle(acd::Input::SetAvailable { agent }, now);
    }

    /// An agent was named who is not let in at the phone that calls.
    pub(super) fn handle_not_seated(&mut self, call: CallId, agent: &AgentId, why: Unseated, now: Now) {
        self.counts.desks_refused += 1;
        let known = self.settings.pins.contains_key(agent);
        let wrong = if why == Unseated::WrongPin && known { self.attempts.count(agent, now) } else { 0 };
        tracing::warn!(%call, %agent, %why, wrong, "an agent is not let in at a phone");
    }

    /// Whose phone a call is placed from; who sits there places it.
    pub(super) fn seat(&self, invite: &mut Invite) -> Option<AgentId> {
        let Identity::User(user) = &mut invite.identity else { return None };
        let phone = as_agent(user);
        if let Some(guest) = self.desks.guest_of(&phone) {
            if invite.caller == *user {
                guest.as_str().clone_into(&mut invite.caller);
            }
            guest.as_str().clone_into(user);
        }
        Some(phone)
    }

    /// The agent who is reached by a user's phone: who sits there, else the user, unless at another one.
    pub(super) fn reached_by(&self, user: &str) -> Option<AgentId> {
        let phone = as_agent(user);
        let own = || (*self.desks.phone_of(&phone) == phone).then(|| phone.clone());
        self.desks.guest_of(&phone).cloned().or_else(own)
    }

    /// Whether the phone answers at which an agent is reached.
    pub(super) fn tell_reach(&mut self, agent: AgentId, now: Now) {
        let phone = self.endpoint.aor(self.desks.phone_of(&agent).as_str());
        let reachable = !self.endpoint.registrar().is_lost(&phone);
        self.acd.handle(acd::Input::PhoneReach { agent, reachable }, now);
    }
}
