//! What each agent is doing.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::id::AgentId;
use crate::journal::{AgentState, Entry, Event};

/// Agents' states with the deadlines of their after-call work.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AgentsFold {
    agents: BTreeMap<AgentId, (AgentState, i64)>,
}

impl AgentsFold {
    /// Every agent ever seen with its state and since when (wall ms), by number.
    pub fn agents(&self) -> impl Iterator<Item = (&AgentId, &AgentState, i64)> {
        self.agents.iter().map(|(agent, (state, since))| (agent, state, *since))
    }

    /// One agent's state.
    pub fn state(&self, agent: &AgentId) -> Option<&AgentState> {
        self.agents.get(agent).map(|(state, _)| state)
    }

    /// One agent's state and since when (wall ms).
    pub fn get(&self, agent: &AgentId) -> Option<(&AgentState, i64)> {
        self.agents.get(agent).map(|(state, since)| (state, *since))
    }

    /// Folds one entry.
    pub fn handle_entry(&mut self, entry: &Entry) {
        if let Event::AgentChanged { agent, state } = &entry.event {
            self.agents.insert(agent.clone(), (state.clone(), entry.wall_ms));
        }
    }
}
