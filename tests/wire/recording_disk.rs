//! The disk of the recordings is full, or does not answer: an alarm within five seconds, conversations go on, and only those that must
//! be recorded are not put through.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use trunkline::journal::RecordingState;

use super::daemon::{Daemon, wait, without_acw};
use super::queue::{agent, caller, conversation};
use super::tone;

const CALLER_HZ: f64 = 440.0;
const AGENT_HZ: f64 = 1_000.0;
/// How soon an alarm has to be there.
const ALARM: Duration = Duration::from_secs(5);

/// A small disk of its own; needs root, as networks of their own do.
struct SmallDisk(PathBuf);

impl SmallDisk {
    fn mount(at: &Path, megabytes: u32) -> Self {
        let size = format!("size={megabytes}m");
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", &size, "tmpfs"]).arg(at).status();
        assert!(mounted.expect("mount runs").success(), "a tmpfs can be mounted");
        Self(at.to_owned())
    }

    /// Fills it to its last octet.
    fn fill(&self) {
        let zeros = std::fs::File::open("/dev/zero").expect("zeros");
        let mut filler = std::fs::File::create(self.0.join("filler")).expect("a file");
        let error = std::io::copy(&mut { zeros }, &mut filler).expect_err("it is full at last");
        assert_eq!(error.kind(), std::io::ErrorKind::StorageFull);
    }

