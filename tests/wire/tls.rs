//! SIP within TLS: phones register and are rung over their own connection, certificates are asked for, refused and renewed.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use rustls::{ServerConnection, StreamOwned};
use trunkline::records::Disposition;

use super::certificates::{Folder, Issuer, trusting};
use super::daemon::{Daemon, PATIENCE, own_address, without_acw};
use super::line;
use super::phone::Phone;
use super::queue::caller;
use super::tone;

const CALLER_HZ: f64 = 440.0;
const AGENT_HZ: f64 = 1_000.0;

/// A daemon that also listens on TLS with a certificate of `ours`, and with what `more` sets.
pub fn daemon(ours: &Issuer, more: impl FnOnce(&Folder, Ipv4Addr) -> Vec<(&'static str, String)>) -> (Daemon, Folder) {
    daemon_with(ours, own_address(), |settings| settings, more)
}

/// The same at an address of the test's, with whatever `set` makes of the demo's settings.
pub fn daemon_with(
    ours: &Issuer,
    host: Ipv4Addr,
    set: impl FnOnce(String) -> String,
    more: impl FnOnce(&Folder, Ipv4Addr) -> Vec<(&'static str, String)>,
) -> (Daemon, Folder) {
    let folder = Folder::new();
    folder.renew(ours, &host.to_string());
    folder.write("trust.pem", &ours.pem());
    let mut variables = vec![
        ("TRUNKLINE__SIP__TLS", format!("{host}:5061")),
        ("TRUNKLINE__TLS__CERTIFICATE", folder.file("server.pem")),
        ("TRUNKLINE__TLS__KEY", folder.file("server.key")),
        ("TRUNKLINE__TLS__TRUST", folder.file("trust.pem")),
    ];
    variables.extend(more(&folder, host));
    let variables: Vec<_> = variables.iter().map(|(name, value)| (*name, value.as_str())).collect();
    (Daemon::start_set(host, set, without_acw, &variables), folder)
}

fn address(daemon: &Daemon) -> SocketAddr {
    SocketAddr::from((daemon.host, 5061))
}

/// An agent's phone within TLS, registered.
fn agent(daemon: &Daemon, ours: &Issuer, own: Option<&Issuer>) -> Phone {
    let plug = line::tls(address(daemon), &ours.client(own));
    let mut phone = Phone::over(plug, "1001", address(daemon), AGENT_HZ);
    let accepted = phone.register("demo", 300);
    assert!(accepted.is("200"), "{accepted:?}");
    phone
}

/// A caller out of the queue and the phone that is rung hear each other.
pub fn converse(daemon: &Daemon, agent: &mut Phone, via: &str, parameter: &str) {
    let mut caller = caller(daemon);
    caller.call("4001");
    let invite = agent.expect_invite();
    assert!(invite.header("Via").starts_with(&format!("SIP/2.0/{via} {}", daemon.host)), "{invite:?}");
    assert!(invite.header("Contact").contains(parameter), "{invite:?}");
    agent.ring(&invite);
    agent.answer(&invite);
    let (by_caller, by_agent) = (caller.ear.hear(50), agent.ear.hear(50));
    assert!(tone::share(&by_agent[4_000..], CALLER_HZ) > 0.9, "the agent hears the caller");
    assert!(tone::share(&by_caller[4_000..], AGENT_HZ) > 0.9, "the caller hears the agent");
    caller.hang_up();
    agent.expect_bye();
}

fn until_logged(daemon: &Daemon, text: &str) {
    let since = Instant::now();
    while !daemon.log().contains(text) {
        assert!(since.elapsed() < PATIENCE, "the daemon does not say \"{text}\"");
        std::thread::yield_now();
    }
}

#[test]
fn a_phone_within_tls_registers_is_rung_over_its_connection_and_calls() {
    let ours = Issuer::new("ours");
    let (mut daemon, _folder) = daemon(&ours, |_, _| Vec::new());
    let mut agent = agent(&daemon, &ours, None);
    converse(&daemon, &mut agent, "TLS", ";transport=tls");
    agent.dial_code("*72", "demo");
    let records = daemon.stop();
    let answered = records.iter().find(|record| record.called == "4001").expect("the queue's call");
    assert_eq!(answered.disposition, Disposition::Answered);
}

#[test]
fn certificates_are_checked_by_whoever_asks_for_them() {
    let (ours, phones, strangers) = (Issuer::new("ours"), Issuer::new("phones"), Issuer::new("strangers"));
    let (mut daemon, _folder) = daemon(&ours, |folder, _| {
        let path = folder.write("phones.pem", &phones.pem());
        vec![("TRUNKLINE__TLS__CLIENT_CA", path.display().to_string())]
    });
    // A phone that does not know who issued the daemon's certificate ends the handshake.
    let refused = line::secure(address(&daemon), &strangers.client(Some(&phones))).expect_err("refused");
    assert!(refused.to_string().contains("UnknownIssuer"), "{refused}");
    // And the daemon that of a phone that shows none, or one of somebody else's.
    for own in [None, Some(&strangers)] {
        let refused = line::secure(address(&daemon), &ours.client(own)).and_then(|(mut stream, _)| {
            // In TLS 1.3 the phone is done before the daemon has judged.
            std::io::Read::read(&mut stream, &mut [0; 1])
        });
        let refused = refused.expect_err("refused").to_string();
        assert!(refused.contains("alert") || refused.contains("reset"), "{refused}");
    }
    until_logged(&daemon, "a SIP connection ended in its handshake");
    let mut agent = agent(&daemon, &ours, Some(&phones));
    converse(&daemon, &mut agent, "TLS", ";transport=tls");
    daemon.stop();
}

#[test]
fn a_new_certificate_is_shown_after_sighup_and_calls_live_on() {
    let (ours, next) = (Issuer::new("ours"), Issuer::new("next"));
    let (mut daemon, folder) = daemon(&ours, |_, _| Vec::new());
    let (mut agent, mut caller) = (agent(&daemon, &ours, None), caller(&daemon));
    caller.call("4001");
    let invite = agent.expect_invite();
    agent.answer(&invite);
    folder.write("server.pem", "not a certificate");
    daemon.signal("HUP");
    until_logged(&daemon, "nothing is reloaded");
    assert!(daemon.log().contains(&folder.file("server.pem")), "the file is named");
    line::secure(address(&daemon), &ours.client(None)).expect("the old certificate is shown");
    folder.renew(&next, &daemon.host.to_string());
    daemon.signal("HUP");
    until_logged(&daemon, "the files are read again and in force");
    line::secure(address(&daemon), &next.client(None)).expect("the new certificate is shown");
    assert!(line::secure(address(&daemon), &ours.client(None)).is_err(), "and the old one no more");
    // The phone's connection is older than that, and its call goes on.
    agent.ear.hear(10);
    agent.hang_up();
    caller.expect_bye();
    daemon.stop();
}

/// Somebody else's phone, to which the daemon connects, with a certificate for `name`; `None` where its handshake fails.
pub fn called(listener: &TcpListener, theirs: &Issuer, name: &str) -> Option<line::Plug> {
    let (mut stream, _) = listener.accept().expect("the daemon connects");
    stream.set_read_timeout(Some(PATIENCE)).expect("a time-out");
    let local = listener.local_addr().expect("bound");
    let mut connection = ServerConnection::new(theirs.server(name)).expect("a configuration");
    while connection.is_handshaking() {
        connection.complete_io(&mut stream).ok()?;
    }
    let mut stream = StreamOwned::new(connection, stream);
    // In TLS 1.3 a client that refuses says so after our side is done: wait for its first bytes.
    std::io::BufRead::fill_buf(&mut stream).ok().filter(|bytes| !bytes.is_empty())?;
    stream.sock.set_read_timeout(Some(Duration::from_millis(100))).expect("a time-out");
    Some(line::over_tls(Box::new(stream), local))
}

#[test]
fn a_static_phone_is_called_within_tls_if_its_certificate_is_trusted() {
    let (ours, strangers) = (Issuer::new("ours"), Issuer::new("strangers"));
    let listener = TcpListener::bind((own_address(), 0)).expect("a listener");
    let local = listener.local_addr().expect("bound");
    let (ip, contact) = (local.ip().to_string(), format!("sip:{{agent}}@{local};transport=tls"));
    let (mut daemon, _folder) = daemon(&ours, |_, _| vec![("TRUNKLINE__AGENT__1001-1004__CONTACT", contact)]);
    let mut waiting = caller(&daemon);
    waiting.call("4001");
    assert!(called(&listener, &strangers, &ip).is_none(), "nothing is said to a stranger");
    until_logged(&daemon, "cannot open a SIP connection");
    // The next agent's phone, at the same address, has the right certificate by now.
    let plug = called(&listener, &ours, &ip).expect("trusted");
    let mut agent = Phone::over(plug, "1002", address(&daemon), AGENT_HZ);
    let invite = agent.expect_invite();
    assert!(invite.header("Via").starts_with("SIP/2.0/TLS"), "{invite:?}");
    agent.answer(&invite);
    waiting.hang_up();
    agent.expect_bye();
    let records = daemon.stop();
    assert_eq!(records[0].disposition, Disposition::Answered);
}

#[test]
fn certificates_that_cannot_be_used_are_named_at_the_start() {
    let (ours, folder, host) = (Issuer::new("ours"), Folder::new(), own_address());
    folder.renew(&ours, "127.0.0.1");
    let other = folder.write("other.key", &ours.issue("127.0.0.1").1).display().to_string();
    let missing = folder.file("missing.pem");
    for (certificate, key, words) in [
        (&missing, folder.file("server.key"), [missing.as_str(), "tls.certificate"]),
        (&folder.file("server.pem"), other.clone(), [other.as_str(), "one pair"]),
    ] {
        let (code, told) = start(host, &folder, &[("CERTIFICATE", certificate), ("KEY", &key)]);
        assert_eq!(code, Some(3), "{told}");
        assert!(words.iter().all(|word| told.contains(word)), "{told}");
    }
    let (code, told) = start(host, &folder, &[("SELF_SIGNED", "false")]);
    assert_eq!(code, Some(1), "{told}");
    assert!(told.contains("\"certificate\" is missing"), "{told}");
}

/// A start that fails, with these files of `[tls]`.
fn start(host: Ipv4Addr, folder: &Folder, tls: &[(&str, &str)]) -> (Option<i32>, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_trunkline"));
    command.args(["serve", "--config", "config/demo.toml"]).current_dir(Path::new(env!("CARGO_MANIFEST_DIR")));
    for (name, value) in [("SIP__UDP", 5060), ("SIP__TCP", 5060), ("SIP__TLS", 5061), ("HTTP__LISTEN", 8080)] {
        command.env(format!("TRUNKLINE__{name}"), format!("{host}:{value}"));
    }
    command.env("TRUNKLINE__RTP__ADDRESS", host.to_string()).env("TRUNKLINE__DATA_DIR", folder.path().join("data"));
    for (name, value) in tls {
        command.env(format!("TRUNKLINE__TLS__{name}"), value);
    }
    let output = command.output().expect("the binary runs");
    (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
}

#[test]
fn the_demo_floor_makes_a_certificate_of_its_own_and_keeps_it() {
    let mut daemon = Daemon::start();
    let folder = daemon.data_dir().join("tls");
    let made = std::fs::read_to_string(folder.join("certificate.pem")).expect("a certificate");
    let mode = std::fs::metadata(folder.join("key.pem")).expect("a key").permissions().mode();
    assert_eq!(mode & 0o777, 0o600, "nobody else reads the key");
    daemon.stop();
    daemon.run();
    assert_eq!(std::fs::read_to_string(folder.join("certificate.pem")).expect("still there"), made);
    let plug = line::tls(address(&daemon), &trusting(&made));
    let mut phone = Phone::over(plug, "1001", address(&daemon), AGENT_HZ);
    assert!(phone.register("demo", 300).is("200"));
    converse(&daemon, &mut phone, "TLS", "transport=tls");
    daemon.stop();
}
