//! Recordings, whole or in ranges (RFC 9110 §14), as players ask for them.

use std::io::{self, Read};
use std::ops::Range;
use std::sync::Arc;

use axum::Json;
use axum::body::{Body, Bytes};
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use futures_util::stream::{Stream, try_unfold};

use super::Shared;
use super::problem::Problem;
use crate::records::{CallRecord, Recording};
use crate::store::{Manifest, RecordingFile, UnreadableError};

/// Octets that are read at once.
const PIECE: u64 = 65_536;

/// `GET /api/v1/records/{call_id}/recording`
pub(super) async fn wav(
    State(shared): State<Arc<Shared>>,
    Path(call): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let recording = of_call(&shared, &call).await?;
    let mut file = open(&shared, &recording).await?;
    let len = file.file_len();
    let hash = file.sha256().or(recording.sha256.as_deref());
    let etag = hash.map(|hash| format!("\"{hash}\""));
    let text = |name| headers.get(name).and_then(|value: &axum::http::HeaderValue| value.to_str().ok());
    // A range of another form of the file would make a torn one (RFC 9110 §13.1.5).
    let same = text(header::IF_RANGE).is_none_or(|wanted| etag.as_deref() == Some(wanted));
    let range = match text(header::RANGE).filter(|_| same).map_or(Asked::Whole, |range| read(range, len)) {
        Asked::Whole => None,
        Asked::Part(range) => Some(range),
        Asked::Outside => {
            let problem = Problem::new(StatusCode::RANGE_NOT_SATISFIABLE, format!("the recording has {len} bytes"));
            return Err(problem.with(header::CONTENT_RANGE, format!("bytes */{len}")));
        }
    };
    let part = range.clone().unwrap_or(0..len);
    let broken = |_| Problem::busy("the recording's file cannot be read at the moment; ask again");
    file.seek(part.start).map_err(broken)?;
    let size = part.end - part.start;
    let mut response = Response::builder()
        .status(if range.is_some() { StatusCode::PARTIAL_CONTENT } else { StatusCode::OK })
        .header(header::CONTENT_TYPE, file.media_type())
        .header(header::ACCEPT_RANGES, "bytes")
        .header(header::CONTENT_LENGTH, size)
        .header(header::CACHE_CONTROL, "private, no-store");
    if range.is_some() {
        response = response.header(header::CONTENT_RANGE, format!("bytes {}-{}/{len}", part.start, part.end - 1));
    }
    if let Some(etag) = etag {
        response = response.header(header::ETAG, etag);
    }
    let body = Body::from_stream(pieces(file, size, recording.id));
    Ok(response.body(body).unwrap_or_else(|_| Problem::busy("the answer cannot be made").into_response()))
}

/// The file's next `size` octets. Opening sealed ones takes the processor and reading may wait for the disk, so neither is done where
/// other requests are served. What does not open any more cuts the answer short.
fn pieces(file: RecordingFile, size: u64, name: String) -> impl Stream<Item = io::Result<Bytes>> {
    try_unfold((file, size), move |(mut file, left)| {
        let name = name.clone();
        async move {
            if left == 0 {
                return Ok(None);
            }
            let read = tokio::task::spawn_blocking(move || {
                let mut piece = vec![0; left.min(PIECE) as usize];
                file.read_exact(&mut piece).map(|()| (piece, file))
            });
            let (piece, file) = read.await.map_err(io::Error::other)?.inspect_err(|error| {
                tracing::error!(%error, recording = name, "a recording cannot be read on; the player gets a part of it");
            })?;
            let left = left - piece.len() as u64;
            Ok(Some((Bytes::from(piece), (file, left))))
        }
    })
}

/// `GET /api/v1/records/{call_id}/recording/manifest`
pub(super) async fn manifest(
    State(shared): State<Arc<Shared>>,
    Path(call): Path<String>,
) -> Result<Json<Manifest>, Problem> {
    let recording = of_call(&shared, &call).await?;
    let file = open(&shared, &recording).await?;
    let missing = || Problem::not_found(format!("recording {} has no manifest", recording.id));
    file.manifest.map(Json).ok_or_else(missing)
}

/// The recording that a call has.
async fn of_call(shared: &Shared, call: &str) -> Result<Recording, Problem> {
    let document = super::records::document(shared, call).await?;
    let record: CallRecord =
        serde_json::from_str(&document).map_err(|_| Problem::busy("the record cannot be read; ask again"))?;
    record.recording.ok_or_else(|| Problem::not_found(format!("call {call} was not recorded")))
}

async fn open(shared: &Shared, recording: &Recording) -> Result<RecordingFile, Problem> {
    if recording.state.is_none() {
        return Err(Problem::not_found("the recording is not closed yet; ask again in a second"));
    }
    let (data_dir, name, keys) = (shared.settings.data_dir.clone(), recording.id.clone(), shared.settings.keys.clone());
    let opened = tokio::task::spawn_blocking(move || RecordingFile::open(&data_dir, &name, keys.as_deref())).await;
    let opened = opened.map_err(|_| Problem::busy("the recording cannot be opened at the moment; ask again"))?;
    opened.map_err(|error| match error {
        UnreadableError::Missing(_) => Problem::not_found(error.to_string()),
        _ => {
            tracing::error!(%error, "a recording cannot be played");
            Problem::new(StatusCode::INTERNAL_SERVER_ERROR, error.to_string())
        }
    })
}

/// What a Range header asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Asked {
    Whole,
    Part(Range<u64>),
    Outside,
}

/// Reads a Range header for a file of `len` bytes. What is no single range of bytes may be ignored (RFC 9110 §14.2).
fn read(header: &str, len: u64) -> Asked {
    let Some((first, last)) = header.trim().strip_prefix("bytes=").and_then(|spec| spec.split_once('-')) else {
        return Asked::Whole;
    };
    let (first, last) = (first.trim(), last.trim());
    let number = |text: &str| text.parse::<u64>().ok().filter(|_| text.bytes().all(|byte| byte.is_ascii_digit()));
    let range = match (first.is_empty(), last.is_empty()) {
        (true, false) => number(last).map(|suffix| len.saturating_sub(suffix)..len),
        (false, true) => number(first).map(|first| first..len),
        (false, false) => number(first)
            .zip(number(last))
            .filter(|(first, last)| first <= last)
            .map(|(first, last)| first..last.saturating_add(1).min(len)),
        (true, true) => None,
    };
    match range {
        None => Asked::Whole,
        Some(range) if range.start >= range.end => Asked::Outside,
        Some(range) => Asked::Part(range),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_as_players_send_them() {
        let cases = [
            ("bytes=0-", Asked::Part(0..100)),
            ("bytes=10-19", Asked::Part(10..20)),
            ("bytes=90-500", Asked::Part(90..100)),
            ("bytes=-30", Asked::Part(70..100)),
            ("bytes=-300", Asked::Part(0..100)),
            ("bytes=100-", Asked::Outside),
            ("bytes=-0", Asked::Outside),
            ("bytes=5-3", Asked::Whole),
            ("bytes=0-1,5-6", Asked::Whole),
            ("bytes=+1-2", Asked::Whole),
            ("bytes=-", Asked::Whole),
            ("items=0-1", Asked::Whole),
        ];
        for (header, expected) in cases {
            assert_eq!(read(header, 100), expected, "{header}");
        }
        assert_eq!(read("bytes=0-", 0), Asked::Outside);
        assert_eq!(read("bytes=0-18446744073709551615", 100), Asked::Part(0..100));
    }
}
