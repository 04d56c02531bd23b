//! Settings as people write them, right and wrong.

use super::super::settings::DnsSettings;
use super::super::settings::RouteTo;
use super::*;

fn read(text: &str, environment: &[(&str, &str)]) -> Result<Settings, Vec<Problem>> {
    let environment = environment.iter().map(|(n, v)| (n.to_string(), v.to_string()));
    load(&Source { file: "c.toml".into(), text: text.into() }, &[], environment)
}

#[test]
fn the_environment_lies_over_the_file() {
    let text = "[sip]\nudp = \"127.0.0.1:5060\"\n[agent.\"1001\"]\npassword_env = \"PHONE\"";
    let environment = [
        ("TRUNKLINE__SIP__UDP", "127.0.0.1:5070,[::1]:5070"),
        ("TRUNKLINE__DSCP__RTP", "0"),
        ("PHONE", "hush"),
        ("TRUNKLINE_ADMIN_TOKEN", "key"),
    ];
    let settings = read(text, &environment).expect("reads");
    assert_eq!(settings.sip.udp.len(), 2);
    assert_eq!(settings.sip.udp[0].port(), 5070);
    assert_eq!(settings.dscp_rtp, 0);
    assert_eq!(settings.api_token.as_ref().map(Secret::expose), Some("key"));
    let printed = format!("{settings:?}");
    assert!(!printed.contains("hush") && !printed.contains("key\""), "{printed}");
}

#[test]
fn every_problem_comes_at_once_with_its_place() {
    let text = "[sip]\nudq = \"x\"\nudp = \"nowhere\"\n[rtp]\nports = \"9-8\"\n";
    let problems = read(text, &[("TRUNKLINE__HTTP__LISTEN", "80"), ("TRUNKLINE__LGO", "x")]).expect_err("wrong");
    let told: Vec<_> = problems.iter().map(|p| (p.file.as_str(), p.line, p.column, p.message.as_str())).collect();
    let expected = [
        ("c.toml", 2, 1, "unknown key \"udq\""),
        ("c.toml", 3, 7, "\"nowhere\" is not an address with port such as \"127.0.0.1:5060\""),
        ("c.toml", 5, 9, "\"9-8\" is no range of ports"),
        ("environment", 0, 0, "TRUNKLINE__HTTP__LISTEN: \"80\" is not an address with port such as \"127.0.0.1:5060\""),
        ("environment", 0, 0, "TRUNKLINE__LGO: unknown key \"lgo\""),
    ];
    assert_eq!(told, expected);
    assert_eq!(problems[0].hint.as_deref(), Some("did you mean \"udp\"?"));
}

#[test]
fn the_demo_floor_stays_on_loopback() {
    let text =
        "demo = true\n[sip]\nudp = [\"127.0.0.1:5060\", \"0.0.0.0:5060\"]\n[trunk.t]\naddresses = [\"10.0.0.0/8\"]";
    let problems = read(text, &[]).expect_err("open to the world");
    let told: Vec<_> = problems.iter().map(|p| p.line).collect();
    assert!([3, 5].iter().all(|line| told.contains(line)), "{problems:?}");
}

#[test]
fn what_cannot_be_meant_is_refused() {
    let text =
        "log = \"=loud=\"\n[sip]\nudp = \"127.0.0.1:5060\"\n[[route]]\nprefix = \"9\"\ntarget = \"127.0.0.1:5060\"\n";
    let told: Vec<_> = read(text, &[]).expect_err("wrong").into_iter().map(|p| (p.line, p.message)).collect();
    assert!(told[0].1.starts_with("\"=loud=\" is no filter of log lines"), "{told:?}");
    assert_eq!(told[1], (6, "this target is the switch itself".to_owned()));
}

#[test]
fn one_source_has_no_more_connections_than_all_together() {
    let text = "[sip]\nudp = \"127.0.0.1:5060\"\nmax_connections = 10\nmax_connections_per_source = 20\n";
    let problems = read(text, &[]).expect_err("wrong");
    assert_eq!((problems.len(), problems[0].line), (1, 4), "{problems:?}");
    assert!(problems[0].hint.as_ref().is_some_and(|hint| hint.contains("raise sip.max_connections")), "{problems:?}");
    assert!(read(&text.replace("max_connections = 10", "max_connections = 0"), &[]).is_err());
    let settings = read(&text.replace("= 20", "= 5"), &[]).expect("reads");
    assert_eq!((settings.sip.max_connections, settings.sip.max_connections_per_source), (Some(10), Some(5)));
}

