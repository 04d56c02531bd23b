//! The published schema and the reference say what the code reads, key by key.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::Value;

use super::{Floor, Known, read};
use crate::acd;
use crate::dialplan::{Catalogue, Program, Source};

const SCHEMA: &str = include_str!("../../docs/dialplan-test.schema.json");
const REFERENCE: &str = include_str!("../../docs/dialplan.md");

/// The keys that the code asks of a table: it lists them where it meets one that it does not know.
fn asked(text: &str) -> BTreeSet<String> {
    let (program, acd) = (Arc::new(Program::default()), acd::Settings::default());
    let floor = Floor { program, acd, prompts: BTreeMap::new(), catalogue: Catalogue::default() };
    let source = Source { file: "t".into(), text: format!("version = 1\n{text}\n") };
    let known = Known { floor: &floor, trunks: &BTreeSet::new() };
    let problems = read(&source, known).expect_err("an unknown key");
    let hint = problems.iter().find(|problem| problem.message == "unknown key \"zzzzzzzz\"");
    let hint = hint.and_then(|problem| problem.hint.as_deref()).unwrap_or_else(|| panic!("{text}: {problems:#?}"));
    let keys = hint.strip_prefix("known here: ").unwrap_or_else(|| panic!("{text}: {hint}"));
    keys.split(", ").map(str::to_owned).collect()
}

fn properties(of: &Value) -> BTreeMap<String, String> {
    let properties = of["properties"].as_object().expect("properties");
    let told = |value: &Value| value["description"].as_str().unwrap_or_default().to_owned();
    properties.iter().map(|(key, value)| (key.clone(), told(value))).collect()
}

#[test]
fn every_table_has_the_keys_that_schema_and_reference_say() {
    let schema: Value = serde_json::from_str(SCHEMA).expect("JSON");
    let given = "/properties/given/properties";
    let case = "/properties/case/additionalProperties";
    for (path, text, told) in [
        ("", "zzzzzzzz = 1", false),
        ("/properties/given", "[given]\nzzzzzzzz = 1", true),
        (case, "[case.c]\nzzzzzzzz = 1\nexpect = {}", false),
        (&format!("{case}/properties/expect"), "[case.c.expect]\nzzzzzzzz = 1", true),
        (&format!("{given}/agents/additionalProperties"), "[given.agents.1]\nzzzzzzzz = 1", true),
        (&format!("{given}/phones/additionalProperties"), "[given.phones.1]\nzzzzzzzz = 1", true),
        (&format!("{given}/others/items"), "[given]\nothers = [{ zzzzzzzz = 1 }]", true),
        (&format!("{given}/answers/items"), "[given]\nanswers = [{ zzzzzzzz = 1 }]", true),
        (&format!("{given}/press/items"), "[given]\npress = [{ zzzzzzzz = 1 }]", false),
        (&format!("{given}/closed/items/oneOf/1"), "[given]\nclosed = [{ zzzzzzzz = 1 }]", false),
    ] {
        let table = schema.pointer(path).unwrap_or_else(|| panic!("no {path}"));
        let properties = properties(table);
        assert_eq!(asked(text), properties.keys().cloned().collect(), "{path}");
        for (key, meaning) in properties.iter().filter(|_| told) {
            assert!(REFERENCE.contains(&format!("| `{key}` | {meaning} |")), "the reference lacks {key}: {meaning}");
        }
    }
}

#[test]
fn a_case_has_all_that_is_given_and_what_is_expected() {
    let schema: Value = serde_json::from_str(SCHEMA).expect("JSON");
    let given = properties(&schema["properties"]["given"]);
    let mut case = properties(&schema["properties"]["case"]["additionalProperties"]);
    assert!(case.remove("expect").is_some());
    assert_eq!(case, given);
}
