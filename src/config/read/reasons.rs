//! `[reason.NAME]`: why agents may be "not ready".

use std::collections::BTreeMap;

use super::Reader;
use crate::dialplan::table::Table;

/// The longest name, bytes.
const LONGEST: usize = 64;

impl Reader<'_> {
    /// Whether the time counts as paid, by the reason; it does where nothing is said.
    pub(super) fn reasons(&mut self, root: &mut Table<'_>) -> BTreeMap<String, bool> {
        let mut reasons = BTreeMap::new();
        for (name, mut table) in root.named("reason", &mut self.report) {
            let place = table.place;
            let paid = table.boolean("paid", true, &mut self.report);
            table.finish(&mut self.report);
            if name.is_empty() || name.len() > LONGEST || name.chars().any(char::is_control) {
                let hint = Some(format!("a reason is 1 to {LONGEST} bytes without control characters"));
                self.report.problem(place, format!("{name:?} is no reason"), hint);
            }
            reasons.insert(name, paid);
        }
        reasons
    }
}

#[cfg(test)]
mod tests {
    use super::super::load;
    use crate::dialplan::Source;

    #[test]
    fn time_is_paid_unless_the_reason_says_otherwise() {
        let read = |text: &str| {
            let text = format!("dialplans = \"d\"\n{text}");
            load(&Source { file: "t.toml".into(), text }, &[], [])
        };
        let settings = read("[reason.lunch]\npaid = false\n[reason.training]\n").expect("right");
        let reasons: Vec<_> = settings.reasons.iter().map(|(name, paid)| (name.as_str(), *paid)).collect();
        assert_eq!(reasons, [("lunch", false), ("training", true)]);
        let problems = read("[reason.lunch]\npayed = false\n").expect_err("a key that nobody knows");
        assert_eq!((problems[0].line, problems[0].column), (3, 1), "{problems:?}");
    }
}
