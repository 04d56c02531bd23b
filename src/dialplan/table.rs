//! Reads TOML tables key by key and remembers what was asked, so that what nobody asked for is an unknown key.

use std::collections::BTreeMap;
use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::report::{Place, Report, suggest};

/// A value and where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct At<T> {
    /// The value.
    pub value: T,
    /// Where it was written.
    pub place: Place,
}

/// The longest duration that any setting takes, in milliseconds: a year.
const LONGEST_MS: u64 = 366 * 86_400_000;

/// Parses a text with every syntax error noted in `report`.
pub fn parse<'a>(text: &'a str, file: usize, report: &mut Report) -> Spanned<DeTable<'a>> {
    let (table, errors) = DeTable::parse_recoverable(text);
    for error in errors {
        let offset = error.span().map_or(0, |span| span.start);
        report.problem(Place { file, offset }, format!("not TOML: {}", error.message()), None);
    }
    table
}

/// A table under reading. Call [`Table::finish`] once every known key has been asked for.
#[derive(Debug)]
pub struct Table<'a> {
    entries: &'a DeTable<'a>,
    asked: Vec<&'static str>,
    file: usize,
    /// Where the table (or its header) stands.
    pub place: Place,
}

type Value<'a> = &'a Spanned<DeValue<'a>>;

/// A string or a table, where a list may have both.
#[derive(Debug)]
pub enum Mixed<'a> {
    /// A string.
    Text(At<String>),
    /// A table.
    Table(Table<'a>),
}

impl<'a> Table<'a> {
    /// Reads `entries`, which stand at `span` of the text numbered `file`.
    pub fn new(entries: &'a DeTable<'a>, span: Range<usize>, file: usize) -> Self {
        Self { entries, asked: Vec::new(), file, place: Place { file, offset: span.start } }
    }

    /// Where the value of `key` stands, or the table where there is none.
    pub fn place_of(&self, key: &str) -> Place {
        self.entries.get(key).map_or(self.place, |value| self.at(value.span()))
    }

    /// Whether `key` is there.
    pub fn has(&self, key: &str) -> bool {
        self.entries.contains_key(key)
    }

    /// A string.
    pub fn string(&mut self, key: &'static str, report: &mut Report) -> Option<At<String>> {
        let value = self.take(key)?;
        self.as_string(value, key, report)
    }

    /// A string that must be there.
    pub fn required(&mut self, key: &'static str, report: &mut Report) -> Option<At<String>> {
        if !self.has(key) {
            self.asked.push(key);
            report.problem(self.place, format!("\"{key}\" is missing"), None);
            return None;
        }
        self.string(key, report)
    }

    /// A boolean, `default` where absent.
    pub fn boolean(&mut self, key: &'static str, default: bool, report: &mut Report) -> bool {
        let Some(value) = self.take(key) else { return default };
        let place = self.at(value.span());
        match value.get_ref() {
            DeValue::Boolean(value) => *value,
            DeValue::String(text) if place.is_variable() && matches!(text.as_ref(), "true" | "false") => text == "true",
            other => {
                report.problem(place, format!("\"{key}\" must be true or false, not {}", kind(other)), None);
                default
            }
        }
    }

    /// A whole number within `range`, `default` where absent.
    pub fn integer(&mut self, key: &'static str, range: Range<i64>, default: i64, report: &mut Report) -> i64 {
        let Some(value) = self.take(key) else { return default };
        self.as_integer(value, key, range, report).unwrap_or(default)
    }

    /// A duration such as "500ms", "15s", "2m", "1h", in milliseconds.
    pub fn duration(&mut self, key: &'static str, report: &mut Report) -> Option<u64> {
        let text = self.string(key, report)?;
        let ms = duration_ms(&text.value);
        if ms.is_none() {
            let message = format!("\"{key}\" is no duration: \"{}\"", text.value);
            report.problem(text.place, message, Some("write for example \"500ms\", \"15s\", \"2m\" or \"1h\"".into()));
        }
        ms
    }

    /// One string or a list of strings; empty where absent. A variable holds a list separated by commas.
    pub fn strings(&mut self, key: &'static str, report: &mut Report) -> Vec<At<String>> {
        let Some(value) = self.take(key) else { return Vec::new() };
        match value.get_ref() {
            DeValue::Array(items) => {
                let items: Vec<_> = items.iter().collect();
                items.into_iter().filter_map(|item| self.as_string(item, key, report)).collect()
            }
            DeValue::String(text) if self.at(value.span()).is_variable() => {
                let place = self.at(value.span());
                text.split(',').map(|item| At { value: item.trim().to_owned(), place }).collect()
            }
            _ => self.as_string(value, key, report).into_iter().collect(),
        }
    }

