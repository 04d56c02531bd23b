//! Media threads, their sockets and port leases.
//!
//! The switch holds an [`Engine`]: it leases bound ports, sends whole desired states and reads reports. Packets never pass it.

mod clock;
mod handle;
mod ports;
mod thread;
mod writer;

pub use crate::media::{MusicId, PromptId, PromptStore};
pub use clock::now;
pub use handle::{Engine, EngineSettings, LeaseError, NoSuchThread, StartError};
pub use ports::PortRange;

#[cfg(test)]
mod tests;
