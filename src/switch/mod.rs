//! The switch: owns the SIP endpoint, the calls, the dialplan, the ACD and the outbox, and introduces them to one another.

mod io;

pub use io::{AgentWish, Command, CommandError, Input, JournalProgress, Output};
