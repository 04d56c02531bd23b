//! Recordings at rest: sealed under a key of their own, which a master key wraps. No sound is on the disk in the clear, not after a
//! kill either; players read from any place on; keys rotate; what was done to a file is found.

use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use trunkline::journal::RecordingState;
use trunkline::records::CallRecord;

use super::daemon::{Daemon, wait, without_acw};
use super::phone::Phone;
use super::queue::conversation;
use super::tone;

const FIRST: &str = "2025:000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";
const SECOND: &str = "2026:f00102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";
/// Eight samples of it are a period, so each frame is the same: what a disk must not hold is easily found.
const PLAIN_HZ: f64 = 1_000.0;

/// A floor whose keys lie in a file, and that file.
fn sealed() -> (Daemon, tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("keys");
    std::fs::write(&file, FIRST).expect("written");
    let path = file.display().to_string();
    (Daemon::start_with(without_acw, &[("TRUNKLINE__RECORDING__KEY_FILE", &path)]), folder, file)
}

/// The files under a folder that hold a period of the tone or of silence as recordings do: caller and agent by turns.
fn in_the_clear(folder: &Path) -> Vec<PathBuf> {
    let tone = tone::frame(PLAIN_HZ, 0);
    let both: Vec<u8> = tone.iter().take(32).flat_map(|octet| [*octet, *octet]).collect();
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).expect("a folder").flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let bytes = std::fs::read(&path).unwrap_or_default();
            // One channel is enough to give it away, whatever the other one holds and wherever a period begins.
            let gives_away = |window: &[u8]| {
                let one = |side: usize| {
                    (0..8).all(|at| window[side + 2 * at] == tone[at]) && window[side] != window[side + 4]
                };
                one(0) || one(1)
            };
            if bytes.windows(17).any(gives_away) || bytes.windows(both.len()).any(|window| window == both) {
                found.push(path);
            }
        }
    }
    found
}

/// A conversation in which both sides send the tone that is looked for.
fn talk(daemon: &Daemon) -> (Phone, Phone) {
    let (caller, agent) = conversation(daemon);
    caller.ear.sing(PLAIN_HZ);
    agent.ear.sing(PLAIN_HZ);
    agent.ear.until(5, PLAIN_HZ);
    agent.ear.hear(100);
    (caller, agent)
}

fn path_of(daemon: &Daemon, record: &CallRecord) -> PathBuf {
    let id = &record.recording.as_ref().expect("recorded").id;
    daemon.data_dir().join("recordings").join(format!("{id}.wav.sealed"))
}

/// What a player gets of a call's recording, of these octets where they are named.
fn play(daemon: &Daemon, call: &str, range: &str) -> (u16, String, Vec<u8>) {
    let extra = if range.is_empty() { String::new() } else { format!("Range: bytes={range}\r\n") };
    daemon.http(&format!("GET /api/v1/records/{call}/recording"), &extra, "")
}

#[test]
fn a_kill_leaves_no_sound_in_the_clear_and_the_next_start_mends_what_is_sealed() {
    let (mut plain, mut daemon) = (Daemon::start(), sealed());
    // The search finds what a plain floor leaves, or finding nothing would prove nothing.
    let _plain = talk(&plain);
    plain.kill();
    assert!(!in_the_clear(&plain.data_dir()).is_empty());
    let (daemon, _folder, _) = (&mut daemon.0, &daemon.1, &daemon.2);
    let (caller, agent) = talk(daemon);
    wait(|| daemon.recorded_bytes() > 30_000, || "nothing is written".to_owned());
    let killed = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_millis() as u64;
    daemon.kill();
    assert_eq!(in_the_clear(&daemon.data_dir()), Vec::<PathBuf>::new(), "after a kill");
    daemon.run();
    caller.expect_bye();
    agent.expect_bye();
    let records = daemon.stop();
    let [record] = records.as_slice() else { panic!("{records:?}") };
    let recording = record.recording.as_ref().expect("recorded");
    assert_eq!(recording.state, Some(RecordingState::Partial));
    let manifest = super::recording_pause::manifest(daemon, record);
    // Not what the file expects of itself, which a file that was written late would have short: what was said until the kill.
    let said_ms = killed - manifest["started"].as_u64().expect("when it began");
    assert!(recording.written_ms + 1_000 >= said_ms, "a second at most of {said_ms} ms: {recording:?}");
    assert_eq!(manifest["cues"][0]["cue"], "agent", "cues come from the journal: {manifest}");
    assert_eq!(in_the_clear(&daemon.data_dir()), Vec::<PathBuf>::new(), "after it was mended");
    daemon.run();
    let (status, _, wav) = play(daemon, &record.call_id.to_string(), "");
    assert_eq!((status, wav.len() as u64), (200, 58 + recording.written_ms * 16));
    let (left, _) = tone::channels(&wav);
    assert!(tone::share(&left[left.len() - 8_000..left.len() - 1_000], PLAIN_HZ) > 0.9);
    daemon.stop();
}

