//! SIP over WebSockets: a browser's phone registers and is rung over its own connection, which is all that leads to it.

use std::net::SocketAddr;

use super::certificates::Issuer;
use super::daemon::{Daemon, own_address, without_acw};
use super::line::{self, Plug};
use super::phone::Phone;
use super::tls::{self, converse};

fn agent(daemon: &Daemon, plug: Plug) -> Phone {
    let mut phone = Phone::over(plug, "1001", daemon.sip, 1_000.0);
    let accepted = phone.register("demo", 300);
    assert!(accepted.is("200"), "{accepted:?}");
    phone
}

fn until(daemon: &Daemon, state: &str) {
    let wanted = |agents: &serde_json::Value| {
        let items = agents["items"].as_array().expect("a list");
        let agent = items.iter().find(|item| item["agent"] == "1001").expect("known");
        agent.to_string().contains(state)
    };
    daemon.json_until("/api/v1/agents", wanted);
}

#[test]
fn a_browsers_phone_is_rung_over_its_websocket_and_gone_with_it() {
    let host = own_address();
    let server = SocketAddr::from((host, 8088));
    let mut daemon = Daemon::start_at(host, without_acw, &[("TRUNKLINE__SIP__WS", &server.to_string())]);
    let mut phone = agent(&daemon, line::websocket(server, None));
    converse(&daemon, &mut phone, "WS", ";transport=ws");
    // The page is closed: no call is sent there, long before an OPTIONS is due.
    drop(phone);
    until(&daemon, "unreachable");
    let mut phone = agent(&daemon, line::websocket(server, None));
    until(&daemon, "\"available\"");
    converse(&daemon, &mut phone, "WS", ";transport=ws");
    // A restart closes every WebSocket, and no daemon can open one again.
    daemon.kill();
    daemon.run();
    until(&daemon, "unreachable");
    let mut phone = agent(&daemon, line::websocket(server, None));
    until(&daemon, "\"available\"");
    converse(&daemon, &mut phone, "WS", ";transport=ws");
    daemon.stop();
}

#[test]
fn a_secure_websocket_is_one_within_tls() {
    let ours = Issuer::new("ours");
    let address = |host| SocketAddr::from((host, 8443));
    let wss = |host| vec![("TRUNKLINE__SIP__WSS", address(host).to_string())];
    let (mut daemon, _folder) = tls::daemon_with(&ours, |_, host| wss(host));
    let server = address(daemon.host);
    assert!(line::secure(server, &Issuer::new("strangers").client(None)).is_err(), "the certificate is looked at");
    let mut phone = agent(&daemon, line::websocket(server, Some(&ours.client(None))));
    converse(&daemon, &mut phone, "WSS", ";transport=ws");
    daemon.stop();
}
