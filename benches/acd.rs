//! What the ACD costs: whole calls (enter, present, ring, answer, end) through one queue of 1,000 agents while many wait.

use std::time::Instant;

use trunkline::acd::{Acd, Ageing, AgentSettings, Input, Output, QueueSettings, Settings};
use trunkline::id::{AgentId, CallId, QueueId};
use trunkline::time::Now;

const AGENTS: usize = 1_000;
const CALLS: u128 = 200_000;

fn floor() -> Acd {
    let name = |n: usize| AgentId::from(format!("{n:04}").as_str());
    let queue = QueueSettings {
        id: QueueId::from("bench"),
        members: (0..AGENTS).map(name).collect(),
        ring_timeout_ms: 30_000,
        acw_ms: 0,
        max_wait_ms: None,
        overflow: Vec::new(),
        capacity: None,
        required: Default::default(),
    };
    let agents = (0..AGENTS).map(|n| AgentSettings { id: name(n), skills: Default::default() });
    let settings = Settings { agents: agents.collect(), queues: vec![queue], ageing: Ageing::default() };
    let mut acd = Acd::new(settings).expect("a sound floor");
    for n in 0..AGENTS {
        acd.handle(Input::AgentSignedIn { agent: name(n) }, Now::default());
    }
    while acd.poll_output().is_some() {}
    acd
}

/// Runs the calls with `waiting` callers ahead of the agents; gives events per second.
fn run(waiting: u128) -> f64 {
    let (mut acd, mut now, mut events) = (floor(), Now::default(), 0u64);
    let queue = QueueId::from("bench");
    let begin = Instant::now();
    let enter = |acd: &mut Acd, number: u128, now: Now| {
        let (call, queue) = (CallId::new(now.wall_ms, number), queue.clone());
        acd.handle(Input::CallerEntered { call, queue, priority: 0, entered_wall_ms: now.wall_ms }, now);
    };
    for number in 0..CALLS + waiting {
        now = now.plus_ms(1);
        enter(&mut acd, number, now);
        events += 1;
        if number < waiting {
            continue;
        }
        while let Some(output) = acd.poll_output() {
            let Output::Present { call, agent, .. } = output else { continue };
            for input in [
                Input::PhoneRinging { agent: agent.clone(), call },
                Input::AgentAnswered { agent: agent.clone(), call },
                Input::ConversationEnded { agent, call },
            ] {
                acd.handle(input, now);
                events += 1;
            }
        }
    }
    events as f64 / begin.elapsed().as_secs_f64()
}

fn main() {
    println!("{:<28} {:>14} {:>12}", "ACD, 1,000 agents", "events/s", "µs an event");
    let mut json = Vec::new();
    for waiting in [0, 10_000] {
        let rate = run(waiting);
        println!("{:<28} {rate:>14.0} {:>12.2}", format!("{waiting} callers ahead"), 1e6 / rate);
        json.push(format!(
            "{{\"name\":\"acd, {waiting} callers ahead\",\"value\":{rate:.0},\"unit\":\"events/s\",\"peer\":null,\"ratio\":null}}"
        ));
    }
    json.iter().for_each(|line| println!("{line}"));
}
