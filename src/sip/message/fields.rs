//! Typed readers of a message's headers.

use super::scan::{self, Syntax};
use super::{Contacts, Message, Method, NameAddr, NameAddrRef, Start, Uri, Via};

/// The number of a request in its dialog, and its method (RFC 3261 §20.16).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CSeq {
    /// Below 2³¹.
    pub number: u32,
    /// The request's method.
    pub method: Method,
}

impl CSeq {
    /// Reads a number and a method.
    pub fn read(text: &str) -> Result<Self, Syntax> {
        let bad = |rule| Syntax::new(rule, text);
        let (number, method) =
            text.trim_ascii().split_once(char::is_whitespace).ok_or_else(|| bad("CSeq is a number and a method"))?;
        let number = scan::number(number).ok_or_else(|| bad("CSeq starts with a number"))?;
        if number >= 1 << 31 {
            return Err(bad("a CSeq number is below 2^31"));
        }
        let method = method.trim_ascii();
        if !scan::is_token(method) {
            return Err(bad("CSeq ends with a method"));
        }
        Ok(Self { number, method: method.into() })
    }
}

impl Message {
    /// The method, where this is a request.
    pub fn method(&self) -> Option<&Method> {
        match &self.start {
            Start::Request { method, .. } => Some(method),
            Start::Response { .. } => None,
        }
    }

    /// The Request-URI, where this is a request.
    pub fn uri(&self) -> Option<&Uri> {
        match &self.start {
            Start::Request { uri, .. } => Some(uri),
            Start::Response { .. } => None,
        }
    }

    /// The status code, where this is a response.
    pub fn code(&self) -> Option<u16> {
        match &self.start {
            Start::Response { code, .. } => Some(*code),
            Start::Request { .. } => None,
        }
    }

    /// The first header of that name, as written.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.first(name)
    }

    /// Every header of that name, as written, in order.
    pub fn header_all(&self, name: &str) -> impl Iterator<Item = &str> {
        self.headers.all(name)
    }

    /// The top Via.
    pub fn via(&self) -> Result<Via<'_>, Syntax> {
        let first = self.header("Via").ok_or_else(|| missing("Via"))?;
        Via::read(scan::split_once(first, b',', true)?.map_or(first, |(top, _)| top))
    }

    /// Every Via, the top one first.
    pub fn vias(&self) -> Result<Vec<Via<'_>>, Syntax> {
        self.pieces("Via").map(|piece| Via::read(piece?)).collect()
    }

    /// From.
    pub fn from(&self) -> Result<NameAddr, Syntax> {
        self.header("From").ok_or_else(|| missing("From"))?.parse()
    }

    /// To.
    pub fn to(&self) -> Result<NameAddr, Syntax> {
        self.header("To").ok_or_else(|| missing("To"))?.parse()
    }

    /// The tag of From, where it has one that can be read.
    pub fn from_tag(&self) -> Option<&str> {
        NameAddrRef::read(self.header("From")?).ok()?.tag()
    }

    /// The tag of To, where it has one that can be read: then a request is one within a dialog.
    pub fn to_tag(&self) -> Option<&str> {
        NameAddrRef::read(self.header("To")?).ok()?.tag()
    }

    /// Call-ID.
    pub fn call_id(&self) -> Option<&str> {
        self.header("Call-ID")
    }

    /// CSeq.
    pub fn cseq(&self) -> Result<CSeq, Syntax> {
        CSeq::read(self.header("CSeq").ok_or_else(|| missing("CSeq"))?)
    }

    /// Contact.
    pub fn contacts(&self) -> Result<Contacts, Syntax> {
        if self.header_all("Contact").any(|value| value == "*") {
            return Ok(Contacts::All);
        }
        Ok(Contacts::List(self.addresses("Contact")?))
    }

    /// Route, the next hop first.
    pub fn routes(&self) -> Result<Vec<NameAddr>, Syntax> {
        self.addresses("Route")
    }

    /// Record-Route, the hop nearest to the receiver of a request first.
    pub fn record_routes(&self) -> Result<Vec<NameAddr>, Syntax> {
        self.addresses("Record-Route")
    }

    /// Max-Forwards, in hops.
    pub fn max_forwards(&self) -> Option<u32> {
        self.header("Max-Forwards").and_then(scan::number)
    }

    /// Expires, in seconds.
    pub fn expires(&self) -> Option<u32> {
        self.header("Expires").and_then(scan::number)
    }

    /// The credentials as written, of Authorization or Proxy-Authorization.
    pub fn authorization(&self) -> Option<&str> {
        self.header("Authorization").or_else(|| self.header("Proxy-Authorization"))
    }

    /// The extensions that the sender insists on (RFC 3261 §20.32).
    pub fn require(&self) -> Vec<&str> {
        self.header_all("Require")
            .flat_map(|value| value.split(','))
            .map(str::trim_ascii)
            .filter(|v| !v.is_empty())
            .collect()
    }

    /// The pieces of a comma-separated header, over all its lines.
    pub fn list(&self, name: &str) -> Result<Vec<&str>, Syntax> {
        self.pieces(name).collect()
    }

    pub(super) fn pieces(&self, name: &str) -> impl Iterator<Item = Result<&str, Syntax>> {
        self.header_all(name).flat_map(scan::list)
    }

    /// Whether a comma-separated header has this word, in whatever case: an extension of Supported or Require.
    pub fn names(&self, header: &str, word: &str) -> bool {
        self.pieces(header).any(|known| known.is_ok_and(|known| known.eq_ignore_ascii_case(word)))
    }

    /// The addresses of every line of a header.
    pub(in crate::sip) fn addresses(&self, name: &str) -> Result<Vec<NameAddr>, Syntax> {
        self.pieces(name).map(|piece| piece?.parse()).collect()
    }
}

fn missing(name: &str) -> Syntax {
    Syntax::new("the header is missing", name)
}
