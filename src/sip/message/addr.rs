//! Addresses with names: From, To, Contact, Route (RFC 3261 §20.10).

use std::fmt;
use std::str::FromStr;

use super::params::{Params, ParamsRef};
use super::scan::{self, Syntax};
use super::uri::{Uri, UriRef};

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
        self.params.value("tag").filter(|tag| !tag.is_empty())
    }

    /// The `expires` parameter of a contact, in seconds.
    pub fn expires(&self) -> Option<u32> {
        self.params.value("expires").and_then(scan::number)
    }

    /// Reads a comma-separated list.
    pub fn parse_list(text: &str) -> Result<Vec<Self>, Syntax> {
        scan::list(text).map(|piece| piece?.parse()).collect()
    }
}

/// An address where it stands.
#[derive(Clone, Debug)]
pub struct NameAddrRef<'a> {
    /// The display name, quoted or not; empty where there is none.
    name: &'a str,
    /// The address.
    pub uri: UriRef<'a>,
    /// The header's parameters (not the URI's).
    pub params: ParamsRef<'a>,
}

impl<'a> NameAddrRef<'a> {
    /// Reads an address, whole or not at all.
    pub fn read(text: &'a str) -> Result<Self, Syntax> {
        let Some((name, rest)) = scan::split_once(text, b'<', false)? else {
            return Self::read_bare(text);
        };
        let (uri, rest) = scan::cut(rest, b'>').ok_or_else(|| Syntax::new("an angle bracket is not closed", text))?;
        let name = name.trim_ascii();
        if name.contains('"') && !(name.starts_with('"') && name.ends_with('"') && name.len() > 1) {
            return Err(Syntax::new("a name is quoted as a whole or not at all", text));
        }
        let rest = rest.trim_ascii();
        let params = match rest.strip_prefix(';') {
            Some(params) => ParamsRef::read(params)?,
            None if rest.is_empty() => ParamsRef::default(),
            None => return Err(Syntax::new("text after the address", text)),
        };
        Ok(Self { name, uri: UriRef::read(uri)?, params })
    }

    /// An address without brackets: what follows a semicolon belongs to the header, and there is no comma or question mark.
    fn read_bare(text: &'a str) -> Result<Self, Syntax> {
        let (uri, params) = match scan::cut(text, b';') {
            Some((uri, params)) => (uri.trim_ascii(), ParamsRef::read(params)?),
            None => (text.trim_ascii(), ParamsRef::default()),
        };
        if uri.contains([',', '?']) {
            return Err(Syntax::new("an address with a comma or question mark stands in angle brackets", text));
        }
        Ok(Self { name: "", uri: UriRef::read(uri)?, params })
    }

    /// The `tag` parameter of From and To.
    pub fn tag(&self) -> Option<&'a str> {
        self.params.value("tag").filter(|tag| !tag.is_empty())
    }
}

impl From<NameAddrRef<'_>> for NameAddr {
    fn from(read: NameAddrRef<'_>) -> Self {
        let name = (!read.name.is_empty()).then(|| scan::unquote(read.name));
        Self { name, uri: read.uri.into(), params: read.params.into() }
    }
}

impl FromStr for NameAddr {
    type Err = Syntax;

    fn from_str(text: &str) -> Result<Self, Syntax> {
        NameAddrRef::read(text).map(Self::from)
    }
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
