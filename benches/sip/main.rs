//! What signalling costs, seen from outside: the daemon on the bench floor, and a load of raw text over UDP that offers calls at a rate
//! and does not wait for the daemon (an open loop). Prints a table, and then a JSON object a line for each figure.
//!
//! `cargo bench --bench sip -- parse` stops after the first figure, `-- core` after the second, and `-- bridged 1000` offers that rate for
//! a while: for profilers. `-- trace` measures nothing but what a trace costs.
//!
//! A rate is clean where every call was carried through, the daemon sent nothing twice, and no answer took half a second.

mod core;
mod daemon;
mod load;
mod trace;

use std::time::Instant;

use daemon::Daemon;
use load::{Load, Outcome, Shape};
use trunkline::sip::message::{Framing, Verdict, judge};

/// The daemon's own.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Seconds of one run.
const SECONDS: f64 = 4.0;
/// The same at ten calls a second, so that a hundredth of them is two.
const CALM_SECONDS: f64 = 20.0;

fn main() {
    let mut figures = Vec::new();
    let mut figure = |name: &str, value: f64, unit: &str| {
        figures.push(serde_json::json!({ "name": name, "value": value, "unit": unit, "peer": null, "ratio": null }));
    };
    let parsed = parse_ns();
    println!("a message parsed and judged: {parsed:.0} ns");
    figure("message parsed and judged", parsed, "ns");
    let only = |what: &str| std::env::args().any(|argument| argument == what);
    if only("parse") {
        return;
    }
    let core = core::bridged_us();
    println!("a bridged call in the switch alone: {core:.0} µs");
    figure("a bridged call in the switch alone", core, "µs");
    if only("core") {
        return;
    }

    daemon::step_aside();
    let mut load = Load::open();
    if let Some((shape, rate)) = steady() {
        let daemon = Daemon::start();
        for _ in 0..5 {
            run(&mut load, &daemon, "steady", shape, rate);
        }
        return;
    }
    if !only("memory") {
        for (name, value, unit) in trace::cost(&mut load) {
            figure(name, value, unit);
        }
    }
    if only("trace") {
        return figures.iter().for_each(|figure| println!("{figure}"));
    }

    // Of five floors, as what the allocator gives back to the system, and when, differs by a third. Before any load, as what an
    // overload has freed would hide it.
    let mut sizes: Vec<f64> = (0..5).map(|_| load.memory(&Daemon::start(), 500, 1_500) / 1e3).collect();
    sizes.sort_by(f64::total_cmp);
    println!("memory of a bridged call, all told: {:.1} KB ({:.1} to {:.1})", sizes[2], sizes[0], sizes[4]);
    figure("memory of a bridged call, all told, of five floors", sizes[2], "KB");
    if only("memory") {
        return figures.iter().for_each(|figure| println!("{figure}"));
    }
    println!("\n{:<34} {:>9} {:>9} {:>9} {:>9} {:>10}", "", "calls/s", "failed", "p50 ms", "p99 ms", "µs a call");
    for (name, shape) in [("answered by the IVR", Shape::Answered), ("bridged", Shape::Bridged)] {
        // A floor of its own, as what a load leaves behind is forgotten after half a minute only.
        let daemon = Daemon::start();
        let calm = run_for(CALM_SECONDS, &mut load, &daemon, &format!("{name}, 10 a second"), shape, 10.0);
        figure(&format!("INVITE to 200, {name}, at 10 calls/s, p50"), calm.p50_ms, "ms");
        figure(&format!("INVITE to 200, {name}, at 10 calls/s, p99"), calm.p99_ms, "ms");
        let clean = capacity(&mut load, &daemon, name, shape);
        figure(&format!("clean rate, {name}"), clean.rate, "calls/s");
        figure(&format!("CPU of the signalling thread, {name}"), clean.cpu_us, "µs a call");
        figure(&format!("calls that one signalling core has time for, {name}"), 1e6 / clean.cpu_us, "calls/s");
        for factor in [0.5, 1.0, 2.0, 5.0] {
            let offered = run(&mut load, &daemon, &format!("{name}, {factor} times that"), shape, clean.rate * factor);
            figure(
                &format!("goodput, {name}, at {factor} times capacity"),
                offered.goodput / clean.rate,
                "of capacity",
            );
        }
        let after = load.recovery(&daemon, shape, clean.rate / 2.0);
        println!("{:<34} {after:>9.1} s until half of that is clean again", "");
        figure(&format!("back to normal after 5 times capacity, {name}"), after, "s");
    }
    figures.iter().for_each(|figure| println!("{figure}"));
}

/// What `-- answered RATE` and `-- bridged RATE` ask for: that rate five times over, to look at the daemon meanwhile.
fn steady() -> Option<(Shape, f64)> {
    let arguments: Vec<String> = std::env::args().collect();
    let after = |word: &str| arguments.iter().skip_while(|argument| *argument != word).nth(1)?.parse().ok();
    after("answered")
        .map(|rate| (Shape::Answered, rate))
        .or_else(|| after("bridged").map(|rate| (Shape::Bridged, rate)))
}

/// A rate that was carried, and what it cost.
struct Clean {
    rate: f64,
    cpu_us: f64,
}

/// The highest clean rate: doubled until it is not clean, then halved in on.
fn capacity(load: &mut Load, daemon: &Daemon, name: &str, shape: Shape) -> Clean {
    let (mut clean, mut cpu_us, mut dirty) = (0.0, 0.0, f64::INFINITY);
    let mut rate = 250.0;
    for _ in 0..10 {
        let outcome = run(load, daemon, &format!("{name}, tried"), shape, rate);
        if outcome.is_clean() {
            (clean, cpu_us) = (rate, outcome.cpu_us);
        } else {
            dirty = rate;
            load.settle(daemon);
        }
        rate = if dirty.is_finite() { f64::midpoint(clean, dirty) } else { rate * 2.0 };
        if dirty - clean < 0.1 * dirty {
            break;
        }
    }
    println!("{:<34} {clean:>9.0} {:>9} {:>9} {:>9} {cpu_us:>10.0}", format!("{name}, clean"), "", "", "");
    Clean { rate: clean.max(1.0), cpu_us: cpu_us.max(0.1) }
}

fn run(load: &mut Load, daemon: &Daemon, name: &str, shape: Shape, rate: f64) -> Outcome {
    run_for(SECONDS, load, daemon, name, shape, rate)
}

fn run_for(seconds: f64, load: &mut Load, daemon: &Daemon, name: &str, shape: Shape, rate: f64) -> Outcome {
    let outcome = load.offer(daemon, shape, rate, seconds);
    println!(
        "{name:<34} {rate:>9.0} {:>9} {:>9.2} {:>9.2} {:>10.0}{}",
        outcome.failed + outcome.refused,
        outcome.p50_ms,
        outcome.p99_ms,
        outcome.cpu_us,
        if outcome.repeats > 0 { format!("  {} sent twice", outcome.repeats) } else { String::new() }
    );
    outcome
}

/// Nanoseconds to read and judge an INVITE with a session description, as desk phones send it.
fn parse_ns() -> f64 {
    const ROUNDS: u32 = 200_000;
    let invite = load::invite("127.0.0.1:5070", "bench-1", 1, "20001");
    let bytes = invite.as_bytes();
    let begin = Instant::now();
    for _ in 0..ROUNDS {
        let verdict = judge(std::hint::black_box(bytes), Framing::Datagram);
        assert!(matches!(std::hint::black_box(verdict), Verdict::Accept(_)));
    }
    begin.elapsed().as_nanos() as f64 / f64::from(ROUNDS)
}