    /// A list of strings and of lists of strings: each is one of the outer list; empty where absent.
    pub fn string_lists(&mut self, key: &'static str, report: &mut Report) -> Vec<Vec<At<String>>> {
        let Some(DeValue::Array(items)) = self.entries.get(key).map(Spanned::get_ref) else {
            return self.strings(key, report).into_iter().map(|one| vec![one]).collect();
        };
        self.asked.push(key);
        let items: Vec<_> = items.iter().collect();
        let list = |item: Value<'a>, report: &mut Report| match item.get_ref() {
            DeValue::Array(inner) => inner.iter().filter_map(|one| self.as_string(one, key, report)).collect(),
            _ => self.as_string(item, key, report).into_iter().collect::<Vec<_>>(),
        };
        items.into_iter().map(|item| list(item, report)).filter(|list| !list.is_empty()).collect()
    }

    /// A key that is known here and has been spoken of already.
    pub fn ignore(&mut self, key: &'static str) {
        self.asked.push(key);
    }

    /// One string or table, or a list of both; empty where absent.
    pub fn mixed(&mut self, key: &'static str, report: &mut Report) -> Vec<Mixed<'a>> {
        let Some(value) = self.take(key) else { return Vec::new() };
        self.as_mixed(value, key, report)
    }

    /// A list of such lists; empty where absent.
    pub fn mixed_lists(&mut self, key: &'static str, report: &mut Report) -> Vec<Vec<Mixed<'a>>> {
        let Some(value) = self.take(key) else { return Vec::new() };
        match value.get_ref() {
            DeValue::Array(items) => items.iter().map(|item| self.as_mixed(item, key, report)).collect(),
            _ => vec![self.as_mixed(value, key, report)],
        }
    }

    fn as_mixed(&self, value: Value<'a>, key: &'static str, report: &mut Report) -> Vec<Mixed<'a>> {
        let one = |item: Value<'a>, report: &mut Report| match item.get_ref() {
            DeValue::Table(_) => self.as_table(item, key, report).map(Mixed::Table),
            _ => self.as_string(item, key, report).map(Mixed::Text),
        };
        match value.get_ref() {
            DeValue::Array(items) => items.iter().filter_map(|item| one(item, report)).collect(),
            _ => one(value, report).into_iter().collect(),
        }
    }

    /// A table of strings, such as the keys of a menu.
    pub fn string_map(&mut self, key: &'static str, report: &mut Report) -> BTreeMap<String, At<String>> {
        let Some(table) = self.table(key, report) else { return BTreeMap::new() };
        table.all_strings(report)
    }

    /// Every named table under `key` as strings by name.
    pub fn string_maps(
        &mut self,
        key: &'static str,
        report: &mut Report,
    ) -> BTreeMap<String, BTreeMap<String, String>> {
        let plain = |strings: BTreeMap<String, At<String>>| strings.into_iter().map(|(k, at)| (k, at.value)).collect();
        self.named(key, report).into_iter().map(|(name, table)| (name, plain(table.all_strings(report)))).collect()
    }

    fn all_strings(&self, report: &mut Report) -> BTreeMap<String, At<String>> {
        let entries = self.entries.iter();
        entries
            .filter_map(|(key, value)| Some((key.get_ref().to_string(), self.as_string(value, key.get_ref(), report)?)))
            .collect()
    }

    /// A table under `key`.
    pub fn table(&mut self, key: &'static str, report: &mut Report) -> Option<Table<'a>> {
        let value = self.take(key)?;
        self.as_table(value, key, report)
    }

    /// The named tables under `key`, such as every `[flow.NAME]`; their places are those of the names.
    pub fn named(&mut self, key: &'static str, report: &mut Report) -> Vec<(String, Table<'a>)> {
        let Some(tables) = self.table(key, report) else { return Vec::new() };
        let mut named = Vec::new();
        for (name, value) in tables.entries.iter() {
            if let Some(mut table) = tables.as_table(value, name.get_ref(), report) {
                table.place = self.at(name.span());
                named.push((name.get_ref().to_string(), table));
            }
        }
        named
    }

    /// Names with a whole number from 1 to 100 each: a table of them, or one name or a list of names, each of which stands for
    /// `bare`.
    pub fn levels(&mut self, key: &'static str, bare: u8, report: &mut Report) -> BTreeMap<String, At<u8>> {
        if let Some(DeValue::Table(entries)) = self.entries.get(key).map(Spanned::get_ref) {
            self.asked.push(key);
            let level = |(name, value): (&Spanned<_>, Value<'a>)| {
                let name: &std::borrow::Cow<'_, str> = name.get_ref();
                let level = self.as_integer(value, name, 1..101, report)?;
                // The range fits.
                Some((name.to_string(), At { value: level as u8, place: self.at(value.span()) }))
            };
            return entries.iter().filter_map(level).collect();
        }
        let bare = |name: At<String>| (name.value, At { value: bare, place: name.place });
        self.strings(key, report).into_iter().map(bare).collect()
    }

    /// A list of tables, empty where absent.
    pub fn tables(&mut self, key: &'static str, report: &mut Report) -> Vec<Table<'a>> {
        let Some(value) = self.take(key) else { return Vec::new() };
        let DeValue::Array(items) = value.get_ref() else {
            report.problem(self.at(value.span()), format!("\"{key}\" must be a list of tables"), None);
            return Vec::new();
        };
        items.iter().filter_map(|item| self.as_table(item, key, report)).collect()
    }

    /// Reports every key that nobody asked for.
    pub fn finish(self, report: &mut Report) {
        for (key, _) in self.entries.iter() {
            let name = key.get_ref().as_ref();
            if !self.asked.contains(&name) {
                let hint = suggest(name, self.asked.iter().copied());
                report.problem(self.at(key.span()), format!("unknown key \"{name}\""), hint);
            }
        }
    }

    fn at(&self, span: Range<usize>) -> Place {
        Place { file: self.file, offset: span.start }
    }

    fn take(&mut self, key: &'static str) -> Option<Value<'a>> {
        self.asked.push(key);
        self.entries.get(key)
    }

    fn as_string(&self, value: Value<'a>, key: &str, report: &mut Report) -> Option<At<String>> {
        let place = self.at(value.span());
        match value.get_ref() {
            DeValue::String(text) => Some(At { value: text.to_string(), place }),
            other => {
                report.problem(place, format!("\"{key}\" must be a string, not {}", kind(other)), None);
                None
            }
        }
    }

    fn as_integer(&self, value: Value<'a>, key: &str, range: Range<i64>, report: &mut Report) -> Option<i64> {
        let place = self.at(value.span());
        let number = match value.get_ref() {
            DeValue::Integer(number) => i64::from_str_radix(number.as_str(), number.radix()).ok(),
            DeValue::String(text) if place.is_variable() => text.parse().ok(),
            _ => None,
        };
        let number = number.filter(|number| range.contains(number));
        if number.is_none() {
            let (least, most) = (range.start, range.end - 1);
            report.problem(place, format!("\"{key}\" must be a whole number from {least} to {most}"), None);
        }
        number
    }

    fn as_table(&self, value: Value<'a>, key: &str, report: &mut Report) -> Option<Table<'a>> {
        match value.get_ref() {
            DeValue::Table(entries) => Some(Table::new(entries, value.span(), self.file)),
            other => {
                report.problem(self.at(value.span()), format!("\"{key}\" must be a table, not {}", kind(other)), None);
                None
            }
        }
    }
}

/// Milliseconds of "500ms", "15s", "2m", "1h"; `None` for anything else.
pub fn duration_ms(text: &str) -> Option<u64> {
    let digits = text.find(|c: char| !c.is_ascii_digit())?;
    let (number, unit) = text.split_at(digits);
    let factor = match unit.trim() {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        _ => return None,
    };
    number.parse::<u64>().ok()?.checked_mul(factor).filter(|ms| *ms <= LONGEST_MS)
}

fn kind(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a string",
        DeValue::Integer(_) => "a whole number",
        DeValue::Float(_) => "a decimal number",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_carry_their_unit() {
        assert_eq!(duration_ms("500ms"), Some(500));
        assert_eq!(duration_ms("2m"), Some(120_000));
        assert_eq!(duration_ms("5"), None);
        assert_eq!(duration_ms("-5s"), None);
        assert_eq!(duration_ms("99999999999999999999h"), None);
        assert_eq!(duration_ms("9999999999999999h"), None);
    }
}
