//! What the network is told at its start, and why it cannot start.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use super::dns::DnsSettings;
use super::tls::Tls;
use crate::sip::transaction::Transport;

/// Where to listen and how much to take.
#[derive(Clone, Debug)]
pub struct NetSettings {
    /// What to listen on; port 0 takes a free one.
    pub listen: Vec<(Transport, SocketAddr)>,
    /// For TLS and secure WebSockets.
    pub tls: Option<Tls>,
    /// DiffServ code point of what is sent, 0–63 (RFC 2474).
    pub dscp: u8,
    /// How names are looked up; not at all where `None`.
    pub dns: Option<DnsSettings>,
    /// Where copies of messages go, if anywhere.
    pub capture: Option<crossbeam_channel::Sender<super::Captured>>,
    /// How much strangers may cost.
    pub limits: Limits,
}

/// How much strangers may cost. Bytes that wait for the rest of their message are limited by the decoder (64 KiB).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Accepted connections at one time; further ones are closed at once. As many again may be opened by us.
    pub connections: usize,
    /// Accepted connections of one source address at one time.
    pub per_source: usize,
    /// How long an accepted connection may take for its first whole message.
    pub first_message: Duration,
    /// How long a connection may take for the rest of a message that it has begun.
    pub message: Duration,
    /// Handshakes of TLS and WebSockets that accepted connections may be in at one time; further ones are closed at once.
    pub handshakes: usize,
    /// How long the handshakes of an accepted connection may take, both together.
    pub handshake: Duration,
    /// How long opening a connection may take, its handshake included.
    pub connect: Duration,
    /// Messages that may wait for a connection; one more closes it.
    pub queue: usize,
    /// Bytes that may wait for a connection; more close it.
    pub queue_bytes: usize,
    /// How long a connection that closes, and the stop, wait for a peer to take what is queued.
    pub flush: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 10_000,
            per_source: 256,
            first_message: Duration::from_secs(10),
            message: Duration::from_secs(10),
            handshakes: 1_024,
            handshake: Duration::from_secs(5),
            connect: Duration::from_secs(4),
            queue: 256,
            queue_bytes: 1 << 20,
            flush: Duration::from_secs(2),
        }
    }
}

/// Why the network could not start.
#[derive(Debug, thiserror::Error)]
pub enum NetError {
    /// The system refused an address.
    #[error("cannot listen on {transport} {address}: {source}; {}", advice(source.kind(), transport))]
    Listen {
        /// The transport's name in Via.
        transport: &'static str,
        /// Where.
        address: SocketAddr,
        /// The system's refusal.
        source: io::Error,
    },
    /// Something is to be served over TLS.
    #[error("there is no certificate to listen on TLS with: set tls.certificate and tls.key")]
    NoCertificate,
    /// The system gave no thread, runtime or eventfd.
    #[error("cannot start the {what} of SIP: {source}; check the limits on threads and open files")]
    Thread {
        /// What was to be started.
        what: &'static str,
        /// The system's refusal.
        source: io::Error,
    },
}

fn advice(kind: io::ErrorKind, transport: &str) -> String {
    let setting = transport.to_lowercase();
    match kind {
        io::ErrorKind::AddrInUse => {
            format!(
                "another process has the port (`ss -lnp` names it): stop it, or choose another port in sip.{setting}"
            )
        }
        io::ErrorKind::PermissionDenied => format!(
            "ports below 1024 need CAP_NET_BIND_SERVICE: grant it, or choose a port from 1024 on in sip.{setting}"
        ),
        io::ErrorKind::AddrNotAvailable => {
            format!("this machine has no such address (`ip addr` lists its own): correct sip.{setting}")
        }
        _ => format!("check sip.{setting}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_says_what_where_and_what_to_do() {
        let told = |kind| {
            let address = "192.0.2.1:5060".parse().unwrap();
            NetError::Listen { transport: "UDP", address, source: io::Error::from(kind) }.to_string()
        };
        for (kind, word) in [
            (io::ErrorKind::AddrInUse, "ss -lnp"),
            (io::ErrorKind::PermissionDenied, "CAP_NET_BIND_SERVICE"),
            (io::ErrorKind::AddrNotAvailable, "ip addr"),
        ] {
            let text = told(kind);
            assert!(text.starts_with("cannot listen on UDP 192.0.2.1:5060: "), "{text}");
            assert!(text.contains(word) && text.contains("sip.udp"), "{text}");
        }
    }
}
