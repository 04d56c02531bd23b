//! Every strategy between real phones, and a queue that rings them all.

use std::collections::BTreeSet;

use trunkline::journal::{SegmentEnd, Strategy};

use super::daemon::{Daemon, own_address, without_acw};
use super::phone::{Phone, Text};
use super::queue::{AGENT_HZ, CALLER_HZ, agent, caller};
use super::tone;

/// The plan with another strategy for queue support.
fn by(strategy: &str, plan: String) -> String {
    without_acw(plan).replace("[queue.support]", &format!("[queue.support]\nstrategy = \"{strategy}\""))
}

/// A phone whose INVITE is cancelled because another one was answered.
fn lose(phone: &Phone, invite: &Text) {
    let cancel = phone.expect("CANCEL", |text| text.is("CANCEL"));
    assert_eq!(cancel.header("Reason"), "SIP;cause=200;text=\"Call completed elsewhere\"");
    phone.reply(&cancel, "200 OK", "");
    phone.reply_tagged(invite, "487 Request Terminated", "");
}

#[test]
fn fifty_phones_ring_and_the_others_hear_that_the_call_was_answered() {
    let members = |plan| by("ringall", plan).replace("[\"1001-1004\"]", "[\"3001-3050\"]");
    let agents = |settings| format!("{settings}\n[agent.\"3001-3050\"]\npassword = \"demo\"\n");
    let mut daemon = Daemon::start_set(own_address(), agents, members, &[]);
    let mut phones: Vec<Phone> = (3001..3051).map(|number| agent(&daemon, &number.to_string())).collect();
    let mut caller = caller(&daemon);
    caller.call("4001");
    let invites: Vec<Text> = phones.iter_mut().map(Phone::expect_invite).collect();
    phones.iter().zip(&invites).for_each(|(phone, invite)| phone.ring(invite));
    let calls = daemon.json_until("/api/v1/calls", |calls| calls["items"][0]["state"] == "ringing");
    let presented = calls["items"][0]["presented"].as_array().expect("whom the call is presented to");
    assert_eq!((presented.len(), &presented[0]["why"]), (50, &"agent 3001: one of 50 phones".into()));
    assert_eq!(presented[0]["decision"]["strategy"], "ring-all");
    let mut winner = phones.remove(17);
    winner.answer(&invites[17]);
    let others = invites.iter().enumerate().filter(|(number, _)| *number != 17).map(|(_, invite)| invite);
    phones.iter().zip(others).for_each(|(phone, invite)| lose(phone, invite));
    assert!(tone::share(&winner.ear.hear(60)[4_800..], CALLER_HZ) > 0.9, "the winner hears the caller");
    caller.hang_up();
    winner.expect_bye();
    daemon.until_idle();
    let records = daemon.stop();
    let [record] = records.as_slice() else { panic!("{records:?}") };
    let ended = |end| record.segments.iter().filter(|segment| segment.end_reason == end).count();
    assert_eq!((ended(SegmentEnd::Elsewhere), ended(SegmentEnd::Caller)), (49, 1), "{record:?}");
}

#[test]
fn every_strategy_puts_a_caller_through() {
    let names = Strategy::names().filter_map(|name| name.parse::<Strategy>().ok());
    let ours: BTreeSet<&str> = names.map(Strategy::name).collect();
    assert_eq!(ours.len(), 11);
    for strategy in ours {
        let mut daemon = Daemon::start_with(|plan| by(strategy, plan), &[]);
        let (first, second) = (agent(&daemon, "1001"), agent(&daemon, "1002"));
        let mut caller = caller(&daemon);
        caller.call("4001");
        let all = strategy == "ring-all";
        // Where lots are drawn, either may have it.
        let found = daemon.json_until("/api/v1/calls", |calls| calls["items"][0]["presented"][0]["agent"].is_string());
        let (mut winner, mut loser) = match found["items"][0]["presented"][0]["agent"].as_str() {
            Some("1002") if !all => (second, first),
            _ => (first, second),
        };
        let invite = winner.expect_invite();
        winner.ring(&invite);
        let other = all.then(|| {
            let other = loser.expect_invite();
            // An INVITE is cancelled once there was a response to it (RFC 3261 §9.1).
            loser.ring(&other);
            other
        });
        winner.answer(&invite);
        if let Some(other) = other {
            lose(&loser, &other);
        }
        assert!(tone::share(&winner.ear.hear(60)[4_800..], CALLER_HZ) > 0.9, "{strategy}: the agent hears the caller");
        assert!(caller.ear.hear(60)[4_800..].iter().any(|sample| sample.unsigned_abs() > 500), "{strategy}");
        assert!(winner.modify("a=sendonly\r\n").is("200"), "{strategy}");
        caller.ear.hear(5);
        assert!(winner.modify("a=sendrecv\r\n").is("200"), "{strategy}");
        assert!(tone::share(&caller.ear.hear(60)[4_800..], AGENT_HZ) > 0.9, "{strategy}: heard after the hold");
        caller.hang_up();
        winner.expect_bye();
        daemon.until_idle();
        passed_on(&daemon, strategy, [winner, loser]);
        let records = daemon.stop();
        assert_eq!(records[0].segments[0].end_reason, SegmentEnd::Caller, "{strategy}: {:?}", records[0]);
        assert!(records[0].hold_ms > 0, "{strategy}: {:?}", records[0]);
        let ends: Vec<_> = records[1].segments.iter().map(|segment| segment.end_reason).collect();
        let both = ends.contains(&SegmentEnd::Busy) && ends.contains(&SegmentEnd::Agent);
        assert!(both && ends.len() == 2, "{strategy}: {:?}", records[1]);
    }
}