#[test]
fn ranges_of_agents_and_networks() {
    let text = "[agent.\"0998-1001\"]\ncontact = \"sip:{agent}@127.0.0.1:5080\"\n[trunk.t]\naddresses = [\"127.0.0.0/8\", \"::1\"]\nnumbers = [\"4000\", \"2*\"]";
    let settings = read(text, &[]).expect("reads");
    assert_eq!(settings.agents.len(), 4);
    assert_eq!(settings.agents["0999"].contact.as_deref(), Some("sip:0999@127.0.0.1:5080"));
    let trunk = &settings.trunks["t"].sip;
    let from = |text: &str| text.parse::<IpAddr>().expect("an address");
    assert!(trunk.has(from("127.9.0.1")) && trunk.may_call("4000"));
    assert!(trunk.has(from("::1")) && trunk.may_call("2777"));
    assert!(!trunk.has(from("128.0.0.1")));
    assert!(!trunk.may_call("4001"));
}

#[test]
fn tls_needs_its_files() {
    let text = "[sip]\ntls = [\"127.0.0.1:5061\", \"[::1]:5061\"]\nws = \"127.0.0.1:80\"\n";
    let problems = read(text, &[("TRUNKLINE__SIP__WSS", "127.0.0.1:443")]).expect_err("no certificate");
    let told: Vec<_> = problems.iter().map(|problem| problem.message.as_str()).collect();
    assert_eq!(told, ["sip.tls needs a certificate", "TRUNKLINE__SIP__WSS: sip.wss needs a certificate"]);
    let problems = read("[tls]\ncertificate = \"c.pem\"\n", &[]).expect_err("no key");
    assert_eq!(problems[0].message, "\"key\" is missing");
    let files = "[tls]\ncertificate = \"c.pem\"\nkey = \"k.pem\"\n";
    let settings = read(&format!("{text}{files}"), &[]).expect("reads");
    let words: Vec<_> = settings.sip.listen().map(|(transport, _)| transport.via_name()).collect();
    assert_eq!(words, ["TLS", "TLS", "WS"]);
    let pair = Some(("c.pem".to_owned(), "k.pem".to_owned()));
    assert_eq!(settings.tls.map(|tls| (tls.pair, tls.client_ca)), Some((pair, None)));
}

#[test]
fn routes_lead_to_addresses_and_names() {
    let told = |target: &str| {
        let text = format!(
            "[sip]\nudp = \"127.0.0.1:5060\"\ntls = \"127.0.0.1:5061\"\n[tls]\nself_signed = true\n[[route]]\nprefix = \"9\"\n\
             target = \"{target}\"\n"
        );
        read(&text, &[]).map(|settings| settings.routes[0].to.clone())
    };
    for (target, uri) in [
        ("127.0.0.1:5080", "sip:127.0.0.1:5080"),
        ("[2001:db8::1]:5080", "sip:[2001:db8::1]:5080"),
        ("sip:sbc.example.com;transport=tls", "sip:sbc.example.com;transport=tls"),
        ("sips:sbc.example.com", "sips:sbc.example.com"),
    ] {
        assert_eq!(told(target).unwrap(), RouteTo::Target(uri.parse().unwrap()), "{target}");
    }
    for (target, why) in [
        ("sbc.example.com", "is not a SIP URI"),
        ("sip:bob@sbc.example.com", "the target of a route has a user"),
        ("sip:sbc.example.com;transport=ws", "by no transport that is opened here"),
        ("127.0.0.1:5060", "the switch itself"),
    ] {
        let problems = told(target).unwrap_err();
        assert!(problems[0].message.contains(why), "{target}: {problems:?}");
        assert_eq!((problems.len(), problems[0].line, problems[0].column), (1, 8, 10), "{target}");
    }
}

