//! `[queue.NAME]` tables: who serves a queue, how its phones ring, and where its callers go on.

use std::collections::{BTreeMap, BTreeSet};

use super::condition::{Condition, Known};
use super::load::Surroundings;
use super::program::{CallerRule, Music, Needs, Overflow, Program, Queue, Relaxation, Untaken};
use super::report::{Place, Report, suggest};
use super::staff::Staff;
use super::table::{At, Table, duration_ms};
use super::volume::read_volume;
use crate::id::QueueId;
use crate::journal::{SkillWish, Strategy, UnknownStrategy};

/// The most callers that a queue's capacity can be, the most tiers, and the most steps of relaxation.
const MOST_CALLERS: i64 = 1_000_000;
const HIGHEST_TIER: u8 = 100;
const MOST_STEPS: usize = 20;
/// Who has to be there, by name.
const NEEDS: [(&str, Needs); 3] = [("nobody", Needs::Nobody), ("signed-in", Needs::SignedIn), ("ready", Needs::Ready)];
/// The most calls in a row that may ring out.
const MOST_UNANSWERED: i64 = 1_000;
/// The shortest time for which an agent who did not take a call gets none, ms.
const LEAST_AGAIN_MS: u64 = 1_000;

pub(super) fn read_queues(
    tables: Vec<(String, Table<'_>)>,
    program: &mut Program,
    surroundings: Surroundings<'_>,
    report: &mut Report,
) {
    let mut references = Vec::new();
    let mut places = BTreeMap::new();
    let mut rules = Vec::new();
    for (name, mut table) in tables {
        let place = table.place;
        places.insert(name.clone(), place);
        rules.push((name.clone(), table.tables("rules", report)));
        let queue = read_queue(&name, table, surroundings, &mut references, report);
        if program.queues.insert(name.clone(), queue).is_some() {
            report.problem(place, format!("queue \"{name}\" is there twice"), None);
        }
    }
    for (from, queue) in &program.queues {
        let strict = |to: &&Overflow| program.queues.get(to.to.as_str()).is_some_and(|to| to.must_record);
        if let Some(to) = queue.overflow.iter().find(strict).filter(|_| !queue.must_record) {
            let hint = Some(format!("write recording = \"required\" in [queue.{from}], too"));
            let place = places.get(from).copied().unwrap_or(Place { file: 0, offset: 0 });
            report.problem(
                place,
                format!("callers of \"{from}\" overflow to \"{}\", which takes nobody who is not recorded", to.to),
                hint,
            );
        }
    }
    // They may ask for any queue.
    for (name, tables) in rules {
        let known = Known { hours: &program.hours, queues: &program.queues, variables: &program.variables };
        let Some(queue) = program.queues.get(&name) else { continue };
        let overflow = queue.overflow.iter().filter_map(|step| program.queues.get(step.to.as_str()));
        // In the end it may ask for less.
        let asks = |queue: &'_ Queue| queue.relax.last().map_or(&queue.skills, |step| &step.skills).clone();
        let serve: Vec<_> = std::iter::once(queue).chain(overflow).map(|queue| (&queue.members, asks(queue))).collect();
        let serve = serve.iter().map(|(members, also)| (members.as_slice(), also)).collect();
        let staff = Staff { agents: surroundings.agents, serve };
        let rules = tables.into_iter().map(|table| read_rule(table, known, &staff, report)).collect();
        program.queues.entry(name).and_modify(|queue| queue.rules = rules);
    }
    for to in references {
        if !program.queues.contains_key(&to.value) {
            let hint = suggest(&to.value, program.queues.keys().map(String::as_str));
            report.problem(to.place, format!("there is no queue \"{}\"", to.value), hint);
        }
    }
}

/// What is played to who waits, reported where there is no file of it among these.
pub(super) fn read_music(table: &mut Table<'_>, files: &BTreeSet<String>, report: &mut Report) -> Music {
    let name = table.string("music", report);
    if let Some(name) = name.as_ref().filter(|name| !files.contains(&format!("{}.wav", name.value))) {
        report.problem(name.place, format!("the music file \"{}.wav\" is missing", name.value), None);
    }
    Music { name: name.map(|name| name.value), volume_db: read_volume(table, "music_volume", report) }
}

fn read_queue(
    name: &str,
    mut table: Table<'_>,
    surroundings: Surroundings<'_>,
    references: &mut Vec<At<String>>,
    report: &mut Report,
) -> Queue {
    let members = read_members(name, &mut table, surroundings, report);
    let nothing = BTreeMap::new();
    let staff = Staff { agents: surroundings.agents, serve: vec![(&members, &nothing)] };
    let skills = read_skills(&mut table, &staff, report);
    let tier = table.integer("tier", 0..i64::from(HIGHEST_TIER) + 1, i64::from(HIGHEST_TIER), report) as u8;
    let music = read_music(&mut table, surroundings.prompts, report);
    let limited = table.has("capacity");
    let capacity = table.integer("capacity", 1..MOST_CALLERS + 1, 1, report);
    let queue = Queue {
        tiers: read_of_members("tiers", &mut table, &members, report),
        weights: read_of_members("weights", &mut table, &members, report),
        strategy: read_strategy(&mut table, report),
        capacity: u32::try_from(capacity).ok().filter(|_| limited),
        join_needs: read_needs("join_needs", &mut table, report),
        wait_needs: read_needs("wait_needs", &mut table, report),
        max_expected_ms: table.duration("max_expected_wait", report),
        leave_expected_ms: table.duration("leave_expected_wait", report),
        resume_ms: table.duration("resume", report).unwrap_or(0),
        ring_ms: table.duration("ring", report).unwrap_or(15_000),
        ring_more_ms: table.duration("ring_more", report).unwrap_or(5_000),
        untaken: read_untaken(&mut table, report),
        acw_ms: table.duration("acw", report).unwrap_or(5_000),
        max_wait_ms: table.duration("max_wait", report),
        overflow: read_overflow(&mut table, references, report),
        relax: read_relax(&mut table, (&skills, tier), &staff, report),
        must_record: read_must_record(&mut table, report),
        rules: Vec::new(),
        caller_id: read_caller_id(&mut table, report),
        members,
        skills,
        tier,
        music,
    };
    table.finish(report);
    queue
}

/// A number, with or without a plus before it.
fn read_caller_id(table: &mut Table<'_>, report: &mut Report) -> Option<String> {
    let number = table.string("caller_id", report)?;
    let digits = number.value.strip_prefix('+').unwrap_or(&number.value);
    if !(1..=20).contains(&digits.len()) || !digits.bytes().all(|b| b.is_ascii_digit()) {
        let hint = Some("write 1 to 20 digits, such as \"4008001234\" or \"+864008001234\"".to_owned());
        report.problem(number.place, format!("\"{}\" is no number", number.value), hint);
    }
    Some(number.value)
}

fn read_members(name: &str, table: &mut Table<'_>, surroundings: Surroundings<'_>, report: &mut Report) -> Vec<String> {
    let mut members = Vec::new();
    for member in table.strings("members", report) {
        for number in agents_of(&member, report) {
            if surroundings.agents.is_some_and(|agents| !agents.contains_key(&number)) {
                report.problem(member.place, format!("the settings have no [agent.\"{number}\"]"), None);
            }
            members.push(number);
        }
    }
    if members.is_empty() {
        report.problem(table.place, format!("nobody can serve queue \"{name}\""), Some("add members".into()));
    }
    members
}

/// The agents of "1001" or "1001-1004".
fn agents_of(text: &At<String>, report: &mut Report) -> Vec<String> {
    expand_range(&text.value).unwrap_or_else(|| {
        let hint = Some("write \"1001\" or a range \"1001-1004\" of at most 10000".to_owned());
        report.problem(text.place, format!("\"{}\" names no agents", text.value), hint);
        Vec::new()
    })
}

/// A number for some of the members: `tiers = { "1003-1004" = 1 }`.
fn read_of_members(
    key: &'static str,
    table: &mut Table<'_>,
    members: &[String],
    report: &mut Report,
) -> BTreeMap<String, u8> {
    let mut numbers = BTreeMap::new();
    for (range, At { value, place }) in table.levels(key, 1, report) {
        for agent in agents_of(&At { value: range, place }, report) {
            if !members.contains(&agent) {
                let hint = Some("add the agent to members, or take it out here".to_owned());
                report.problem(place, format!("\"{agent}\" is no member of this queue"), hint);
            }
            if numbers.insert(agent.clone(), value).is_some() {
                report.problem(place, format!("\"{agent}\" is there twice in {key}"), None);
            }
        }
    }
    numbers
}

fn read_strategy(table: &mut Table<'_>, report: &mut Report) -> Strategy {
    let Some(text) = table.string("strategy", report) else { return Strategy::default() };
    text.value.parse().unwrap_or_else(|error: UnknownStrategy| {
        report.problem(text.place, error.to_string(), suggest(&text.value, Strategy::names()));
        Strategy::default()
    })
}

/// Skills that an agent must have at all, or to a degree: `skills = ["billing"]`, `skills = { billing = 60 }`.
fn read_skills(table: &mut Table<'_>, staff: &Staff<'_>, report: &mut Report) -> BTreeMap<String, u8> {
    let levels = table.levels("skills", 1, report);
    staff.warn_of_nobody(&levels, report);
    levels.into_iter().map(|(skill, level)| (skill, level.value)).collect()
}

fn read_overflow(table: &mut Table<'_>, references: &mut Vec<At<String>>, report: &mut Report) -> Vec<Overflow> {
    let mut overflow = Vec::new();
    for mut rule in table.tables("overflow", report) {
        let (after_ms, to) = (read_after(&mut rule, report), rule.required("to", report));
        if let (Some(after_ms), Some(to)) = (after_ms, to) {
            overflow.push(Overflow { after_ms, to: QueueId::from(to.value.as_str()) });
            references.push(to);
        }
        rule.finish(report);
    }
    overflow.sort_by_key(|rule| rule.after_ms);
    overflow
}

/// `{ language = "en", skills = ["english"], for = "30s" }`: conditions, and what holds for callers who fit them.
fn read_rule(mut table: Table<'_>, known: Known<'_>, staff: &Staff<'_>, report: &mut Report) -> CallerRule {
    let place = table.place;
    let priority = table.integer("priority", -1_000..1_001, 0, report) as i32;
    let for_ms = table.duration("for", report);
    let skills = read_skills(&mut table, staff, report);
    let skills: Vec<SkillWish> = skills.into_iter().map(|(skill, least)| SkillWish { skill, least, for_ms }).collect();
    let when = Condition::read(&mut table, known, report);
    table.finish(report);
    let hint = "add priority = 1, or skills = { english = 60 }, which \"for\" may limit";
    if skills.is_empty() && (priority == 0 || for_ms.is_some()) {
        report.problem(place, "the rule changes nothing", Some(hint.to_owned()));
    }
    CallerRule { when, priority, skills }
}

/// What a step does not say is as in the step before, or as at the beginning.
fn read_relax(
    table: &mut Table<'_>,
    (skills, tier): (&BTreeMap<String, u8>, u8),
    staff: &Staff<'_>,
    report: &mut Report,
) -> Vec<Relaxation> {
    let place = table.place_of("relax");
    let mut steps: Vec<Relaxation> = Vec::new();
    for mut step in table.tables("relax", report) {
        let place = step.place;
        let last = steps.last();
        let (last_skills, last_tier) = last.map_or((skills, tier), |last| (&last.skills, last.tier));
        let named = step.has("skills");
        let read = read_skills(&mut step, staff, report);
        let skills = if named { read } else { last_skills.clone() };
        let tier = step.integer("tier", 0..i64::from(HIGHEST_TIER) + 1, i64::from(last_tier), report) as u8;
        let after_ms = read_after(&mut step, report);
        step.finish(report);
        if let Some(after_ms) = after_ms {
            if last.is_some_and(|last| last.after_ms >= after_ms) {
                let hint = Some("write the steps by growing \"after\"".to_owned());
                report.problem(place, "this step does not come after the one before it", hint);
            }
            steps.push(Relaxation { after_ms, skills, tier });
        }
    }
    if steps.len() > MOST_STEPS {
        report.problem(place, format!("a queue relaxes in at most {MOST_STEPS} steps"), None);
    }
    steps
}

fn read_after(rule: &mut Table<'_>, report: &mut Report) -> Option<u64> {
    if !rule.has("after") {
        report.problem(rule.place, "\"after\" is missing", None);
    }
    rule.duration("after", report)
}

/// Who has to be there: nobody where nothing is said.
fn read_needs(key: &'static str, table: &mut Table<'_>, report: &mut Report) -> Needs {
    let Some(text) = table.string(key, report) else { return Needs::Nobody };
    let Some((_, needs)) = NEEDS.iter().find(|(name, _)| *name == text.value) else {
        let names = NEEDS.map(|(name, _)| name);
        let hint = suggest(&text.value, names).or(Some(names.join(", ")));
        report.problem(text.place, format!("\"{key}\" cannot be \"{}\"", text.value), hint);
        return Needs::Nobody;
    };
    *needs
}

/// What becomes of agents who do not take a call.
fn read_untaken(table: &mut Table<'_>, report: &mut Report) -> Untaken {
    let limited = table.has("max_no_answer");
    let place = table.place_of("max_no_answer");
    let most = table.integer("max_no_answer", 1..MOST_UNANSWERED + 1, 1, report);
    let untaken = Untaken {
        no_answer_ms: read_again(table, "no_answer", report),
        most: u32::try_from(most).ok().filter(|_| limited),
        busy_ms: read_again(table, "busy", report),
        rejected_ms: read_again(table, "rejected", report),
    };
    if limited && untaken.no_answer_ms.is_none() {
        let hint = Some("write no_answer = \"30s\", too, or leave it out".to_owned());
        report.problem(place, "an agent is \"not ready\" after the first call that rings out", hint);
    }
    untaken
}

/// `"not-ready"`, or a time. A phone that is busy would be called without end if there were none.
fn read_again(table: &mut Table<'_>, key: &'static str, report: &mut Report) -> Option<u64> {
    let text = table.string(key, report)?;
    let ms = duration_ms(&text.value);
    if text.value != "not-ready" && ms.is_none_or(|ms| ms < LEAST_AGAIN_MS) {
        let hint = Some("write \"not-ready\", or for how long the agent gets no calls, at least \"1s\"".to_owned());
        report.problem(text.place, format!("\"{key}\" cannot be \"{}\"", text.value), hint);
    }
    ms
}

/// Whether a queue takes nobody who cannot be recorded.
fn read_must_record(table: &mut Table<'_>, report: &mut Report) -> bool {
    let Some(policy) = table.string("recording", report) else { return false };
    if !matches!(policy.value.as_str(), "required" | "wanted") {
        let hint = suggest(&policy.value, ["required", "wanted"]).or(Some("required or wanted".to_owned()));
        report.problem(policy.place, format!("a recording cannot be \"{}\"", policy.value), hint);
    }
    policy.value == "required"
}

/// "1001" or "1001-1004" as single numbers; `None` where it is neither or names more than 10000.
pub(crate) fn expand_range(text: &str) -> Option<Vec<String>> {
    let digits = |t: &str| !t.is_empty() && t.len() <= 15 && t.bytes().all(|b| b.is_ascii_digit());
    let Some((first, last)) = text.split_once('-') else {
        return digits(text).then(|| vec![text.to_owned()]);
    };
    if !digits(first) || !digits(last) || first.len() != last.len() {
        return None;
    }
    let (from, to): (u64, u64) = (first.parse().ok()?, last.parse().ok()?);
    let width = first.len();
    (from <= to && to - from < 10_000).then(|| (from..=to).map(|n| format!("{n:0width$}")).collect())
}

#[cfg(test)]
#[path = "queues_tests.rs"]
mod tests;
