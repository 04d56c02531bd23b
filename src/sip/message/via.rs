//! Via: the way that a response takes back (RFC 3261 §20.42, RFC 3581).

use std::fmt;
use std::str::FromStr;

use super::params::Params;
use super::scan::{self, Syntax};

/// What a branch starts with that is unique in time and space (RFC 3261 §8.1.1.7).
pub const COOKIE: &str = "z9hG4bK";

/// One hop.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Via {
    /// The transport, in upper case (`UDP`, `TCP`, `TLS`, `WS`, …).
    pub transport: String,
    /// The host of sent-by.
    pub host: String,
    /// The port of sent-by, where one is written.
    pub port: Option<u16>,
    /// Parameters: branch, received, rport, maddr, ttl.
    pub params: Params,
}

impl Via {
    /// The branch.
    pub fn branch(&self) -> Option<&str> {
        self.params.value("branch")
    }

    /// The branch, where it identifies the transaction by itself: the cookie and something after it.
    pub fn unique_branch(&self) -> Option<&str> {
        let branch = self.branch()?;
        let (cookie, rest) = branch.split_at_checked(COOKIE.len())?;
        (cookie.eq_ignore_ascii_case(COOKIE) && !rest.is_empty()).then_some(branch)
    }

    /// The address from which the request came, where the receiver noted one.
    pub fn received(&self) -> Option<&str> {
        self.params.value("received")
    }

    /// Whether the sender asks for the answer to come back to its source port (RFC 3581), and the port once noted.
    pub fn rport(&self) -> Option<Option<u16>> {
        self.params.has("rport").then(|| self.params.value("rport").and_then(|port| port.parse().ok()))
    }

    /// The host and port of the sender in lower case, as transactions compare them.
    pub fn sent_by(&self) -> String {
        let host = self.host.to_ascii_lowercase();
        match self.port {
            Some(port) => format!("{host}:{port}"),
            None => host,
        }
    }
}

impl FromStr for Via {
    type Err = Syntax;

    fn from_str(text: &str) -> Result<Self, Syntax> {
        let (head, params) = match text.split_once(';') {
            Some((head, params)) => (head, Params::parse(params)?),
            None => (text, Params::default()),
        };
        let bad = || Syntax::new("a Via is SIP/2.0/transport host;parameters", text);
        let (protocol, rest) = head.split_once('/').ok_or_else(bad)?;
        let (version, rest) = rest.split_once('/').ok_or_else(bad)?;
        let (transport, sent_by) = rest.trim().split_once(char::is_whitespace).ok_or_else(bad)?;
        if !protocol.trim().eq_ignore_ascii_case("SIP") || version.trim() != "2.0" || !scan::is_token(transport) {
            return Err(bad());
        }
        let (host, port) = scan::host_port(sent_by)?;
        Ok(Self { transport: transport.to_ascii_uppercase(), host, port, params })
    }
}

impl fmt::Display for Via {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SIP/2.0/{} {}", self.transport, self.host)?;
        if let Some(port) = self.port {
            write!(f, ":{port}")?;
        }
        write!(f, "{}", self.params)
    }
}
