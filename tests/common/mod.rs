//! What the test binaries share: SIP as text, read and written by other code than the switch's own.
#![allow(dead_code, reason = "each test binary uses its own part")]

pub mod digest;
pub mod text;
