//! Media threads, their sockets and port leases.
//!
//! The switch holds an [`Engine`]: it leases bound ports, sends whole desired states and reads reports. Packets never pass it.

mod browsers;
mod clock;
mod closer;
mod disk;
mod dtls;
mod growing;
mod handle;
mod ports;
mod prompts;
mod reader;
mod settings;
mod slot;
mod stamped;
mod starting;
mod tap;
mod thread;
mod writer;

pub use crate::media::{
    CHUNK_BYTES, KeyRing, MusicId, PromptId, PromptStore, StorageFigures, alaw_ms, alaw_of, progress,
};
pub use clock::now;
pub use handle::Engine;
pub use ports::PortRange;
pub use settings::{BrowserSettings, EngineSettings, Hung, LeaseError, NoSuchThread, StartError};

#[cfg(test)]
mod browser_tests;
#[cfg(test)]
mod closing_tests;
#[cfg(test)]
mod secure_tests;
#[cfg(test)]
mod source_tests;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod waiting_tests;
