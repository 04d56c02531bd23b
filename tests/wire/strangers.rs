//! What strangers ask for, and what they write: nothing of it is done, kept, or carried on.

use super::daemon::{Daemon, own_address, own_source, without_acw};
use super::guard::guarded;
use super::phone::{Phone, Text, answer};
use super::queue::agent;
use super::way::Way;

/// Methods that nobody may use from outside a call, and what they get.
const REFUSED: [(&str, &str); 11] = [
    ("MESSAGE", "405"),
    ("SUBSCRIBE", "401"),
    ("PUBLISH", "405"),
    ("NOTIFY", "405"),
    ("REFER", "401"),
    ("INFO", "481"),
    ("UPDATE", "481"),
    ("PRACK", "481"),
    ("BYE", "481"),
    ("CANCEL", "481"),
    ("CONQUER", "501"),
];

/// A request that stands by itself; `number` makes it one of its own.
pub fn lonely(daemon: &Daemon, method: &str, local: std::net::SocketAddr, number: u32) -> String {
    format!(
        "{method} sip:1001@{0} SIP/2.0\r\nVia: SIP/2.0/UDP {local};rport;branch=z9hG4bKs{number}\r\n\
         From: <sip:x@{local}>;tag=x\r\nTo: <sip:1001@{0}>\r\nCall-ID: lonely-{number}-{local}\r\nCSeq: 1 {method}\r\n\
         Max-Forwards: 70\r\nContact: <sip:x@{local}>\r\nRefer-To: <sip:900441234@{0}>\r\nEvent: presence\r\n\
         Content-Length: 0\r\n\r\n",
        daemon.sip
    )
}

fn receive(way: &mut Way) -> Text {
    let since = std::time::Instant::now();
    loop {
        if let Some(text) = way.receive() {
            return text;
        }
        assert!(since.elapsed() < super::daemon::PATIENCE, "no answer");
    }
}

#[test]
fn methods_that_nobody_may_use_change_nothing_and_leave_nothing() {
    let mut daemon = guarded();
    for (number, (method, status)) in REFUSED.into_iter().enumerate() {
        // Each from an address of its own, so that none is slowed.
        let local = std::net::SocketAddr::from((own_source(), 5060));
        let mut way = Way::udp(local, daemon.sip);
        let request = lonely(&daemon, method, local, number as u32);
        let answers = [0, 1].map(|_| {
            way.send(request.as_bytes());
            receive(&mut way)
        });
        assert!(answers.iter().all(|answer| answer.is(status)), "{method}: {answers:?}");
        assert_eq!(answers[0].header("To"), answers[1].header("To"), "a repeat gets the same answer");
        assert!(answers[0].header("To").contains(";tag="), "{answers:?}");
        assert_eq!(answers[0].header("Server"), "", "strangers are not told what we are");
        // Forged sources would make us send to others: little comes of a request.
        assert!(answers[0].0.len() < 2 * request.len(), "{} for {}", answers[0].0.len(), request.len());
    }
    for name in ["trunkline_sip_transactions", "trunkline_sip_dialogs", "trunkline_sip_bindings"] {
        assert_eq!(daemon.metric(name), 0.0, "{name}");
    }
    assert!(daemon.stop().is_empty());
}

#[test]
fn who_proves_to_be_one_user_and_speaks_as_another_gets_403() {
    let mut daemon = guarded();
    let mut phone = Phone::new("1002", own_source(), daemon.sip, 0.0);
    phone.invite("4002");
    phone.answer_challenge("1001", "demo", "");
    assert!(phone.outcome().is("403"));
    let challenge = phone.challenge_to_register();
    let uri = format!("sip:{}", daemon.sip);
    let answer = answer(&challenge, "1001", "demo", "REGISTER", &uri);
    let refused = phone.register_again(&uri, &format!("Expires: 300\r\nAuthorization: {answer}\r\n"));
    assert!(refused.is("403"), "{refused:?}");
    assert_eq!(daemon.metric("trunkline_sip_bindings"), 0.0);
    assert!(daemon.stop().is_empty());
}

