//! Asterisk's configuration files as lines: sections, keys, comments, and where each stands.

use crate::dialplan::{Place, Report, Source};

/// A line that says something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Line {
    pub(super) place: Place,
    /// Its file and number, for people.
    pub(super) came: String,
    pub(super) what: What,
}

/// What a line says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum What {
    /// `[name]` and what stands behind it in brackets of its own, such as "+" or "!".
    Section {
        name: String,
        options: String,
    },
    Key {
        key: String,
        value: String,
    },
}

/// The lines of a file; what cannot be followed is noted.
pub(super) fn lines(source: &Source, report: &mut Report) -> Vec<Line> {
    let file = report.add_source(source.clone());
    let mut lines = Vec::new();
    let mut offset = 0;
    let mut in_comment = false;
    let name = source.file.rsplit('/').next().unwrap_or_default();
    for (number, raw) in source.text.split_inclusive('\n').enumerate() {
        let came = format!("{name}:{}", number + 1);
        let start = offset;
        offset += raw.len();
        let text = without_comment(raw.trim_end_matches(['\n', '\r']), &mut in_comment);
        let trimmed = text.trim();
        let lead = text.len() - text.trim_start().len();
        let place = Place { file, offset: start + lead };
        if trimmed.is_empty() {
            continue;
        }
        if let Some(directive) = trimmed.strip_prefix('#') {
            let advice = "give the file that it names to the import as well";
            report.warning(place, format!("#{directive}"), Some(advice.to_owned()));
        } else if let Some(head) = trimmed.strip_prefix('[') {
            match head.split_once(']') {
                Some((name, options)) => {
                    let (name, options) = (name.trim().to_owned(), options.trim().to_owned());
                    lines.push(Line { place, came, what: What::Section { name, options } });
                }
                None => not_understood(trimmed, place, report),
            }
        } else if let Some((key, value)) = trimmed.split_once('=') {
            let value = value.strip_prefix('>').unwrap_or(value).trim().to_owned();
            lines.push(Line { place, came, what: What::Key { key: key.trim().to_lowercase(), value } });
        } else {
            not_understood(trimmed, place, report);
        }
    }
    lines
}

fn not_understood(text: &str, place: Place, report: &mut Report) {
    let advice = "this is no section and no key; Asterisk does not read it either";
    report.warning(place, format!("a line that cannot be read: {text}"), Some(advice.to_owned()));
}

/// The line up to its comment: `;`, unless a backslash stands before it, and from `;--` to `--;` over several lines.
fn without_comment(line: &str, in_comment: &mut bool) -> String {
    let mut text = String::new();
    let mut rest = line;
    loop {
        if *in_comment {
            let Some((_, after)) = rest.split_once("--;") else { return text };
            *in_comment = false;
            rest = after;
        }
        let Some(at) = rest.find(';') else { return text + rest };
        let (before, from) = rest.split_at(at);
        if let Some(before) = before.strip_suffix('\\') {
            text += before;
            text.push(';');
            rest = &from[1..];
        } else {
            text += before;
            // A line of many dashes is a rule, no beginning.
            if !from.starts_with(";--") || from.starts_with(";---") {
                return text;
            }
            *in_comment = true;
            rest = &from[3..];
        }
    }
}

/// What stands between commas that are not within brackets, braces or quotes.
pub(super) fn split(text: &str, separator: char) -> Vec<String> {
    let mut parts = vec![String::new()];
    let (mut depth, mut quote) = (0_usize, false);
    for c in text.chars() {
        match c {
            '"' => quote = !quote,
            '(' | '[' | '{' if !quote => depth += 1,
            ')' | ']' | '}' if !quote => depth = depth.saturating_sub(1),
            _ => {}
        }
        if c == separator && depth == 0 && !quote {
            parts.push(String::new());
        } else if let Some(last) = parts.last_mut() {
            last.push(c);
        }
    }
    parts.iter().map(|part| part.trim().to_owned()).collect()
}
