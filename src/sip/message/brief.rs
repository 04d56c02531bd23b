//! What a refusal needs to know of an INVITE, or of the ACK of one, read from the plainest messages in a fifth of the time that
//! [`super::judge`] takes. Whatever is unusual is left to that one: folded lines, compact names, lists of Vias, more than ASCII.

use std::net::SocketAddr;

use super::reply::stamped;
use super::{MAX_HEADER, MAX_HEADERS, Method, Uri, Via, scan};

/// The lines that a response repeats.
#[derive(Clone, Debug)]
pub struct Brief<'a> {
    /// INVITE or ACK.
    pub method: Method,
    target: &'a str,
    /// Via, From, To, Call-ID and CSeq, in their order.
    copied: Vec<(&'static str, &'a str)>,
    /// The top one.
    pub via: Via<'a>,
    /// The value of To.
    pub to: &'a str,
    /// The value of Call-ID.
    pub call_id: &'a str,
    /// The number in CSeq.
    pub number: u32,
}

const COPIED: [&str; 5] = ["Via", "From", "To", "Call-ID", "CSeq"];

impl<'a> Brief<'a> {
    /// Reads a request; `None` where it is another one or not plain. What is read may be malformed elsewhere.
    pub fn read(bytes: &'a [u8]) -> Option<Self> {
        let method = match bytes.get(..4)? {
            b"INVI" => Method::Invite,
            b"ACK " => Method::Ack,
            _ => return None,
        };
        let (line, mut rest) = cut_line(bytes)?;
        let target = line.strip_prefix(method.as_str())?.strip_prefix(' ')?.strip_suffix(" SIP/2.0")?;
        let mut copied = Vec::with_capacity(COPIED.len().saturating_add(1));
        for count in 0.. {
            let (line, tail) = cut_line(rest)?;
            rest = tail;
            if count > MAX_HEADERS || line.len() > MAX_HEADER {
                return None;
            }
            if line.is_empty() {
                break;
            }
            let (name, value) = scan::cut(line, b':')?;
            // A continued line, a compact name, or a call that replaces one which is there (RFC 3891).
            if name.len() < 2 || !scan::is_token(name) || name.eq_ignore_ascii_case("Replaces") {
                return None;
            }
            if let Some(known) = COPIED.into_iter().find(|known| name.eq_ignore_ascii_case(known)) {
                copied.push((known, value.trim_ascii()));
            }
        }
        let once = |wanted: &str| {
            let mut found = copied.iter().filter(|(name, _)| *name == wanted).map(|(_, value)| *value);
            found.next().filter(|_| wanted == "Via" || found.next().is_none())
        };
        let (via, to, call_id) = (once("Via")?, once("To")?, once("Call-ID")?);
        let (number, named) = once("CSeq").filter(|_| once("From").is_some())?.split_once(' ')?;
        let one_hop = memchr::memchr(b',', via.as_bytes()).is_none();
        let via = Via::read(via).ok().filter(|via| one_hop && via.unique_branch().is_some())?;
        let number = scan::number(number).filter(|_| named == method.as_str())?;
        Some(Self { method, target, via, to, call_id, number, copied })
    }

    /// The Request-URI.
    pub fn uri(&self) -> Option<Uri> {
        self.target.parse().ok()
    }

    /// Whether the request may belong to a dialog.
    pub fn has_tag(&self) -> bool {
        contains_tag(self.to)
    }

    /// Whether the request belongs to what was answered with this tag.
    pub fn has_our_tag(&self, tag: &str) -> bool {
        let before = self.to.strip_suffix(tag).and_then(|before| before.strip_suffix(";tag="));
        before.is_some_and(|before| !contains_tag(before))
    }

    /// The refusal of a request that has no tag, as [`super::response_to`] makes it; `None` where its Via cannot be stamped.
    pub fn refusal(&self, (code, reason): (u16, &str), tag: &str, source: SocketAddr) -> Option<Vec<u8>> {
        let mut text = String::with_capacity(512);
        text.push_str("SIP/2.0 ");
        text.push_str(&code.to_string());
        text.push(' ');
        text.push_str(reason);
        let mut top = true;
        for (name, value) in &self.copied {
            text.push_str("\r\n");
            text.push_str(name);
            text.push_str(": ");
            if *name == "Via" && std::mem::take(&mut top) {
                text.push_str(&stamped(value, source)?);
            } else {
                text.push_str(value);
            }
            if *name == "To" {
                text.push_str(";tag=");
                text.push_str(tag);
            }
        }
        text.push_str("\r\nContent-Length: 0\r\n\r\n");
        Some(text.into_bytes())
    }
}

