//! What must not be kept of a message that is traced: credentials, keys of media, and digits. Masked in place, so that lengths stay
//! right.

/// Headers that hold what a password could be guessed from.
const SECRET: [&str; 2] = ["authorization", "proxy-authorization"];

/// Puts `x` in place of credentials, SDES keys, and the digits of an INFO's body.
pub fn mask(message: &mut [u8]) {
    let head = message.windows(4).position(|four| four == b"\r\n\r\n").map_or(message.len(), |at| at + 2);
    let mut digits = false;
    let mut start = 0;
    while start < head {
        let end = message[start..head].windows(2).position(|two| two == b"\r\n").map_or(head, |at| start + at);
        let (name, value) = split(&message[start..end]);
        digits |= name == "content-type" && contains(value, b"dtmf");
        if SECRET.contains(&name.as_str()) {
            let from = end - value.len();
            // Folded lines go on with white space.
            let mut to = end;
            while matches!(message.get(to + 2), Some(b' ' | b'\t')) && to + 2 < head {
                to = message[to + 2..head].windows(2).position(|two| two == b"\r\n").map_or(head, |at| to + 2 + at);
            }
            cover(&mut message[from..to]);
            start = to + 2;
        } else {
            start = end + 2;
        }
    }
    let body = message.get_mut((head + 2).min(message.len())..).unwrap_or_default();
    if digits {
        cover(body);
    }
    cover_keys(body);
}

/// A header's name in lower case, and its value.
fn split(line: &[u8]) -> (String, &[u8]) {
    match line.iter().position(|byte| *byte == b':') {
        Some(colon) => (String::from_utf8_lossy(&line[..colon]).trim().to_ascii_lowercase(), &line[colon + 1..]),
        None => (String::new(), line),
    }
}

fn contains(text: &[u8], word: &[u8]) -> bool {
    text.windows(word.len()).any(|part| part.eq_ignore_ascii_case(word))
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
        for odd in ["", "\r\n\r\n", "Authorization:", "Authorization: x", "a\r\nAuthorization: Digest \r\n"] {
            masked(odd);
        }
    }
}
