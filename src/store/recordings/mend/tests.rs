//! Files that a kill left, cut anywhere.

use std::fs;

use super::*;
use crate::codec::g711::Law;
use crate::id::LegId;
use crate::journal::{Direction, Entry, Personal};
use crate::recording::{Drawn, Form, SEALED_CHUNK, wav_header};

/// Calls 1… with a recording each, of the given names.
fn floor(names: &[&str]) -> Folder {
    let mut folder = Folder::default();
    let mut seq = 0;
    for (number, name) in (1..).zip(names) {
        let call = CallId::new(number, number as u128);
        let caller = Personal::number("555");
        let direction = Direction::Inbound;
        let events = [
            Event::CallOffered { call, leg: LegId(1), direction, trunk: None, caller, called: "4001".into() },
            Event::RecordingStarted { call, recording: (*name).into(), consent: Consent::Announced },
        ];
        for event in events {
            seq += 1;
            folder.handle_entry(&Entry { seq, wall_ms: 1_000, event });
        }
    }
    folder
}

fn told(events: &[Event]) -> Vec<(&str, RecordingState, u64)> {
    let told = events.iter().map(|event| match event {
        Event::RecordingClosed { recording, state, written_ms, .. } => (recording.as_str(), *state, *written_ms),
        other => panic!("{other:?}"),
    });
    told.collect()
}

#[test]
fn files_cut_anywhere_are_mended_once() {
    let data = tempfile::tempdir().unwrap();
    let dir = recordings_dir(data.path());
    fs::create_dir(&dir).unwrap();
    for len in (0..70).chain([58 + 16_000, 58 + 16_001]) {
        let mut bytes = wav_header(Law::Alaw, 0).to_vec();
        bytes.resize(58.max(len), 0x55);
        bytes.truncate(len);
        fs::write(dir.join("r.wav"), &bytes).unwrap();
        let folder = floor(&["r"]);
        let events = mend_recordings(data.path(), &folder, None).unwrap();
        if len < HEADER_LEN {
            assert_eq!(told(&events), [("r", RecordingState::Failed, 0)], "{len}");
            assert_eq!(fs::read(dir.join("r.wav")).unwrap(), bytes);
            continue;
        }
        let written_ms = (len - 58) as u64 / 16;
        assert_eq!(told(&events), [("r", RecordingState::Partial, written_ms)], "{len}");
        let mended = fs::read(dir.join("r.wav")).unwrap();
        let data_len = (len as u64 - 58) & !1;
        assert_eq!(mended.len() as u64, 58 + data_len);
        assert_eq!(mended[..58], wav_header(Law::Alaw, data_len));
        let manifest = read_manifest(&dir, "r").unwrap().unwrap();
        assert_eq!(manifest.sha256, Some(sha256(File::open(dir.join("r.wav")).unwrap()).unwrap()));
        // The file was written just now, the recording began in 1970.
        assert!(manifest.expected_ms > 1_000_000 && manifest.consent == Some(Consent::Announced));
        // A second start finds the manifest and says the same.
        assert_eq!(mend_recordings(data.path(), &folder, None).unwrap(), events);
        fs::remove_file(dir.join("r.json")).unwrap();
    }
}

#[test]
fn a_manifest_that_a_power_cut_has_emptied_or_torn_counts_as_none() {
    let data = tempfile::tempdir().unwrap();
    let dir = recordings_dir(data.path());
    fs::create_dir(&dir).unwrap();
    let (known, unheard) = ("r".to_owned(), CallId::new(9, 9).to_string());
    for (name, left) in [(&known, ""), (&known, "{\"recording\":\"r\",\"ca"), (&known, "\0\0\0"), (&unheard, "")] {
        fs::write(dir.join(format!("{name}.wav")), [&wav_header(Law::Alaw, 0)[..], &[0x55; 3_200]].concat()).unwrap();
        fs::write(dir.join(format!("{name}.json")), left).unwrap();
        let events = mend_recordings(data.path(), &floor(&[&known]), None).unwrap();
        if *name == known {
            assert_eq!(told(&events), [("r", RecordingState::Partial, 200)], "{left:?}");
        }
        let manifest = read_manifest(&dir, name).unwrap().unwrap();
        assert_eq!((manifest.written_ms, manifest.state), (200, RecordingState::Partial), "{left:?}");
    }
}

