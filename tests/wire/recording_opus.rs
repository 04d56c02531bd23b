//! Recordings compressed to Ogg Opus once they are closed; another decoder than ours says what is in them.

use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use trunkline::records::CallRecord;

use super::daemon::{Daemon, wait, without_acw};
use super::queue::conversation;
use super::tone;

const CALLER_HZ: f64 = 440.0;
const AGENT_HZ: f64 = 1_000.0;
const KEY: &str = "2026:f00102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";

/// The names of the files of recordings, in order.
fn files(daemon: &Daemon) -> Vec<String> {
    let entries = std::fs::read_dir(daemon.data_dir().join("recordings")).expect("the folder");
    let mut names: Vec<_> = entries.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

/// What a file of Ogg Opus holds: caller and agent at 8 kHz, by the reference decoder.
fn decode(ogg: &[u8]) -> (Vec<i16>, Vec<i16>) {
    let folder = tempfile::tempdir().expect("a folder");
    let (from, to) = (folder.path().join("in.opus"), folder.path().join("out.wav"));
    std::fs::write(&from, ogg).expect("written");
    let done = Command::new("opusdec").args(["--quiet", "--rate", "8000"]).args([&from, &to]).status();
    assert!(done.expect("opusdec runs").success(), "the reference decoder takes it");
    let mut wav = hound::WavReader::open(&to).expect("a WAV file");
    assert_eq!((wav.spec().channels, wav.spec().sample_rate), (2, 8_000));
    let samples: Vec<i16> = wav.samples().map(|sample| sample.expect("a sample")).collect();
    let side = |side: usize| samples.iter().skip(side).step_by(2).copied().collect();
    (side(0), side(1))
}

/// A recorded conversation on a floor that compresses, once it is compressed; its record.
fn compressed(environment: &[(&str, &str)], ending: &str) -> (Daemon, CallRecord) {
    let compress = ("TRUNKLINE__RECORDING__COMPRESS", "opus");
    let mut daemon = Daemon::start_with(without_acw, &[&[compress], environment].concat());
    let (mut caller, agent) = conversation(&daemon);
    agent.ear.hear(150);
    caller.hang_up();
    agent.expect_bye();
    let is_done = |files: &[String]| files.len() == 2 && files.iter().any(|file| file.ends_with(ending));
    wait(|| is_done(&files(&daemon)), || format!("not compressed: {:?}", files(&daemon)));
    let mut records = daemon.stop();
    (daemon, records.remove(0))
}

fn check(daemon: &mut Daemon, record: &CallRecord, file: &str) {
    let call = record.call_id.to_string();
    assert_eq!(files(daemon), [format!("{call}.json"), format!("{call}.{file}")]);
    for file in files(daemon) {
        let about = daemon.data_dir().join("recordings").join(&file).metadata().expect("there");
        assert_eq!(about.permissions().mode() & 0o777, 0o600, "{file} is nobody else's");
    }
    let manifest = super::recording_pause::manifest(daemon, record);
    let recording = record.recording.as_ref().expect("recorded");
    assert_eq!(manifest["recorded_sha256"].as_str(), recording.sha256.as_deref(), "{manifest}");
    daemon.run();
    let path = format!("GET /api/v1/records/{call}/recording");
    let (status, head, ogg) = daemon.http(&path, "", "");
    assert!(status == 200 && head.contains("content-type: audio/ogg; codecs=opus"), "{head}");
    use sha2::{Digest, Sha256};
    let hash: String = Sha256::digest(&ogg).iter().map(|octet| format!("{octet:02x}")).collect();
    assert_eq!(manifest["sha256"], hash.as_str());
    assert!(head.contains(&hash), "as the ETag: {head}");
    let part = daemon.http(&path, "Range: bytes=4000-4999\r\n", "");
    assert!(part.0 == 206 && part.2 == ogg[4_000..5_000]);
    let (left, right) = decode(&ogg);
    assert!((left.len() as u64).abs_diff(recording.written_ms * 8) <= 8, "{} of {recording:?}", left.len());
    for (sound, own, other) in [(left, CALLER_HZ, AGENT_HZ), (right, AGENT_HZ, CALLER_HZ)] {
        let middle = &sound[4_000..16_000];
        assert!(tone::share(middle, own) > 0.9 && tone::share(middle, other) < 0.01);
        let loudest = middle.iter().map(|sample| sample.unsigned_abs()).max();
        assert!(loudest.is_some_and(|loudest| (6_000..10_000).contains(&loudest)), "{loudest:?}");
    }
    assert_eq!(daemon.run_command(&["recording", "verify"]), "1 right, 0 wrong\n");
    daemon.stop();
}

#[test]
fn a_closed_recording_becomes_ogg_opus_with_both_channels_apart() {
    let (mut daemon, record) = compressed(&[], ".opus");
    check(&mut daemon, &record, "opus");
}

#[test]
fn a_sealed_recording_stays_sealed_when_it_is_compressed() {
    let (mut daemon, record) = compressed(&[("TRUNKLINE_RECORDING_KEYS", KEY)], ".opus.sealed");
    let file = std::fs::read(daemon.data_dir().join("recordings").join(format!("{}.opus.sealed", record.call_id)));
    assert!(!file.expect("there").windows(4).any(|window| window == b"OggS"), "nothing is in the clear");
    check(&mut daemon, &record, "opus.sealed");
}

#[test]
fn what_was_closed_before_and_what_a_kill_interrupted_is_compressed_by_the_next_start() {
    let mut daemon = Daemon::start();
    let (mut caller, agent) = conversation(&daemon);
    agent.ear.hear(150);
    caller.hang_up();
    agent.expect_bye();
    let records = daemon.stop();
    let (record, dir) = (&records[0], daemon.data_dir().join("recordings"));
    let call = record.call_id.to_string();
    // Half a file of a compressor that was killed.
    std::fs::write(dir.join(format!("{call}.opus.new")), b"OggS").expect("written");
    let wav = daemon.recording(record);
    daemon.set("TRUNKLINE__RECORDING__COMPRESS", "opus");
    daemon.run();
    wait(
        || files(&daemon).contains(&format!("{call}.opus")) && files(&daemon).len() == 2,
        || format!("{:?}", files(&daemon)),
    );
    daemon.kill();
    // It was killed before it took the older file away.
    std::fs::write(dir.join(format!("{call}.wav")), &wav).expect("written");
    daemon.run();
    wait(|| files(&daemon).len() == 2, || format!("{:?}", files(&daemon)));
    daemon.stop();
    check(&mut daemon, record, "opus");
}
