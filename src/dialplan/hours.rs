//! Opening hours in a time zone. Spans end exclusively and are read on the wall clock of the zone, so a clock change
//! neither opens nor closes an hour early.

use std::collections::BTreeSet;

use jiff::Timestamp;
use jiff::civil::{Date, Time, Weekday};
use jiff::tz::TimeZone;

use super::report::Report;
use super::table::Table;

/// One weekly span.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Span {
    days: Vec<Weekday>,
    from_minute: u32,
    to_minute: u32,
}

/// When a hotline is open.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hours {
    zone: TimeZone,
    weekly: Vec<Span>,
    closed: BTreeSet<Date>,
}

const DAYS: [(&str, Weekday); 7] = [
    ("mon", Weekday::Monday),
    ("tue", Weekday::Tuesday),
    ("wed", Weekday::Wednesday),
    ("thu", Weekday::Thursday),
    ("fri", Weekday::Friday),
    ("sat", Weekday::Saturday),
    ("sun", Weekday::Sunday),
];

/// How many dates one range may name.
const LONGEST_RANGE_DAYS: i32 = 366;

impl Hours {
    /// Whether they are open at `wall_ms` (milliseconds since 1970 UTC).
    pub fn is_open(&self, wall_ms: i64) -> bool {
        let Ok(instant) = Timestamp::from_millisecond(wall_ms) else { return false };
        let local = self.zone.to_datetime(instant);
        if self.closed.contains(&local.date()) {
            return false;
        }
        let minute = minute_of(local.time());
        let day = local.date().weekday();
        self.weekly.iter().any(|span| span.days.contains(&day) && (span.from_minute..span.to_minute).contains(&minute))
    }

    pub(super) fn read(mut table: Table<'_>, report: &mut Report) -> Option<Self> {
        let zone = table.required("zone", report).and_then(|name| match TimeZone::get(&name.value) {
            Ok(zone) => Some(zone),
            Err(_) => {
                let hint = Some("write an IANA name such as \"Asia/Shanghai\"".to_owned());
                report.problem(name.place, format!("there is no time zone \"{}\"", name.value), hint);
                None
            }
        });
        let weekly: Vec<_> =
            table.tables("weekly", report).into_iter().filter_map(|span| read_span(span, report)).collect();
        let mut closed = BTreeSet::new();
        for dates in table.strings("closed", report) {
            match dates_of(&dates.value) {
                Some(dates) => closed.extend(dates),
                None => {
                    let hint = Some("write \"2026-10-01\" or \"2026-10-01..2026-10-07\"".to_owned());
                    report.problem(dates.place, format!("\"{}\" is neither a date nor a range", dates.value), hint);
                }
            }
        }
        table.finish(report);
        Some(Self { zone: zone?, weekly, closed })
    }
}

fn read_span(mut table: Table<'_>, report: &mut Report) -> Option<Span> {
    let mut days = Vec::new();
    for names in table.strings("days", report) {
        match days_of(&names.value) {
            Some(more) => days.extend(more),
            None => {
                let hint = Some("write \"mon\" or \"mon-fri\"".to_owned());
                report.problem(names.place, format!("\"{}\" names no days", names.value), hint);
            }
        }
    }
    let mut minute = |key, table: &mut Table<'_>| {
        let text = table.required(key, report)?;
        let minute = parse_minute(&text.value);
        if minute.is_none() {
            let hint = Some("write \"08:00\"; a day ends at \"24:00\"".to_owned());
            report.problem(text.place, format!("\"{}\" is no time of day", text.value), hint);
        }
        minute
    };
    let (from, to) = (minute("from", &mut table), minute("to", &mut table));
    let place = table.place_of("to");
    table.finish(report);
    let (from_minute, to_minute) = (from?, to?);
    if from_minute >= to_minute {
        let hint = Some("a span over midnight is two: one to \"24:00\", one from \"00:00\"".to_owned());
        report.problem(place, "the span ends before it begins", hint);
        return None;
    }
    Some(Span { days, from_minute, to_minute })
}

