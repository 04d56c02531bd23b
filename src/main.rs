//! The `trunkline` binary: arguments, signals, exit codes.
fn main() {}
