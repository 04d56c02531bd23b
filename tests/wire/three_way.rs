//! Three in one conversation: an agent brings in whom the agent has consulted, and anybody may leave.

use trunkline::journal::{HangupBy, SegmentEnd};
use trunkline::records::{CallRecord, Disposition};

use super::daemon::{Daemon, own_address, wait, without_acw};
use super::phone::Phone;
use super::queue::conversation;
use super::tone;
use super::transfer::{hears, segments};

const CALLER_HZ: f64 = 440.0;
const AGENT_HZ: f64 = 1_000.0;
const COLLEAGUE_HZ: f64 = 2_500.0;

/// An agent holds a caller and speaks with a colleague on the second line of the same phone.
struct Consultation {
    caller: Phone,
    agent: Phone,
    line: Phone,
    colleague: Phone,
    call: String,
    other: String,
}

impl Consultation {
    fn begun(daemon: &Daemon) -> Self {
        let (caller, mut agent) = conversation(daemon);
        let mut colleague = Phone::new("1002", daemon.host, daemon.sip, COLLEAGUE_HZ);
        assert!(colleague.register("demo", 300).is("200"));
        assert!(agent.modify("a=sendonly\r\n").is("200"), "the caller is put on hold");
        let mut line = Phone::new("1001", daemon.host, daemon.sip, AGENT_HZ);
        line.invite_as("1002", "demo", "");
        let invite = colleague.expect_invite();
        colleague.answer(&invite);
        assert!(line.outcome().is("200"));
        assert!(hears(&colleague, AGENT_HZ) && hears(&line, COLLEAGUE_HZ), "they consult");
        let calls = daemon.json_until("/api/v1/calls", |calls| calls["items"][1]["state"] == "talking");
        let name = |index: usize| calls["items"][index]["call_id"].as_str().expect("a name").to_owned();
        let (call, other) = (name(0), name(1));
        Self { caller, agent, line, colleague, call, other }
    }

    /// The two calls become one, and the agent takes the caller back off hold.
    fn joined(&mut self, daemon: &Daemon) {
        assert_eq!(join(daemon, &self.call, &self.other), 204);
        self.line.expect_bye();
        // Who holds leaves the others to one another.
        until_hears(&self.caller, &[COLLEAGUE_HZ], "the caller, held by the agent");
        until_hears(&self.colleague, &[CALLER_HZ], "the colleague, held by nobody");
        assert!(self.agent.modify("a=sendrecv\r\n").is("200"));
        until_hears(&self.caller, &[AGENT_HZ, COLLEAGUE_HZ], "the caller, of three");
        until_hears(&self.agent, &[CALLER_HZ, COLLEAGUE_HZ], "the agent, of three");
        until_hears(&self.colleague, &[CALLER_HZ, AGENT_HZ], "the colleague, of three");
    }
}

/// The answer to the wish; a machine whose disk is busy confirms nothing for a while, and may be asked again.
fn join(daemon: &Daemon, call: &str, other: &str) -> u16 {
    let mut status = 503;
    let again = || {
        let body = format!("{{\"other\": \"{other}\"}}");
        status = daemon.http(&format!("POST /api/v1/calls/{call}/join"), "", &body).0;
        status != 503
    };
    wait(again, || "wishes are refused".to_owned());
    status
}

/// Waits until a phone hears these tones and none of the others.
fn until_hears(phone: &Phone, wanted: &[f64], who: &str) {
    let fits = |(hz, share): (f64, f64)| if wanted.contains(&hz) { share > 0.25 } else { share < 0.02 };
    let heard = || {
        let heard = phone.ear.hear(50);
        [CALLER_HZ, AGENT_HZ, COLLEAGUE_HZ].map(|hz| (hz, tone::share(&heard, hz))).into_iter().all(fits)
    };
    wait(heard, || format!("{who} should hear {wanted:?}"));
}

fn until_state(daemon: &Daemon, index: usize, state: &str) {
    daemon.json_until("/api/v1/agents", |agents| agents["items"][index]["state"] == state);
}

/// A floor whose agents reach two phones outside, by 9001 and 8001.
fn outside() -> (Daemon, Phone, Phone) {
    let host = own_address();
    let phone = |number: &str, hz| Phone::new(number, host, (host, 5060).into(), hz);
    let (first, second) = (phone("9001", CALLER_HZ), phone("8001", COLLEAGUE_HZ));
    let route = |phone: &Phone| format!("\n[[route]]\nprefix = \"{}\"\ntarget = \"{}\"\n", phone.user, phone.local());
    let routes = route(&first) + &route(&second);
    (Daemon::start_set(host, |settings| settings + &routes, without_acw, &[]), first, second)
}