/// A line of ASCII that ends in CR LF and has none of them inside, and what follows it.
fn cut_line(bytes: &[u8]) -> Option<(&str, &[u8])> {
    let (line, rest) = bytes.split_at_checked(memchr::memchr(b'\r', bytes)?)?;
    let rest = rest.strip_prefix(b"\r\n")?;
    let plain = line.is_ascii() && memchr::memchr(b'\n', line).is_none();
    Some((std::str::from_utf8(line).ok().filter(|_| plain)?, rest))
}

fn contains_tag(to: &str) -> bool {
    to.as_bytes().windows(3).any(|word| word.eq_ignore_ascii_case(b"tag"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sip::message::{Framing, Verdict, judge, response_to, stamp_source};

    const SOURCE: &str = "198.51.100.7:40000";

    fn invite(vias: &str, more: &str) -> String {
        format!(
            "INVITE sip:95588@192.0.2.1 SIP/2.0\r\n{vias}Max-Forwards: 70\r\nFrom: \"A\" <sip:a@b>;tag=f\r\nTo: <sip:95588@x>\r\n\
             Call-ID: c1\r\nCSeq: 7 INVITE\r\nContact: <sip:a@192.0.2.7>\r\n{more}Content-Length: 0\r\n\r\n"
        )
    }

    #[test]
    fn its_refusal_is_the_one_that_the_whole_message_gets() {
        for vias in [
            "Via: SIP/2.0/UDP 192.0.2.7:5070;rport;branch=z9hG4bK1\r\n",
            "via:SIP/2.0/UDP 198.51.100.7;branch=z9hG4bK1;received=203.0.113.9\r\nVIA: SIP/2.0/UDP 192.0.2.8;branch=z9hG4bK0, SIP/2.0/TCP x\r\n",
        ] {
            let (text, source) = (invite(vias, ""), SOURCE.parse().unwrap());
            let brief = Brief::read(text.as_bytes()).unwrap();
            assert_eq!((brief.number, brief.call_id, brief.has_tag()), (7, "c1", false));
            let Verdict::Accept(mut whole) = judge(text.as_bytes(), Framing::Datagram) else { panic!("{text}") };
            assert_eq!(brief.uri().as_ref(), whole.uri());
            stamp_source(&mut whole, source);
            let slow = response_to(&whole, 503, "Service Unavailable", Some("t")).to_bytes();
            let quick = brief.refusal((503, "Service Unavailable"), "t", source).unwrap();
            assert_eq!(String::from_utf8(quick), String::from_utf8(slow));
        }
    }

    #[test]
    fn what_is_not_plain_is_left_to_the_whole_reader() {
        let via = "Via: SIP/2.0/UDP 192.0.2.7:5070;rport;branch=z9hG4bK1\r\n";
        assert!(Brief::read(invite(via, "").as_bytes()).is_some());
        for (vias, more) in [
            ("", ""),
            (via, " folded\r\n"),
            (via, "m: <sip:x@y>\r\n"),
            (via, "Replaces: x;to-tag=1;from-tag=2\r\n"),
            (via, "Call-ID: c2\r\n"),
            (via, "Subject: caf\u{e9}\r\n"),
            (via, "Subject: a\rb\r\n"),
            (via, "Subject : a\r\n"),
            (via, &"Via: SIP/2.0/UDP a\r\n".repeat(MAX_HEADERS)),
            (via, &format!("Subject: {}\r\n", "a".repeat(MAX_HEADER))),
            ("Via: SIP/2.0/UDP a;branch=z9hG4bK1, SIP/2.0/UDP b\r\n", ""),
            ("Via: SIP/2.0/UDP a;branch=old\r\n", ""),
        ] {
            assert!(Brief::read(invite(vias, more).as_bytes()).is_none(), "{vias}{more}");
        }
        let text = invite(via, "");
        for end in 0..text.len() - 1 {
            assert!(Brief::read(&text.as_bytes()[..end]).is_none(), "{end}");
        }
        assert!(Brief::read(text.replacen("INVITE", "OPTIONS", 1).as_bytes()).is_none());
        assert!(Brief::read(text.replacen("7 INVITE", "7 ACK", 1).as_bytes()).is_none());
    }

    #[test]
    fn our_tag_is_known_where_it_stands_alone_at_the_end() {
        let read = |to: &str| {
            let text =
                invite("Via: SIP/2.0/UDP a;branch=z9hG4bK1\r\n", "").replace("To: <sip:95588@x>", &format!("To: {to}"));
            let brief = Brief::read(text.as_bytes()).unwrap();
            (brief.has_tag(), brief.has_our_tag("00ff"))
        };
        assert_eq!(read("<sip:95588@x>;tag=00ff"), (true, true));
        assert_eq!(read("<sip:95588@x>;tag=100ff"), (true, false));
        assert_eq!(read("<sip:95588@x>;TAG=x;tag=00ff"), (true, false));
        assert_eq!(read("<sip:95588@x>"), (false, false));
    }
}
