//! The caller leaves before anybody speaks.

use trunkline::journal::SegmentEnd;
use trunkline::records::Disposition;

use super::daemon::Daemon;
use super::queue::{agent, caller};

#[test]
fn abandon_while_waiting() {
    let mut daemon = Daemon::start();
    let mut caller = caller(&daemon);
    caller.call("4001");
    // Through the notice into the music.
    caller.ear.hear(260);
    caller.hang_up();
    let records = daemon.stop();
    assert_eq!(records[0].disposition, Disposition::Abandoned);
    assert!(records[0].queue_entered.is_some() && records[0].recording.is_none(), "{:?}", records[0]);
}

#[test]
fn abandon_while_ringing() {
    let mut daemon = Daemon::start();
    let (mut agent, mut caller) = (agent(&daemon, "1001"), caller(&daemon));
    caller.call("4001");
    let invite = agent.expect_invite();
    agent.ring(&invite);
    // A tenth of a second of music, so that there is a wait to be measured.
    caller.ear.hear(5);
    caller.hang_up();
    let cancel = agent.expect("CANCEL", |text| text.is("CANCEL"));
    agent.reply(&cancel, "200 OK", "");
    agent.reply_tagged(&invite, "487 Request Terminated", "");
    agent.expect("ACK", |text| text.is("ACK"));
    // The agent is as free as before.
    let mut next = self::caller(&daemon);
    next.call("4001");
    let invite = agent.expect_invite();
    agent.answer(&invite);
    next.hang_up();
    agent.expect_bye();
    let records = daemon.stop();
    let abandoned = records.iter().find(|record| record.disposition == Disposition::Abandoned).expect("abandoned");
    assert_eq!(abandoned.segments[0].end_reason, SegmentEnd::CallerLeft);
    assert!(abandoned.wait_ms > 0, "{abandoned:?}");
}
