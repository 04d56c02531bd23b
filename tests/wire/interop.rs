//! Peers that are too large for the default tests: Asterisk 22. `make interop` installs it and runs this.

#![allow(dead_code, reason = "the phones and the daemon are those of the other tests, and have more than is used here")]

mod asterisk;
mod asterisk_calls;
#[path = "../common/mod.rs"]
mod common;
mod daemon;
mod line;
mod phone;
mod rtp;
mod tone;
mod way;
