//! Opening a journal: the lock, the torn tail, and reading entries back.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::path::{Path, PathBuf};

use super::error::JournalError;
use super::frame::{self, Frame};
use super::segment;
use crate::journal::Entry;

/// What a crash left at the end and opening cut off.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TornTail {
    /// The segment.
    pub path: PathBuf,
    /// Where it ends now, bytes.
    pub offset: u64,
    /// How many bytes were cut.
    pub cut_bytes: u64,
    /// What was wrong with them.
    pub what: String,
}

/// An open journal, locked against other processes until it (or the writer started from it) is dropped.
#[derive(Debug)]
pub struct Journal {
    pub(super) dir: PathBuf,
    /// Held, never read: the lock goes when the journal or its writer is dropped.
    _lock: File,
    pub(super) last: u32,
    pub(super) end: u64,
    segments: Vec<u32>,
    next_seq: u64,
    torn: Option<TornTail>,
}

impl Journal {
    /// Opens (or makes) the journal of the data folder `data_dir`: `lock` and `journal/` in it. Cuts a torn tail.
    pub fn open(data_dir: &Path) -> Result<Self, JournalError> {
        let dir = data_dir.join("journal");
        fs::create_dir_all(&dir).map_err(JournalError::io("create", &dir))?;
        let lock = lock(data_dir)?;
        segment::sync_dir(data_dir)?;
        let segments = segment::list(&dir)?;
        let mut journal = Self { dir, _lock: lock, last: 1, end: 0, segments, next_seq: 1, torn: None };
        journal.find_end()?;
        Ok(journal)
    }

    /// The sequence number of the next entry.
    pub fn next_seq(&self) -> u64 {
        self.next_seq
    }

    /// What opening cut off, if the last run ended in the middle of a write.
    pub fn torn(&self) -> Option<&TornTail> {
        self.torn.as_ref()
    }

    /// The entries from `from_seq` on, in order. Holds one segment in memory. Ends after the first error.
    pub fn entries(&self, from_seq: u64) -> Entries {
        Entries {
            dir: self.dir.clone(),
            left: from(&self.dir, &self.segments, from_seq),
            end_of_last: self.end,
            current: None,
            from_seq,
            through_seq: u64::MAX,
            expected: None,
        }
    }

    fn find_end(&mut self) -> Result<(), JournalError> {
        let Some(last) = self.segments.last().copied() else {
            segment::create(&self.dir, 1, 1)?;
            self.segments.push(1);
            self.end = segment::HEADER as u64;
            return Ok(());
        };
        self.last = last;
        let path = segment::path(&self.dir, last);
        let bytes = fs::read(&path).map_err(JournalError::io("read", &path))?;
        let Some(first) = segment::first_seq(&bytes) else { return self.remake_header(last, &path, &bytes) };
        let (end, next_seq, bad) = scan(&bytes, first);
        if let Some(what) = bad {
            if frame::checksum_holds(&bytes, end) || frame::any_after(&bytes, end) {
                return Err(JournalError::Corrupt { path, offset: end as u64, what });
            }
            let file = OpenOptions::new().write(true).open(&path).map_err(JournalError::io("open", &path))?;
            file.set_len(end as u64).map_err(JournalError::io("cut the torn tail of", &path))?;
            file.sync_all().map_err(JournalError::io("sync", &path))?;
            let cut_bytes = bytes.len().saturating_sub(end) as u64;
            self.torn = Some(TornTail { path, offset: end as u64, cut_bytes, what });
        }
        self.end = end as u64;
        self.next_seq = next_seq;
        Ok(())
    }

    /// A crash while a segment was made leaves a file with no whole header; then it holds no entry either.
    fn remake_header(&mut self, number: u32, path: &Path, bytes: &[u8]) -> Result<(), JournalError> {
        let corrupt = |what: &str| JournalError::Corrupt { path: path.to_owned(), offset: 0, what: what.to_owned() };
        if bytes.len() > segment::HEADER {
            return Err(corrupt("no header of this version"));
        }
        if let Some(before) = number.checked_sub(1).filter(|before| self.segments.contains(before)) {
            let before = segment::path(&self.dir, before);
            let bytes = fs::read(&before).map_err(JournalError::io("read", &before))?;
            let whole = segment::first_seq(&bytes).map(|first| scan(&bytes, first));
            let Some((_, next_seq, None)) = whole else {
                return Err(JournalError::Corrupt {
                    path: before,
                    offset: 0,
                    what: "a closed segment is not whole".into(),
                });
            };
            self.next_seq = next_seq;
        } else if number != 1 {
            // Without any earlier segment nothing tells where to go on counting.
            return Err(corrupt("no whole header, and no earlier segment"));
        }
        segment::create(&self.dir, number, self.next_seq)?;
        self.end = segment::HEADER as u64;
        let what = "header cut short".to_owned();
        self.torn = Some(TornTail { path: path.to_owned(), offset: 0, cut_bytes: bytes.len() as u64, what });
        Ok(())
    }
}

