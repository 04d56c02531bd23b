//! Recordings that a killed process left open: mended, hashed, told.
//!
//! To be called at a start, before media threads run: what grows then is nobody's leftover.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use crate::id::CallId;
use crate::journal::{Event, RecordingState};
use crate::recording::{Consent, HEADER_LEN, Manifest, repair, sha256};
use crate::records::{Folder, Wall};

/// Why recordings could not be mended.
#[derive(Debug, thiserror::Error)]
#[error("recordings: cannot {act} {}: {source}; check space and permissions of the data folder", path.display())]
pub struct MendError {
    act: &'static str,
    path: PathBuf,
    source: io::Error,
}

impl MendError {
    fn at(act: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self + use<> {
        let path = path.to_owned();
        move |source| Self { act, path, source }
    }
}

/// The folder of the recordings in the data folder `data_dir`.
pub fn recordings_dir(data_dir: &Path) -> PathBuf {
    data_dir.join("recordings")
}

/// Mends what the last run left open, and gives the `RecordingClosed` events that the start is to journal.
///
/// A WAV file without a manifest gets its header, loses half a pair, and gets a manifest of state `partial`. A recording of
/// the journal whose manifest is there is closed as the manifest says; one without a file is `failed`. A file that is none
/// of ours is left as it is and told in the log.
pub fn mend_recordings(data_dir: &Path, folder: &Folder) -> Result<Vec<Event>, MendError> {
    let dir = recordings_dir(data_dir);
    let known: BTreeMap<&str, (CallId, Wall)> =
        folder.open_recordings().map(|(call, name, since)| (name, (call, since))).collect();
    let mut mended = BTreeMap::new();
    for name in left_open(&dir)? {
        // A crash between the file's beginning and its event leaves only the name to tell the call.
        let told = name.get(..26).and_then(|id| id.parse().ok());
        let Some(call) = known.get(name.as_str()).map(|(call, _)| *call).or(told) else {
            tracing::warn!(file = %dir.join(&name).display(), "a WAV file that no call knows lies among the recordings; left alone");
            continue;
        };
        let since = known.get(name.as_str()).map(|(_, since)| *since);
        if let Some(manifest) = mend(&dir, &name, call, since)? {
            mended.insert(name, manifest);
        }
    }
    let mut events = Vec::new();
    for (name, (call, _)) in known {
        let manifest = match mended.remove(name) {
            Some(manifest) => Some(manifest),
            None => read_manifest(&dir, name)?,
        };
        events.push(closed(call, name, manifest));
    }
    Ok(events)
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

/// The names of the WAV files without a manifest, in order.
fn left_open(dir: &Path) -> Result<Vec<String>, MendError> {
    let entries = match fs::read_dir(dir) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(MendError::at("list", dir)(error)),
    };
    let mut names = Vec::new();
    for entry in entries {
        let path = entry.map_err(MendError::at("list", dir))?.path();
        let is_wav = path.extension().is_some_and(|ending| ending == "wav");
        let Some(name) = path.file_stem().and_then(|stem| stem.to_str()).filter(|_| is_wav && path.is_file()) else {
            continue;
        };
        if !path.with_extension("json").exists() {
            names.push(name.to_owned());
        }
    }
    names.sort_unstable();
    Ok(names)
}

/// Mends one file and writes its manifest; `None` where it is none of ours.
fn mend(dir: &Path, name: &str, call: CallId, since: Option<Wall>) -> Result<Option<Manifest>, MendError> {
    let path = dir.join(format!("{name}.wav"));
    let file = OpenOptions::new().read(true).write(true).open(&path).map_err(MendError::at("open", &path))?;
    let about = file.metadata().map_err(MendError::at("look at", &path))?;
    let mut head = [0; HEADER_LEN];
    let whole = usize::try_from(about.len()).unwrap_or(usize::MAX) >= HEADER_LEN;
    if whole {
        file.read_exact_at(&mut head, 0).map_err(MendError::at("read", &path))?;
    }
    let Some(repaired) = repair(&head, about.len()).filter(|_| whole) else {
        // Killed before the header was whole: nothing was recorded, and a file of ours would begin with RIFF.
        tracing::warn!(file = %path.display(), bytes = about.len(), "no recording of ours; left alone");
        return Ok(None);
    };
    let written_at = about.modified().ok().and_then(|at| at.duration_since(UNIX_EPOCH).ok());
    let written_at = Wall(written_at.map_or(0, |since| i64::try_from(since.as_millis()).unwrap_or(0)));
    file.write_all_at(&repaired.header, 0).map_err(MendError::at("mend", &path))?;
    file.set_len(repaired.file_len).map_err(MendError::at("cut", &path))?;
    file.sync_all().map_err(MendError::at("sync", &path))?;
    let written_ms = repaired.written_ms;
    let manifest = Manifest {
        recording: name.to_owned(),
        call,
        started: since.map_or_else(|| written_at.0.saturating_sub_unsigned(written_ms), |since| since.0),
        consent: Some(Consent::Announced),
        expected_ms: since.map_or(0, |since| written_at.since(since)).max(written_ms),
        written_ms,
        sha256: Some(File::open(&path).and_then(sha256).map_err(MendError::at("hash", &path))?),
        state: RecordingState::Partial,
        pauses: Vec::new(),
    };
    write_manifest(dir, name, &manifest)?;
    tracing::warn!(recording = name, %call, written_ms, "mended a recording that the last run left open");
    Ok(Some(manifest))
}

/// Written beside and renamed: half a manifest would make the file count as closed.
fn write_manifest(dir: &Path, name: &str, manifest: &Manifest) -> Result<(), MendError> {
    let path = dir.join(format!("{name}.json"));
    let beside = dir.join(format!("{name}.json.new"));
    let fail = |act| MendError::at(act, &path);
    let text = serde_json::to_vec_pretty(manifest).map_err(io::Error::other).map_err(fail("encode"))?;
    let mut file = File::create(&beside).map_err(fail("create"))?;
    file.write_all(&text).and_then(|()| file.sync_all()).map_err(fail("write"))?;
    fs::rename(&beside, &path).map_err(fail("rename"))
}

fn read_manifest(dir: &Path, name: &str) -> Result<Option<Manifest>, MendError> {
    let path = dir.join(format!("{name}.json"));
    match fs::read(&path) {
        Ok(text) => match serde_json::from_slice(&text) {
            Ok(manifest) => Ok(Some(manifest)),
            Err(error) => {
                tracing::error!(file = %path.display(), %error, "the recording's manifest is damaged");
                Ok(None)
            }
        },
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(MendError::at("read", &path)(error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::g711::Law;
    use crate::id::LegId;
    use crate::journal::{Direction, Entry, Personal};
    use crate::recording::wav_header;

    /// Calls 1… with a recording each, of the given names.
    fn floor(names: &[&str]) -> Folder {
        let mut folder = Folder::default();
        let mut seq = 0;
        for (number, name) in (1..).zip(names) {
            let call = CallId::new(number, number as u128);
            let caller = Personal::number("555");
            let direction = Direction::Inbound;
            let events = [
                Event::CallOffered { call, leg: LegId(1), direction, trunk: None, caller, called: "4001".into() },
                Event::RecordingStarted { call, recording: (*name).into(), consent: "announced".into() },
            ];
            for event in events {
                seq += 1;
                folder.handle_entry(&Entry { seq, wall_ms: 1_000, event });
            }
        }
        folder
    }

    fn told(events: &[Event]) -> Vec<(&str, RecordingState, u64)> {
        let told = events.iter().map(|event| match event {
            Event::RecordingClosed { recording, state, written_ms, .. } => (recording.as_str(), *state, *written_ms),
            other => panic!("{other:?}"),
        });
        told.collect()
    }

    #[test]
    fn files_cut_anywhere_are_mended_once() {
        let data = tempfile::tempdir().unwrap();
        let dir = recordings_dir(data.path());
        fs::create_dir(&dir).unwrap();
        for len in (0..70).chain([58 + 16_000, 58 + 16_001]) {
            let mut bytes = wav_header(Law::Alaw, 0).to_vec();
            bytes.resize(58.max(len), 0x55);
            bytes.truncate(len);
            fs::write(dir.join("r.wav"), &bytes).unwrap();
            let folder = floor(&["r"]);
            let events = mend_recordings(data.path(), &folder).unwrap();
            if len < HEADER_LEN {
                assert_eq!(told(&events), [("r", RecordingState::Failed, 0)], "{len}");
                assert_eq!(fs::read(dir.join("r.wav")).unwrap(), bytes);
                continue;
            }
            let written_ms = (len - 58) as u64 / 16;
            assert_eq!(told(&events), [("r", RecordingState::Partial, written_ms)], "{len}");
            let mended = fs::read(dir.join("r.wav")).unwrap();
            let data_len = (len as u64 - 58) & !1;
            assert_eq!(mended.len() as u64, 58 + data_len);
            assert_eq!(mended[..58], wav_header(Law::Alaw, data_len));
            let manifest = read_manifest(&dir, "r").unwrap().unwrap();
            assert_eq!(manifest.sha256, Some(sha256(File::open(dir.join("r.wav")).unwrap()).unwrap()));
            // The file was written just now, the recording began in 1970.
            assert!(manifest.expected_ms > 1_000_000 && manifest.consent == Some(Consent::Announced));
            // A second start finds the manifest and says the same.
            assert_eq!(mend_recordings(data.path(), &folder).unwrap(), events);
            fs::remove_file(dir.join("r.json")).unwrap();
        }
    }

    #[test]
    fn what_is_missing_failed_and_what_is_foreign_stays() {
        let data = tempfile::tempdir().unwrap();
        assert_eq!(mend_recordings(data.path(), &Folder::default()).unwrap(), []);
        let dir = recordings_dir(data.path());
        fs::create_dir(&dir).unwrap();
        let unheard = CallId::new(9, 9).to_string();
        fs::write(dir.join("music.wav"), wav_header(Law::Alaw, 0)).unwrap();
        fs::write(dir.join("notes.txt"), "x").unwrap();
        fs::write(dir.join(format!("{unheard}.wav")), [&wav_header(Law::Ulaw, 0)[..], &[0xff; 320]].concat()).unwrap();
        let events = mend_recordings(data.path(), &floor(&["gone"])).unwrap();
        assert_eq!(told(&events), [("gone", RecordingState::Failed, 0)]);
        assert_eq!(fs::read(dir.join("music.wav")).unwrap(), wav_header(Law::Alaw, 0));
        assert!(!dir.join("music.json").exists());
        let manifest = read_manifest(&dir, &unheard).unwrap().unwrap();
        assert_eq!((manifest.written_ms, manifest.expected_ms), (20, 20));
    }
}