/// A phone calls one outside, which answers.
fn place(phone: &mut Phone, outside: &mut Phone) {
    phone.invite_as(&outside.user.clone(), "demo", "");
    let invite = outside.expect_invite();
    outside.answer(&invite);
    assert!(phone.outcome().is("200"));
}

/// The record of the conversation and that of the consultation.
fn records(daemon: &mut Daemon) -> (CallRecord, CallRecord) {
    daemon.until_idle();
    let records = daemon.stop();
    assert_eq!(records.len(), 2, "{records:?}");
    let of = |caller: &str| records.iter().find(|record| record.caller == caller).expect("a record").clone();
    let (record, consulted) = (of("13800138000"), of("1001"));
    assert_eq!((consulted.linked_id, record.linked_id), (record.call_id, record.call_id), "asked about that call");
    assert_eq!((consulted.cause.text.as_str(), consulted.disposition), ("transferred", Disposition::Answered));
    assert_eq!(record.disposition, Disposition::Answered);
    let joined: Vec<_> = record.joined.iter().map(|one| (one.by.as_str(), one.party.as_str())).collect();
    assert_eq!(joined, [("1001", "1002")]);
    (record, consulted)
}

#[test]
fn the_agent_leaves_and_the_other_two_go_on() {
    let mut daemon = Daemon::start();
    let mut three = Consultation::begun(&daemon);
    assert_eq!(join(&daemon, &three.other, &three.call), 409, "the wrong way round");
    assert_eq!(join(&daemon, &three.call, &three.call), 409, "one call is not two");
    three.joined(&daemon);
    until_state(&daemon, 1, "not_ready");
    assert_eq!(join(&daemon, &three.call, &three.other), 404, "the other one is over");
    three.agent.hang_up();
    until_state(&daemon, 0, "available");
    until_hears(&three.caller, &[COLLEAGUE_HZ], "the caller, with the colleague");
    until_hears(&three.colleague, &[CALLER_HZ], "the colleague, with the caller");
    three.colleague.hang_up();
    three.caller.expect_bye();
    until_state(&daemon, 1, "available");
    let (record, _) = records(&mut daemon);
    assert_eq!((segments(&record), record.hangup_by), (vec![("1001", SegmentEnd::Transferred)], HangupBy::Agent));
    let transfers: Vec<_> = record.transfers.iter().map(|one| (one.from.as_str(), one.to.as_deref())).collect();
    assert_eq!(transfers, [("1001", Some("1002"))]);
    let recording = record.recording.as_ref().expect("recorded");
    assert!(recording.written_ms.abs_diff(record.talk_ms + record.hold_ms) <= 100, "{record:?}");
}

#[test]
fn the_colleague_holds_then_leaves_and_the_caller_ends_it() {
    let mut daemon = Daemon::start();
    let mut three = Consultation::begun(&daemon);
    let told = daemon.run_command(&["call", "join", &three.call, &three.other]);
    assert!(told.contains("are one conversation"), "{told}");
    three.line.expect_bye();
    assert!(three.agent.modify("a=sendrecv\r\n").is("200"));
    until_hears(&three.caller, &[AGENT_HZ, COLLEAGUE_HZ], "the caller, of three");
    // Who holds is not heard, and the others speak on.
    assert!(three.colleague.modify("a=sendonly\r\n").is("200"));
    until_hears(&three.caller, &[AGENT_HZ], "the caller, while the colleague holds");
    assert!(three.colleague.modify("a=sendrecv\r\n").is("200"));
    until_hears(&three.agent, &[CALLER_HZ, COLLEAGUE_HZ], "the agent, of three again");
    three.colleague.hang_up();
    until_state(&daemon, 1, "available");
    until_hears(&three.caller, &[AGENT_HZ], "the caller, with the agent");
    until_hears(&three.agent, &[CALLER_HZ], "the agent, with the caller");
    three.caller.hang_up();
    three.agent.expect_bye();
    let (record, _) = records(&mut daemon);
    assert_eq!((segments(&record), record.transfers.len()), (vec![("1001", SegmentEnd::Caller)], 0));
    assert!(record.joined[0].left.is_some_and(|left| left < record.ended), "{record:?}");
}

