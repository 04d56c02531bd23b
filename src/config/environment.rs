//! `TRUNKLINE__SIP__UDP=…` lays a value over `sip.udp`: two underscores go down a level.

use std::borrow::Cow;
use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::dialplan::{Place, Report};

const PREFIX: &str = "TRUNKLINE__";

/// Lays every variable of ours over the document. Its values carry spans that name the variable.
pub(super) fn overlay(document: &mut DeTable<'_>, environment: &[(String, String)], report: &mut Report) {
    for (name, value) in environment {
        let Some(path) = name.strip_prefix(PREFIX) else { continue };
        let span = report.add_variable(name);
        let keys: Vec<String> = path.split("__").map(str::to_ascii_lowercase).collect();
        if keys.iter().any(String::is_empty) {
            let hint = Some("write for example TRUNKLINE__SIP__UDP".to_owned());
            report.problem(Place { file: 0, offset: span.start }, "the name has an empty level", hint);
            continue;
        }
        set(document, &keys, value, &span);
    }
}

fn set(table: &mut DeTable<'_>, keys: &[String], value: &str, span: &Range<usize>) {
    let Some((first, rest)) = keys.split_first() else { return };
    let key = || Spanned::new(span.clone(), Cow::Owned(first.clone()));
    if rest.is_empty() {
        let value = DeValue::String(Cow::Owned(value.to_owned()));
        // The key goes too, so that an unknown one is blamed on the variable.
        table.remove(first.as_str());
        table.insert(key(), Spanned::new(span.clone(), value));
        return;
    }
    let is_table = table.get(first.as_str()).is_some_and(|value| matches!(value.get_ref(), DeValue::Table(_)));
    if !is_table {
        table.remove(first.as_str());
        table.insert(key(), Spanned::new(span.clone(), DeValue::Table(DeTable::new())));
    }
    if let Some(DeValue::Table(inner)) = table.get_mut(first.as_str()).map(Spanned::get_mut) {
        set(inner, rest, value, span);
    }
}
