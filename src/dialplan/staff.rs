//! Whether anybody has the skills that the plan asks for.

use std::collections::BTreeMap;

use super::load::Agents;
use super::report::{Report, suggest};
use super::table::At;

/// Who could have the skills that are asked for.
pub(super) struct Staff<'a> {
    /// What the settings say of all agents, where they are known.
    pub(super) agents: Option<&'a Agents>,
    /// Those who serve the queue, or one that it overflows to, with what is asked of them there in any case.
    pub(super) serve: Vec<(&'a [String], &'a BTreeMap<String, u8>)>,
}

impl Staff<'_> {
    /// Callers would wait in vain for somebody who is as good as nobody is.
    pub(super) fn warn_of_nobody(&self, levels: &BTreeMap<String, At<u8>>, report: &mut Report) {
        let Some(agents) = self.agents else { return };
        let serve = || self.serve.iter().flat_map(|(members, also)| members.iter().map(move |member| (member, also)));
        let known = || agents.values().flat_map(BTreeMap::keys).map(String::as_str);
        let mut each = true;
        for (skill, least) in levels {
            let best = serve().filter_map(|(member, _)| agents.get(member)?.get(skill)).max();
            let lacks = match best {
                Some(best) if *best >= least.value => continue,
                Some(best) => format!(" to {}: the best has {best}", least.value),
                None => String::new(),
            };
            each = false;
            let meant = || suggest(skill, known().filter(|name| name != skill));
            let hint = if best.is_none() { meant() } else { None };
            let hint = hint.or_else(|| Some("give it to an agent in the settings: skills = { … }".to_owned()));
            report.warning(least.place, format!("nobody who serves here has the skill \"{skill}\"{lacks}"), hint);
        }
        let has = |member: &String, skill: &str, least: u8| {
            agents.get(member).and_then(|skills| skills.get(skill)).is_some_and(|has| *has >= least)
        };
        let all = |(member, also): (&String, &&BTreeMap<String, u8>)| {
            let asked = levels.iter().all(|(skill, least)| has(member, skill, least.value));
            asked && also.iter().all(|(skill, least)| has(member, skill, *least))
        };
        if let Some((_, first)) = levels.first_key_value().filter(|_| each && !serve().any(all)) {
            let hint = "ask for less, or give all of it to one agent in the settings".to_owned();
            report.warning(first.place, "nobody who serves here has all that is asked for together", Some(hint));
        }
    }
}
