//! SIP over UDP, TCP, TLS and WebSockets, and DNS, for one event loop on a plain thread.
//!
//! What peers send arrives, judged, in one bounded channel; [`Net::send`] never waits. A UDP socket has a reader thread; all
//! streams share one thread with a small tokio runtime, whose hub knows the connection of every flow.

mod capture;
mod carrier;
mod connection;
mod counters;
mod deliver;
mod dns;
mod door;
mod handle;
mod hep;
mod hub;
mod outbox;
mod self_signed;
mod settings;
mod sockets;
mod stun;
mod tls;
mod udp;
mod websocket;

pub use crate::sip::message::mask;
pub use capture::Captured;
pub use counters::{Counters, Figures};
pub use dns::DnsSettings;
pub use handle::{Addresses, Net, Upgrades};
pub use hep::hep;
pub use self_signed::self_signed;
pub use settings::{Limits, NetError, NetSettings};
pub use tls::{Tls, TlsError, TlsFiles};
pub use websocket::answer as answer_upgrade;

use crate::sip::locate::{Question, Reply};
use crate::sip::message::Verdict;
use crate::sip::transaction::Flow;

/// What the network tells the loop.
#[derive(Clone, Debug, PartialEq)]
pub enum NetEvent {
    /// A message came; keep-alives and what the verdict drops never get here.
    Message {
        /// The judgement.
        verdict: Box<Verdict>,
        /// The way it came. `local` of a stream's flow is the listening address that it belongs to, also where we connected.
        flow: Flow,
        /// When it was received: how long it then waits tells whether the loop keeps up.
        received: std::time::Instant,
    },
    /// A stream that carried something has closed, or could not be opened, or does not take what is sent.
    Broken {
        /// The way.
        flow: Flow,
    },
    /// What came of [`Net::resolve`].
    Resolved {
        /// The question.
        question: Question,
        /// The answer.
        reply: Reply,
    },
}

#[cfg(test)]
mod tests;
#[cfg(test)]
mod tls_tests;
#[cfg(test)]
mod websocket_tests;
