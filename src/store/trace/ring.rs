//! The writing side.

use std::collections::VecDeque;
use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use super::Frame;
use super::reader::files;

/// Files that the ring is made of at most: one is filled while the oldest goes.
const FILES: u64 = 8;

/// A ring of bounded size, for one writer.
pub struct TraceRing {
    dir: PathBuf,
    limit: u64,
    /// The numbers and sizes of whole files, oldest first.
    whole: VecDeque<(u64, u64)>,
    number: u64,
    size: u64,
    file: BufWriter<File>,
}

impl TraceRing {
    /// Opens the ring in `dir`, which is made; all files together stay below `limit` bytes.
    ///
    /// # Errors
    /// Where the folder cannot be made or written.
    pub fn open(dir: &Path, limit: u64) -> io::Result<Self> {
        fs::create_dir_all(dir)?;
        let mut whole = VecDeque::new();
        for (number, path) in files(dir)? {
            whole.push_back((number, fs::metadata(path)?.len()));
        }
        let number = whole.back().map_or(1, |(number, _)| number + 1);
        let file = create(dir, number)?;
        let mut ring = Self { dir: dir.to_owned(), limit, whole, number, size: 0, file };
        ring.make_room()?;
        Ok(ring)
    }

    /// Appends a frame; it may stay in memory until [`Self::flush`].
    ///
    /// # Errors
    /// Where the disk takes no more.
    pub fn append(&mut self, frame: &Frame) -> io::Result<()> {
        let mut bytes = serde_json::to_vec(frame)?;
        bytes.push(b'\n');
        bytes.extend(&frame.bytes);
        let length = u32::try_from(bytes.len()).map_err(io::Error::other)?;
        if self.size + bytes.len() as u64 + 4 > self.limit / FILES && self.size > 0 {
            self.turn_over()?;
        }
        self.file.write_all(&length.to_le_bytes())?;
        self.file.write_all(&bytes)?;
        self.size += bytes.len() as u64 + 4;
        Ok(())
    }

    /// Hands everything to the system, so that readers see it.
    ///
    /// # Errors
    /// Where the disk takes no more.
    pub fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }

    fn turn_over(&mut self) -> io::Result<()> {
        self.file.flush()?;
        self.whole.push_back((self.number, self.size));
        self.number += 1;
        self.size = 0;
        self.file = create(&self.dir, self.number)?;
        self.make_room()
    }

    fn make_room(&mut self) -> io::Result<()> {
        let room = self.limit - self.limit / FILES;
        while self.whole.iter().map(|(_, size)| size).sum::<u64>() > room {
            let Some((number, _)) = self.whole.pop_front() else { break };
            fs::remove_file(path(&self.dir, number))?;
        }
        Ok(())
    }
}

fn path(dir: &Path, number: u64) -> PathBuf {
    dir.join(format!("{number:010}.trace"))
}

/// For us alone: numbers of callers are in it.
fn create(dir: &Path, number: u64) -> io::Result<BufWriter<File>> {
    use std::os::unix::fs::OpenOptionsExt;
    let file = fs::OpenOptions::new().create(true).write(true).truncate(true).mode(0o600).open(path(dir, number))?;
    Ok(BufWriter::with_capacity(64 * 1024, file))
}
