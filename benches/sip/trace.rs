//! What `[trace]` costs: the same load on a floor that keeps one and on a floor that does not, by turns.

use super::daemon::Daemon;
use super::load::{Load, Outcome, Shape};

/// Bridged calls a second: far from the limit, so that nothing else counts.
const RATE: f64 = 300.0;
const SECONDS: f64 = 4.0;
/// Runs of each kind, by turns. The cheapest of each counts: what else the machine does only ever adds to a run.
const TURNS: usize = 4;
const ON: &[(&str, &str)] = &[("TRUNKLINE__TRACE__KEEP_MB", "64")];

/// Name, value and unit of each figure. Prints a table.
pub fn cost(load: &mut Load) -> Vec<(&'static str, f64, &'static str)> {
    println!("\n{:<34} {:>9} {:>9} {:>14} {:>14}", "", "calls/s", "failed", "µs signalling", "µs all threads");
    let mut cheapest = [(f64::INFINITY, f64::INFINITY, 0.0_f64); 2];
    for _ in 0..TURNS {
        for (least, (name, settings)) in
            cheapest.iter_mut().zip([("without a trace", [].as_slice()), ("with a trace", ON)])
        {
            let daemon = Daemon::start_with(settings);
            // What a start leaves to do, and the first growth of every table, is no call's cost.
            load.offer(&daemon, Shape::Bridged, RATE, 1.0);
            let outcome = load.offer(&daemon, Shape::Bridged, RATE, SECONDS);
            let Outcome { goodput, cpu_us, all_us, .. } = outcome;
            let lost = outcome.failed + outcome.refused + outcome.repeats;
            println!("{name:<34} {goodput:>9.0} {lost:>9} {cpu_us:>14.1} {all_us:>14.1}");
            *least = (least.0.min(cpu_us), least.1.min(all_us), least.2.max(goodput));
        }
    }
    let [off, on] = cheapest;
    let ratios = (on.0 / off.0, on.1 / off.1, on.2 / off.2);
    println!("a trace: {:.3} times the signalling thread, {:.3} times all threads", ratios.0, ratios.1);
    vec![
        ("trace on to off, CPU of the signalling thread", ratios.0, "ratio"),
        ("trace on to off, CPU of all threads", ratios.1, "ratio"),
        ("trace on to off, goodput at 300 calls/s", ratios.2, "ratio"),
    ]
}
