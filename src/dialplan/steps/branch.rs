//! Steps that decide where the call goes on, and note things about it.

use super::super::action::Action;
use super::super::condition::Condition;
use super::super::inquiry::Inquiry;
use super::super::program::StepRef;
use super::super::report::{Report, suggest};
use super::super::table::{At, Table};
use super::super::values::{Kind, Template};
use super::{Names, optional, step};

pub(super) fn read_when(table: &mut Table<'_>, names: &Names<'_>, report: &mut Report) -> Option<Action> {
    let mut cases = Vec::new();
    for mut case in table.tables("cases", report) {
        let condition = Condition::read(&mut case, names.known(), report);
        let next = step(&mut case, "next", names, report);
        case.finish(report);
        cases.extend(next.map(|next| (condition, next)));
    }
    if !table.has("cases") {
        let hint = "cases = [{ class = \"vip\", next = \"vip\" }]".to_owned();
        report.problem(table.place, "a when step needs \"cases\"", Some(hint));
    }
    let otherwise = step(table, "else", names, report)?;
    Some(Action::When { cases, otherwise })
}

pub(super) fn read_set(table: &mut Table<'_>, names: &Names<'_>, report: &mut Report) -> Option<Action> {
    let variables = read_values(table, "variables", names, report);
    let class = table.string("class", report).map(|class| class.value);
    let tags = table.strings("tags", report).into_iter().map(|tag| tag.value).collect();
    let language = table.string("language", report).map(|language| language.value);
    let sets = ["variables", "class", "tags", "language"].iter().any(|key| table.has(key));
    if !sets {
        let hint = Some("name variables, class, tags or language".to_owned());
        report.problem(table.place, "a set step that sets nothing", hint);
    }
    let next = step(table, "next", names, report)?;
    Some(Action::Set { variables, class, tags, language, next })
}

/// Variables and what they are to hold.
fn read_values(
    table: &mut Table<'_>,
    key: &'static str,
    names: &Names<'_>,
    report: &mut Report,
) -> Vec<(String, Template)> {
    let mut values = Vec::new();
    for (name, text) in table.string_map(key, report) {
        let Some(variable) = names.variables.get(&name) else {
            let hint = suggest(&name, names.variables.keys().map(String::as_str))
                .or_else(|| Some(format!("declare it: [variable.{name}] type = \"text\"")));
            report.problem(text.place, format!("there is no variable \"{name}\""), hint);
            continue;
        };
        let template = Template::read(&text, names.variables, report);
        let plain = template.variables().next().is_none();
        if plain && !variable.kind.holds(&text.value) {
            report.problem(text.place, format!("\"{}\" is no value of \"{name}\"", text.value), None);
        }
        let numeric = |inner: &str| names.variables.get(inner).is_some_and(|inner| inner.kind == variable.kind);
        if variable.kind == Kind::Flag && !plain && !template.variables().all(numeric) {
            report.problem(text.place, format!("\"{}\" need not be true or false", text.value), None);
        }
        values.push((name, template));
    }
    values
}

pub(super) fn read_customer(table: &mut Table<'_>, names: &Names<'_>, report: &mut Report) -> Option<Action> {
    let asks = table.has("hook");
    if !asks && names.customers.is_empty() {
        let hint = "add [customer.\"13800138000\"] tables, directory = [\"customers.csv\"] at the head of the file, or a \"hook\"";
        report.problem(table.place, "there is no customer to be found", Some(hint.to_owned()));
    }
    let number = table.string("number", report);
    let number = number.map_or(Template::default(), |text| Template::read(&text, names.variables, report));
    let known = step(table, "known", names, report);
    let unknown = step(table, "unknown", names, report);
    let inquiry = if asks { Some(read_inquiry(table, names, report)?) } else { None };
    if !asks {
        for key in INQUIRY {
            if table.has(key) {
                report.problem(table.place_of(key), format!("\"{key}\" without a \"hook\""), None);
            }
            table.ignore(key);
        }
    }
    Some(Action::Customer { number, inquiry, known: known?, unknown: unknown? })
}

