//! Small scanners that know quoted strings and angle brackets.

use std::borrow::Cow;

/// What is wrong with a header's value; the text says which rule was broken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("cannot read \"{text}\": {rule}")]
pub struct Syntax {
    /// The rule that the text breaks.
    pub rule: &'static str,
    /// The text, shortened.
    pub text: String,
}

impl Syntax {
    pub(super) fn new(rule: &'static str, text: &str) -> Self {
        Self { rule, text: text.chars().take(80).collect() }
    }
}

/// What each byte may be part of.
const CLASSES: [u8; 256] = {
    let mut classes = [0; 256];
    let mut byte = 0;
    while byte < 128 {
        let c = byte as u8;
        let alphanumeric = c.is_ascii_alphanumeric();
        let blank = c.is_ascii_whitespace() || c.is_ascii_control();
        if alphanumeric || matches!(c, b'-' | b'.' | b'!' | b'%' | b'*' | b'_' | b'+' | b'`' | b'\'' | b'~') {
            classes[byte] |= TOKEN;
        }
        if alphanumeric || matches!(c, b'-' | b'.' | b'_') {
            classes[byte] |= HOST;
        }
        if !blank && !matches!(c, b'<' | b'>' | b'"') {
            classes[byte] |= URI;
        }
        if !blank && !matches!(c, b'<' | b'>' | b'"' | b',') {
            classes[byte] |= PARAM;
        }
        byte += 1;
    }
    classes
};
const TOKEN: u8 = 1;
const HOST: u8 = 2;
const URI: u8 = 4;
const PARAM: u8 = 8;

fn is_all(text: &str, class: u8) -> bool {
    text.bytes().all(|byte| CLASSES[usize::from(byte)] & class != 0)
}

/// Whether the text is of a class, or of letters beyond ASCII that are neither white space nor control characters.
fn is_all_or_foreign(text: &str, class: u8) -> bool {
    let fits = |c: char| match u8::try_from(c) {
        Ok(byte) if byte.is_ascii() => CLASSES[usize::from(byte)] & class != 0,
        _ => !c.is_whitespace() && !c.is_control(),
    };
    is_all(text, class) || text.chars().all(fits)
}

/// Whether the text may be a URI: no white space, no control character, none of `<>"`.
pub(super) fn may_be_uri(text: &str) -> bool {
    is_all_or_foreign(text, URI)
}

/// Whether the text may be a parameter's name, or its value without quotes: a URI's characters but commas.
pub(super) fn may_be_param(text: &str) -> bool {
    is_all_or_foreign(text, PARAM)
}

/// Splits at the first of these bytes, wherever it stands.
pub(super) fn cut(text: &str, at: u8) -> Option<(&str, &str)> {
    let (head, tail) = text.split_at_checked(memchr::memchr(at, text.as_bytes())?)?;
    Some((head, tail.get(1..)?))
}

/// Whether `text` is a token (RFC 3261 §25.1).
pub fn is_token(text: &str) -> bool {
    !text.is_empty() && is_all(text, TOKEN)
}

/// The pieces between separators outside quotes and angle brackets, trimmed; they may be empty. An error is the last piece.
pub fn pieces(text: &str, separator: u8) -> impl Iterator<Item = Result<&str, Syntax>> {
    let mut rest = Some(text);
    std::iter::from_fn(move || {
        let whole = rest.take()?;
        Some(split_once(whole, separator, true).map(|found| match found {
            Some((piece, tail)) => {
                rest = Some(tail);
                piece.trim_ascii()
            }
            None => whole.trim_ascii(),
        }))
    })
}

/// The elements of a comma-separated list; empty ones do not count.
pub fn list(text: &str) -> impl Iterator<Item = Result<&str, Syntax>> {
    pieces(text, b',').filter(|piece| *piece != Ok(""))
}