#[test]
fn players_read_from_any_place_on_and_a_changed_or_cut_file_is_found() {
    let (mut daemon, _folder, keys) = sealed();
    let (mut caller, agent) = talk(&daemon);
    caller.hang_up();
    agent.expect_bye();
    let records = daemon.stop();
    let record = &records[0];
    assert_eq!(record.recording.as_ref().expect("recorded").state, Some(RecordingState::Complete));
    let (call, path) = (record.call_id.to_string(), path_of(&daemon, record));
    daemon.run();
    let (status, head, wav) = play(&daemon, &call, "");
    assert!(status == 200 && head.contains("content-type: audio/wav"), "{head}");
    use sha2::{Digest, Sha256};
    let hash: String = Sha256::digest(&wav).iter().map(|octet| format!("{octet:02x}")).collect();
    assert_eq!(record.recording.as_ref().and_then(|recording| recording.sha256.as_ref()), Some(&hash));
    assert!(head.contains(&hash), "as the ETag: {head}");
    let (left, right) = tone::channels(&wav);
    for sound in [left, right] {
        assert!(tone::share(&sound[sound.len() / 2..sound.len() - 1_000], PLAIN_HZ) > 0.9);
    }
    for (range, part) in
        [("0-57", 0..58), ("50-70", 50..71), ("3200-9700", 3_200..9_701), ("20001-20001", 20_001..20_002)]
    {
        let (status, head, got) = play(&daemon, &call, range);
        assert!(status == 206 && got == wav[part], "{range}: {head}");
    }
    assert_eq!(play(&daemon, &call, "-10").2, wav[wav.len() - 10..]);
    let exported = daemon.data_dir().join("exported.wav");
    daemon.run_command(&["recording", "export", &call, "--to", &exported.display().to_string()]);
    assert_eq!(std::fs::read(&exported).expect("a file"), wav);

    // One octet in the middle: what lies before it plays, verify tells it.
    let whole = std::fs::read(&path).expect("the file");
    let mut changed = whole.clone();
    changed[120 + 8 * 816 + 5] ^= 1;
    std::fs::write(&path, &changed).expect("written");
    assert_eq!(play(&daemon, &call, "0-6000").2, wav[..6_001]);
    let told = daemon.try_command(&["recording", "verify"]);
    let told = (told.status.code(), String::from_utf8_lossy(&told.stderr).into_owned());
    assert!(told.0 == Some(1) && told.1.contains("chunk 8 is not what was sealed there"), "{told:?}");
    // Cut at a chunk, it does not even begin.
    std::fs::write(&path, &whole[..120 + 12 * 816]).expect("written");
    let (status, _, problem) = play(&daemon, &call, "");
    assert!(status == 500 && String::from_utf8_lossy(&problem).contains("it was cut"), "{status}");
    std::fs::write(&path, &whole).expect("written");
    assert_eq!(daemon.run_command(&["recording", "verify"]), "1 right, 0 wrong\n");
    daemon.stop();

    // Another key of the same name, and none of that name.
    for (text, reason) in [(FIRST.replace("0f", "ff"), "does not open under"), (SECOND.to_owned(), "is not among ours")]
    {
        std::fs::write(&keys, text).expect("written");
        let told = daemon.try_command(&["recording", "verify"]);
        let told = (told.status.code(), String::from_utf8_lossy(&told.stderr).into_owned());
        assert!(told.0 == Some(1) && told.1.contains(reason), "{told:?}");
    }
    std::fs::write(&keys, "2025:short").expect("written");
    let told = daemon.try_command(&["recording", "verify"]);
    let told = (told.status.code(), String::from_utf8_lossy(&told.stderr).into_owned());
    assert!(told.0 == Some(3) && told.1.contains("line 1 is no key") && !told.1.contains("short"), "{told:?}");
}

#[test]
fn a_new_key_seals_what_is_recorded_from_then_on_and_rekey_takes_the_old_one_out_of_use() {
    let (mut daemon, _folder, keys) = sealed();
    let (mut caller, agent) = talk(&daemon);
    caller.hang_up();
    agent.expect_bye();
    let before = daemon.stop();
    let made = daemon.run_command(&["recording", "rekey"]);
    assert_eq!(made, "0 wrapped under \"2025\", 1 under it already\n");
    std::fs::write(&keys, format!("{FIRST}\n{SECOND}\n")).expect("written");
    daemon.run();
    let (mut caller, agent) = talk(&daemon);
    caller.hang_up();
    agent.expect_bye();
    let after = daemon.stop();
    let newer = after.iter().find(|record| record.call_id != before[0].call_id).expect("another call");
    let key_of = |record: &CallRecord| {
        String::from_utf8_lossy(&std::fs::read(path_of(&daemon, record)).expect("there")[25..29]).into_owned()
    };
    assert_eq!((key_of(&before[0]), key_of(newer)), ("2025".to_owned(), "2026".to_owned()));
    let sound = |record: &CallRecord| std::fs::read(path_of(&daemon, record)).expect("there")[120..].to_vec();
    let untouched = sound(&before[0]);
    assert_eq!(daemon.run_command(&["recording", "rekey"]), "1 wrapped under \"2026\", 1 under it already\n");
    assert_eq!((key_of(&before[0]), sound(&before[0]) == untouched), ("2026".to_owned(), true));
    std::fs::write(&keys, SECOND).expect("written");
    daemon.run();
    for record in [&before[0], newer] {
        let (status, _, wav) = play(&daemon, &record.call_id.to_string(), "");
        assert!(status == 200 && tone::share(&tone::channels(&wav).0[8_000..16_000], PLAIN_HZ) > 0.9);
    }
    daemon.stop();
}