#[test]
fn servers_of_dns_have_the_usual_port_where_none_is_written() {
    let text = "[dns]\nservers = [\"192.0.2.53\", \"[2001:db8::53]:5353\"]\ntimeout = \"250ms\"\nattempts = 3\n";
    let dns = read(text, &[]).unwrap().dns;
    let servers: Vec<String> = dns.servers.iter().map(ToString::to_string).collect();
    assert_eq!(servers, ["192.0.2.53:53", "[2001:db8::53]:5353"]);
    assert_eq!((dns.timeout_ms, dns.attempts), (250, 3));
    assert_eq!(read("", &[]).unwrap().dns, DnsSettings::default());
    let problems = read("[dns]\nservers = \"dns.example\"\nattempts = 0\n", &[]).unwrap_err();
    assert_eq!(problems.len(), 2, "{problems:?}");
}

#[test]
fn who_speaks_encrypted_and_where_browsers_come_is_read_and_checked() {
    let agent = "[agent.\"1001\"]\npassword = \"hush\"\n";
    let text = format!(
        "[sip]\nudp = \"127.0.0.1:5060\"\n[http]\nlisten = \"127.0.0.1:8080\"\n[rtp]\nsrtp = \"off\"\n{agent}srtp = \"require\"\n\
         [trunk.t]\ntargets = [\"sip:192.0.2.1\"]\nsrtp = \"offer\"\n[trunk.u]\ntargets = [\"sips:sbc.example.com\"]\nsrtp = \"offer\"\n"
    );
    let settings = read(&text, &[]).expect("reads");
    assert_eq!((settings.rtp.srtp, settings.agents["1001"].srtp), (Srtp::Off, Some(Srtp::Require)));
    assert_eq!(settings.trunks["t"].srtp, Some(Srtp::Offer));
    assert_eq!(settings.browsers_port(), Some(30_000));
    let told = settings.keys_in_the_clear();
    assert!(told.len() == 2 && told[0].contains("trunk \"t\"") && told[1].contains("1001"), "{told:?}");
    let usual = read("[sip]\nudp = \"127.0.0.1:5060\"\n", &[]).expect("reads");
    assert_eq!((usual.rtp.srtp, usual.browsers_port()), (Srtp::Accept, None));
    assert_eq!(usual.keys_in_the_clear(), Vec::<String>::new());
    let told = |rtp: &str| read(&format!("[rtp]\n{rtp}\n"), &[]).expect_err("wrong").remove(0).message;
    assert_eq!(told("srtp = \"maybe\""), "\"maybe\" is not one of \"accept\", \"off\", \"offer\", \"require\"");
    assert_eq!(told("webrtc = \"20000\""), "\"20000\" is no port for browsers");
    assert_eq!(told("webrtc = \"on\""), "\"on\" is no port for browsers");
}

#[test]
fn keys_of_recordings_come_from_a_file_or_a_variable_and_are_never_shown() {
    let key = format!("2026:{}", "0f".repeat(32));
    let settings = read("", &[("TRUNKLINE_RECORDING_KEYS", &key)]).expect("reads");
    assert!(matches!(settings.recording.keys, Some(SecretSource::Known(_))));
    assert!(!format!("{settings:?}").contains("0f0f"), "{settings:?}");
    let settings = read("[recording]\nkey_file = \"k\"\nresume_code = \"\"\nmin_free_mb = 1", &[]).expect("reads");
    assert_eq!(settings.recording.keys, Some(SecretSource::File("k".to_owned())));
    assert_eq!((settings.recording.resume_code, settings.recording.min_free_bytes), (None, 1 << 20));
    let wrong = "[recording]\npause_code = \"1\"\nresume_code = \"*2\"\ncompress = \"mp3\"";
    let told: Vec<_> = read(wrong, &[]).expect_err("wrong").into_iter().map(|p| (p.line, p.message)).collect();
    assert_eq!(told[0], (2, "\"1\" is no code".to_owned()));
    assert_eq!(told[1], (4, "recordings cannot be compressed as \"mp3\"".to_owned()));
    let alike = read("[recording]\npause_code = \"*12\"\nresume_code = \"12\"", &[]).expect_err("alike");
    assert_eq!(alike[0].message, "\"pause_code\" and \"resume_code\" are alike");
    let told = read("", &[("TRUNKLINE_RECORDING_KEYS", "2026:0f0f")]).expect_err("no key");
    assert!(told[0].message.contains("line 1 is no key") && !told[0].message.contains("0f0f"), "{told:?}");
}
