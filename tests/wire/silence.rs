//! Sound that does not come, or comes from elsewhere.

use std::net::{SocketAddr, UdpSocket};

use trunkline::journal::HangupBy;
use trunkline::records::Disposition;

use super::daemon::{Daemon, wait, without_acw};
use super::phone::Phone;
use super::queue::{agent, caller, conversation};
use super::tone;

/// A floor that ends calls soon after the last sign of life.
fn impatient() -> Daemon {
    Daemon::start_with(without_acw, &[("TRUNKLINE__RTP__SILENCE_TIMEOUT", "6s")])
}

#[test]
fn a_party_that_falls_silent_is_told_and_its_call_ends() {
    let mut daemon = impatient();
    let (caller, agent) = conversation(&daemon);
    agent.ear.hear(30);
    agent.ear.fall_silent();
    let bye = caller.expect_bye();
    assert!(bye.header("Reason").contains("media_timeout"), "{bye:?}");
    agent.expect_bye();
    assert!(daemon.journal_has("sound_missing"));
    let counted =
        || (daemon.metric("trunkline_rtp_silences_total"), daemon.metric("trunkline_rtp_timeouts_total")) == (1.0, 1.0);
    wait(counted, || "the silence and the end are counted".to_owned());
    daemon.until_idle();
    let records = daemon.stop();
    let record = &records[0];
    assert_eq!((record.disposition, record.hangup_by), (Disposition::Answered, HangupBy::Switch));
    assert_eq!((record.cause.code, record.cause.text.as_str()), (41, "media_timeout"));
    assert!(daemon.log().contains("no sound comes from a party of a conversation"), "{}", daemon.log());
}

#[test]
fn holds_waits_and_quiet_phones_that_report_are_no_silence() {
    let mut daemon = impatient();
    let (mut agent, mut caller) = (agent(&daemon, "1001"), caller(&daemon));
    // A caller who sends nothing while it waits.
    let answer = caller.call("4001");
    caller.ear.fall_silent();
    let invite = agent.expect_invite();
    caller.ear.hear(350);
    agent.answer(&invite);
    caller.ear.speak_to(answer.rtp());
    agent.ear.hear(30);
    // Neither sends while the agent holds.
    assert!(agent.modify("a=inactive\r\n").is("200"));
    agent.ear.fall_silent();
    caller.ear.fall_silent();
    caller.ear.hear(350);
    assert!(agent.modify("a=sendrecv\r\n").is("200"));
    caller.ear.speak_to(answer.rtp());
    agent.ear.hear(30);
    // The agent's phone sends no silence, but reports.
    let reports = UdpSocket::bind((daemon.host, 0)).expect("a socket");
    let to = SocketAddr::new(invite.rtp().ip(), invite.rtp().port() + 1);
    for _ in 0..8 {
        agent.ear.hear(50);
        let sent = reports.send_to(&[0x80, 201, 0, 1, 5, 6, 7, 8], to);
        assert_eq!(sent.expect("sent"), 8);
    }
    agent.ear.speak_to(invite.rtp());
    assert!(tone::share(&caller.ear.hear(60)[4_800..], 1_000.0) > 0.9);
    assert_eq!(
        (daemon.metric("trunkline_rtp_silences_total"), daemon.metric("trunkline_rtp_timeouts_total")),
        (1.0, 0.0)
    );
    caller.hang_up();
    agent.expect_bye();
    assert_eq!(daemon.stop()[0].hangup_by, HangupBy::Caller);
}

#[test]
fn a_session_that_moves_to_another_address_takes_the_sound_along() {
    let mut daemon = Daemon::start();
    let (mut caller, mut agent) = conversation(&daemon);
    caller.ear.hear(30);
    let studio = Phone::new("studio", super::daemon::own_source(), daemon.sip, 2_500.0);
    let moved = agent.within("INVITE", "", &studio.sdp("a=sendrecv\r\n"));
    assert!(moved.is("200"), "{moved:?}");
    studio.ear.speak_to(moved.rtp());
    // The old address goes on speaking, and is nobody now.
    assert!(tone::share(&studio.ear.hear(60)[4_800..], 440.0) > 0.9, "it hears the caller");
    caller.ear.until(25, 2_500.0);
    let before = agent.ear.packets();
    caller.ear.hear(30);
    assert!(agent.ear.packets() <= before + 1, "nothing more goes to the old address");
    caller.hang_up();
    agent.expect_bye();
    daemon.stop();
}
