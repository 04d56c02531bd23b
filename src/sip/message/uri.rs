//! URIs (RFC 3261 §19.1): SIP and SIPS in parts, every other scheme as it is written.

use std::borrow::Cow;
use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use super::params::{Params, ParamsRef};
use super::scan::{self, Syntax};

/// A URI's scheme.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scheme {
    /// `sip:`
    Sip,
    /// `sips:`
    Sips,
    /// `tel:` (RFC 3966)
    Tel,
    /// Anything else, in lower case: answered with 416 where a request is addressed to it.
    Other(String),
}

/// A URI. User, host and parameters are kept as written, escapes included.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Uri {
    /// The scheme.
    pub scheme: Scheme,
    /// The user part before a password.
    pub user: Option<String>,
    /// The password, which RFC 3261 discourages.
    pub password: Option<String>,
    /// Host name, IPv4 address, or IPv6 address in brackets; for `tel` and other schemes all that follows the colon.
    pub host: String,
    /// The port, where one is written.
    pub port: Option<u16>,
    /// URI parameters.
    pub params: Params,
    /// The headers after the question mark, as written.
    pub headers: Option<String>,
}

impl Uri {
    /// A plain `sip:` URI.
    pub fn sip(user: Option<&str>, host: &str, port: Option<u16>) -> Self {
        Self {
            scheme: Scheme::Sip,
            user: user.map(str::to_owned),
            password: None,
            host: host.to_owned(),
            port,
            params: Params::default(),
            headers: None,
        }
    }

    /// Text that is no URI, kept so that a refusal can be built from its message.
    pub(super) fn unread(text: &str) -> Self {
        Self { scheme: Scheme::Other(String::new()), ..Self::sip(None, text, None) }
    }

    /// The user part, where escapes of what may as well stand there plainly are undone: so that `%34000` is 4000 (RFC 3261
    /// §19.1.4). Other escapes stay, so that no `@` or NUL comes out of them.
    pub fn plain_user(&self) -> Option<String> {
        let mut rest = self.user.as_deref()?;
        let mut plain = String::with_capacity(rest.len());
        while let Some((before, after)) = rest.split_once('%') {
            plain.push_str(before);
            let escaped = after.get(..2).filter(|hex| hex.bytes().all(|digit| digit.is_ascii_hexdigit()));
            let code = escaped.and_then(|hex| u8::from_str_radix(hex, 16).ok()).map(char::from);
            rest = match code.filter(|c| c.is_ascii_alphanumeric() || "-_.!~*'()&=+$,;?/".contains(*c)) {
                Some(c) => {
                    plain.push(c);
                    after.get(2..).unwrap_or_default()
                }
                None => {
                    plain.push('%');
                    after
                }
            };
        }
        plain.push_str(rest);
        Some(plain)
    }

    /// The number or name that is called or calls: the user part, or the number of a `tel` URI (RFC 3966 §3).
    pub fn number(&self) -> Option<String> {
        match self.scheme {
            Scheme::Tel => self.host.split(';').next().filter(|number| !number.is_empty()).map(str::to_owned),
            _ => self.plain_user(),
        }
    }

    /// The host where it is an address and no name.
    pub fn address(&self) -> Option<IpAddr> {
        self.host.trim_matches(['[', ']']).parse().ok()
    }

    /// An address as it stands for a host: IPv6 in brackets (RFC 3261 §25.1).
    pub fn host_of(address: IpAddr) -> String {
        if address.is_ipv6() { format!("[{address}]") } else { address.to_string() }
    }

    /// Whether the scheme is `sip` or `sips`.
    pub fn is_sip(&self) -> bool {
        matches!(self.scheme, Scheme::Sip | Scheme::Sips)
    }

    /// Whether this is a loose router's URI (`;lr`, RFC 3261 §19.1.1).
    pub fn is_loose(&self) -> bool {
        self.params.has("lr")
    }
}

