//! How loud prompts and music are: as their files, as the settings say, or as the plan does.

use trunkline::codec::tone::energy_at;

use super::daemon::{Daemon, own_address, wait};
use super::long_prompt::{prompts, tones};
use super::phone::Phone;
use super::queue::caller;

const HZ: f64 = 700.0;
const LONG_HZ: f64 = 1_300.0;
const MUSIC_HZ: f64 = 1_900.0;

/// Plays a tone at several volumes, one after another, then a file that is read from the disk.
const PLAN: &str = r#"
[flow.loud]
start = "answer"
language = "zh"
[flow.loud.step]
answer = { do = "answer", next = "soft" }
soft = { do = "menu", prompt = [{ prompt = "line_works", volume = -20 }], timeout = "1s", keys = { 1 = "plain" }, no_input = "bye" }
plain = { do = "menu", prompt = ["line_works"], timeout = "1s", keys = { 1 = "loud" }, no_input = "bye" }
loud = { do = "menu", prompt = [{ prompt = "line_works", volume = 6 }], timeout = "1s", keys = { 1 = "long" }, no_input = "bye" }
long = { do = "menu", prompt = [{ prompt = "welcome", volume = -12 }], timeout = "1s", keys = { 1 = "wait" }, no_input = "bye" }
wait = { do = "queue", queue = "quiet" }
bye = { do = "hangup" }

[queue.quiet]
members = ["1001-1004"]
music = "tune"
music_volume = -18
"#;

/// Waits until half a second of a tone is heard at so many decibels beside its file's level.
fn hears(caller: &mut Phone, hz: f64, db: f64) {
    let full = 8_000f64.powi(2) / 2.0;
    let levels = std::cell::RefCell::new(Vec::new());
    let heard = || {
        let level = 10.0 * (energy_at(&caller.ear.hear(25), hz, 8_000).max(1.0) / full).log10();
        levels.borrow_mut().push(level);
        (level - db).abs() < 1.0
    };
    wait(heard, || format!("{hz} Hz is not heard at {db} dB: {:.1?}", levels.borrow()));
}

fn floor(settings: &'static str) -> (Daemon, tempfile::TempDir) {
    let long = tones(&[(70, LONG_HZ)]);
    let folder = prompts(&[("zh/line_works", tones(&[(20, HZ)])), ("zh/welcome", long)]);
    std::fs::write(folder.path().join("tune.wav"), tones(&[(4, MUSIC_HZ)])).expect("written");
    let plan = |plan: String| format!("{}\n{PLAN}", plan.replace("flow = \"short_prompt\"", "flow = \"loud\""));
    // The carrier's callers may have wide sound.
    let carrier = "[trunk.carrier]\ncodecs = [\"PCMA\", \"G722\"]\n";
    let set = |all: String| format!("{}\n{settings}", all.replacen("[trunk.carrier]\n", carrier, 1));
    let path = folder.path().display().to_string();
    (Daemon::start_set(own_address(), set, plan, &[("TRUNKLINE__PROMPTS", &path)]), folder)
}

/// Goes through the plan by its keys; the tone of which nothing is said is as loud as `usual_db`.
fn listen(mut caller: Phone, usual_db: f64) {
    caller.call("4003");
    hears(&mut caller, HZ, -20.0);
    caller.ear.press('1');
    hears(&mut caller, HZ, usual_db);
    caller.ear.press('1');
    hears(&mut caller, HZ, 6.0);
    caller.ear.press('1');
    hears(&mut caller, LONG_HZ, -12.0);
    caller.ear.press('1');
    hears(&mut caller, MUSIC_HZ, -18.0);
    caller.hang_up();
}

#[test]
fn prompts_and_music_are_as_loud_as_the_plan_says() {
    let (mut daemon, _prompts) = floor("");
    listen(caller(&daemon), 0.0);
    daemon.until_idle();
    daemon.stop();
}

#[test]
fn what_the_plan_leaves_open_is_as_loud_as_the_settings_say_in_wide_codecs_too() {
    let (mut daemon, _prompts) = floor("[volume]\nprompts = -9\nmusic = 3\n");
    listen(caller(&daemon), -9.0);
    listen(caller(&daemon).wideband(), -9.0);
    daemon.until_idle();
    daemon.stop();
}
