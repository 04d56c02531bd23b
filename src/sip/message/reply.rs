//! Responses to a request, and the note of where it came from.

use std::fmt::Write as _;
use std::net::SocketAddr;

use super::{Message, NameAddr, NameAddrRef, scan};

/// The usual text of a status code.
pub fn reason_phrase(code: u16) -> &'static str {
    match code {
        100 => "Trying",
        180 => "Ringing",
        181 => "Call Is Being Forwarded",
        182 => "Queued",
        183 => "Session Progress",
        200 => "OK",
        202 => "Accepted",
        302 => "Moved Temporarily",
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        406 => "Not Acceptable",
        407 => "Proxy Authentication Required",
        408 => "Request Timeout",
        413 => "Request Entity Too Large",
        414 => "Request-URI Too Long",
        415 => "Unsupported Media Type",
        416 => "Unsupported URI Scheme",
        420 => "Bad Extension",
        422 => "Session Interval Too Small",
        423 => "Interval Too Brief",
        480 => "Temporarily Unavailable",
        481 => "Call/Transaction Does Not Exist",
        482 => "Loop Detected",
        483 => "Too Many Hops",
        486 => "Busy Here",
        487 => "Request Terminated",
        488 => "Not Acceptable Here",
        489 => "Bad Event",
        491 => "Request Pending",
        500 => "Server Internal Error",
        501 => "Not Implemented",
        503 => "Service Unavailable",
        504 => "Server Time-out",
        505 => "Version Not Supported",
        513 => "Message Too Large",
        600 => "Busy Everywhere",
        603 => "Decline",
        _ => match code / 100 {
            1 => "Progress",
            2 => "OK",
            3 => "Redirection",
            4 => "Request Failure",
            5 => "Server Failure",
            _ => "Global Failure",
        },
    }
}

/// A response to `request` (RFC 3261 §8.2.6): Via, From, To, Call-ID and CSeq are copied, Record-Route too where the
/// response may form a dialog. `to_tag` is added unless the request has a To tag or the code is 100.
pub fn response_to(request: &Message, code: u16, reason: &str, to_tag: Option<&str>) -> Message {
    let mut response = Message::response(code, reason);
    let forms_dialog = (101..300).contains(&code) && request.method().is_some_and(|method| method.forms_dialog());
    for (name, value) in request.headers.iter() {
        match name.as_str() {
            "Via" => response.headers.push(name.clone(), value),
            "Record-Route" if forms_dialog => response.headers.push(name.clone(), value),
            // A refused request may repeat what names it; its refusal does not.
            one @ ("From" | "To" | "Call-ID" | "CSeq") if response.header(one).is_none() => {
                match to_tag.filter(|_| one == "To" && code > 100 && request.to_tag().is_none()) {
                    Some(tag) => response.headers.push(name.clone(), tagged(value, tag)),
                    None => response.headers.push(name.clone(), value),
                }
            }
            _ => {}
        }
    }
    response
}

/// The To of a response with our tag. A `tag=` without a value is none, and gives way: of two, a reader takes the first.
fn tagged(to: &str, tag: &str) -> String {
    match NameAddrRef::read(to) {
        Ok(read) if read.params.has("tag") => {
            let mut to = NameAddr::from(read);
            to.params.set("tag", Some(tag));
            to.to_string()
        }
        _ => format!("{to};tag={tag}"),
    }
}

/// Notes in the top Via where a request came from: `received` where it differs from sent-by or `rport` was asked for,
/// and the source port in `rport` (RFC 3261 §18.2.1, RFC 3581 §4). A Via that cannot be read stays as it is.
pub fn stamp_source(message: &mut Message, source: SocketAddr) {
    if let Some(stamped) = message.header("Via").and_then(|value| stamped(value, source)) {
        message.set("Via", stamped);
    }
}

/// A Via whose top hop has that note; `None` where it cannot be read.
pub(super) fn stamped(value: &str, source: SocketAddr) -> Option<String> {
    let split = scan::split_once(value, b',', true).ok().flatten();
    let (top, rest) = split.map_or((value, None), |(top, rest)| (top, Some(rest)));
    let via = super::Via::read(top).ok()?;
    let asked = via.rport().is_some();
    let mut text = String::with_capacity(value.len().saturating_add(48));
    via.write_without_params(&mut text);
    let mut noted = false;
    // Writing into a String does not fail.
    for (name, old) in via.params.iter() {
        let _ = match old {
            // A `received` that the sender wrote itself would send our answer to a third party.
            _ if name.eq_ignore_ascii_case("received") => Ok(()),
            _ if !noted && name.eq_ignore_ascii_case("rport") => {
                noted = true;
                write!(text, ";{name}={}", source.port())
            }
            Some(old) => write!(text, ";{name}={old}"),
            None => write!(text, ";{name}"),
        };
    }
    if asked || via.host.trim_matches(['[', ']']).parse() != Ok(source.ip()) {
        let _ = write!(text, ";received={}", source.ip());
    }
    if let Some(rest) = rest {
        text.push(',');
        text.push_str(rest);
    }
    Some(text)
}
