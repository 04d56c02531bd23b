//! What agents are good at.

use std::collections::BTreeMap;

/// Proficiency by skill, 1–100: the skill's number and the level, ascending.
pub(super) type Levels = Box<[(u16, u8)]>;

/// The skills that there are or were, numbered. A floor has dozens, and many agents share them.
#[derive(Clone, Debug, Default)]
pub(super) struct Skills(BTreeMap<String, u16>);

impl Skills {
    /// An agent's levels. Skills beyond 65,536 are had by nobody.
    pub(super) fn levels(&mut self, skills: &BTreeMap<String, u8>) -> Levels {
        let mut levels: Vec<(u16, u8)> = Vec::with_capacity(skills.len());
        for (name, level) in skills {
            levels.extend(self.number(name).map(|number| (number, *level)));
        }
        levels.sort_unstable();
        levels.into()
    }

    /// How good somebody with these levels is at a skill; `None` where not at all.
    pub(super) fn level(&self, levels: &Levels, skill: &str) -> Option<u8> {
        let number = self.0.get(skill)?;
        levels.binary_search_by_key(number, |(skill, _)| *skill).ok().map(|at| levels[at].1)
    }

    fn number(&mut self, name: &str) -> Option<u16> {
        if let Some(number) = self.0.get(name) {
            return Some(*number);
        }
        let number = u16::try_from(self.0.len()).ok()?;
        self.0.insert(name.to_owned(), number);
        Some(number)
    }
}
