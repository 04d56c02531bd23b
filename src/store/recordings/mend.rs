//! Recordings that a killed process left open: mended, hashed, told.
//!
//! To be called at a start, before media threads run: what grows then is nobody's leftover.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::time::UNIX_EPOCH;

use super::kept::{Kept, KeptError, kept, read_manifest, write_manifest};
use super::recordings_dir;
use crate::id::CallId;
use crate::journal::{Cue, Event, RecordingState};
use crate::recording::{
    Consent, CueMark, HEADER_LEN, KeyRing, Layout, Manifest, Opened, SEALED_HEAD_LEN, SealError, SealedReader, Sealer,
    pauses_of, repair, sha256,
};
use crate::records::{Folder, OpenRecording, Wall};

/// Octets of sound in a millisecond.
const PER_MS: u64 = 16;

/// What a file turned out to be.
enum Found {
    /// Sound of ours, mended.
    Sound {
        written_ms: u64,
        sha256: String,
    },
    /// Sealed, and no key opens it: left as it is, for the start at which one does.
    Locked {
        written_ms: u64,
    },
    Foreign,
}

/// Mends what the last run left open, and gives the `RecordingClosed` events that the start is to journal.
///
/// A file without a manifest, or with one that cannot be read, gets its end (a WAV file its header, a sealed one its last chunk, both
/// without what was half written) and a manifest of state `partial`. A recording of the journal whose manifest is there is closed as
/// the manifest says; one without a file is `failed`. A file that is none of ours, or that no key opens, is left as it is and told in
/// the log.
///
/// # Errors
/// Where files cannot be read or written.
pub fn mend_recordings(data_dir: &Path, folder: &Folder, keys: Option<&KeyRing>) -> Result<Vec<Event>, KeptError> {
    let dir = recordings_dir(data_dir);
    let known: BTreeMap<&str, (CallId, OpenRecording<'_>)> =
        folder.open_recordings().map(|(call, open)| (open.name, (call, open))).collect();
    let mut mended = BTreeMap::new();
    let mut locked = BTreeMap::new();
    for file in kept(&dir)? {
        if has_manifest(&dir, &file.name, known.contains_key(file.name.as_str()))? {
            continue;
        }
        let path = file.path(&dir);
        // A crash between the file's beginning and its event leaves only the name to tell the call.
        let told = file.name.get(..26).and_then(|id| id.parse().ok());
        let Some(call) = known.get(file.name.as_str()).map(|(call, _)| *call).or(told) else {
            tracing::warn!(file = %path.display(), "a file that no call knows lies among the recordings; left alone");
            continue;
        };
        let open = known.get(file.name.as_str()).map(|(_, open)| *open);
        let written_at = written_at(&path)?;
        let found = match file.ending {
            "wav" => mend_plain(&path)?,
            "wav.sealed" => mend_sealed(&path, &file.name, keys)?,
            // Made from one that has its manifest.
            _ => Found::Foreign,
        };
        match found {
            Found::Foreign => tracing::warn!(file = %path.display(), "no recording of ours; left alone"),
            Found::Locked { written_ms } => {
                locked.insert(file.name, written_ms);
            }
            Found::Sound { written_ms, sha256 } => {
                let manifest = manifest(&file, call, open, written_at, (written_ms, sha256));
                write_manifest(&dir, &manifest)?;
                tracing::warn!(recording = file.name, %call, written_ms, "mended a recording that the last run left open");
                mended.insert(file.name, manifest);
            }
        }
    }
    let mut events = Vec::new();
    for (name, (call, _)) in known {
        if let Some(written_ms) = locked.get(name).copied() {
            let (recording, state) = (name.to_owned(), RecordingState::Partial);
            let closed =
                Event::RecordingClosed { call, recording, state, expected_ms: written_ms, written_ms, sha256: None };
            events.push(closed);
            continue;
        }
        let manifest = match mended.remove(name) {
            Some(manifest) => Some(manifest),
            None => read_manifest(&dir, name)?,
        };
        events.push(closed(call, name, manifest));
    }
    Ok(events)
}

/// Whether a file was closed. A power cut may leave a manifest empty or in part; such a one says nothing. Those of recordings that
/// the journal knows as `open` are read for that; of the many others, of before, none is.
fn has_manifest(dir: &Path, name: &str, open: bool) -> Result<bool, KeptError> {
    if open {
        return Ok(read_manifest(dir, name)?.is_some());
    }
    Ok(dir.join(format!("{name}.json")).metadata().is_ok_and(|about| about.len() > 0))
}

fn closed(call: CallId, name: &str, manifest: Option<Manifest>) -> Event {
    let recording = name.to_owned();
    match manifest {
        Some(Manifest { state, expected_ms, written_ms, sha256, .. }) => {
            Event::RecordingClosed { call, recording, state, expected_ms, written_ms, sha256 }
        }
        None => {
            tracing::error!(recording = name, %call, "the recording has no file; it counts as failed");
            let state = RecordingState::Failed;
            Event::RecordingClosed { call, recording, state, expected_ms: 0, written_ms: 0, sha256: None }
        }
    }
}

/// A WAV file gets the header of its length and loses half a pair.
fn mend_plain(path: &Path) -> Result<Found, KeptError> {
    let (file, len) = open(path)?;
    let mut head = [0; HEADER_LEN];
    if len < HEADER_LEN as u64 {
        // Killed before the header was whole: nothing was recorded.
        return Ok(Found::Foreign);
    }
    file.read_exact_at(&mut head, 0).map_err(KeptError::at("read", path))?;
    let Some(repaired) = repair(&head, len) else { return Ok(Found::Foreign) };
    file.write_all_at(&repaired.header, 0).map_err(KeptError::at("mend", path))?;
    file.set_len(repaired.file_len).map_err(KeptError::at("cut", path))?;
    file.sync_all().map_err(KeptError::at("sync", path))?;
    let sha256 = File::open(path).and_then(sha256).map_err(KeptError::at("hash", path))?;
    Ok(Found::Sound { written_ms: repaired.written_ms, sha256 })
}

/// A sealed file keeps the chunks that are whole, from the first on, and gets a last one behind them.
fn mend_sealed(path: &Path, name: &str, keys: Option<&KeyRing>) -> Result<Found, KeptError> {
    let (file, len) = open(path)?;
    let mut head = [0; SEALED_HEAD_LEN];
    if len < SEALED_HEAD_LEN as u64 {
        return Ok(Found::Foreign);
    }
    file.read_exact_at(&mut head, 0).map_err(KeptError::at("read", path))?;
    let Some(layout) = Layout::of(len, &head) else { return Ok(Found::Foreign) };
    let whole_ms = u64::from(layout.full) * layout.chunk as u64 / PER_MS;
    let opened = match keys.map(|keys| Opened::open(&head, name, keys)) {
        Some(Ok(opened)) => opened,
        Some(Err(SealError::Foreign)) => return Ok(Found::Foreign),
        Some(Err(error)) => {
            tracing::error!(file = %path.display(), %error, "a recording that the last run left open cannot be mended");
            return Ok(Found::Locked { written_ms: whole_ms });
        }
        None => {
            tracing::error!(
                file = %path.display(),
                "a recording that the last run left open is sealed, and there are no keys: set recording.key_file or TRUNKLINE_RECORDING_KEYS"
            );
            return Ok(Found::Locked { written_ms: whole_ms });
        }
    };
    let read = |buf: &mut [u8], at| file.read_exact_at(buf, at);
    let Some(keys) = keys else { return Ok(Found::Foreign) };
    if SealedReader::open(len, name, keys, read).is_err() {
        give_end(&file, &opened, layout).map_err(KeptError::at("mend", path))?;
    }
    let len = file.metadata().map_err(KeptError::at("look at", path))?.len();
    let whole = SealedReader::open(len, name, keys, read).and_then(|reader| Ok((reader.file_len(), sha256(reader)?)));
    let (sound, sha256) = whole.map_err(KeptError::at("read", path))?;
    Ok(Found::Sound { written_ms: sound.saturating_sub(HEADER_LEN as u64) / PER_MS, sha256 })
}

/// Cuts what a power failure may have left behind the last chunk that opens, and seals the end there.
fn give_end(file: &File, opened: &Opened, layout: Layout) -> io::Result<()> {
    let mut chunks = layout.full;
    let mut chunk = vec![0; layout.sealed_chunk()];
    while chunks > 0 {
        file.read_exact_at(&mut chunk, layout.offset(chunks - 1))?;
        if opened.chunk(chunks - 1, false, &mut chunk).is_ok() {
            break;
        }
        chunks -= 1;
    }
    let mut end = Vec::new();
    Sealer::go_on(opened, chunks).finish(&mut end).map_err(io::Error::other)?;
    file.set_len(layout.offset(chunks))?;
    file.write_all_at(&end, layout.offset(chunks))?;
    file.sync_all()
}

fn open(path: &Path) -> Result<(File, u64), KeptError> {
    let file = OpenOptions::new().read(true).write(true).open(path).map_err(KeptError::at("open", path))?;
    let len = file.metadata().map_err(KeptError::at("look at", path))?.len();
    Ok((file, len))
}

/// When the last run wrote to a file; to be asked before it is mended.
fn written_at(path: &Path) -> Result<Wall, KeptError> {
    let about = path.metadata().map_err(KeptError::at("look at", path))?;
    let since = about.modified().ok().and_then(|at| at.duration_since(UNIX_EPOCH).ok());
    Ok(Wall(since.map_or(0, |since| i64::try_from(since.as_millis()).unwrap_or(0))))
}

/// The manifest of a mended file.
fn manifest(
    file: &Kept,
    call: CallId,
    open: Option<OpenRecording<'_>>,
    written_at: Wall,
    (written_ms, sha256): (u64, String),
) -> Manifest {
    let since = open.map(|open| open.since);
    let place = |(at, cue): &(Wall, Cue)| {
        let at_ms = since.map_or(0, |since| at.since(since)).min(written_ms);
        CueMark { at_ms, cue: cue.clone() }
    };
    let cues: Vec<_> = open.map(|open| open.cues).unwrap_or_default().iter().map(place).collect();
    Manifest {
        recording: file.name.clone(),
        call,
        file: format!("{}.{}", file.name, file.ending),
        started: since.map_or_else(|| written_at.0.saturating_sub_unsigned(written_ms), |since| since.0),
        consent: Some(open.map_or(Consent::Announced, |open| open.consent)),
        expected_ms: since.map_or(0, |since| written_at.since(since)).max(written_ms),
        written_ms,
        sha256: Some(sha256),
        recorded_sha256: None,
        state: RecordingState::Partial,
        pauses: pauses_of(&cues, written_ms),
        cues,
    }
}

#[cfg(test)]
mod tests;
