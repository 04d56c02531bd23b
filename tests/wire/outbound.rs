//! Calls to the outside: by class of service, with the queue's number, past all limits where life depends on it; placed by API for an
//! agent; and customers whom agents are to call.

use trunkline::journal::Direction;
use trunkline::records::Disposition;

use super::daemon::{Daemon, own_address, wait, without_acw};
use super::phone::Phone;
use super::queue::{CALLER_HZ, agent};
use super::tone;

const AGENT_HZ: f64 = 1_000.0;
const CHINESE_RINGBACK_HZ: f64 = 450.0;

/// Support shows 4008001234 outside and may call mobile numbers, by a trunk that carries one call.
fn floor(environment: &[(&str, &str)]) -> (Daemon, Phone) {
    let host = own_address();
    let outside = Phone::new("outside", own_address(), (host, 5060).into(), CALLER_HZ);
    let target = format!("sip:{}", outside.local());
    let set = |settings: String| {
        let support = "[agent.\"1001-1004\"]\n";
        assert!(settings.contains(support));
        let settings = settings.replace(support, &format!("{support}may_call = [\"mobile\"]\n"));
        format!(
            "{settings}\n[tones]\ncountry = \"cn\"\n[trunk.telco]\ntargets = [\"{target}\"]\nmax_calls = 1\n\
             [[route]]\nprefix = \"1\"\nclass = \"mobile\"\ntrunks = [\"telco\"]\nrecord = true\n\
             [[route]]\nprefix = \"00\"\nclass = \"abroad\"\ntrunks = [\"telco\"]\n\
             [[route]]\nprefix = \"0\"\ntrunks = [\"telco\"]\n\
             [[route]]\nprefix = \"110\"\nemergency = true\ntrunks = [\"telco\"]\n"
        )
    };
    let plan = |plan: String| {
        let support = "[queue.support]\n";
        assert!(plan.contains(support));
        // A number of that name is for callers from outside.
        let hidden = "[number.\"110\"]\nflow = \"support_direct\"\n";
        without_acw(plan).replace(support, &format!("{support}caller_id = \"4008001234\"\n")) + hidden
    };
    (Daemon::start_set(host, set, plan, environment), outside)
}

/// What a user's phone hears of a number that is not to be called.
fn refused(phone: &mut Phone, number: &str) -> String {
    phone.invite_as(number, "demo", "");
    phone.outcome().first().to_owned()
}

#[test]
fn who_lacks_the_class_calls_nobody_and_an_emergency_passes_a_full_trunk() {
    let (mut daemon, mut outside) = floor(&[]);
    let (mut one, mut other) = (agent(&daemon, "1001"), agent(&daemon, "1005"));
    // No shorter prefix lets a call out that a longer one bars.
    assert!(refused(&mut one, "0044123").contains("403"));
    assert!(refused(&mut other, "13900139000").contains("403"));
    one.invite_as("13900139000", "demo", "");
    let invite = outside.expect_invite();
    assert!(invite.header("From").contains("4008001234"), "the queue's number is shown: {invite:?}");
    outside.answer(&invite);
    assert!(one.outcome().is("200"));
    wait(|| tone::share(&outside.ear.hear(50), AGENT_HZ) > 0.9, || "the agent is not heard".to_owned());
    // The trunk carries no more; and yet.
    assert!(refused(&mut other, "0571123").contains("503"));
    assert!(refused(&mut other, "1101").contains("403"), "a longer number is none of that kind");
    other.invite_as("110", "demo", "");
    let invite = outside.expect("the emergency call", |text| text.is("INVITE") && text.first().contains("110@"));
    outside.refuse(&invite, "486 Busy Here", "");
    assert!(other.outcome().is("486"));
    one.hang_up();
    outside.expect_bye();
    daemon.until_idle();
    let records = daemon.stop();
    assert!(records.iter().all(|record| record.direction == Direction::Outbound), "{records:#?}");
    let told: Vec<u16> = records.iter().map(|record| record.cause.code).collect();
    assert_eq!(told, [403, 403, 503, 403, 486, 16]);
    let talked = records.last().expect("one");
    assert!(talked.recording.is_some() && talked.disposition == Disposition::Answered);
}

