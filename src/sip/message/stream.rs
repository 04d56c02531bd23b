//! Messages out of a byte stream (RFC 3261 §18.3, keep-alives of RFC 5626 §4.4.1).

use super::verdict::{Framing, TOO_LARGE, Verdict, judge, refuse_unframed};
use super::{MAX_MESSAGE, lexer, scan};

/// A stream cannot be read on, because nobody can tell where its next message starts: answer what is left of this one, if
/// its verdict has a reply, and close the connection.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{why}: close the connection")]
pub struct StreamError {
    /// What is wrong with the framing.
    pub why: Unframed,
    /// What to do with the message that broke it: refuse it by its status, or drop it.
    pub verdict: Box<Verdict>,
}

/// What is wrong with the framing of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unframed {
    /// No message ends within the limit.
    #[error("no message ended within {MAX_MESSAGE} bytes of the stream")]
    TooLong,
    /// The next message's length is not known.
    #[error("a message on the stream has no single readable Content-Length")]
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
        if let Some(error) = &self.failed {
            return Err(error.clone());
        }
        let popped = self.cut();
        if let Err(error) = &popped {
            self.failed = Some(error.clone());
            self.held = Vec::new();
        }
        popped
    }

    fn cut(&mut self) -> Result<Option<StreamItem>, StreamError> {
        // The head of the message that is coming in was read already.
        if self.held.len() < self.wanted {
            return Ok(None);
        }
        let (breaks, lead) = lead(&self.held);
        self.consume(breaks);
        match lead {
            Lead::KeepAlive => return Ok(Some(StreamItem::KeepAlive)),
            Lead::Open => return Ok(None),
            Lead::Message => {}
        }
        let Some(head) = self.find_head_end() else {
            return if self.held.len() > MAX_MESSAGE { Err(too_long(&self.held)) } else { Ok(None) };
        };
        let whole = whole_length(self.held.get(..head).unwrap_or_default())?;
        self.wanted = whole;
        let Some(bytes) = self.held.get(..whole) else {
            return Ok(None);
        };
        let verdict = judge(bytes, Framing::Stream);
        self.consume(whole);
        Ok(Some(StreamItem::Message(Box::new(verdict))))
    }

    /// Where the body starts: after the first empty line, whose line breaks are as lenient as the lexer's, so that both mean
    /// the same one. Remembers how far it has looked, so that a slow sender costs no more than a fast one.
    fn find_head_end(&mut self) -> Option<usize> {
        let from = self.searched.saturating_sub(2);
        let fresh = self.held.get(from..).unwrap_or_default();
        let empty_line = |at: usize| match fresh.get(at..) {
            Some([b'\n', b'\n', ..]) => Some(2),
            Some([b'\n', b'\r', b'\n', ..]) => Some(3),
            _ => None,
        };
        let found = (0..fresh.len()).find_map(|at| Some(from.saturating_add(at).saturating_add(empty_line(at)?)));
        self.searched = if found.is_some() { from } else { self.held.len() };
        found
    }

    fn consume(&mut self, count: usize) {
        if count > 0 {
            self.held.drain(..count.min(self.held.len()));
            self.searched = 0;
            self.wanted = 0;
        }
    }
}

/// What stands at the beginning of what is held.
enum Lead {
    KeepAlive,
    /// Line breaks that may become a keep-alive.
    Open,
    Message,
}

/// How many bytes of line breaks to pass over, and what comes then. Single breaks are tails of messages; each is judged by
/// what follows it alone, so that the pieces in which a stream arrives make no difference.
fn lead(held: &[u8]) -> (usize, Lead) {
    let mut at = 0_usize;
    loop {
        match held.get(at..).unwrap_or_default() {
            [b'\r', b'\n', b'\r', b'\n', ..] => return (at.saturating_add(4), Lead::KeepAlive),
            [b'\r'] | [b'\r', b'\n'] | [b'\r', b'\n', b'\r'] => return (at, Lead::Open),
            [b'\r' | b'\n', ..] => at = at.saturating_add(1),
            _ => return (at, Lead::Message),
        }
    }
}

/// The length of the message that begins with this head.
fn whole_length(head: &[u8]) -> Result<usize, StreamError> {
    if head.len() > MAX_MESSAGE {
        return Err(too_long(head));
    }
    let no_length =
        |reason| StreamError { why: Unframed::NoLength, verdict: Box::new(refuse_unframed(head, (400, reason))) };
    let lexed = lexer::lex(head);
    let mut lengths = lexed.headers.all("Content-Length");
    let length = match (lengths.next(), lengths.next()) {
        (Some(length), None) => scan::number(length).ok_or_else(|| no_length("Bad Content-Length"))?,
        (None, _) => return Err(no_length("Content-Length missing")),
        (Some(_), Some(_)) => return Err(no_length("Content-Length repeated")),
    };
    let whole = head.len().saturating_add(length as usize);
    if whole > MAX_MESSAGE { Err(too_long(head)) } else { Ok(whole) }
}

