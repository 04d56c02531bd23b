//! Ways to peers, and what the layer sends and tells.

use std::fmt;
use std::net::SocketAddr;
use std::str::FromStr;

use super::key::TransactionKey;
use crate::sip::message::{Message, Method, Scheme, Uri, Via};

/// What carries messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Transport {
    /// Datagrams, which get lost.
    Udp,
    /// A stream, which repeats by itself.
    Tcp,
    /// A stream within TLS.
    Tls,
    /// A WebSocket, whose frames end messages (RFC 7118).
    Ws,
    /// A WebSocket within TLS.
    Wss,
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
    pub(in crate::sip) fn is_reliable(&self) -> bool {
        self.transport != Transport::Udp
    }

    /// From the same place to the address that a URI names; `None` where it names none, or wants another transport.
    pub fn towards(self, uri: &Uri) -> Option<Self> {
        let ip = uri.address()?;
        let fits = Transport::of_uri(uri) == Some(self.transport) && ip.is_ipv4() == self.remote.is_ipv4();
        let remote = SocketAddr::new(ip, uri.port.unwrap_or(self.transport.default_port()));
        fits.then_some(Self { remote, ..self })
    }
}

impl Transport {
    /// Every transport.
    pub const ALL: [Self; 5] = [Self::Udp, Self::Tcp, Self::Tls, Self::Ws, Self::Wss];

    /// The name in Via.
    pub fn via_name(self) -> &'static str {
        match self {
            Self::Udp => "UDP",
            Self::Tcp => "TCP",
            Self::Tls => "TLS",
            Self::Ws => "WS",
            Self::Wss => "WSS",
        }
    }

    /// The `transport` parameter of URIs that lead here. One word for both WebSockets: which of them it is follows from how the
    /// peer came (RFC 7118 §5.2). `None` for UDP, which is meant where nothing is said.
    pub fn uri_parameter(self) -> Option<&'static str> {
        match self {
            Self::Udp => None,
            Self::Tcp => Some("tcp"),
            Self::Tls => Some("tls"),
            Self::Ws | Self::Wss => Some("ws"),
        }
    }

    /// The port where a URI names none.
    pub fn default_port(self) -> u16 {
        match self {
            Self::Udp | Self::Tcp => 5060,
            Self::Tls => 5061,
            Self::Ws => 80,
            Self::Wss => 443,
        }
    }

    /// Whether nobody on the way reads along.
    pub fn is_secure(self) -> bool {
        matches!(self, Self::Tls | Self::Wss)
    }

    /// Whether we can open a way to a peer. Browsers take no connections: they are reached over the one that they opened.
    pub fn can_be_opened(self) -> bool {
        !matches!(self, Self::Ws | Self::Wss)
    }

    /// What a URI asks for: `sips` is TLS, whatever its parameter says (RFC 3261 §26.2.2, RFC 5630 §3.1.3); `None` where it is a
    /// transport that is not known, or one that we do not open.
    pub fn of_uri(uri: &Uri) -> Option<Self> {
        let word = uri.params.value("transport").map(str::to_ascii_lowercase);
        match (&uri.scheme, word.as_deref()) {
            (Scheme::Sips, None | Some("tcp" | "tls")) => Some(Self::Tls),
            (Scheme::Sip, None | Some("udp")) => Some(Self::Udp),
            (Scheme::Sip, Some("tcp")) => Some(Self::Tcp),
            (Scheme::Sip, Some("tls")) => Some(Self::Tls),
            _ => None,
        }
    }

    /// The word in a flow's text.
    fn word(self) -> &'static str {
        match self {
            Self::Udp => "udp",
            Self::Tcp => "tcp",
            Self::Tls => "tls",
            Self::Ws => "ws",
            Self::Wss => "wss",
        }
    }
}

/// `udp:REMOTE@LOCAL`, as the journal keeps it; the words are those of [`Transport`] in lower case.
impl fmt::Display for Flow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}@{}", self.transport.word(), self.remote, self.local)
    }
}

