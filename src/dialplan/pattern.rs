//! Patterns of numbers: `4000`, `40xx`, `400[0-4]`, `4000-4099`, `400*`, and how narrow each is.

use std::cmp::Ordering;

/// Digits that a pattern may have: more than any number of E.164 (15), and few enough to count with.
const MOST_DIGITS: usize = 18;

/// One position: a set of digits, a bit each.
type Digits = u16;
const ANY: Digits = 0x3ff;

/// Which numbers are meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern {
    text: String,
    /// What stands before the digits and is no digit: "+", "*" of a feature code.
    lead: String,
    shape: Shape,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Shape {
    /// This number and no other, of any length.
    Exact(String),
    /// A set of digits for each position, and whether anything may follow.
    Places { places: Vec<Digits>, open: bool },
    /// From one number to another of the same length, both included.
    Range { first: String, last: String },
}

impl Pattern {
    /// Reads a pattern; `None` where it is none.
    pub fn parse(text: &str) -> Option<Self> {
        let lead_length = text.len() - text.trim_start_matches(['+', '*']).len();
        // "*" alone is every number, not a feature code.
        let lead_length = if text == "*" { 0 } else { lead_length };
        let (lead, rest) = text.split_at(lead_length);
        let digits = |t: &str| !t.is_empty() && t.len() <= 64 && t.bytes().all(|b| b.is_ascii_digit());
        let shape = if digits(rest) {
            Shape::Exact(rest.to_owned())
        } else if let Some((first, last)) = rest.split_once('-').filter(|_| !rest.contains('[')) {
            let sound = digits(first) && digits(last) && first.len() == last.len() && first.len() <= MOST_DIGITS;
            (sound && first <= last).then(|| Shape::Range { first: first.to_owned(), last: last.to_owned() })?
        } else {
            let (places, open) = match rest.strip_suffix('*') {
                Some(places) => (places, true),
                None => (rest, false),
            };
            let places = read_places(places)?;
            (places.len() <= MOST_DIGITS && (open || !places.is_empty())).then_some(Shape::Places { places, open })?
        };
        Some(Self { text: text.to_owned(), lead: lead.to_owned(), shape })
    }

    /// As it was written.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The one number that it means, where it means one.
    pub fn exact(&self) -> Option<&str> {
        matches!(self.shape, Shape::Exact(_)).then_some(&self.text)
    }

    /// What every number that is meant begins with.
    pub fn prefix(&self) -> String {
        let digit = |place: &Digits| char::from_digit(place.trailing_zeros(), 10).filter(|_| place.count_ones() == 1);
        let digits: String = match &self.shape {
            Shape::Exact(digits) => digits.clone(),
            Shape::Places { places, .. } => places.iter().map_while(digit).collect(),
            Shape::Range { first, last } => {
                let common = first.chars().zip(last.chars()).take_while(|(one, other)| one == other);
                common.map(|(one, _)| one).collect()
            }
        };
        format!("{}{digits}", self.lead)
    }

    /// The number, where only one is meant, however that is written.
    pub fn only(&self) -> Option<String> {
        let one = self.share().0 == 1 && !self.is_open();
        one.then(|| self.prefix())
    }

    /// Whether `number` is meant.
    pub fn fits(&self, number: &str) -> bool {
        let Some(rest) = number.strip_prefix(&self.lead) else { return false };
        match &self.shape {
            Shape::Exact(digits) => rest == digits,
            Shape::Range { first, last } => {
                rest.len() == first.len()
                    && rest.bytes().all(|b| b.is_ascii_digit())
                    && (&**first..=&**last).contains(&rest)
            }
            Shape::Places { places, open } => {
                let rest = rest.as_bytes();
                let long_enough = if *open { rest.len() >= places.len() } else { rest.len() == places.len() };
                long_enough && places.iter().zip(rest).all(|(place, byte)| has(*place, *byte))
            }
        }
    }

