//! The thread that writes recordings: a slow disk must not delay a packet.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError, bounded};

use super::closer::{Closer, ENDINGS, Ending, Endings};
use super::disk::Hand;
use super::growing::{Growing, Home};
use super::handle::Reports;
use super::tap::Desk;
use crate::media::{RecordingStep, RecordingWork};

/// Chunks of 400 ms under way to the writer. A thousand recorded calls make 2,500 a second, so that a disk may stand still for six
/// seconds, and be told as stalled before anything is lost; at 6,400 octets each they take 105 MB when that is full. Further ones
/// become gaps in their recordings, as the manifests say, and the alarm is on until the writer has caught up.
const CHUNKS: usize = 16_384;
/// How long sound may wait to be looked at.
const PAUSE: Duration = Duration::from_millis(100);
/// How often the space that is left is looked at, and a disk that refuses tried again.
const LOOK: Duration = Duration::from_secs(1);

/// Where and how recordings are written.
pub(super) struct Writer {
    pub home: Home,
    /// Bytes that are to be left free.
    pub min_free: u64,
}

/// Starts the two threads that record. They end once the desk is gone with all its copies, and all that came to it is closed.
pub(super) fn start(home: &Home, min_free: u64, reports: Reports) -> io::Result<(Desk, [JoinHandle<()>; 2])> {
    let (work, chunks) = bounded(CHUNKS);
    let (bell, rings) = bounded(1);
    let (endings, ended) = Endings::new(ENDINGS);
    let closer = Closer { home: Home { hand: Hand::Closer, ..home.clone() }, reports };
    let closing = std::thread::Builder::new().name("recordings-end".to_owned()).spawn(move || closer.run(&ended))?;
    let writer = Writer { home: home.clone(), min_free };
    let writing = std::thread::Builder::new()
        .name("recordings".to_owned())
        .spawn(move || writer.run(&chunks, &rings, endings))?;
    Ok((Desk { work, bell, disk: Arc::clone(&home.disk) }, [writing, closing]))
}

impl Writer {
    /// Writes until all media threads are gone. Sound is taken at a look every tenth of a second, or when the bell rings. Recordings
    /// that end are handed on with all their sound: nothing that takes long is done here, and nobody waited for but the disk.
    pub(super) fn run(&self, work: &Receiver<RecordingWork>, bell: &Receiver<()>, mut endings: Endings) {
        let mut files: BTreeMap<Arc<str>, Growing> = BTreeMap::new();
        let mut looked: Option<Instant> = None;
        loop {
            if looked.is_none_or(|at| at.elapsed() >= LOOK) {
                self.home.look(self.min_free);
                looked = Some(Instant::now());
            }
            let ended = bell.recv_timeout(PAUSE) == Err(RecvTimeoutError::Disconnected);
            for work in work.try_iter() {
                match &work.step {
                    RecordingStep::Append(sound) => {
                        files.entry(Arc::clone(&work.id)).or_default().append(&self.home, &work, sound);
                    }
                    RecordingStep::Close(_) => {
                        let growing = files.remove(&work.id).unwrap_or_default();
                        endings.hand_on(Ending { growing, work });
                    }
                }
            }
            self.home.disk.catch_up();
            endings.retry();
            if ended {
                return endings.finish();
            }
        }
    }
}
