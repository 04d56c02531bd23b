//! A month of a bank's calls: its own figures, and the same calls, conversations and shifts played through the ACD.

use std::collections::BTreeMap;

use rand_chacha::ChaCha12Rng;
use rand_chacha::rand_core::SeedableRng;
use trunkline::insight::arrivals::exponential;
use trunkline::insight::simulation::{Arrival, Outcome, Shift, play, within};

use super::floor;

/// `anchors.md` section 4: waits in line over those who hung up.
const PATIENCE_S: f64 = 347.0;

struct Call {
    day: u32,
    joined_s: u64,
    line_s: u64,
    /// Seconds with an agent; `None` where the caller hung up.
    service_s: Option<u64>,
    agent: Option<u32>,
}

fn month() -> Vec<Call> {
    let mut day = 0;
    let lines = include_str!("../data/bank-1999-02.csv").lines().filter(|line| !line.starts_with('#'));
    let call = |line: &str| {
        let fields: Vec<Option<u64>> = line.split(',').map(|field| field.parse().ok()).collect();
        day = fields[0].map_or(day, |day| day as u32);
        let (joined_s, line_s) = (fields[1].unwrap(), fields[2].unwrap());
        Call { day, joined_s, line_s, service_s: fields[3], agent: fields[4].map(|agent| agent as u32) }
    };
    lines.map(call).collect()
}

/// What the month's own callers went through.
fn own(calls: &[Call]) -> Outcome {
    let waits = |answered| {
        let these = calls.iter().filter(move |call| call.service_s.is_some() == answered);
        these.map(|call| call.line_s * 1_000).collect()
    };
    Outcome { answered_ms: waits(true), abandoned_ms: waits(false), ..Outcome::default() }
}

fn near(found: Option<f64>, published: f64) {
    let found = found.unwrap();
    assert!((found - published).abs() < 0.0005, "{found} is not {published}");
}

#[test]
fn the_months_own_figures_are_those_that_are_published() {
    let outcome = own(&month());
    let (answered, abandoned) = (outcome.answered_ms.len(), outcome.abandoned_ms.len());
    assert_eq!((answered, abandoned), (27_141, 3_930));
    let (in_time, gone_in_time, short) = (
        within(&outcome.answered_ms, 20_000),
        within(&outcome.abandoned_ms, 20_000),
        within(&outcome.abandoned_ms, 5_000),
    );
    assert_eq!((in_time, gone_in_time, short), (16_209, 1_226, 243));
    near(outcome.service_level(20_000), 0.522 - 0.0003);
    near(outcome.abandoned(), 0.1265);
    near(outcome.mean_answer_ms().map(|ms| ms / 40_700.0), 1.0007);
}

/// Every agent works from the first to the last call that the month saw him or her in that day.
fn shifts(calls: &[&Call]) -> Vec<Shift> {
    let mut spans: BTreeMap<u32, (u64, u64)> = BTreeMap::new();
    for call in calls {
        if let (Some(agent), Some(service_s)) = (call.agent, call.service_s) {
            let (from_s, until_s) = (call.joined_s + call.line_s, call.joined_s + call.line_s + service_s);
            let span = spans.entry(agent).or_insert((from_s, until_s));
            *span = (span.0.min(from_s), span.1.max(until_s));
        }
    }
    let shift = |(number, (_, (from_s, until_s))): (usize, (u32, (u64, u64)))| Shift {
        agent: format!("{}", 1001 + number).as_str().into(),
        from_ms: from_s * 1_000,
        until_ms: until_s * 1_000,
    };
    spans.into_iter().enumerate().map(shift).collect()
}

/// Plays the month. After each call its agent pauses for such a share of the day's mean conversation: work after the call, breaks.
fn played(calls: &[Call], pause: f64) -> Outcome {
    let mut month = Outcome::default();
    for day in 1..=28 {
        let of_day: Vec<&Call> = calls.iter().filter(|call| call.day == day).collect();
        let mut random = ChaCha12Rng::seed_from_u64(day.into());
        let services: Vec<u64> = of_day.iter().filter_map(|call| call.service_s).collect();
        let arrivals = of_day.iter().enumerate().map(|(number, call)| Arrival {
            at_ms: call.joined_s * 1_000,
            queue: "q".into(),
            priority: 0,
            patience_ms: Some((exponential(&mut random, PATIENCE_S) * 1_000.0) as u64),
            // Who hung up would have talked as somebody else of that day did.
            service_ms: call.service_s.unwrap_or(services[number % services.len()]) * 1_000,
        });
        let arrivals: Vec<Arrival> = arrivals.collect();
        let shifts = shifts(&of_day);
        let mut settings = floor(shifts.len() as u32);
        let mean_ms = services.iter().sum::<u64>() as f64 * 1_000.0 / services.len() as f64;
        settings.queues[0].acw_ms = (mean_ms * pause) as u64;
        month.add(play(settings, &shifts, arrivals, 0, [0; 32], 0).unwrap());
    }
    month
}

/// The data names no pauses. Without any, the floor is better than the month was; with pauses that give the month's share of those
/// who hang up, its other figures come out near the month's own, though nothing has been fitted to them.
#[test]
fn the_month_played_through_the_acd_is_beside_the_month_itself() {
    let calls = month();
    let own = own(&calls);
    let rested = played(&calls, 0.0);
    assert_eq!(rested.waited() as u64 + rested.sent_on, 31_071, "nobody is lost");
    assert!(rested.abandoned() < own.abandoned() && rested.service_level(20_000) > own.service_level(20_000));
    let tired = played(&calls, 0.48);
    for (name, outcome) in [("month", &own), ("no pauses", &rested), ("pauses", &tired)] {
        let (level, abandoned) = (outcome.service_level(20_000).unwrap(), outcome.abandoned().unwrap());
        println!(
            "{name}: SL20 {level:.3}, ASA {:.1} s, abandoned {abandoned:.4}",
            outcome.mean_answer_ms().unwrap() / 1_000.0
        );
    }
    let off = |figure: fn(&Outcome) -> Option<f64>| (figure(&tired).unwrap() - figure(&own).unwrap()).abs();
    assert!(off(Outcome::abandoned) < 0.01);
    assert!(off(|outcome| outcome.service_level(20_000)) < 0.05);
    assert!(off(Outcome::mean_answer_ms) < 4_000.0);
}