    /// Which of two patterns is the narrower one: the one that means the smaller share of all numbers, and of equal shares the one
    /// whose numbers have an end. `Less` is narrower.
    pub fn narrowness(&self, other: &Self) -> Ordering {
        let ((mine, my_length), (theirs, their_length)) = (self.share(), other.share());
        // Shares are counts out of 10^length; both have at most 18 digits, so neither product overflows.
        let (mine, theirs) = (mine * 10u128.pow(their_length), theirs * 10u128.pow(my_length));
        mine.cmp(&theirs).then(self.is_open().cmp(&other.is_open()))
    }

    /// Whether some number fits both.
    pub fn overlaps(&self, other: &Self) -> bool {
        if self.lead != other.lead {
            // "*" and "x…" begin with a digit; only a pattern without any place takes a lead as well, and is the widest of all.
            return false;
        }
        let length = self.length().max(other.length());
        let ends = |pattern: &Self| pattern.is_open() || pattern.length() == length;
        let bounds = [self.bounds(length), other.bounds(length)];
        // Where no position is impossible by itself, digits that lie within both ranges' edges are found without a search.
        let possible = bounds[0].0.iter().zip(&bounds[1].0).all(|(one, two)| one & two != 0);
        ends(self) && ends(other) && possible && both_fit(&bounds, &[(true, true); 2], 0)
    }

    fn is_open(&self) -> bool {
        matches!(self.shape, Shape::Places { open: true, .. })
    }

    fn length(&self) -> usize {
        match &self.shape {
            Shape::Exact(digits) => digits.len(),
            Shape::Places { places, .. } => places.len(),
            Shape::Range { first, .. } => first.len(),
        }
    }

    /// How many numbers it means, out of 10 to the power of the second figure.
    fn share(&self) -> (u128, u32) {
        let length = self.length().min(MOST_DIGITS) as u32;
        let count = match &self.shape {
            Shape::Exact(_) => 1,
            Shape::Places { places, .. } => places.iter().map(|place| u128::from(place.count_ones())).product(),
            Shape::Range { first, last } => {
                let number = |text: &str| text.parse::<u128>().unwrap_or(0);
                number(last) - number(first) + 1
            }
        };
        (count, length)
    }

    /// A set for each of `length` positions, and the range that holds besides.
    fn bounds(&self, length: usize) -> Bounds<'_> {
        let of = |digits: &str| digits.bytes().map(|byte| 1 << (byte - b'0')).collect::<Vec<Digits>>();
        let (mut places, range) = match &self.shape {
            Shape::Exact(digits) => (of(digits), None),
            Shape::Places { places, .. } => (places.clone(), None),
            Shape::Range { first, last } => (vec![ANY; first.len()], Some((first.as_bytes(), last.as_bytes()))),
        };
        places.resize(length.max(places.len()), ANY);
        (places, range)
    }
}

type Bounds<'a> = (Vec<Digits>, Option<(&'a [u8], &'a [u8])>);