/// A text that is no flow.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("\"{0}\" is no flow: expected TRANSPORT:REMOTE@LOCAL, such as udp:192.0.2.7:5060@192.0.2.1:5060")]
pub struct BadFlow(pub String);

impl FromStr for Flow {
    type Err = BadFlow;

    fn from_str(text: &str) -> Result<Self, BadFlow> {
        let bad = || BadFlow(text.to_owned());
        let (transport, addresses) = text.split_once(':').ok_or_else(bad)?;
        let transport = Transport::ALL.into_iter().find(|known| known.word() == transport).ok_or_else(bad)?;
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
    /// The name that the peer's certificate must have, where a connection within TLS is opened for this; its address where `None`.
    pub peer: Option<String>,
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
        /// The CANCEL.
        msg: Message,
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
pub(in crate::sip) fn reply_flow(request: &Message, source: Flow) -> Flow {
    request.via().map_or(source, |via| reply_flow_by(&via, source))
}

/// The same by the top Via.
pub(in crate::sip) fn reply_flow_by(via: &Via<'_>, source: Flow) -> Flow {
    let mut flow = source;
    if source.transport == Transport::Udp && via.rport().is_none() {
        flow.remote.set_port(via.port.unwrap_or(5060));
    }
    flow
}

/// Where the response to an INVITE goes whose stream is closed: to the port of sent-by at the address that it came from. `None` where
/// no such way can be opened, or none is needed.
pub(super) fn back_flow(request: &Message, source: Flow) -> Option<Flow> {
    let is_invite = request.method() == Some(&Method::Invite);
    let via = request.via().ok().filter(|_| is_invite && source.is_reliable() && source.transport.can_be_opened())?;
    let mut flow = source;
    flow.remote.set_port(via.port.unwrap_or(source.transport.default_port()));
    Some(flow)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flows_are_read_as_they_are_written() {
        let (local, remote) = ("192.0.2.1:5061".parse().unwrap(), "[2001:db8::7]:40000".parse().unwrap());
        for (transport, word) in Transport::ALL.into_iter().zip(["udp", "tcp", "tls", "ws", "wss"]) {
            let flow = Flow { transport, local, remote };
            assert_eq!(flow.to_string(), format!("{word}:[2001:db8::7]:40000@192.0.2.1:5061"));
            assert_eq!(flow.to_string().parse(), Ok(flow));
            assert_eq!(flow.is_reliable(), transport != Transport::Udp);
        }
        for bad in
            ["", "udp", "sctp:192.0.2.1:1@192.0.2.2:2", "TLS:192.0.2.1:1@192.0.2.2:2", "tls:192.0.2.1@192.0.2.2:2"]
        {
            assert_eq!(bad.parse::<Flow>(), Err(BadFlow(bad.to_owned())));
        }
    }

    #[test]
    fn a_uri_says_over_what_it_is_reached() {
        for (uri, transport) in [
            ("sip:x@192.0.2.1", Some(Transport::Udp)),
            ("sip:x@192.0.2.1;transport=UDP", Some(Transport::Udp)),
            ("sip:x@192.0.2.1;transport=tcp", Some(Transport::Tcp)),
            ("sip:x@192.0.2.1;transport=tls", Some(Transport::Tls)),
            ("sips:x@192.0.2.1", Some(Transport::Tls)),
            ("sips:x@192.0.2.1;transport=tcp", Some(Transport::Tls)),
            // No plain text for who asked for none, and no connection to a browser.
            ("sips:x@192.0.2.1;transport=udp", None),
            ("sip:x@192.0.2.1;transport=ws", None),
            ("sip:x@192.0.2.1;transport=sctp", None),
            ("tel:+861012345678", None),
        ] {
            assert_eq!(Transport::of_uri(&uri.parse().unwrap()), transport, "{uri}");
        }
    }
}
