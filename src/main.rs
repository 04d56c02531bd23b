//! The `trunkline` binary: arguments, signals, exit codes.

use std::process::ExitCode;

/// A message costs a handful of allocations that are freed on other threads; the system's allocator took a third of the signalling
/// thread for them (`docs/benchmarks.md`).
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    trunkline::cli::main()
}
