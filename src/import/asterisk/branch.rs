//! Where a call goes on: Goto, GotoIf, GotoIfTime, and the variables that decide.

use std::collections::BTreeMap;

use super::super::draft::{Do, Hours, variable_name};
use super::super::write::quoted;
use super::apps::text_of;
use super::conf::split;
use super::walk::{Here, Walk};
use crate::dialplan::Pattern;

const DAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
/// The longest text that a variable holds, characters.
const LONGEST: usize = 1_000;

impl Walk<'_> {
    /// A text with variables, as ours; `None` where it asks for something that a plan does not know.
    pub(super) fn text(&mut self, here: &Here, text: &str) -> Option<String> {
        let mut ours = String::new();
        let mut rest = text.trim().trim_matches('"');
        while let Some((before, after)) = rest.split_once("${") {
            ours += &escaped(before);
            let (name, behind) = after.split_once('}')?;
            ours += &self.value(here, name)?;
            rest = behind;
        }
        let whole = ours + &escaped(rest);
        (!whole.contains("$[") && whole.chars().count() <= LONGEST).then_some(whole)
    }

    fn value(&mut self, here: &Here, name: &str) -> Option<String> {
        let global = name.strip_prefix("GLOBAL(").and_then(|name| name.strip_suffix(')')).unwrap_or(name);
        if let Some(value) = self.contexts.globals.get(&global.to_uppercase()) {
            return (!value.contains('$')).then(|| escaped(value));
        }
        match name {
            "EXTEN" if here.exten.starts_with('_') => Some("{called}".to_owned()),
            "EXTEN" => Some(escaped(&here.exten)),
            "CALLERID(num)" | "CALLERID(number)" => Some("{caller}".to_owned()),
            "CHANNEL(language)" => Some("{language}".to_owned()),
            _ => {
                let ours = variable(name).filter(|ours| self.variables.contains(ours))?;
                let read = format!("{{{ours}}}");
                // Whether or not any call comes by where it is set.
                self.plan.variables.insert(ours);
                Some(read)
            }
        }
    }

    pub(super) fn goto(&mut self, here: &Here) -> Do {
        let target = here.args.join(",");
        match self.target(here, &target) {
            Some(next) => Do::Jump { next },
            None => {
                self.todo(here.place, &text_of(here), "there is no such place in the files; the call ends here");
                Do::Jump { next: self.end(here) }
            }
        }
    }

    /// The step of "priority", "extension,priority" or "context,extension,priority".
    fn target(&mut self, here: &Here, target: &str) -> Option<usize> {
        let parts = split(target, ',');
        let (context, exten, priority) = match &parts[..] {
            [priority] => (here.context.as_str(), here.exten.as_str(), priority),
            [exten, priority] => (here.context.as_str(), exten.as_str(), priority),
            [context, exten, priority] => (context.as_str(), exten.as_str(), priority),
            _ => return None,
        };
        let contexts = self.contexts;
        let (context, exten) = match exten {
            // What was dialled fits the same pattern there, or nothing is known of where it leads.
            "${EXTEN}" if here.exten.starts_with('_') => {
                let owner =
                    contexts.within(context).into_iter().find(|name| contexts.exten_of(name, &here.exten).is_some())?;
                (owner.to_owned(), here.exten.clone())
            }
            "${EXTEN}" => contexts.find(context, &here.exten)?,
            exten if exten == here.exten && context == here.context => (context.to_owned(), exten.to_owned()),
            exten => contexts.find(context, exten)?,
        };
        let number = contexts.priority_of(&context, &exten, priority)?;
        Some(self.lead_to(here, (context, exten, number)))
    }

    /// A target of "?a:b"; an empty one goes on.
    fn branch(&mut self, here: &Here, target: Option<&str>) -> usize {
        let target = target.map_or("", str::trim);
        if target.is_empty() {
            return self.next(here);
        }
        self.target(here, target).unwrap_or_else(|| {
            self.todo(here.place, &text_of(here), "there is no such place in the files; the call ends there");
            self.end(here)
        })
    }

    pub(super) fn goto_if(&mut self, here: &Here) -> Do {
        let whole = here.args.join(",");
        let Some((condition, targets)) = whole.rsplit_once('?') else { return self.skip(here, "there is no ? in it") };
        let mut targets = targets.splitn(2, ':');
        let (yes, no) = (targets.next(), targets.next());
        let Some(condition) = self.condition(condition) else {
            self.todo(
                here.place,
                &text_of(here),
                "a when step cannot ask this; here the call goes on as if it did not hold",
            );
            return Do::Jump { next: self.branch(here, no) };
        };
        let yes = self.branch(here, yes);
        Do::When { cases: vec![(condition, yes)], otherwise: self.branch(here, no) }
    }

    /// `$["${NAME}" = "value"]` as a condition of ours.
    fn condition(&mut self, text: &str) -> Option<String> {
        let inner = text.trim().strip_prefix("$[")?.strip_suffix(']')?;
        let (left, right, holds) = match (inner.split_once("!="), inner.split_once("==")) {
            (Some((left, right)), _) => (left, right, false),
            (_, Some((left, right))) => (left, right, true),
            _ => inner.split_once('=').map(|(left, right)| (left, right, true))?,
        };
        let bare = |side: &str| side.trim().trim_matches('"').to_owned();
        let (left, right) = (bare(left), bare(right));
        let (name, value) = if left.starts_with("${") { (left, right) } else { (right, left) };
        let name = name.strip_prefix("${")?.strip_suffix('}')?;
        let plain = |value: &str| !value.contains(['$', '"', '&', '|', '<', '>', '=']);
        if name.contains(['$', '&', '|']) || !plain(&value) {
            return None;
        }
        let asked = match name {
            "CALLERID(num)" | "CALLERID(number)" => {
                Pattern::parse(&value).filter(|pattern| pattern.exact().is_some())?;
                format!("caller = {}", quoted(&value))
            }
            "CHANNEL(language)" => format!("language = {}", quoted(&value)),
            _ => {
                let ours = variable(name).filter(|ours| self.variables.contains(ours))?;
                self.plan.variables.insert(ours.clone());
                (value.chars().count() <= LONGEST)
                    .then(|| format!("variable = {}, is = {}", quoted(&ours), quoted(&value)))?
            }
        };
        Some(if holds { asked } else { format!("not = {{ {asked} }}") })
    }

    pub(super) fn goto_if_time(&mut self, here: &Here) -> Do {
        let whole = here.args.join(",");
        let (times, targets) = whole.rsplit_once('?').unwrap_or((&whole, ""));
        let mut targets = targets.splitn(2, ':');
        let (yes, no) = (targets.next(), targets.next());
        let Some(hours) = hours(&split(times, ',')) else {
            self.todo(
                here.place,
                &text_of(here),
                "write it as [hours.NAME] and an hours step; here the call goes on as if it did not hold",
            );
            return Do::Jump { next: self.branch(here, no) };
        };
        let same = |other: &&Hours| (&other.days, other.from, other.to) == (&hours.days, hours.from, hours.to);
        let name = match self.plan.hours.iter().find(same) {
            Some(known) => known.name.clone(),
            None => {
                let name = format!("hours_{}", self.plan.hours.len() + 1);
                self.plan.hours.push(Hours { name: name.clone(), ..hours });
                let zone = &self.wishes.zone;
                let advice =
                    format!("they are taken to be in {zone}: the other machine's clock decided; --zone says which");
                self.todo(here.place, &format!("hours without a time zone: {}", text_of(here)), &advice);
                name
            }
        };
        let open = self.branch(here, yes);
        Do::Hours { hours: name, open, closed: self.branch(here, no) }
    }

    pub(super) fn set(&mut self, here: &Here) -> Do {
        let whole = here.args.join(",");
        let Some((name, value)) = whole.split_once('=') else { return self.skip(here, "it sets nothing") };
        let (name, value) = (name.trim(), value.trim());
        let next = self.next(here);
        match name {
            "CHANNEL(language)" => {
                let language: String =
                    value.chars().filter(|c| c.is_ascii_alphanumeric() || "_-".contains(*c)).collect();
                if language.is_empty() || language != value {
                    return self.skip(here, "a language has a plain name, such as \"en\"");
                }
                return Do::Set { variables: BTreeMap::new(), language: Some(language), next };
            }
            // The question behind it takes it in.
            "TIMEOUT(response)" => return Do::Jump { next },
            "TIMEOUT(digit)" => return self.skip(here, "write between = \"…\" at the gather step"),
            _ => {}
        }
        let (Some(ours), Some(value)) = (variable(name), self.text(here, value)) else {
            return self.skip(here, "a plan sets variables, classes, tags and the language; this is left out");
        };
        self.plan.variables.insert(ours.clone());
        Do::Set { variables: BTreeMap::from([(ours, value)]), language: None, next }
    }
}

