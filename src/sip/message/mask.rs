//! What must not be kept of a message that is traced: credentials, keys of media, and digits. Masked in place, so that lengths stay
//! right; its headers are those that the lexer reads.

use std::ops::Range;

use super::{HeaderName, lexer};

/// Puts `x` in place of credentials, SDES keys, and the digits of an INFO's body, or of one that says that it holds some.
pub fn mask(message: &mut [u8]) {
    let (headers, body) = lexer::spans(message);
    // Whatever it carries: digits may stand in parts of it.
    let mut digits = message.trim_ascii_start().starts_with(b"INFO ");
    for header in headers {
        let Some(value) = value_of(message, &header) else { continue };
        let name = HeaderName::from(String::from_utf8_lossy(&message[header.start..value.start - 1]).trim());
        if name.is("Content-Type") {
            digits |= ["dtmf", "telephone-event", "kpml"].iter().any(|word| contains(&message[value.clone()], word));
        }
        if name.is("Authorization") || name.is("Proxy-Authorization") {
            cover(&mut message[value]);
        }
    }
    let body = message.get_mut(body..).unwrap_or_default();
    if digits {
        cover(body);
    }
    cover_keys(body);
}

/// Where the value of a header stands.
fn value_of(message: &[u8], header: &Range<usize>) -> Option<Range<usize>> {
    let colon = message.get(header.clone())?.iter().position(|byte| *byte == b':')?;
    Some(header.start + colon + 1..header.end)
}

fn contains(text: &[u8], word: &str) -> bool {
    text.windows(word.len()).any(|part| part.eq_ignore_ascii_case(word.as_bytes()))
}

/// The scheme, line ends and spaces stay, so that it can still be read as what it is.
fn cover(text: &mut [u8]) {
    let digest = text.windows(7).position(|part| part.eq_ignore_ascii_case(b"digest ")).map_or(0, |at| at + 7);
    text[digest..].iter_mut().filter(|byte| !byte.is_ascii_whitespace()).for_each(|byte| *byte = b'x');
}

/// The key of each `a=crypto` line (RFC 4568).
fn cover_keys(body: &mut [u8]) {
    const INLINE: &[u8] = b"inline:";
    let mut from = 0;
    while let Some(at) = body[from..].windows(INLINE.len()).position(|part| part == INLINE) {
        let start = from + at + INLINE.len();
        let length = body[start..].iter().position(|byte| byte.is_ascii_whitespace() || *byte == b'|');
        let end = length.map_or(body.len(), |length| start + length);
        body[start..end].fill(b'x');
        from = end;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn masked(text: &str) -> String {
        let mut bytes = text.as_bytes().to_vec();
        mask(&mut bytes);
        assert_eq!(bytes.len(), text.len());
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn credentials_keys_and_digits_are_covered_and_nothing_else() {
        let text = "REGISTER sip:x SIP/2.0\r\nAuthorization: Digest username=\"u\",\r\n response=\"abc\"\r\nTo: <sip:u@x>\r\n\r\n";
        let seen = masked(text);
        assert!(seen.contains("Authorization: Digest xxxx") && !seen.contains("abc") && seen.contains("To: <sip:u@x>"));
        let text =
            "INFO sip:x SIP/2.0\r\nContent-Type: application/dtmf-relay\r\nTo: a\r\n\r\nSignal=5\r\nDuration=160\r\n";
        assert_eq!(masked(text).split("\r\n\r\n").nth(1), Some("xxxxxxxx\r\nxxxxxxxxxxxx\r\n"));
        let text =
            "SIP/2.0 200 OK\r\nTo: a\r\n\r\nv=0\r\na=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:WVNfX19z|2^20\r\nm=x\r\n";
        let seen = masked(text);
        assert!(seen.contains("inline:xxxxxxxx|2^20\r\nm=x") && seen.starts_with("SIP/2.0 200 OK\r\nTo: a\r\n\r\nv=0"));
        let text =
            "INFO sip:x SIP/2.0\nc:\n application/x\nAuthorization : Digest response=\"abc\"\nTo: a\n\nSignal=5\n";
        assert!(!masked(text).contains("abc") && masked(text).ends_with("To: a\n\nxxxxxxxx\n"), "{}", masked(text));
        let text = "NOTIFY sip:x SIP/2.0\r\nc: application/kpml-response+xml\r\n\r\n<digits=5>";
        assert!(masked(text).ends_with("\r\n\r\nxxxxxxxxxx"));
        for odd in ["", "\r\n\r\n", "Authorization:", "Authorization: x", "a\r\nAuthorization: Digest \r\n"] {
            masked(odd);
        }
    }
}
