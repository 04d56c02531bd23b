//! Via: the way that a response takes back (RFC 3261 §20.42, RFC 3581).

use std::borrow::Cow;
use std::fmt::{self, Write};

use super::params::ParamsRef;
use super::scan::{self, Syntax};

/// What a branch starts with that is unique in time and space (RFC 3261 §8.1.1.7).
pub const COOKIE: &str = "z9hG4bK";

/// One hop, where it stands.
#[derive(Clone, Debug)]
pub struct Via<'a> {
    /// The transport (`UDP`, `TCP`, `TLS`, `WS`, …), in whatever case.
    pub transport: &'a str,
    /// The host of sent-by.
    pub host: Cow<'a, str>,
    /// The port of sent-by, where one is written.
    pub port: Option<u16>,
    /// Parameters: branch, received, rport, maddr, ttl.
    pub params: ParamsRef<'a>,
}

impl<'a> Via<'a> {
    /// Reads one hop, whole or not at all.
    pub fn read(text: &'a str) -> Result<Self, Syntax> {
        let (head, params) = match scan::cut(text, b';') {
            Some((head, params)) => (head, ParamsRef::read(params)?),
            None => (text, ParamsRef::default()),
        };
        let bad = || Syntax::new("a Via is SIP/2.0/transport host;parameters", text);
        let (protocol, rest) = scan::cut(head, b'/').ok_or_else(bad)?;
        let (version, rest) = scan::cut(rest, b'/').ok_or_else(bad)?;
        let (transport, sent_by) = rest.trim_ascii().split_once(char::is_whitespace).ok_or_else(bad)?;
        if !protocol.trim_ascii().eq_ignore_ascii_case("SIP")
            || version.trim_ascii() != "2.0"
            || !scan::is_token(transport)
        {
            return Err(bad());
        }
        let (host, port) = scan::host_port(sent_by)?;
        Ok(Self { transport, host, port, params })
    }

    /// The branch.
    pub fn branch(&self) -> Option<&'a str> {
        self.params.value("branch")
    }

    /// The branch, where it identifies the transaction by itself: the cookie and something after it.
    pub fn unique_branch(&self) -> Option<&'a str> {
        let branch = self.branch()?;
        let (cookie, rest) = branch.split_at_checked(COOKIE.len())?;
        (cookie.eq_ignore_ascii_case(COOKIE) && !rest.is_empty()).then_some(branch)
    }

    /// The address from which the request came, where the receiver noted one.
    pub fn received(&self) -> Option<&'a str> {
        self.params.value("received")
    }

    /// Whether the sender asks for the answer to come back to its source port (RFC 3581), and the port once noted.
    pub fn rport(&self) -> Option<Option<u16>> {
        self.params.has("rport").then(|| self.params.value("rport").and_then(|port| port.parse().ok()))
    }

    /// Writes everything that stands before the parameters.
    pub(super) fn write_without_params(&self, to: &mut String) {
        to.push_str("SIP/2.0/");
        to.push_str(self.transport);
        to.push(' ');
        self.write_sent_by(to);
    }

    /// Writes the sender's host and port.
    pub fn write_sent_by(&self, to: &mut String) {
        to.push_str(&self.host);
        if let Some(port) = self.port {
            // Writing into a String does not fail.
            let _ = write!(to, ":{port}");
        }
    }
}

impl PartialEq for Via<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.transport.eq_ignore_ascii_case(other.transport)
            && (&self.host, self.port) == (&other.host, other.port)
            && self.params.iter().eq(other.params.iter())
    }
}

impl Eq for Via<'_> {}

impl fmt::Display for Via<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SIP/2.0/{} {}", self.transport, self.host)?;
        if let Some(port) = self.port {
            write!(f, ":{port}")?;
        }
        for (name, value) in self.params.iter() {
            match value {
                Some(value) => write!(f, ";{name}={value}")?,
                None => write!(f, ";{name}")?,
            }
        }
        Ok(())
    }
}
