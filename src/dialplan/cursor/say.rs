//! What is said, as prompts; and the variables that it says.

use jiff::Timestamp;
use jiff::civil::DateTime;

use super::super::act::FloorView;
use super::super::program::Prompt;
use super::super::speech::{self, Spoken};
use super::super::talk::{Item, Said};
use super::super::values::{LONGEST, Template};
use super::Cursor;
use crate::time::Now;

impl Cursor {
    /// The value of a variable or fact.
    pub(super) fn value(&self, name: &str) -> String {
        match name {
            "caller" => self.facts.caller.clone(),
            "called" => self.facts.called.clone(),
            "trunk" => self.facts.trunk.as_ref().map_or(String::new(), ToString::to_string),
            "language" => self.language.clone(),
            "class" => self.class.clone(),
            "customer" => self.customer.clone(),
            "last_agent" => self.facts.last_agent.clone(),
            "transferred_by" => self.facts.transferred_by.clone(),
            "own_agent" => self.own_agent.clone(),
            // The checker knows every name.
            other => self.variables.get(other).cloned().unwrap_or_default(),
        }
    }

    pub(super) fn fill(&self, template: &Template) -> String {
        template.fill(|name| self.value(name))
    }

    /// Gives a variable its value; what is too long is cut, so that no loop of a plan can grow it without end.
    pub(super) fn assign(&mut self, name: &str, value: String) {
        let value = if value.chars().count() > LONGEST { value.chars().take(LONGEST).collect() } else { value };
        self.variables.insert(name.to_owned(), value);
    }

    /// The prompts that say these, one after the other, in the language in force.
    pub(super) fn said(&self, items: &[Item], now: Now, floor: &dyn FloorView) -> Vec<Prompt> {
        let mut prompts = Vec::new();
        items.iter().for_each(|item| self.say(item, &self.language, now, floor, &mut prompts));
        prompts
    }

    /// The prompts that say an item; none where there is nothing to say, such as a number that is none.
    pub(super) fn say(&self, item: &Item, language: &str, now: Now, floor: &dyn FloorView, prompts: &mut Vec<Prompt>) {
        let spoken = |what: Option<Spoken>| what.map_or(Vec::new(), |what| speech::prompts(what, language));
        let names = match &item.what {
            Said::Prompt(name) => vec![name.clone()],
            // The checker knows that it is there in every language in which a call may come here.
            Said::Text(texts) => texts.get(language).map(|text| vec![speech::said(text)]).unwrap_or_default(),
            Said::Number(text) => spoken(self.fill(text).trim().parse().ok().map(Spoken::Number)),
            Said::Digits(text) => speech::digits(&self.fill(text)),
            Said::Money(text, currency) => {
                let hundredths = hundredths(self.fill(text).trim());
                spoken(hundredths.map(|hundredths| Spoken::Money { hundredths, currency: *currency }))
            }
            Said::Date(text) => spoken(self.instant(text, now).map(Spoken::Date)),
            Said::Time(text) => spoken(self.instant(text, now).map(Spoken::Time)),
            Said::Position => spoken(floor.position().map(|position| Spoken::Number(i64::from(position)))),
            Said::ExpectedWait => spoken(floor.own_expected_wait_ms().map(|ms| Spoken::Minutes(ms.div_ceil(1_000)))),
        };
        prompts.extend(names.iter().map(|name| Prompt::new(language, name).at(item.volume_db)));
    }

    /// "2026-11-27", "14:05" or both; the present on the clock of this machine's hours where it is empty.
    fn instant(&self, text: &Template, now: Now) -> Option<DateTime> {
        let text = self.fill(text);
        let text = text.trim();
        if text.is_empty() {
            // The zone of the first hours, as a plan without any has no clock of its own.
            let zone = self.program.hours.values().next().map(|hours| hours.zone().clone());
            let zone = zone.unwrap_or(jiff::tz::TimeZone::UTC);
            return Some(zone.to_datetime(Timestamp::from_millisecond(now.wall_ms).ok()?));
        }
        let date: Option<jiff::civil::Date> = text.parse().ok();
        let time: Option<jiff::civil::Time> = text.parse().ok();
        let at: Option<DateTime> = text.parse().ok();
        at.or_else(|| Some(date?.at(0, 0, 0, 0))).or_else(|| Some(time?.on(1970, 1, 1)))
    }
}

/// Hundredths of "12", "12.5" or "-12.50".
fn hundredths(text: &str) -> Option<i64> {
    let (negative, text) = text.strip_prefix('-').map_or((false, text), |rest| (true, rest));
    let (units, rest) = text.split_once('.').unwrap_or((text, ""));
    let sound = !units.is_empty() && rest.len() <= 2 && units.bytes().chain(rest.bytes()).all(|b| b.is_ascii_digit());
    let rest: i64 = if rest.is_empty() { 0 } else { format!("{rest:0<2}").parse().ok()? };
    let amount = units.parse::<i64>().ok().filter(|_| sound)?.checked_mul(100)?.checked_add(rest)?;
    Some(if negative { -amount } else { amount })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts() {
        assert_eq!(hundredths("12"), Some(1_200));
        assert_eq!(hundredths("12.5"), Some(1_250));
        assert_eq!(hundredths("-0.05"), Some(-5));
        for wrong in ["", ".", "1.234", "1,5", "99999999999999999999"] {
            assert_eq!(hundredths(wrong), None, "{wrong}");
        }
    }
}
