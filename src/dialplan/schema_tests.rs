//! The published schema and the reference say what the code reads, key by key.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::steps::KINDS;
use super::{Source, Surroundings, load};

const SCHEMA: &str = include_str!("../../docs/dialplan.schema.json");
const REFERENCE: &str = include_str!("../../docs/dialplan.md");

/// The keys that the code asks of a table: it lists them where it meets one that it does not know.
fn asked(text: &str, place: &str) -> BTreeSet<String> {
    let source = Source { file: "p".into(), text: text.to_owned() };
    let surroundings = Surroundings {
        prompts: &BTreeSet::new(),
        agents: None,
        trunks: None,
        webhooks: None,
        beside: &BTreeMap::new(),
        year: None,
    };
    let problems = load(&[source], surroundings).expect_err("an unknown key");
    let hint = problems.iter().find(|problem| problem.message.contains("unknown key \"zzzzzzzz\""));
    let hint = hint.and_then(|problem| problem.hint.clone()).unwrap_or_else(|| panic!("{place}: {problems:#?}"));
    let keys = hint.strip_prefix("known here: ").unwrap_or_else(|| panic!("{place}: {hint}"));
    keys.split(", ").map(str::to_owned).collect()
}

fn schema() -> Value {
    serde_json::from_str(SCHEMA).expect("JSON")
}

fn properties(of: &Value) -> BTreeSet<String> {
    of["properties"].as_object().expect("properties").keys().cloned().collect()
}

#[test]
fn every_step_has_the_keys_that_schema_and_reference_say() {
    let schema = schema();
    let steps = schema["$defs"]["step"]["oneOf"].as_array().expect("steps").clone();
    let kinds: Vec<&str> = steps.iter().map(|step| step["title"].as_str().expect("a title")).collect();
    assert_eq!(BTreeSet::from_iter(kinds.iter().copied()), BTreeSet::from(KINDS), "the kinds of steps");
    for step in &steps {
        let kind = step["title"].as_str().expect("a title");
        let text = format!("version = 1\n[flow.f]\nstart = \"s\"\n[flow.f.step.s]\ndo = \"{kind}\"\nzzzzzzzz = 1\n");
        let code = asked(&text, kind);
        assert_eq!(properties(step), code, "{kind} in the schema");
        let section = REFERENCE.split(&format!("\n### {kind}\n")).nth(1).unwrap_or_else(|| panic!("no section {kind}"));
        let section = section.split("\n##").next().unwrap_or_default();
        let written = section.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next());
        let written: BTreeSet<String> = written.map(str::to_owned).chain(["do".to_owned()]).collect();
        assert_eq!(written, code, "{kind} in the reference");
    }
}

#[test]
fn every_other_table_has_the_keys_that_the_schema_says() {
    let schema = schema();
    let of = |path: &str| schema.pointer(path).unwrap_or_else(|| panic!("no {path}")).clone();
    let hours = "/properties/hours/additionalProperties";
    let queue = "/properties/queue/additionalProperties";
    let condition =
        "[flow.f]\nstart = \"s\"\n[flow.f.step.s]\ndo = \"when\"\nelse = \"s\"\ncases = [{ zzzzzzzz = 1 }]\n";
    let message =
        "[flow.f]\nstart = \"s\"\n[flow.f.step.s]\ndo = \"queue\"\nqueue = \"q\"\nmessages = [{ zzzzzzzz = 1 }]\n";
    for (path, text) in [
        ("", "zzzzzzzz = 1\n".to_owned()),
        ("/properties/number/additionalProperties", "[number.4]\nzzzzzzzz = 1\n".to_owned()),
        ("/properties/rewrite/items", "[[rewrite]]\nzzzzzzzz = 1\n".to_owned()),
        (hours, "[hours.h]\nzzzzzzzz = 1\n".to_owned()),
        (&format!("{hours}/properties/weekly/items"), "[hours.h]\nweekly = [{ zzzzzzzz = 1 }]\n".to_owned()),
        (&format!("{hours}/properties/workdays/items"), "[hours.h]\nworkdays = [{ zzzzzzzz = 1 }]\n".to_owned()),
        (&format!("{hours}/properties/overrides/items"), "[hours.h]\noverrides = [{ zzzzzzzz = 1 }]\n".to_owned()),
        ("/properties/variable/additionalProperties", "[variable.v]\nzzzzzzzz = 1\n".to_owned()),
        ("/properties/customer/additionalProperties", "[customer.1]\nzzzzzzzz = 1\n".to_owned()),
        (queue, "[queue.q]\nzzzzzzzz = 1\n".to_owned()),
        (&format!("{queue}/properties/relax/items"), "[queue.q]\nrelax = [{ zzzzzzzz = 1 }]\n".to_owned()),
        (&format!("{queue}/properties/overflow/items"), "[queue.q]\noverflow = [{ zzzzzzzz = 1 }]\n".to_owned()),
        ("/$defs/message", message.to_owned()),
    ] {
        assert_eq!(properties(&of(path)), asked(&format!("version = 1\n{text}"), path), "{path}");
    }
    // Keys that stand only beside others are asked for beside those.
    let case = properties(&of("/$defs/case"));
    let known = asked(&format!("version = 1\n{condition}"), "a case");
    assert!(known.is_subset(&case), "{known:?}");
    let rule = properties(&of("/$defs/rule"));
    let known = asked("version = 1\n[queue.q]\nrules = [{ zzzzzzzz = 1 }]\n", "a rule");
    assert!(known.is_subset(&rule), "{known:?}");
}