fn parse_minute(text: &str) -> Option<u32> {
    if text == "24:00" {
        return Some(24 * 60);
    }
    let (hour, minute) = text.split_once(':')?;
    if hour.len() != 2 || minute.len() != 2 {
        return None;
    }
    let (hour, minute): (i8, i8) = (hour.parse().ok()?, minute.parse().ok()?);
    Time::new(hour, minute, 0, 0).ok().map(minute_of)
}

fn minute_of(time: Time) -> u32 {
    // Hours and minutes of a civil time are never negative.
    time.hour().unsigned_abs() as u32 * 60 + time.minute().unsigned_abs() as u32
}

fn days_of(text: &str) -> Option<Vec<Weekday>> {
    let day = |name: &str| DAYS.iter().position(|(known, _)| *known == name);
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let (first, last) = (day(first)?, day(last)?);
    let count = (last + 7 - first) % 7;
    Some(DAYS.iter().cycle().skip(first).take(count + 1).map(|(_, day)| *day).collect())
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

#[cfg(test)]
mod tests {
    use super::super::report::Source;
    use super::super::table::parse;
    use super::*;

    fn hours(text: &str) -> Hours {
        let mut report = Report::default();
        let file = report.add_source(Source { file: "h".into(), text: text.into() });
        let document = parse(text, file, &mut report);
        let hours = Hours::read(Table::new(document.get_ref(), 0..0, file), &mut report);
        assert_eq!(report.into_problems(), []);
        hours.expect("reads")
    }

    fn open(hours: &Hours, at: &str) -> bool {
        hours.is_open(at.parse::<Timestamp>().expect("a timestamp").as_millisecond())
    }

    #[test]
    fn spans_end_exclusively_and_holidays_are_closed() {
        let text = "zone = \"Asia/Shanghai\"\nclosed = [\"2026-10-01..2026-10-07\"]\n\
                    weekly = [{ days = [\"mon-fri\"], from = \"08:00\", to = \"20:00\" }]";
        let hours = hours(text);
        assert!(!open(&hours, "2026-09-30T07:59:59+08:00"));
        assert!(open(&hours, "2026-09-30T08:00:00+08:00"));
        assert!(open(&hours, "2026-09-30T19:59:59+08:00"));
        assert!(!open(&hours, "2026-09-30T20:00:00+08:00"));
        assert!(!open(&hours, "2026-10-07T12:00:00+08:00"), "a holiday");
        assert!(open(&hours, "2026-10-08T12:00:00+08:00"));
        assert!(!open(&hours, "2026-10-10T12:00:00+08:00"), "a Saturday");
    }

    #[test]
    fn a_clock_change_keeps_the_wall_clock() {
        let text = "zone = \"Europe/Berlin\"\n\
                    weekly = [{ days = [\"sat-mon\"], from = \"01:30\", to = \"02:30\" }, { days = [\"sun\"], from = \"08:00\", to = \"24:00\" }]";
        let hours = hours(text);
        // 2026-10-25: 02:00–03:00 happens twice; both halves before 02:30 are open.
        assert!(open(&hours, "2026-10-25T02:15:00+02:00"));
        assert!(!open(&hours, "2026-10-25T02:45:00+02:00"));
        assert!(open(&hours, "2026-10-25T02:15:00+01:00"));
        // 2026-03-29: 02:00–03:00 does not exist; the span ends with 01:59:59.
        assert!(open(&hours, "2026-03-29T01:59:59+01:00"));
        assert!(!open(&hours, "2026-03-29T03:00:00+02:00"));
        assert!(!open(&hours, "2026-03-29T07:59:59+02:00"));
        assert!(open(&hours, "2026-03-29T08:00:00+02:00"));
        assert!(open(&hours, "2026-03-29T23:59:59+02:00"));
    }
}
