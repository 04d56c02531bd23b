//! What `kill -9` leaves of a journal. A binary of its own: between fork and exec a child holds every lock of its parent, which a
//! test beside it that opens the same journal twice would take for another daemon.

use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::task::Waker;
use std::time::Duration;

use trunkline::id::CallId;
use trunkline::journal::{Entry, Event};
use trunkline::store::Journal;
use trunkline::store::journal::{Report, Settings};

/// Set in the process that is to be killed: the folder of its journal.
const VICTIM: &str = "TRUNKLINE_TEST_JOURNAL_DIR";

fn entry(seq: u64) -> Entry {
    let call = CallId::new(seq as i64, u128::from(seq));
    Entry { seq, wall_ms: seq as i64, event: Event::StepEntered { call, step: format!("step {{\"seq\":{seq}") } }
}

/// Appends and says what is written, until it is killed.
fn append_for_ever(dir: &Path) {
    let settings = Settings { segment_bytes: 20_000, ..Settings::default() };
    let (mut journal, reports) = Journal::open(dir).unwrap().start(settings, Waker::noop().clone()).unwrap();
    let mut out = std::io::stderr();
    loop {
        for _ in 0..3 {
            journal.append(&[entry(journal.next_seq())]).unwrap();
        }
        while let Ok(report) = reports.recv_timeout(Duration::from_secs(20)) {
            if let Report::Written(seq) = report {
                writeln!(out, "written {seq}").unwrap();
                break;
            }
        }
    }
}

#[test]
fn what_was_written_survives_kill_9() {
    if let Some(dir) = std::env::var_os(VICTIM) {
        append_for_ever(Path::new(&dir));
    }
    let dir = tempfile::tempdir().unwrap();
    let mut next_seq = 1;
    for lines in [1, 40, 150, 300] {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["what_was_written_survives_kill_9", "--exact", "--nocapture"])
            .env(VICTIM, dir.path())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut output = BufReader::new(child.stderr.take().unwrap());
        let mut text = String::new();
        for _ in 0..lines {
            output.read_line(&mut text).unwrap();
        }
        child.kill().unwrap();
        child.wait().unwrap();
        output.read_to_string(&mut text).unwrap();
        let last = text.lines().filter_map(|line| line.strip_prefix("written ")?.parse::<u64>().ok()).max();
        let journal = Journal::open(dir.path()).unwrap();
        let last = last.unwrap_or_else(|| panic!("the child wrote nothing: {text}"));
        assert!(last >= next_seq && journal.next_seq() > last, "{last} written, {} next", journal.next_seq());
        next_seq = journal.next_seq();
        let entries: Vec<_> = journal.entries(1).collect::<Result<_, _>>().unwrap();
        assert_eq!(entries, (1..next_seq).map(entry).collect::<Vec<_>>());
    }
}
