use super::super::report::{Report, Source};
use super::super::table::{Table, parse};
use super::*;

fn read(text: &str, calendars: &[(&str, &str)]) -> (Option<Hours>, Vec<String>) {
    let mut report = Report::default();
    let file = report.add_source(Source { file: "h".into(), text: text.into() });
    let document = parse(text, file, &mut report);
    let calendars = calendars.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect();
    let beside = Beside { calendars: &calendars, year: Some(2026) };
    let hours = Hours::read(Table::new(document.get_ref(), 0..0, file), beside, &mut report);
    (hours, report.into_problems().into_iter().map(|problem| problem.message).collect())
}

fn hours(text: &str) -> Hours {
    let (hours, problems) = read(text, &[]);
    assert_eq!(problems, Vec::<String>::new());
    hours.expect("reads")
}

fn ms(at: &str) -> i64 {
    at.parse::<Timestamp>().expect("a timestamp").as_millisecond()
}

fn open(hours: &Hours, at: &str) -> bool {
    hours.is_open(ms(at))
}

const OFFICE: &str =
    "zone = \"Asia/Shanghai\"\nweekly = [{ days = [\"mon-fri\"], from = \"08:00\", to = \"20:00\" }]\n";

#[test]
fn spans_end_exclusively_and_holidays_are_closed() {
    let hours = hours(&format!("{OFFICE}closed = [\"2026-10-01..2026-10-07\"]"));
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
    let text = "zone = \"Europe/Berlin\"\nweekly = [{ days = [\"sat-mon\"], from = \"01:30\", to = \"02:30\" }, \
                { days = [\"sun\"], from = \"08:00\", to = \"24:00\" }]";
    let (hours, warnings) = read(text, &[]);
    let hours = hours.expect("reads");
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
    assert_eq!(warnings, ["02:30 does not exist on 2026-03-29, when the clock changes"]);
    assert_eq!(hours.closes_at(ms("2026-03-29T01:45:00+01:00")), Some(ms("2026-03-29T03:00:00+02:00")));
    assert_eq!(hours.closes_at(ms("2026-10-25T02:15:00+02:00")), Some(ms("2026-10-25T02:30:00+02:00")));
}

#[test]
fn a_night_shift_belongs_to_the_day_on_which_it_begins() {
    let text = "zone = \"Asia/Shanghai\"\nweekly = [{ days = [\"fri\"], from = \"22:00\", to = \"06:00\" }]\n\
                closed = [\"2026-10-09\"]";
    let hours = hours(text);
    assert!(!open(&hours, "2026-10-16T21:59:00+08:00"));
    assert!(open(&hours, "2026-10-16T22:00:00+08:00"));
    assert!(open(&hours, "2026-10-17T05:59:59+08:00"));
    assert!(!open(&hours, "2026-10-17T06:00:00+08:00"));
    assert!(!open(&hours, "2026-10-17T22:30:00+08:00"), "Saturday's own");
    assert!(!open(&hours, "2026-10-10T02:00:00+08:00"), "the night after a holiday that began on it");
    assert_eq!(hours.closes_at(ms("2026-10-16T23:00:00+08:00")), Some(ms("2026-10-17T06:00:00+08:00")));
    assert_eq!(hours.closes_at(ms("2026-10-17T07:00:00+08:00")), None, "they are closed");
    assert_eq!(hours.opens_at(ms("2026-10-17T07:00:00+08:00")), Some(ms("2026-10-23T22:00:00+08:00")));
    assert_eq!(hours.opens_at(ms("2026-10-16T23:00:00+08:00")), None, "they are open");
}

