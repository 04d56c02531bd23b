//! Which agent sits at whose phone, folded from the journal.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::{AgentState, Event};
use crate::id::AgentId;

/// Agents who sit at a phone that is not their own, until they sign out.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Desks {
    phones: BTreeMap<AgentId, AgentId>,
    agents: BTreeMap<AgentId, AgentId>,
    /// Of those who sit so, the appearances that are not signed out, as far as seen.
    #[serde(default)]
    signed_in: BTreeMap<AgentId, BTreeSet<u8>>,
}

impl Desks {
    /// Takes in what happened; gives who has left a phone by it.
    pub fn handle_event(&mut self, event: &Event) -> Option<AgentId> {
        match event {
            Event::DeskTaken { agent, phone } => {
                self.leave(agent);
                // Nobody is at his or her own phone as a guest.
                let before = if agent == phone { None } else { self.agents.insert(phone.clone(), agent.clone()) };
                if let Some(before) = &before {
                    self.phones.remove(before);
                }
                if agent != phone {
                    self.phones.insert(agent.clone(), phone.clone());
                }
                before
            }
            Event::AgentChanged { agent, appearance, state } if self.phones.contains_key(agent) => {
                // Whoever takes several calls at once leaves with the last of them.
                let seen = self.signed_in.entry(agent.clone()).or_default();
                if *state != AgentState::Offline {
                    seen.insert(*appearance);
                    return None;
                }
                seen.remove(appearance);
                (seen.is_empty() && self.leave(agent)).then(|| agent.clone())
            }
            _ => None,
        }
    }

    /// The user at whose phone an agent is reached: the agent's own one where he or she sits nowhere else.
    pub fn phone_of<'a>(&'a self, agent: &'a AgentId) -> &'a AgentId {
        self.phones.get(agent).unwrap_or(agent)
    }

    /// Who sits at a user's phone, if it is somebody else.
    pub fn guest_of(&self, phone: &AgentId) -> Option<&AgentId> {
        self.agents.get(phone)
    }

    fn leave(&mut self, agent: &AgentId) -> bool {
        self.signed_in.remove(agent);
        let phone = self.phones.remove(agent);
        phone.is_some_and(|phone| self.agents.remove(&phone).is_some())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_takes_several_calls_leaves_the_phone_with_the_last_of_them() {
        let id = |name: &str| AgentId::from(name);
        let mut desks = Desks::default();
        desks.handle_event(&Event::DeskTaken { agent: id("1003"), phone: id("201") });
        let mut is =
            |appearance, state| desks.handle_event(&Event::AgentChanged { agent: id("1003"), appearance, state });
        for appearance in 0..3 {
            assert_eq!(is(appearance, AgentState::Available), None);
        }
        assert_eq!((is(0, AgentState::Offline), is(2, AgentState::Offline)), (None, None));
        assert_eq!((is(1, AgentState::Offline), is(1, AgentState::Offline)), (Some(id("1003")), None));
        assert_eq!(desks, Desks::default());
    }

    #[test]
    fn an_agent_has_one_phone_and_a_phone_one_agent() {
        let id = |name: &str| AgentId::from(name);
        let mut desks = Desks::default();
        let sit = |desks: &mut Desks, agent, phone| {
            desks.handle_event(&Event::DeskTaken { agent: AgentId::from(agent), phone: AgentId::from(phone) })
        };
        assert_eq!(sit(&mut desks, "1003", "201"), None);
        assert_eq!((desks.phone_of(&id("1003")), desks.guest_of(&id("201"))), (&id("201"), Some(&id("1003"))));
        sit(&mut desks, "1003", "202");
        assert_eq!((desks.phone_of(&id("1003")), desks.guest_of(&id("201"))), (&id("202"), None));
        assert_eq!(sit(&mut desks, "1004", "202"), Some(id("1003")));
        assert_eq!((desks.phone_of(&id("1003")), desks.phone_of(&id("1004"))), (&id("1003"), &id("202")));
        let signed_out = Event::AgentChanged { agent: id("1004"), appearance: 0, state: AgentState::Offline };
        assert_eq!(desks.handle_event(&signed_out), Some(id("1004")));
        assert_eq!(desks.handle_event(&signed_out), None);
        sit(&mut desks, "1003", "201");
        sit(&mut desks, "1003", "1003");
        assert_eq!(desks, Desks::default());
    }
}
