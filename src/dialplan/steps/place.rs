//! Steps by which calls are placed: for the caller, or back to one.

use super::super::action::Action;
use super::super::condition::patterns;
use super::super::pattern::Pattern;
use super::super::queues::read_music;
use super::super::report::{Report, suggest};
use super::super::table::{At, Table};
use super::super::talk::Outside;
use super::super::values::Template;
use super::ask::{read_keys, steps_of};
use super::branch::check_hours;
use super::queue::known_queue;
use super::{Names, optional, step};
use crate::id::TrunkId;

/// Phones that a step may ring at once.
const MOST_AT_ONCE: usize = 16;
/// Who speak in one room at most: what each hears is the sum of all others.
const LARGEST_ROOM: i64 = 32;
/// How long somebody may be parked, ms: whom nobody misses after that has been forgotten.
const PARKED_MS: std::ops::RangeInclusive<u64> = 5_000..=3_600_000;

pub(super) fn read_callback(table: &mut Table<'_>, names: &Names<'_>, report: &mut Report) -> Option<Action> {
    let number = table.string("number", report);
    let number = number.map_or(Template::default(), |text| Template::read(&text, names.variables, report));
    let queue = table.required("queue", report).map(|queue| known_queue(&queue, names, report));
    // The ranges fit thirty-two bits.
    let priority = table.integer("priority", -1_000..1_001, 0, report) as i32;
    let trunk = table.required("trunk", report).map(|trunk| known_trunk(&trunk, names, report));
    let allow = allowed(table, report);
    let hours = table.string("hours", report);
    if let Some(hours) = &hours {
        check_hours(hours, names, report);
    }
    let retry_ms = table.duration("retry", report).unwrap_or(300_000);
    if retry_ms < 1_000 {
        report.problem(table.place_of("retry"), "a number is called again after 1s at least", None);
    }
    let most = table.integer("most", 1..21, 3, report) as u32;
    let record = table.boolean("record", false, report);
    let next = step(table, "next", names, report);
    let failed = step(table, "failed", names, report);
    Some(Action::Callback {
        number,
        queue: queue?,
        priority,
        trunk: trunk?,
        allow,
        hours: hours.map(|hours| hours.value),
        retry_ms,
        most,
        record,
        next: next?,
        failed: failed?,
    })
}

pub(super) fn read_dial(table: &mut Table<'_>, names: &Names<'_>, report: &mut Report) -> Option<Action> {
    let mut users: Vec<Vec<Template>> = Vec::new();
    for together in table.string_lists("users", report) {
        if together.len() > MOST_AT_ONCE {
            let message = format!("{} phones at once are too many: {MOST_AT_ONCE} may ring", together.len());
            report.problem(table.place_of("users"), message, None);
        }
        users.push(together.iter().map(|text| Template::read(text, names.variables, report)).collect());
    }
    let outside = table.string("number", report).map(|number| {
        let number = Template::read(&number, names.variables, report);
        let trunk = table.required("trunk", report).map(|trunk| known_trunk(&trunk, names, report));
        let allow = allowed(table, report);
        trunk.map(|trunk| Outside { number, trunk, allow })
    });
    if outside.is_none() {
        for key in ["trunk", "allow"] {
            if table.has(key) {
                report.problem(table.place_of(key), format!("\"{key}\" without a \"number\""), None);
            }
            table.ignore(key);
        }
        if users.is_empty() {
            let hint = Some("users = [\"1001\"], or number and trunk".to_owned());
            report.problem(table.place, "a dial step needs \"users\" or a \"number\"", hint);
        }
    }
    let ring_ms = table.duration("ring", report).unwrap_or(30_000);
    if !(1_000..=180_000).contains(&ring_ms) {
        report.problem(table.place_of("ring"), "a phone may ring 1s to 3m", None);
    }
    let record = table.boolean("record", false, report);
    let next = step(table, "next", names, report);
    Some(Action::Dial { users, outside: outside.flatten(), ring_ms, record, next: next? })
}

pub(super) fn read_transfer(table: &mut Table<'_>, names: &Names<'_>, report: &mut Report) -> Option<Action> {
    let to = table.required("to", report).map(|text| Template::read(&text, names.variables, report));
    let failed = step(table, "failed", names, report);
    Some(Action::Transfer { to: to?, failed: failed? })
}

pub(super) fn read_conference(table: &mut Table<'_>, names: &Names<'_>, report: &mut Report) -> Option<Action> {
    let room = table.required("room", report).map(|text| Template::read(&text, names.variables, report));
    // The range fits.
    let most = table.integer("most", 2..LARGEST_ROOM + 1, 16, report) as u32;
    let keys = read_keys(table, report);
    let keys = steps_of(keys, names, report);
    let failed = step(table, "failed", names, report);
    Some(Action::Conference { room: room?, most, keys, failed: failed? })
}

pub(super) fn read_park(table: &mut Table<'_>, names: &Names<'_>, report: &mut Report) -> Option<Action> {
    let slot = table.required("slot", report).map(|text| Template::read(&text, names.variables, report));
    let music = read_music(table, names.prompts, report);
    let for_ms = table.duration("for", report).unwrap_or(120_000);
    if !PARKED_MS.contains(&for_ms) {
        report.problem(table.place_of("for"), "a caller may be parked for 5s to 60m", None);
    }
    let timeout = step(table, "timeout", names, report);
    let empty = step(table, "empty", names, report);
    let occupied = optional(table, "occupied", names, report).or(timeout);
    Some(Action::Park { slot: slot?, music, for_ms, timeout: timeout?, empty: empty?, occupied: occupied? })
}

/// A trunk, reported where the settings have none of the name.
fn known_trunk(trunk: &At<String>, names: &Names<'_>, report: &mut Report) -> TrunkId {
    if let Some(trunks) = names.trunks
        && !trunks.contains(&trunk.value)
    {
        let hint = suggest(&trunk.value, trunks.iter().map(String::as_str));
        report.problem(trunk.place, format!("the settings have no trunk \"{}\"", trunk.value), hint);
    }
    TrunkId::from(trunk.value.as_str())
}

/// Numbers that may be called: whoever calls us must not choose what we pay for.
fn allowed(table: &mut Table<'_>, report: &mut Report) -> Vec<Pattern> {
    let allow = patterns(table, "allow", report);
    if allow.is_empty() {
        let hint = Some("name the numbers that may cost you: allow = [\"1[3-9]xxxxxxxxx\"]".to_owned());
        report.problem(table.place_of("allow"), "a step that calls a number needs \"allow\"", hint);
    }
    allow
}