/// A second caller: the phone of who is called first is busy, the other one answers and hangs up.
fn passed_on(daemon: &Daemon, strategy: &str, phones: [Phone; 2]) {
    let mut caller = caller(daemon);
    caller.call("4001");
    let found = daemon.json_until("/api/v1/calls", |calls| calls["items"][0]["presented"][0]["agent"].is_string());
    let first = found["items"][0]["presented"][0]["agent"].as_str().unwrap_or_default().to_owned();
    let [one, two] = phones;
    let (mut busy, mut takes) = if one.user == first { (one, two) } else { (two, one) };
    let invite = busy.expect_invite();
    busy.reply_tagged(&invite, "486 Busy Here", "");
    let invite = takes.expect_invite();
    takes.answer(&invite);
    assert!(tone::share(&caller.ear.hear(60)[4_800..], AGENT_HZ) > 0.9, "{strategy}: who is not busy is heard");
    takes.hang_up();
    caller.expect_bye();
    daemon.until_idle();
}

#[test]
fn who_refuses_a_call_is_called_again_after_the_time_of_the_queue() {
    let plan = |plan| without_acw(plan).replace("[queue.support]", "[queue.support]\nrejected = \"1s\"");
    let mut daemon = Daemon::start_with(plan, &[]);
    let (mut agent, mut caller) = (agent(&daemon, "1001"), caller(&daemon));
    caller.call("4001");
    let invite = agent.expect_invite();
    agent.reply_tagged(&invite, "603 Decline", "");
    let agents = daemon.json_until("/api/v1/agents", |agents| agents["items"][0]["reason"] == "rejected");
    assert!(agents["items"][0]["until"].is_string(), "until when: {agents}");
    let invite = agent.expect_invite();
    agent.answer(&invite);
    caller.hang_up();
    agent.expect_bye();
    daemon.until_idle();
    let records = daemon.stop();
    let ends: Vec<SegmentEnd> = records[0].segments.iter().map(|segment| segment.end_reason).collect();
    assert_eq!(ends, [SegmentEnd::Rejected, SegmentEnd::Caller]);
}

#[test]
fn who_waits_goes_on_by_the_plan_when_nobody_is_ready_any_more() {
    let busy =
        "[flow.support_direct.step.busy]\ndo = \"play\"\nprompts = [\"all_busy\", \"goodbye\"]\nnext = \"hangup\"\n";
    let plan = |plan| {
        let plan = without_acw(plan).replace("[queue.support]", "[queue.support]\nwait_needs = \"ready\"");
        assert!(plan.contains(busy), "the demo's plan");
        let plan = plan.replace(busy, "");
        plan.replace("queue = \"support\"\nrecord = true\nnext = \"busy\"", "queue = \"support\"\nnext = \"hangup\"")
    };
    let mut daemon = Daemon::start_with(plan, &[]);
    let (mut agent, mut caller) = (agent(&daemon, "1001"), caller(&daemon));
    caller.call("4001");
    let invite = agent.expect_invite();
    agent.reply_tagged(&invite, "486 Busy Here", "");
    caller.expect_bye();
    caller.call("4001");
    caller.expect_bye();
    daemon.until_idle();
    let records = daemon.stop();
    let asked: Vec<usize> = records.iter().map(|record| record.segments.len()).collect();
    assert_eq!(asked, [1, 0], "the second one was not let in: {records:?}");
}
