//! Small scanners that know quoted strings and angle brackets.

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

/// Whether `c` may stand in a token (RFC 3261 §25.1).
pub fn is_token_char(c: char) -> bool {
    c.is_ascii_alphanumeric() || "-.!%*_+`'~".contains(c)
}

/// Whether `text` is a token.
pub fn is_token(text: &str) -> bool {
    !text.is_empty() && text.chars().all(is_token_char)
}

/// Splits at every `separator` outside quotes and angle brackets; pieces are trimmed and may be empty.
pub fn split(text: &str, separator: char) -> Result<Vec<&str>, Syntax> {
    let mut pieces = Vec::new();
    let mut rest = text;
    while let Some((piece, tail)) = split_once(rest, separator, true)? {
        pieces.push(piece.trim());
        rest = tail;
    }
    pieces.push(rest.trim());
    Ok(pieces)
}

/// Splits at the first `separator` outside quotes, and outside angle brackets where `brackets` is set.
pub fn split_once(text: &str, separator: char, brackets: bool) -> Result<Option<(&str, &str)>, Syntax> {
    let (mut quoted, mut escaped, mut angle) = (false, false, false);
    for (at, c) in text.char_indices() {
        if quoted {
            match c {
                _ if escaped => escaped = false,
                '\\' => escaped = true,
                '"' => quoted = false,
                _ => {}
            }
        } else if angle {
            angle = c != '>';
        } else if c == separator {
            let (head, tail) = text.split_at_checked(at).unwrap_or((text, ""));
            return Ok(Some((head, tail.get(separator.len_utf8()..).unwrap_or(""))));
        } else if c == '"' {
            quoted = true;
        } else if c == '<' && brackets {
            angle = true;
        }
    }
    if quoted {
        return Err(Syntax::new("a quoted string has no end", text));
    }
    if angle {
        return Err(Syntax::new("an angle bracket is not closed", text));
    }
    Ok(None)
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
    let text = text.trim();
    let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    digits.then(|| text.parse().unwrap_or(u32::MAX))
}

/// A host (name, IPv4, or IPv6 in brackets) with an optional port.
pub fn host_port(text: &str) -> Result<(String, Option<u16>), Syntax> {
    let bad = |rule| Syntax::new(rule, text);
    let text_trimmed = text.trim();
    let (host, port) = if let Some(rest) = text_trimmed.strip_prefix('[') {
        let (v6, tail) = rest.split_once(']').ok_or_else(|| bad("an IPv6 address is not closed"))?;
        // The grammar of RFC 3261 makes one colon too many before a dotted end (RFC 5118 §4.10).
        let v6 = if v6.contains('.') { v6.replacen(":::", "::", 1) } else { v6.to_owned() };
        if !v6.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_ipv6()) {
            return Err(bad("no IPv6 address in the brackets"));
        }
        let tail = tail.trim();
        let port = match tail.strip_prefix(':') {
            None if tail.is_empty() => None,
            None => return Err(bad("text after an IPv6 address")),
            Some(port) => Some(port),
        };
        (format!("[{v6}]"), port)
    } else {
        let (host, port) = match text_trimmed.split_once(':') {
            Some((host, port)) => (host.trim(), Some(port)),
            None => (text_trimmed, None),
        };
        if host.is_empty() || !host.chars().all(|c| c.is_ascii_alphanumeric() || "-._".contains(c)) {
            return Err(bad("no host name or address"));
        }
        (host.to_owned(), port)
    };
    let port = match port.map(str::trim) {
        None => None,
        Some(port) if port.bytes().all(|b| b.is_ascii_digit()) => {
            Some(port.parse().map_err(|_| bad("the port is not 0 to 65535"))?)
        }
        Some(_) => return Err(bad("the port is no number")),
    };
    Ok((host, port))
}
