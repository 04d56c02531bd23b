//! Sources that guess or scan: slowed, ignored for a while, seen by operators (trunks never: `strangers.rs`).

use std::net::Ipv4Addr;
use std::time::Instant;

use super::daemon::{Daemon, PATIENCE, own_address, without_acw};
use super::phone::{Phone, answer};

/// A floor whose trunk is somewhere else, so that a test's phones are strangers.
pub fn guarded() -> Daemon {
    let elsewhere =
        |settings: String| settings.replacen("addresses = [\"127.0.0.0/8\"]", "addresses = [\"127.0.0.1\"]", 1);
    Daemon::start_set(own_address(), elsewhere, without_acw, &[])
}

fn until(daemon: &Daemon, metric: &str, least: f64) {
    let since = Instant::now();
    while daemon.metric(metric) < least {
        assert!(since.elapsed() < PATIENCE, "{metric} stays {}", daemon.metric(metric));
    }
}

/// A REGISTER with a wrong password, challenged and refused.
fn guess(phone: &mut Phone, password: &str) {
    let refused = phone.register(password, 300);
    assert!(refused.is("401"), "{refused:?}");
}

/// A call that nobody answers, as the floor counts it.
fn is_ignored(daemon: &Daemon, phone: &mut Phone) {
    let before = daemon.metric("trunkline_sip_ignored_total");
    let invite = phone.invite("4002");
    until(daemon, "trunkline_sip_ignored_total", before + 1.0);
    // Answers to earlier requests may be sent again.
    let answered = phone.try_receive().is_some_and(|text| invite.contains(text.header("Call-ID")));
    assert!(!answered, "no answer at all");
}

#[test]
fn who_guesses_passwords_is_ignored_until_the_ban_is_lifted() {
    let mut daemon = guarded();
    let thief: Ipv4Addr = own_address();
    let mut phone = Phone::new("1001", thief, daemon.sip, 0.0);
    for number in 0..4 {
        guess(&mut phone, &format!("guess{number}"));
    }
    // The fifth wrong answer is the last thing that is heard of this source.
    phone.user = "1002".into();
    let challenge = phone.challenge_to_register();
    let uri = format!("sip:{}", daemon.sip);
    let wrong = answer(&challenge, "1002", "guess5", "REGISTER", &uri);
    phone.send_register(&uri, &format!("Authorization: {wrong}\r\n"));
    until(&daemon, "trunkline_sip_bans", 1.0);
    is_ignored(&daemon, &mut phone);

    // Others are served meanwhile, and an operator sees who is not.
    let mut honest = Phone::new("1003", own_address(), daemon.sip, 0.0);
    assert!(honest.register("demo", 300).is("200"));
    let listed = daemon.run_command(&["ban", "list"]);
    assert!(listed.contains(&thief.to_string()) && listed.contains("until"), "{listed}");
    let lifted = daemon.run_command(&["ban", "lift", &thief.to_string()]);
    assert!(lifted.contains("listened to again"), "{lifted}");
    let mut phone = Phone::new("1001", thief, daemon.sip, 0.0);
    assert!(phone.register("demo", 300).is("200"), "and the right password is taken");
    daemon.stop();
    assert!(daemon.log().contains("guesses or scans"), "{}", daemon.log());
}

#[test]
fn who_scans_is_slowed_and_then_ignored_and_finds_out_nothing() {
    let mut daemon = guarded();
    let mut scanner = Phone::new("scanner", own_address(), daemon.sip, 0.0);
    let mut heard = 0;
    for number in 0..60 {
        scanner.invite(&format!("{}", 1_000 + number));
    }
    until(&daemon, "trunkline_sip_slowed_total", 20.0);
    until(&daemon, "trunkline_sip_bans", 1.0);
    while let Some(text) = scanner.try_receive() {
        // Numbers that exist and numbers that do not: the same answer.
        assert!(text.is("401") || text.is("100"), "{text:?}");
        heard += 1;
    }
    assert!((1..60).contains(&heard), "{heard} answers");
    is_ignored(&daemon, &mut scanner);
    daemon.stop();
}
