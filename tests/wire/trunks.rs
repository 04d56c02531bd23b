//! Trunks: calls that leave by them and come from them, registrations, health, limits, and what must never leave.

use std::net::Ipv4Addr;
use std::time::Instant;

use trunkline::journal::Direction;
use trunkline::records::Disposition;

use super::common::digest;
use super::daemon::{Daemon, PATIENCE, own_address};
use super::phone::{Phone, Text};
use super::queue::agent;
use super::tone;

const AGENT_HZ: f64 = 440.0;
const CARRIER_HZ: f64 = 1_000.0;
const CHALLENGE: &str = "Digest realm=\"telco\", nonce=\"n0\", algorithm=MD5, qop=\"auth\"";

/// A carrier's SBC at an address of its own, and the floor's host.
fn carrier() -> (Phone, Ipv4Addr) {
    let host = own_address();
    (Phone::new("sbc", own_address(), (host, 5060).into(), CARRIER_HZ), host)
}

const ACCOUNT: &str = "[trunk.telco.account]\nuser = \"u1\"\npassword = \"p1\"\nrealm = \"telco\"\n";
const ROUTE: &str = "[[route]]\nprefix = \"9\"\nstrip = 1\ntrunks = [\"telco\"]\nrecord = true\n";

/// Whether a request answers [`CHALLENGE`] with the right password.
fn is_proved(request: &Text, header: &str, method: &str) -> bool {
    let value = request.header(header);
    let field = |name: &str| value.split(&format!("{name}=\"")).nth(1).and_then(|rest| rest.split('"').next());
    let (Some(uri), Some(cnonce)) = (field("uri"), field("cnonce")) else { return false };
    let expected = digest::answer(CHALLENGE, method, uri, "u1", "p1", cnonce).expect("known");
    let response = expected.split("response=").nth(1).and_then(|rest| rest.split(',').next()).expect("in it");
    request.first().contains(uri) && value.contains(&format!("response={response}"))
}

fn trunk(daemon: &Daemon, wanted: impl Fn(&serde_json::Value) -> bool) -> serde_json::Value {
    let of = |list: &serde_json::Value| {
        let all = list["items"].as_array().expect("a list");
        all.iter().find(|trunk| trunk["trunk"] == "telco").cloned().expect("the trunk")
    };
    of(&daemon.json_until("/api/v1/trunks", |list| wanted(&of(list))))
}

#[test]
fn an_agent_calls_out_past_a_dead_target_with_the_carriers_number_and_password() {
    let (mut sbc, host) = carrier();
    let silent = std::net::UdpSocket::bind((own_address(), 0)).expect("a socket");
    let trunks = format!(
        "[trunk.telco]\ntargets = [\"sip:{}\", \"sip:{}\"]\ntry_for = \"300ms\"\noptions = \"0s\"\ndomain = \"telco.example\"\n\
         caller = \"+862154654000\"\nmax_calls = 1\ndialling = {{ country = \"86\", area = \"21\", send = \"national\" }}\n{ACCOUNT}",
        silent.local_addr().expect("bound"),
        sbc.local()
    );
    let mut daemon = Daemon::start_trunks(host, &trunks, ROUTE);
    let mut caller = Phone::new("1001", host, daemon.sip, AGENT_HZ);
    caller.register("demo", 300);
    caller.invite_as("9+8613800138000", "demo", "");

    let invite = sbc.expect_invite();
    let uri = format!("INVITE sip:013800138000@{} SIP/2.0", sbc.local());
    assert_eq!(invite.first(), uri, "without the prefix, as the carrier writes numbers");
    assert!(invite.header("From").starts_with("<sip:02154654000@telco.example>"), "{invite:?}");
    assert_eq!(invite.header("P-Asserted-Identity"), "<sip:02154654000@telco.example>");
    sbc.refuse(&invite, "407 Proxy Authentication Required", &format!("Proxy-Authenticate: {CHALLENGE}\r\n"));
    sbc.expect("ACK", |text| text.is("ACK"));
    let invite = sbc.expect_again(&invite);
    assert!(is_proved(&invite, "Proxy-Authorization", "INVITE"), "{invite:?}");
    sbc.ring(&invite);
    caller.expect("ringing", |text| text.is("180"));
    sbc.answer(&invite);
    assert!(caller.outcome().is("200"));
    assert!(tone::share(&sbc.ear.hear(100)[8_000..], AGENT_HZ) > 0.9, "the carrier hears the agent");
    assert!(tone::share(&caller.ear.hear(100)[8_000..], CARRIER_HZ) > 0.9, "the agent hears the carrier");

    // The trunk carries one call.
    let mut second = agent(&daemon, "1002");
    second.invite_as("9+8613800138001", "demo", "");
    assert!(second.outcome().is("503"));
    let state = trunk(&daemon, |trunk| trunk["refused_full"] == 1);
    assert_eq!(state["calls_out"], 1);
    assert_eq!(daemon.metric("trunkline_trunk_calls{trunk=\"telco\",direction=\"out\"}"), 1.0);
    let told = daemon.run_command(&["trunk", "status", "telco"]);
    assert!(told.contains("telco") && told.contains(&sbc.local().to_string()), "{told}");

    sbc.hang_up();
    caller.expect_bye();
    daemon.until_idle();
    trunk(&daemon, |trunk| trunk["calls_out"] == 0);
    let records = daemon.stop();
    let record = records.iter().find(|record| record.disposition == Disposition::Answered).expect("a record");
    assert_eq!((record.direction, record.caller.as_str()), (Direction::Outbound, "1001"));
    assert_eq!(record.trunk.as_ref().map(ToString::to_string).as_deref(), Some("telco"));
    let (left, right) = tone::channels(&daemon.recording(record));
    let middle = left.len() / 4..left.len() * 3 / 4;
    assert!(tone::share(&left[middle.clone()], AGENT_HZ) > 0.9 && tone::share(&right[middle], CARRIER_HZ) > 0.9);
    drop(silent);
}

