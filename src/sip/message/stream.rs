//! Messages out of a byte stream (RFC 3261 §18.3, keep-alives of RFC 5626 §4.4.1).

use super::verdict::{Framing, Verdict, judge};
use super::{MAX_MESSAGE, lexer, scan};

/// Why a stream cannot be read on; the connection is to be closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StreamError {
    /// No message ends within the limit.
    #[error("no message ended within {MAX_MESSAGE} bytes of the stream: close the connection")]
    TooLong,
    /// The next message's length is not known.
    #[error("a message on the stream has no single readable Content-Length: close the connection")]
    NoLength,
}

/// One thing read from a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StreamItem {
    /// A message, judged.
    Message(Box<Verdict>),
    /// A double CR LF: answer with one CR LF.
    KeepAlive,
}

/// Collects bytes and cuts messages out of them. Holds at most what was pushed since the last drained message: push what
/// one read brought, then pop until `None`.
#[derive(Clone, Debug, Default)]
pub struct StreamDecoder {
    held: Vec<u8>,
    searched: usize,
    wanted: usize,
    failed: Option<StreamError>,
}

impl StreamDecoder {
    /// Bytes that wait for the rest of their message.
    pub fn len(&self) -> usize {
        self.held.len()
    }

    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.held.is_empty()
    }

    /// Takes bytes that the stream brought. After an error they are thrown away.
    pub fn push(&mut self, bytes: &[u8]) {
        if self.failed.is_none() {
            self.held.extend_from_slice(bytes);
        }
    }

    /// The next message or keep-alive. After an error only that error comes back.
    pub fn pop(&mut self) -> Result<Option<StreamItem>, StreamError> {
        if let Some(error) = self.failed {
            return Err(error);
        }
        let popped = self.cut();
        if let Err(error) = popped {
            self.failed = Some(error);
            self.held = Vec::new();
        }
        popped
    }

    fn cut(&mut self) -> Result<Option<StreamItem>, StreamError> {
        if self.held.starts_with(b"\r\n\r\n") {
            self.consume(4);
            return Ok(Some(StreamItem::KeepAlive));
        }
        // The head of the message that is coming in was read already.
        if self.held.len() < self.wanted {
            return Ok(None);
        }
        // A single line break is the tail of a message, unless it may become a keep-alive.
        if self.held.starts_with(b"\r") && b"\r\n\r".starts_with(&self.held) {
            return Ok(None);
        }
        let blank = self.held.len().saturating_sub(lexer::skip_blank_lines(&self.held).len());
        self.consume(blank);
        let Some(head) = self.find_head_end() else {
            return if self.held.len() > MAX_MESSAGE { Err(StreamError::TooLong) } else { Ok(None) };
        };
        let lexed = lexer::lex(self.held.get(..head).unwrap_or_default());
        let mut lengths = lexed.headers.iter().filter(|(name, _)| name.is("Content-Length"));
        let (Some((_, length)), None) = (lengths.next(), lengths.next()) else {
            return Err(StreamError::NoLength);
        };
        let length = scan::number(length).ok_or(StreamError::NoLength)? as usize;
        let whole = head.saturating_add(length);
        if whole > MAX_MESSAGE {
            return Err(StreamError::TooLong);
        }
        self.wanted = whole;
        let Some(bytes) = self.held.get(..whole) else {
            return Ok(None);
        };
        let verdict = judge(bytes, Framing::Stream);
        self.consume(whole);
        Ok(Some(StreamItem::Message(Box::new(verdict))))
    }

    /// Where the body starts. Remembers how far it has looked, so that a slow sender costs no more than a fast one.
    fn find_head_end(&mut self) -> Option<usize> {
        let from = self.searched.saturating_sub(3);
        let fresh = self.held.get(from..).unwrap_or_default();
        let found = fresh.windows(4).position(|window| window == b"\r\n\r\n");
        self.searched = if found.is_some() { from } else { self.held.len() };
        found.map(|at| from.saturating_add(at).saturating_add(4))
    }

    fn consume(&mut self, count: usize) {
        if count > 0 {
            self.held.drain(..count.min(self.held.len()));
            self.searched = 0;
            self.wanted = 0;
        }
    }
}
