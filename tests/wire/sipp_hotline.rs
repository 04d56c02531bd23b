//! The whole first call with sipp as the caller: the welcome, two keys, the queue, an agent, and what is left of it.

use trunkline::journal::{HangupBy, RecordingState, SegmentEnd};
use trunkline::records::Disposition;

use super::daemon::Daemon;
use super::queue::agent;
use super::sipp::{SWITCH_HANGS_UP, Sipp, call};
use super::{pcap, tone};

const CALLER_HZ: f64 = 440.0;
const AGENT_HZ: f64 = 1_000.0;

#[test]
fn two_keys_from_sipp_reach_an_agent_and_leave_a_record_and_a_recording() {
    let mut daemon = Daemon::start();
    let mut agent = agent(&daemon, "1001");
    // English, cutting the welcome short, and then support, which is kept until the notice has been played.
    let speech = tempfile::NamedTempFile::with_suffix(".pcap").expect("a file");
    std::fs::write(speech.path(), pcap::speech(CALLER_HZ, 1_500, &[(25, '2'), (75, '2')])).expect("written");
    let says = format!("<nop><action><exec play_pcap_audio=\"{}\"/></action></nop>\n", speech.path().display());
    let caller = Sipp::start(&daemon, &call("4000", &(says + SWITCH_HANGS_UP)), &["-m", "1"]);

    let invite = agent.expect_invite();
    assert!(invite.header("From").contains("support"), "{invite:?}");
    agent.ring(&invite);
    agent.answer(&invite);
    assert!(tone::share(&agent.ear.hear(150)[8_000..], CALLER_HZ) > 0.9, "the agent hears the caller");
    agent.hang_up();
    caller.finish();
    daemon.until_idle();

    let records = daemon.stop();
    let [record] = records.as_slice() else { panic!("{records:?}") };
    assert_eq!((record.disposition, record.hangup_by), (Disposition::Answered, HangupBy::Agent));
    assert_eq!(record.language.as_deref(), Some("en"));
    assert_eq!((record.segments.len(), record.segments[0].end_reason), (1, SegmentEnd::Agent));
    assert!(record.wait_ms >= record.ring_ms && record.talk_ms >= 2_900, "{record:?}");
    let recording = record.recording.as_ref().expect("recorded");
    assert_eq!(recording.state, Some(RecordingState::Complete));
    let (left, right) = tone::channels(&daemon.recording(record));
    let middle = left.len() / 4..left.len() * 3 / 4;
    assert!(tone::share(&left[middle.clone()], CALLER_HZ) > 0.9, "the caller is on the left");
    assert!(tone::share(&right[middle], AGENT_HZ) > 0.9, "the agent is on the right");
}