#[test]
fn overrides_come_before_workdays_and_those_before_holidays() {
    let hours = hours(&format!(
        "{OFFICE}holidays = [{{ dates = [\"2026-10-01..2026-10-07\"], name = \"National Day\" }}, \
         {{ dates = [\"2026-12-24\"], name = \"Christmas Eve\", from = \"09:00\", to = \"12:00\" }}]\n\
         workdays = [{{ dates = [\"2026-10-10\"], as = \"mon\" }}, {{ dates = [\"2026-10-06\"], as = \"tue\" }}]\n\
         overrides = [{{ from = \"2026-10-10T10:00\", to = \"2026-10-10T11:00\", open = false, why = \"fire drill\" }}]"
    ));
    let decide = |at: &str| {
        let (open, because) = hours.decide(ms(at), None);
        (open, because.to_string())
    };
    assert_eq!(decide("2026-10-05T12:00:00+08:00"), (false, "holiday: National Day".to_owned()));
    assert_eq!(decide("2026-10-06T12:00:00+08:00"), (true, "a make-up workday, as on tue".to_owned()));
    assert_eq!(decide("2026-10-10T09:59:59+08:00"), (true, "a make-up workday, as on mon".to_owned()));
    assert_eq!(decide("2026-10-10T10:00:00+08:00"), (false, "override: fire drill".to_owned()));
    assert_eq!(decide("2026-10-10T11:00:00+08:00"), (true, "a make-up workday, as on mon".to_owned()));
    assert_eq!(decide("2026-12-24T11:59:00+08:00"), (true, "holiday: Christmas Eve".to_owned()));
    assert_eq!(decide("2026-12-24T12:00:00+08:00"), (false, "holiday: Christmas Eve".to_owned()));
    assert_eq!(decide("2026-12-25T12:00:00+08:00"), (true, "by the week's hours of fri".to_owned()));
    assert_eq!(hours.closes_at(ms("2026-10-10T09:00:00+08:00")), Some(ms("2026-10-10T10:00:00+08:00")));
    assert_eq!(hours.opens_at(ms("2026-10-10T10:30:00+08:00")), Some(ms("2026-10-10T11:00:00+08:00")));
    assert_eq!(hours.opens_at(ms("2026-10-03T10:30:00+08:00")), Some(ms("2026-10-06T08:00:00+08:00")));
}

#[test]
fn holidays_come_out_of_calendars() {
    let calendar = "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//x//y//EN\r\nBEGIN:VEVENT\r\nUID:1\r\nDTSTAMP:20260101T000000Z\r\n\
         DTSTART;VALUE=DATE:20261001\r\nDTEND;VALUE=DATE:20261003\r\nSUMMARY:National\r\n  Day\r\nEND:VEVENT\r\n\
         BEGIN:VEVENT\r\nUID:2\r\nDTSTAMP:20260101T000000Z\r\nDTSTART;VALUE=DATE:20200501\r\nRRULE:FREQ=YEARLY\r\n\
         SUMMARY:Labour Day\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n";
    let text = format!("{OFFICE}calendars = [\"holidays/cn.ics\"]");
    let (hours, problems) = read(&text, &[("holidays/cn.ics", calendar)]);
    assert_eq!(problems, Vec::<String>::new());
    let hours = hours.expect("reads");
    assert_eq!(hours.decide(ms("2026-10-01T12:00:00+08:00"), None), (false, Because::Holiday("National Day".into())));
    assert!(!open(&hours, "2026-10-02T12:00:00+08:00"));
    assert!(open(&hours, "2026-10-05T12:00:00+08:00"), "the end is exclusive");
    assert_eq!(hours.decide(ms("2028-05-01T12:00:00+08:00"), None), (false, Because::Holiday("Labour Day".into())));
    let repeating = calendar.replace("FREQ=YEARLY", "FREQ=YEARLY;BYDAY=1MO");
    let (_, problems) = read(&text, &[("holidays/cn.ics", &repeating)]);
    assert!(problems[0].contains("Labour Day") && problems[0].contains("BYDAY=1MO"), "{problems:?}");
    let (_, problems) = read(&text, &[("holidays/de.ics", calendar)]);
    assert_eq!(problems, ["there is no calendar \"holidays/cn.ics\""]);
    let (_, problems) = read(&text, &[("holidays/cn.ics", "no calendar")]);
    assert_eq!(problems.len(), 1, "{problems:?}");
}

#[test]
fn what_is_wrong_is_told_at_once() {
    let (_, problems) = read(
        "zone = \"Asia/Shangri-La\"\nweekly = [{ days = [\"mo\"], from = \"8:00\", to = \"24:01\" }]\nclosed = [\"soon\"]\n\
         workdays = [{ dates = [\"2026-10-10\"], as = \"monday\" }]\noverrides = [{ from = \"x\", to = \"y\" }]",
        &[],
    );
    assert_eq!(problems.len(), 9, "{problems:#?}");
}