#[test]
fn an_emergency_call_passes_while_everything_else_is_refused() {
    let (mut daemon, mut outside) = floor(&[("TRUNKLINE__SIP__MAX_CALLS_PER_USER", "1")]);
    let (mut one, mut other) = (agent(&daemon, "1001"), agent(&daemon, "1001"));
    one.invite_as("13900139000", "demo", "");
    let invite = outside.expect_invite();
    outside.answer(&invite);
    assert!(one.outcome().is("200"));
    // One call is as many as a user may have.
    assert!(refused(&mut other, "0571123").contains("486"));
    let mut emergency = |status: &str| {
        other.invite_as("110", "demo", "");
        let invite = outside.expect("the emergency call", |text| text.is("INVITE") && text.first().contains("110@"));
        outside.refuse(&invite, status, "");
        assert!(other.outcome().is(&status[..3]));
    };
    emergency("480 Nobody There");
    daemon.signal("TERM");
    // The signal and these calls race; once the floor is closing, it stays so.
    let mut late = Phone::new("late", own_address(), daemon.sip, 2_000.0);
    loop {
        late.invite("0571123");
        if late.outcome().is("503") {
            break;
        }
    }
    emergency("603 Not Now");
    one.hang_up();
    outside.expect_bye();
    assert_eq!(daemon.wait().code(), Some(0), "{}", daemon.log());
    let told: Vec<u16> = daemon.records().iter().map(|record| record.cause.code).collect();
    assert!(told.contains(&480) && told.contains(&603) && told.contains(&16), "{told:?}");
}

