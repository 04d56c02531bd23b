//! Header names: compact forms and case do not matter (RFC 3261 §7.3).

use std::borrow::Cow;
use std::fmt;

/// A header's name, compact forms expanded; compares without regard to case.
#[derive(Clone, Debug)]
pub struct HeaderName(Cow<'static, str>);

/// Names with a compact form, then the ones that we write often, in the spelling of their RFCs.
const KNOWN: [(&str, &str); 44] = [
    ("a", "Accept-Contact"),
    ("b", "Referred-By"),
    ("c", "Content-Type"),
    ("d", "Request-Disposition"),
    ("e", "Content-Encoding"),
    ("f", "From"),
    ("i", "Call-ID"),
    ("j", "Reject-Contact"),
    ("k", "Supported"),
    ("l", "Content-Length"),
    ("m", "Contact"),
    ("n", "Identity-Info"),
    ("o", "Event"),
    ("r", "Refer-To"),
    ("s", "Subject"),
    ("t", "To"),
    ("u", "Allow-Events"),
    ("v", "Via"),
    ("x", "Session-Expires"),
    ("y", "Identity"),
    ("", "CSeq"),
    ("", "Max-Forwards"),
    ("", "Route"),
    ("", "Record-Route"),
    ("", "Expires"),
    ("", "Min-Expires"),
    ("", "Min-SE"),
    ("", "Require"),
    ("", "Proxy-Require"),
    ("", "Unsupported"),
    ("", "Allow"),
    ("", "Accept"),
    ("", "Authorization"),
    ("", "WWW-Authenticate"),
    ("", "Proxy-Authorization"),
    ("", "Proxy-Authenticate"),
    ("", "User-Agent"),
    ("", "Server"),
    ("", "Date"),
    ("", "Warning"),
    ("", "Reason"),
    ("", "Retry-After"),
    ("", "P-Asserted-Identity"),
    ("", "Replaces"),
];

impl HeaderName {
    /// The name in full.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether this is the header called `name` (in full, any case).
    pub fn is(&self, name: &str) -> bool {
        self.0.eq_ignore_ascii_case(name)
    }
}

impl From<&str> for HeaderName {
    fn from(text: &str) -> Self {
        let known = KNOWN.iter().find(|(compact, name)| {
            name.eq_ignore_ascii_case(text) || (!compact.is_empty() && compact.eq_ignore_ascii_case(text))
        });
        Self(known.map_or_else(|| Cow::Owned(text.to_owned()), |(_, name)| Cow::Borrowed(*name)))
    }
}

impl PartialEq for HeaderName {
    fn eq(&self, other: &Self) -> bool {
        self.is(&other.0)
    }
}

impl Eq for HeaderName {}

impl fmt::Display for HeaderName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
