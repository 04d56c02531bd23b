//! What is wrong in a file, and where: every problem at once, none hides another.

use std::ops::Range;

use serde::{Deserialize, Serialize};

/// Offsets from here on name environment variables instead of bytes of a text.
const VARIABLES: usize = 1 << 40;

/// Problems after which names are not searched for the nearest any more: each search looks at every name.
const MOST_HINTED: usize = 50;

/// Whether something keeps the files from being loaded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// It does.
    Error,
    /// It does not, and is seldom what was meant.
    Warning,
}

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Problem {
    /// The file as named by the caller, or `environment` for an overriding variable.
    pub file: String,
    /// Line, from 1; 0 for the environment.
    pub line: usize,
    /// Column in characters, from 1; 0 for the environment.
    pub column: usize,
    /// Whether the files load nevertheless.
    pub severity: Severity,
    /// What is wrong.
    pub message: String,
    /// What to do about it, where we know.
    pub hint: Option<String>,
    /// The line of the file; empty where it holds a secret.
    pub excerpt: String,
}

/// One text and the name under which problems speak of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// File name, for people.
    pub file: String,
    /// Contents.
    pub text: String,
}

/// A place in one of the texts (or a variable of the environment).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    pub(crate) file: usize,
    pub(crate) offset: usize,
}

impl Place {
    /// Whether an environment variable stands here.
    pub fn is_variable(self) -> bool {
        self.offset >= VARIABLES
    }
}

/// Collects problems over several texts.
#[derive(Debug, Default)]
pub struct Report {
    sources: Vec<Source>,
    /// Where each line of each text begins: a text may have as many problems as lines.
    lines: Vec<Vec<usize>>,
    variables: Vec<String>,
    problems: Vec<Problem>,
}

impl Report {
    /// Adds a text; its number is what [`Place`] and `table` carry.
    pub fn add_source(&mut self, source: Source) -> usize {
        let text = source.text.as_str();
        self.lines.push([0].into_iter().chain(text.match_indices('\n').map(|(at, _)| at + 1)).collect());
        self.sources.push(source);
        self.sources.len() - 1
    }

    /// Adds an environment variable and gives the span under which it is known.
    pub fn add_variable(&mut self, name: &str) -> Range<usize> {
        let offset = VARIABLES + self.variables.len();
        self.variables.push(name.to_owned());
        offset..offset
    }

    /// Notes a problem.
    pub fn problem(&mut self, place: Place, message: impl Into<String>, hint: Option<String>) {
        let problem = self.at(place, message.into(), hint);
        self.problems.push(problem);
    }

    /// Notes what is allowed and seldom meant.
    pub fn warning(&mut self, place: Place, message: impl Into<String>, hint: Option<String>) {
        let problem = self.at(place, message.into(), hint);
        self.problems.push(Problem { severity: Severity::Warning, ..problem });
    }

    /// A problem that is not noted: for who finds out later whether there is one.
    pub fn at(&self, place: Place, message: String, hint: Option<String>) -> Problem {
        match place.offset.checked_sub(VARIABLES) {
            Some(index) => {
                let name = self.variables.get(index).map_or("", String::as_str);
                let message = format!("{name}: {message}");
                Problem {
                    file: "environment".into(),
                    line: 0,
                    column: 0,
                    severity: Severity::Error,
                    message,
                    hint,
                    excerpt: String::new(),
                }
            }
            None => self.in_text(place, message, hint),
        }
    }

    /// Every problem and warning in the order of the files; empty where all is well.
    pub fn into_problems(mut self) -> Vec<Problem> {
        self.problems.sort();
        self.problems.dedup();
        self.problems
    }

    /// Whether a nearest name is still worth the search: who has that many problems mends the first ones and comes back.
    pub(super) fn wants_hints(&self) -> bool {
        self.problems.len() < MOST_HINTED
    }

    /// Whether nothing is wrong so far; warnings do not count.
    pub fn is_sound(&self) -> bool {
        self.problems.iter().all(|problem| problem.severity == Severity::Warning)
    }

    fn in_text(&self, place: Place, message: String, hint: Option<String>) -> Problem {
        let (file, text) = self.sources.get(place.file).map_or(("", ""), |s| (s.file.as_str(), s.text.as_str()));
        let starts = self.lines.get(place.file).map_or(&[0][..], Vec::as_slice);
        let offset = place.offset.min(text.len());
        // The first line begins at 0, so there is one.
        let line = starts.partition_point(|start| *start <= offset).max(1);
        let start = starts.get(line - 1).copied().unwrap_or(0);
        let column = text.get(start..offset).map_or(0, |before| before.chars().count()) + 1;
        let excerpt = text.get(start..).and_then(|rest| rest.lines().next()).unwrap_or_default();
        // A line with a password in it must not travel into logs of a build server.
        let secret = ["password", "token", "secret"].iter().any(|word| excerpt.contains(word));
        let excerpt = if secret { String::new() } else { excerpt.to_owned() };
        Problem { file: file.to_owned(), line, column, severity: Severity::Error, message, hint, excerpt }
    }
}

/// "did you mean": the known name nearest to `wrong`, or the list of known names.
pub(crate) fn suggest<'a>(wrong: &str, known: impl IntoIterator<Item = &'a str>) -> Option<String> {
    let mut known: Vec<&str> = known.into_iter().collect();
    known.sort_unstable();
    known.dedup();
    let nearest = known.iter().map(|name| (distance(wrong, name), *name)).min();
    match nearest {
        Some((far, name)) if far <= 1 + wrong.chars().count() / 4 => Some(format!("did you mean \"{name}\"?")),
        Some(_) if known.len() <= 30 => Some(format!("known here: {}", known.join(", "))),
        _ => None,
    }
}

/// Edits (insert, remove, replace, swap of neighbours) from one word to the other.
fn distance(a: &str, b: &str) -> usize {
    let a: Vec<char> = a.chars().take(64).collect();
    let b: Vec<char> = b.chars().take(64).collect();
    let mut before_last = vec![0; b.len() + 1];
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for i in 1..=a.len() {
        let mut row = vec![i; b.len() + 1];
        for j in 1..=b.len() {
            let same = usize::from(a[i - 1] != b[j - 1]);
            row[j] = (last[j] + 1).min(row[j - 1] + 1).min(last[j - 1] + same);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                row[j] = row[j].min(before_last[j - 2] + 1);
            }
        }
        before_last = std::mem::replace(&mut last, row);
    }
    last.last().copied().unwrap_or(a.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_count_characters_and_hide_secrets() {
        let mut report = Report::default();
        let file = report.add_source(Source { file: "a.toml".into(), text: "x = 1\n中 = 2\npassword = 3".into() });
        report.problem(Place { file, offset: 10 }, "here", None);
        report.problem(Place { file, offset: 15 }, "there", None);
        let variable = report.add_variable("TRUNKLINE__LOG");
        report.problem(Place { file, offset: variable.start }, "bad", None);
        let problems = report.into_problems();
        assert_eq!((problems[0].line, problems[0].column, problems[0].excerpt.as_str()), (2, 3, "中 = 2"));
        assert_eq!(problems[1].excerpt, "");
        assert_eq!(problems[2].message, "TRUNKLINE__LOG: bad");
    }

    #[test]
    fn suggests_the_nearest_name() {
        assert_eq!(suggest("naem", ["name", "next"]), Some("did you mean \"name\"?".into()));
        assert_eq!(suggest("zebra", ["name", "next"]), Some("known here: name, next".into()));
    }
}
