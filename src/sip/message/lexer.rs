//! Bytes to lines: start line, unfolded headers, body. Goes on after a flaw, so that a refusal can name its request.

use super::scan;
use super::{HeaderName, MAX_HEADER, MAX_HEADERS};

/// A message in pieces, and the first thing that is wrong with its lines.
pub(super) struct Lexed<'a> {
    pub start: String,
    pub headers: Vec<(HeaderName, String)>,
    pub body: &'a [u8],
    pub flaw: Option<&'static str>,
}

/// What follows the line breaks that the bytes begin with.
pub(super) fn skip_blank_lines(mut bytes: &[u8]) -> &[u8] {
    while let Some((b'\r' | b'\n', rest)) = bytes.split_first() {
        bytes = rest;
    }
    bytes
}

/// Cuts a message into its pieces.
pub(super) fn lex(bytes: &[u8]) -> Lexed<'_> {
    let (start, rest) = cut_line(skip_blank_lines(bytes));
    Lexed { start: String::from_utf8_lossy(start).into_owned(), ..lex_headers(rest) }
}

/// Cuts headers, the empty line and a body into pieces: what follows a start line, or a part of a multipart body.
pub(super) fn lex_headers(mut rest: &[u8]) -> Lexed<'_> {
    let mut lexed = Lexed { start: String::new(), headers: Vec::new(), body: &[], flaw: None };
    let mut lines: Vec<Vec<u8>> = Vec::new();
    let mut ended = false;
    while !rest.is_empty() {
        let (line, tail) = cut_line(rest);
        rest = tail;
        match line.first() {
            None => {
                ended = true;
                break;
            }
            Some(b' ' | b'\t') if !lines.is_empty() => {
                if let Some(open) = lines.last_mut() {
                    open.push(b' ');
                    open.extend_from_slice(line.trim_ascii());
                }
            }
            // One more than is allowed is kept, for the flaw to be seen.
            _ if lines.len() <= MAX_HEADERS => lines.push(line.to_vec()),
            _ => {}
        }
    }
    lexed.body = rest;
    for line in lines {
        match read_header(&line) {
            Ok(header) if lexed.headers.len() < MAX_HEADERS => lexed.headers.push(header),
            Ok(_) => note(&mut lexed.flaw, "Too many headers"),
            Err(flaw) => note(&mut lexed.flaw, flaw),
        }
    }
    if !ended {
        note(&mut lexed.flaw, "Headers without end");
    }
    lexed
}

fn note(flaw: &mut Option<&'static str>, found: &'static str) {
    flaw.get_or_insert(found);
}

/// The bytes up to a line break (LF, or CR LF), and those after it.
fn cut_line(bytes: &[u8]) -> (&[u8], &[u8]) {
    let mut parts = bytes.splitn(2, |b| *b == b'\n');
    let line = parts.next().unwrap_or_default();
    (line.strip_suffix(b"\r").unwrap_or(line), parts.next().unwrap_or_default())
}

fn read_header(line: &[u8]) -> Result<(HeaderName, String), &'static str> {
    if line.len() > MAX_HEADER {
        return Err("Header too long");
    }
    // Bytes that are no UTF-8 become replacement characters: only names for people hold such bytes.
    let text = String::from_utf8_lossy(line);
    let (name, value) = text.split_once(':').ok_or("Header without colon")?;
    let name = name.trim_end();
    if !scan::is_token(name) {
        return Err("Bad header name");
    }
    Ok((name.into(), value.trim().replace('\r', " ")))
}
