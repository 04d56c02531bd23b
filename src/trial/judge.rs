//! Whether a call went as its case expects; where it did not, what differs.

use serde::Serialize;

use super::case::{Bounds, Case};
use super::course::{Course, Heard, Step};
use super::diff::{Happened, Line, agree, compare};
use crate::dialplan::{Catalogue, Program};
use crate::records::CallRecord;

/// One expectation that does not hold.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Failure {
    /// Its key in the file.
    pub key: &'static str,
    /// The difference.
    pub diff: Vec<Line>,
}

/// Everything that came otherwise than expected, in the order of the keys; nothing where the test passes.
pub fn judge(case: &Case, course: &Course, program: &Program, catalogue: &Catalogue) -> Vec<Failure> {
    let mut verdict = Verdict { failures: Vec::new() };
    let expected = &case.expected;
    let steps = || course.steps.iter().map(of_step);
    let heard = || course.heard.iter().map(|heard| of_prompt(heard, catalogue));
    verdict.list("steps", expected.steps.as_deref(), steps(), false);
    verdict.list("through", expected.through.as_deref(), steps(), true);
    verdict.list("prompts", expected.prompts.as_deref(), heard(), false);
    verdict.list("hears", expected.hears.as_deref(), heard(), true);
    let called = course.called.iter().map(|phone| {
        let phone = phone.clone();
        Happened { told: phone.clone(), fits: Box::new(move |expected| *expected == *phone) }
    });
    verdict.list("called", expected.called.as_deref(), called, false);
    verdict.value("recorded", expected.recorded.map(yes), yes(course.recorded));
    for (name, value) in &expected.variables {
        let secret = program.variables().get(name).is_some_and(|variable| variable.secret);
        let held = course.variables.get(name).map_or("", String::as_str);
        let shown = |value: &str| format!("{name} = \"{}\"", if secret { "(secret)" } else { value });
        if held != value {
            verdict.differ("variables", shown(value), shown(held));
        }
    }
    let class = Some(course.class.as_str()).filter(|class| !class.is_empty());
    verdict.value("class", expected.class.clone(), or_none(class));
    verdict.value("language", expected.language.clone(), course.language.clone());
    verdict.value("callback", expected.callback.clone(), or_none(course.callback.as_deref()));
    match &course.record {
        Some(record) => verdict.record(case, record),
        None => verdict.differ("outcome", "an end".to_owned(), "the call goes round without one".to_owned()),
    }
    verdict.failures
}

struct Verdict {
    failures: Vec<Failure>,
}

impl Verdict {
    fn record(&mut self, case: &Case, record: &CallRecord) {
        let expected = &case.expected;
        self.value("queue", expected.queue.clone(), or_none(record.queue.as_ref().map(|queue| queue.as_str())));
        self.bounds("wait", expected.wait, record.wait_ms);
        self.bounds("lasts", expected.lasts, record.ended.since(record.started));
        let answered = record.segments.iter().rfind(|segment| segment.answered.is_some());
        self.value("agent", expected.agent.clone(), or_none(answered.map(|segment| segment.agent.as_str())));
        self.value("outcome", expected.outcome.map(|outcome| name_of(&outcome)), name_of(&record.disposition));
        let score = record.survey.as_ref().map_or(0, |survey| survey.score);
        self.value("survey", expected.survey.map(|score| score.to_string()), score.to_string());
        self.value("mailbox", expected.mailbox.clone(), or_none(record.mailbox.as_deref()));
        self.value("cause", expected.cause.clone(), record.cause.text.clone());
        self.value("hangup_by", expected.hangup_by.map(|by| name_of(&by)), name_of(&record.hangup_by));
    }

    fn differ(&mut self, key: &'static str, expected: String, happened: String) {
        self.failures.push(Failure { key, diff: vec![Line::Missing(expected), Line::Surplus(happened)] });
    }

    fn value(&mut self, key: &'static str, expected: Option<String>, happened: String) {
        if let Some(expected) = expected.filter(|expected| *expected != happened) {
            self.differ(key, expected, happened);
        }
    }

    fn bounds(&mut self, key: &'static str, expected: Option<Bounds>, happened_ms: u64) {
        let Some(bounds) = expected.filter(|bounds| !bounds.hold(happened_ms)) else { return };
        let expected = match bounds {
            Bounds { least_ms, most_ms: Some(most_ms) } if least_ms == most_ms => seconds(least_ms),
            Bounds { least_ms, most_ms: Some(most_ms) } => format!("{} to {}", seconds(least_ms), seconds(most_ms)),
            Bounds { least_ms, most_ms: None } => format!("{} or more", seconds(least_ms)),
        };
        self.differ(key, expected, seconds(happened_ms));
    }

    fn list(
        &mut self,
        key: &'static str,
        expected: Option<&[String]>,
        happened: impl Iterator<Item = Happened>,
        between: bool,
    ) {
        let Some(expected) = expected else { return };
        let diff = compare(expected, &happened.collect::<Vec<_>>(), between);
        if !agree(&diff) {
            self.failures.push(Failure { key, diff });
        }
    }
}

fn of_step(step: &Step) -> Happened {
    let name = step.name.clone();
    let why = if step.why.is_empty() { String::new() } else { format!("  because {}", step.why.join("; ")) };
    let told = format!("{name}  {}{why}", seconds(step.at_ms));
    Happened { fits: Box::new(move |expected| *expected == *name), told }
}

fn of_prompt(heard: &Heard, catalogue: &Catalogue) -> Happened {
    let (language, name) = (heard.prompt.language.clone(), heard.prompt.name.clone());
    let text = catalogue.text(&language, &name).unwrap_or_default().to_owned();
    let told = format!("{language}/{name}  {}  {text}", seconds(heard.at_ms));
    let full = format!("{language}/{name}");
    let fits =
        move |expected: &str| *expected == *name || *expected == *full || (*expected == *text && !text.is_empty());
    Happened { fits: Box::new(fits), told }
}

/// What stands in a file for nothing.
fn or_none(value: Option<&str>) -> String {
    value.unwrap_or("none").to_owned()
}

fn yes(is: bool) -> String {
    is.to_string()
}

/// As the record's JSON has it.
pub(super) fn name_of(value: &impl Serialize) -> String {
    let value = serde_json::to_value(value).ok();
    value.as_ref().and_then(|value| value.as_str()).unwrap_or_default().to_owned()
}

/// "12.340 s"
pub(super) fn seconds(ms: u64) -> String {
    format!("{}.{:03} s", ms / 1_000, ms % 1_000)
}
