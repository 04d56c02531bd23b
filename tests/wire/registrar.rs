//! Phones behind proxies, phones with flows of their own, and how much one user may have.

use super::daemon::{Daemon, own_address, without_acw};
use super::line;
use super::phone::Phone;

/// Two Vias: a proxy stood between.
const BY_PROXY: &str = "Via: SIP/2.0/UDP 192.0.2.9:5060;branch=z9hG4bKbefore\r\n";

#[test]
fn a_phone_behind_a_proxy_is_called_by_the_path_that_its_registration_took() {
    let daemon = Daemon::start();
    let mut phone = Phone::new("1001", daemon.host, daemon.sip, 1_000.0);
    let path = format!("Path: <sip:edge@{};lr>\r\n", phone.local());
    let accepted = phone.register_with("demo", &format!("Expires: 300\r\nSupported: path\r\n{path}"));
    assert!(accepted.is("200") && accepted.0.contains(&path), "{accepted:?}");
    let mut caller = Phone::new("13800138000", own_address(), daemon.sip, 440.0);
    caller.call("4001");
    let invite = phone.expect_invite();
    assert_eq!(invite.header("Route"), format!("<sip:edge@{};lr>", phone.local()));
    phone.answer(&invite);
    caller.hang_up();
    phone.expect_bye();
}

#[test]
fn a_phone_is_asked_and_called_at_its_contact_wherever_it_registers_from() {
    let mut daemon = Daemon::start();
    let mut phone = Phone::new("1001", daemon.host, daemon.sip, 1_000.0);
    let mut plug = line::udp(daemon.host, daemon.sip);
    plug.name = phone.local().to_string();
    let mut speaker = Phone::over(plug, "1001", daemon.sip, 1_000.0);
    assert!(speaker.register("demo", 300).is("200"));
    let options = phone.expect_options();
    phone.reply(&options, "200 OK", "");
    let mut caller = Phone::new("13800138000", own_address(), daemon.sip, 440.0);
    caller.call("4001");
    let invite = phone.expect_invite();
    phone.answer(&invite);
    caller.hang_up();
    phone.expect_bye();
    assert!(speaker.try_receive().is_none(), "nothing goes to where the registration came from");
    daemon.stop();
}

#[test]
fn a_phone_with_flows_of_its_own_takes_the_place_of_its_old_one() {
    let daemon = Daemon::start();
    let outbound = "Expires: 300\r\nSupported: path, outbound\r\n";
    let contact = ";reg-id=1;+sip.instance=\"<urn:uuid:00000000-0000-1000-8000-000A95A0E128>\"";
    let mut old = Phone::new("1001", daemon.host, daemon.sip, 1_000.0);
    old.contact = contact;
    let accepted = old.register_with("demo", outbound);
    assert_eq!(accepted.header("Require"), "outbound", "{accepted:?}");
    // The same phone after its network has changed.
    let mut new = Phone::new("1001", own_address(), daemon.sip, 1_000.0);
    new.contact = contact;
    let accepted = new.register_with("demo", outbound);
    let contacts: Vec<&str> = accepted.0.lines().filter(|line| line.starts_with("Contact")).collect();
    assert!(contacts.len() == 1 && contacts[0].contains(&new.local().to_string()), "{contacts:?}");
    // A proxy that keeps no flows cannot be before such a phone.
    let refused = new.register_with("demo", &format!("{outbound}{BY_PROXY}"));
    assert!(refused.is("439"), "{refused:?}");
    let mut caller = Phone::new("13800138000", own_address(), daemon.sip, 440.0);
    caller.call("4001");
    let invite = new.expect_invite();
    new.answer(&invite);
    caller.hang_up();
    new.expect_bye();
    assert!(old.try_receive().is_none_or(|text| !text.is("INVITE")));
}

#[test]
fn one_user_has_so_many_contacts_and_so_many_calls() {
    let few = |settings: String| settings.replace("[sip]", "[sip]\nmax_contacts = 2\nmax_calls_per_user = 1");
    let mut daemon = Daemon::start_set(own_address(), few, without_acw, &[]);
    let mut phones: Vec<Phone> = (0..3).map(|_| Phone::new("1001", daemon.host, daemon.sip, 1_000.0)).collect();
    let answers: Vec<bool> = phones.iter_mut().map(|phone| phone.register("demo", 300).is("200")).collect();
    // The third takes the place of the first.
    assert_eq!(answers, [true, true, true]);
    // *71 would end at once: the operator's queue does not.
    let [first, second, ..] = phones.as_mut_slice() else { panic!("three phones") };
    first.invite_as("4004x", "demo", "");
    assert!(first.outcome().is("404"));
    first.user = "1900".to_owned();
    first.invite_as("*72", "demo", "");
    assert!(first.outcome().is("200"));
    second.user = "1900".to_owned();
    second.invite_as("*71", "demo", "");
    assert!(second.outcome().is("486"), "one call at a time");
    first.expect_bye();
    daemon.until_idle();
    second.dial_code("*71", "demo");
    daemon.stop();
}
