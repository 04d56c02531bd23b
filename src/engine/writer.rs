//! The thread that writes recordings: a slow disk must not delay a packet.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender};

use crate::media::{Closed, HEADER_LEN, Manifest, MediaReport, RecordingStep, RecordingWork, sha256, wav_header};

/// How long the report of a closed recording may wait for the switch.
const PATIENCE: Duration = Duration::from_secs(1);

/// A file that grows.
struct Growing {
    file: File,
    /// Octets of sound in the file.
    data_len: u64,
    /// Of these, silence that stands for what was lost.
    gaps: u64,
    /// Whether a write failed; the file stays as it was before.
    failed: bool,
}

/// Writes until all media threads are gone.
pub(super) fn run(dir: &Path, work: &Receiver<RecordingWork>, reports: &Sender<MediaReport>) {
    // `None`: the file could not be created.
    let mut files: BTreeMap<Arc<str>, Option<Growing>> = BTreeMap::new();
    for work in work {
        let id = Arc::clone(&work.id);
        let growing = files.entry(Arc::clone(&id)).or_insert_with(|| told(&id, create(dir, &work)));
        match &work.step {
            RecordingStep::Append(octets) => {
                if let Some(open) = growing
                    && !open.failed
                    && let Err(error) = append(open, &work, octets)
                {
                    tracing::error!(%error, recording = %id, "cannot write on; the recording stays partial");
                    open.failed = true;
                    // Best effort: without what was half written, the header is right.
                    let _ = open.file.set_len(HEADER_LEN as u64 + open.data_len);
                }
            }
            RecordingStep::Close(closed) => {
                let open = files.remove(&id).flatten();
                let manifest = close(dir, &work, closed, open);
                // The writer may wait for the switch a little; media threads never do. The manifest is on the disk in any case.
                if reports.send_timeout(MediaReport::RecordingClosed { manifest }, PATIENCE).is_err() {
                    tracing::error!(recording = %id, "nobody heard that the recording is closed");
                }
            }
        }
    }
}

fn told(id: &str, created: io::Result<Growing>) -> Option<Growing> {
    created
        .map_err(
            |error| tracing::error!(%error, recording = %id, "cannot create the recording's file; nothing is kept"),
        )
        .ok()
}

fn path(dir: &Path, id: &str, ending: &str) -> io::Result<PathBuf> {
    let plain = !id.is_empty() && id.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'));
    if !plain {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "a recording's name is of letters, digits, - and _"));
    }
    Ok(dir.join(format!("{id}.{ending}")))
}

fn create(dir: &Path, work: &RecordingWork) -> io::Result<Growing> {
    let mut file = OpenOptions::new().create_new(true).read(true).write(true).open(path(dir, &work.id, "wav")?)?;
    file.write_all(&wav_header(work.law, 0))?;
    Ok(Growing { file, data_len: 0, gaps: 0, failed: false })
}

/// The header follows each chunk, so that it is never further behind than a chunk lasts.
fn append(open: &mut Growing, work: &RecordingWork, octets: &[u8]) -> io::Result<()> {
    io::copy(&mut io::Read::take(io::repeat(work.law.silence()), work.missing), &mut open.file)?;
    open.file.write_all(octets)?;
    open.gaps += work.missing;
    open.data_len += work.missing + octets.len() as u64;
    open.file.write_all_at(&wav_header(work.law, open.data_len), 0)
}

fn close(dir: &Path, work: &RecordingWork, closed: &Closed, open: Option<Growing>) -> Manifest {
    let written = open.as_ref().map_or(0, |open| open.data_len - open.gaps);
    let hash = open.and_then(|_| sha256(File::open(path(dir, &work.id, "wav").ok()?).ok()?).ok());
    let manifest = Manifest::of(closed, work.id.to_string(), work.call, written, hash);
    let kept = path(dir, &work.id, "json")
        .and_then(|path| fs::write(path, serde_json::to_vec_pretty(&manifest).map_err(io::Error::other)?));
    if let Err(error) = kept {
        tracing::error!(%error, recording = %work.id, "cannot write the recording's manifest");
    }
    manifest
}
