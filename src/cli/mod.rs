//! The commands of the binary.

mod agent;
mod ban;
mod call;
mod callback;
mod check;
mod client;
mod demo;
mod figures;
mod floor;
mod graph;
mod hours;
mod import;
mod quality;
mod recording;
mod records;
mod reload;
mod report;
mod route;
mod running;
mod serve;
mod simulate;
mod test;
mod trace;
mod trials;
mod trunk;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::dialplan::table::duration_ms;

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// All is well.
    Fine = 0,
    /// The answer is no.
    No = 1,
    /// The arguments make no sense.
    Usage = 2,
    /// A port, a disk, a file, a database.
    Environment = 3,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// A call-centre switch.
#[derive(Debug, Parser)]
#[command(name = "trunkline", version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Check(check::Check),
    Demo(demo::Demo),
    Route(route::Route),
    Test(test::Test),
    Graph(graph::Graph),
    Reload(reload::Reload),
    Hours(hours::Hours),
    Import(import::Import),
    Announce(hours::Announce),
    Serve(serve::Serve),
    Report(report::Report),
    Simulate(simulate::Simulate),
    Quality(quality::Quality),
    Recording(recording::Recording),
    Agent(agent::Agent),
    Ban(ban::Ban),
    Call(call::Call),
    Callback(callback::Callback),
    Trunk(trunk::Trunk),
    Trace(trace::Trace),
}

/// A duration of the command line, milliseconds.
fn duration(text: &str) -> Result<u64, String> {
    duration_ms(text).ok_or_else(|| "write for example \"500ms\", \"15s\", \"2m\" or \"1h\"".to_owned())
}

/// Runs the command that the process was called with.
pub fn main() -> ExitCode {
    // clap itself ends the process with 2 where the arguments make no sense.
    let exit = match Arguments::parse().command {
        Command::Check(check) => check.run(),
        Command::Demo(demo) => demo.run(),
        Command::Route(route) => route.run(),
        Command::Test(test) => test.run(),
        Command::Graph(graph) => graph.run(),
        Command::Reload(reload) => reload.run(),
        Command::Hours(hours) => hours.run(),
        Command::Import(import) => import.run(),
        Command::Announce(announce) => announce.run(),
        Command::Serve(serve) => serve.run(),
        Command::Report(report) => report.run(),
        Command::Simulate(simulate) => simulate.run(),
        Command::Quality(quality) => quality.run(),
        Command::Recording(recording) => recording.run(),
        Command::Agent(agent) => agent.run(),
        Command::Ban(ban) => ban.run(),
        Command::Call(call) => call.run(),
        Command::Callback(callback) => callback.run(),
        Command::Trunk(trunk) => trunk.run(),
        Command::Trace(trace) => trace.run(),
    };
    exit.into()
}