/// Whether some digits from position `at` on lie within all bounds; `edges` says of each whether what came before lies on the lower and
/// on the upper end of its range.
fn both_fit(bounds: &[Bounds<'_>; 2], edges: &[(bool, bool); 2], at: usize) -> bool {
    let Some(sets) = bounds.iter().map(|(places, _)| places.get(at).copied()).collect::<Option<Vec<_>>>() else {
        return true;
    };
    let common = sets.into_iter().fold(ANY, |all, set| all & set);
    (b'0'..=b'9').filter(|digit| has(common, *digit)).any(|digit| {
        let mut next = *edges;
        for ((_, range), (low, high)) in bounds.iter().zip(&mut next) {
            let Some((first, last)) = range else { continue };
            if (*low && digit < first[at]) || (*high && digit > last[at]) {
                return false;
            }
            (*low, *high) = (*low && digit == first[at], *high && digit == last[at]);
        }
        both_fit(bounds, &next, at + 1)
    })
}

fn has(place: Digits, byte: u8) -> bool {
    byte.is_ascii_digit() && place & (1 << (byte - b'0')) != 0
}

fn read_places(text: &str) -> Option<Vec<Digits>> {
    let mut places = Vec::new();
    let mut rest = text.chars();
    while let Some(c) = rest.next() {
        places.push(match c {
            '0'..='9' => 1 << (c as u32 - '0' as u32),
            'x' | 'X' => ANY,
            '[' => {
                let (inner, after) = rest.as_str().split_once(']')?;
                rest = after.chars();
                read_set(inner)?
            }
            _ => return None,
        });
    }
    Some(places)
}

/// "0-4", "135", "0-25".
fn read_set(text: &str) -> Option<Digits> {
    let mut set = 0;
    let bytes = text.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        let first = bytes[at];
        let last = if bytes.get(at + 1) == Some(&b'-') { *bytes.get(at + 2)? } else { first };
        if !first.is_ascii_digit() || !last.is_ascii_digit() || first > last {
            return None;
        }
        for digit in first..=last {
            set |= 1 << (digit - b'0');
        }
        at += if bytes.get(at + 1) == Some(&b'-') { 3 } else { 1 };
    }
    (set != 0).then_some(set)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pattern(text: &str) -> Pattern {
        Pattern::parse(text).unwrap_or_else(|| panic!("{text} is a pattern"))
    }

    #[test]
    fn what_fits() {
        let fits = |text: &str, number: &str| pattern(text).fits(number);
        assert!(fits("4000", "4000") && !fits("4000", "40001") && !fits("4000", "+4000"));
        assert!(fits("40xx", "4099") && !fits("40xx", "409") && !fits("40xx", "40a9"));
        assert!(fits("400[0-29]", "4002") && fits("400[0-29]", "4009") && !fits("400[0-29]", "4003"));
        assert!(fits("4000-4099", "4050") && !fits("4000-4099", "4100") && !fits("4000-4099", "405"));
        assert!(fits("400*", "400") && fits("400*", "4008001234") && !fits("400*", "40"));
        assert!(fits("*71", "*71") && !fits("*71", "71") && fits("*", "") && fits("*", "*71"));
        assert!(fits("+86x*", "+86138") && !fits("+86x*", "86138"));
        for wrong in ["", "40a", "[", "4[]", "4[5-1]", "4100-4000", "40-4099", "++"] {
            assert_eq!(Pattern::parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn the_narrower_one_comes_first() {
        let order = ["4008", "400[0-2]", "4000-4009", "400x", "400*", "40x*", "4*", "4000-7999", "*"];
        for pair in order.windows(2) {
            let (left, right) = (pattern(pair[0]), pattern(pair[1]));
            let expected = if pair[1] == "400x" { Ordering::Equal } else { Ordering::Less };
            assert_eq!(left.narrowness(&right), expected, "{pair:?}");
        }
    }

    #[test]
    fn overlaps_are_found() {
        let overlap = |a: &str, b: &str| pattern(a).overlaps(&pattern(b)) && pattern(b).overlaps(&pattern(a));
        assert!(overlap("40x0", "4[0-2]10"));
        assert!(!overlap("40x0", "41x0"));
        assert!(overlap("4000-4099", "40x5") && !overlap("4000-4099", "4100-4199"));
        assert!(overlap("4199-4205", "42x*") && !overlap("4199-4201", "42x5"));
        assert!(overlap("400*", "4xxxx") && !overlap("400*", "4x"));
        assert!(overlap("400*", "40*") && overlap("*", "4"));
    }

    proptest::proptest! {
        #[test]
        fn overlapping_is_what_counting_says(a in "[0-3x]{2}|[0-3]{2}-[0-3]{2}|[0-3x]\\*", b in "[0-3x]{2}|[0-3]{2}-[0-3]{2}|[0-3x]\\*") {
            if let (Some(one), Some(other)) = (Pattern::parse(&a), Pattern::parse(&b)) {
                let counted = (0..100).map(|n| format!("{n:02}")).any(|n| one.fits(&n) && other.fits(&n));
                proptest::prop_assert_eq!(one.overlaps(&other), counted, "{} {}", a, b);
            }
        }
    }
}