#[test]
fn a_registered_trunk_sends_calls_to_our_contact_with_the_number_in_to() {
    let (mut sbc, host) = carrier();
    let trunks = format!(
        "[trunk.telco]\nnumbers = [\"4002\"]\ntargets = [\"sip:{}\"]\noptions = \"0s\"\n{ACCOUNT}\
         [trunk.telco.register]\nexpires = \"2m\"\n",
        sbc.local()
    );
    // Only the registration makes the carrier one: its address is in no list.
    let settings = "[trunk.none]\naddresses = []\n";
    let mut daemon = Daemon::start_trunks(host, &trunks, settings);
    let first = sbc.expect("REGISTER", |text| text.is("REGISTER"));
    assert_eq!((first.header("Expires"), first.header("Authorization")), ("120", ""));
    sbc.take(&first);
    sbc.refuse(&first, "401 Unauthorized", &format!("WWW-Authenticate: {CHALLENGE}\r\n"));
    let second = sbc.expect("REGISTER", |text| text.is("REGISTER") && !text.header("Authorization").is_empty());
    assert!(is_proved(&second, "Authorization", "REGISTER"), "{second:?}");
    let contact = second.header("Contact").to_owned();
    sbc.refuse(&second, "200 OK", &format!("Contact: {contact};expires=90\r\n"));
    let state = trunk(&daemon, |trunk| trunk["registration"]["state"] == "registered");
    assert_eq!(state["registration"]["expires_s"], 90);
    assert!(daemon.run_command(&["trunk", "status"]).contains("registered since"));

    // The Request-URI names our contact; whom it is for stands in To.
    sbc.user = "13800138000".to_owned();
    sbc.invite_to("u1", "4002");
    assert!(sbc.outcome().is("200"));
    assert!(tone::share(&sbc.ear.hear(60)[8_000..], CARRIER_HZ) > 0.9, "its own echo");
    sbc.hang_up();
    // A number that is not the trunk's is nobody's.
    sbc.invite_to("u1", "4003");
    assert!(sbc.outcome().is("401"));

    // A stop takes the registration back, and waits until the carrier has believed it.
    daemon.signal("TERM");
    let gone = sbc.expect("the last REGISTER", |text| text.is("REGISTER"));
    assert_eq!((gone.header("Expires"), gone.header("Authorization")), ("0", ""));
    sbc.take(&gone);
    sbc.refuse(&gone, "401 Unauthorized", &format!("WWW-Authenticate: {CHALLENGE}\r\n"));
    let proved =
        sbc.expect("the last REGISTER", |text| text.is("REGISTER") && !text.header("Authorization").is_empty());
    assert!(is_proved(&proved, "Authorization", "REGISTER") && proved.header("Expires") == "0", "{proved:?}");
    sbc.refuse(&proved, "200 OK", "");
    let records = daemon.stop();
    let [record] = records.as_slice() else { panic!("{records:?}") };
    assert_eq!(record.trunk.as_ref().map(ToString::to_string).as_deref(), Some("telco"));
    assert_eq!((record.called.as_str(), record.caller.as_str()), ("4002", "13800138000"));
}

