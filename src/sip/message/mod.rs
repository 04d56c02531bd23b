//! SIP messages (RFC 3261 §7): bytes come in, a [`Verdict`] goes out; typed readers; printing; replies; framing on streams.

mod addr;
mod body;
mod brief;
mod fields;
mod header;
mod headers;
mod lexer;
mod mask;
mod method;
mod params;
mod replaces;
mod reply;
pub mod scan;
mod stream;
mod uri;
mod verdict;
mod via;

use std::fmt::{self, Write};

pub use addr::{Contacts, NameAddr, NameAddrRef};
pub use body::BodyError;
pub use brief::Brief;
pub use fields::CSeq;
pub use header::HeaderName;
pub use headers::Headers;
pub use mask::mask;
pub use method::Method;
pub use params::{Params, ParamsRef};
pub use replaces::Replaces;
pub use reply::{reason_phrase, response_to, stamp_source};
pub use scan::Syntax;
pub use stream::{StreamDecoder, StreamError, StreamItem, Unframed};
pub use uri::{Scheme, Uri, UriRef};
pub use verdict::{Framing, Verdict, judge};
pub use via::{COOKIE, Via};

/// The largest message that is read, in bytes.
pub const MAX_MESSAGE: usize = 64 * 1024;
/// The most headers that a message may have.
pub const MAX_HEADERS: usize = 128;
/// The largest header or start line, in bytes, folded lines together.
pub const MAX_HEADER: usize = 8 * 1024;

/// The first line of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Start {
    /// A request and its Request-URI.
    Request {
        /// What is asked for.
        method: Method,
        /// Whom it is asked of.
        uri: Uri,
    },
    /// A response.
    Response {
        /// 100 to 699.
        code: u16,
        /// The text for people.
        reason: String,
    },
}

/// A message that owns its parts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// The first line.
    pub start: Start,
    /// The headers in order, unfolded; Content-Length stays out, it is printed from the body.
    pub headers: Headers,
    /// The body.
    pub body: Vec<u8>,
}

impl Message {
    /// A request without headers.
    pub fn request(method: Method, uri: Uri) -> Self {
        Self { start: Start::Request { method, uri }, headers: Headers::default(), body: Vec::new() }
    }

    /// A response without headers.
    pub fn response(code: u16, reason: &str) -> Self {
        Self {
            start: Start::Response { code, reason: reason.to_owned() },
            headers: Headers::default(),
            body: Vec::new(),
        }
    }

    /// The same message with one more header at the end.
    pub fn with(mut self, name: &str, value: impl fmt::Display) -> Self {
        self.push(name, value);
        self
    }

    /// The same message with this body.
    pub fn with_body(mut self, content_type: &str, body: Vec<u8>) -> Self {
        self.set("Content-Type", content_type);
        self.body = body;
        self
    }

    /// Adds a header at the end.
    pub fn push(&mut self, name: &str, value: impl fmt::Display) {
        self.headers.push(name.into(), value);
    }

    /// Adds a header at the top, where a Via goes.
    pub fn push_front(&mut self, name: &str, value: impl fmt::Display) {
        self.headers.push_front(name.into(), value);
    }

    /// Replaces the header, or adds it at the end.
    pub fn set(&mut self, name: &str, value: impl fmt::Display) {
        self.headers.set(name, value);
    }

    /// Gives a request another Request-URI.
    pub fn set_uri(&mut self, other: Uri) {
        if let Start::Request { uri, .. } = &mut self.start {
            *uri = other;
        }
    }

    /// Takes every header of that name away.
    pub fn remove(&mut self, name: &str) {
        self.headers.remove(name);
    }

    /// The message as it goes on the wire. A line break inside a value becomes a space, so no value can add a header.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut text =
            String::with_capacity(self.headers.printed_len().saturating_add(self.body.len()).saturating_add(128));
        // Writing into a String does not fail.
        let _ = match &self.start {
            Start::Request { method, uri } => write!(text, "{method} {uri} SIP/2.0"),
            Start::Response { code, reason } => write!(text, "SIP/2.0 {code} {reason}"),
        };
        if has_break(&text) {
            text = text.replace(['\r', '\n'], " ");
        }
        for (name, value) in self.headers.iter().filter(|(name, _)| !name.is("Content-Length")) {
            text.push_str("\r\n");
            text.push_str(name.as_str());
            text.push_str(": ");
            if has_break(value) {
                text.push_str(&value.replace(['\r', '\n'], " "));
            } else {
                text.push_str(value);
            }
        }
        let _ = write!(text, "\r\nContent-Length: {}\r\n\r\n", self.body.len());
        let mut bytes = text.into_bytes();
        bytes.extend_from_slice(&self.body);
        bytes
    }
}

fn has_break(text: &str) -> bool {
    memchr::memchr2(b'\r', b'\n', text.as_bytes()).is_some()
}

#[cfg(test)]
mod property_tests;
#[cfg(test)]
mod tests;
