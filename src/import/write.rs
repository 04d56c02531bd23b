//! The plan as a dialplan file.

use std::fmt::Write as _;

use super::draft::{Ask, Do, Flow, Hours, Message, Plan, Queue, Said, Step, Wishes};

/// The text, which begins with a line that says where it comes from.
pub(super) fn write(plan: &Plan, from: &str, wishes: &Wishes) -> String {
    let mut text = format!("# From {}.\nversion = 1\n", comment(from));
    for (pattern, flow) in &plan.numbers {
        let flow = quoted(&plan.flows[*flow].name);
        text += &format!("\n[number.{}]\nflow = {flow}\n", quoted(pattern.text()));
    }
    for hours in &plan.hours {
        text += &hours_table(hours, &wishes.zone);
    }
    for variable in &plan.variables {
        text += &format!("\n[variable.{variable}]\ntype = \"text\"\n");
    }
    for flow in &plan.flows {
        text += &format!(
            "\n[flow.{}]\nstart = {}\nlanguage = {}\n",
            flow.name,
            quoted(&flow.steps[0].name),
            quoted(&wishes.language)
        );
        flow.steps.iter().for_each(|step| write_step(plan, flow, step, &mut text));
    }
    for (name, queue) in &plan.queues {
        write_queue(name, queue, &mut text);
    }
    text
}

fn hours_table(hours: &Hours, zone: &str) -> String {
    let clock = |minute: u32| format!("{:02}:{:02}", minute / 60, minute % 60);
    format!(
        "\n[hours.{}]\nzone = {}\nweekly = [{{ days = {}, from = \"{}\", to = \"{}\" }}]\n",
        hours.name,
        quoted(zone),
        list(hours.days.iter().map(|day| quoted(day))),
        clock(hours.from),
        clock(hours.to)
    )
}

fn write_step(plan: &Plan, flow: &Flow, step: &Step, text: &mut String) {
    if !step.came.is_empty() {
        *text += &format!("\n# {}", comment(&step.came));
    }
    *text += &format!("\n[flow.{}.step.{}]\ndo = {}\n", flow.name, step.name, quoted(step.action.kind()));
    let to = |step: &usize| quoted(&flow.steps[*step].name);
    let keys = |keys: &std::collections::BTreeMap<char, usize>| {
        let pairs: Vec<String> = keys.iter().map(|(key, step)| format!("\"{key}\" = {}", to(step))).collect();
        format!("keys = {{ {} }}\n", pairs.join(", "))
    };
    *text += &match &step.action {
        Do::Answer { next } | Do::Jump { next } => format!("next = {}\n", to(next)),
        Do::Ring { ms, next } => format!("for = \"{ms}ms\"\nnext = {}\n", to(next)),
        Do::Play { said, barge_in, next } => {
            format!("prompts = {}\nbarge_in = {barge_in}\nnext = {}\n", said_list(said), to(next))
        }
        Do::Menu { ask, keys: to_keys, no_input, wrong_input } => {
            let ends = format!("no_input = {}\nwrong_input = {}\n", to(no_input), to(wrong_input));
            ask_keys(ask) + &keys(to_keys) + &ends
        }
        Do::Gather { ask, entry, next, no_input } => {
            let end = entry.end.map_or("none".to_owned(), |end| end.to_string());
            ask_keys(ask)
                + &format!("into = {}\nleast = {}\nmost = {}\n", quoted(&entry.into), entry.least, entry.most)
                + &format!("end = {}\nnext = {}\nno_input = {}\n", quoted(&end), to(next), to(no_input))
        }
        Do::Queue { queue, keys: to_keys, next } => {
            let settings = plan.queues.get(queue);
            let unstaffed = settings.is_some_and(|queue| queue.refuses_unstaffed);
            let unstaffed = if unstaffed { format!("unstaffed = {}\n", to(next)) } else { String::new() };
            let messages = settings.map_or(String::new(), |queue| messages(&queue.messages));
            let keys = if to_keys.is_empty() { String::new() } else { keys(to_keys) };
            format!("queue = {}\nnext = {}\n{unstaffed}{keys}{messages}", quoted(queue), to(next))
        }
        Do::Dial { users, ring_s, next } => {
            let together = |users: &Vec<String>| match users.as_slice() {
                [one] => quoted(one),
                _ => list(users.iter().map(|user| quoted(user))),
            };
            let users = list(users.iter().map(together));
            format!("users = {users}\nring = \"{ring_s}s\"\nnext = {}\n", to(next))
        }
        Do::Voicemail { mailbox, prompts, next } => {
            let prompts = list(prompts.iter().map(|prompt| quoted(prompt)));
            let next = to(next);
            format!("prompts = {prompts}\nmailbox = {}\nnext = {next}\nfailed = {next}\n", quoted(mailbox))
        }
        Do::When { cases, otherwise } => {
            let cases = cases.iter().map(|(condition, next)| format!("{{ {condition}, next = {} }}", to(next)));
            format!("cases = {}\nelse = {}\n", list(cases), to(otherwise))
        }
        Do::Hours { hours, open, closed } => {
            format!("hours = {}\nopen = {}\nclosed = {}\n", quoted(hours), to(open), to(closed))
        }
        Do::Set { variables, language, next } => {
            let pairs: Vec<String> =
                variables.iter().map(|(name, value)| format!("{name} = {}", quoted(value))).collect();
            let variables =
                if pairs.is_empty() { String::new() } else { format!("variables = {{ {} }}\n", pairs.join(", ")) };
            let language =
                language.as_ref().map_or(String::new(), |language| format!("language = {}\n", quoted(language)));
            format!("{variables}{language}next = {}\n", to(next))
        }
        Do::Echo => String::new(),
        Do::Hangup { code, cause } => format!("code = {code}\ncause = {}\n", quoted(cause)),
        Do::Goto { flow } => format!("flow = {}\n", quoted(&plan.flows[*flow].name)),
    };
}

