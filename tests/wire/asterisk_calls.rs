//! Calls with Asterisk: as a trunk by address with the cookbook's configuration, as an agent's phone, as a registrar.

use std::net::Ipv4Addr;

use trunkline::journal::{Direction, SegmentEnd};
use trunkline::records::{CallRecord, Disposition};

use super::asterisk::Asterisk;
use super::daemon::{Daemon, own_address, wait, without_acw};
use super::phone::Phone;
use super::tone;

const AGENT_HZ: f64 = 1_000.0;
const CALLER_HZ: f64 = 440.0;

/// The block of the cookbook's chapter on Asterisk that is written in this language, for these addresses.
fn cookbook(language: &str, floor: Ipv4Addr, asterisk: Ipv4Addr) -> String {
    let text = include_str!("../../docs/trunks.md");
    let chapter = text.split("## Asterisk").nth(1).expect("a chapter");
    let block = chapter.split(&format!("```{language}\n")).nth(1).and_then(|rest| rest.split("```").next());
    block.expect("a block").replace("192.0.2.30", &asterisk.to_string()).replace("192.0.2.5", &floor.to_string())
}

/// A floor whose only trunk is the one of these settings, and which asks for no phone meanwhile.
fn floor(host: Ipv4Addr, trunks: &str) -> Daemon {
    let strangers =
        |settings: String| settings.replace("addresses = [\"127.0.0.0/8\"]", "addresses = [\"127.255.255.255\"]");
    let route = "[[route]]\nprefix = \"9\"\nstrip = 1\ntrunks = [\"asterisk\"]\nrecord = true\n";
    let settings = |settings: String| format!("{}\n{trunks}\n{route}", strangers(settings));
    Daemon::start_set(host, settings, without_acw, &[("TRUNKLINE__SIP__QUALIFY", "0s")])
}

fn agent(daemon: &Daemon, user: &str) -> Phone {
    let mut phone = Phone::new(user, daemon.host, daemon.sip, AGENT_HZ);
    assert!(phone.register("demo", 300).is("200"));
    phone
}

fn hears(phone: &Phone, hz: f64) -> bool {
    tone::share(&phone.ear.hear(25), hz) > 0.9
}

fn until_state(daemon: &Daemon, agent: &str, wanted: &str) {
    daemon.json_until("/api/v1/agents", |agents| {
        let items = agents["items"].as_array().expect("a list");
        items.iter().any(|item| item["agent"] == agent && item["state"] == wanted)
    });
}

fn trunk_of(record: &CallRecord) -> Option<&str> {
    record.trunk.as_ref().map(|trunk| trunk.as_str())
}

#[test]
fn the_cookbooks_trunk_carries_calls_both_ways_with_keys_and_sound() {
    let (host, own) = (own_address(), own_address());
    let plan = "[from-trunkline]\nexten => 600,1,Answer()\n same => n,Echo()\nexten => 601,1,Answer()\n\
                 same => n,Read(key,,1,,1,10)\n same => n,Verbose(1,the key was ${key})\n same => n,Hangup()\n\
                 [tone]\nexten => s,1,Playtones(440)\n same => n,Wait(60)\n\
                 [menu]\nexten => s,1,Wait(1)\n same => n,SendDTMF(2)\n same => n,Wait(2)\n same => n,SendDTMF(2)\n\
                 same => n,Goto(tone,s,1)\n";
    let asterisk = Asterisk::start(own, &cookbook("ini", host, own), plan);
    let mut daemon = floor(host, &cookbook("toml", host, own));
    daemon.json_until("/api/v1/trunks", |list| list.to_string().contains("\"up\""));
    let mut phone = agent(&daemon, "1001");

    // Out: our tone comes back from there, through a hold and its end.
    phone.invite_as("9600", "demo", "");
    assert!(phone.outcome().is("200"));
    wait(|| hears(&phone, AGENT_HZ), || asterisk.log());
    assert!(phone.modify("a=sendonly\r\n").is("200") && phone.modify("a=sendrecv\r\n").is("200"));
    wait(|| hears(&phone, AGENT_HZ), || asterisk.log());
    phone.hang_up();
    phone.invite_as("9601", "demo", "");
    assert!(phone.outcome().is("200"));
    wait(
        || {
            phone.ear.press('7');
            asterisk.log().contains("the key was 7")
        },
        || asterisk.log(),
    );
    phone.expect_bye();
    daemon.until_idle();

    // In: straight to the queue, and by the menu's keys.
    for (number, context) in [("4001", "tone"), ("4000", "menu")] {
        asterisk.type_in(&format!("channel originate PJSIP/{number}@trunkline extension s@{context}"));
        let invite = phone.expect_invite();
        phone.ring(&invite);
        phone.answer(&invite);
        wait(|| hears(&phone, CALLER_HZ), || asterisk.log());
        phone.hang_up();
        daemon.until_idle();
    }
    let records = daemon.stop();
    assert_eq!(records.len(), 4);
    assert!(records.iter().all(|record| trunk_of(record) == Some("asterisk")), "{records:?}");
    let inbound: Vec<_> = records.iter().filter(|record| record.direction == Direction::Inbound).collect();
    assert!(inbound.iter().all(|record| record.disposition == Disposition::Answered), "{inbound:?}");
}

