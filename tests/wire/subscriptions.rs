//! Phones watch one another's calls (RFC 4235) and their own messages (RFC 3842).

use std::net::TcpStream;
use std::time::Instant;

use super::daemon::{Daemon, PATIENCE};
use super::line;
use super::phone::{Phone, Text};
use super::queue::{agent, caller};

/// Waits until so many subscriptions stand.
pub fn until(daemon: &Daemon, count: f64) {
    let since = Instant::now();
    while (daemon.metric("trunkline_sip_subscriptions") - count).abs() > 0.1 {
        assert!(since.elapsed() < PATIENCE, "{} subscriptions", daemon.metric("trunkline_sip_subscriptions"));
    }
}

/// A phone that has no need to be registered: who watches proves the password by itself.
fn phone(daemon: &Daemon, user: &str) -> Phone {
    Phone::new(user, daemon.host, daemon.sip, 440.0)
}

fn says<'a>(direction: &'a str, state: &'a str) -> impl Fn(&Text) -> bool + 'a {
    move |notify| notify.0.contains(&format!("direction=\"{direction}\"><state>{state}</state>"))
}

#[test]
fn a_key_follows_a_colleague_who_is_rung_answers_and_hangs_up() {
    let mut daemon = Daemon::start();
    let (mut first, mut watcher) = (agent(&daemon, "1001"), phone(&daemon, "1002"));
    let accepted = watcher.subscribe("1001", "demo", "Event: dialog\r\nExpires: 600\r\n");
    assert!(accepted.is("200") && accepted.header("Expires") == "600", "{accepted:?}");
    let idle = watcher.told("the state at once", |notify| !notify.0.contains("<dialog "));
    assert!(idle.header("Subscription-State").starts_with("active;expires="), "{idle:?}");
    assert_eq!((idle.header("Event"), idle.header("Content-Type")), ("dialog", "application/dialog-info+xml"));
    assert!(idle.0.contains(&format!("version=\"0\" state=\"full\" entity=\"sip:1001@{}\"", daemon.host)), "{idle:?}");

    let mut outside = caller(&daemon);
    outside.call("4001");
    let invite = first.expect_invite();
    first.ring(&invite);
    let early = watcher.told("ringing", says("recipient", "early"));
    assert!(!early.0.contains("13800138000"), "who calls is not the watcher's business: {early:?}");
    first.answer(&invite);
    watcher.told("answered", says("recipient", "confirmed"));
    outside.hang_up();
    first.expect_bye();
    watcher.told("hung up", says("recipient", "terminated"));
    // A call that the colleague places.
    first.call("4002");
    watcher.told("a call of the colleague's own", says("initiator", "confirmed"));
    first.hang_up();
    watcher.told("its end", says("initiator", "terminated"));

    until(&daemon, 1.0);
    let refreshed = watcher.within("SUBSCRIBE", "Event: dialog\r\nExpires: 300\r\n", "");
    assert!(refreshed.is("200") && refreshed.header("Expires") == "300", "{refreshed:?}");
    watcher.told("the state again", |notify| !notify.0.contains("<dialog "));
    assert!(watcher.within("SUBSCRIBE", "Event: dialog\r\nExpires: 0\r\n", "").is("200"));
    watcher.told("the end", |notify| notify.header("Subscription-State") == "terminated;reason=timeout");
    assert!(watcher.within("SUBSCRIBE", "Event: dialog\r\n", "").is("481"));
    until(&daemon, 0.0);
    daemon.stop();
}

#[test]
fn a_watcher_is_told_over_its_connection_and_gone_with_it() {
    let mut daemon = Daemon::start();
    let connect = || {
        let stream = TcpStream::connect(daemon.sip).expect("a connection");
        let local = stream.local_addr().expect("bound");
        Phone::over(line::over_tcp(stream, local), "1002", daemon.sip, 440.0)
    };
    let mut watcher = connect();
    assert!(watcher.subscribe("1001", "demo", "Event: dialog\r\n").is("200"));
    watcher.told("the state at once", |_| true);
    until(&daemon, 1.0);
    drop(watcher);
    until(&daemon, 0.0);
    // One that stays is told of the stop.
    let mut watcher = connect();
    assert!(watcher.subscribe("1001", "demo", "Event: dialog\r\n").is("200"));
    watcher.told("the state at once", |_| true);
    daemon.stop();
    watcher.told("the stop", |notify| notify.header("Subscription-State").starts_with("terminated;reason=probation"));
}

#[test]
fn a_lamp_says_that_no_messages_wait_and_strangers_watch_nobody() {
    let mut daemon = Daemon::start();
    let mut own = phone(&daemon, "1001");
    let accepted =
        own.subscribe("1001", "demo", "Event: message-summary\r\nAccept: application/simple-message-summary\r\n");
    assert!(accepted.is("200"), "{accepted:?}");
    let summary = own.told("a summary", |_| true);
    assert!(summary.0.ends_with(&format!(
        "Messages-Waiting: no\r\nMessage-Account: sip:1001@{}\r\nVoice-Message: 0/0\r\n",
        daemon.host
    )));
    let mut other = phone(&daemon, "1002");
    assert!(other.subscribe("1001", "demo", "Event: message-summary\r\n").is("403"), "another one's messages");
    let refused = other.subscribe("1001", "demo", "Event: presence\r\n");
    assert!(refused.is("489") && refused.header("Allow-Events") == "dialog, message-summary", "{refused:?}");
    assert!(other.subscribe("1001", "wrong", "Event: dialog\r\n").is("401"));
    until(&daemon, 1.0);
    // A subscriber that knows its subscription no longer is told nothing more.
    let mut forgetful = phone(&daemon, "1003");
    assert!(forgetful.subscribe("1002", "demo", "Event: dialog\r\n").is("200"));
    let notify = forgetful.expect("NOTIFY", |text| text.is("NOTIFY"));
    forgetful.reply(&notify, "481 Subscription Does Not Exist", "");
    until(&daemon, 1.0);
    daemon.stop();
}
