//! What the engine is told at its start, and why it may refuse.

use std::io;
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;

use super::ports::PortRange;
use crate::media::{KeyRing, PromptStore};

/// What the engine needs to know at its start.
#[derive(Clone, Debug)]
pub struct EngineSettings {
    /// The local address of all media sockets.
    pub address: IpAddr,
    /// Their ports.
    pub ports: PortRange,
    /// Media threads; `None` means one fewer than cores, and at least one.
    pub threads: Option<u16>,
    /// Whether each keeps to a core of its own, where there are four or more.
    pub pinned: bool,
    /// Everything that can be played.
    pub prompts: PromptStore,
    /// How long a party that should be heard may send neither RTP nor RTCP before it counts as lost, ms; for ever where none.
    pub lost_ms: Option<u64>,
    /// The folder of the recordings and their manifests; made where it is missing, for the daemon's user alone.
    pub recordings: PathBuf,
    /// How browsers are served; `None` where none are.
    pub browsers: Option<BrowserSettings>,
    /// The keys under which they are sealed; plain where none.
    pub keys: Option<Arc<KeyRing>>,
    /// Bytes that are to be left free where they lie; with less, recordings count as not writable.
    pub min_free_bytes: u64,
    /// From which SSRC, sequence numbers and timestamps are drawn; take it from the system's randomness.
    pub seed: [u8; 32],
}

/// How browsers are served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BrowserSettings {
    /// The browsers' UDP port of the first thread; each further thread has the next one.
    pub first_port: u16,
    /// How long a browser may make no check before it counts as gone, milliseconds.
    pub consent_ms: u64,
}

impl BrowserSettings {
    /// On this port, with the patience of RFC 7675 §5.1.
    pub fn at(first_port: u16) -> Self {
        Self { first_port, consent_ms: 30_000 }
    }
}

/// Why media could not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// No pair of ports could be bound.
    #[error(
        "cannot bind any RTP port pair of {}-{} on {address}: {source}; check rtp.address and choose free ports in rtp.ports",
        ports.first, ports.last
    )]
    Bind {
        /// The address.
        address: IpAddr,
        /// The range.
        ports: PortRange,
        /// The system's refusal.
        source: io::Error,
    },
    /// The range holds fewer pairs than there are threads.
    #[error(
        "the RTP ports {}-{} hold fewer pairs than there are media threads ({threads}); widen rtp.ports",
        ports.first, ports.last
    )]
    Range {
        /// The range.
        ports: PortRange,
        /// The threads.
        threads: u16,
    },
    /// The folder of the recordings cannot be made.
    #[error("cannot make the folder {} for recordings: {source}; check data_dir and its rights", dir.display())]
    Recordings {
        /// The folder.
        dir: PathBuf,
        /// The system's refusal.
        source: io::Error,
    },
    /// The port of a thread's browsers is not to be had.
    #[error(
        "cannot bind UDP port {port} of {address} for browsers: {source}; free it, choose another one in rtp.webrtc, or set that to \"off\""
    )]
    Browsers {
        /// The address.
        address: IpAddr,
        /// The port.
        port: u16,
        /// The system's refusal.
        source: io::Error,
    },
    /// No certificate for browsers.
    #[error("{0}; set rtp.webrtc to \"off\" to go without browsers")]
    Certificate(String),
    /// The system gave no thread, epoll or eventfd.
    #[error("cannot start media thread {thread}: {source}; check the limits on threads and open files")]
    Thread {
        /// Which thread.
        thread: u16,
        /// The system's refusal.
        source: io::Error,
    },
}

/// Why there are no ports for a leg.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LeaseError {
    /// All pairs of the thread are in use.
    #[error("media thread {thread} has no RTP port pair left of {}-{}; widen rtp.ports or take fewer calls", ports.first, ports.last)]
    Exhausted {
        /// Which thread.
        thread: u16,
        /// The whole range.
        ports: PortRange,
    },
    /// There is no such thread.
    #[error(transparent)]
    NoSuchThread(#[from] NoSuchThread),
}

/// A thread number that the engine did not give.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no media thread {0}")]
pub struct NoSuchThread(pub u16);

/// A media thread does not do its work.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a media thread does not look at its orders; it hangs")]
pub struct Hung;
