//! Everything that a restart needs, folded from the journal in one pass.

use serde::{Deserialize, Serialize};

use crate::journal::{Entry, Event, LastAgents, LostPlaces, Orders};
use crate::records::live::LiveFold;
use crate::records::{AgentsFold, BindingsFold, Folder};

/// The folds that a snapshot holds. Records are polled from [`Folds::records`] after each entry.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Folds {
    /// Calls, their dialogs and their records.
    pub records: Folder,
    /// What each agent is doing.
    pub agents: AgentsFold,
    /// Where each phone is bound.
    pub bindings: BindingsFold,
    /// What ops have ordered.
    #[serde(default)]
    pub orders: Orders,
    /// Whom customers have spoken with last.
    #[serde(default)]
    pub last_agents: LastAgents,
    /// Places of callers who hung up while they waited.
    #[serde(default)]
    pub lost_places: LostPlaces,
    /// What is going on; a live view goes on from a copy of it.
    pub live: LiveFold,
    /// The last entry folded; 0 before the first.
    seq: u64,
    boot: u32,
}

impl Folds {
    /// The sequence number up to which the folds are complete.
    pub fn seq(&self) -> u64 {
        self.seq
    }

    /// The number of the last start; the next one is one more. 0 before the first.
    pub fn boot(&self) -> u32 {
        self.boot
    }

    /// Folds one entry; one that was folded already (a snapshot overlapping its tail) changes nothing.
    pub fn handle_entry(&mut self, entry: &Entry) {
        if entry.seq <= self.seq {
            return;
        }
        self.seq = entry.seq;
        if let Event::Started { boot, .. } = entry.event {
            self.boot = boot;
        }
        self.records.handle_entry(entry);
        self.agents.handle_entry(entry);
        self.bindings.handle_entry(entry);
        self.orders.handle_event(&entry.event);
        self.last_agents.handle_event(&entry.event);
        self.lost_places.handle_event(&entry.event, entry.wall_ms);
        self.live.handle_entry(entry);
    }
}