/// Reads a journal back, entry by entry.
#[derive(Debug)]
pub struct Entries {
    dir: PathBuf,
    /// Segments not opened yet, the next one last.
    left: Vec<u32>,
    end_of_last: u64,
    current: Option<(PathBuf, Vec<u8>, usize)>,
    from_seq: u64,
    through_seq: u64,
    expected: Option<u64>,
}

impl Entries {
    /// The entries `from_seq` to `through_seq` of the journal in `data_dir` while a writer, of this process or another, goes
    /// on. `through_seq` must be written already ([`super::Progress::written`]): nothing behind it is looked at.
    pub fn between(data_dir: &Path, from_seq: u64, through_seq: u64) -> Result<Self, JournalError> {
        let dir = data_dir.join("journal");
        let left = if from_seq > through_seq { Vec::new() } else { from(&dir, &segment::list(&dir)?, from_seq) };
        Ok(Self { dir, left, end_of_last: u64::MAX, current: None, from_seq, through_seq, expected: None })
    }

    fn next_segment(&mut self) -> Result<bool, JournalError> {
        let Some(number) = self.left.pop() else { return Ok(false) };
        let path = segment::path(&self.dir, number);
        let mut bytes = fs::read(&path).map_err(JournalError::io("read", &path))?;
        if self.left.is_empty() {
            // A writer may have gone on behind the end that was found when the journal was opened.
            bytes.truncate(usize::try_from(self.end_of_last).unwrap_or(usize::MAX));
        }
        let corrupt = |what: String| JournalError::Corrupt { path: path.clone(), offset: 0, what };
        let first = segment::first_seq(&bytes).ok_or_else(|| corrupt("no header of this version".into()))?;
        if self.expected.is_some_and(|expected| expected != first) {
            return Err(corrupt(format!("begins with entry {first} instead of {:?}", self.expected)));
        }
        self.expected = Some(first);
        self.current = Some((path, bytes, segment::HEADER));
        Ok(true)
    }

    fn read(&mut self) -> Result<Option<Entry>, JournalError> {
        loop {
            if self.expected.is_some_and(|expected| expected > self.through_seq) {
                return Ok(None);
            }
            let Some((path, bytes, offset)) = &mut self.current else {
                if self.next_segment()? {
                    continue;
                }
                return Ok(None);
            };
            let corrupt = |what| JournalError::Corrupt { path: path.clone(), offset: *offset as u64, what };
            match frame::decode(bytes, *offset) {
                Frame::End => self.current = None,
                Frame::Bad(what) => return Err(corrupt(what)),
                Frame::Entry(entry, after) => {
                    if self.expected.is_some_and(|expected| expected != entry.seq) {
                        return Err(corrupt(format!("entry {} instead of {:?}", entry.seq, self.expected)));
                    }
                    self.expected = entry.seq.checked_add(1);
                    *offset = after;
                    if entry.seq >= self.from_seq {
                        return Ok(Some(*entry));
                    }
                }
            }
        }
    }
}

impl Iterator for Entries {
    type Item = Result<Entry, JournalError>;

    fn next(&mut self) -> Option<Self::Item> {
        let read = self.read();
        if read.is_err() {
            self.left.clear();
            self.current = None;
        }
        read.transpose()
    }
}

/// Where the good frames end, the sequence number that follows them, and what is wrong there if the file goes on.
fn scan(bytes: &[u8], first_seq: u64) -> (usize, u64, Option<String>) {
    let (mut offset, mut next_seq) = (segment::HEADER, first_seq);
    loop {
        match frame::decode(bytes, offset) {
            Frame::End => return (offset, next_seq, None),
            Frame::Bad(what) => return (offset, next_seq, Some(what)),
            Frame::Entry(entry, _) if entry.seq != next_seq => {
                return (offset, next_seq, Some(format!("entry {} instead of {next_seq}", entry.seq)));
            }
            Frame::Entry(_, after) => {
                offset = after;
                next_seq = next_seq.saturating_add(1);
            }
        }
    }
}

/// The segments from the last one on that begins at or before `from_seq`, the next one last; an unreadable header is met
/// again, and reported, when it is read.
fn from(dir: &Path, segments: &[u32], from_seq: u64) -> Vec<u32> {
    let begins = |number: &u32| first_seq_of(&segment::path(dir, *number)).is_some_and(|seq| seq <= from_seq);
    let start = segments.iter().rposition(begins).unwrap_or(0);
    segments.iter().skip(start).rev().copied().collect()
}

fn first_seq_of(path: &Path) -> Option<u64> {
    let mut head = [0; segment::HEADER];
    let file = File::open(path).ok()?;
    std::os::unix::fs::FileExt::read_exact_at(&file, &mut head, 0).ok()?;
    segment::first_seq(&head)
}

fn lock(data_dir: &Path) -> Result<File, JournalError> {
    let path = data_dir.join("lock");
    let open = OpenOptions::new().create(true).truncate(false).write(true).open(&path);
    let file = open.map_err(JournalError::io("open", &path))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(JournalError::InUse { dir: data_dir.to_owned() }),
        Err(TryLockError::Error(source)) => Err(JournalError::Io { act: "lock", path, source }),
    }
}