#[test]
fn a_call_that_the_api_places_rings_the_agent_first_and_then_the_number() {
    let (mut daemon, mut outside) = floor(&[]);
    let mut phone = agent(&daemon, "1001");
    let order = |arguments: &[&str]| {
        let output = daemon.try_command(&[&["call"], arguments].concat());
        (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    let no = |arguments: &[&str], why: &str| {
        let (code, told) = order(arguments);
        assert!(code == Some(1) && told.contains(why), "{code:?} {told}");
    };
    no(&["1001", "0044123"], "may_call lacks \"abroad\"");
    no(&["1001", "2222"], "2222 is no number");
    no(&["1009", "13900139000"], "1009");
    no(&["1002", "13900139000"], "cannot be called");
    no(&["1001", "13900139000", "--queue", "suport"], "suport");
    // A machine whose disk is busy does it and does not confirm it.
    assert!(matches!(order(&["1001", "13900139000", "--queue", "support"]).0, Some(0 | 3)));
    let invite = phone.expect_invite();
    assert!(invite.header("From").contains("13900139000"), "the agent sees whom: {invite:?}");
    phone.ring(&invite);
    no(&["1001", "13900139000"], "in a call");
    phone.answer(&invite);
    let invite = outside.expect_invite();
    assert!(invite.first().contains("13900139000@") && invite.header("From").contains("4008001234"), "{invite:?}");
    outside.ring(&invite);
    wait(|| tone::share(&phone.ear.hear(25), CHINESE_RINGBACK_HZ) > 0.9, || "no ringback".to_owned());
    outside.answer(&invite);
    wait(|| tone::share(&outside.ear.hear(50), AGENT_HZ) > 0.9, || "the agent is not heard".to_owned());
    wait(|| tone::share(&phone.ear.hear(50), CALLER_HZ) > 0.9, || "the agent does not hear".to_owned());
    daemon.json_until("/api/v1/agents", |agents| agents["items"][0]["reason"] == "own_call");
    outside.hang_up();
    phone.expect_bye();
    // To a number of the plan, and to nobody: the agent does not answer, or the other one does not.
    assert!(matches!(order(&["1001", "4002"]).0, Some(0 | 3)));
    let invite = phone.expect_invite();
    phone.answer(&invite);
    wait(|| tone::share(&phone.ear.hear(50), AGENT_HZ) > 0.9, || "no echo".to_owned());
    phone.hang_up();
    daemon.until_idle();
    assert!(matches!(order(&["1001", "13900139000"]).0, Some(0 | 3)));
    let invite = phone.expect_invite();
    phone.answer(&invite);
    let invite = outside.expect_invite();
    outside.refuse(&invite, "486 Busy Here", "");
    outside.expect("ACK", |text| text.is("ACK"));
    phone.expect_bye();
    daemon.until_idle();
    assert!(matches!(order(&["1001", "13900139000"]).0, Some(0 | 3)));
    let invite = phone.expect_invite();
    phone.refuse(&invite, "603 Decline", "");
    phone.expect("ACK", |text| text.is("ACK"));
    daemon.until_idle();
    daemon.json_until("/api/v1/agents", |agents| agents["items"][0]["state"] == "available");
    let records = daemon.stop();
    let told: Vec<_> =
        records.iter().map(|record| (record.direction, record.called.as_str(), record.disposition)).collect();
    let (out, number) = (Direction::Outbound, "13900139000");
    assert_eq!(
        told,
        [
            (out, number, Disposition::Answered),
            (Direction::Inbound, "4002", Disposition::SelfService),
            (out, number, Disposition::Failed),
            (out, number, Disposition::Failed),
        ]
    );
    assert_eq!(
        (records[0].caller.as_str(), records[0].trunk.as_ref().map(|trunk| trunk.as_str())),
        ("1001", Some("telco"))
    );
    assert!(records[0].recording.is_some() && records[0].talk_ms > 0, "{:?}", records[0]);
}

#[test]
fn a_follow_up_reserves_an_agent_and_then_calls_the_customer() {
    let (mut daemon, mut outside) = floor(&[]);
    let mut phone = agent(&daemon, "1001");
    let add = |queue: &str, more: &[&str]| {
        let words = ["callback", "add", "13900139000", "--queue", queue, "--trunk", "telco"];
        daemon.try_command(&[&words, more].concat())
    };
    let unknown = add("suport", &[]);
    assert!(unknown.status.code() == Some(1), "{unknown:?}");
    // Not before its time.
    add("support", &["--at", "2099-01-01T00:00:00Z"]);
    let later = daemon.json_until("/api/v1/callbacks", |list| !list["items"].as_array().expect("a list").is_empty());
    let later = later["items"][0]["call_id"].as_str().expect("a call").to_owned();
    assert!(phone.try_receive().is_none(), "nobody is called before");
    let cancelled = || {
        daemon.try_command(&["callback", "cancel", &later]);
        daemon.json("/api/v1/callbacks")["items"].as_array().is_some_and(Vec::is_empty)
    };
    wait(cancelled, || "it is not cancelled".to_owned());
    add("support", &["--record"]);
    let invite = phone.expect_invite();
    phone.answer(&invite);
    let invite = outside.expect_invite();
    assert!(invite.first().contains("13900139000@") && invite.header("From").contains("4008001234"), "{invite:?}");
    outside.answer(&invite);
    wait(|| tone::share(&outside.ear.hear(50), AGENT_HZ) > 0.9, || "the agent is not heard".to_owned());
    outside.hang_up();
    phone.expect_bye();
    daemon.until_idle();
    let records = daemon.stop();
    let [record] = records.as_slice() else { panic!("{records:#?}") };
    assert_eq!((record.direction, record.disposition), (Direction::Outbound, Disposition::Answered));
    assert_eq!(record.segments.first().map(|segment| segment.agent.as_str()), Some("1001"));
    let (_, right) = tone::channels(&daemon.recording(record));
    assert!(tone::share(&right[right.len() / 2..right.len() - 800], AGENT_HZ) > 0.9, "the agent is in the recording");
}

#[test]
fn an_agent_who_is_freed_while_the_customers_phone_rings_is_out_of_the_call() {
    let (mut daemon, mut outside) = floor(&[]);
    let mut phone = agent(&daemon, "1001");
    daemon.run_command(&["callback", "add", "13900139000", "--queue", "support", "--trunk", "telco"]);
    let invite = phone.expect_invite();
    phone.answer(&invite);
    let invite = outside.expect_invite();
    outside.ring(&invite);
    daemon.run_command(&["agent", "set", "1001", "not-ready", "--now"]);
    phone.expect_bye();
    outside.expect("CANCEL", |text| text.is("CANCEL"));
    daemon.json_until("/api/v1/agents", |agents| agents["items"][0]["reason"] == "supervisor");
    let again = daemon.try_command(&["agent", "set", "1009", "offline", "--now"]);
    assert_eq!(again.status.code(), Some(1), "there is no such agent");
    // The request stands: an orderly stop leaves it as it is.
    assert_eq!(daemon.json("/api/v1/callbacks")["items"].as_array().map(Vec::len), Some(1));
    daemon.stop();
}
