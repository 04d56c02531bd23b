//! A prompt that is too long for the memory: played from the disk, to its end, without a gap.

use std::path::Path;

use trunkline::records::Disposition;

use super::daemon::{Daemon, wait, without_acw};
use super::queue::{CALLER_HZ, caller};
use super::tone;

/// Seconds of the prompt.
const LENGTH_S: usize = 70;
const FIRST_HZ: f64 = 700.0;
const LATER_HZ: f64 = 1_300.0;

/// A prompt of tones, each so many seconds.
pub fn tones(tones: &[(usize, f64)]) -> Vec<u8> {
    let spec = hound::WavSpec {
        channels: 1,
        sample_rate: 16_000,
        bits_per_sample: 16,
        sample_format: hound::SampleFormat::Int,
    };
    let mut bytes = std::io::Cursor::new(Vec::new());
    let mut writer = hound::WavWriter::new(&mut bytes, spec).expect("a writer");
    for (seconds, hz) in tones {
        for sample in 0..seconds * 16_000 {
            let turn = sample as f64 * hz / 16_000.0 * std::f64::consts::TAU;
            writer.write_sample((turn.sin() * 8_000.0) as i16).expect("written");
        }
    }
    writer.finalize().expect("written");
    bytes.into_inner()
}

/// The demo's folder of prompts, some of them (as "zh/line_works") replaced.
pub fn prompts(own: &[(&str, Vec<u8>)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    let demo = Path::new(env!("CARGO_MANIFEST_DIR")).join("dialplans/prompts");
    for language in ["zh", "en"] {
        std::fs::create_dir(folder.path().join(language)).expect("made");
        for file in std::fs::read_dir(demo.join(language)).expect("prompts") {
            let file = file.expect("a file");
            let to = folder.path().join(language).join(file.file_name());
            std::os::unix::fs::symlink(file.path(), to).expect("linked");
        }
    }
    std::fs::copy(demo.join("catalogue.toml"), folder.path().join("catalogue.toml")).expect("copied");
    for (name, bytes) in own {
        let file = folder.path().join(format!("{name}.wav"));
        std::fs::remove_file(&file).expect("a prompt of the demo");
        std::fs::write(&file, bytes).expect("written");
    }
    folder
}

/// The files that are kept of long prompts, and when they were made.
fn kept(daemon: &Daemon) -> Vec<(std::ffi::OsString, std::time::SystemTime)> {
    let files = std::fs::read_dir(daemon.data_dir().join("prompts")).expect("a folder");
    let files = files.map(|file| file.expect("a file"));
    files.map(|file| (file.file_name(), file.metadata().expect("there").modified().expect("a time"))).collect()
}

#[test]
fn a_long_prompt_is_played_from_the_disk_and_its_file_is_made_once() {
    // It becomes another tone where the chunk ends that is kept in memory.
    let folder = prompts(&[("zh/line_works", tones(&[(10, FIRST_HZ), (LENGTH_S - 10, LATER_HZ)]))]);
    let prompts = folder.path().display().to_string();
    let mut daemon = Daemon::start_with(without_acw, &[("TRUNKLINE__PROMPTS", &prompts)]);
    let mut caller = caller(&daemon);
    caller.call("4003");
    wait(|| tone::share(&caller.ear.hear(25), FIRST_HZ) > 0.9, || "the beginning is not heard".to_owned());
    // Ten seconds of it are in memory; the disk is read well before they are over.
    wait(|| tone::share(&caller.ear.hear(25), LATER_HZ) > 0.9, || "nothing comes from the disk".to_owned());
    let heard = caller.ear.hear(250);
    assert!(heard.chunks(800).all(|piece| tone::share(piece, LATER_HZ) > 0.9), "there is a gap");
    assert!(tone::share(&heard, CALLER_HZ) < 0.01);
    assert_eq!(daemon.metric("trunkline_prompt_late_ms_total"), 0.0);
    caller.hang_up();
    daemon.until_idle();
    let made = kept(&daemon);
    assert_eq!(made.len(), 1, "{made:?}");
    assert_eq!(daemon.stop()[0].disposition, Disposition::Abandoned);
    daemon.run();
    assert_eq!(kept(&daemon), made, "it is made once");
    // A file that is gone ends the prompt, and the caller does not wait in silence for ever.
    std::fs::remove_file(daemon.data_dir().join("prompts").join(&made[0].0)).expect("removed");
    caller.call("4003");
    caller.expect_bye();
    daemon.until_idle();
    assert!(daemon.log().contains("a long prompt cannot be read"), "{}", daemon.log());
    daemon.stop();
}
