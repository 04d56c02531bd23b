//! What an agent is good at.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Proficiency by skill, 1–100, in the order of the names.
#[derive(Clone, Debug, Default)]
pub(super) struct Skills(Box<[(Arc<str>, u8)]>);

impl Skills {
    pub(super) fn level(&self, skill: &str) -> Option<u8> {
        self.0.binary_search_by(|(name, _)| (**name).cmp(skill)).ok().map(|at| self.0[at].1)
    }
}

/// Names that many agents share are kept once.
#[derive(Debug, Default)]
pub(super) struct Names(BTreeSet<Arc<str>>);

impl Names {
    pub(super) fn skills(&mut self, skills: &BTreeMap<String, u8>) -> Skills {
        Skills(skills.iter().map(|(name, level)| (self.shared(name), *level)).collect())
    }

    fn shared(&mut self, name: &str) -> Arc<str> {
        if let Some(known) = self.0.get(name) {
            return Arc::clone(known);
        }
        let name: Arc<str> = name.into();
        self.0.insert(Arc::clone(&name));
        name
    }
}
