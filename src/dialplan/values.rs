//! Variables of a call, their types, and texts with variables in them.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::report::{Place, Report, suggest};
use super::table::{At, Table};

/// What a call knows by itself; read like variables, never set.
pub(crate) const FACTS: [&str; 9] =
    ["caller", "called", "trunk", "language", "class", "customer", "last_agent", "own_agent", "transferred_by"];

/// The longest text that a variable holds, characters.
pub(super) const LONGEST: usize = 1_024;

/// What a variable can hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Any text.
    Text,
    /// Keys that were pressed: 0-9, * and #.
    Digits,
    /// A whole number.
    Number,
    /// True or false.
    Flag,
}

/// The kinds by the names that files use.
pub(super) const KINDS: [(&str, Kind); 4] =
    [("text", Kind::Text), ("digits", Kind::Digits), ("number", Kind::Number), ("flag", Kind::Flag)];

impl Kind {
    /// Whether a text is a value of this kind; an empty one is "nothing yet" for all.
    pub fn holds(self, text: &str) -> bool {
        let length = text.chars().count() <= LONGEST;
        length
            && match self {
                _ if text.is_empty() => true,
                Self::Text => true,
                Self::Digits => text.bytes().all(|b| b.is_ascii_digit() || b == b'*' || b == b'#'),
                Self::Number => text.parse::<i64>().is_ok(),
                Self::Flag => matches!(text, "true" | "false"),
            }
    }
}

/// A variable as declared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Variable {
    /// What it can hold.
    pub kind: Kind,
    /// Whether it is masked wherever people look.
    pub secret: bool,
    /// What it holds at first.
    pub initial: String,
}

/// A text with variables in braces: `"your number is {order}"`; `{{` is a brace.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Template {
    pieces: Vec<Piece>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    Text(String),
    Variable(String),
}

impl Template {
    /// The text with the variables' values.
    pub fn fill(&self, value: impl Fn(&str) -> String) -> String {
        let mut text = String::new();
        for piece in &self.pieces {
            match piece {
                Piece::Text(plain) => text.push_str(plain),
                // Writing to a String cannot fail.
                Piece::Variable(name) => drop(write!(text, "{}", value(name))),
            }
        }
        text
    }

    /// The text, where no variable is in it.
    pub(super) fn plain(&self) -> Option<String> {
        let plain = self.variables().next().is_none().then(|| self.fill(|_| String::new()))?;
        (!plain.is_empty()).then_some(plain)
    }

    /// The variables in it.
    pub fn variables(&self) -> impl Iterator<Item = &str> {
        self.pieces.iter().filter_map(|piece| match piece {
            Piece::Variable(name) => Some(name.as_str()),
            Piece::Text(_) => None,
        })
    }

    /// Reads a text, with a problem noted for each name that is not known.
    pub(super) fn read(text: &At<String>, known: &BTreeMap<String, Variable>, report: &mut Report) -> Self {
        let mut pieces = Vec::new();
        let mut plain = String::new();
        let mut rest = text.value.as_str();
        while let Some(brace) = rest.find(['{', '}']) {
            let (before, from) = rest.split_at(brace);
            plain.push_str(before);
            let doubled = from.starts_with("{{") || from.starts_with("}}");
            if doubled {
                plain.push_str(&from[..1]);
                rest = &from[2..];
                continue;
            }
            let Some((name, after)) = from.strip_prefix('{').and_then(|inner| inner.split_once('}')) else {
                let hint = Some("write {{ or }} for a brace itself".to_owned());
                report.problem(text.place, format!("a brace without its partner in \"{}\"", text.value), hint);
                return Self::default();
            };
            if !plain.is_empty() {
                pieces.push(Piece::Text(std::mem::take(&mut plain)));
            }
            check_name(name, text.place, known, report);
            pieces.push(Piece::Variable(name.to_owned()));
            rest = after;
        }
        plain.push_str(rest);
        if !plain.is_empty() {
            pieces.push(Piece::Text(plain));
        }
        Self { pieces }
    }
}

