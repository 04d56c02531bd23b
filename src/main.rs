//! The `trunkline` binary: arguments, signals, exit codes.

use std::process::ExitCode;

fn main() -> ExitCode {
    trunkline::cli::main()
}
