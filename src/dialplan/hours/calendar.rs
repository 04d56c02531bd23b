//! Holidays out of iCalendar files (RFC 5545): every day that an event touches is one.

use std::collections::BTreeMap;

use icalendar::{Calendar, CalendarDateTime, Component, DatePerhapsTime};
use jiff::civil::Date;

/// Days of one event that are taken.
const MOST_DAYS: usize = 366;
/// Years ahead for events that come every year.
const YEARS_AHEAD: i16 = 10;

/// Whether a file is a calendar, by its name.
pub(in crate::dialplan) fn is_calendar(name: &str) -> bool {
    name.rsplit_once('.').is_some_and(|(_, ending)| ending.eq_ignore_ascii_case("ics"))
}

/// Every holiday and its name. Events that come every year are taken from their first year to ten years after `year`.
///
/// # Errors
/// What is wrong with the file, or which event cannot be understood.
pub(super) fn holidays(text: &str, year: Option<i16>) -> Result<BTreeMap<Date, String>, String> {
    let calendar: Calendar = text.parse().map_err(|_| "not an iCalendar file (RFC 5545)".to_owned())?;
    let mut holidays = BTreeMap::new();
    let mut events = 0;
    for event in calendar.iter().filter_map(|component| component.as_event()) {
        events += 1;
        let name = event.get_summary().unwrap_or("holiday").to_owned();
        let start = event.get_start().and_then(|at| date_of(&at));
        let start = start.ok_or_else(|| format!("the event \"{name}\" has no day on which it begins"))?;
        // DTEND is exclusive for whole days (§3.6.1); an event without one lasts a day.
        let end = match event.get_end() {
            Some(DatePerhapsTime::Date(_)) => event.get_end().and_then(|at| date_of(&at)),
            Some(at) => date_of(&at).and_then(|date| date.tomorrow().ok()),
            None => start.tomorrow().ok(),
        };
        let end =
            end.filter(|end| *end > start).ok_or_else(|| format!("the event \"{name}\" ends before it begins"))?;
        let days = start.series(jiff::Span::new().days(1)).take_while(|date| *date < end).take(MOST_DAYS);
        match event.property_value("RRULE") {
            None => holidays.extend(days.map(|date| (date, name.clone()))),
            Some(rule) if yearly(rule) => {
                let last = year.unwrap_or(start.year()).max(start.year()).saturating_add(YEARS_AHEAD);
                let days: Vec<Date> = days.collect();
                for later in start.year()..=last {
                    let years = jiff::Span::new().years(later - start.year());
                    holidays.extend(days.iter().filter_map(|day| Some((day.checked_add(years).ok()?, name.clone()))));
                }
            }
            Some(rule) => {
                return Err(format!(
                    "the event \"{name}\" repeats by \"{rule}\"; only RRULE:FREQ=YEARLY is understood, list its days instead"
                ));
            }
        }
    }
    if events == 0 {
        return Err("there is no event in it".to_owned());
    }
    Ok(holidays)
}

/// Every year on the same date, without end.
fn yearly(rule: &str) -> bool {
    rule.split(';').all(|part| matches!(part, "FREQ=YEARLY" | "INTERVAL=1"))
}

fn date_of(at: &DatePerhapsTime) -> Option<Date> {
    let date = match at {
        DatePerhapsTime::Date(date) => *date,
        DatePerhapsTime::DateTime(
            CalendarDateTime::Floating(at) | CalendarDateTime::WithTimezone { date_time: at, .. },
        ) => at.date(),
        DatePerhapsTime::DateTime(CalendarDateTime::Utc(at)) => at.date_naive(),
    };
    // "2026-10-01" in both libraries.
    date.to_string().parse().ok()
}
