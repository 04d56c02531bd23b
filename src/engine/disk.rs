//! Watches the disk of the recordings: the writer says what it is doing, whoever asks learns whether it still does.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};

use super::clock;
use crate::media::{Storage, StorageFigures};
use crate::time::MS;

/// A write that takes longer than this (ms) counts as stalled: well within the five seconds in which an alarm is due.
const STALL_MS: u64 = 2_000;
/// What is written for a try, octets.
const TRY: usize = 4_096;
/// Octets of sound in a millisecond.
const PER_MS: u64 = 16;

/// Sound finds room on its way to the writer.
const ROOM: u8 = 0;
/// Some found none, and the writer has not caught up.
const BEHIND: u8 = 1;
/// It has, and nobody has been told of the loss yet.
const UNTOLD: u8 = 2;

/// Who works on the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Hand {
    /// The thread that writes what grows.
    Writer,
    /// The thread that closes it.
    Closer,
}

/// How the disk fares; shared by the threads that record and the switch's end.
#[derive(Debug, Default)]
pub(super) struct Disk {
    /// Since when the writer waits for the system (monotonic nanoseconds); 0 while it does not.
    writing_ns: AtomicU64,
    /// The same of the closer.
    closing_ns: AtomicU64,
    /// 0: fine; 1: full; 2: failing.
    trouble: AtomicU8,
    /// Whether sound finds room on its way to the writer.
    backlog: AtomicU8,
    free_bytes: AtomicU64,
    lost_octets: AtomicU64,
}

impl Disk {
    /// Does something that may stall.
    pub(super) fn watch<T>(&self, hand: Hand, act: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
        let busy_ns = match hand {
            Hand::Writer => &self.writing_ns,
            Hand::Closer => &self.closing_ns,
        };
        busy_ns.store(clock::now().mono_ns.max(1), Ordering::Release);
        let done = act();
        busy_ns.store(0, Ordering::Release);
        done
    }

    /// Takes in that a write was refused.
    pub(super) fn fail(&self, error: &io::Error) {
        let full = matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded);
        self.trouble.store(if full { 1 } else { 2 }, Ordering::Release);
    }

    /// Counts sound that was not written.
    pub(super) fn lose(&self, octets: u64) {
        self.lost_octets.fetch_add(octets, Ordering::Relaxed);
    }

    /// Takes in that sound found no room.
    pub(super) fn fall_behind(&self) {
        self.backlog.store(BEHIND, Ordering::Release);
    }

    /// Takes in that the writer has written all that was there. However soon that is, the loss is told once.
    pub(super) fn catch_up(&self) {
        // Where nothing was lost, nothing changes.
        let _ = self.backlog.compare_exchange(BEHIND, UNTOLD, Ordering::AcqRel, Ordering::Relaxed);
    }

    /// Whether the last writes went well and space is left.
    pub(super) fn is_fine(&self) -> bool {
        self.trouble.load(Ordering::Acquire) == 0
    }

    /// Looks at the space in `dir`, of which `min_free` bytes are to be left, and tries to write where that failed before.
    pub(super) fn look(&self, hand: Hand, dir: &Path, min_free: u64) {
        let looked = self.watch(hand, || {
            let about = rustix::fs::statvfs(dir)?;
            self.free_bytes.store(about.f_bavail.saturating_mul(about.f_frsize), Ordering::Release);
            if self.is_fine() { Ok(()) } else { attempt(dir) }
        });
        match looked {
            Ok(()) if self.free_bytes.load(Ordering::Acquire) < min_free => self.trouble.store(1, Ordering::Release),
            Ok(()) => self.trouble.store(0, Ordering::Release),
            Err(error) => self.fail(&error),
        }
    }

    /// How it fares now, for the one who tells it on.
    pub(super) fn figures(&self) -> StorageFigures {
        let stalled = [&self.writing_ns, &self.closing_ns].into_iter().any(|busy_ns| {
            let busy_ns = busy_ns.load(Ordering::Acquire);
            busy_ns > 0 && clock::now().mono_ns.saturating_sub(busy_ns) > STALL_MS * MS
        });
        let told = self.backlog.compare_exchange(UNTOLD, ROOM, Ordering::AcqRel, Ordering::Acquire);
        let stalled = stalled || told.unwrap_or_else(|backlog| backlog) != ROOM;
        let storage = match self.trouble.load(Ordering::Acquire) {
            _ if stalled => Storage::Stalled,
            0 => Storage::Fine,
            1 => Storage::Full,
            _ => Storage::Failing,
        };
        StorageFigures {
            late_ms: 0,
            storage,
            free_bytes: self.free_bytes.load(Ordering::Acquire),
            lost_ms: self.lost_octets.load(Ordering::Relaxed) / PER_MS,
        }
    }
}

/// Writes a little and takes it away again.
fn attempt(dir: &Path) -> io::Result<()> {
    let path = dir.join(".try");
    let written = File::create(&path).and_then(|mut file| {
        file.write_all(&[0; TRY])?;
        file.sync_data()
    });
    fs::remove_file(&path)?;
    written
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn too_little_space_is_told_and_so_is_its_end() {
        let dir = tempfile::tempdir().unwrap();
        let disk = Disk::default();
        disk.look(Hand::Writer, dir.path(), u64::MAX);
        assert_eq!(disk.figures().storage, Storage::Full);
        disk.look(Hand::Writer, dir.path(), 0);
        let figures = disk.figures();
        assert!(figures.storage == Storage::Fine && figures.free_bytes > 0, "{figures:?}");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0, "the try leaves nothing");
    }

    #[test]
    fn a_refused_write_is_trouble_until_one_succeeds() {
        let dir = tempfile::tempdir().unwrap();
        let disk = Disk::default();
        disk.fail(&io::ErrorKind::StorageFull.into());
        assert_eq!(disk.figures().storage, Storage::Full);
        disk.fail(&io::ErrorKind::PermissionDenied.into());
        assert_eq!(disk.figures().storage, Storage::Failing);
        disk.look(Hand::Writer, &dir.path().join("gone"), 0);
        assert_eq!(disk.figures().storage, Storage::Failing);
        disk.look(Hand::Writer, dir.path(), 0);
        assert!(disk.is_fine());
        disk.lose(160);
        assert_eq!(disk.figures().lost_ms, 10);
    }

    #[test]
    fn what_does_not_come_back_is_stalled() {
        let disk = Disk::default();
        let long_ago = clock::now().mono_ns.saturating_sub(2 * STALL_MS * MS).max(1);
        for (busy_ns, hand) in [(&disk.writing_ns, Hand::Writer), (&disk.closing_ns, Hand::Closer)] {
            busy_ns.store(long_ago, Ordering::Release);
            assert_eq!(disk.figures().storage, Storage::Stalled);
            disk.watch(hand, || Ok(())).unwrap();
            assert_eq!(disk.figures().storage, Storage::Fine);
        }
    }
}
