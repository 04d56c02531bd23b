//! What a crash may leave of a journal, and what a start makes of it.

use std::fs;
use std::path::{Path, PathBuf};
use std::task::Waker;
use std::time::Duration;

use crossbeam_channel::Receiver;
use trunkline::id::CallId;
use trunkline::journal::{Entry, Event};
use trunkline::store::Journal;
use trunkline::store::journal::{AppendError, JournalError, JournalHandle, Report, Settings};

fn entry(seq: u64) -> Entry {
    let call = CallId::new(seq as i64, u128::from(seq));
    Entry { seq, wall_ms: seq as i64, event: Event::StepEntered { call, step: format!("step {{\"seq\":{seq}") } }
}

fn wait_for(reports: &Receiver<Report>, synced: u64) {
    loop {
        match reports.recv_timeout(Duration::from_secs(20)) {
            Ok(Report::Synced(seq)) if seq >= synced => return,
            Ok(_) => {}
            Err(error) => panic!("entry {synced} was never synced: {error}"),
        }
    }
}

fn append(journal: &mut JournalHandle, count: u64) {
    for _ in 0..count {
        journal.append(&[entry(journal.next_seq())]).unwrap();
    }
}

fn write(dir: &Path, count: u64) {
    let (mut journal, _reports) =
        Journal::open(dir).unwrap().start(Settings::default(), Waker::noop().clone()).unwrap();
    append(&mut journal, count);
    journal.close().unwrap();
}

fn read(journal: &Journal) -> Result<Vec<Entry>, JournalError> {
    journal.entries(1).collect()
}

fn segment(dir: &Path, number: u32) -> PathBuf {
    dir.join(format!("journal/{number:08}.seg"))
}

/// A journal whose only segment holds `bytes`.
fn with_segment(bytes: &[u8]) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join("journal")).unwrap();
    fs::write(segment(dir.path(), 1), bytes).unwrap();
    dir
}

/// The offsets at which the frames of a segment begin, and its end.
fn offsets(bytes: &[u8]) -> Vec<usize> {
    let mut offsets = vec![20];
    while let Some(len) = bytes.get(offsets[offsets.len() - 1]..).and_then(|rest| rest.first_chunk::<4>()) {
        offsets.push(offsets[offsets.len() - 1] + 8 + u32::from_le_bytes(*len) as usize);
    }
    offsets
}

#[test]
fn a_cut_at_any_byte_keeps_every_whole_entry() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), 5);
    let bytes = fs::read(segment(dir.path(), 1)).unwrap();
    let offsets = offsets(&bytes);
    assert_eq!((offsets.len(), offsets.last()), (6, Some(&bytes.len())));
    for cut in 0..=bytes.len() {
        let dir = with_segment(&bytes[..cut]);
        let whole = offsets.iter().skip(1).filter(|end| **end <= cut).count() as u64;
        let journal = Journal::open(dir.path()).unwrap();
        assert_eq!(journal.next_seq(), whole + 1, "cut at {cut}");
        assert_eq!(journal.torn().is_some(), !offsets.contains(&cut), "cut at {cut}");
        assert_eq!(read(&journal).unwrap(), (1..=whole).map(entry).collect::<Vec<_>>());
        if cut % 16 == 0 {
            // It goes on where it was cut, and nothing of the torn frame comes back.
            let (mut handle, _reports) = journal.start(Settings::default(), Waker::noop().clone()).unwrap();
            append(&mut handle, 1);
            handle.close().unwrap();
            let journal = Journal::open(dir.path()).unwrap();
            assert_eq!(read(&journal).unwrap(), (1..=whole + 1).map(entry).collect::<Vec<_>>());
            assert!(journal.torn().is_none());
        }
    }
}

#[test]
fn a_flipped_byte_is_an_error_in_the_middle_and_a_torn_tail_at_the_end() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), 4);
    let bytes = fs::read(segment(dir.path(), 1)).unwrap();
    let offsets = offsets(&bytes);
    for at in 0..bytes.len() {
        let mut bad = bytes.clone();
        bad[at] ^= 0x20;
        let dir = with_segment(&bad);
        let frame = offsets.iter().rposition(|start| *start <= at);
        match (Journal::open(dir.path()), frame) {
            (Ok(journal), Some(3)) => {
                assert_eq!(read(&journal).unwrap(), (1..=3).map(entry).collect::<Vec<_>>());
                assert_eq!(journal.torn().map(|torn| torn.offset), Some(offsets[3] as u64));
            }
            (Err(JournalError::Corrupt { offset, path, .. }), Some(frame @ 0..=2)) => {
                assert_eq!((offset, path), (offsets[frame] as u64, segment(dir.path(), 1)));
            }
            (Err(JournalError::Corrupt { offset: 0, .. }), None) => {}
            (other, frame) => panic!("byte {at} in frame {frame:?}: {other:?}"),
        }
    }
}

#[test]
fn zeros_after_a_power_cut_are_a_torn_tail() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), 3);
    let mut bytes = fs::read(segment(dir.path(), 1)).unwrap();
    let end = bytes.len() as u64;
    bytes.extend_from_slice(&[0; 4_096]);
    let dir = with_segment(&bytes);
    let journal = Journal::open(dir.path()).unwrap();
    assert_eq!(journal.next_seq(), 4);
    assert_eq!(journal.torn().map(|torn| (torn.offset, torn.cut_bytes)), Some((end, 4_096)));
}