fn too_long(head: &[u8]) -> StreamError {
    StreamError { why: Unframed::TooLong, verdict: Box::new(refuse_unframed(head, TOO_LARGE)) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sip::message::Message;

    const HEAD: &str = "OPTIONS sip:x@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/TCP 127.0.0.1;branch=z9hG4bKa\r\nFrom: <sip:a@b>;tag=1\r\n\
                        To: <sip:c@d>\r\nCall-ID: x\r\nCSeq: 1 OPTIONS\r\n";

    fn with_length(length: &str) -> String {
        format!("{HEAD}{length}\r\n")
    }

    fn all(wire: &[u8], size: usize) -> Vec<StreamItem> {
        let mut decoder = StreamDecoder::default();
        let mut items = Vec::new();
        for chunk in wire.chunks(size) {
            decoder.push(chunk);
            while let Some(item) = decoder.pop().unwrap() {
                items.push(item);
            }
        }
        assert!(decoder.is_empty());
        items
    }

    #[test]
    fn a_stream_is_cut_wherever_the_bytes_break() {
        let body = b"hello\r\n\r\n";
        let mut one = with_length("l: 9\r\n").into_bytes();
        one.extend(body);
        let Verdict::Accept(message) = judge(&one, Framing::Stream) else { panic!() };
        assert_eq!(message.body, body);
        let whole = StreamItem::Message(Box::new(Verdict::Accept(message)));
        let wire = [b"\r\n\r\n".as_slice(), &one, &one, b"\r\n\r\n"].concat();
        for size in [1, 7, wire.len()] {
            assert_eq!(all(&wire, size), [StreamItem::KeepAlive, whole.clone(), whole.clone(), StreamItem::KeepAlive]);
        }
        // Odd breaks before a keep-alive, and a tail of a message, read alike in any pieces.
        for size in 1..7 {
            assert_eq!(all(b"\r\r\n\n\r\n\r\n", size), [StreamItem::KeepAlive]);
            assert_eq!(all(&[b"\r\n\r".as_slice(), &one].concat(), size), std::slice::from_ref(&whole));
        }
    }

    #[test]
    fn the_head_ends_where_the_lexer_says() {
        // Bare LFs and all: an end that only one of the two sees would smuggle what stands between.
        let wire = with_length("Content-Length: 19\r\n").replace("\r\n\r\n", "\n\nX: smuggled\r\n\r\nbody");
        for size in [1, 2, wire.len()] {
            let items = all(wire.as_bytes(), size);
            let [StreamItem::Message(verdict)] = items.as_slice() else { panic!("{items:?}") };
            let Verdict::Accept(Message { body, .. }) = verdict.as_ref() else { panic!("{verdict:?}") };
            assert_eq!(body, b"X: smuggled\r\n\r\nbody");
        }
    }

    /// What breaks the stream, and the status that its message gets.
    fn broken(wire: &[u8], size: usize) -> (Unframed, Option<u16>) {
        let mut decoder = StreamDecoder::default();
        for chunk in wire.chunks(size) {
            decoder.push(chunk);
            if let Err(error) = decoder.pop() {
                assert_eq!((decoder.pop(), decoder.len()), (Err(error.clone()), 0));
                let status = match *error.verdict {
                    Verdict::Reject { status, reply: Some(_), .. } => Some(status),
                    _ => None,
                };
                return (error.why, status);
            }
        }
        panic!("nothing is wrong with it");
    }

    #[test]
    fn a_stream_without_a_readable_length_is_refused() {
        for length in ["", "l: -1\r\n", "l: x\r\n", "l: 0, 0\r\n", "l: 0\r\nContent-Length: 0\r\n"] {
            for size in [1, 1_000] {
                let wire = with_length(length);
                assert_eq!(broken(wire.as_bytes(), size), (Unframed::NoLength, Some(400)), "{length}");
                assert_eq!(broken(wire.replace("OPTIONS", "ACK").as_bytes(), size), (Unframed::NoLength, None));
            }
        }
        let response = HEAD.replace("OPTIONS sip:x@127.0.0.1 SIP/2.0", "SIP/2.0 200 OK");
        assert_eq!(broken(format!("{response}\r\n").as_bytes(), 1_000), (Unframed::NoLength, None));
    }

    #[test]
    fn what_is_longer_than_the_limit_is_refused_before_it_is_held() {
        for length in [MAX_MESSAGE, 4_294_967_328, usize::MAX] {
            for size in [1, 1_000] {
                let wire = with_length(&format!("Content-Length: {length}\r\n"));
                assert_eq!(broken(wire.as_bytes(), size), (Unframed::TooLong, Some(513)));
            }
        }
        let endless = format!("{HEAD}{}", "X: y\r\n".repeat(MAX_MESSAGE / 6));
        assert_eq!(broken(endless.as_bytes(), 1_000), (Unframed::TooLong, Some(513)));
        assert_eq!(broken(&vec![b'a'; MAX_MESSAGE + 1], 1_000), (Unframed::TooLong, None));
        let head = with_length("Content-Length: 65000\r\n");
        let largest =
            head.replace("65000", &(MAX_MESSAGE - head.len()).to_string()) + &"x".repeat(MAX_MESSAGE - head.len());
        assert_eq!(largest.len(), MAX_MESSAGE);
        let items = all(largest.as_bytes(), 1_000);
        assert!(matches!(items.as_slice(), [StreamItem::Message(verdict)] if matches!(**verdict, Verdict::Accept(_))));
    }
}
