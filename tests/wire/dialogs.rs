//! What a call carries on, and what may happen within it.

use trunkline::records::Disposition;

use super::daemon::{Daemon, own_address, without_acw};
use super::queue::{agent, caller, conversation};
use super::tone;

#[test]
fn a_call_without_hops_is_refused() {
    let mut daemon = Daemon::start();
    let mut caller = caller(&daemon);
    caller.hops = 0;
    caller.invite("4002");
    let refused = caller.expect("a final answer", |text| !text.is("1"));
    assert!(refused.is("483"), "{refused:?}");
    caller.ack_refusal(&refused);
    assert_eq!(daemon.stop().len(), 0);
}

#[test]
fn an_agents_phone_gets_the_hops_the_data_of_the_caller_and_the_wish_to_answer_by_itself() {
    let by_itself =
        |settings: String| settings.replacen("skills = [\"support\"]", "skills = [\"support\"]\nauto_answer = true", 1);
    let mut daemon = Daemon::start_set(own_address(), by_itself, without_acw, &[]);
    let (mut agent, mut caller) = (agent(&daemon, "1001"), caller(&daemon));
    caller.hops = 20;
    caller.invite_with("4001", "User-to-User: 56a390f3;encoding=hex\r\n");
    let answer = caller.expect("200", |text| text.is("200"));
    caller.confirm(&answer);
    let invite = agent.expect_invite();
    assert_eq!((invite.header("Max-Forwards"), invite.header("User-to-User")), ("19", "56a390f3;encoding=hex"));
    assert!(invite.header("Call-Info").ends_with(";answer-after=0"), "{invite:?}");
    assert!(invite.header("Alert-Info").contains("alert-autoanswer"), "{invite:?}");
    agent.answer(&invite);
    caller.hang_up();
    agent.expect_bye();
    daemon.stop();
}

#[test]
fn keys_by_info_are_as_good_as_keys_in_the_media() {
    let mut daemon = Daemon::start();
    let (mut agent, mut caller) = (agent(&daemon, "1001"), caller(&daemon));
    caller.call("4000");
    let relay = "Content-Type: application/dtmf-relay\r\n";
    assert!(caller.within("INFO", relay, "Signal=2\r\nDuration=160\r\n").is("200"));
    assert!(caller.within("INFO", relay, "Signal=shout\r\n").is("400"));
    let other = caller.within("INFO", "Content-Type: application/broadsoft\r\n", "event talk");
    assert!(other.is("415") && other.header("Accept").contains("application/dtmf-relay"), "{other:?}");
    caller.ear.hear(40);
    assert!(caller.within("INFO", "Content-Type: application/dtmf\r\n", "2").is("200"));
    let invite = agent.expect_invite();
    agent.answer(&invite);
    agent.hang_up();
    caller.expect_bye();
    let records = daemon.stop();
    assert_eq!((records[0].language.as_deref(), records[0].disposition), (Some("en"), Disposition::Answered));
}

#[test]
fn fax_is_refused_within_a_call_and_the_call_lives() {
    let mut daemon = Daemon::start();
    let (mut caller, agent) = conversation(&daemon);
    let ip = daemon.host;
    let fax = format!("v=0\r\no=- 9 9 IN IP4 {ip}\r\ns=-\r\nc=IN IP4 {ip}\r\nt=0 0\r\nm=image 4000 udptl t38\r\n");
    let refused = caller.within("INVITE", "", &fax);
    assert!(refused.is("488"), "{refused:?}");
    assert!(tone::share(&agent.ear.hear(60)[4_800..], 440.0) > 0.9, "they still hear each other");
    caller.hang_up();
    agent.expect_bye();
    assert_eq!(daemon.stop()[0].disposition, Disposition::Answered);
}

#[test]
fn an_update_holds_resumes_and_tells_that_the_session_lives() {
    let mut daemon = Daemon::start();
    let (caller, mut agent) = conversation(&daemon);
    assert!(agent.within("UPDATE", "", "").is("200"));
    let held = agent.sdp("a=sendonly\r\n");
    let answer = agent.within("UPDATE", "", &held);
    assert!(answer.is("200") && answer.0.contains("a=recvonly"), "{answer:?}");
    assert!(tone::share(&caller.ear.hear(60)[4_800..], 1_000.0) < 0.5, "music instead of the agent");
    let resumed = agent.sdp("a=sendrecv\r\n");
    assert!(agent.within("UPDATE", "", &resumed).is("200"));
    assert!(tone::share(&caller.ear.hear(60)[4_800..], 1_000.0) > 0.9, "and the agent again");
    agent.hang_up();
    caller.expect_bye();
    let records = daemon.stop();
    assert!(records[0].hold_ms > 0, "{:?}", records[0]);
}

#[test]
fn an_invite_without_an_offer_gets_ours_and_answers_it_in_the_ack() {
    let mut daemon = Daemon::start();
    let mut caller = caller(&daemon);
    let offer = caller.call_late("4002");
    assert!(offer.0.contains("m=audio") && offer.0.contains("telephone-event"), "{offer:?}");
    assert!(tone::share(&caller.ear.hear(60)[4_800..], 440.0) > 0.9, "the echo");
    caller.hang_up();
    assert_eq!(daemon.stop()[0].disposition, Disposition::SelfService);
}

#[test]
fn session_timers_are_agreed_and_short_ones_refused() {
    let mut daemon = Daemon::start();
    let (mut agent, mut caller) = (agent(&daemon, "1001"), caller(&daemon));
    caller.invite_with("4001", "Supported: timer\r\nSession-Expires: 30\r\n");
    let refused = caller.expect("a final answer", |text| !text.is("1"));
    assert!(refused.is("422") && refused.header("Min-SE") == "90", "{refused:?}");
    caller.ack_refusal(&refused);
    caller.invite_with("4001", "Supported: timer\r\nSession-Expires: 600\r\nRequire: timer\r\n");
    let answer = caller.expect("200", |text| text.is("200"));
    assert_eq!((answer.header("Session-Expires"), answer.header("Require")), ("600;refresher=uac", "timer"));
    caller.confirm(&answer);
    let invite = agent.expect_invite();
    assert_eq!(
        (invite.header("Session-Expires"), invite.header("Supported")),
        ("1800", "100rel, timer, replaces, norefersub")
    );
    agent.answer(&invite);
    let refreshed = caller.within("UPDATE", "Supported: timer\r\nSession-Expires: 600;refresher=uac\r\n", "");
    assert_eq!((refreshed.is("200"), refreshed.header("Session-Expires")), (true, "600;refresher=uac"));
    caller.hang_up();
    agent.expect_bye();
    daemon.stop();
}
