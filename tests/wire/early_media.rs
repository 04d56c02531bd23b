//! What a called number says before it answers, and the offers and answers that go with it.

use trunkline::records::Disposition;

use super::daemon::{Daemon, own_address, without_acw};
use super::phone::{Phone, Text};
use super::queue::{agent, caller, conversation};
use super::tone;

const TARGET_HZ: f64 = 1_000.0;

/// A floor that sends numbers beginning with 9 to a phone, recorded; the floor and the phone.
pub fn routed() -> (Daemon, Phone) {
    let host = own_address();
    let target = Phone::new("9001", host, (host, 5060).into(), TARGET_HZ);
    let route = format!("\n[[route]]\nprefix = \"9\"\ntarget = \"{}\"\nrecord = true\n", target.local());
    let settings = |settings: String| settings.replacen("numbers = [", "numbers = [\"9*\", ", 1) + &route;
    (Daemon::start_set(host, settings, without_acw, &[]), target)
}

fn expect_progress(caller: &Phone) -> Text {
    caller.expect("183", |text| text.is("183"))
}

#[test]
fn both_sides_hear_each_other_before_the_answer_and_nothing_of_that_is_recorded() {
    let (mut daemon, mut target) = routed();
    let mut caller = caller(&daemon);
    caller.invite_with("9001", "Supported: 100rel\r\n");
    let invite = target.expect_invite();
    assert!(invite.header("Supported").contains("100rel"), "{invite:?}");
    target.progress(&invite, "Require: 100rel\r\nRSeq: 17\r\n");
    let prack = target.expect("PRACK", |text| text.is("PRACK"));
    assert_eq!(prack.header("RAck"), "17 1 INVITE");
    target.reply(&prack, "200 OK", "");
    let progress = expect_progress(&caller);
    assert_eq!(progress.header("Require"), "100rel");
    caller.join(&progress);
    assert!(caller.prack(&progress).is("200"));
    assert!(tone::share(&caller.ear.hear(80)[4_800..], TARGET_HZ) > 0.9, "the caller hears the announcement");
    assert!(tone::share(&target.ear.hear(80)[4_800..], 440.0) > 0.9, "and is heard");
    target.reply_tagged(&invite, "200 OK", "");
    target.expect("ACK", |text| text.is("ACK"));
    let answer = caller.expect("200 to INVITE", |text| text.is("200") && text.header("CSeq").ends_with("INVITE"));
    assert!(!answer.0.contains("m=audio"), "the 183 said it all: {answer:?}");
    caller.ack();
    assert!(tone::share(&caller.ear.hear(60)[4_800..], TARGET_HZ) > 0.9);
    target.hang_up();
    caller.expect_bye();
    let records = daemon.stop();
    let record = &records[0];
    assert_eq!(record.disposition, Disposition::Answered);
    let recording = record.recording.as_ref().expect("recorded");
    assert!(recording.written_ms.abs_diff(record.talk_ms) <= 100, "{recording:?} of {} ms", record.talk_ms);
    assert!(record.talk_ms < 3_000, "the announcement is no part of it: {record:?}");
}

#[test]
fn a_caller_without_reliability_hears_it_too_and_another_session_in_the_200_counts() {
    let (mut daemon, mut target) = routed();
    let mut caller = caller(&daemon);
    caller.invite("9001");
    let invite = target.expect_invite();
    let mut studio = Phone::new("studio", daemon.host, daemon.sip, 2_500.0);
    // The announcement comes from elsewhere than the person.
    let body = studio.sdp("");
    target.reply_tagged(&invite, "183 Session Progress", &body);
    studio.ear.speak_to(invite.rtp());
    let progress = expect_progress(&caller);
    assert_eq!(progress.header("RSeq"), "");
    caller.join(&progress);
    assert!(tone::share(&caller.ear.hear(60)[4_800..], 2_500.0) > 0.9, "the announcement");
    studio.take(&invite);
    target.answer(&invite);
    let answer = caller.expect("200 to INVITE", |text| text.is("200"));
    assert_eq!(answer.rtp(), progress.rtp());
    caller.confirm(&answer);
    assert!(tone::share(&caller.ear.hear(80)[8_000..], TARGET_HZ) > 0.9, "the person");
    caller.hang_up();
    target.expect_bye();
    assert_eq!(daemon.stop()[0].disposition, Disposition::Answered);
}

