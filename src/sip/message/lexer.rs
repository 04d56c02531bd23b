//! Bytes to lines: start line, unfolded headers, body. Goes on after a flaw, so that a refusal can name its request.

use std::borrow::Cow;
use std::ops::Range;

use super::headers::Headers;
use super::scan;
use super::{MAX_HEADER, MAX_HEADERS};

/// A message in pieces, and the first thing that is wrong with its lines.
pub(super) struct Lexed<'a> {
    pub start: Cow<'a, str>,
    pub headers: Headers,
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
    Lexed { start: as_text(start), ..lex_headers(rest) }
}

/// Cuts headers, the empty line and a body into pieces: what follows a start line, or a part of a multipart body.
pub(super) fn lex_headers(bytes: &[u8]) -> Lexed<'_> {
    let (head, body) = cut_head(bytes);
    let (headers, mut flaw) = read_head(&as_text(head));
    if body.is_none() {
        note(&mut flaw, "Headers without end");
    }
    Lexed { start: Cow::Borrowed(""), headers, body: body.unwrap_or_default(), flaw }
}

/// Bytes that are no UTF-8 become replacement characters: only names for people hold such bytes.
fn as_text(bytes: &[u8]) -> Cow<'_, str> {
    std::str::from_utf8(bytes).map_or_else(|_| String::from_utf8_lossy(bytes), Cow::Borrowed)
}

fn note(flaw: &mut Option<&'static str>, found: &'static str) {
    flaw.get_or_insert(found);
}

/// The bytes up to a line break (LF, or CR LF), and those after it.
fn cut_line(bytes: &[u8]) -> (&[u8], &[u8]) {
    let (line, rest) = match memchr::memchr(b'\n', bytes).and_then(|at| bytes.split_at_checked(at)) {
        Some((line, rest)) => (line, rest.get(1..).unwrap_or_default()),
        None => (bytes, [].as_slice()),
    };
    (line.strip_suffix(b"\r").unwrap_or(line), rest)
}

/// The bytes before the first empty line, and those after it; `None` where there is no empty line.
fn cut_head(bytes: &[u8]) -> (&[u8], Option<&[u8]>) {
    let mut rest = bytes;
    while !rest.is_empty() {
        let (line, tail) = cut_line(rest);
        if line.is_empty() {
            let head = bytes.get(..bytes.len().saturating_sub(rest.len())).unwrap_or_default();
            return (head, Some(tail));
        }
        rest = tail;
    }
    (bytes, None)
}

/// Where each header stands, folded lines and all, and where the body begins: by the same lines as [`lex`].
pub(super) fn spans(bytes: &[u8]) -> (Vec<Range<usize>>, usize) {
    let at = |rest: &[u8]| bytes.len().saturating_sub(rest.len());
    let mut headers: Vec<Range<usize>> = Vec::new();
    let (_, mut rest) = cut_line(skip_blank_lines(bytes));
    while !rest.is_empty() {
        let (line, tail) = cut_line(rest);
        let span = at(rest)..at(rest).saturating_add(line.len());
        match (line.first(), headers.last_mut()) {
            (None, _) => return (headers, at(tail)),
            (Some(b' ' | b'\t'), Some(open)) => open.end = span.end,
            _ => headers.push(span),
        }
        rest = tail;
    }
    (headers, bytes.len())
}

fn read_head(head: &str) -> (Headers, Option<&'static str>) {
    let (mut headers, mut flaw) = (Headers::of_head(head), None);
    let mut rest = head;
    while !rest.is_empty() {
        let begin = head.len().saturating_sub(rest.len());
        let (line, tail) = cut_text_line(rest);
        rest = tail;
        let folded = is_continued(rest).then(|| unfold(line, &mut rest));
        let line = folded.as_deref().unwrap_or(line);
        match read_header(line) {
            Ok(_) if headers.len() >= MAX_HEADERS => note(&mut flaw, "Too many headers"),
            Ok((name, value)) if folded.is_some() || memchr::memchr(b'\r', value.as_bytes()).is_some() => {
                headers.push(name.into(), value.replace('\r', " "));
            }
            Ok((name, value)) => {
                // The value is the end of its line, but for spaces after it.
                let behind = line.len().saturating_sub(line.trim_ascii_end().len());
                let end = begin.saturating_add(line.len()).saturating_sub(behind);
                headers.push_range(name.into(), end.saturating_sub(value.len()), end);
            }
            Err(wrong) => note(&mut flaw, wrong),
        }
    }
    (headers, flaw)
}

fn cut_text_line(text: &str) -> (&str, &str) {
    let (line, rest) = scan::cut(text, b'\n').unwrap_or((text, ""));
    (line.strip_suffix('\r').unwrap_or(line), rest)
}

fn is_continued(rest: &str) -> bool {
    rest.starts_with([' ', '\t'])
}

/// A line and those that continue it, in one.
fn unfold(line: &str, rest: &mut &str) -> String {
    let mut whole = line.to_owned();
    while is_continued(rest) {
        let (more, tail) = cut_text_line(rest);
        whole.push(' ');
        whole.push_str(more.trim_ascii());
        *rest = tail;
    }
    whole
}

fn read_header(line: &str) -> Result<(&str, &str), &'static str> {
    if line.len() > MAX_HEADER {
        return Err("Header too long");
    }
    let (name, value) = scan::cut(line, b':').ok_or("Header without colon")?;
    let name = name.trim_ascii_end();
    if !scan::is_token(name) {
        return Err("Bad header name");
    }
    Ok((name, value.trim_ascii()))
}
