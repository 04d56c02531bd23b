//! The directory: who calls from a number. `[customer."…"]` tables, and CSV files beside the dialplans.

use std::collections::{BTreeMap, BTreeSet};

use super::program::Customer;
use super::report::{Report, suggest};
use super::table::{At, Table};

/// Columns of a directory's file; `number` is needed, the others may be absent or empty.
const COLUMNS: [&str; 5] = ["number", "name", "class", "tags", "agent"];

/// Whether a file is a directory of customers, by its name.
pub(super) fn is_directory(name: &str) -> bool {
    name.rsplit_once('.').is_some_and(|(_, ending)| ending.eq_ignore_ascii_case("csv"))
}

pub(super) fn read_customer(mut table: Table<'_>, report: &mut Report) -> Customer {
    let name = table.string("name", report).map_or(String::new(), |name| name.value);
    let class = table.string("class", report).map_or(String::new(), |class| class.value);
    let tags = table.strings("tags", report).into_iter().map(|tag| tag.value).collect();
    let agent = table.string("agent", report).map_or(String::new(), |agent| agent.value);
    table.finish(report);
    Customer { name, class, tags, agent }
}

/// Reads the files that `directory = […]` names into `customers`.
pub(super) fn read_files(
    files: Vec<At<String>>,
    beside: &BTreeMap<String, String>,
    customers: &mut BTreeMap<String, Customer>,
    report: &mut Report,
) {
    for file in files {
        let Some(text) = beside.get(&file.value) else {
            let known = beside.keys().map(String::as_str).filter(|name| is_directory(name));
            let hint = suggest(&file.value, known)
                .or_else(|| Some("put the .csv file into the folder of the dialplans".to_owned()));
            report.problem(file.place, format!("there is no directory \"{}\"", file.value), hint);
            continue;
        };
        if let Err(wrong) = read_file(text, customers) {
            report.problem(file.place, format!("{}: {wrong}", file.value), None);
        }
    }
}

fn read_file(text: &str, customers: &mut BTreeMap<String, Customer>) -> Result<(), String> {
    let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(text.as_bytes());
    let head = reader.headers().map_err(|error| error.to_string())?.clone();
    if let Some(unknown) = head.iter().find(|column| !COLUMNS.contains(column)) {
        return Err(format!("unknown column \"{unknown}\"; known: {}", COLUMNS.join(", ")));
    }
    let at = |name: &str| head.iter().position(|column| column == name);
    let number = at("number").ok_or("there is no column \"number\" in the first line")?;
    let [name, class, tags, agent] = ["name", "class", "tags", "agent"].map(at);
    for row in reader.records() {
        let row = row.map_err(|error| error.to_string())?;
        let cell = |column: Option<usize>| column.and_then(|column| row.get(column)).unwrap_or_default();
        let line = row.position().map_or(0, csv::Position::line);
        let number = cell(Some(number));
        if number.is_empty() {
            return Err(format!("line {line}: a customer without a number"));
        }
        let tags: BTreeSet<String> = cell(tags).split_whitespace().map(str::to_owned).collect();
        let [name, class, agent] = [name, class, agent].map(|column| cell(column).to_owned());
        let customer = Customer { name, class, tags, agent };
        if customers.insert(number.to_owned(), customer).is_some() {
            return Err(format!("line {line}: the number {number} is there twice"));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_read_and_its_faults_are_told_with_their_line() {
        let mut customers = BTreeMap::new();
        read_file("number,name,class,tags\n138,Li,vip,near internal\n139,Wang,,\n", &mut customers).expect("reads");
        assert_eq!(customers["138"].class, "vip");
        assert_eq!(customers["138"].tags, BTreeSet::from(["near".to_owned(), "internal".to_owned()]));
        let wrong = |text: &str| read_file(text, &mut BTreeMap::new()).expect_err("wrong");
        assert_eq!(wrong("number\n1\n1\n"), "line 3: the number 1 is there twice");
        assert_eq!(wrong("number,nmae\n"), "unknown column \"nmae\"; known: number, name, class, tags, agent");
        assert_eq!(wrong("name\nLi\n"), "there is no column \"number\" in the first line");
    }
}
