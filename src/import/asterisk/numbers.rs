//! Extensions that are numbers: `4000`, `_4XXX`, `_9.`, `_[1-5]!`.

use crate::dialplan::Pattern;

/// Names of extensions that no caller dials.
pub(super) const SPECIAL: [&str; 8] = ["s", "i", "t", "h", "o", "a", "e", "fax"];

/// An extension as a pattern of numbers; why it is none.
pub(super) fn pattern(exten: &str) -> Result<Pattern, &'static str> {
    let cannot = "not a number that our patterns can mean: see \"Numbers\" in docs/dialplan.md";
    let Some(places) = exten.strip_prefix('_') else {
        return Pattern::parse(exten).filter(|pattern| pattern.exact().is_some()).ok_or(cannot);
    };
    let mut ours = String::new();
    let mut rest = places.chars();
    while let Some(c) = rest.next() {
        match c {
            'X' | 'x' => ours.push('x'),
            'Z' | 'z' => ours.push_str("[1-9]"),
            'N' | 'n' => ours.push_str("[2-9]"),
            '.' if rest.as_str().is_empty() => ours.push_str("x*"),
            '!' if rest.as_str().is_empty() => ours.push('*'),
            // Asterisk passes over dashes that are for the eye.
            '-' => {}
            '0'..='9' | '+' | '*' => ours.push(c),
            '[' => {
                let (set, after) = rest.as_str().split_once(']').ok_or(cannot)?;
                if !set.bytes().all(|b| b.is_ascii_digit() || b == b'-') {
                    return Err(cannot);
                }
                ours = format!("{ours}[{set}]");
                rest = after.chars();
            }
            _ => return Err(cannot),
        }
    }
    // Our star at the end means what follows, Asterisk's is a key.
    if places.ends_with('*') {
        return Err(cannot);
    }
    Pattern::parse(&ours).ok_or(cannot)
}

/// The keys that a number of a pattern has at most, 20 where it may go on.
pub(super) fn longest(pattern: &Pattern) -> u32 {
    let text = pattern.text();
    let mut places = 0;
    let mut inside = false;
    for c in text.chars() {
        inside = (inside || c == '[') && c != ']';
        places += u32::from(!inside);
    }
    // A star behind digits is "whatever follows".
    if text.len() > 1 && text.ends_with('*') { 20 } else { places }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_mean_the_same_numbers() {
        let ours = |exten: &str| pattern(exten).map(|pattern| pattern.text().to_owned());
        assert_eq!(ours("4000").as_deref(), Ok("4000"));
        assert_eq!(ours("*71").as_deref(), Ok("*71"));
        assert_eq!(ours("_4XXX").as_deref(), Ok("4xxx"));
        assert_eq!(ours("_NXX-ZXXX").as_deref(), Ok("[2-9]xx[1-9]xxx"));
        assert_eq!(ours("_9.").as_deref(), Ok("9x*"));
        assert_eq!(ours("_40!").as_deref(), Ok("40*"));
        assert_eq!(ours("_400[1-57]").as_deref(), Ok("400[1-57]"));
        for other in ["s", "operator", "_X*X!", "_s-.", "_[a-f]X", "_4X[", "_12*", "4x"] {
            assert!(ours(other).is_err(), "{other}");
        }
    }
}