#[test]
fn a_registration_goes_to_the_next_registrar_and_a_wrong_password_is_told() {
    let (mut sbc, host) = carrier();
    let closed = std::net::UdpSocket::bind((own_address(), 0)).and_then(|socket| socket.local_addr()).expect("a port");
    let trunks = format!(
        "[trunk.telco]\n{ACCOUNT}[trunk.telco.register]\nregistrars = [\"sip:{closed};transport=tcp\", \"sip:{}\"]\n",
        sbc.local()
    );
    let daemon = Daemon::start_trunks(host, &trunks, "");
    for answers in [false, true] {
        let wanted = |text: &Text| text.is("REGISTER") && text.header("Authorization").is_empty() != answers;
        let register = sbc.expect("REGISTER", wanted);
        sbc.take(&register);
        sbc.refuse(&register, "401 Unauthorized", &format!("WWW-Authenticate: {CHALLENGE}\r\n"));
    }
    let state = trunk(&daemon, |trunk| trunk["registration"]["state"] == "failed");
    assert_eq!(state["registration"]["code"], 401, "the right answer is given once");
    let status = daemon.try_command(&["trunk", "status"]);
    assert_eq!(status.status.code(), Some(1), "{}", String::from_utf8_lossy(&status.stdout));
    assert!(daemon.log().contains("the password is wrong, or the realm"), "{}", daemon.log());
}

#[test]
fn a_registrar_that_wants_longer_gets_it_and_one_that_will_not_have_us_is_told() {
    let (mut sbc, host) = carrier();
    let trunks = format!(
        "[trunk.telco]\ntargets = [\"sip:{}\"]\noptions = \"0s\"\n{ACCOUNT}[trunk.telco.register]\nexpires = \"60s\"\n",
        sbc.local()
    );
    let daemon = Daemon::start_trunks(host, &trunks, "");
    let brief = sbc.expect("REGISTER", |text| text.is("REGISTER"));
    sbc.take(&brief);
    sbc.refuse(&brief, "423 Interval Too Brief", "Min-Expires: 900\r\n");
    let longer = sbc.expect("REGISTER", |text| text.is("REGISTER") && text.header("CSeq") != brief.header("CSeq"));
    assert_eq!(longer.header("Expires"), "900");
    sbc.refuse(&longer, "403 Forbidden", "");
    let state = trunk(&daemon, |trunk| trunk["registration"]["state"] == "failed");
    assert_eq!(state["registration"]["code"], 403);
    let status = daemon.try_command(&["trunk", "status"]);
    let told = String::from_utf8_lossy(&status.stdout).into_owned();
    assert!(status.status.code() == Some(1) && told.contains("failed with 403"), "{told}");
}

#[test]
fn a_trunk_that_may_not_be_heard_early_lets_its_caller_hear_ringing_until_the_answer() {
    let (mut sbc, host) = carrier();
    let trunks = format!("[trunk.telco]\ntargets = [\"sip:{}\"]\noptions = \"0s\"\nearly_media = false\n", sbc.local());
    let mut daemon = Daemon::start_trunks(host, &trunks, ROUTE);
    let mut caller = agent(&daemon, "1001");
    caller.invite_as("910086", "demo", "");
    let invite = sbc.expect_invite();
    sbc.progress(&invite, "");
    let ringing = caller.expect("ringing", |text| text.is("18"));
    assert!(ringing.is("180") && !ringing.0.contains("m=audio"), "{ringing:?}");
    sbc.answer(&invite);
    assert!(caller.outcome().is("200"));
    assert!(tone::share(&caller.ear.hear(60)[4_800..], CARRIER_HZ) > 0.9);
    caller.hang_up();
    sbc.expect_bye();
    daemon.until_idle();
    assert_eq!(daemon.stop()[0].disposition, Disposition::Answered);
}

