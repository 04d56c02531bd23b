//! Regular expressions of called numbers that are plain enough to be patterns of ours: `^4000$`, `^10[01]\d$`, `^9(\d+)$`, `^(1|2)\d{3}$`.

use crate::dialplan::Pattern;

/// The most patterns that one expression stands for.
const MOST: usize = 100;
/// How deep groups may stand within one another.
const DEEPEST: usize = 8;
/// Stands for "whatever follows" until all is read: a star may also be a key.
const OPEN: char = '\u{1}';

/// The numbers that an expression means; `None` where our patterns cannot say it.
pub(super) fn patterns(expression: &str) -> Option<Vec<Pattern>> {
    let inner = expression.strip_prefix('^')?.strip_suffix('$')?;
    let mut rest = inner;
    let texts = alternatives(&mut rest, 0)?;
    if !rest.is_empty() {
        return None;
    }
    texts.into_iter().map(|text| pattern(&text)).collect()
}

/// Whether all that is dialled is in the first group, so that `$1` is the called number.
pub(super) fn captures_all(expression: &str) -> bool {
    expression.starts_with("^(") && expression.ends_with(")$") && expression.matches('(').count() == 1
}

fn pattern(text: &str) -> Option<Pattern> {
    // A star after digits is a key there, and "whatever follows" here.
    let lead = text.len() - text.trim_start_matches(['*', '+']).len();
    if text[lead..].contains(['*', '+']) || text.trim_end_matches(OPEN).contains(OPEN) || text == "*" {
        return None;
    }
    Pattern::parse(&text.replace(OPEN, "*"))
}

fn alternatives(rest: &mut &str, depth: usize) -> Option<Vec<String>> {
    if depth > DEEPEST {
        return None;
    }
    let mut all = sequence(rest, depth)?;
    while let Some(after) = rest.strip_prefix('|') {
        *rest = after;
        all.extend(sequence(rest, depth)?);
    }
    (all.len() <= MOST).then_some(all)
}

fn sequence(rest: &mut &str, depth: usize) -> Option<Vec<String>> {
    let mut whole = vec![String::new()];
    while !rest.is_empty() && !rest.starts_with(['|', ')']) {
        let atom = atom(rest, depth)?;
        let repeated = repeat(rest, atom)?;
        if whole.len() * repeated.len() > MOST {
            return None;
        }
        whole = whole.iter().flat_map(|before| repeated.iter().map(move |after| format!("{before}{after}"))).collect();
        // Far longer than any number.
        if whole.iter().any(|text| text.len() > 256) {
            return None;
        }
    }
    Some(whole)
}

fn atom(rest: &mut &str, depth: usize) -> Option<Vec<String>> {
    let mut chars = rest.chars();
    let first = chars.next()?;
    *rest = chars.as_str();
    match first {
        '0'..='9' | '#' if first != '#' => Some(vec![first.to_string()]),
        '.' => Some(vec!["x".to_owned()]),
        '\\' => {
            let mut chars = rest.chars();
            let escaped = chars.next()?;
            *rest = chars.as_str();
            match escaped {
                'd' => Some(vec!["x".to_owned()]),
                '*' | '+' => Some(vec![escaped.to_string()]),
                _ => None,
            }
        }
        '[' => {
            let (set, after) = rest.split_once(']')?;
            *rest = after;
            let plain = !set.is_empty() && set.bytes().all(|b| b.is_ascii_digit() || b == b'-');
            plain.then(|| vec![if set == "0-9" { "x".to_owned() } else { format!("[{set}]") }])
        }
        '(' => {
            *rest = rest.strip_prefix("?:").unwrap_or(rest);
            let inner = alternatives(rest, depth + 1)?;
            *rest = rest.strip_prefix(')')?;
            Some(inner)
        }
        _ => None,
    }
}

fn repeat(rest: &mut &str, atom: Vec<String>) -> Option<Vec<String>> {
    let digit = atom == ["x"];
    if let Some(after) = rest.strip_prefix('?') {
        *rest = after;
        return Some([String::new()].into_iter().chain(atom).collect());
    }
    if let Some(after) = rest.strip_prefix(['+', '*']) {
        let one_at_least = rest.starts_with('+');
        *rest = after;
        return digit.then(|| vec![if one_at_least { format!("x{OPEN}") } else { OPEN.to_string() }]);
    }
    let Some(after) = rest.strip_prefix('{') else { return Some(atom) };
    let (count, after) = after.split_once('}')?;
    *rest = after;
    let (least, most) = count.split_once(',').unwrap_or((count, count));
    let least: usize = least.parse().ok()?;
    let [one] = &atom[..] else { return None };
    if most.is_empty() {
        return (digit && least <= 18).then(|| vec![format!("{}{OPEN}", one.repeat(least))]);
    }
    let most: usize = most.parse().ok()?;
    (least <= most && most <= 18).then(|| (least..=most).map(|times| one.repeat(times)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_expressions_are_patterns() {
        let ours = |text: &str| -> Option<Vec<String>> {
            Some(patterns(text)?.into_iter().map(|pattern| pattern.text().to_owned()).collect())
        };
        let some = |texts: &[&str]| Some(texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>());
        assert_eq!(ours("^4000$"), some(&["4000"]));
        assert_eq!(ours("^(10[01][0-9])$"), some(&["10[01]x"]));
        assert_eq!(ours(r"^9(\d+)$"), some(&["9x*"]));
        assert_eq!(ours(r"^(?:1|22)\d{2}$"), some(&["1xx", "22xx"]));
        assert_eq!(ours(r"^\*72$"), some(&["*72"]));
        assert_eq!(ours(r"^40\d{1,2}$"), some(&["40x", "40xx"]));
        assert_eq!(ours(r"^0?800.*$"), some(&["800*", "0800*"]));
        for other in
            ["4000", "^4000", r"^\D+$", r"^(\d+)#$", "^operator$", r"^\d+5$", "^$", "^((1)$", r"^1(23)+$", r"^12\*$"]
        {
            assert_eq!(ours(other), None, "{other}");
        }
        assert_eq!(ours(&format!("^{}1{}$", "(".repeat(5_000), ")".repeat(5_000))), None);
        assert_eq!(ours(&format!("^{}$", "(1|2)".repeat(50))), None);
    }
}
