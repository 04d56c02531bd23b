//! URIs (RFC 3261 §19.1): SIP and SIPS in parts, every other scheme as it is written.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use super::params::Params;
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

    fn read_sip(scheme: Scheme, rest: &str) -> Result<Self, Syntax> {
        let (userinfo, rest) = match rest.split_once('@') {
            Some((userinfo, rest)) => (Some(userinfo), rest),
            None => (None, rest),
        };
        let (user, password) = match userinfo.map(|info| info.split_once(':').unwrap_or((info, ""))) {
            Some(("", _)) => return Err(Syntax::new("the user part is empty", rest)),
            Some((user, "")) => (Some(user.to_owned()), None),
            Some((user, password)) => (Some(user.to_owned()), Some(password.to_owned())),
            None => (None, None),
        };
        let (rest, headers) = match rest.split_once('?') {
            Some((rest, headers)) => (rest, Some(headers.to_owned())),
            None => (rest, None),
        };
        let (address, params) = match rest.split_once(';') {
            Some((address, params)) => (address, Params::parse(params)?),
            None => (rest, Params::default()),
        };
        let (host, port) = scan::host_port(address)?;
        Ok(Self { scheme, user, password, host, port, params, headers })
    }
}

impl FromStr for Uri {
    type Err = Syntax;

    fn from_str(text: &str) -> Result<Self, Syntax> {
        if text.contains(|c: char| c.is_whitespace() || c.is_control() || "<>\"".contains(c)) {
            return Err(Syntax::new("a URI holds no space, quote or angle bracket", text));
        }
        let (scheme, rest) = text.split_once(':').ok_or_else(|| Syntax::new("a URI starts with its scheme", text))?;
        let letters = scheme.starts_with(|c: char| c.is_ascii_alphabetic());
        if !letters || !scheme.chars().all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c)) || rest.is_empty() {
            return Err(Syntax::new("a URI is a scheme, a colon and more", text));
        }
        let scheme = match scheme.to_ascii_lowercase().as_str() {
            "sip" => return Self::read_sip(Scheme::Sip, rest),
            "sips" => return Self::read_sip(Scheme::Sips, rest),
            "tel" => Scheme::Tel,
            other => Scheme::Other(other.to_owned()),
        };
        Ok(Self { scheme, ..Self::sip(None, rest, None) })
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