#[test]
fn a_trunk_with_a_password_calls_from_anywhere_and_is_believed_as_far_as_it_is_trusted() {
    let (mut pbx, host) = carrier();
    let trunks = "[trunk.telco]\nnumbers = [\"4002\"]\ntrusted = true\ndialling = { country = \"86\" }\n\
                  [trunk.telco.inbound]\nuser = \"pbx\"\npassword = \"secret\"\n";
    let strangers =
        |settings: String| settings.replace("addresses = [\"127.0.0.0/8\"]", "addresses = [\"127.255.255.255\"]");
    let mut daemon = Daemon::start_set(host, |settings| strangers(settings) + trunks, |plan| plan, &[]);
    pbx.user = "anonymous".to_owned();
    let asserted = "P-Asserted-Identity: \"Li\" <sip:013800138000@pbx>\r\nPrivacy: id\r\n";
    pbx.invite_with("4002", asserted);
    pbx.answer_challenge("pbx", "secret", asserted);
    assert!(pbx.outcome().is("200"));
    pbx.hang_up();
    // Proved, and yet no number of its own.
    pbx.invite("4003");
    pbx.answer_challenge("pbx", "secret", "");
    assert!(pbx.outcome().is("404"));
    // A trunk is no phone.
    pbx.user = "pbx".to_owned();
    assert!(pbx.register("secret", 300).is("403"));
    let records = daemon.stop();
    let [record] = records.as_slice() else { panic!("{records:?}") };
    assert_eq!((record.caller.as_str(), record.called.as_str()), ("+8613800138000", "4002"));
}

#[test]
fn targets_are_asked_for_and_the_first_that_answers_is_called() {
    let (mut sbc, host) = carrier();
    let other = Phone::new("other", own_address(), (host, 5060).into(), CARRIER_HZ);
    let trunks =
        format!("[trunk.telco]\ntargets = [\"sip:{}\", \"sip:{}\"]\noptions = \"1s\"\n", other.local(), sbc.local());
    let daemon = Daemon::start_trunks(host, &trunks, ROUTE);
    let up = |trunk: &serde_json::Value, target: usize, state: &str| trunk["targets"][target]["state"] == state;
    // The first one takes no calls, and says so.
    let since = Instant::now();
    loop {
        for (phone, status) in [(&other, "503 Service Unavailable"), (&sbc, "200 OK")] {
            if let Some(options) = phone.try_receive().filter(|text| text.is("OPTIONS")) {
                phone.reply(&options, status, "");
            }
        }
        let state = trunk(&daemon, |_| true);
        if up(&state, 0, "down") && up(&state, 1, "up") {
            break;
        }
        assert!(since.elapsed() < PATIENCE, "{state}");
    }
    let down = format!("trunkline_trunk_target_up{{trunk=\"telco\",target=\"sip:{}\"}}", other.local());
    assert_eq!(daemon.metric(&down), 0.0);
    let mut caller = agent(&daemon, "1001");
    caller.invite_as("910086", "demo", "");
    let invite = sbc.expect_invite();
    assert!(invite.first().contains("sip:10086@"), "{invite:?}");
    sbc.answer(&invite);
    assert!(caller.outcome().is("200"));
    caller.hang_up();
    sbc.expect_bye();
}

#[test]
fn nobody_from_outside_reaches_a_trunk_and_no_password_leaves_for_a_stranger() {
    let (mut sbc, host) = carrier();
    let trunks = format!("[trunk.telco]\ntargets = [\"sip:{}\"]\noptions = \"0s\"\n{ACCOUNT}", sbc.local());
    let all = |settings: String| settings.replace("numbers = [\"4000\"", "numbers = [\"9003*\", \"4000\"");
    let mut daemon = Daemon::start_set(host, |settings| all(settings) + &trunks + ROUTE, |plan| plan, &[]);
    // Even a trunk that may call such numbers leaves by no other trunk.
    let mut outside = Phone::new("13800138000", host, daemon.sip, AGENT_HZ);
    outside.invite("900331234567");
    assert!(outside.outcome().is("404"));
    assert!(sbc.try_receive().is_none());

    // A phone that challenges the call it is presented hears no password of the trunk's.
    let mut phone = agent(&daemon, "1001");
    let mut caller = Phone::new("13800138000", host, daemon.sip, AGENT_HZ);
    caller.call("4001");
    let invite = phone.expect_invite();
    phone.refuse(&invite, "407 Proxy Authentication Required", &format!("Proxy-Authenticate: {CHALLENGE}\r\n"));
    phone.expect("ACK", |text| text.is("ACK"));
    caller.hang_up();
    // Nor does whoever is called behind the trunk.
    phone.invite_as("910086", "demo", "");
    let invite = sbc.expect_invite();
    let other = CHALLENGE.replace("telco", "callee");
    sbc.refuse(&invite, "407 Proxy Authentication Required", &format!("Proxy-Authenticate: {other}\r\n"));
    sbc.expect("ACK", |text| text.is("ACK"));
    assert!(phone.outcome().is("407"));
    // A carrier that challenges for ever is answered once.
    phone.invite_as("910086", "demo", "");
    let first = sbc.expect_again(&invite);
    sbc.refuse(&first, "401 Unauthorized", &format!("WWW-Authenticate: {CHALLENGE}\r\n"));
    let second = sbc.expect_again(&first);
    assert!(is_proved(&second, "Authorization", "INVITE"));
    sbc.refuse(&second, "401 Unauthorized", &format!("WWW-Authenticate: {}\r\n", CHALLENGE.replace("n0", "n1")));
    assert!(phone.outcome().is("401"));
    daemon.until_idle();
    daemon.stop();
    for left in std::iter::from_fn(|| sbc.try_receive()).chain(std::iter::from_fn(|| phone.try_receive())) {
        assert!(!left.is("INVITE"), "{left:?}");
    }
}

