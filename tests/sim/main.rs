//! Whole mornings of a floor in seconds: the switch itself on a virtual clock, network, disk and media, with phones of raw text.
//!
//! A seed decides everything. Each runs twice and must come out the same; one that fails is printed with how to run it again:
//! `SIM_SEED=17 cargo test --test sim` (add `SIM_TRACE=1` for every input and output). `SIM_SEEDS=5000` runs more.

#[path = "../common/mod.rs"]
mod common;
mod coverage;
mod dice;
mod disk;
mod floor;
mod gate;
mod judgement;
mod media;
mod morning;
mod network;
mod person;
mod phone;
mod plan;

use std::sync::atomic::{AtomicU64, Ordering};

use coverage::Coverage;

/// Seeds of a run in the test suite.
const SEEDS: u64 = 200;

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok().and_then(|text| text.parse().ok())
}

#[test]
fn every_morning_ends_in_order_and_the_same_way_twice() {
    let program = plan::program();
    if let Some(seed) = number("SIM_SEED") {
        let morning = morning::run(seed, &program, std::env::var_os("SIM_TRACE").is_some());
        assert!(morning.wrong.is_empty(), "seed {seed}: {:#?}", morning.wrong);
        println!("{}", morning.coverage.table());
        return;
    }
    let seeds = number("SIM_SEEDS").unwrap_or(SEEDS);
    let next = AtomicU64::new(0);
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let work = || {
        let mut found = (Coverage::default(), Vec::new(), 0, 0);
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= seeds {
                return found;
            }
            let (first, second) = (morning::run(seed, &program, false), morning::run(seed, &program, false));
            if first.hash != second.hash {
                found.1.push(format!("seed {seed} comes out in two ways"));
            }
            if let Some(wrong) = first.wrong.first() {
                let more = first.wrong.len() - 1;
                found.1.push(format!("SIM_SEED={seed} cargo test --test sim: {wrong} (and {more} more)"));
            }
            found.0.add(&first.coverage);
            found.2 += first.calls;
            found.3 += first.steps;
        }
    };
    let parts: Vec<_> = std::thread::scope(|scope| {
        let started: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        started.into_iter().map(|thread| thread.join().expect("a simulation panicked")).collect()
    });
    let mut coverage = Coverage::default();
    let mut wrong = Vec::new();
    let (mut calls, mut steps) = (0, 0);
    for part in parts {
        coverage.add(&part.0);
        wrong.extend(part.1);
        calls += part.2;
        steps += part.3;
    }
    println!("{seeds} seeds, {calls} calls, {steps} steps, each twice\n{}", coverage.table());
    wrong.sort();
    assert!(wrong.is_empty(), "{} of {seeds} seeds went wrong:\n{}", wrong.len(), wrong.join("\n"));
    let missing = coverage.missing();
    assert!(missing.is_empty() || seeds < SEEDS, "never reached: {missing:#?}");
}