#[test]
fn asterisk_registers_as_an_agent_answers_holds_and_hands_on() {
    let (host, own) = (own_address(), own_address());
    let desk = Phone::new("desk", own_address(), (own, 5060).into(), AGENT_HZ);
    let desk_address = desk.local();
    let pjsip = format!(
        "[agent]\ntype = registration\noutbound_auth = agent\nserver_uri = sip:{host}\nclient_uri = sip:1001@{host}\n\
         contact_user = 1001\nexpiration = 120\nline = yes\nendpoint = agent\n\
         [agent]\ntype = auth\nauth_type = userpass\nusername = 1001\npassword = demo\n\
         [agent]\ntype = endpoint\ncontext = agent\ndisallow = all\nallow = alaw\naors = agent\noutbound_auth = agent\n\
         direct_media = no\nmoh_passthrough = yes\n\
         [agent]\ntype = aor\ncontact = sip:{host}\n\
         [agent]\ntype = identify\nendpoint = agent\nmatch = {host}\n\
         [desk]\ntype = endpoint\ncontext = none\ndisallow = all\nallow = alaw\naors = desk\ndirect_media = no\n\
         [desk]\ntype = aor\ncontact = sip:desk@{desk_address}\n"
    );
    let plan = "[agent]\nexten => 1001,1,Dial(PJSIP/desk,20,g)\n same => n,Transfer(PJSIP/sip:4005@away)\n";
    let mut daemon = floor(
        host,
        "[trunk.asterisk]\ntargets = [\"sip:127.255.255.254\"]\noptions = \"0s\"\n[trunk.outside]\n\
                                  addresses = [\"127.0.0.0/8\"]\nnumbers = [\"4001\"]\n",
    );
    let asterisk = Asterisk::start(own, &pjsip, plan);
    until_state(&daemon, "1001", "available");
    let mut second = Phone::new("1005", daemon.host, daemon.sip, 2_500.0);
    assert!(second.register("demo", 300).is("200"));
    let mut caller = Phone::new("13800138000", own_address(), daemon.sip, CALLER_HZ);
    caller.call("4001");
    let mut desk = desk;
    let invite = desk.expect_invite();
    desk.ring(&invite);
    desk.answer(&invite);
    wait(|| hears(&caller, AGENT_HZ), || asterisk.log());
    wait(|| hears(&desk, CALLER_HZ), || asterisk.log());
    // The desk's hold comes to us as a re-INVITE of Asterisk's.
    assert!(desk.modify("a=sendonly\r\n").is("200"));
    until_state(&daemon, "1001", "hold");
    assert!(desk.modify("a=sendrecv\r\n").is("200"));
    until_state(&daemon, "1001", "talking");
    wait(|| hears(&caller, AGENT_HZ), || asterisk.log());
    // When the desk hangs up, Asterisk hands the call on.
    desk.hang_up();
    let invite = second.expect_invite();
    second.ring(&invite);
    second.answer(&invite);
    wait(|| hears(&caller, 2_500.0), || asterisk.log());
    caller.hang_up();
    second.expect_bye();
    daemon.until_idle();
    let records = daemon.stop();
    let [record] = records.as_slice() else { panic!("{records:?}") };
    let ends: Vec<_> = record.segments.iter().map(|s| (s.agent.as_str(), s.end_reason)).collect();
    assert_eq!(ends, [("1001", SegmentEnd::Transferred), ("1005", SegmentEnd::Caller)]);
    assert!(record.hold_ms > 0, "{record:?}");
}

#[test]
fn we_register_at_asterisk_and_calls_go_both_ways() {
    let (host, own) = (own_address(), own_address());
    let pjsip = "[862154654000]\ntype = endpoint\ncontext = from-us\ndisallow = all\nallow = alaw\nauth = us\naors = 862154654000\n\
                 direct_media = no\ntimers = always\ntimers_sess_expires = 90\n\
                 [us]\ntype = auth\nauth_type = userpass\nusername = 862154654000\npassword = hush\n\
                 [862154654000]\ntype = aor\nmax_contacts = 1\nremove_existing = yes\n";
    let plan = "[from-us]\nexten => 600,1,Answer()\n same => n,Echo()\n[tone]\nexten => s,1,Playtones(440)\n same => n,Wait(60)\n";
    let asterisk = Asterisk::start(own, pjsip, plan);
    let trunks = format!(
        "[trunk.asterisk]\nnumbers = [\"862154654000\", \"4001\"]\ntargets = [\"sip:{own}\"]\ndomain = \"{own}\"\n\
         caller = \"862154654000\"\n\
         [trunk.asterisk.account]\nuser = \"862154654000\"\npassword = \"hush\"\nrealm = \"asterisk\"\n\
         [trunk.asterisk.register]\nexpires = \"2m\"\n"
    );
    let mut daemon = floor(host, &trunks);
    daemon.json_until("/api/v1/trunks", |list| list.to_string().contains("\"registered\""));
    let mut phone = agent(&daemon, "1001");
    phone.invite_as("9600", "demo", "");
    let answer = phone.outcome();
    assert!(answer.is("200"), "{answer:?}\n{}", asterisk.log());
    wait(|| hears(&phone, AGENT_HZ), || asterisk.log());
    phone.hang_up();
    daemon.until_idle();
    asterisk.type_in(&format!("channel originate PJSIP/862154654000/sip:4001@{host} extension s@tone"));
    let invite = phone.expect_invite();
    phone.answer(&invite);
    wait(|| hears(&phone, CALLER_HZ), || asterisk.log());
    phone.hang_up();
    daemon.until_idle();
    let records = daemon.stop();
    assert_eq!(records.len(), 2);
    assert!(records.iter().all(|record| trunk_of(record) == Some("asterisk")), "{records:?}");
    assert!(asterisk.type_in("pjsip show contacts").contains("No objects"), "a stop takes the registration back");
}
