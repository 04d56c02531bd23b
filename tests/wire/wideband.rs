//! Phones that have G.722 or Opus alone, and callers that have not.

use trunkline::codec::tone::energy_at;
use trunkline::records::Disposition;

use super::baresip::Baresip;
use super::daemon::{Daemon, own_address, wait, without_acw};
use super::phone::Phone;
use super::queue::{agent, caller};
use super::tone;

const CALLER_HZ: f64 = 440.0;
const AGENT_HZ: f64 = 1_000.0;

/// An agent's phone without G.711, registered.
fn wide_agent(daemon: &Daemon) -> Phone {
    let mut phone = Phone::new("1001", daemon.host, daemon.sip, AGENT_HZ).wideband();
    assert!(phone.register("demo", 300).is("200"));
    phone
}

#[test]
fn an_agent_with_g722_alone_and_a_caller_with_a_law_hear_each_other_and_both_are_recorded() {
    let mut daemon = Daemon::start();
    let (mut agent, mut caller) = (wide_agent(&daemon), caller(&daemon));
    caller.call("4001");
    let invite = agent.expect_invite();
    assert!(invite.0.contains(" RTP/AVP 8 0 9 111 101 110\r\n"), "what the caller has comes first: {invite:?}");
    agent.answer(&invite);
    let (by_caller, by_agent) = (caller.ear.hear(100), agent.ear.hear(100));
    assert!(tone::share(&by_agent[8_000..], CALLER_HZ) > 0.9, "the agent hears the caller");
    assert!(tone::share(&by_caller[8_000..], AGENT_HZ) > 0.9, "the caller hears the agent");
    caller.ear.press('5');
    agent.ear.hear_events(3);
    assert!(agent.modify("a=sendonly\r\n").is("200"));
    assert!(tone::share(&caller.ear.hear(60)[4_800..], AGENT_HZ) < 0.5, "music on hold");
    assert!(agent.modify("a=sendrecv\r\n").is("200"));
    assert!(tone::share(&caller.ear.hear(80)[8_000..], AGENT_HZ) > 0.9, "and the agent again");
    caller.hang_up();
    agent.expect_bye();
    let records = daemon.stop();
    let record = &records[0];
    assert_eq!(record.disposition, Disposition::Answered);
    assert_eq!((record.codec_in.as_deref(), record.codec_out.as_deref()), (Some("PCMA"), Some("G722")));
    let (left, right) = tone::channels(&daemon.recording(record));
    assert!(tone::share(&left[2_000..10_000], CALLER_HZ) > 0.9, "the caller is on the left");
    assert!(tone::share(&right[2_000..10_000], AGENT_HZ) > 0.9, "the agent is on the right");
}

#[test]
fn an_agent_who_answers_with_several_codecs_is_heard_in_the_first_of_them() {
    let mut daemon = Daemon::start();
    let (mut agent, mut caller) = (wide_agent(&daemon), caller(&daemon));
    caller.call("4001");
    let invite = agent.expect_invite();
    agent.reply_tagged(&invite, "200 OK", &agent.sdp_of("9 8 0 101"));
    agent.ear.speak_to(invite.rtp());
    agent.expect("ACK", |text| text.is("ACK"));
    assert!(tone::share(&caller.ear.hear(100)[8_000..], AGENT_HZ) > 0.9, "the caller hears the agent");
    assert!(tone::share(&agent.ear.hear(60)[4_800..], CALLER_HZ) > 0.9, "the agent hears the caller");
    assert_eq!(daemon.metric("trunkline_rtp_unusable_packets_total"), 0.0);
    // Nobody has agreed on this one.
    caller.ear.speak_wide();
    wait(
        || daemon.metric("trunkline_rtp_unusable_packets_total") > 0.0,
        || "packets of an unknown type are not counted".to_owned(),
    );
    assert!(daemon.log().contains("of a payload type that was not agreed on"), "{}", daemon.log());
    caller.hang_up();
    agent.expect_bye();
    assert_eq!(daemon.stop()[0].codec_out.as_deref(), Some("G722"));
}

#[test]
fn a_caller_with_g722_alone_hears_prompts_and_speaks_g722_with_an_agent_who_has_it() {
    let policy = |settings: String| {
        settings.replacen("[trunk.carrier]\n", "[trunk.carrier]\ncodecs = [\"PCMA\", \"G722\", \"PCMU\"]\n", 1)
    };
    let mut daemon = Daemon::start_set(own_address(), policy, without_acw, &[]);
    let (mut agent, mut caller) = (wide_agent(&daemon), caller(&daemon).wideband());
    caller.call("4001");
    assert!(caller.ear.hear(25).iter().any(|s| s.unsigned_abs() > 500), "the notice is heard");
    let invite = agent.expect_invite();
    assert!(invite.0.contains(" RTP/AVP 9 8 0 111 101 110\r\n"), "{invite:?}");
    agent.answer(&invite);
    assert!(tone::share(&agent.ear.hear(80)[8_000..], CALLER_HZ) > 0.9);
    assert!(tone::share(&caller.ear.hear(80)[8_000..], AGENT_HZ) > 0.9);
    agent.hang_up();
    caller.expect_bye();
    let records = daemon.stop();
    assert_eq!(records[0].codec_in.as_deref(), Some("G722"));
    let (left, right) = tone::channels(&daemon.recording(&records[0]));
    assert!(tone::share(&left[2_000..10_000], CALLER_HZ) > 0.9 && tone::share(&right[2_000..10_000], AGENT_HZ) > 0.9);
}

