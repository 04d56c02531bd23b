//! The growing file of `queue_log`, for what reads Asterisk's: one writer, which follows the journal.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::feed::{Drained, Tap};
use super::worker::{Stop, Worker};
use crate::records::QueueLog;

/// Entries read before the stop is looked at.
const TURN: usize = 256;
/// The shortest time from one writing to the next: what is known of calls is remembered each time, too.
const PACE: Duration = Duration::from_millis(200);
/// The pause after a failure.
const PAUSE: Duration = Duration::from_secs(1);

/// The thread that writes the file.
#[derive(Debug)]
pub struct QueueLogWriter {
    worker: Worker,
}

impl QueueLogWriter {
    /// Appends to `path` what the journal has that the file has not yet: all of it where this data folder never wrote one.
    ///
    /// The place in the journal is kept in the data folder together with the file's length, so that lines of a run that was killed
    /// between the two are taken back and written once. A file that was moved away is left alone and a new one begun.
    ///
    /// # Errors
    /// The file or the place cannot be opened, or the system gives no thread.
    pub fn start(data_dir: &Path, path: &Path, mut tap: Tap) -> io::Result<Self> {
        let kept = data_dir.join("queue_log.place");
        let place = match fs::read(&kept) {
            Ok(text) => serde_json::from_slice(&text)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => Place::default(),
            Err(error) => return Err(error),
        };
        let file = open(path)?;
        let found = file.metadata()?;
        if found.ino() == place.inode && found.len() > place.length {
            file.set_len(place.length)?;
        }
        tap.rewind(place.seq);
        let path = path.to_owned();
        let panicked = "the writer of queue_log panicked; the next start writes what is left";
        let worker = Worker::start("queue_log", panicked, tap.bell(), move |stop| {
            Writer { path, kept, file, place, tap, stop }.run();
        })?;
        Ok(Self { worker })
    }

    /// Ends once everything is written that the journal's end had when the node closed.
    pub fn stop(self) {
        drop(self.worker);
    }
}

fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new().create(true).append(true).open(path)
}

/// How far the file has come.
#[derive(Clone, Default, Serialize, Deserialize)]
struct Place {
    /// The last entry whose lines are in the file.
    seq: u64,
    /// Which file.
    inode: u64,
    /// Its length with these lines, bytes.
    length: u64,
    /// What was known after that entry.
    fold: QueueLog,
}

struct Writer {
    path: PathBuf,
    /// The file of [`Place`].
    kept: PathBuf,
    file: File,
    place: Place,
    tap: Tap,
    stop: Stop,
}

impl Writer {
    fn run(mut self) {
        loop {
            let before = self.place.clone();
            let drained = self.turn(&before).unwrap_or_else(|error| {
                let file = self.path.display();
                tracing::error!(%file, %error, "queue_log cannot be written; it is tried again, the journal keeps its lines");
                self.take_back(before);
                None
            });
            if self.is_stopped(drained) {
                return;
            }
        }
    }

    /// Writes the lines of some entries, and remembers that.
    fn turn(&mut self, before: &Place) -> io::Result<Option<Drained>> {
        let (fold, mut lines) = (&mut self.place.fold, String::new());
        let drained = self.tap.drain(TURN, |entry| {
            for line in fold.handle_entry(entry) {
                lines.push_str(&format!("{line}\n"));
            }
        });
        let drained = drained.map_err(io::Error::other)?;
        if self.tap.progress().written() < self.tap.seq() {
            // What the journal does not hold yet may be lost with the process, and must not be in the file then.
            self.tap.rewind(before.seq);
            self.place = before.clone();
            return Ok(Some(Drained::Behind));
        }
        self.place.seq = self.tap.seq();
        if !lines.is_empty() {
            self.follow_rotation()?;
            self.file.write_all(lines.as_bytes())?;
            let now = self.file.metadata()?;
            (self.place.inode, self.place.length) = (now.ino(), now.len());
            let new = self.kept.with_extension("new");
            fs::write(&new, serde_json::to_vec(&self.place)?)?;
            fs::rename(new, &self.kept)?;
        }
        Ok(Some(drained))
    }

    /// Begins a new file where somebody has moved the old one away.
    fn follow_rotation(&mut self) -> io::Result<()> {
        let there = fs::metadata(&self.path).map(|found| found.ino()).ok();
        if there != Some(self.file.metadata()?.ino()) {
            self.file = open(&self.path)?;
        }
        Ok(())
    }

    /// Is where it was before a turn that failed.
    fn take_back(&mut self, before: Place) {
        let same = self.file.metadata().is_ok_and(|now| now.ino() == before.inode && now.len() > before.length);
        if same && let Err(error) = self.file.set_len(before.length) {
            tracing::error!(%error, "lines of queue_log may be there twice");
        }
        self.tap.rewind(before.seq);
        self.place = before;
    }

    /// Waits where there is nothing to do; after a failure (`None`) a while.
    fn is_stopped(&self, drained: Option<Drained>) -> bool {
        match drained {
            Some(Drained::More) => return false,
            Some(Drained::Dry) if self.tap.rest(PACE) => {}
            Some(drained) => self.tap.pause(drained),
            None => drop(self.tap.rest(PAUSE)),
        }
        self.stop.is_told()
    }
}
