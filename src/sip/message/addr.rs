//! Addresses with names: From, To, Contact, Route (RFC 3261 §20.10).

use std::fmt;
use std::str::FromStr;

use super::params::Params;
use super::scan::{self, Syntax};
use super::uri::Uri;

/// A URI with an optional name and the header's parameters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NameAddr {
    /// The display name without quotes.
    pub name: Option<String>,
    /// The address.
    pub uri: Uri,
    /// The header's parameters (not the URI's).
    pub params: Params,
}

impl NameAddr {
    /// An address without a name or parameters.
    pub fn new(uri: Uri) -> Self {
        Self { name: None, uri, params: Params::default() }
    }

    /// The `tag` parameter of From and To.
    pub fn tag(&self) -> Option<&str> {
        self.params.value("tag")
    }

    /// The `expires` parameter of a contact, in seconds.
    pub fn expires(&self) -> Option<u32> {
        self.params.value("expires").and_then(scan::number)
    }

    /// Reads a comma-separated list.
    pub fn parse_list(text: &str) -> Result<Vec<Self>, Syntax> {
        scan::split(text, ',')?.into_iter().map(str::parse).collect()
    }
}

impl FromStr for NameAddr {
    type Err = Syntax;

    fn from_str(text: &str) -> Result<Self, Syntax> {
        let Some((name, rest)) = scan::split_once(text, '<', false)? else {
            return bare(text);
        };
        let (uri, rest) = rest.split_once('>').ok_or_else(|| Syntax::new("an angle bracket is not closed", text))?;
        let name = name.trim();
        if name.contains('"') && !(name.starts_with('"') && name.ends_with('"') && name.len() > 1) {
            return Err(Syntax::new("a name is quoted as a whole or not at all", text));
        }
        let rest = rest.trim();
        let params = match rest.strip_prefix(';') {
            Some(params) => Params::parse(params)?,
            None if rest.is_empty() => Params::default(),
            None => return Err(Syntax::new("text after the address", text)),
        };
        Ok(Self { name: (!name.is_empty()).then(|| scan::unquote(name)), uri: uri.parse()?, params })
    }
}

/// An address without brackets: what follows a semicolon belongs to the header, and there is no comma or question mark.
fn bare(text: &str) -> Result<NameAddr, Syntax> {
    let (uri, params) = match text.split_once(';') {
        Some((uri, params)) => (uri.trim(), Params::parse(params)?),
        None => (text.trim(), Params::default()),
    };
    if uri.contains([',', '?']) {
        return Err(Syntax::new("an address with a comma or question mark stands in angle brackets", text));
    }
    Ok(NameAddr { name: None, uri: uri.parse()?, params })
}

impl fmt::Display for NameAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(name) = &self.name {
            write!(f, "{} ", scan::quote(name))?;
        }
        write!(f, "<{}>{}", self.uri, self.params)
    }
}

/// What a request's Contact headers say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Contacts {
    /// `*`: every binding (RFC 3261 §10.2.2).
    All,
    /// The listed ones; empty where there is no Contact.
    List(Vec<NameAddr>),
}
