//! One recording's file while it grows. What the disk refuses waits until it takes it; what comes meanwhile becomes silence of the
//! same length, so that the time line stays true.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::PathBuf;
use std::sync::Arc;

use super::disk::{Disk, Hand};
use crate::media::{
    Closed, Drawn, Form, HEADER_LEN, KeyRing, Layout, Manifest, RecordingWork, SEALED_CHUNK, SEALED_HEAD_LEN,
    SealedReader, Sealer, sha256, wav_header,
};

/// Nobody but the daemon's own user reads recordings, whatever its umask.
const PRIVATE: u32 = 0o600;
/// Silence that is made at once, octets.
const PIECE: usize = 65_536;

/// Where recordings go.
#[derive(Clone)]
pub(super) struct Home {
    pub dir: PathBuf,
    /// The keys under which they are sealed; plain where none.
    pub keys: Option<Arc<KeyRing>>,
    pub disk: Arc<Disk>,
    /// Whose view of the disk this is.
    pub hand: Hand,
}

impl Home {
    /// Looks at the disk, of which `min_free` bytes are to be left.
    pub(super) fn look(&self, min_free: u64) {
        self.disk.look(self.hand, &self.dir, min_free);
    }

    /// Does something that may stall.
    fn watch<T>(&self, act: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
        self.disk.watch(self.hand, act)
    }

    /// The file of a recording with this ending.
    fn path(&self, id: &str, ending: &str) -> io::Result<PathBuf> {
        let plain = !id.is_empty() && id.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'));
        if !plain {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                "a recording's name is of letters, digits, - and _",
            ));
        }
        Ok(self.dir.join(format!("{id}.{ending}")))
    }

    fn ending(&self) -> &'static str {
        if self.keys.is_some() { "wav.sealed" } else { "wav" }
    }
}

/// A file that grows.
#[derive(Default)]
pub(super) struct Growing {
    /// None until the disk has taken it.
    file: Option<File>,
    sealer: Option<Sealer>,
    /// Octets that are in the file for good, its head among them.
    len: u64,
    /// What comes behind them: made and not taken.
    unwritten: Vec<u8>,
    /// Octets of sound that were made, in the file or not.
    data_len: u64,
    /// Of these, silence that stands for what was lost.
    gaps: u64,
    /// Octets of sound that were lost since then.
    owed: u64,
}

impl Growing {
    /// Takes sound, behind what was lost before it came here.
    pub(super) fn append(&mut self, home: &Home, work: &RecordingWork, sound: &[u8]) {
        self.lose(home, work.missing);
        if !home.disk.is_fine() {
            return self.lose(home, sound.len() as u64);
        }
        if let Err(error) = self.write(home, work, sound) {
            home.disk.fail(&error);
            tracing::error!(
                %error, recording = %work.id, call = %work.call,
                "a recording cannot be written on; silence will stand for what is said until it can"
            );
        }
    }

    fn lose(&mut self, home: &Home, octets: u64) {
        self.owed += octets;
        home.disk.lose(octets);
    }

    /// First what waits, then silence for what was lost, then the sound.
    fn write(&mut self, home: &Home, work: &RecordingWork, sound: &[u8]) -> io::Result<()> {
        let told = self.create(home, work).and_then(|()| self.flush(home, work)).and_then(|()| self.fill(home, work));
        if let Err(error) = told {
            self.lose(home, sound.len() as u64);
            return Err(error);
        }
        self.make(sound)?;
        self.flush(home, work)
    }

    fn create(&mut self, home: &Home, work: &RecordingWork) -> io::Result<()> {
        if self.file.is_some() {
            return Ok(());
        }
        let path = home.path(&work.id, home.ending())?;
        let new = || OpenOptions::new().create_new(true).read(true).write(true).mode(PRIVATE).open(&path);
        let file = home.watch(new)?;
        match home.keys.as_deref() {
            Some(keys) => {
                let (sealer, head) =
                    Sealer::begin(Form::Sound(work.law), &work.id, keys, &drawn()?).map_err(io::Error::other)?;
                self.sealer = Some(sealer);
                self.unwritten.extend_from_slice(&head);
            }
            None => self.unwritten.extend_from_slice(&wav_header(work.law, 0)),
        }
        self.file = Some(file);
        Ok(())
    }

    /// Puts silence where sound was lost.
    fn fill(&mut self, home: &Home, work: &RecordingWork) -> io::Result<()> {
        while self.owed > 0 {
            let len = self.owed.min(PIECE as u64);
            self.make(&vec![work.law.silence(); len as usize])?;
            self.owed -= len;
            self.gaps += len;
            self.flush(home, work)?;
        }
        Ok(())
    }

    fn make(&mut self, sound: &[u8]) -> io::Result<()> {
        self.data_len += sound.len() as u64;
        match &mut self.sealer {
            Some(sealer) => sealer.push(sound, &mut self.unwritten).map_err(io::Error::other),
            None => {
                self.unwritten.extend_from_slice(sound);
                Ok(())
            }
        }
    }

