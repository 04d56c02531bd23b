//! What happens on a floor in one morning: who calls when and why, and where the machine fails.

use std::sync::Arc;

use trunkline::dialplan::Program;
use trunkline::time::MS;

use crate::coverage::Coverage;
use crate::dice::{Dice, stream};
use crate::disk::Crash;
use crate::floor::{Floor, Happening};
use crate::judgement;
use crate::person::Person;
use crate::phone::{Agent, Caller, Errand, Ua};
use crate::plan::{self, AGENTS, address};

/// Callers of a morning.
const CALLERS: u64 = 30;

/// How a seed came out.
pub struct Morning {
    pub hash: String,
    pub wrong: Vec<String>,
    pub coverage: Coverage,
    pub calls: u64,
    pub steps: u64,
}

pub fn run(seed: u64, program: &Arc<Program>, verbose: bool) -> Morning {
    let mut floor = Floor::new(seed, Arc::clone(program), verbose);
    people(&mut floor, seed);
    // Some mornings everybody calls at once.
    let rush = floor.rng.below(4) == 0;
    let span_ms = if rush { floor.rng.between(20_000, 90_000) } else { floor.rng.between(5, 40) * 60_000 };
    let mut rng = stream(seed, 5);
    for caller in 0..CALLERS {
        let ip = format!("10.1.{}.{}:5060", caller / 200, 1 + caller % 200);
        let ua = Ua::new(&format!("138{caller:08}"), address(&ip), rng.below(4) == 0, stream(seed, 1_000 + caller));
        let errand = errand(&mut rng);
        let person = floor.add(Person::Caller(Caller::new(ua, errand)));
        floor.in_ms(3_000 + rng.below(span_ms), Happening::Dial { person });
        if floor.people[person].ua().tcp && rng.below(6) == 0 {
            floor.in_ms(3_000 + rng.below(span_ms), Happening::Broken { person });
        }
    }
    // Half of the mornings pass without a crash, so that their ends are judged strictly.
    for _ in 0..[0, 0, 1, 3][rng.below(4) as usize] {
        let crash = if rng.below(3) == 0 { Crash::PowerCut } else { Crash::Kill };
        floor.in_ms(5_000 + rng.below(span_ms), Happening::Crash(crash));
    }
    if rng.below(3) == 0 {
        floor.in_ms(5_000 + rng.below(span_ms), Happening::Stop(rng.below(30_000)));
    }
    if rng.below(4) == 0 {
        let at = 5_000 + rng.below(span_ms);
        floor.in_ms(at, Happening::Full(true));
        floor.in_ms(at + rng.below(5_000), Happening::Full(false));
    }
    // Long enough for the last caller to be forgotten, would anybody forget.
    let evening = (span_ms + 1_700_000) * MS;
    floor.run_until(floor.now.mono_ns + evening);
    floor.cancel_callbacks();
    floor.in_ms(1, Happening::SignOff);
    floor.run_until(floor.now.in_ms(200_000));
    judgement::at_the_end(&mut floor);
    Morning {
        hash: floor.hash(),
        coverage: Coverage::of(floor.disk.entries()),
        calls: CALLERS,
        steps: floor.steps,
        wrong: floor.wrong,
    }
}

fn people(floor: &mut Floor, seed: u64) {
    let mut rng = stream(seed, 6);
    for (number, agent) in AGENTS.iter().enumerate() {
        let ip = format!("10.2.0.{}:5060", number + 1);
        let ua = Ua::new(agent, address(&ip), rng.below(4) == 0, stream(seed, 500 + number as u64));
        let person = floor.add(Person::Agent(Agent::new(ua, Some(plan::PASSWORD), plan::RING_MS)));
        floor.in_ms(100 + rng.below(2_000), Happening::Dial { person });
    }
    let ua = Ua::new("target", address(plan::TARGET), false, stream(seed, 600));
    floor.add(Person::Agent(Agent::new(ua, None, 20_000)));
}

fn errand(rng: &mut rand_chacha::ChaCha12Rng) -> Errand {
    let number = match rng.below(31) {
        0..=6 => "4001",
        7..=10 => "4000",
        11..=13 => "4005",
        14 => "4002",
        15 => "4003",
        16 => "4999",
        17 | 18 => "7001",
        19 => "8001",
        24 | 25 => "4006",
        26..=28 => "4007",
        29 => "4080",
        30 => "4081",
        _ => "4004",
    };
    let mut at = 0;
    let keys = (0..rng.below(5)).map(|_| {
        at += rng.between(200, 6_000);
        (at, char::from(b"12345*#"[rng.below(7) as usize]))
    });
    let keys = keys.collect();
    // An echo and a room go on until their callers have enough.
    let waits = !["4002", "4006", "4007"].contains(&number) && rng.below(3) == 0;
    let longest = if rng.below(3) == 0 { 4_000 } else { 120_000 };
    Errand {
        number: number.to_owned(),
        keys,
        // Nobody listens to a ringing tone for ever.
        cancel_ms: match rng.below(5) {
            0 => rng.below(if number.starts_with('4') { 400 } else { 12_000 }),
            _ => 60_000,
        },
        stay_ms: (!waits).then(|| rng.below(longest)),
        hold: (rng.below(8) == 0).then(|| (rng.between(1_000, 30_000), rng.between(500, 10_000))),
    }
}
