//! The session description of a message, alone or among the parts of a multipart body (RFC 3261 §8.2.3, RFC 5621).

use super::lexer::{self, Lexed};
use super::params::Params;
use super::{Headers, Message, scan};

/// The most parts that one multipart body may have.
const MAX_PARTS: usize = 16;
/// How deep multipart bodies may stand in one another.
const MAX_DEPTH: usize = 4;

/// Why a body cannot be taken as it was meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BodyError {
    /// A body or part that the sender does not call optional is of no type or coding that we read.
    #[error("a body that its sender insists on is of another type than application/sdp")]
    Unsupported,
    /// Its parts cannot be told apart.
    #[error("a multipart body is malformed: {0}")]
    Malformed(&'static str),
}

impl BodyError {
    /// The status that refuses the request.
    pub fn status(self) -> u16 {
        match self {
            Self::Unsupported => 415,
            Self::Malformed(_) => 400,
        }
    }
}

impl Message {
    /// The session description that the body is or holds; `None` where there is none.
    ///
    /// # Errors
    /// Where the body, or a part of it, can neither be read nor be left out.
    pub fn session_description(&self) -> Result<Option<&[u8]>, BodyError> {
        if self.body.is_empty() { Ok(None) } else { find(&self.headers, &self.body, 0) }
    }

    /// Whether the sender of this request takes a session description in the response (RFC 3261 §20.1: without Accept it does).
    pub fn accepts_session_description(&self) -> bool {
        let mut ranges = self.header_all("Accept").flat_map(|value| value.split(',')).peekable();
        ranges.peek().is_none()
            || ranges.any(|range| matches!(media_type(range).as_str(), "application/sdp" | "application/*" | "*/*"))
    }
}

/// The media type without parameters, in lower case.
fn media_type(value: &str) -> String {
    value.split(';').next().unwrap_or(value).trim().to_ascii_lowercase()
}

fn find<'a>(headers: &Headers, body: &'a [u8], depth: usize) -> Result<Option<&'a [u8]>, BodyError> {
    let value = |name: &str| headers.first(name);
    let disposition = value("Content-Disposition").unwrap_or("session");
    let (purpose, disposition) = disposition.split_once(';').unwrap_or((disposition, ""));
    let optional = Params::parse(disposition)
        .is_ok_and(|params| params.value("handling").is_some_and(|handling| handling.eq_ignore_ascii_case("optional")));
    let plain = |name, plain: &[&str]| {
        value(name).is_none_or(|coding| plain.iter().any(|known| known.eq_ignore_ascii_case(coding.trim())))
    };
    let readable =
        plain("Content-Encoding", &["identity"]) && plain("Content-Transfer-Encoding", &["7bit", "8bit", "binary"]);
    let kind = value("Content-Type").unwrap_or_default();
    let found = match media_type(kind).split_once('/') {
        Some(("application", "sdp")) if readable && purpose.trim().eq_ignore_ascii_case("session") => Ok(Some(body)),
        Some(("multipart", how)) if readable && depth < MAX_DEPTH => find_among(kind, how, body, depth),
        _ => Err(BodyError::Unsupported),
    };
    match found {
        Err(BodyError::Unsupported) if optional => Ok(None),
        found => found,
    }
}

fn find_among<'a>(kind: &str, how: &str, body: &'a [u8], depth: usize) -> Result<Option<&'a [u8]>, BodyError> {
    let params = kind.split_once(';').and_then(|(_, params)| Params::parse(params).ok());
    let boundary = params.as_ref().and_then(|params| params.value("boundary"));
    let boundary = scan::unquote(boundary.ok_or(BodyError::Malformed("no boundary"))?);
    let mut found = Vec::new();
    for part in split(body, &boundary)? {
        let Lexed { headers, body, flaw, .. } = lexer::lex_headers(part);
        if let Some(flaw) = flaw {
            return Err(BodyError::Malformed(flaw));
        }
        found.push(find(&headers, body, depth.saturating_add(1)));
    }
    if how == "alternative" {
        // The same thing in several forms, the sender's favourite last (RFC 2046 §5.1.4): one that can be read is enough.
        let best = found.iter().rposition(|part| matches!(part, Ok(Some(_))));
        let best = best.or_else(|| found.iter().rposition(Result::is_ok));
        return best.map_or(Err(BodyError::Unsupported), |at| found.swap_remove(at));
    }
    let mut first = None;
    for part in found {
        first = first.or(part?);
    }
    Ok(first)
}