/// Header lines that others read as further headers, or carry on as they came.
const SMUGGLED: [&str; 8] = [
    "X-Internal : space\r\n",
    "Subject: folded\r\n X-Internal: folded\r\n",
    "User-to-User: 00;encoding=hex\r\n X-Internal: folded\r\n",
    "User-to-User: 00\0X-Internal: nul\r\n",
    "User-to-User: 00\rX-Internal: cr\r\n",
    "User-to-User: 00\nX-Internal: lf\r\n",
    "P-Asserted-Identity: \"a\rX-Internal: cr\" <sip:13800138000@x>\r\n",
    "Diversion: \"a\0\nX-Internal: lf\" <sip:4009@x>;reason=user-busy\r\n",
];

/// Whether lines end where they should and nothing was carried on that was hidden.
fn assert_clean(invite: &Text, smuggled: &str) {
    let rest = invite.0.replace("\r\n", "");
    assert!(!rest.contains(['\r', '\n', '\0']), "{smuggled:?} in {invite:?}");
    let names = invite.0.lines().map(|line| line.split(':').next().unwrap_or_default().trim().to_ascii_lowercase());
    assert!(names.into_iter().all(|name| name != "x-internal"), "{smuggled:?} in {invite:?}");
}

#[test]
fn headers_that_hide_in_others_reach_neither_trunk_nor_agent() {
    let host = own_address();
    let mut sbc = Phone::new("sbc", own_address(), (host, 5060).into(), 0.0);
    let more = format!(
        "[trunk.telco]\ntargets = [\"sip:{}\"]\noptions = \"0s\"\ntrusted = true\n\
         [[route]]\nprefix = \"9\"\nstrip = 1\ntrunks = [\"telco\"]\nfrom_trunks = [\"carrier\"]\n",
        sbc.local()
    );
    let trusted = |settings: String| {
        settings.replace("[trunk.carrier]", "[trunk.carrier]\ntrusted = true").replace("\"4005\"]", "\"4005\", \"9*\"]")
            + &more
    };
    let mut daemon = Daemon::start_set(host, trusted, without_acw, &[]);
    let mut agent = agent(&daemon, "1001");
    for smuggled in SMUGGLED {
        let mut caller = Phone::new("13800138000", host, daemon.sip, 0.0);
        caller.invite_with("910086", smuggled);
        let invite = sbc.expect_invite();
        assert_clean(&invite, smuggled);
        sbc.refuse(&invite, "486 Busy Here", "");
        sbc.expect("ACK", |text| text.is("ACK"));
        assert!(caller.outcome().is("486"));
    }
    let all = SMUGGLED.concat();
    let mut caller = Phone::new("13800138000", host, daemon.sip, 0.0);
    caller.invite_with("4001", &all);
    assert!(caller.outcome().is("200"));
    let invite = agent.expect_invite();
    assert_clean(&invite, &all);
    assert_eq!(invite.header("User-to-User"), "00;encoding=hex X-Internal: folded", "one value, on one line");
    agent.answer(&invite);
    caller.hang_up();
    agent.expect_bye();
    daemon.until_idle();
    daemon.stop();
}

#[test]
fn a_trunks_address_is_never_banned_whatever_comes_from_it() {
    let mut daemon = Daemon::start();
    let mut carrier = Phone::new("13800138000", own_source(), daemon.sip, 0.0);
    let host = carrier.local().ip().to_string();
    // More strikes than any source has: what cannot be read, wrong passwords, numbers that are nobody's.
    for number in 0..60 {
        carrier.send("INVITE sip:4002 SIP/2.0\r\nVia: nothing\r\n\r\n");
        carrier.invite(&format!("00{number}"));
        let refused = carrier.outcome();
        assert!(refused.is("401"), "{refused:?}");
    }
    for number in 0..10 {
        carrier.user = "1001".to_owned();
        assert!(carrier.register(&format!("guess{number}"), 300).is("401"));
    }
    let listed = daemon.run_command(&["ban", "list"]);
    assert!(!listed.contains(&host), "{listed}");
    assert_eq!(daemon.metric("trunkline_sip_bans"), 0.0);
    carrier.user = "13800138000".to_owned();
    carrier.call("4002");
    carrier.hang_up();
    daemon.stop();
}