    fn free(&self) {
        std::fs::remove_file(self.0.join("filler")).expect("there");
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

/// The plan whose queue `sales` (number 4005) takes nobody who is not recorded.
fn strict(plan: String) -> String {
    let step = "[flow.sales_direct.step.queue]\ndo = \"queue\"\nqueue = \"sales\"\nrecord = true\n";
    let otherwise =
        "[flow.sales_direct.step.unavailable]\ndo = \"hangup\"\ncode = 503\ncause = \"recording_unavailable\"\n";
    without_acw(plan).replacen("[queue.sales]\n", "[queue.sales]\nrecording = \"required\"\n", 1).replacen(
        step,
        &format!("{otherwise}\n{step}unrecorded = \"unavailable\"\n"),
        1,
    )
}

/// A floor whose recordings lie on a disk of 24 MB, of which 4 are to be left.
fn on_small_disk() -> (Daemon, SmallDisk) {
    let mut daemon = Daemon::start_with(strict, &[("TRUNKLINE__RECORDING__MIN_FREE_MB", "4")]);
    daemon.kill();
    let disk = SmallDisk::mount(&daemon.data_dir().join("recordings"), 24);
    daemon.run();
    (daemon, disk)
}

fn alarms(daemon: &Daemon) -> Value {
    let ready = daemon.json("/readyz");
    assert_eq!(ready["ready"], true, "calls go on: {ready}");
    ready["alarms"].clone()
}

/// Waits for an alarm, which must not take longer than it may; `[]` for none.
fn until_alarms(daemon: &Daemon, expected: &[&str]) -> Duration {
    let since = Instant::now();
    wait(|| alarms(daemon) == Value::from(expected), || format!("alarms stay {}", alarms(daemon)));
    since.elapsed()
}

fn alarm_metric(daemon: &Daemon, reason: &str) -> f64 {
    daemon.metric(&format!("trunkline_recording_alarm{{reason=\"{reason}\"}}"))
}

#[test]
fn a_full_disk_is_told_at_once_and_only_calls_that_must_be_recorded_are_refused() {
    let (mut daemon, disk) = on_small_disk();
    until_alarms(&daemon, &[]);
    let (mut talking, talker) = conversation(&daemon);
    talker.ear.hear(60);
    // Nobody serves this one yet, so it waits.
    let mut waiting = caller(&daemon);
    waiting.call("4005");
    daemon.json_until("/api/v1/calls", |calls| calls["items"][1]["state"] == "waiting");

    disk.fill();
    let took = until_alarms(&daemon, &["recordings_full"]);
    assert!(took < ALARM, "the alarm took {took:?}");
    assert_eq!((alarm_metric(&daemon, "full"), alarm_metric(&daemon, "stalled")), (1.0, 0.0));
    assert!(daemon.log().contains("recordings cannot be written: calls go on without"), "{}", daemon.log());
    let bye = waiting.expect_bye();
    assert!(bye.header("Reason").contains("503"), "who waits in vain is told: {bye:?}");

    // Conversations go on, and begin.
    assert!(tone::share(&talker.ear.hear(60)[4_800..], CALLER_HZ) > 0.9, "the agent hears the caller");
    assert!(tone::share(&talking.ear.hear(60)[4_800..], AGENT_HZ) > 0.9, "the caller hears the agent");
    let (mut second, mut other) = (agent(&daemon, "1002"), caller(&daemon));
    other.call("4001");
    let invite = second.expect_invite();
    second.answer(&invite);
    assert!(tone::share(&other.ear.hear(60)[4_800..], AGENT_HZ) > 0.9, "and so does a new one");
    other.hang_up();
    second.expect_bye();
    // But for those that must be recorded.
    let mut strict = agent(&daemon, "1005");
    let mut refused = caller(&daemon);
    refused.call("4005");
    let bye = refused.expect_bye();
    assert!(bye.header("Reason").contains("503"), "{bye:?}");
    assert_eq!(daemon.metric("trunkline_recording_refused_calls_total"), 2.0);
    assert!(daemon.metric("trunkline_recording_lost_ms_total") > 500.0);

    disk.free();
    until_alarms(&daemon, &[]);
    assert_eq!(alarm_metric(&daemon, "full"), 0.0);
    let mut taken = caller(&daemon);
    taken.call("4005");
    let invite = strict.expect_invite();
    strict.answer(&invite);
    assert!(tone::share(&taken.ear.hear(80)[4_800..], AGENT_HZ) > 0.9);
    taken.hang_up();
    strict.expect_bye();
    talker.ear.hear(60);
    talking.hang_up();
    talker.expect_bye();

    let records = daemon.stop();
    let causes: Vec<_> = records.iter().filter(|record| record.cause.text == "recording_unavailable").collect();
    assert_eq!(causes.len(), 2, "{records:?}");
    assert!(causes.iter().all(|record| record.cause.code == 503 && record.recording.is_none()));
    let whole = records.iter().filter_map(|record| record.recording.as_ref());
    assert_eq!(whole.clone().filter(|recording| recording.state == Some(RecordingState::Complete)).count(), 1);
    // The one that began before and ended after: silence stands for what is lost, and the time line is right.
    let record = &records.iter().max_by_key(|record| record.talk_ms).expect("a conversation");
    let recording = record.recording.as_ref().expect("recorded");
    assert_eq!(recording.state, Some(RecordingState::Partial), "{recording:?}");
    let (left, _) = tone::channels(&daemon.recording(record));
    let ms = left.len() as u64 / 8;
    assert!(ms.abs_diff(record.talk_ms) <= 100 && recording.written_ms < ms, "{ms} ms of {record:?}");
    assert!(tone::share(&left[2_000..6_000], CALLER_HZ) > 0.9, "before");
    assert!(tone::share(&left[left.len() - 6_000..left.len() - 2_000], CALLER_HZ) > 0.9, "and after");
    let longest = left.chunk_by(|a, b| (a.unsigned_abs() <= 8) == (b.unsigned_abs() <= 8));
    let longest = longest.filter(|run| run[0].unsigned_abs() <= 8).map(<[i16]>::len).max();
    let lost = ((ms - recording.written_ms) * 8) as usize;
    assert!(longest.is_some_and(|longest| longest.abs_diff(lost) <= 800), "{longest:?} of {lost} samples lost");
}

/// Makes every write of one thread take longer than the test: a disk that does not answer.
struct Stall(Child);

impl Stall {
    fn begin(daemon: &Daemon) -> Self {
        let tasks = std::fs::read_dir(format!("/proc/{}/task", daemon.pid())).expect("threads");
        let writer = tasks.flatten().find(|task| {
            std::fs::read_to_string(task.path().join("comm")).is_ok_and(|name| name.trim() == "recordings")
        });
        let writer = writer.expect("a thread that writes recordings").file_name();
        let strace = Command::new("strace")
            .args([
                "-qq",
                "-o",
                "/dev/null",
                "-e",
                "trace=pwrite64",
                "-e",
                "inject=pwrite64:delay_enter=60000000",
                "-p",
            ])
            .arg(writer)
            .stdin(Stdio::null())
            .spawn();
        Self(strace.expect("strace runs"))
    }

    fn end(mut self) {
        self.0.kill().expect("running");
        self.0.wait().expect("a child");
    }
}

#[test]
fn a_disk_that_does_not_answer_is_told_and_what_was_said_is_written_when_it_does() {
    let mut daemon = Daemon::start_with(strict, &[]);
    let (mut talking, talker) = conversation(&daemon);
    talker.ear.hear(60);
    let stall = Stall::begin(&daemon);
    let took = until_alarms(&daemon, &["recordings_stalled"]);
    assert!(took < ALARM, "the alarm took {took:?}");
    assert_eq!(alarm_metric(&daemon, "stalled"), 1.0);
    assert!(tone::share(&talker.ear.hear(60)[4_800..], CALLER_HZ) > 0.9, "the conversation goes on");
    let mut refused = caller(&daemon);
    refused.call("4005");
    assert!(refused.expect_bye().header("Reason").contains("503"));
    stall.end();
    until_alarms(&daemon, &[]);
    talking.hang_up();
    talker.expect_bye();
    let records = daemon.stop();
    let record = records.iter().find(|record| record.talk_ms > 0).expect("a conversation");
    let recording = record.recording.as_ref().expect("recorded");
    assert_eq!(recording.state, Some(RecordingState::Complete), "nothing was lost: {recording:?}");
    let (left, _) = tone::channels(&daemon.recording(record));
    assert!(tone::share(&left[2_000..left.len() - 2_000], CALLER_HZ) > 0.9);
}