#[test]
fn the_caller_hangs_up_and_everybody_is_out() {
    let mut daemon = Daemon::start();
    let mut three = Consultation::begun(&daemon);
    three.joined(&daemon);
    three.caller.hang_up();
    three.agent.expect_bye();
    three.colleague.expect_bye();
    until_state(&daemon, 0, "available");
    until_state(&daemon, 1, "available");
    let (record, _) = records(&mut daemon);
    assert_eq!((record.hangup_by, record.joined[0].left), (HangupBy::Caller, None));
}

/// Who has placed the first call too has no segment there; who comes in may be nobody of ours.
#[test]
fn two_outside_go_on_without_the_agent_who_has_called_them_both() {
    let (mut daemon, mut first, mut second) = outside();
    let mut agent = super::queue::agent(&daemon, "1001");
    place(&mut agent, &mut first);
    assert!(agent.modify("a=sendonly\r\n").is("200"));
    let mut line = Phone::new("1001", daemon.host, daemon.sip, AGENT_HZ);
    place(&mut line, &mut second);
    assert!(hears(&second, AGENT_HZ), "they consult");
    let calls = daemon.json_until("/api/v1/calls", |calls| calls["items"][1]["state"] == "talking");
    let name = |index: usize| calls["items"][index]["call_id"].as_str().expect("a name").to_owned();
    assert_eq!(join(&daemon, &name(0), &name(1)), 204);
    line.expect_bye();
    assert!(agent.modify("a=sendrecv\r\n").is("200"));
    until_hears(&first, &[AGENT_HZ, COLLEAGUE_HZ], "the first one outside");
    until_hears(&second, &[AGENT_HZ, CALLER_HZ], "the second one outside");
    until_hears(&agent, &[CALLER_HZ, COLLEAGUE_HZ], "the agent");
    agent.hang_up();
    until_state(&daemon, 0, "available");
    until_hears(&first, &[COLLEAGUE_HZ], "the first one, without the agent");
    until_hears(&second, &[CALLER_HZ], "the second one, without the agent");
    second.hang_up();
    first.expect_bye();
    daemon.until_idle();
    let records = daemon.stop();
    let record = records.iter().find(|record| record.called == "9001").expect("a record");
    let joined: Vec<_> = record.joined.iter().map(|one| (one.by.as_str(), one.party.as_str())).collect();
    let transfers: Vec<_> = record.transfers.iter().map(|one| (one.from.as_str(), one.to.as_deref())).collect();
    assert_eq!((joined, transfers), (vec![("1001", "8001")], vec![("1001", Some("8001"))]));
    assert_eq!((records.len(), record.segments.len()), (2, 0), "{records:?}");
}

/// A colleague who came out of a queue goes on as the phone that it is; the queue's part of the work is done.
#[test]
fn an_agent_of_another_queue_comes_in_and_has_the_work_after_the_consultation() {
    let inside = |plan| without_acw(plan) + "\n[number.\"5005\"]\nflow = \"sales_direct\"\n";
    let mut daemon = Daemon::start_with(inside, &[]);
    let (mut caller, mut agent) = conversation(&daemon);
    assert!(agent.modify("a=sendonly\r\n").is("200"));
    let mut colleague = Phone::new("1005", daemon.host, daemon.sip, COLLEAGUE_HZ);
    assert!(colleague.register("demo", 300).is("200"));
    let mut line = Phone::new("1001", daemon.host, daemon.sip, AGENT_HZ);
    line.invite_as("5005", "demo", "");
    assert!(line.outcome().is("200"));
    let invite = colleague.expect_invite();
    colleague.answer(&invite);
    let calls = daemon.json_until("/api/v1/calls", |calls| calls["items"][1]["state"] == "talking");
    let name = |index: usize| calls["items"][index]["call_id"].as_str().expect("a name").to_owned();
    assert_eq!(join(&daemon, &name(0), &name(1)), 204);
    line.expect_bye();
    until_hears(&caller, &[COLLEAGUE_HZ], "the caller, held by the agent");
    until_state(&daemon, 4, "not_ready");
    agent.hang_up();
    until_hears(&colleague, &[CALLER_HZ], "the colleague, alone with the caller");
    caller.hang_up();
    colleague.expect_bye();
    until_state(&daemon, 4, "available");
    daemon.until_idle();
    let records = daemon.stop();
    let of = |caller: &str| records.iter().find(|record| record.caller == caller).expect("a record");
    assert_eq!(segments(of("1001")), [("1005", SegmentEnd::Caller)]);
    assert_eq!(of("13800138000").transfers[0].to.as_deref(), Some("1005"));
}