#[test]
fn an_agent_with_both_is_not_made_to_speak_what_the_caller_lacks() {
    let mut daemon = Daemon::start();
    let (mut agent, mut caller) = (agent(&daemon, "1001"), caller(&daemon));
    // A caller's offer that likes G.722 best gets the codec that most parties have.
    let answer = caller.call_as_offered("4001", "9 8 101");
    assert!(answer.0.contains(" RTP/AVP 8 101\r\n"), "{answer:?}");
    let invite = agent.expect_invite();
    agent.answer(&invite);
    caller.ear.hear(10);
    caller.hang_up();
    agent.expect_bye();
    assert_eq!(daemon.stop()[0].codec_in.as_deref(), Some("PCMA"));
}

/// A baresip that speaks Opus (libopus) alone.
fn opus_phone(daemon: &Daemon, account: &str, hz: u32) -> Baresip {
    let host = daemon.host;
    let account =
        format!("<sip:{account}@{host};transport=udp>;audio_codecs=opus/48000/2;{}", "answermode=auto;auth_pass=demo");
    Baresip::start_with(&account, hz, "module opus.so\nopus_bitrate 32000\nopus_samplerate 48000\n")
}

/// The share of the energy that lies at `hz` in a sound at 48 kHz.
fn share_at_48k(samples: &[i16], hz: f64) -> f64 {
    let total = samples.iter().map(|s| f64::from(*s).powi(2)).sum::<f64>() / samples.len() as f64;
    energy_at(samples, hz, 48_000) / total.max(1.0)
}

#[test]
fn what_lies_above_a_telephones_band_crosses_between_g722_and_opus() {
    let (caller_hz, agent_hz) = (5_500.0, 6_000);
    let policy = |settings: String| {
        settings.replacen("[trunk.carrier]\n", "[trunk.carrier]\ncodecs = [\"PCMA\", \"G722\"]\n", 1)
    };
    let mut daemon = Daemon::start_set(own_address(), policy, without_acw, &[]);
    let agent = Baresip::registered(|| opus_phone(&daemon, "1001", agent_hz));
    let mut caller = caller(&daemon).wideband();
    caller.ear.sing(caller_hz);
    caller.call("4001");
    agent.wait_for("Call established");
    // This phone keeps every other sample of what it hears, so that 6 kHz are told by their fold at 2 kHz.
    wait(|| tone::share(&caller.ear.hear(20), 8_000.0 - f64::from(agent_hz)) > 0.8, || agent.log());
    assert!(tone::share(&caller.ear.hear(200), 8_000.0 - f64::from(agent_hz)) > 0.8, "the caller hears the agent");
    caller.hang_up();
    agent.wait_for("session closed");
    let records = daemon.stop();
    assert_eq!((records[0].codec_in.as_deref(), records[0].codec_out.as_deref()), (Some("G722"), Some("opus")));
    let by_agent: Vec<i16> = agent.heard().chunks(2).map(|frame| frame[0]).collect();
    let shares: Vec<f64> = by_agent.chunks_exact(19_200).map(|piece| share_at_48k(piece, caller_hz)).collect();
    assert!(shares.iter().any(|share| *share > 0.8), "the agent hears the caller: {shares:.2?}");
}

#[test]
fn an_agent_with_opus_alone_talks_with_a_caller_who_has_a_law() {
    let mut daemon = Daemon::start();
    let agent = Baresip::registered(|| opus_phone(&daemon, "1001", 1_000));
    let mut caller = caller(&daemon);
    caller.call("4001");
    agent.wait_for("Call established");
    // Its jitter buffer and ours fill first.
    wait(|| tone::share(&caller.ear.hear(20)[..], AGENT_HZ) > 0.9, || agent.log());
    assert!(tone::share(&caller.ear.hear(200), AGENT_HZ) > 0.9, "the caller hears the agent");
    caller.hang_up();
    agent.wait_for("session closed");
    let records = daemon.stop();
    let record = &records[0];
    assert_eq!((record.codec_in.as_deref(), record.codec_out.as_deref()), (Some("PCMA"), Some("opus")));
    let quality = record.quality_agent.as_ref().expect("measured");
    assert!(quality.loss == 0.0 && quality.jitter_ms < 20.0, "{quality:?}");
    // It writes down two channels at 48 kHz.
    let by_agent: Vec<i16> = agent.heard().chunks(12).map(|frames| frames[0]).collect();
    tone::assert_clear(&by_agent, CALLER_HZ);
    let (left, right) = tone::channels(&daemon.recording(record));
    assert!(tone::share(&left[4_000..16_000], CALLER_HZ) > 0.9, "the caller is on the left");
    assert!(tone::share(&right[4_000..16_000], AGENT_HZ) > 0.9, "the agent is on the right");
}
