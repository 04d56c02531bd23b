//! Phones behind NATs: registered, called, heard both ways, and kept in reach.

use std::time::Instant;

use super::baresip::Baresip;
use super::daemon::{Daemon, PATIENCE, without_acw};
use super::network::{FLOOR, Network, PHONE};
use super::phone::Phone;
use super::rtp::Ear;
use super::tone;

const CALLER_HZ: f64 = 440.0;
const AGENT_HZ: f64 = 1_000.0;
const STRANGER_HZ: f64 = 2_500.0;

/// The agent's site and the caller's.
const AGENT: u8 = 0;
const CALLER: u8 = 1;

/// A floor on the public network that knows nothing of NATs; the site of the callers is its carrier.
fn floor(sip: &str) -> Daemon {
    let carrier = format!("addresses = [\"{}\"]", Network::nat(CALLER));
    let set = |settings: String| {
        settings
            .replace("demo = true", "demo = false")
            .replace("local_nets = [\"127.0.0.0/8\"]", "local_nets = []")
            .replacen("addresses = [\"127.0.0.0/8\"]", &carrier, 1)
            .replacen("[sip]", &format!("[sip]\n{sip}"), 1)
    };
    Daemon::start_set(FLOOR, set, without_acw, &[("TRUNKLINE_ADMIN_TOKEN", "demo-admin")])
}

fn agent(network: &Network, daemon: &Daemon) -> Phone {
    let mut phone = network.at_phone(AGENT, || Phone::new("1001", PHONE, daemon.sip, AGENT_HZ));
    let accepted = phone.register("demo", 300);
    assert!(accepted.is("200"), "{accepted:?}");
    let via = accepted.header("Via");
    assert!(via.contains(&format!("received={}", Network::nat(AGENT))) && via.contains(&PHONE.to_string()), "{via}");
    phone
}

fn caller(network: &Network, daemon: &Daemon) -> Phone {
    network.at_phone(CALLER, || Phone::new("13800138000", PHONE, daemon.sip, CALLER_HZ))
}

/// Waits until each hears the other.
fn until_heard(caller: &Phone, agent: &Phone) {
    for (ear, hz) in [(&agent.ear, CALLER_HZ), (&caller.ear, AGENT_HZ)] {
        let since = Instant::now();
        while tone::share(&ear.hear(25), hz) < 0.9 {
            assert!(since.elapsed() < PATIENCE, "no tone of {hz} Hz");
        }
    }
}

#[test]
fn an_agent_and_a_caller_behind_nats_hear_each_other_and_hang_up() {
    let network = Network::new(2);
    network.at_floor(|| {
        let mut daemon = floor("");
        let (mut agent, mut caller) = (agent(&network, &daemon), caller(&network, &daemon));
        for round in 0..2 {
            caller.call("4001");
            let invite = agent.expect_invite();
            agent.ring(&invite);
            agent.answer(&invite);
            until_heard(&caller, &agent);
            // What either asks within the call is answered, and what the floor asks finds its way.
            assert!(agent.modify("a=sendonly\r\n").is("200") && agent.modify("a=sendrecv\r\n").is("200"));
            until_heard(&caller, &agent);
            if round == 0 {
                caller.hang_up();
                agent.expect_bye();
            } else {
                agent.hang_up();
                caller.expect_bye();
            }
        }
        daemon.until_idle();
        assert_eq!(daemon.stop().len(), 2);
    });
}

#[test]
fn nobody_elsewhere_takes_the_place_of_a_phone_behind_a_nat_however_early_and_fast() {
    let network = Network::new(2);
    network.at_floor(|| {
        let mut daemon = floor("");
        let (mut agent, mut caller) = (agent(&network, &daemon), caller(&network, &daemon));
        caller.call("4001");
        let invite = agent.expect_invite();
        let strangers: Vec<Ear> = (0..4).map(|_| Ear::open(FLOOR, STRANGER_HZ)).collect();
        strangers.iter().for_each(|stranger| stranger.speak_to(invite.rtp()));
        agent.answer(&invite);
        until_heard(&caller, &agent);
        let (by_caller, by_agent) = (caller.ear.hear(100), agent.ear.hear(100));
        assert!(tone::share(&by_caller, STRANGER_HZ) < 0.01 && tone::share(&by_caller, AGENT_HZ) > 0.9);
        assert!(tone::share(&by_agent, CALLER_HZ) > 0.9);
        assert!(strangers.iter().all(|stranger| stranger.packets() == 0), "nobody overhears");
        caller.hang_up();
        agent.expect_bye();
        daemon.stop();
        assert!(daemon.log().contains("packets from strangers are dropped"), "{}", daemon.log());
    });
}

