//! How loud something is played.

use std::ops::RangeInclusive;

use super::report::Report;
use super::table::Table;

/// What may be asked for, dB beside the file's own level: far softer at most, and louder as far as speech is not clipped badly.
const VOLUMES_DB: RangeInclusive<i64> = -30..=12;

/// How much louder than its file something is to be played, dB; softer below zero. None where nothing is said.
pub(crate) fn read_volume(table: &mut Table<'_>, key: &'static str, report: &mut Report) -> Option<i8> {
    let said = table.has(key);
    let volume = table.integer(key, *VOLUMES_DB.start()..*VOLUMES_DB.end() + 1, 0, report);
    i8::try_from(volume).ok().filter(|_| said)
}