/// A URI where it stands, in the parts of a [`Uri`].
#[derive(Clone, Debug)]
pub struct UriRef<'a> {
    scheme: Scheme,
    user: Option<&'a str>,
    password: Option<&'a str>,
    host: Cow<'a, str>,
    port: Option<u16>,
    params: ParamsRef<'a>,
    headers: Option<&'a str>,
}

impl<'a> UriRef<'a> {
    /// Reads a URI, whole or not at all.
    pub fn read(text: &'a str) -> Result<Self, Syntax> {
        if !scan::may_be_uri(text) {
            return Err(Syntax::new("a URI holds no space, quote or angle bracket", text));
        }
        let (scheme, rest) = scan::cut(text, b':').ok_or_else(|| Syntax::new("a URI starts with its scheme", text))?;
        if scheme.eq_ignore_ascii_case("sip") && !rest.is_empty() {
            return Self::read_sip(Scheme::Sip, rest);
        }
        let letters = scheme.starts_with(|c: char| c.is_ascii_alphabetic());
        if !letters || !scheme.chars().all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c)) || rest.is_empty() {
            return Err(Syntax::new("a URI is a scheme, a colon and more", text));
        }
        let scheme = match scheme.to_ascii_lowercase().as_str() {
            "sips" => return Self::read_sip(Scheme::Sips, rest),
            "tel" => Scheme::Tel,
            other => Scheme::Other(other.to_owned()),
        };
        let params = ParamsRef::default();
        Ok(Self { scheme, user: None, password: None, host: rest.into(), port: None, params, headers: None })
    }

    fn read_sip(scheme: Scheme, rest: &'a str) -> Result<Self, Syntax> {
        let (userinfo, rest) = match scan::cut(rest, b'@') {
            Some((userinfo, rest)) => (Some(userinfo), rest),
            None => (None, rest),
        };
        let (user, password) = match userinfo.map(|info| scan::cut(info, b':').unwrap_or((info, ""))) {
            Some(("", _)) => return Err(Syntax::new("the user part is empty", rest)),
            Some((user, password)) => (Some(user), Some(password).filter(|password| !password.is_empty())),
            None => (None, None),
        };
        let (rest, headers) = match scan::cut(rest, b'?') {
            Some((rest, headers)) => (rest, Some(headers)),
            None => (rest, None),
        };
        let (address, params) = match scan::cut(rest, b';') {
            Some((address, params)) => (address, ParamsRef::read(params)?),
            None => (rest, ParamsRef::default()),
        };
        let (host, port) = scan::host_port(address)?;
        Ok(Self { scheme, user, password, host, port, params, headers })
    }
}

impl From<UriRef<'_>> for Uri {
    fn from(read: UriRef<'_>) -> Self {
        Self {
            scheme: read.scheme,
            user: read.user.map(str::to_owned),
            password: read.password.map(str::to_owned),
            host: read.host.into_owned(),
            port: read.port,
            params: read.params.into(),
            headers: read.headers.map(str::to_owned),
        }
    }
}

impl FromStr for Uri {
    type Err = Syntax;

    fn from_str(text: &str) -> Result<Self, Syntax> {
        UriRef::read(text).map(Self::from)
    }
}

impl fmt::Display for Uri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.scheme {
            Scheme::Sip => f.write_str("sip:")?,
            Scheme::Sips => f.write_str("sips:")?,
            Scheme::Tel => f.write_str("tel:")?,
            Scheme::Other(scheme) if scheme.is_empty() => {}
            Scheme::Other(scheme) => write!(f, "{scheme}:")?,
        }
        if let Some(user) = &self.user {
            f.write_str(user)?;
            if let Some(password) = &self.password {
                write!(f, ":{password}")?;
            }
            f.write_str("@")?;
        }
        f.write_str(&self.host)?;
        if let Some(port) = self.port {
            write!(f, ":{port}")?;
        }
        write!(f, "{}", self.params)?;
        match &self.headers {
            Some(headers) => write!(f, "?{headers}"),
            None => Ok(()),
        }
    }
}