/// Our name of a variable, which may be written with the underscores that hand it on to other channels.
pub(super) fn variable(name: &str) -> Option<String> {
    variable_name(name.trim().trim_start_matches('_'))
}

/// Braces stand for variables in our texts, doubled ones for themselves.
fn escaped(text: &str) -> String {
    text.replace('{', "{{").replace('}', "}}")
}

/// Weekly hours out of times, days of the week, days of the month and months.
fn hours(parts: &[String]) -> Option<Hours> {
    let part = |n: usize| parts.get(n).map_or("*", String::as_str);
    if part(2) != "*" || part(3) != "*" || parts.len() > 4 {
        return None;
    }
    let mut days = Vec::new();
    for range in part(1).split('&') {
        if range == "*" {
            days.extend(DAYS);
            continue;
        }
        let day = |name: &str| DAYS.iter().position(|day| name.trim().eq_ignore_ascii_case(day));
        let (first, last) = range.split_once('-').unwrap_or((range, range));
        let (first, last) = (day(first)?, day(last)?);
        // A range may go on over Sunday.
        days.extend((first..first + 7).take((last + 7 - first) % 7 + 1).map(|day| DAYS[day % 7]));
    }
    days.sort_by_key(|name| DAYS.iter().position(|day| day == name));
    days.dedup();
    let (from, to) = match part(0) {
        "*" => (0, 1_440),
        range => {
            let (from, to) = range.split_once('-')?;
            // Asterisk counts the minute that it ends with.
            (minute(from)?, minute(to)? + 1)
        }
    };
    // What goes on over midnight belongs to both days there, and to the first here.
    (from < to || days.len() == 7 && from > to).then(|| Hours { name: String::new(), days, from, to })
}

fn minute(text: &str) -> Option<u32> {
    let (hours, minutes) = text.trim().split_once(':')?;
    let (hours, minutes) = (hours.parse::<u32>().ok()?, minutes.parse::<u32>().ok()?);
    (hours < 24 && minutes < 60).then_some(hours * 60 + minutes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hours_are_those_that_asterisk_means() {
        let read = |text: &str| hours(&split(text, ','));
        let office = read("9:00-17:29,mon-wed&fri,*,*").expect("hours");
        assert_eq!((office.days, office.from, office.to), (vec!["mon", "tue", "wed", "fri"], 540, 1_050));
        let weekend = read("*,sat-mon").expect("hours");
        assert_eq!((weekend.days, weekend.from, weekend.to), (vec!["mon", "sat", "sun"], 0, 1_440));
        let night = read("22:00-05:59,*,*,*").expect("hours");
        assert_eq!((night.days.len(), night.from, night.to), (7, 1_320, 360));
        for other in ["9:00-17:00,mon-fri,1-7,*", "9:00-17:00,*,*,jan", "22:00-06:00,mon-fri", "9-17", "25:00-26:00,*"]
        {
            assert_eq!(read(other), None, "{other}");
        }
    }
}