/// The keys of a question to another system.
const INQUIRY: [&str; 5] = ["hook", "send", "timeout", "retries", "failed"];

fn read_inquiry(table: &mut Table<'_>, names: &Names<'_>, report: &mut Report) -> Option<Inquiry> {
    let hook = table.required("hook", report);
    if let (Some(hook), Some(known)) = (&hook, names.webhooks)
        && !known.contains(&hook.value)
    {
        let hint = suggest(&hook.value, known.iter().map(String::as_str))
            .or_else(|| Some(format!("add [webhook.{}] url = \"https://…\" to the settings", hook.value)));
        report.problem(hook.place, format!("the settings have no webhook \"{}\"", hook.value), hint);
    }
    let sent = table.string_map("send", report).into_iter();
    let send = sent.map(|(name, text)| (name, Template::read(&text, names.variables, report))).collect();
    let timeout_ms = table.duration("timeout", report).unwrap_or(3_000);
    if !(100..=30_000).contains(&timeout_ms) {
        report.problem(table.place_of("timeout"), "a caller may wait 100ms to 30s for an answer", None);
    }
    // The range fits.
    let retries = table.integer("retries", 0..6, 1, report) as u32;
    let failed = step(table, "failed", names, report);
    Some(Inquiry { hook: hook?.value, send, timeout_ms, retries, failed: failed? })
}

pub(super) fn read_webhook(table: &mut Table<'_>, names: &Names<'_>, report: &mut Report) -> Option<Action> {
    let mut into = Vec::new();
    for (field, variable) in table.string_map("into", report) {
        if !names.variables.contains_key(&variable.value) {
            let hint = suggest(&variable.value, names.variables.keys().map(String::as_str))
                .or_else(|| Some(format!("declare it: [variable.{}] type = \"text\"", variable.value)));
            report.problem(variable.place, format!("there is no variable \"{}\"", variable.value), hint);
        }
        into.push((field, variable.value));
    }
    let inquiry = read_inquiry(table, names, report);
    let next = step(table, "next", names, report);
    Some(Action::Webhook { inquiry: inquiry?, into, next: next? })
}

pub(super) fn read_call(table: &mut Table<'_>, names: &Names<'_>, report: &mut Report) -> Option<Action> {
    let start = table.required("flow", report).and_then(|name| flow_start(&name, names, report));
    let with = read_values(table, "with", names, report);
    let next = step(table, "next", names, report);
    Some(Action::Call { start: start?, with, next: next? })
}

pub(super) fn read_hours(table: &mut Table<'_>, names: &Names<'_>, report: &mut Report) -> Option<Action> {
    let hours = table.required("hours", report);
    if let Some(hours) = &hours {
        check_hours(hours, names, report);
    }
    let open = step(table, "open", names, report);
    let closed = step(table, "closed", names, report);
    Some(Action::Hours { hours: hours?.value, open: open?, closed: closed? })
}

pub(super) fn check_hours(hours: &At<String>, names: &Names<'_>, report: &mut Report) {
    if !names.hours.contains_key(&hours.value) {
        let hint = suggest(&hours.value, names.hours.keys().map(String::as_str));
        report.problem(hours.place, format!("there are no hours \"{}\"", hours.value), hint);
    }
}

pub(super) fn read_goto(table: &mut Table<'_>, names: &Names<'_>, report: &mut Report) -> Option<Action> {
    if let Some(name) = table.string("flow", report) {
        return flow_start(&name, names, report).map(|next| Action::Goto { next });
    }
    let next = optional(table, "next", names, report);
    if !table.has("next") {
        report.problem(table.place, "a goto needs \"next\" or \"flow\"", None);
    }
    next.map(|next| Action::Goto { next })
}

fn flow_start(name: &At<String>, names: &Names<'_>, report: &mut Report) -> Option<StepRef> {
    if let Some(start) = names.flows.get(&name.value) {
        return *start;
    }
    let hint = report.wants_hints().then(|| suggest(&name.value, names.flows.keys().map(String::as_str))).flatten();
    report.problem(name.place, format!("there is no flow \"{}\"", name.value), hint);
    None
}
