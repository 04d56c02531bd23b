//! Which agent a customer has spoken with last, folded from the journal.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::Event;
use super::recent::Recent;
use crate::id::{AgentId, CallId};

/// Agents by the customer's number.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastAgents {
    /// The customers of the calls that go on.
    calls: BTreeMap<CallId, String>,
    agents: Recent<AgentId>,
}

impl LastAgents {
    /// Takes in what happened; other events change nothing.
    pub fn handle_event(&mut self, event: &Event) {
        match event {
            Event::CallOffered { call, caller, .. } if !caller.subject.is_empty() => {
                self.calls.insert(*call, caller.subject.clone());
            }
            Event::AgentAnswered { call, agent, .. } => {
                if let Some(number) = self.calls.get(call).cloned() {
                    self.agents.remember(number, agent.clone());
                }
            }
            Event::CallEnded { call, .. } => drop(self.calls.remove(call)),
            // No call outlives a start.
            Event::Started { .. } => self.calls.clear(),
            _ => {}
        }
    }

    /// Whom the customer has spoken with last.
    pub fn of(&self, number: &str) -> Option<&AgentId> {
        self.agents.get(number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::LegId;
    use crate::journal::{Direction, Personal};

    #[test]
    fn the_last_one_counts_and_no_call_outlives_a_start() {
        let mut agents = LastAgents::default();
        let mut talk = |number: u64, customer: &str, agent: &str| {
            let call = CallId::new(1, u128::from(number));
            let (leg, direction, caller) = (LegId(1), Direction::Inbound, Personal::number(customer));
            agents.handle_event(&Event::CallOffered { call, leg, direction, trunk: None, caller, called: "4".into() });
            let (codec_in, codec_out) = (String::new(), String::new());
            agents.handle_event(&Event::AgentAnswered { call, agent: agent.into(), codec_in, codec_out });
        };
        talk(1, "first", "1001");
        talk(2, "second", "1001");
        talk(3, "second", "1002");
        assert_eq!((agents.of("first"), agents.of("second")), (Some(&"1001".into()), Some(&"1002".into())));
        agents.handle_event(&Event::Started { node: "n".into(), boot: 2, version: "0".into() });
        assert!(agents.calls.is_empty() && agents.of("second").is_some());
    }
}
