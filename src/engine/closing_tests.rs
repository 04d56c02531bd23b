//! Recordings that end beside others that go on. Receiving and sending wait for the other side; the timeout is only a guard.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;
use std::task::Waker;
use std::thread::JoinHandle;

use crossbeam_channel::{Receiver, Sender, bounded};
use rustix::fs::{CWD, FileType, Mode, mknodat};

use super::closer::{Closer, Endings};
use super::disk::{Disk, Hand};
use super::growing::Home;
use super::handle::Reports;
use super::tap::{Desk, drain};
use super::tests::{Floor, GUARD, media};
use super::writer::Writer;
use crate::id::CallId;
use crate::media::{
    AudioFormat, Closed, Consent, Manifest, MediaReport, MusicId, Recorder, RecordingSpec, RecordingStep,
    RecordingWork, Side, Source, Storage,
};
use crate::time::Now;

/// Octets of a chunk.
const CHUNK: usize = 6_400;

pub(super) fn home(dir: &Path) -> Home {
    Home { dir: dir.to_owned(), keys: None, disk: Arc::new(Disk::default()), hand: Hand::Writer }
}

/// Both threads, with little room between them.
struct Threads {
    work: Sender<RecordingWork>,
    bell: Sender<()>,
    reports: Receiver<MediaReport>,
    joins: [JoinHandle<()>; 2],
}

impl Threads {
    fn start(home: &Home) -> Self {
        let ((work, chunks), (bell, rings), (sender, reports)) = (bounded(4), bounded(1), bounded(3));
        let (endings, ended) = Endings::new(2);
        let reports_of_closer = Reports { sender, waker: Waker::noop().clone() };
        let closer = Closer { home: Home { hand: Hand::Closer, ..home.clone() }, reports: reports_of_closer };
        let writer = Writer { home: home.clone(), min_free: 0 };
        let joins = [
            std::thread::spawn(move || writer.run(&chunks, &rings, endings)),
            std::thread::spawn(move || closer.run(&ended)),
        ];
        Self { work, bell, reports, joins }
    }

    fn append(&self, id: &str) {
        self.send(id, RecordingStep::Append(vec![0x55; CHUNK]));
    }

    fn close(&self, id: &str, chunks: u64) {
        let expected_ms = chunks * 400;
        let closed = Closed {
            started_ms: 0,
            consent: Some(Consent::Announced),
            expected_ms,
            written_ms: expected_ms,
            misplaced: 0,
            pauses: Vec::new(),
            cues: Vec::new(),
        };
        self.send(id, RecordingStep::Close(closed));
    }

    fn send(&self, id: &str, step: RecordingStep) {
        let work = RecordingWork {
            id: id.into(),
            call: CallId::new(1, 1),
            law: AudioFormat::PCMA.codec.law(),
            missing: 0,
            step,
        };
        let _ = self.bell.try_send(());
        self.work.send_timeout(work, GUARD).expect("the writer waits for nobody");
    }

    /// Lets both end, and gives what was told.
    fn end(self) -> Vec<Manifest> {
        drop((self.work, self.bell));
        let told = std::iter::from_fn(|| self.reports.recv_timeout(GUARD).ok());
        let told = told.map(|report| match report {
            MediaReport::RecordingClosed { manifest } => manifest,
            other => panic!("{other:?}"),
        });
        let told = told.collect();
        self.joins.into_iter().for_each(|join| join.join().unwrap());
        told
    }
}