    /// The head of a plain file follows each write, so that it is never further behind than a chunk lasts.
    fn flush(&mut self, home: &Home, work: &RecordingWork) -> io::Result<()> {
        let Some(file) = self.file.as_ref().filter(|_| !self.unwritten.is_empty()) else { return Ok(()) };
        let written = home.watch(|| file.write_all_at(&self.unwritten, self.len));
        if let Err(error) = written {
            // Best effort: without what was half written, the file ends as it did.
            let _ = file.set_len(self.len);
            return Err(error);
        }
        self.len += self.unwritten.len() as u64;
        self.unwritten.clear();
        if self.sealer.is_none() {
            let head = wav_header(work.law, self.len.saturating_sub(HEADER_LEN as u64));
            home.watch(|| file.write_all_at(&head, 0))?;
        }
        Ok(())
    }

    /// Octets of sound in the file.
    fn in_file(&self, finished: bool) -> u64 {
        let chunks = self.len.saturating_sub(SEALED_HEAD_LEN as u64) / SEALED_CHUNK as u64;
        match &self.sealer {
            _ if self.file.is_none() => 0,
            None => self.len.saturating_sub(HEADER_LEN as u64),
            Some(_) if finished => self.data_len,
            Some(_) => chunks * Layout::SOUND as u64,
        }
    }

    /// Ends the file and writes its manifest, which says what is in it. A file that the disk does not let end gets none: the next
    /// start mends it as it mends what a kill has left.
    pub(super) fn close(mut self, home: &Home, work: &RecordingWork, closed: &Closed) -> Manifest {
        self.lose(home, work.missing);
        let finished = self.finish(home, work);
        let hash = finished.as_ref().ok().and_then(|()| self.hash(home, work).ok().flatten());
        let written = self.in_file(finished.is_ok()).saturating_sub(self.gaps);
        let file = format!("{}.{}", work.id, home.ending());
        let manifest = Manifest::of(closed, work.id.to_string(), work.call, file, written, hash);
        let kept = finished.and_then(|()| self.keep(home, work, &manifest));
        if let Err(error) = kept {
            home.disk.fail(&error);
            tracing::error!(
                %error, recording = %work.id, call = %work.call,
                "a recording cannot be closed; the next start mends what is there"
            );
        }
        manifest
    }

    fn finish(&mut self, home: &Home, work: &RecordingWork) -> io::Result<()> {
        self.create(home, work)?;
        self.flush(home, work)?;
        self.fill(home, work)?;
        if let Some(sealer) = &mut self.sealer {
            sealer.finish(&mut self.unwritten).map_err(io::Error::other)?;
        }
        self.flush(home, work)
    }

    /// The hash of the file as a player gets it.
    fn hash(&mut self, home: &Home, work: &RecordingWork) -> io::Result<Option<String>> {
        let Some(file) = &mut self.file else { return Ok(None) };
        let hash = match home.keys.as_deref() {
            Some(keys) => {
                let read = |buf: &mut [u8], at| home.watch(|| file.read_exact_at(buf, at));
                sha256(SealedReader::open(self.len, &work.id, keys, read)?)?
            }
            None => {
                file.seek(SeekFrom::Start(0))?;
                sha256(Watched(home, file))?
            }
        };
        Ok(Some(hash))
    }

    /// Written beside and renamed: half a manifest would make the file count as closed. The sound is on the disk for good before the
    /// manifest says so, and the manifest before it has its name, so that a power cut leaves either a whole recording or an open one.
    fn keep(&self, home: &Home, work: &RecordingWork, manifest: &Manifest) -> io::Result<()> {
        let Some(sound) = &self.file else { return Ok(()) };
        let (path, beside) = (home.path(&work.id, "json")?, home.path(&work.id, "json.new")?);
        let text = serde_json::to_vec_pretty(manifest).map_err(io::Error::other)?;
        home.watch(|| sound.sync_all())?;
        home.watch(|| {
            let mut file = OpenOptions::new().create(true).truncate(true).write(true).mode(PRIVATE).open(&beside)?;
            file.write_all(&text)?;
            file.sync_all()
        })?;
        home.watch(|| {
            fs::rename(&beside, &path)?;
            File::open(&home.dir)?.sync_all()
        })
    }
}

/// A file whose every read is watched.
struct Watched<'a, R>(&'a Home, R);

impl<R: Read> Read for Watched<'_, R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let Self(home, file) = self;
        home.watch(|| file.read(buf))
    }
}

fn drawn() -> io::Result<Drawn> {
    let mut random = [0; 51];
    match rustix::rand::getrandom(&mut random, rustix::rand::GetRandomFlags::empty())? {
        51 => Ok(Drawn::from(&random)),
        _ => Err(io::ErrorKind::UnexpectedEof.into()),
    }
}
