//! Opening hours in a time zone: weekly spans, holidays, make-up workdays and one-off overrides.
//!
//! Spans end exclusively and are read on the wall clock of the zone, so a clock change neither opens nor closes an hour early. A
//! span that ends at or before its beginning runs past midnight and belongs to the day on which it began.
//!
//! What decides, the first that applies: a closure by hand, an override, a make-up workday, a holiday, the week.

mod calendar;
mod clock_change;
mod read;

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::civil::{Date, DateTime, Weekday};
use jiff::tz::TimeZone;

pub(super) use calendar::is_calendar;
pub(super) use read::Beside;

/// Minutes of a day.
const DAY: u32 = 24 * 60;
/// How many days ahead the next closing is looked for: what stays open longer is as good as always open.
const HORIZON: i32 = 8;

/// From a minute of the day on to another, exclusively; past midnight where `to` lies beyond the day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Span {
    from: u32,
    to: u32,
}

/// A holiday: what it is called and when one is open nevertheless.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Holiday {
    name: String,
    open: Vec<Span>,
}

/// A one-off change between two instants of the zone's wall clock.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Override {
    from: DateTime,
    to: DateTime,
    open: bool,
    why: String,
}

/// When a hotline is open.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hours {
    zone: TimeZone,
    weekly: BTreeMap<i8, Vec<Span>>,
    holidays: BTreeMap<Date, Holiday>,
    /// Days on which one works as on another day of the week.
    workdays: BTreeMap<Date, Weekday>,
    overrides: Vec<Override>,
}

/// What decided.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Because {
    /// The spans of this day of the week: "mon".
    Week(&'static str),
    /// The holiday of this name.
    Holiday(String),
    /// A make-up workday, which has the spans of this day of the week.
    Workday(&'static str),
    /// The override with this reason.
    Override(String),
    /// Somebody has closed them by hand until this instant (wall ms).
    ByHand(i64),
}

impl std::fmt::Display for Because {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Week(day) => write!(f, "by the week's hours of {day}"),
            Self::Holiday(name) => write!(f, "holiday: {name}"),
            Self::Workday(day) => write!(f, "a make-up workday, as on {day}"),
            Self::Override(why) => write!(f, "override: {why}"),
            Self::ByHand(until_ms) => match Timestamp::from_millisecond(*until_ms) {
                Ok(until) => write!(f, "closed by hand until {until}"),
                Err(_) => write!(f, "closed by hand"),
            },
        }
    }
}

pub(super) const DAYS: [(&str, Weekday); 7] = [
    ("mon", Weekday::Monday),
    ("tue", Weekday::Tuesday),
    ("wed", Weekday::Wednesday),
    ("thu", Weekday::Thursday),
    ("fri", Weekday::Friday),
    ("sat", Weekday::Saturday),
    ("sun", Weekday::Sunday),
];

fn name_of(day: Weekday) -> &'static str {
    // Monday is 1 and Sunday 7 (ISO 8601), the order of the list.
    DAYS.get(day.to_monday_zero_offset().unsigned_abs() as usize).map_or("", |(name, _)| name)
}

impl Hours {
    /// Whether they are open at `wall_ms` (milliseconds since 1970 UTC).
    pub fn is_open(&self, wall_ms: i64) -> bool {
        self.decide(wall_ms, None).0
    }

    /// Whether they are open at `wall_ms`, and what decided; somebody may have closed them by hand until an instant.
    pub fn decide(&self, wall_ms: i64, closed_until_ms: Option<i64>) -> (bool, Because) {
        if let Some(until_ms) = closed_until_ms.filter(|until| *until > wall_ms) {
            return (false, Because::ByHand(until_ms));
        }
        let local = self.local(wall_ms);
        if let Some(hit) = self.overrides.iter().find(|one| (one.from..one.to).contains(&local)) {
            return (hit.open, Because::Override(hit.why.clone()));
        }
        let minute = minute_of(local);
        let today = local.date();
        if let Ok(yesterday) = today.yesterday() {
            let (spans, because) = self.day(yesterday);
            if spans.iter().any(|span| span.to > DAY && minute < span.to - DAY) {
                return (true, because);
            }
        }
        let (spans, because) = self.day(today);
        (spans.iter().any(|span| (span.from..span.to).contains(&minute)), because)
    }

