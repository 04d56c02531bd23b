//! What each agent is doing.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::id::AgentId;
use crate::journal::{AgentState, Entry, Event, Seen};

/// Agents' states with the deadlines of their after-call work.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AgentsFold {
    agents: BTreeMap<AgentId, (AgentState, i64)>,
    /// Of those who take several calls at once, what the further appearances show.
    #[serde(default)]
    beside: BTreeMap<AgentId, BTreeMap<u8, (AgentState, i64)>>,
    /// What they want to do once the call of an appearance is over.
    #[serde(default)]
    wishes: BTreeMap<AgentId, BTreeMap<u8, AgentState>>,
}

impl AgentsFold {
    /// Every agent ever seen, by number, with every appearance.
    pub fn agents(&self) -> impl Iterator<Item = (AgentId, Vec<Seen>)> {
        self.agents.keys().map(|agent| {
            let wishes = self.wishes.get(agent);
            let seen = |(appearance, state, since_wall_ms): (u8, &AgentState, i64)| {
                let wish = wishes.and_then(|wishes| wishes.get(&appearance)).cloned();
                Seen { appearance, state: state.clone(), since_wall_ms, wish }
            };
            (agent.clone(), self.appearances(agent).map(seen).collect())
        })
    }

    /// One agent's state: of several calls, what is going on most.
    pub fn state(&self, agent: &AgentId) -> Option<&AgentState> {
        self.get(agent).map(|(state, _)| state)
    }

    /// The same, and since when (wall ms).
    pub fn get(&self, agent: &AgentId) -> Option<(&AgentState, i64)> {
        let all = self.appearances(agent);
        all.min_by_key(|(appearance, state, _)| (state.rank(), *appearance)).map(|(_, state, since)| (state, since))
    }

    /// Every call that an agent could be in at once, from the first on: its number, the state, and since when (wall ms).
    pub fn appearances(&self, agent: &AgentId) -> impl Iterator<Item = (u8, &AgentState, i64)> {
        let first = self.agents.get(agent).map(|(state, since)| (0, state, *since));
        let beside = self.beside.get(agent).into_iter().flatten();
        first.into_iter().chain(beside.map(|(appearance, (state, since))| (*appearance, state, *since)))
    }

    /// Whether a call could be presented to the agent now: on an appearance that is free, while none rings and no after-call work
    /// is done on another one.
    pub fn takes_call(&self, agent: &AgentId) -> bool {
        let holds_off = |state: &AgentState| state.presented().is_some() || matches!(state, AgentState::Acw { .. });
        let free = self.appearances(agent).any(|(_, state, _)| *state == AgentState::Available);
        free && !self.appearances(agent).any(|(_, state, _)| holds_off(state))
    }

    /// Folds one entry.
    pub fn handle_entry(&mut self, entry: &Entry) {
        if let Event::AgentWished { agent, appearance, state } = &entry.event {
            return self.wish(agent, *appearance, Some(state));
        }
        let Event::AgentChanged { agent, appearance, state } = &entry.event else { return };
        if !state.is_handling() {
            self.wish(agent, *appearance, None);
        }
        let seen = (state.clone(), entry.wall_ms);
        if *appearance == 0 {
            self.agents.insert(agent.clone(), seen);
        } else {
            self.beside.entry(agent.clone()).or_default().insert(*appearance, seen);
        }
    }

    /// Being available is what comes by itself.
    fn wish(&mut self, agent: &AgentId, appearance: u8, wish: Option<&AgentState>) {
        if let Some(wish) = wish.filter(|wish| **wish != AgentState::Available) {
            self.wishes.entry(agent.clone()).or_default().insert(appearance, wish.clone());
        } else if let Some(wishes) = self.wishes.get_mut(agent) {
            wishes.remove(&appearance);
            if wishes.is_empty() {
                self.wishes.remove(agent);
            }
        }
    }
}
