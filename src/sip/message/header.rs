//! Header names: compact forms and case do not matter (RFC 3261 §7.3).

use std::fmt;

/// A header's name, compact forms expanded; compares without regard to case.
#[derive(Clone)]
pub struct HeaderName(Repr);

#[derive(Clone)]
enum Repr {
    /// Its place in [`KNOWN`].
    Known(u8),
    Other(Box<str>),
}

/// The names that come or go often, in the spelling of their RFCs and ordered by length, so that a name is found among few.
const KNOWN: [&str; 52] = [
    "To",
    "Via",
    "From",
    "CSeq",
    "Date",
    "RSeq",
    "RAck",
    "Path",
    "Allow",
    "Event",
    "Route",
    "Accept",
    "Min-SE",
    "Server",
    "Reason",
    "Contact",
    "Call-ID",
    "Subject",
    "Expires",
    "Require",
    "Warning",
    "Privacy",
    "Identity",
    "Refer-To",
    "Replaces",
    "Diversion",
    "Supported",
    "Call-Info",
    "User-Agent",
    "Alert-Info",
    "Referred-By",
    "Min-Expires",
    "Unsupported",
    "Retry-After",
    "Content-Type",
    "Allow-Events",
    "Record-Route",
    "Max-Forwards",
    "History-Info",
    "User-to-User",
    "Authorization",
    "Identity-Info",
    "Proxy-Require",
    "Content-Length",
    "Accept-Contact",
    "Reject-Contact",
    "Session-Expires",
    "Content-Encoding",
    "WWW-Authenticate",
    "Proxy-Authenticate",
    "Request-Disposition",
    "P-Asserted-Identity",
];

/// Where the names of each length begin in [`KNOWN`]; the last entry is its end.
const BEGINS: [u8; 21] = {
    let mut begins = [0; 21];
    let (mut length, mut at) = (0, 0);
    while length < begins.len() {
        while at < KNOWN.len() && KNOWN[at].len() < length {
            at += 1;
        }
        begins[length] = at as u8;
        length += 1;
    }
    begins
};

/// The letter that stands for a name (RFC 3261 §20 and the registry of IANA).
fn long_form(letter: u8) -> Option<&'static str> {
    Some(match letter.to_ascii_lowercase() {
        b'a' => "Accept-Contact",
        b'b' => "Referred-By",
        b'c' => "Content-Type",
        b'd' => "Request-Disposition",
        b'e' => "Content-Encoding",
        b'f' => "From",
        b'i' => "Call-ID",
        b'j' => "Reject-Contact",
        b'k' => "Supported",
        b'l' => "Content-Length",
        b'm' => "Contact",
        b'n' => "Identity-Info",
        b'o' => "Event",
        b'r' => "Refer-To",
        b's' => "Subject",
        b't' => "To",
        b'u' => "Allow-Events",
        b'v' => "Via",
        b'x' => "Session-Expires",
        b'y' => "Identity",
        _ => return None,
    })
}

fn known(text: &str) -> Option<u8> {
    let text = match text.as_bytes() {
        [letter] => long_form(*letter)?,
        _ => text,
    };
    let (begin, end) = (*BEGINS.get(text.len())?, *BEGINS.get(text.len().checked_add(1)?)?);
    let these = KNOWN.get(usize::from(begin)..usize::from(end))?;
    // Nearly everybody writes them as the RFCs do, which is told at once.
    let at = these.iter().position(|name| *name == text);
    let at = at.or_else(|| these.iter().position(|name| name.eq_ignore_ascii_case(text)))?;
    begin.checked_add(at as u8)
}

/// A name that is looked for among many.
pub(super) struct Wanted<'a>(Result<u8, &'a str>);

impl<'a> Wanted<'a> {
    /// Looks for `name` (in full, any case).
    pub(super) fn named(name: &'a str) -> Self {
        Self(known(name).ok_or(name))
    }

    pub(super) fn is(&self, name: &HeaderName) -> bool {
        match (&self.0, &name.0) {
            (Ok(wanted), Repr::Known(at)) => wanted == at,
            (Err(wanted), Repr::Other(other)) => wanted.eq_ignore_ascii_case(other),
            _ => false,
        }
    }
}

impl HeaderName {
    /// The name in full.
    pub fn as_str(&self) -> &str {
        match &self.0 {
            Repr::Known(at) => KNOWN.get(usize::from(*at)).copied().unwrap_or_default(),
            Repr::Other(name) => name,
        }
    }

    /// Whether this is the header called `name` (in full, any case).
    pub fn is(&self, name: &str) -> bool {
        Wanted::named(name).is(self)
    }
}

impl From<&str> for HeaderName {
    fn from(text: &str) -> Self {
        Self(known(text).map_or_else(|| Repr::Other(text.into()), Repr::Known))
    }
}

impl PartialEq for HeaderName {
    fn eq(&self, other: &Self) -> bool {
        match (&self.0, &other.0) {
            (Repr::Known(one), Repr::Known(two)) => one == two,
            (Repr::Other(one), Repr::Other(two)) => one.eq_ignore_ascii_case(two),
            _ => false,
        }
    }
}

impl Eq for HeaderName {}

impl fmt::Debug for HeaderName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Display for HeaderName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_found_whatever_their_case_and_length() {
        assert!(KNOWN.is_sorted_by_key(|name| name.len()));
        for (at, name) in KNOWN.iter().enumerate() {
            assert_eq!(known(&name.to_ascii_uppercase()), Some(at as u8), "{name}");
            assert!(!matches!(HeaderName::from(*name).0, Repr::Other(_)));
        }
        for letter in b'a'..=b'z' {
            if let Some(name) = long_form(letter) {
                assert_eq!(HeaderName::from(char::from(letter).to_string().as_str()).as_str(), name);
            }
        }
        let other = HeaderName::from("X-Own");
        assert!(other.is("x-own") && other == HeaderName::from("X-OWN") && other != HeaderName::from("To"));
        assert_eq!((known(""), known("z"), known(&"x".repeat(300))), (None, None, None));
    }
}