/// What stands between the delimiter lines (RFC 2046 §5.1.1); what stands before the first and after the last is for people.
fn split<'a>(body: &'a [u8], boundary: &str) -> Result<Vec<&'a [u8]>, BodyError> {
    if boundary.is_empty() || boundary.len() > 70 {
        return Err(BodyError::Malformed("a boundary has 1 to 70 characters"));
    }
    let delimiter = format!("--{boundary}");
    let (mut parts, mut open, mut at) = (Vec::new(), None, 0_usize);
    for line in body.split_inclusive(|byte| *byte == b'\n') {
        let next = at.saturating_add(line.len());
        let tail = line.strip_prefix(delimiter.as_bytes()).map(<[u8]>::trim_ascii_end);
        if let Some(tail @ (b"" | b"--")) = tail {
            if let Some(from) = open.replace(next) {
                if parts.len() == MAX_PARTS {
                    return Err(BodyError::Malformed("too many parts"));
                }
                // The line break before a delimiter belongs to it.
                let part: &[u8] = body.get(from..at).unwrap_or_default();
                let part = part.strip_suffix(b"\n").unwrap_or(part);
                parts.push(part.strip_suffix(b"\r").unwrap_or(part));
            }
            if tail == b"--" {
                return Ok(parts);
            }
        }
        at = next;
    }
    Err(BodyError::Malformed("the last part has no end"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sip::message::{Method, Uri};

    fn invite(kind: &str, body: &str) -> Message {
        let invite = Message::request(Method::Invite, Uri::sip(None, "a", None));
        invite.with_body(kind, body.replace('\n', "\r\n").into_bytes())
    }

    fn found(kind: &str, body: &str) -> Result<Option<String>, BodyError> {
        let invite = invite(kind, body);
        let found = invite.session_description()?;
        Ok(found.map(|sdp| String::from_utf8(sdp.to_vec()).unwrap()))
    }

    const SDP: &str = "Content-Type: application/sdp\n\nv=0\n";
    const ISUP: &str = "Content-Type: application/isup;version=itu-t92+\n";
    const OPTIONAL: &str = "Content-Disposition: signal ; Handling=Optional\n";

    fn mixed(parts: &[&str]) -> String {
        let parts: String = parts.iter().map(|part| format!("--b\n{part}\n")).collect();
        format!("for people\n{parts}--b--\nfor people too\n--b\n")
    }

    #[test]
    fn a_description_is_found_alone_and_among_parts() {
        let v0 = || Ok(Some("v=0\r\n".to_owned()));
        assert_eq!(found("Application/SDP;charset=utf-8", "v=0\n"), v0());
        let optional = format!("{ISUP}{OPTIONAL}\nxx");
        for kind in ["multipart/mixed;boundary=b", "Multipart/Related ; type=\"a/b\" ; Boundary=\"b\""] {
            assert_eq!(found(kind, &mixed(&[SDP])), v0());
            assert_eq!(found(kind, &mixed(&[SDP, &optional])), v0());
            assert_eq!(found(kind, &mixed(&[&optional, SDP])), v0());
            assert_eq!(found(kind, &mixed(&[&optional])), Ok(None));
        }
        let folded = SDP.replace(": ", ":\n ").replace("Content-Type", "c");
        assert_eq!(found("multipart/mixed;boundary=b", &mixed(&[&folded])), v0());
        let nested = format!("Content-Type: multipart/mixed;boundary=b2\n\n{}", mixed(&[SDP]).replace("--b", "--b2"));
        assert_eq!(found("multipart/mixed;boundary=b", &mixed(&[&optional, &nested])), v0());
        assert_eq!(invite("text/plain", "").session_description(), Ok(None));
    }

    #[test]
    fn of_alternatives_the_last_that_can_be_read_is_taken() {
        let newer = SDP.replace("v=0", "v=1");
        let kind = "multipart/alternative;boundary=b";
        assert_eq!(
            found(kind, &mixed(&[SDP, &newer, "Content-Type: text/plain\n\nhi"])),
            Ok(Some("v=1\r\n".to_owned()))
        );
        assert_eq!(found(kind, &mixed(&["\nhi"])), Err(BodyError::Unsupported));
    }

    #[test]
    fn what_the_sender_insists_on_is_refused_unless_it_is_read() {
        let required = format!("{ISUP}\nxx");
        let early = format!("Content-Disposition: early-session\n{SDP}");
        let coded = format!("Content-Transfer-Encoding: base64\n{SDP}");
        for part in [&required, &early, &coded, "\nno type"] {
            assert_eq!(
                found("multipart/mixed;boundary=b", &mixed(&[SDP, part])),
                Err(BodyError::Unsupported),
                "{part}"
            );
        }
        assert_eq!(found("text/plain", "hello"), Err(BodyError::Unsupported));
        assert_eq!(
            invite("text/plain", "x").with("Content-Disposition", "icon;handling=optional").session_description(),
            Ok(None)
        );
        assert_eq!(invite("application/sdp", "x").with("e", "gzip").session_description(), Err(BodyError::Unsupported));
    }

    #[test]
    fn parts_that_cannot_be_told_apart_are_malformed() {
        let refused = |kind: &str, body: &str| found(kind, body).unwrap_err().status();
        assert_eq!(refused("multipart/mixed", &mixed(&[SDP])), 400);
        assert_eq!(refused("multipart/mixed;boundary=b", &format!("--b\n{SDP}")), 400);
        assert_eq!(refused("multipart/mixed;boundary=b", &mixed(&[SDP; MAX_PARTS + 1])), 400);
        assert_eq!(refused("multipart/mixed;boundary=b", &mixed(&["no header\n\nv=0"])), 400);
        let deep = (0..=MAX_DEPTH).fold(SDP.to_owned(), |inner, depth| {
            format!("Content-Type: multipart/mixed;boundary=b{depth}\n\n--b{depth}\n{inner}\n--b{depth}--\n")
        });
        assert_eq!(refused("multipart/mixed;boundary=b", &mixed(&[&deep])), 415);
    }

    #[test]
    fn who_takes_no_description_is_known() {
        let accepts = |values: &[&str]| {
            let with = |invite: Message, value: &&str| invite.with("Accept", value);
            values.iter().fold(invite("", ""), with).accepts_session_description()
        };
        assert!(accepts(&[]));
        assert!(accepts(&["text/plain, Application/SDP;level=1"]));
        assert!(accepts(&["text/plain", "*/*"]));
        assert!(!accepts(&["text/nobodyKnowsThis"]));
        assert!(!accepts(&[""]));
    }
}
