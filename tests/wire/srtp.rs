//! Encrypted sound with keys in the description, as softphones do it; and who is refused.

use std::time::Instant;

use trunkline::records::Disposition;

use super::baresip::{Baresip, assert_heard};
use super::daemon::{Daemon, PATIENCE, own_address, wait, without_acw};
use super::{queue, tone};

/// The demo floor, whose agents are asked for `srtp`.
fn floor(srtp: &str) -> Daemon {
    let line = format!("[agent.\"1001-1004\"]\nsrtp = \"{srtp}\"");
    let set = |settings: String| settings.replace("[agent.\"1001-1004\"]", &line);
    Daemon::start_set(own_address(), set, without_acw, &[])
}

fn agent(daemon: &Daemon, secret: &str) -> Baresip {
    let host = daemon.host;
    let account = format!(
        "<sip:1001@{host};transport=udp>;auth_user=1001;auth_pass=demo;answermode=auto;regint=300;audio_codecs=pcma{secret}"
    );
    Baresip::registered(|| Baresip::start_with(&account, 1000, "module srtp.so\n"))
}

#[test]
fn an_encrypted_caller_and_a_plain_agent_hear_each_other() {
    let mut daemon = Daemon::start();
    let host = daemon.host;
    let agent = agent(&daemon, "");
    let caller = Baresip::start_with(
        &format!("<sip:13900139000@{host};transport=udp>;regint=0;audio_codecs=pcma;mediaenc=srtp-mand"),
        440,
        "module srtp.so\n",
    );
    caller.wait_for("baresip is ready");
    caller.type_in(&format!("/dial sip:4001@{host}\n"));
    agent.wait_for("Call established");
    let enough = || daemon.recorded_bytes() > 48_000;
    wait(enough, || format!("no recording grows\n{}\n{}", caller.log(), daemon.log()));
    caller.type_in("/hangup\n");
    wait(|| daemon.journal_has("recording_closed"), || "the recording is not closed".to_owned());
    assert!(!daemon.log().contains("inline:"), "keys are not logged");
    let records = daemon.stop();
    assert_eq!(records[0].disposition, Disposition::Answered);
    assert_heard(&daemon.recording(&records[0]), &caller, &agent);
}

#[test]
fn an_agent_of_whom_it_is_required_is_offered_nothing_else() {
    let mut daemon = floor("require");
    assert!(daemon.log().contains("may get keys for SRTP over UDP"), "{}", daemon.log());
    let agent = agent(&daemon, ";mediaenc=srtp-mand");
    let mut caller = queue::caller(&daemon);
    caller.call("4001");
    agent.wait_for("Call established");
    let since = Instant::now();
    while tone::share(&caller.ear.hear(25), 1_000.0) < 0.9 {
        assert!(since.elapsed() < PATIENCE, "the agent's tone is not heard\n{}", agent.log());
    }
    // Long enough for what baresip conceals at the beginning not to matter.
    caller.ear.hear(150);
    assert_eq!(daemon.metric("trunkline_srtp_dropped_packets_total{reason=\"forged\"}"), 0.0);
    caller.hang_up();
    let records = daemon.stop();
    assert_eq!(records[0].disposition, Disposition::Answered);
    let heard = agent.heard();
    tone::assert_clear(&heard, queue::CALLER_HZ);
}

#[test]
fn who_offers_plain_sound_where_secrecy_is_required_gets_488() {
    let set = |settings: String| settings.replace("[trunk.carrier]", "[trunk.carrier]\nsrtp = \"require\"");
    let mut daemon = Daemon::start_set(own_address(), set, without_acw, &[]);
    let mut caller = queue::caller(&daemon);
    caller.invite("4002");
    let refusal = caller.outcome();
    assert!(refusal.is("488"), "{}", refusal.0);
    wait(|| daemon.log().contains("the sound could be overheard"), || daemon.log());
    daemon.stop();
}