#[test]
fn what_is_missing_failed_and_what_is_foreign_stays() {
    let data = tempfile::tempdir().unwrap();
    assert_eq!(mend_recordings(data.path(), &Folder::default(), None).unwrap(), []);
    let dir = recordings_dir(data.path());
    fs::create_dir(&dir).unwrap();
    let unheard = CallId::new(9, 9).to_string();
    fs::write(dir.join("music.wav"), wav_header(Law::Alaw, 0)).unwrap();
    fs::write(dir.join("notes.txt"), "x").unwrap();
    fs::write(dir.join(format!("{unheard}.wav")), [&wav_header(Law::Ulaw, 0)[..], &[0xff; 320]].concat()).unwrap();
    let events = mend_recordings(data.path(), &floor(&["gone"]), None).unwrap();
    assert_eq!(told(&events), [("gone", RecordingState::Failed, 0)]);
    assert_eq!(fs::read(dir.join("music.wav")).unwrap(), wav_header(Law::Alaw, 0));
    assert!(!dir.join("music.json").exists());
    let manifest = read_manifest(&dir, &unheard).unwrap().unwrap();
    assert_eq!((manifest.written_ms, manifest.expected_ms), (20, 20));
}

const KEYS: &str = "k:000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";

fn sealed(name: &str, sound: &[u8], end: bool) -> Vec<u8> {
    let keys = KeyRing::parse(KEYS).unwrap();
    let (mut sealer, head) = Sealer::begin(Form::Sound(Law::Alaw), name, &keys, &Drawn::from(&[3; 51])).unwrap();
    let mut file = head.to_vec();
    sealer.push(sound, &mut file).unwrap();
    if end {
        sealer.finish(&mut file).unwrap();
    }
    file
}

#[test]
fn a_sealed_file_keeps_its_whole_chunks_wherever_it_was_cut() {
    let data = tempfile::tempdir().unwrap();
    let dir = recordings_dir(data.path());
    fs::create_dir(&dir).unwrap();
    let keys = KeyRing::parse(KEYS).unwrap();
    let whole = sealed("r", &[0x55; 3 * Layout::SOUND + 160], true);
    let path = dir.join("r.wav.sealed");
    let cuts = [SEALED_HEAD_LEN, SEALED_HEAD_LEN + 7, SEALED_HEAD_LEN + SEALED_CHUNK, whole.len() - 1, whole.len()];
    for (cut, written_ms) in cuts.into_iter().zip([0, 0, 50, 150, 160]) {
        fs::write(&path, &whole[..cut]).unwrap();
        let folder = floor(&["r"]);
        let events = mend_recordings(data.path(), &folder, Some(&keys)).unwrap();
        assert_eq!(told(&events), [("r", RecordingState::Partial, written_ms)], "cut at {cut}");
        let manifest = read_manifest(&dir, "r").unwrap().unwrap();
        assert_eq!((manifest.file.as_str(), manifest.written_ms), ("r.wav.sealed", written_ms));
        let file = File::open(&path).unwrap();
        let read = |buf: &mut [u8], at| file.read_exact_at(buf, at);
        let reader = SealedReader::open(file.metadata().unwrap().len(), "r", &keys, read).unwrap();
        assert_eq!((reader.file_len(), Some(sha256(reader).unwrap())), (58 + written_ms * 16, manifest.sha256));
        assert_eq!(mend_recordings(data.path(), &folder, Some(&keys)).unwrap(), events, "once is enough");
        fs::remove_file(dir.join("r.json")).unwrap();
    }
    // A power failure may leave zeros where chunks were.
    let mut torn = sealed("r", &[0x55; 3 * Layout::SOUND], false);
    let last = torn.len() - SEALED_CHUNK;
    torn[last..].fill(0);
    fs::write(&path, torn).unwrap();
    let events = mend_recordings(data.path(), &floor(&["r"]), Some(&keys)).unwrap();
    assert_eq!(told(&events), [("r", RecordingState::Partial, 100)]);
}

#[test]
fn a_sealed_file_without_its_key_is_left_for_the_start_that_has_it() {
    let data = tempfile::tempdir().unwrap();
    let dir = recordings_dir(data.path());
    fs::create_dir(&dir).unwrap();
    let name = CallId::new(1, 1).to_string();
    let path = dir.join(format!("{name}.wav.sealed"));
    let file = sealed(&name, &[0x55; 2 * Layout::SOUND], false);
    fs::write(&path, &file).unwrap();
    let other = KeyRing::parse(&KEYS.replace("k:", "other:")).unwrap();
    for keys in [None, Some(&other)] {
        let events = mend_recordings(data.path(), &floor(&[&name]), keys).unwrap();
        assert_eq!(told(&events), [(name.as_str(), RecordingState::Partial, 100)]);
        assert!(fs::read(&path).unwrap() == file && read_manifest(&dir, &name).unwrap().is_none());
    }
    let keys = KeyRing::parse(KEYS).unwrap();
    mend_recordings(data.path(), &Folder::default(), Some(&keys)).unwrap();
    assert_eq!(read_manifest(&dir, &name).unwrap().unwrap().written_ms, 100);
}
