//! `[hours.NAME]` as written.

use std::collections::BTreeMap;
use std::ops::Range;

use jiff::civil::{Date, DateTime, Time, Weekday};
use jiff::tz::TimeZone;

use super::super::report::{Report, suggest};
use super::super::table::Table;
use super::{DAY, DAYS, Holiday, Hours, Override, Span, calendar, clock_change, minute_of};

/// How many dates one range may name.
const LONGEST_RANGE_DAYS: i32 = 366;
/// What a holiday is called that has no name.
const UNNAMED: &str = "closed";

/// What lies beside the dialplans.
#[derive(Clone, Copy, Debug)]
pub(in crate::dialplan) struct Beside<'a> {
    /// Calendars by their path under the folder of the dialplans.
    pub(in crate::dialplan) calendars: &'a BTreeMap<String, String>,
    /// The present year, from which on clock changes are looked at; none are where absent.
    pub(in crate::dialplan) year: Option<i16>,
}

impl Hours {
    pub(in crate::dialplan) fn read(mut table: Table<'_>, beside: Beside<'_>, report: &mut Report) -> Option<Self> {
        let zone = table.required("zone", report).and_then(|name| match TimeZone::get(&name.value) {
            Ok(zone) => Some(zone),
            Err(_) => {
                let hint = Some("write an IANA name such as \"Asia/Shanghai\"".to_owned());
                report.problem(name.place, format!("there is no time zone \"{}\"", name.value), hint);
                None
            }
        });
        let mut weekly: BTreeMap<i8, Vec<Span>> = BTreeMap::new();
        for mut rule in table.tables("weekly", report) {
            let days = read_days(&mut rule, report);
            let span = read_span(&mut rule, report);
            if let (Some(span), Some(zone), Some(year)) = (span, &zone, beside.year) {
                clock_change::warn(zone, &days, span, year, rule.place, report);
            }
            rule.finish(report);
            for day in days {
                weekly.entry(day.to_monday_one_offset()).or_default().extend(span);
            }
        }
        let holidays = read_holidays(&mut table, beside, report);
        let workdays = read_workdays(&mut table, report);
        let overrides = table.tables("overrides", report).into_iter().filter_map(|rule| read_override(rule, report));
        let overrides = overrides.collect();
        table.finish(report);
        Some(Self { zone: zone?, weekly, holidays, workdays, overrides })
    }
}

fn read_holidays(table: &mut Table<'_>, beside: Beside<'_>, report: &mut Report) -> BTreeMap<Date, Holiday> {
    let mut holidays = BTreeMap::new();
    for file in table.strings("calendars", report) {
        let Some(text) = beside.calendars.get(&file.value) else {
            let hint = suggest(&file.value, beside.calendars.keys().map(String::as_str))
                .or_else(|| Some("put the .ics file into the folder of the dialplans".to_owned()));
            report.problem(file.place, format!("there is no calendar \"{}\"", file.value), hint);
            continue;
        };
        match calendar::holidays(text, beside.year) {
            Ok(days) => {
                holidays.extend(days.into_iter().map(|(date, name)| (date, Holiday { name, open: Vec::new() })));
            }
            Err(wrong) => report.problem(file.place, format!("{}: {wrong}", file.value), None),
        }
    }
    for date in dates(table, "closed", report) {
        holidays.insert(date, Holiday { name: UNNAMED.to_owned(), open: Vec::new() });
    }
    for mut rule in table.tables("holidays", report) {
        let dates = dates(&mut rule, "dates", report);
        if dates.is_empty() {
            report.problem(rule.place, "a holiday needs \"dates\"", None);
        }
        let name = rule.string("name", report).map_or(UNNAMED.to_owned(), |name| name.value);
        let open = if rule.has("from") || rule.has("to") {
            read_span(&mut rule, report).into_iter().collect()
        } else {
            Vec::new()
        };
        rule.finish(report);
        for date in dates {
            holidays.insert(date, Holiday { name: name.clone(), open: open.clone() });
        }
    }
    holidays
}

fn read_workdays(table: &mut Table<'_>, report: &mut Report) -> BTreeMap<Date, Weekday> {
    let mut workdays = BTreeMap::new();
    for mut rule in table.tables("workdays", report) {
        let dates = dates(&mut rule, "dates", report);
        if dates.is_empty() {
            report.problem(rule.place, "make-up workdays need \"dates\"", None);
        }
        let day = rule.required("as", report).and_then(|day| {
            let known = DAYS.iter().find(|(name, _)| *name == day.value);
            if known.is_none() {
                let hint = suggest(&day.value, DAYS.map(|(name, _)| name));
                report.problem(day.place, format!("\"{}\" is no day of the week", day.value), hint);
            }
            known.map(|(_, day)| *day)
        });
        rule.finish(report);
        workdays.extend(dates.into_iter().filter_map(|date| Some((date, day?))));
    }
    workdays
}

