//! `[ageing]`: how priority classes and waiting add up.

use super::Reader;
use crate::acd::Ageing;
use crate::dialplan::table::{Table, duration_ms};

/// Classes that no waiting outweighs.
const STRICT: &str = "strict";
/// The longest wait that a class can be worth: a day (s).
const LONGEST_S: u32 = 86_400;

impl Reader<'_> {
    /// What one priority class is worth in waiting; five minutes where nothing is said.
    pub(super) fn ageing(&mut self, root: &mut Table<'_>) -> Ageing {
        let Some(mut table) = root.table("ageing", &mut self.report) else { return Ageing::default() };
        let class = table.string("class", &mut self.report);
        table.finish(&mut self.report);
        let Some(class) = class else { return Ageing::default() };
        if class.value == STRICT {
            return Ageing { base: 1, rate: 0 };
        }
        let seconds = duration_ms(&class.value).and_then(|ms| u32::try_from(ms / 1_000).ok());
        if let Some(base) = seconds.filter(|seconds| (1..=LONGEST_S).contains(seconds)) {
            return Ageing { base, rate: 1 };
        }
        let hint = Some(format!("write \"1s\" to \"24h\", or \"{STRICT}\" for classes that no waiting outweighs"));
        self.report.problem(class.place, format!("a class cannot be worth \"{}\" of waiting", class.value), hint);
        Ageing::default()
    }
}

#[cfg(test)]
mod tests {
    use super::super::load;
    use super::*;
    use crate::dialplan::Source;

    #[test]
    fn a_class_is_worth_what_is_said_or_everything() {
        let read = |text: &str| {
            let text = format!("dialplans = \"d\"\n{text}");
            load(&Source { file: "t.toml".into(), text }, &[], []).map(|settings| settings.ageing)
        };
        assert_eq!(read("").expect("right"), Ageing { base: 300, rate: 1 });
        assert_eq!(read("[ageing]\nclass = \"2m\"\n").expect("right"), Ageing { base: 120, rate: 1 });
        assert_eq!(read("[ageing]\nclass = \"strict\"\n").expect("right"), Ageing { base: 1, rate: 0 });
        let problems = read("[ageing]\nclass = \"500ms\"\n").expect_err("less than a second");
        assert_eq!((problems[0].line, problems[0].column), (3, 9), "{problems:?}");
    }
}