    /// The next instant at which they close (wall ms), where they are open at `wall_ms` and close within a week.
    pub fn closes_at(&self, wall_ms: i64) -> Option<i64> {
        let mut edges: Vec<i64> = self.edges(wall_ms).into_iter().filter(|edge| *edge > wall_ms).collect();
        edges.sort_unstable();
        self.is_open(wall_ms).then(|| edges.into_iter().find(|edge| !self.is_open(*edge)))?
    }

    /// The next instant at which they open (wall ms), where they are closed at `wall_ms` and open within a week.
    pub fn opens_at(&self, wall_ms: i64) -> Option<i64> {
        let mut edges: Vec<i64> = self.edges(wall_ms).into_iter().filter(|edge| *edge > wall_ms).collect();
        edges.sort_unstable();
        (!self.is_open(wall_ms)).then(|| edges.into_iter().find(|edge| self.is_open(*edge)))?
    }

    /// The clock and calendar of the zone.
    pub fn zone(&self) -> &TimeZone {
        &self.zone
    }

    fn local(&self, wall_ms: i64) -> DateTime {
        // Milliseconds beyond the year 9999 come from no clock.
        let instant = Timestamp::from_millisecond(wall_ms).unwrap_or(Timestamp::MAX);
        self.zone.to_datetime(instant)
    }

    /// A day's own spans, and what they follow from.
    fn day(&self, date: Date) -> (&[Span], Because) {
        let of = |day: Weekday| self.weekly.get(&day.to_monday_one_offset()).map_or(&[][..], Vec::as_slice);
        if let Some(day) = self.workdays.get(&date) {
            return (of(*day), Because::Workday(name_of(*day)));
        }
        if let Some(holiday) = self.holidays.get(&date) {
            return (&holiday.open, Because::Holiday(holiday.name.clone()));
        }
        (of(date.weekday()), Because::Week(name_of(date.weekday())))
    }

    /// Every instant of the coming days at which something begins or ends.
    fn edges(&self, wall_ms: i64) -> Vec<i64> {
        let today = self.local(wall_ms).date();
        let mut local = Vec::new();
        for ahead in -1..=HORIZON {
            let Ok(date) = today.checked_add(jiff::Span::new().days(ahead)) else { continue };
            local.push(date.at(0, 0, 0, 0));
            for span in self.day(date).0 {
                for minute in [span.from, span.to] {
                    let minutes = jiff::Span::new().minutes(i64::from(minute));
                    local.extend(date.at(0, 0, 0, 0).checked_add(minutes));
                }
            }
        }
        for one in &self.overrides {
            local.extend([one.from, one.to]);
        }
        let instants = local.into_iter().flat_map(|at| {
            let both = self.zone.to_ambiguous_timestamp(at);
            // Within a fold the wall clock shows the instant twice.
            [both.earlier(), both.later()]
        });
        let mut edges: Vec<i64> = instants.filter_map(Result::ok).map(|at| at.as_millisecond()).collect();
        // The clock itself may jump over the end of a span.
        let from = Timestamp::from_millisecond(wall_ms).unwrap_or(Timestamp::MAX);
        edges.extend(self.zone.following(from).take(1).map(|change| change.timestamp().as_millisecond()));
        edges
    }
}

fn minute_of(local: DateTime) -> u32 {
    // Hours and minutes of a civil time are never negative.
    u32::from(local.hour().unsigned_abs()) * 60 + u32::from(local.minute().unsigned_abs())
}

#[cfg(test)]
mod tests;