#[test]
fn a_nat_that_forgets_moves_sound_and_call_to_other_ports() {
    let network = Network::new(2);
    network.at_floor(|| {
        let mut daemon = floor("");
        let (mut agent, mut caller) = (agent(&network, &daemon), caller(&network, &daemon));
        caller.call("4001");
        let invite = agent.expect_invite();
        agent.answer(&invite);
        until_heard(&caller, &agent);
        network.forget(AGENT);
        until_heard(&caller, &agent);
        // The floor learns of the phone's new way by its next request, and ends the call by it.
        assert!(agent.modify("").is("200"));
        caller.hang_up();
        agent.expect_bye();
        daemon.stop();
        assert!(daemon.log().contains("has moved"), "{}", daemon.log());
    });
}

#[test]
fn keep_alives_keep_a_way_open_that_the_nat_forgets_after_two_seconds() {
    let network = Network::new(2);
    network.remember_for(AGENT, 2);
    network.at_floor(|| {
        let mut daemon = floor("qualify = \"1s\"");
        let (mut agent, mut caller) = (agent(&network, &daemon), caller(&network, &daemon));
        let since = Instant::now();
        for _ in 0..4 {
            let options = agent.expect_options();
            agent.reply(&options, "200 OK", "");
        }
        assert!(since.elapsed().as_secs() >= 2, "longer than the NAT remembers");
        caller.call("4001");
        let invite = agent.expect_invite();
        agent.answer(&invite);
        until_heard(&caller, &agent);
        agent.hang_up();
        caller.expect_bye();
        daemon.stop();
    });
}

#[test]
fn a_phone_that_its_nat_has_forgotten_is_out_of_reach_until_it_registers_again() {
    let network = Network::new(2);
    network.at_floor(|| {
        let daemon = floor("qualify = \"0s\"");
        let (mut agent, mut caller) = (agent(&network, &daemon), caller(&network, &daemon));
        network.forget(AGENT);
        caller.call("4001");
        let is_called = |agent: &serde_json::Value| agent["agent"] == "1001" && !agent["call"].is_null();
        daemon.json_until("/api/v1/agents", |agents| {
            agents["items"].as_array().is_some_and(|agents| agents.iter().any(is_called))
        });
        assert!(agent.try_receive().is_none());
        caller.hang_up();
        assert!(agent.register("demo", 300).is("200"));
        caller.call("4001");
        let invite = agent.expect_invite();
        agent.answer(&invite);
        until_heard(&caller, &agent);
        caller.hang_up();
        agent.expect_bye();
    });
}

#[test]
fn a_baresip_behind_a_nat_is_rung_and_talks() {
    let network = Network::new(2);
    network.at_floor(|| {
        let mut daemon = floor("");
        let account = format!(
            "<sip:1001@{FLOOR};transport=udp>;auth_user=1001;auth_pass=demo;answermode=auto;regint=300;audio_codecs=pcma"
        );
        let start = || network.at_phone(AGENT, || Baresip::start_at(PHONE, &account, 1_000, ""));
        let agent = Baresip::registered(start);
        let mut caller = caller(&network, &daemon);
        caller.call("4001");
        agent.wait_for("Call established");
        let since = Instant::now();
        while tone::share(&caller.ear.hear(25), AGENT_HZ) < 0.9 {
            assert!(since.elapsed() < PATIENCE, "the agent's tone is not heard\n{}", agent.log());
        }
        // Long enough for what baresip conceals at the beginning not to matter.
        caller.ear.hear(200);
        caller.hang_up();
        agent.wait_for("session closed");
        let heard = agent.heard();
        tone::assert_clear(&heard, CALLER_HZ);
        daemon.stop();
    });
}