fn ask_keys(ask: &Ask) -> String {
    let names = |names: &[String]| list(names.iter().map(|name| quoted(name)));
    let mut text = format!("prompt = {}\n", names(&ask.prompts));
    if !ask.again.is_empty() {
        text += &format!("again = [{}]\n", names(&ask.again));
    }
    if !ask.invalid.is_empty() {
        text += &format!("invalid = {}\n", names(&ask.invalid));
    }
    text + &format!("timeout = \"{}ms\"\nretries = {}\n", ask.timeout_ms, ask.retries)
}

fn messages(messages: &[Message]) -> String {
    if messages.is_empty() {
        return String::new();
    }
    let one = |message: &Message| {
        let every = message.every_s;
        format!("{{ prompts = {}, after = \"{every}s\", every = \"{every}s\" }}", said_list(&message.said))
    };
    format!("messages = {}\n", list(messages.iter().map(one)))
}

fn said_list(said: &[Said]) -> String {
    list(said.iter().map(|said| match said {
        Said::Prompt(name) => quoted(name),
        Said::Digits(text) => format!("{{ digits = {} }}", quoted(text)),
        Said::Number(text) => format!("{{ number = {} }}", quoted(text)),
        Said::Position => "{ position = true }".to_owned(),
        Said::ExpectedWait => "{ expected_wait = true }".to_owned(),
    }))
}

fn write_queue(name: &str, queue: &Queue, text: &mut String) {
    *text += &format!("\n[queue.{name}]\nmembers = {}\n", list(queue.members.iter().map(|member| quoted(member))));
    *text += &format!("strategy = {}\n", quoted(queue.strategy.name()));
    if let Some(ring) = queue.ring_s {
        *text += &format!("ring = \"{ring}s\"\n");
    }
    *text += &format!("acw = \"{}s\"\n", queue.acw_s);
    if let Some(wait) = queue.max_wait_s {
        *text += &format!("max_wait = \"{wait}s\"\n");
    }
    let numbers = [("capacity", queue.capacity), ("max_no_answer", queue.max_no_answer)];
    for (key, number) in numbers.into_iter().filter_map(|(key, number)| Some((key, number?))) {
        *text += &format!("{key} = {number}\n");
    }
    let times = [
        ("no_answer", queue.no_answer_s),
        ("busy", queue.busy_s),
        ("rejected", queue.rejected_s),
        ("resume", queue.resume_s),
    ];
    for (key, seconds) in times.into_iter().filter_map(|(key, seconds)| Some((key, seconds?))) {
        *text += &format!("{key} = \"{seconds}s\"\n");
    }
    let needs = [("join_needs", queue.join_needs), ("wait_needs", queue.wait_needs)];
    for (key, needs) in needs.into_iter().filter_map(|(key, needs)| Some((key, needs?))) {
        *text += &format!("{key} = \"{needs}\"\n");
    }
    for (key, numbers) in [("tiers", &queue.tiers), ("weights", &queue.weights)] {
        let pairs: Vec<String> = numbers.iter().map(|(agent, number)| format!("\"{agent}\" = {number}")).collect();
        if !pairs.is_empty() {
            *text += &format!("{key} = {{ {} }}\n", pairs.join(", "));
        }
    }
    if let Some((every, highest)) = queue.relax {
        let steps = (1..=highest).map(|tier| format!("{{ after = \"{}s\", tier = {tier} }}", every * u32::from(tier)));
        *text += &format!("tier = 0\nrelax = {}\n", list(steps));
    }
}

fn list(items: impl Iterator<Item = String>) -> String {
    let items: Vec<String> = items.collect();
    format!("[{}]", items.join(", "))
}

/// A TOML string.
pub(super) fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            // Writing to a String cannot fail.
            c if c.is_control() => drop(write!(quoted, "\\u{:04X}", u32::from(c))),
            c => quoted.push(c),
        }
    }
    quoted + "\""
}

/// What may stand in a comment: one line without control characters.
fn comment(text: &str) -> String {
    text.chars().take(200).map(|c| if c.is_control() { ' ' } else { c }).collect()
}