#[test]
fn a_second_opener_is_told_who_has_the_folder() {
    let dir = tempfile::tempdir().unwrap();
    let (journal, _reports) =
        Journal::open(dir.path()).unwrap().start(Settings::default(), Waker::noop().clone()).unwrap();
    let error = Journal::open(dir.path()).unwrap_err();
    assert!(matches!(&error, JournalError::InUse { dir: named } if named == dir.path()));
    assert!(error.to_string().contains("in use by another trunkline"));
    journal.close().unwrap();
    Journal::open(dir.path()).unwrap();
}

#[test]
fn full_segments_are_closed_and_read_back_from_any_entry() {
    let dir = tempfile::tempdir().unwrap();
    let settings = Settings { segment_bytes: 300, ..Settings::default() };
    let (mut journal, reports) = Journal::open(dir.path()).unwrap().start(settings, Waker::noop().clone()).unwrap();
    for seq in 1..=20 {
        append(&mut journal, 1);
        wait_for(&reports, seq);
        assert!(journal.written() >= seq && journal.synced() >= seq);
    }
    assert_eq!(journal.progress().backlog_bytes(), 0);
    journal.close().unwrap();
    let count = fs::read_dir(dir.path().join("journal")).unwrap().count() as u32;
    assert!(count > 3, "{count} segments");
    let journal = Journal::open(dir.path()).unwrap();
    assert_eq!(journal.next_seq(), 21);
    for from in 1..=21 {
        let entries: Vec<_> = journal.entries(from).collect::<Result<_, _>>().unwrap();
        assert_eq!(entries, (from..=20).map(entry).collect::<Vec<_>>());
    }
    drop(journal);
    // Damage in a closed segment names it; a last one without a whole header is made again; a missing one is an error.
    fs::write(segment(dir.path(), count + 1), b"TRN").unwrap();
    assert_eq!(Journal::open(dir.path()).unwrap().next_seq(), 21);
    let mut bytes = fs::read(segment(dir.path(), 2)).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    fs::write(segment(dir.path(), 2), &bytes).unwrap();
    let error = read(&Journal::open(dir.path()).unwrap()).unwrap_err();
    assert!(matches!(&error, JournalError::Corrupt { path, .. } if *path == segment(dir.path(), 2)));
    fs::remove_file(segment(dir.path(), 2)).unwrap();
    assert!(matches!(Journal::open(dir.path()), Err(JournalError::Missing { .. })));
}

#[test]
fn a_full_backlog_and_wrong_numbers_are_refused_whole() {
    let dir = tempfile::tempdir().unwrap();
    let settings = Settings { backlog_bytes: 10, ..Settings::default() };
    let (mut journal, _reports) = Journal::open(dir.path()).unwrap().start(settings, Waker::noop().clone()).unwrap();
    assert_eq!(journal.append(&[entry(1)]), Err(AppendError::Full { backlog: 0, limit: 10 }));
    assert_eq!(journal.append(&[entry(2)]), Err(AppendError::OutOfOrder { expected: 1, got: 2 }));
    assert_eq!((journal.next_seq(), journal.written()), (1, 0));
}

#[test]
fn a_disk_that_fails_is_reported_and_tried_again() {
    let dir = tempfile::tempdir().unwrap();
    let retry_after = Duration::from_millis(5);
    let settings = Settings { segment_bytes: 1, retry_after, ..Settings::default() };
    let (mut journal, reports) = Journal::open(dir.path()).unwrap().start(settings, Waker::noop().clone()).unwrap();
    // The next segment cannot be made while a folder has its name.
    fs::create_dir(segment(dir.path(), 2)).unwrap();
    append(&mut journal, 1);
    let failed = reports.recv_timeout(Duration::from_secs(20)).unwrap();
    assert!(matches!(failed, Report::Failed { .. }), "{failed:?}");
    assert!(journal.progress().failing() && journal.written() == 0);
    fs::remove_dir(segment(dir.path(), 2)).unwrap();
    wait_for(&reports, 1);
    assert!(!journal.progress().failing());
    journal.close().unwrap();
    assert_eq!(read(&Journal::open(dir.path()).unwrap()).unwrap(), [entry(1)]);
}

#[test]
fn an_overdue_sync_is_reported_while_writing_goes_on() {
    let dir = tempfile::tempdir().unwrap();
    // Nothing is synced before the patience with it ends, so the report must come, and be taken back with the sync.
    let settings = Settings { stall_after: Duration::ZERO, ..Settings::default() };
    let (mut journal, reports) = Journal::open(dir.path()).unwrap().start(settings, Waker::noop().clone()).unwrap();
    append(&mut journal, 1);
    let told: Vec<_> = (0..4).map(|_| reports.recv_timeout(Duration::from_secs(20)).unwrap()).collect();
    assert_eq!(told, [Report::Written(1), Report::Stalled { synced: 0 }, Report::Synced(1), Report::Resumed]);
    assert!(!journal.progress().stalled());
}
