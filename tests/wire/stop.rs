//! An orderly stop: who may finish finishes, everybody else gets an end, and nobody's silence holds the process.

use std::time::{Duration, Instant};

use trunkline::records::Disposition;

use super::daemon::Daemon;
use super::phone::Phone;
use super::queue::{agent, caller, conversation};

/// How long a stop may take once its deadline has passed: two seconds for silent peers, and a busy machine.
const SOON: Duration = Duration::from_secs(10);

/// Waits for the end and gives how long it took from now.
fn ended(daemon: &mut Daemon) -> Duration {
    let since = Instant::now();
    assert_eq!(daemon.wait().code(), Some(0), "{}", daemon.log());
    since.elapsed()
}

/// A floor that cuts calls as soon as it is told to stop.
fn impatient() -> Daemon {
    Daemon::start_with(super::daemon::without_acw, &[("TRUNKLINE__SHUTDOWN__DEADLINE", "0s")])
}

#[test]
fn new_calls_are_refused_and_the_present_one_may_finish() {
    let mut daemon = Daemon::start();
    let (mut caller, agent) = conversation(&daemon);
    caller.ear.hear(10);
    daemon.signal("TERM");
    let mut late = self::caller(&daemon);
    // The signal and this call race; once the floor is closing, it stays so.
    let refused = loop {
        late.invite("4002");
        let answer = late.expect("a final answer", |t| t.header("CSeq").ends_with("INVITE") && !t.is("1"));
        if answer.is("503") {
            break answer;
        }
        late.confirm(&answer);
        late.hang_up();
    };
    late.ack_refusal(&refused);
    assert!(refused.header("Retry-After").is_empty());
    caller.ear.hear(20);
    caller.hang_up();
    agent.expect_bye();
    assert_eq!(daemon.wait().code(), Some(0), "{}", daemon.log());
    let records = daemon.records();
    assert!(records.iter().any(|record| record.disposition == Disposition::Answered && record.is_final));
}

#[test]
fn a_phone_that_answers_no_bye_holds_nobody() {
    let mut daemon = impatient();
    let (caller, agent) = conversation(&daemon);
    caller.ear.hear(10);
    daemon.signal("TERM");
    agent.expect("BYE", |text| text.is("BYE"));
    agent.expect("BYE again", |text| text.is("BYE"));
    // The caller says yes, the agent's phone never does.
    caller.expect_bye();
    assert!(ended(&mut daemon) < SOON);
    let records = daemon.records();
    assert_eq!((records[0].disposition, records[0].cause.text.as_str()), (Disposition::Answered, "shutdown"));
    assert!(records[0].is_final);
}

#[test]
fn a_caller_who_never_acknowledges_gets_a_bye_all_the_same() {
    let mut daemon = impatient();
    let mut caller = caller(&daemon);
    caller.invite("4002");
    caller.expect("200", |text| text.is("200"));
    daemon.signal("TERM");
    caller.expect("BYE", |text| text.is("BYE"));
    assert!(ended(&mut daemon) < SOON);
    assert!(daemon.records()[0].is_final);
}

#[test]
fn who_waits_and_who_rings_gets_an_end_at_the_deadline() {
    let mut daemon = impatient();
    let mut agent = agent(&daemon, "1001");
    let mut first = caller(&daemon);
    first.call("4001");
    let invite = agent.expect_invite();
    agent.ring(&invite);
    let mut second = Phone::new("13900139000", daemon.host, daemon.sip, 440.0);
    second.call("4001");
    daemon.json_until("/api/v1/queues", |queues| queues.to_string().contains("\"waiting\":2"));
    daemon.signal("TERM");
    for caller in [&first, &second] {
        let bye = caller.expect_bye();
        assert!(bye.header("Reason").contains("shutdown"), "{bye:?}");
    }
    // The phone that rings is told, and says nothing.
    agent.expect("CANCEL", |text| text.is("CANCEL"));
    assert!(ended(&mut daemon) < SOON);
    let records = daemon.records();
    assert_eq!(records.len(), 2);
    assert!(records.iter().all(|record| record.is_final && record.cause.text == "shutdown"), "{records:?}");
    assert!(!daemon.log().contains("was left behind"), "{}", daemon.log());
}