#[test]
fn recordings_go_on_whole_while_many_others_end_and_neither_closer_nor_switch_keeps_up() {
    let dir = tempfile::tempdir().unwrap();
    let home = home(dir.path());
    let threads = Threads::start(&home);
    // A pipe in the place of its manifest: who writes it waits until somebody reads.
    let pipe = dir.path().join("ends0.json.new");
    mknodat(CWD, &pipe, FileType::Fifo, Mode::from_raw_mode(0o600), 0).unwrap();
    let names = |what: &str, count: usize| (0..count).map(|at| format!("{what}{at}")).collect::<Vec<_>>();
    let (ends, goes_on) = (names("ends", 20), names("goes_on", 3));
    ends.iter().chain(&goes_on).for_each(|id| threads.append(id));
    ends.iter().for_each(|id| threads.close(id, 1));
    for _ in 0..30 {
        goes_on.iter().for_each(|id| threads.append(id));
    }
    goes_on.iter().for_each(|id| threads.close(id, 31));
    // More than there is room for: one of them is taken only when all of the others are written.
    (0..5).for_each(|_| threads.append("open"));
    assert!(threads.reports.is_empty(), "the first one is not closed yet");
    assert_eq!(home.disk.figures().lost_ms, 0);
    std::io::copy(&mut std::fs::File::open(&pipe).unwrap(), &mut std::io::sink()).unwrap();
    let told = threads.end();
    let order: Vec<_> = told.iter().map(|manifest| &manifest.recording).collect();
    assert_eq!(order, ends.iter().chain(&goes_on).collect::<Vec<_>>(), "each once");
    for manifest in &told {
        assert_eq!((manifest.state, manifest.written_ms), (Manifest::judge(0, 0), manifest.expected_ms));
        // A pipe is no file that a disk keeps.
        if manifest.recording != "ends0" {
            let kept = std::fs::read(dir.path().join(format!("{}.json", manifest.recording))).unwrap();
            assert_eq!(serde_json::from_slice::<Manifest>(&kept).unwrap(), *manifest);
        }
    }
}

#[test]
fn an_engine_that_is_dropped_has_closed_every_recording() {
    let mut floor = Floor::new(17);
    let mode = |path: &Path| path.metadata().unwrap().permissions().mode() & 0o777;
    let phones: Vec<_> = (0..3).map(|_| floor.phone()).collect();
    for (leg, phone) in (1..).zip(&phones) {
        let lease = floor.engine.lease(0).unwrap();
        let mut media = media(lease, phone, Source::Music(MusicId(1)));
        let (call, marks) = (CallId::new(1, 1), Arc::from([]));
        let id = format!("r{leg}");
        media.recording = Some(RecordingSpec { id, call, side: Side::Caller, consent: Consent::Announced, marks });
        floor.desire(leg, &media);
        super::tests::hear(phone);
    }
    let Floor { recordings, engine, reports, .. } = floor;
    drop(engine);
    let mut closed: Vec<_> = reports
        .try_iter()
        .filter_map(|report| match report {
            MediaReport::RecordingClosed { manifest } => Some(manifest.recording),
            _ => None,
        })
        .collect();
    closed.sort_unstable();
    assert_eq!(closed, ["r1", "r2", "r3"]);
    let files = closed.iter().flat_map(|id| [format!("{id}.json"), format!("{id}.wav")]);
    files.for_each(|file| {
        assert_eq!(mode(&recordings.path().join("kept").join(&file)), 0o600, "{file} is nobody else's")
    });
    assert_eq!(mode(&recordings.path().join("kept")), 0o700);
}

#[test]
fn sound_that_finds_no_room_is_told_until_the_writer_has_caught_up() {
    let dir = tempfile::tempdir().unwrap();
    let home = home(dir.path());
    let ((work, chunks), (bell, rings)) = (bounded(1), bounded(1));
    let desk = Desk { work, bell, disk: Arc::clone(&home.disk) };
    let (id, call, marks) = ("r".to_owned(), CallId::new(1, 1), Arc::from([]));
    let spec = RecordingSpec { id, call, side: Side::Caller, consent: Consent::Announced, marks };
    let mut now = Now { mono_ns: 1_000_000_000, wall_ms: 1_700_000_000_000 };
    let mut recorder = Recorder::new(&spec, AudioFormat::PCMA.codec.law(), now);
    recorder.join();
    now = now.plus_ms(300);
    let storage = || home.disk.figures().storage;
    for expected in [Storage::Fine, Storage::Stalled, Storage::Stalled] {
        now = now.plus_ms(400);
        recorder.handle_tick(now);
        drain(&mut recorder, &desk);
        assert_eq!(storage(), expected);
    }
    recorder.leave(now);
    let writer = Writer { home: home.clone(), min_free: 0 };
    let (endings, _ended) = Endings::new(1);
    let writing = std::thread::spawn(move || writer.run(&chunks, &rings, endings));
    while let Some(work) = recorder.poll_work() {
        desk.work.send_timeout(work, GUARD).unwrap();
    }
    drop(desk);
    writing.join().unwrap();
    assert_eq!(home.disk.figures().lost_ms, 800);
    // That was the one who had to hear of it, however soon all was well again.
    assert_eq!(storage(), Storage::Fine);
    home.disk.fall_behind();
    home.disk.catch_up();
    assert_eq!([storage(), storage()], [Storage::Stalled, Storage::Fine]);
}