fn read_override(mut rule: Table<'_>, report: &mut Report) -> Option<Override> {
    let mut instant = |key| {
        let text = rule.required(key, report)?;
        let at: Option<DateTime> = text.value.parse().ok();
        if at.is_none() {
            let hint = Some("write \"2026-11-27T14:00\", on the zone's clock".to_owned());
            report.problem(text.place, format!("\"{}\" is no date with a time", text.value), hint);
        }
        at
    };
    let (from, to) = (instant("from"), instant("to"));
    if !rule.has("open") {
        let hint = Some("write open = true or open = false".to_owned());
        report.problem(rule.place, "\"open\" is missing", hint);
    }
    let open = rule.boolean("open", false, report);
    let why = rule.string("why", report).map_or(String::new(), |why| why.value);
    let place = rule.place_of("to");
    rule.finish(report);
    let (from, to) = (from?, to?);
    if from >= to {
        report.problem(place, "the override ends before it begins", None);
        return None;
    }
    Some(Override { from, to, open, why })
}

fn read_days(rule: &mut Table<'_>, report: &mut Report) -> Vec<Weekday> {
    let mut days = Vec::new();
    for names in rule.strings("days", report) {
        match days_of(&names.value) {
            Some(named) => days.extend(named),
            None => {
                let hint = Some("write \"mon\" or \"mon-fri\"".to_owned());
                report.problem(names.place, format!("\"{}\" names no days", names.value), hint);
            }
        }
    }
    if !rule.has("days") {
        report.problem(rule.place, "a weekly span needs \"days\"", None);
    }
    days
}

fn read_span(rule: &mut Table<'_>, report: &mut Report) -> Option<Span> {
    let mut minute = |key| {
        let text = rule.required(key, report)?;
        let minute = parse_minute(&text.value);
        if minute.is_none() {
            let hint = Some("write \"08:00\"; a day ends at \"24:00\"".to_owned());
            report.problem(text.place, format!("\"{}\" is no time of day", text.value), hint);
        }
        minute
    };
    let (from, to) = (minute("from"), minute("to"));
    let place = rule.place_of("to");
    let Range { start, end } = from?..to?;
    if start == end || start == DAY {
        let hint = Some("write from = \"00:00\", to = \"24:00\" for a whole day".to_owned());
        report.problem(place, "the span has no length", hint);
        return None;
    }
    // 22:00 to 06:00 ends on the morrow.
    Some(Span { from: start, to: if end < start { end + DAY } else { end } })
}

fn parse_minute(text: &str) -> Option<u32> {
    if text == "24:00" {
        return Some(DAY);
    }
    let (hour, minute) = text.split_once(':')?;
    if hour.len() != 2 || minute.len() != 2 {
        return None;
    }
    let (hour, minute): (i8, i8) = (hour.parse().ok()?, minute.parse().ok()?);
    Time::new(hour, minute, 0, 0).ok().map(|time| minute_of(time.on(2000, 1, 1)))
}

fn days_of(text: &str) -> Option<Vec<Weekday>> {
    let day = |name: &str| DAYS.iter().position(|(known, _)| *known == name);
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let (first, last) = (day(first)?, day(last)?);
    let count = (last + 7 - first) % 7;
    Some(DAYS.iter().cycle().skip(first).take(count + 1).map(|(_, day)| *day).collect())
}

fn dates(table: &mut Table<'_>, key: &'static str, report: &mut Report) -> Vec<Date> {
    let mut all = Vec::new();
    for dates in table.strings(key, report) {
        match dates_of(&dates.value) {
            Some(dates) => all.extend(dates),
            None => {
                let hint = Some("write \"2026-10-01\" or \"2026-10-01..2026-10-07\"".to_owned());
                report.problem(dates.place, format!("\"{}\" is neither a date nor a range", dates.value), hint);
            }
        }
    }
    all
}

fn dates_of(text: &str) -> Option<Vec<Date>> {
    let (first, last) = text.split_once("..").unwrap_or((text, text));
    let (mut date, last): (Date, Date) = (first.parse().ok()?, last.parse().ok()?);
    let mut dates = vec![date];
    for _ in 0..LONGEST_RANGE_DAYS {
        if date >= last {
            break;
        }
        date = date.tomorrow().ok()?;
        dates.push(date);
    }
    (date == last).then_some(dates)
}
