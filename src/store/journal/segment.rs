//! Segment files: `journal/00000001.seg`, a header and frames.

use std::fs::{self, File, OpenOptions};
use std::path::{Path, PathBuf};

use super::error::JournalError;

/// Header: magic with version (8), first sequence number (u64 LE), CRC-32 of both (u32 LE).
pub(super) const HEADER: usize = 20;
const MAGIC: &[u8; 8] = b"TRNKJNL1";

/// The path of segment `number`.
pub(super) fn path(dir: &Path, number: u32) -> PathBuf {
    dir.join(format!("{number:08}.seg"))
}

/// The header of a segment whose first entry is `first_seq`.
pub(super) fn header(first_seq: u64) -> [u8; HEADER] {
    let mut bytes = [0; HEADER];
    let (magic, rest) = bytes.split_at_mut(8);
    let (seq, sum) = rest.split_at_mut(8);
    magic.copy_from_slice(MAGIC);
    seq.copy_from_slice(&first_seq.to_le_bytes());
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(magic);
    hasher.update(seq);
    sum.copy_from_slice(&hasher.finalize().to_le_bytes());
    bytes
}

/// The first sequence number of a segment; `None` where its header is not whole.
pub(super) fn first_seq(bytes: &[u8]) -> Option<u64> {
    let head = bytes.get(..HEADER)?;
    let seq = u64::from_le_bytes(*head.get(8..)?.first_chunk::<8>()?);
    (header(seq) == head).then_some(seq)
}

/// Creates segment `number` with its header, both synced. One of the same number, left half made by a crash, is replaced.
pub(super) fn create(dir: &Path, number: u32, first_seq: u64) -> Result<File, JournalError> {
    let path = path(dir, number);
    let file = OpenOptions::new()
        .create(true)
        .truncate(true)
        .read(true)
        .write(true)
        .open(&path)
        .map_err(JournalError::io("create", &path))?;
    std::os::unix::fs::FileExt::write_all_at(&file, &header(first_seq), 0).map_err(JournalError::io("write", &path))?;
    file.sync_all().map_err(JournalError::io("sync", &path))?;
    sync_dir(dir)?;
    Ok(file)
}

/// Makes names in `dir` survive a power cut.
pub(super) fn sync_dir(dir: &Path) -> Result<(), JournalError> {
    File::open(dir).and_then(|dir| dir.sync_all()).map_err(JournalError::io("sync", dir))
}

/// The numbers of all segments, ascending; a gap is an error. The oldest may be gone (retention).
pub(super) fn list(dir: &Path) -> Result<Vec<u32>, JournalError> {
    let mut numbers = Vec::new();
    for entry in fs::read_dir(dir).map_err(JournalError::io("list", dir))? {
        let name = entry.map_err(JournalError::io("list", dir))?.file_name();
        let number: Option<u32> =
            name.to_str().and_then(|name| name.strip_suffix(".seg")).and_then(|stem| stem.parse().ok());
        numbers.extend(number);
    }
    numbers.sort_unstable();
    let mut expected = numbers.first().copied();
    for number in &numbers {
        match expected {
            Some(next) if next != *number => return Err(JournalError::Missing { path: path(dir, next) }),
            _ => expected = number.checked_add(1),
        }
    }
    Ok(numbers)
}
