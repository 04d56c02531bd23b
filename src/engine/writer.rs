//! The thread that writes recordings: a slow disk must not delay a packet.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError};

use super::disk::Disk;
use super::growing::{Growing, Home};
use super::handle::Reports;
use crate::media::{KeyRing, MediaReport, RecordingStep, RecordingWork};

/// How long the report of a closed recording may wait for the switch.
const PATIENCE: Duration = Duration::from_secs(1);
/// How long sound may wait to be looked at.
const PAUSE: Duration = Duration::from_millis(100);
/// How often the space that is left is looked at, and a disk that refuses tried again.
const LOOK: Duration = Duration::from_secs(1);

/// Where and how recordings are written.
pub(super) struct Writer {
    pub dir: PathBuf,
    /// The keys under which they are sealed; plain where none.
    pub keys: Option<Arc<KeyRing>>,
    /// Bytes that are to be left free.
    pub min_free: u64,
    pub disk: Arc<Disk>,
}

impl Writer {
    /// Writes until all media threads are gone. Sound is taken at a look every tenth of a second, or when the bell rings.
    pub(super) fn run(&self, work: &Receiver<RecordingWork>, bell: &Receiver<()>, reports: &Reports) {
        let home = Home { dir: &self.dir, keys: self.keys.as_deref(), disk: &self.disk };
        let mut files: BTreeMap<Arc<str>, Growing> = BTreeMap::new();
        let mut looked: Option<Instant> = None;
        loop {
            if looked.is_none_or(|at| at.elapsed() >= LOOK) {
                self.disk.look(&self.dir, self.min_free);
                looked = Some(Instant::now());
            }
            let ended = bell.recv_timeout(PAUSE) == Err(RecvTimeoutError::Disconnected);
            work.try_iter().for_each(|work| write(&home, &mut files, work, reports));
            if ended {
                return;
            }
        }
    }
}

fn write(home: &Home<'_>, files: &mut BTreeMap<Arc<str>, Growing>, work: RecordingWork, reports: &Reports) {
    match &work.step {
        RecordingStep::Append(sound) => {
            files.entry(Arc::clone(&work.id)).or_default().append(home, &work, sound);
        }
        RecordingStep::Close(closed) => {
            let growing = files.remove(&work.id).unwrap_or_default();
            let manifest = growing.close(home, &work, closed);
            // The writer may wait for the switch a little; media threads never do. The manifest is on the disk in any case.
            if !reports.tell(MediaReport::RecordingClosed { manifest }, PATIENCE) {
                tracing::error!(recording = %work.id, "nobody heard that the recording is closed");
            }
        }
    }
}
