//! Numbers as a trunk writes them, and as we do: E.164 with its plus sign, where a plan says how to get there.

/// One prefix for another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rewrite {
    /// What the number begins with.
    pub prefix: String,
    /// What stands there instead.
    pub replace: String,
}

/// How a trunk writes E.164 numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Format {
    /// `+8613800138000`
    #[default]
    E164,
    /// `8613800138000`
    Digits,
    /// `0` and the number within the country, `00` and all of it for the others.
    National,
    /// `008613800138000`
    International,
}

/// A country's way of dialling (ITU-T E.164, E.123).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// The country code, without plus: `86`.
    pub country: String,
    /// The area in which a number without prefix is local, without the national prefix: `21`.
    pub area: Option<String>,
    /// Digits that a local number has at most.
    pub local_digits: u8,
    /// What comes before a number within the country: `0`; empty in countries without one.
    pub national: String,
    /// What comes before a number abroad: `00`.
    pub international: String,
    /// How the trunk wants its numbers.
    pub send: Format,
}

/// Digits below which a number is a service's or an extension: it is left alone.
const SHORT: usize = 7;

/// What is done to the numbers of one trunk. The longest fitting prefix rewrites; where none fits, the plan does.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Numbering {
    /// Called numbers that come in.
    pub called_in: Vec<Rewrite>,
    /// Callers' numbers that come in.
    pub caller_in: Vec<Rewrite>,
    /// Called numbers that go out.
    pub called_out: Vec<Rewrite>,
    /// Callers' numbers that go out.
    pub caller_out: Vec<Rewrite>,
    /// To and from E.164.
    pub plan: Option<Plan>,
}

impl Numbering {
    /// A called number of the trunk's, as we write it.
    pub fn called_in(&self, number: &str) -> String {
        rewritten(&self.called_in, number).unwrap_or_else(|| self.planned(number, Plan::to_e164))
    }

    /// A caller's number of the trunk's, as we write it.
    pub fn caller_in(&self, number: &str) -> String {
        rewritten(&self.caller_in, number).unwrap_or_else(|| self.planned(number, Plan::to_e164))
    }

    /// A called number of ours, as the trunk writes it.
    pub fn called_out(&self, number: &str) -> String {
        rewritten(&self.called_out, number).unwrap_or_else(|| self.planned(number, Plan::of_e164))
    }

    /// A caller's number of ours, as the trunk writes it.
    pub fn caller_out(&self, number: &str) -> String {
        rewritten(&self.caller_out, number).unwrap_or_else(|| self.planned(number, Plan::of_e164))
    }

    fn planned(&self, number: &str, by: impl FnOnce(&Plan, &str) -> String) -> String {
        self.plan.as_ref().map_or_else(|| number.to_owned(), |plan| by(plan, number))
    }
}

fn rewritten(rules: &[Rewrite], number: &str) -> Option<String> {
    let fitting = rules.iter().filter(|rule| number.starts_with(&rule.prefix));
    let Rewrite { prefix, replace } = fitting.max_by_key(|rule| rule.prefix.len())?;
    Some(format!("{replace}{}", &number[prefix.len()..]))
}

impl Plan {
    /// `013800138000` as `+8613800138000`. What is no number, or too short to be one of the public network, stays.
    pub fn to_e164(&self, number: &str) -> String {
        let digits: String = number.chars().filter(|c| !"-. ()".contains(*c)).collect();
        if let Some(rest) = digits.strip_prefix('+') {
            return if is_digits(rest) { digits } else { number.to_owned() };
        }
        if !is_digits(&digits) || digits.len() < SHORT {
            return number.to_owned();
        }
        if let Some(rest) = prefixed(&digits, &self.international) {
            return format!("+{rest}");
        }
        let country = &self.country;
        if let Some(rest) = prefixed(&digits, &self.national) {
            return format!("+{country}{rest}");
        }
        match &self.area {
            Some(area) if digits.len() <= usize::from(self.local_digits) => format!("+{country}{area}{digits}"),
            _ => format!("+{country}{digits}"),
        }
    }

    /// `+8613800138000` as the trunk writes it. What is not E.164 stays.
    pub fn of_e164(&self, number: &str) -> String {
        let Some(digits) = number.strip_prefix('+').filter(|digits| is_digits(digits)) else {
            return number.to_owned();
        };
        match self.send {
            Format::E164 => number.to_owned(),
            Format::Digits => digits.to_owned(),
            Format::International => format!("{}{digits}", self.international),
            Format::National => match digits.strip_prefix(&self.country) {
                Some(rest) => format!("{}{rest}", self.national),
                None => format!("{}{digits}", self.international),
            },
        }
    }
}

fn prefixed<'a>(digits: &'a str, prefix: &str) -> Option<&'a str> {
    digits.strip_prefix(prefix).filter(|rest| !prefix.is_empty() && !rest.is_empty())
}

fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shanghai(send: Format) -> Plan {
        let area = Some("21".to_owned());
        Plan { country: "86".into(), area, local_digits: 8, national: "0".into(), international: "00".into(), send }
    }

    #[test]
    fn numbers_become_e164_and_back() {
        let plan = shanghai(Format::National);
        for (written, e164) in [
            ("+8613800138000", "+8613800138000"),
            ("008613800138000", "+8613800138000"),
            ("0015551234567", "+15551234567"),
            ("013800138000", "+8613800138000"),
            ("13800138000", "+8613800138000"),
            ("02154654000", "+862154654000"),
            ("54654000", "+862154654000"),
            ("(021) 5465-4000", "+862154654000"),
            // Services, extensions and names are left alone.
            ("10086", "10086"),
            ("110", "110"),
            ("reception", "reception"),
            ("+abc", "+abc"),
            ("", ""),
        ] {
            assert_eq!(plan.to_e164(written), e164, "{written}");
        }
        for (send, local, abroad) in [
            (Format::E164, "+862154654000", "+15551234567"),
            (Format::Digits, "862154654000", "15551234567"),
            (Format::National, "02154654000", "0015551234567"),
            (Format::International, "00862154654000", "0015551234567"),
        ] {
            let plan = shanghai(send);
            assert_eq!((plan.of_e164("+862154654000"), plan.of_e164("+15551234567")), (local.into(), abroad.into()));
            assert_eq!(plan.of_e164("10086"), "10086");
        }
        // North America: no national prefix in signalling, ten digits.
        let area = Some("212".to_owned());
        let (country, international) = ("1".to_owned(), "011".to_owned());
        let plan = Plan { country, area, local_digits: 7, national: String::new(), international, send: Format::E164 };
        assert_eq!(plan.to_e164("5551234567"), "+15551234567");
        assert_eq!(plan.to_e164("5551234"), "+12125551234");
    }

    #[test]
    fn the_longest_prefix_comes_before_the_plan() {
        let rule = |prefix: &str, replace: &str| Rewrite { prefix: prefix.into(), replace: replace.into() };
        let numbering = Numbering {
            called_in: vec![rule("86", "+86"), rule("8621", "021-")],
            plan: Some(shanghai(Format::Digits)),
            ..Numbering::default()
        };
        assert_eq!(numbering.called_in("862154654000"), "021-54654000");
        assert_eq!(numbering.called_in("8613800138000"), "+8613800138000");
        assert_eq!(numbering.called_in("013800138000"), "+8613800138000");
        assert_eq!(numbering.caller_out("+8613800138000"), "8613800138000");
        assert_eq!(Numbering::default().called_out("+8613800138000"), "+8613800138000");
    }
}
