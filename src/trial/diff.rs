//! What differs between what was expected and what happened, line by line.

use serde::Serialize;

/// One line of a difference.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "is", content = "line", rename_all = "snake_case")]
pub enum Line {
    /// Both have it, or it may be there.
    Same(String),
    /// Expected, and not there.
    Missing(String),
    /// There, and not expected.
    Surplus(String),
}

impl std::fmt::Display for Line {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Same(line) => write!(f, "  {line}"),
            Self::Missing(line) => write!(f, "- {line}"),
            Self::Surplus(line) => write!(f, "+ {line}"),
        }
    }
}

/// What happened, for the comparison, and as it is told.
pub(super) struct Happened {
    /// Whether an expected line means this one.
    pub(super) fits: Box<dyn Fn(&str) -> bool>,
    /// With its instant, and why.
    pub(super) told: String,
}

/// The lines of both in one, by the longest common subsequence. Where `between` may be anything, what was not expected counts as the
/// same.
pub(super) fn compare(expected: &[String], happened: &[Happened], between: bool) -> Vec<Line> {
    let fits = |e: usize, h: usize| (happened[h].fits)(&expected[e]);
    // common[e][h]: how many lines the ends of both from there on have in common.
    let mut common = vec![vec![0_u32; happened.len() + 1]; expected.len() + 1];
    for e in (0..expected.len()).rev() {
        for h in (0..happened.len()).rev() {
            common[e][h] = if fits(e, h) { common[e + 1][h + 1] + 1 } else { common[e + 1][h].max(common[e][h + 1]) };
        }
    }
    let surplus = if between { Line::Same } else { Line::Surplus };
    let (mut e, mut h, mut lines) = (0, 0, Vec::new());
    while e < expected.len() || h < happened.len() {
        let both = e < expected.len() && h < happened.len();
        if both && fits(e, h) {
            lines.push(Line::Same(happened[h].told.clone()));
            (e, h) = (e + 1, h + 1);
        } else if h == happened.len() || (both && common[e + 1][h] >= common[e][h + 1]) {
            lines.push(Line::Missing(expected[e].clone()));
            e += 1;
        } else {
            lines.push(surplus(happened[h].told.clone()));
            h += 1;
        }
    }
    lines
}

/// Whether a comparison found that both agree.
pub(super) fn agree(lines: &[Line]) -> bool {
    lines.iter().all(|line| matches!(line, Line::Same(_)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(expected: &str, happened: &str, between: bool) -> String {
        let expected: Vec<String> = expected.chars().map(String::from).collect();
        let happened = happened.chars().map(|line| Happened {
            fits: Box::new(move |expected| expected == line.to_string()),
            told: line.to_string(),
        });
        let lines = compare(&expected, &happened.collect::<Vec<_>>(), between);
        lines.iter().map(|line| line.to_string().replace(' ', "")).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn lines_that_both_have_stay_and_the_others_are_marked() {
        assert_eq!(told("abc", "abc", false), "a b c");
        assert_eq!(told("abc", "axc", false), "a -b +x c");
        assert_eq!(told("ab", "abc", false), "a b +c");
        assert_eq!(told("", "a", false), "+a");
        assert_eq!(told("ac", "abc", true), "a b c");
        assert_eq!(told("ca", "abc", true), "-c a b c");
    }
}