#[test]
fn of_two_phones_behind_a_proxy_the_last_to_speak_is_heard_and_the_first_to_answer_stays() {
    let (mut daemon, mut first) = routed();
    let mut caller = caller(&daemon);
    caller.invite("9001");
    let invite = first.expect_invite();
    let mut second = Phone::new("9001", daemon.host, daemon.sip, 2_500.0);
    second.take(&invite);
    first.progress(&invite, "");
    let progress = expect_progress(&caller);
    caller.join(&progress);
    assert!(tone::share(&caller.ear.hear(60)[4_800..], TARGET_HZ) > 0.9, "the first");
    second.progress(&invite, "");
    caller.ear.until(25, 2_500.0);
    first.answer(&invite);
    second.answer_unheard(&invite);
    second.expect("ACK", |text| text.is("ACK"));
    let bye = second.expect_bye();
    assert!(bye.header("Reason").starts_with("SIP;cause=200"), "{bye:?}");
    let answer = caller.expect("200 to INVITE", |text| text.is("200"));
    caller.confirm(&answer);
    assert!(tone::share(&caller.ear.hear(80)[8_000..], TARGET_HZ) > 0.9, "the first again");
    caller.hang_up();
    first.expect_bye();
    daemon.until_idle();
    daemon.stop();
}

#[test]
fn a_caller_that_offers_nothing_gets_our_offer_early_where_it_is_heard_for_certain() {
    let (mut daemon, mut target) = routed();
    let mut caller = caller(&daemon);
    caller.invite_late("9001", "Supported: 100rel\r\n");
    let invite = target.expect_invite();
    target.progress(&invite, "");
    let offer = expect_progress(&caller);
    caller.join(&offer);
    let answer = caller.sdp("");
    assert!(caller.prack_with(&offer, &answer).is("200"));
    assert!(tone::share(&caller.ear.hear(80)[8_000..], TARGET_HZ) > 0.9);
    target.answer(&invite);
    let accepted = caller.expect("200", |text| text.is("200") && text.header("CSeq").ends_with("INVITE"));
    assert!(!accepted.0.contains("m=audio"), "{accepted:?}");
    caller.ack();
    assert!(tone::share(&target.ear.hear(60)[4_800..], 440.0) > 0.9);
    caller.hang_up();
    target.expect_bye();
    // Without that it hears that the phone rings, and no more.
    caller.invite_late("9001", "");
    let invite = target.expect_invite();
    target.progress(&invite, "");
    let ringing = caller.expect("180", |text| text.is("18"));
    assert!(ringing.is("180") && !ringing.0.contains("m=audio"), "{ringing:?}");
    target.reply_tagged(&invite, "486 Busy Here", "");
    let refused = caller.expect("486", |text| text.is("486"));
    caller.ack_refusal(&refused);
    assert_eq!(daemon.stop().len(), 2);
}

#[test]
fn both_sides_may_move_their_sound_before_the_answer() {
    let (mut daemon, mut target) = routed();
    let mut caller = caller(&daemon);
    caller.invite_with("9001", "Supported: 100rel\r\n");
    let invite = target.expect_invite();
    target.progress(&invite, "Require: 100rel\r\nRSeq: 1\r\n");
    let prack = target.expect("PRACK", |text| text.is("PRACK"));
    target.reply(&prack, "200 OK", "");
    let progress = expect_progress(&caller);
    caller.join(&progress);
    assert!(caller.prack(&progress).is("200"));
    let studio = Phone::new("studio", daemon.host, daemon.sip, 2_500.0);
    studio.ear.speak_to(invite.rtp());
    let moved = studio.sdp("");
    let answer = target.within("UPDATE", "", &moved);
    assert!(answer.is("200") && answer.0.contains("m=audio"), "{answer:?}");
    caller.ear.until(25, 2_500.0);
    let same = caller.sdp("");
    assert!(caller.within("UPDATE", "", &same).is("200"));
    // The 200 says nothing new: the session stands as it was moved.
    target.reply_tagged(&invite, "200 OK", "");
    target.expect("ACK", |text| text.is("ACK"));
    caller.expect("200", |text| text.is("200") && text.header("CSeq").ends_with("INVITE"));
    caller.ack();
    assert!(tone::share(&caller.ear.hear(60)[4_800..], 2_500.0) > 0.9);
    assert!(tone::share(&studio.ear.hear(60)[4_800..], 440.0) > 0.9);
    caller.hang_up();
    target.expect_bye();
    assert_eq!(daemon.stop()[0].disposition, Disposition::Answered);
}

#[test]
fn a_call_that_only_spoke_and_was_refused_is_not_answered() {
    let (mut daemon, mut target) = routed();
    let mut caller = caller(&daemon);
    caller.invite("9001");
    let invite = target.expect_invite();
    target.progress(&invite, "");
    let progress = expect_progress(&caller);
    caller.join(&progress);
    caller.ear.hear(20);
    target.reply_tagged(&invite, "486 Busy Here", "");
    let refused = caller.expect("a final answer", |text| text.is("486"));
    caller.ack_refusal(&refused);
    daemon.until_idle();
    let records = daemon.stop();
    assert_eq!((records[0].disposition, records[0].answered.is_none()), (Disposition::Busy, true));
    assert!(records[0].recording.is_none());
}