/// Splits at the first `separator` outside quotes, and outside angle brackets where `brackets` is set.
pub fn split_once(text: &str, separator: u8, brackets: bool) -> Result<Option<(&str, &str)>, Syntax> {
    let bytes = text.as_bytes();
    let mut at = 0;
    // From one byte that matters to the next: the separator, a quote, a bracket.
    let next = |from: usize| {
        let rest = bytes.get(from..).unwrap_or_default();
        let found = if brackets {
            memchr::memchr3(separator, b'"', b'<', rest)
        } else {
            memchr::memchr2(separator, b'"', rest)
        };
        found.map(|found| from.saturating_add(found))
    };
    while let Some(found) = next(at) {
        at = match bytes.get(found) {
            Some(byte) if *byte == separator => {
                let (head, tail) = text.split_at_checked(found).unwrap_or((text, ""));
                return Ok(Some((head, tail.get(1..).unwrap_or_default())));
            }
            Some(b'"') => end_of_quoted(bytes, found.saturating_add(1))
                .ok_or_else(|| Syntax::new("a quoted string has no end", text))?,
            _ => {
                let rest = bytes.get(found..).unwrap_or_default();
                let end =
                    memchr::memchr(b'>', rest).ok_or_else(|| Syntax::new("an angle bracket is not closed", text))?;
                found.saturating_add(end).saturating_add(1)
            }
        };
    }
    Ok(None)
}

/// Where a quoted string that begins before `at` is over.
fn end_of_quoted(bytes: &[u8], mut at: usize) -> Option<usize> {
    loop {
        let found = at.saturating_add(memchr::memchr2(b'"', b'\\', bytes.get(at..)?)?);
        if bytes.get(found) == Some(&b'"') {
            return Some(found.saturating_add(1));
        }
        at = found.saturating_add(2);
    }
}

/// The text without its surrounding quotes and without escapes; unquoted text is returned as it is.
pub fn unquote(text: &str) -> String {
    let Some(inner) = text.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) else {
        return text.to_owned();
    };
    let mut plain = String::with_capacity(inner.len());
    let mut chars = inner.chars();
    while let Some(c) = chars.next() {
        plain.push(if c == '\\' { chars.next().unwrap_or('\\') } else { c });
    }
    plain
}

/// The text as a quoted string.
pub fn quote(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len().saturating_add(2));
    quoted.push('"');
    for c in text.chars() {
        if c == '"' || c == '\\' {
            quoted.push('\\');
        }
        quoted.push(c);
    }
    quoted.push('"');
    quoted
}

/// A count of seconds or hops: digits only; what does not fit is the largest number (RFC 3261 §20.19).
pub fn number(text: &str) -> Option<u32> {
    let text = text.trim_ascii();
    let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    digits.then(|| text.parse().unwrap_or(u32::MAX))
}

/// A host (name, IPv4, or IPv6 in brackets) with an optional port.
pub fn host_port(text: &str) -> Result<(Cow<'_, str>, Option<u16>), Syntax> {
    let bad = |rule| Syntax::new(rule, text);
    let trimmed = text.trim_ascii();
    let (host, port) = if trimmed.starts_with('[') {
        let (v6, tail) = cut(trimmed, b']').ok_or_else(|| bad("an IPv6 address is not closed"))?;
        let tail = tail.trim_ascii();
        let port = match tail.strip_prefix(':') {
            None if tail.is_empty() => None,
            None => return Err(bad("text after an IPv6 address")),
            Some(port) => Some(port),
        };
        (ipv6(trimmed, v6).ok_or_else(|| bad("no IPv6 address in the brackets"))?, port)
    } else {
        let (host, port) = match cut(trimmed, b':') {
            Some((host, port)) => (host.trim_ascii(), Some(port)),
            None => (trimmed, None),
        };
        if host.is_empty() || !is_all(host, HOST) {
            return Err(bad("no host name or address"));
        }
        (Cow::Borrowed(host), port)
    };
    let port = match port.map(str::trim_ascii) {
        None => None,
        Some(port) if port.bytes().all(|b| b.is_ascii_digit()) => {
            Some(port.parse().map_err(|_| bad("the port is not 0 to 65535"))?)
        }
        Some(_) => return Err(bad("the port is no number")),
    };
    Ok((host, port))
}

/// An address in its brackets, from what stands before the closing one.
fn ipv6<'a>(text: &'a str, open: &str) -> Option<Cow<'a, str>> {
    let v6 = open.strip_prefix('[')?;
    let is_ipv6 = |text: &str| text.parse::<std::net::Ipv6Addr>().is_ok();
    // The grammar of RFC 3261 makes one colon too many before a dotted end (RFC 5118 §4.10).
    if v6.contains('.') && v6.contains(":::") {
        let mended = v6.replacen(":::", "::", 1);
        return is_ipv6(&mended).then(|| Cow::Owned(format!("[{mended}]")));
    }
    is_ipv6(v6).then(|| text.get(..open.len().saturating_add(1)).map(Cow::Borrowed))?
}
