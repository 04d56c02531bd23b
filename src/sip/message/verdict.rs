//! The verdict over bytes from the wire: a message, a refusal with its status, or silence (RFC 3261 §8.2, RFC 4475).

use super::lexer::{self, Lexed};
use super::scan;
use super::{CSeq, MAX_HEADER, MAX_MESSAGE, Message, Method, NameAddrRef, Scheme, Uri, Via};

/// How the transport marks the end of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// A datagram ends its message; Content-Length may be absent, and what exceeds it is ignored.
    Datagram,
    /// A stream needs Content-Length (RFC 3261 §18.3).
    Stream,
}

/// What to do with bytes from the wire.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// A message that can be worked with.
    Accept(Message),
    /// A request to refuse.
    Reject {
        /// The status code.
        status: u16,
        /// What is wrong, fit for a reason phrase.
        reason: &'static str,
        /// What could be read of the request, for [`super::response_to`]; `None` where no Via says whom to answer.
        reply: Option<Message>,
    },
    /// Silence, and why.
    Drop(&'static str),
}

type Refusal = (u16, &'static str);

/// RFC 3261 §21.5.7; 413 is about a body that could be framed, and is its reader's to give.
pub(super) const TOO_LARGE: Refusal = (513, "Message Too Large");

/// Judges one message.
pub fn judge(bytes: &[u8], framing: Framing) -> Verdict {
    let bytes = lexer::skip_blank_lines(bytes);
    if bytes.iter().all(|b| *b == 0) {
        return Verdict::Drop("keep-alive");
    }
    let too_large = bytes.len() > MAX_MESSAGE;
    let lexed = lexer::lex(bytes.get(..MAX_MESSAGE).unwrap_or(bytes));
    if is_response(&lexed) {
        return if too_large { Verdict::Drop("response too large") } else { judge_response(lexed, framing) };
    }
    judge_request(lexed, framing, too_large)
}

fn is_response(lexed: &Lexed<'_>) -> bool {
    lexed.start.get(..4).is_some_and(|first| first.eq_ignore_ascii_case("SIP/"))
}

fn judge_response(lexed: Lexed<'_>, framing: Framing) -> Verdict {
    let mut words = lexed.start.splitn(3, ' ');
    let version = words.next().unwrap_or_default();
    let code = words.next().filter(|code| code.len() == 3).and_then(|code| code.parse::<u16>().ok());
    let (true, Some(code @ 100..=699)) = (version.eq_ignore_ascii_case("SIP/2.0"), code) else {
        return Verdict::Drop("response with a bad status line");
    };
    let mut message = Message::response(code, words.next().unwrap_or_default().replace('\r', " ").trim());
    let flaw = lexed.flaw;
    message.headers = lexed.headers;
    if flaw.is_some() || check_common(&message).is_err() {
        return Verdict::Drop("malformed response");
    }
    // A response to us names us alone (RFC 3261 §8.1.3.3).
    if message.pieces("Via").count() != 1 {
        return Verdict::Drop("response that is not for us");
    }
    match take_body(&mut message, lexed.body, framing) {
        Ok(()) => Verdict::Accept(message),
        Err(_) => Verdict::Drop("response with a bad length"),
    }
}

fn judge_request(lexed: Lexed<'_>, framing: Framing, too_large: bool) -> Verdict {
    let (method, uri, refused) = read_request_line(&lexed.start);
    let mut message = Message::request(method.clone(), uri);
    message.headers = lexed.headers;
    let checked = match (too_large, refused, lexed.flaw) {
        (true, ..) => Err(TOO_LARGE),
        (_, Some(refusal), _) => Err(refusal),
        (_, _, Some(flaw)) => Err((400, flaw)),
        _ => check_request(&message, &method),
    };
    let checked = checked.and_then(|()| take_body(&mut message, lexed.body, framing));
    match checked {
        Ok(()) => Verdict::Accept(message),
        Err(refusal) => reject(message, refusal),
    }
}

/// The refusal of a message whose end cannot be told, from what there is of its head.
pub(super) fn refuse_unframed(head: &[u8], refusal: Refusal) -> Verdict {
    let lexed = lexer::lex(head);
    if is_response(&lexed) {
        return Verdict::Drop("response without end");
    }
    let (method, uri, _) = read_request_line(&lexed.start);
    reject(Message { headers: lexed.headers, ..Message::request(method, uri) }, refusal)
}

fn reject(message: Message, (status, reason): Refusal) -> Verdict {
    if message.method() == Some(&Method::Ack) {
        return Verdict::Drop("malformed ACK");
    }
    let reply = message.header("Via").is_some().then_some(message);
    if reply.is_none() && status == 400 {
        return Verdict::Drop("malformed request without Via");
    }
    Verdict::Reject { status, reason, reply }
}

/// Method, Request-URI, and the refusal that the line deserves. Spaces around the URI are forgiven, inside it they are not.
fn read_request_line(line: &str) -> (Method, Uri, Option<Refusal>) {
    let line = line.trim_end();
    let (method, rest) = line.split_once(' ').unwrap_or((line, ""));
    let (target, version) = rest.trim().rsplit_once(' ').unwrap_or((rest, ""));
    let target = target.trim();
    let uri = target.parse::<Uri>();
    let refusal = if line.len() > MAX_HEADER {
        Some((414, "Request-URI Too Long"))
    } else if !scan::is_token(method) || !version.get(..4).is_some_and(|sip| sip.eq_ignore_ascii_case("SIP/")) {
        Some((400, "Bad request line"))
    } else if !version.eq_ignore_ascii_case("SIP/2.0") {
        Some((505, "Version Not Supported"))
    } else {
        match &uri {
            Err(_) => Some((400, "Bad Request-URI")),
            // RFC 3261 §19.1.1: a Request-URI carries no headers; they would let a caller write our Route.
            Ok(uri) if uri.headers.is_some() => Some((400, "Headers in the Request-URI")),
            Ok(_) => None,
        }
    };
    (method.into(), uri.unwrap_or_else(|_| Uri::unread(target)), refusal)
}

fn check_request(message: &Message, method: &Method) -> Result<(), Refusal> {
    check_common(message).map_err(|reason| (400, reason))?;
    let cseq = message.cseq().map_err(|_| (400, "Bad CSeq"))?;
    if cseq.method != *method {
        return Err((400, "CSeq names another method"));
    }
    if message.header("Max-Forwards").is_some() && message.max_forwards().is_none() {
        return Err((400, "Bad Max-Forwards"));
    }
    if matches!(method, Method::Other(_)) {
        return Err((501, "Not Implemented"));
    }
    match message.uri().map(|uri| &uri.scheme) {
        Some(Scheme::Other(_)) | None => Err((416, "Unsupported URI Scheme")),
        Some(_) => Ok(()),
    }
}

/// What requests and responses have in common: each identifying header once, and readable.
fn check_common(message: &Message) -> Result<(), &'static str> {
    let [mut from, mut to, mut call_id, mut cseq, mut via, mut max_forwards, mut length, mut others] = [0_usize; 8];
    for (name, value) in message.headers.iter() {
        let (count, readable, wrong) = match name.as_str() {
            "Via" => (&mut via, scan::list(value).all(|via| via.and_then(Via::read).is_ok()), "Bad Via"),
            "From" => (&mut from, NameAddrRef::read(value).is_ok(), "Bad From"),
            "To" => (&mut to, NameAddrRef::read(value).is_ok(), "Bad To"),
            "Call-ID" => (&mut call_id, !value.is_empty() && !value.contains(char::is_whitespace), "Bad Call-ID"),
            "CSeq" => (&mut cseq, CSeq::read(value).is_ok(), "Bad CSeq"),
            "Max-Forwards" => (&mut max_forwards, true, ""),
            "Content-Length" => (&mut length, true, ""),
            "Contact" => (&mut others, value == "*" || are_addresses(value), "Bad Contact"),
            "Route" => (&mut others, are_addresses(value), "Bad Route"),
            "Record-Route" => (&mut others, are_addresses(value), "Bad Record-Route"),
            _ => continue,
        };
        *count = count.saturating_add(1);
        if !readable {
            return Err(wrong);
        }
    }
    let once = [
        (from, "From missing or repeated"),
        (to, "To missing or repeated"),
        (call_id, "Call-ID missing or repeated"),
        (cseq, "CSeq missing or repeated"),
        // Where they may be missing.
        (max_forwards.max(1), "Max-Forwards repeated"),
        (length.max(1), "Content-Length repeated"),
        // Where they may be many.
        (via.min(1), "No Via"),
    ];
    once.iter().find(|(count, _)| *count != 1).map_or(Ok(()), |(_, reason)| Err(reason))
}

fn are_addresses(list: &str) -> bool {
    scan::list(list).all(|address| address.and_then(NameAddrRef::read).is_ok())
}

fn take_body(message: &mut Message, body: &[u8], framing: Framing) -> Result<(), Refusal> {
    let length = match (message.header("Content-Length"), framing) {
        (Some(value), _) => scan::number(value).ok_or((400, "Bad Content-Length"))? as usize,
        (None, Framing::Datagram) => body.len(),
        (None, Framing::Stream) => return Err((400, "Content-Length missing")),
    };
    message.body = body.get(..length).ok_or((400, "Body shorter than Content-Length"))?.to_vec();
    message.remove("Content-Length");
    Ok(())
}
