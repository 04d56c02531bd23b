//! Spans that begin or end at an instant which a clock change skips or repeats: they are well defined, and seldom what was meant.

use jiff::Timestamp;
use jiff::civil::{Date, Weekday};
use jiff::tz::{AmbiguousOffset, TimeZone};

use super::super::report::{Place, Report};
use super::{DAY, Span};

/// How many years ahead clock changes are looked at, the present one included.
const YEARS: i16 = 3;

/// Warns once for each edge of the span that some change of the coming years touches.
pub(super) fn warn(zone: &TimeZone, days: &[Weekday], span: Span, year: i16, place: Place, report: &mut Report) {
    let Ok(begin) = Date::new(year, 1, 1) else { return };
    let Ok(begin) = zone.to_timestamp(begin.at(0, 0, 0, 0)) else { return };
    let within = |at: &Timestamp| zone.to_datetime(*at).year() < year + YEARS;
    let mut told = [false; 2];
    for change in zone.following(begin).map(|change| change.timestamp()).take_while(within) {
        let after = zone.to_datetime(change);
        for (told, minute) in told.iter_mut().zip([span.from, span.to]).filter(|(told, _)| !**told) {
            // The edge may lie on the day after the one that the span is named for.
            let date = after.date();
            let day = if minute >= DAY { date.yesterday().unwrap_or(date) } else { date };
            if !days.contains(&day.weekday()) {
                continue;
            }
            let minute = minute % DAY;
            // Minutes of a day make an hour below 24 and a minute below 60.
            let at = date.at((minute / 60) as i8, (minute % 60) as i8, 0, 0);
            let what = match zone.to_ambiguous_timestamp(at).offset() {
                AmbiguousOffset::Unambiguous { .. } => continue,
                AmbiguousOffset::Gap { .. } => "does not exist",
                AmbiguousOffset::Fold { .. } => "comes twice",
            };
            *told = true;
            let hint = Some("move it out of the hour in which the clock changes".to_owned());
            report.warning(
                place,
                format!("{:02}:{:02} {what} on {date}, when the clock changes", at.hour(), at.minute()),
                hint,
            );
        }
    }
}