#[test]
fn a_trunk_that_calls_too_often_gets_503() {
    let (mut sbc, host) = carrier();
    let mut daemon = Daemon::start_set(
        host,
        |settings| settings.replace("[trunk.carrier]", "[trunk.carrier]\nmax_calls_per_second = 2"),
        |plan| plan,
        &[],
    );
    let mut answers = Vec::new();
    for _ in 0..4 {
        sbc.invite("4002");
        let answer = sbc.outcome();
        answers.push(answer.is("200"));
        if answer.is("200") {
            sbc.hang_up();
        }
    }
    // Sent faster than half a second each, as the echo answers at once.
    assert_eq!((answers[0], answers.contains(&false)), (true, true), "{answers:?}");
    daemon.until_idle();
    let records = daemon.stop();
    assert_eq!(records.len(), answers.iter().filter(|answered| **answered).count(), "a call that did not fit is none");
}

#[test]
fn a_call_goes_on_by_the_next_trunk_with_its_diversions_and_that_trunks_codec() {
    let (mut sbc, host) = carrier();
    let mut second = Phone::new("second", own_address(), (host, 5060).into(), CARRIER_HZ);
    let trunks = format!(
        "[trunk.telco]\ntargets = [\"sip:{}\"]\noptions = \"0s\"\n\
         [trunk.second]\ntargets = [\"sip:{}\"]\noptions = \"0s\"\ncodecs = [\"PCMU\"]\ndiversions = \"History-Info\"\n",
        sbc.local(),
        second.local()
    );
    let route = "[[route]]\nprefix = \"4005\"\ntrunks = [\"telco\", \"second\"]\nfrom_trunks = [\"carrier\"]\n";
    let trusted = |settings: String| settings.replace("[trunk.carrier]", "[trunk.carrier]\ntrusted = true");
    let mut daemon = Daemon::start_set(host, |settings| trusted(settings) + &trunks + route, |plan| plan, &[]);
    let mut caller = Phone::new("13800138000", host, daemon.sip, AGENT_HZ);
    caller.invite_with("4005", "Privacy: id\r\nDiversion: <sip:4009@x>;reason=user-busy\r\n");
    let invite = sbc.expect_invite();
    assert_eq!(invite.header("Diversion"), format!("<sip:4009@{host}>;reason=user-busy"));
    assert_eq!(invite.header("Privacy"), "id");
    assert!(invite.header("From").starts_with("\"Anonymous\" <sip:anonymous@anonymous.invalid>"), "{invite:?}");
    assert!(!invite.0.contains("13800138000"), "a trunk that is not trusted is not told: {invite:?}");
    assert!(invite.0.contains(" RTP/AVP 8 0 101\r\n"), "{invite:?}");
    sbc.refuse(&invite, "503 Service Unavailable", "");
    let invite = second.expect_invite();
    assert!(invite.0.contains(" RTP/AVP 0 101\r\n"), "{invite:?}");
    let told: Vec<&str> = invite.0.lines().filter(|line| line.starts_with("History-Info")).collect();
    let expected = [
        format!("History-Info: <sip:4009@{host}>;index=1"),
        format!("History-Info: <sip:4005@{host};cause=486>;index=1.1"),
    ];
    assert_eq!(told, expected);
    second.refuse(&invite, "486 Busy Here", "");
    assert!(caller.outcome().is("486"));
    daemon.until_idle();
    let records = daemon.stop();
    let [record] = records.as_slice() else { panic!("{records:?}") };
    assert_eq!((record.disposition, record.direction), (Disposition::Busy, Direction::Inbound));
    assert_eq!(record.trunk.as_ref().map(ToString::to_string).as_deref(), Some("carrier"));
}