#[test]
fn an_agents_phone_rings_by_183_and_is_not_heard_before_it_answers() {
    let mut daemon = Daemon::start();
    let (mut agent, mut caller) = (agent(&daemon, "1001"), caller(&daemon));
    caller.call("4001");
    let invite = agent.expect_invite();
    agent.progress(&invite, "Require: 100rel\r\nRSeq: 1\r\n");
    let prack = agent.expect("PRACK", |text| text.is("PRACK"));
    agent.reply(&prack, "200 OK", "");
    daemon.json_until("/api/v1/agents", |agents| agents["items"][0]["state"] == "ringing");
    assert!(tone::share(&caller.ear.hear(60)[4_800..], TARGET_HZ) < 0.5, "the caller hears music");
    agent.answer(&invite);
    assert!(tone::share(&caller.ear.hear(80)[8_000..], TARGET_HZ) > 0.9);
    caller.hang_up();
    agent.expect_bye();
    daemon.stop();
}

#[test]
fn hold_in_each_style_and_back() {
    let mut daemon = Daemon::start();
    let (caller, mut agent) = conversation(&daemon);
    let own = format!("c=IN IP4 {}", daemon.host);
    let plain = |agent: &Phone| agent.sdp("a=sendrecv\r\n");
    let styles: [fn(&Phone, &str) -> String; 3] = [
        |agent, _| agent.sdp("a=sendonly\r\n"),
        |agent, _| agent.sdp("a=inactive\r\n"),
        |agent, own| agent.sdp("").replacen(own, "c=IN IP4 0.0.0.0", 1),
    ];
    for style in styles {
        let held = style(&agent, &own);
        assert!(agent.within("INVITE", "", &held).is("200"), "{held}");
        assert!(tone::share(&caller.ear.hear(60)[4_800..], TARGET_HZ) < 0.5, "music: {held}");
        let resumed = plain(&agent);
        assert!(agent.within("INVITE", "", &resumed).is("200"));
        assert!(tone::share(&caller.ear.hear(80)[8_000..], TARGET_HZ) > 0.9, "the agent again: {held}");
        assert!(tone::share(&agent.ear.hear(80)[8_000..], 440.0) > 0.9, "and the caller: {held}");
    }
    agent.hang_up();
    caller.expect_bye();
    assert!(daemon.stop()[0].hold_ms >= 2_000);
}

#[test]
fn a_caller_holds_the_agent_hears_music_and_sound_follows_a_phone_that_moves() {
    let mut daemon = Daemon::start();
    let (mut caller, mut agent) = conversation(&daemon);
    for style in ["a=sendonly\r\n", "a=inactive\r\n"] {
        let answer = caller.modify(style);
        let said = if style.contains("inactive") { "a=inactive" } else { "a=recvonly" };
        assert!(answer.is("200") && answer.0.contains(said), "{answer:?}");
        let waiting = agent.ear.hear(60);
        assert!(tone::share(&waiting[4_800..], 440.0) < 0.5 && waiting[4_800..].iter().any(|s| *s != 0), "music");
        daemon.json_until("/api/v1/agents", |agents| agents["items"][0]["state"] == "hold");
        assert!(caller.modify("a=sendrecv\r\n").is("200"));
        agent.ear.until(25, 440.0);
        assert!(tone::share(&caller.ear.hear(80)[8_000..], TARGET_HZ) > 0.9);
    }
    // Another address mid-call: from both sides, by re-INVITE and by UPDATE.
    let headset = Phone::new("headset", daemon.host, daemon.sip, 2_500.0);
    let moved = headset.sdp("a=sendrecv\r\n");
    let answer = agent.within("INVITE", "", &moved);
    assert!(answer.is("200"), "{answer:?}");
    headset.ear.speak_to(answer.rtp());
    caller.ear.until(25, 2_500.0);
    assert!(tone::share(&headset.ear.hear(60)[4_800..], 440.0) > 0.9, "the headset hears the caller");
    let other = Phone::new("other", daemon.host, daemon.sip, 700.0);
    let moved = other.sdp("");
    let answer = caller.within("UPDATE", "", &moved);
    assert!(answer.is("200"), "{answer:?}");
    other.ear.speak_to(answer.rtp());
    headset.ear.until(25, 700.0);
    assert!(tone::share(&other.ear.hear(60)[4_800..], 2_500.0) > 0.9);
    let (old_caller, old_agent) = (caller.ear.packets(), agent.ear.packets());
    other.ear.hear(50);
    assert_eq!((caller.ear.packets(), agent.ear.packets()), (old_caller, old_agent), "the places before hear nothing");
    caller.hang_up();
    agent.expect_bye();
    assert_eq!(daemon.stop()[0].disposition, Disposition::Answered);
}
