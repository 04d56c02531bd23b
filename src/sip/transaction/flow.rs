//! Ways to peers, and what the layer sends and tells.

use std::fmt;
use std::net::SocketAddr;
use std::str::FromStr;

use super::key::TransactionKey;
use crate::sip::message::Message;

/// What carries messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Transport {
    /// Datagrams, which get lost.
    Udp,
    /// A stream, which repeats by itself.
    Tcp,
}

/// A way to a peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Flow {
    /// The transport.
    pub transport: Transport,
    /// Our address and port.
    pub local: SocketAddr,
    /// The peer's address and port.
    pub remote: SocketAddr,
}

impl Flow {
    pub(super) fn is_reliable(&self) -> bool {
        self.transport == Transport::Tcp
    }
}

impl Transport {
    /// The name in Via.
    pub fn via_name(self) -> &'static str {
        match self {
            Self::Udp => "UDP",
            Self::Tcp => "TCP",
        }
    }
}

/// `udp:REMOTE@LOCAL`, as the journal keeps it.
impl fmt::Display for Flow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let transport = match self.transport {
            Transport::Udp => "udp",
            Transport::Tcp => "tcp",
        };
        write!(f, "{transport}:{}@{}", self.remote, self.local)
    }
}

/// A text that is no flow.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("\"{0}\" is no flow: expected udp:REMOTE@LOCAL or tcp:REMOTE@LOCAL")]
pub struct BadFlow(pub String);

impl FromStr for Flow {
    type Err = BadFlow;

    fn from_str(text: &str) -> Result<Self, BadFlow> {
        let bad = || BadFlow(text.to_owned());
        let (transport, addresses) = text.split_once(':').ok_or_else(bad)?;
        let transport = match transport {
            "udp" => Transport::Udp,
            "tcp" => Transport::Tcp,
            _ => return Err(bad()),
        };
        let (remote, local) = addresses.split_once('@').ok_or_else(bad)?;
        let address = |text: &str| text.parse::<SocketAddr>().map_err(|_| bad());
        Ok(Self { transport, local: address(local)?, remote: address(remote)? })
    }
}

/// Bytes to send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transmit {
    /// Where to.
    pub flow: Flow,
    /// One whole message.
    pub payload: Vec<u8>,
}

/// What the layer tells its user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TransactionEvent {
    /// A new request, to be answered with [`super::Transactions::respond`] in any case: it lives until its final response.
    Request {
        /// Its transaction.
        key: TransactionKey,
        /// The request, its top Via stamped with its source.
        msg: Message,
        /// Where it came from.
        flow: Flow,
    },
    /// The ACK of a 2xx, or one that belongs to no transaction: the dialog decides.
    Ack {
        /// The ACK.
        msg: Message,
        /// Where it came from.
        flow: Flow,
    },
    /// The peer cancels an INVITE without final response: answer that with 487. The CANCEL itself is answered already.
    Cancel {
        /// The INVITE's transaction.
        invite: TransactionKey,
    },
    /// A response to a request of ours; a 2xx to INVITE comes once for each copy, and each is to be acknowledged.
    Response {
        /// Our transaction.
        key: TransactionKey,
        /// The response.
        msg: Message,
        /// Where it came from.
        flow: Flow,
    },
    /// A 2xx to INVITE whose transaction is over: to be acknowledged again where its dialog still is (RFC 3261 §13.2.2.4).
    StraySuccess {
        /// The response.
        msg: Message,
        /// Where it came from.
        flow: Flow,
    },
    /// The peer did not answer our request (as 408), or did not acknowledge our refusal. The transaction is over.
    Timeout {
        /// The transaction.
        key: TransactionKey,
    },
    /// The way to the peer is broken (as 503). The transaction is over.
    TransportError {
        /// The transaction.
        key: TransactionKey,
    },
}

/// Where responses to a request go: back over the flow, or over UDP without `rport` to the port of sent-by (RFC 3261
/// §18.2.2) at the address that the request came from.
pub(super) fn reply_flow(request: &Message, source: Flow) -> Flow {
    let mut flow = source;
    if let (Transport::Udp, Ok(via)) = (source.transport, request.via())
        && via.rport().is_none()
    {
        flow.remote.set_port(via.port.unwrap_or(5060));
    }
    flow
}
