//! Recordings made smaller once they are closed, by a thread of the lowest priority: nothing waits for it, and it never touches what
//! grows.

use std::collections::VecDeque;
use std::fs;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::file::{RecordingFile, UnreadableError};
use super::kept::{KeptError, create, read_manifest, write_manifest};
use super::{recorded_names, recordings_dir};
use crate::journal::{Event, RecordingState};
use crate::recording::{
    CompressError, Drawn, Form, HEADER_LEN, KeyRing, Manifest, OggOpus, SealError, Sealer, law_of, sha256,
};
use crate::store::feed::{Drained, Tap};
use crate::store::worker::{Stop, Worker};

/// Names that may wait. What is beyond is found by the next start, which looks at all of them.
const WAITING: usize = 100_000;
/// Octets that are read at once.
const PIECE: usize = 65_536;
/// Entries read before the stop is looked at.
const TURN: usize = 256;

/// Why a recording stays as it is.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error(transparent)]
    Unreadable(#[from] UnreadableError),
    #[error(transparent)]
    Kept(#[from] KeptError),
    #[error(transparent)]
    Refused(#[from] CompressError),
    #[error(transparent)]
    Sealed(#[from] SealError),
    #[error("it is no WAV file of ours")]
    Foreign,
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// The thread that compresses.
#[derive(Debug)]
pub struct Compressor {
    worker: Worker,
}

impl Compressor {
    /// Makes Ogg Opus of what is closed: of all that lies there at first, then of what `tap` tells. Sealed where there are `keys`.
    ///
    /// # Errors
    /// Where the system gives no thread.
    pub fn start(data_dir: &Path, keys: Option<Arc<KeyRing>>, tap: Tap) -> io::Result<Self> {
        let data_dir = data_dir.to_owned();
        let panicked = "the compressor panicked; recordings since then stay as they were written";
        let worker = Worker::start("compressor", panicked, tap.bell(), move |stop| {
            Compressing { data_dir, keys, tap, stop, waiting: VecDeque::new() }.run();
        })?;
        Ok(Self { worker })
    }

    /// Ends after the recording that is being compressed; the next start goes on.
    pub fn stop(self) {
        drop(self.worker);
    }
}

struct Compressing {
    data_dir: PathBuf,
    keys: Option<Arc<KeyRing>>,
    tap: Tap,
    stop: Stop,
    waiting: VecDeque<String>,
}

impl Compressing {
    fn run(mut self) {
        if let Err(error) = rustix::process::nice(19) {
            tracing::warn!(%error, "recordings are compressed at the priority of everything else");
        }
        match recorded_names(&self.data_dir) {
            Ok(names) => self.waiting = names.into(),
            Err(error) => tracing::error!(%error, "recordings of before this start are not compressed"),
        }
        loop {
            let waiting = &mut self.waiting;
            let told = self.tap.drain(TURN, |entry| {
                if let Event::RecordingClosed { recording, state, .. } = &entry.event
                    && *state != RecordingState::Failed
                    && waiting.len() < WAITING
                {
                    waiting.push_back(recording.clone());
                }
            });
            let drained = told.unwrap_or_else(|error| {
                tracing::error!(%error, "the compressor is behind the journal");
                Drained::Behind
            });
            if let Some(name) = self.waiting.pop_front()
                && let Err(error) = compress(&self.data_dir, &name, self.keys.as_deref())
            {
                tracing::error!(%error, recording = name, "a recording is not compressed; it stays as it was written");
            }
            if self.is_stopped(drained) {
                return;
            }
        }
    }

    /// Waits where there is nothing to do.
    fn is_stopped(&self, drained: Drained) -> bool {
        if self.waiting.is_empty() {
            self.tap.pause(drained);
        }
        self.stop.is_told()
    }
}

/// Compresses one recording. In this order, so that whenever the process dies the manifest names a file that is whole: the new file,
/// synced and renamed; the manifest, replaced by one with its name and hash; the old file, taken away.
fn compress(data_dir: &Path, name: &str, keys: Option<&KeyRing>) -> Result<(), Failure> {
    let dir = recordings_dir(data_dir);
    let Some(manifest) = read_manifest(&dir, name)? else { return Ok(()) };
    let Some(old) = manifest.file_name() else { return Ok(()) };
    if old.contains(".opus") {
        return take_away_older(&dir, name);
    }
    let mut file = RecordingFile::open(data_dir, name, keys)?;
    let ending = if keys.is_some() { "opus.sealed" } else { "opus" };
    let path = dir.join(format!("{name}.{ending}"));
    let beside = dir.join(format!("{name}.{ending}.new"));
    let made = write(&mut file, &beside, name, keys);
    if let Err(error) = made {
        // A full disk is not to stay full of what is of no use.
        let _ = fs::remove_file(&beside);
        return Err(error);
    }
    fs::rename(&beside, &path)?;
    let written = Manifest { file: format!("{name}.{ending}"), ..manifest.clone() };
    let hash = sha256(RecordingFile::of(data_dir, &written, keys)?)?;
    write_manifest(&dir, &written.compressed(hash))?;
    fs::remove_file(dir.join(old))?;
    tracing::info!(recording = name, "compressed");
    Ok(())
}

fn write(file: &mut RecordingFile, to: &Path, name: &str, keys: Option<&KeyRing>) -> Result<(), Failure> {
    let mut head = [0; HEADER_LEN];
    file.read_exact(&mut head)?;
    let mut ogg = OggOpus::begin(law_of(&head).ok_or(Failure::Foreign)?)?;
    let mut out = create(to)?;
    let mut sealer = None;
    if let Some(keys) = keys {
        let (begun, head) = Sealer::begin(Form::Ogg, name, keys, &drawn()?)?;
        out.write_all(&head)?;
        sealer = Some(begun);
    }
    let mut piece = vec![0; PIECE];
    loop {
        let len = file.read(&mut piece)?;
        let sound = piece.get(..len).unwrap_or_default();
        if sound.is_empty() {
            ogg.finish()?;
        } else {
            ogg.push(sound)?;
        }
        let made = ogg.take();
        match &mut sealer {
            None => out.write_all(&made)?,
            Some(sealer) => {
                let mut sealed = Vec::new();
                sealer.push(&made, &mut sealed)?;
                if sound.is_empty() {
                    sealer.finish(&mut sealed)?;
                }
                out.write_all(&sealed)?;
            }
        }
        if sound.is_empty() {
            return Ok(out.sync_all()?);
        }
    }
}

/// A process that died between the last two steps has left the older file.
fn take_away_older(dir: &Path, name: &str) -> Result<(), Failure> {
    for ending in ["wav", "wav.sealed"] {
        match fs::remove_file(dir.join(format!("{name}.{ending}"))) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error.into()),
            _ => {}
        }
    }
    Ok(())
}

fn drawn() -> io::Result<Drawn> {
    let mut random = [0; 51];
    match rustix::rand::getrandom(&mut random, rustix::rand::GetRandomFlags::empty())? {
        51 => Ok(Drawn::from(&random)),
        _ => Err(io::ErrorKind::UnexpectedEof.into()),
    }
}
