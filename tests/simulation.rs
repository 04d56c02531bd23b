//! Days played through the ACD beside what is known of them: Erlang's formulas, and a month of a bank's calls.

#[path = "simulation/bank.rs"]
mod bank;

use trunkline::acd::{Ageing, AgentSettings, QueueSettings, Settings};
use trunkline::id::AgentId;
use trunkline::insight::arrivals::draw;
use trunkline::insight::erlang::Load;
use trunkline::insight::simulation::{Outcome, Shift, play, within};

/// Days of one row, each with a seed of its own.
const DAYS: u64 = 20;
/// Student's t of 19 degrees of freedom, two-sided 99.9 %.
const T_19: f64 = 3.883;

/// A floor of so many agents who are all alike.
fn floor(agents: u32) -> Settings {
    let name = |number: u32| AgentId::from(format!("{}", 1001 + number).as_str());
    Settings {
        agents: (0..agents).map(|number| AgentSettings::named(name(number))).collect(),
        queues: vec![QueueSettings {
            members: (0..agents).map(|number| name(number).into()).collect(),
            ..QueueSettings::named("q".into())
        }],
        ageing: Ageing::default(),
    }
}

/// A day of so many callers. The line begins empty, so those of the first tenth are not counted.
fn day(load: &Load, callers: usize, seed: u64) -> Outcome {
    let arrivals = draw(load, &"q".into(), callers, seed);
    let settings = floor(load.agents);
    let until_ms = arrivals.last().unwrap().at_ms;
    let shift = |agent: &AgentSettings| Shift { agent: agent.id.clone(), from_ms: 0, until_ms };
    let shifts: Vec<Shift> = settings.agents.iter().map(shift).collect();
    play(settings, &shifts, arrivals, 0, [0; 32], until_ms / 10).unwrap()
}

/// Whether a figure's long run lies within the interval of its mean over the days.
fn agrees(name: &str, days: &[Outcome], figure: impl Fn(&Outcome) -> f64, known: f64) {
    let values: Vec<f64> = days.iter().map(figure).collect();
    let mean = values.iter().sum::<f64>() / values.len() as f64;
    let spread = values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / (values.len() - 1) as f64;
    let half = T_19 * (spread / values.len() as f64).sqrt();
    assert!((mean - known).abs() <= half, "{name}: {mean:.5} ± {half:.5} of the days, {known:.5} by the formula");
    // An interval that takes in anything shows nothing.
    assert!(half < 0.5 * known.max(0.02), "{name}: ± {half:.5} is too wide for {known:.5}");
}

/// Plays a row of `anchors.md` section 5 and compares what came of it with the formulas, which agree with what is published.
fn row(
    calls: f64,
    window_s: f64,
    handling_s: f64,
    agents: u32,
    patience_s: Option<f64>,
    within_s: f64,
    callers: usize,
) {
    let load = Load { rate: calls / window_s, handling_s, agents, patience_s };
    let days: Vec<Outcome> = (0..DAYS).map(|seed| day(&load, callers, seed)).collect();
    let wait = load.wait().unwrap();
    let name = format!("{calls}/{window_s}, {handling_s}, {agents}");
    let within_ms = (within_s * 1_000.0) as u64;
    let all = |outcome: &Outcome| outcome.waited() as f64;
    let waited = |outcome: &Outcome| {
        let at_once = within(&outcome.answered_ms, 0) as f64;
        1.0 - at_once / all(outcome)
    };
    agrees(&format!("{name} waiting"), &days, waited, wait.waiting);
    agrees(
        &format!("{name} within {within_s}"),
        &days,
        |day| day.service_level(within_ms).unwrap(),
        load.served_within(within_s).unwrap(),
    );
    let mean_s = |outcome: &Outcome| {
        let sum: u64 = outcome.answered_ms.iter().chain(&outcome.abandoned_ms).sum();
        sum as f64 / 1_000.0 / all(outcome)
    };
    agrees(&format!("{name} wait"), &days, mean_s, wait.mean_s);
    agrees(&format!("{name} occupied"), &days, |day| day.occupied().unwrap(), wait.occupied);
    if patience_s.is_some() {
        agrees(&format!("{name} abandoned"), &days, |day| day.abandoned().unwrap(), wait.abandoned);
    }
}

#[test]
fn fourteen_and_fifteen_agents_for_ten_erlangs() {
    row(100.0, 1_800.0, 180.0, 14, None, 20.0, 6_000);
    row(100.0, 1_800.0, 180.0, 15, None, 19.8, 6_000);
}

#[test]
fn a_floor_close_to_its_limit_and_one_with_agents_to_spare() {
    row(180.0, 1_800.0, 450.0, 48, None, 10.0, 20_000);
    row(180.0, 3_600.0, 450.0, 34, None, 10.0, 18_000);
}

#[test]
fn the_floors_that_reach_a_service_level_with_one_agent_more() {
    row(180.0, 1_800.0, 450.0, 55, None, 10.0, 15_000);
    row(342.0, 1_800.0, 430.0, 90, None, 20.0, 15_000);
    row(250.0, 3_600.0, 330.0, 28, None, 30.0, 15_000);
}

#[test]
fn callers_who_give_up() {
    row(100.0, 1_800.0, 180.0, 14, Some(300.0), 20.0, 6_000);
    row(100.0, 1_800.0, 180.0, 13, Some(300.0), 20.0, 6_000);
}