/// Reports a name that is neither a variable nor a fact.
fn check_name(name: &str, place: Place, known: &BTreeMap<String, Variable>, report: &mut Report) {
    if known.contains_key(name) || FACTS.contains(&name) {
        return;
    }
    let hint = suggest(name, known.keys().map(String::as_str).chain(FACTS));
    report.problem(place, format!("there is no variable \"{name}\""), hint);
}

/// The variable that a step writes to, reported where there is none.
pub(super) fn target(
    table: &mut Table<'_>,
    key: &'static str,
    known: &BTreeMap<String, Variable>,
    report: &mut Report,
) -> Option<String> {
    let name = table.required(key, report)?;
    if known.contains_key(&name.value) {
        return Some(name.value);
    }
    let hint = if FACTS.contains(&name.value.as_str()) {
        Some("that is a fact of the call; declare a variable of another name".to_owned())
    } else {
        suggest(&name.value, known.keys().map(String::as_str))
            .or_else(|| Some(format!("declare it: [variable.{}] type = \"text\"", name.value)))
    };
    report.problem(name.place, format!("there is no variable \"{}\"", name.value), hint);
    None
}

/// Reads `[variable.NAME]`.
pub(super) fn read_variable(name: &str, mut table: Table<'_>, report: &mut Report) -> Option<Variable> {
    if FACTS.contains(&name) {
        report.problem(table.place, format!("\"{name}\" is a fact of every call, no variable"), None);
    } else if !is_name(name) {
        let hint = Some("letters, digits and _, beginning with a letter".to_owned());
        report.problem(table.place, format!("\"{name}\" is no name of a variable"), hint);
    }
    let kind = table.required("type", report).and_then(|kind| {
        let found = KINDS.iter().find(|(name, _)| *name == kind.value).map(|(_, kind)| *kind);
        if found.is_none() {
            let hint = suggest(&kind.value, KINDS.map(|(name, _)| name));
            report.problem(kind.place, format!("there is no type \"{}\"", kind.value), hint);
        }
        found
    });
    let secret = table.boolean("secret", false, report);
    let initial = table.string("initial", report);
    table.finish(report);
    let kind = kind?;
    if let Some(initial) = initial.as_ref().filter(|initial| !kind.holds(&initial.value)) {
        report.problem(initial.place, format!("\"{}\" is no value of this type", initial.value), None);
    }
    Some(Variable { kind, secret, initial: initial.map_or(String::new(), |initial| initial.value) })
}

fn is_name(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphabetic())
        && name.len() <= 64
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

#[cfg(test)]
mod tests {
    use super::super::report::Source;
    use super::*;

    #[test]
    fn templates_are_filled_and_their_names_checked() {
        let known = BTreeMap::from([(
            "order".to_owned(),
            Variable { kind: Kind::Digits, secret: false, initial: String::new() },
        )]);
        let mut report = Report::default();
        let file = report.add_source(Source { file: "t".into(), text: String::new() });
        let mut read = |text: &str| {
            Template::read(&At { value: text.into(), place: Place { file, offset: 0 } }, &known, &mut report)
        };
        let filled = read("order {order} of {caller}, {{so}}").fill(|name| format!("<{name}>"));
        assert_eq!(filled, "order <order> of <caller>, {so}");
        read("{ordre}");
        read("half {order");
        let problems: Vec<_> = report.into_problems().into_iter().map(|p| (p.message, p.hint)).collect();
        assert_eq!(problems.len(), 2);
        assert!(
            problems
                .contains(&("there is no variable \"ordre\"".to_owned(), Some("did you mean \"order\"?".to_owned())))
        );
    }

    #[test]
    fn a_kind_holds_what_it_says() {
        assert!(Kind::Digits.holds("12*#") && !Kind::Digits.holds("12a"));
        assert!(Kind::Number.holds("-5") && !Kind::Number.holds("5.5"));
        assert!(Kind::Flag.holds("true") && !Kind::Flag.holds("yes"));
        assert!(!Kind::Text.holds(&"x".repeat(LONGEST + 1)));
    }
}
