use std::path::{Path, PathBuf};

use super::*;

/// The messages of an RFC, with the verdicts that are accepted for each.
fn torture(rfc: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(rfc)
}

/// Every torture message, to be spoilt further.
pub(super) fn corpus() -> Vec<Vec<u8>> {
    let files = ["rfc4475", "rfc5118"].into_iter().flat_map(|rfc| std::fs::read_dir(torture(rfc)).unwrap());
    let mut paths: Vec<PathBuf> = files.map(|file| file.unwrap().path()).collect();
    paths.retain(|path| path.extension().is_some_and(|end| end == "dat"));
    // The order in which a folder is read is anybody's, and a failure is to be found again.
    paths.sort();
    paths.iter().map(|path| std::fs::read(path).unwrap()).collect()
}

/// Statuses that only rooms behind the verdict can give; "any" covers them too.
const LATER: [&str; 10] = ["200", "401", "404", "405", "406", "415", "420", "481", "488", "none"];

#[test]
fn every_torture_message_gets_an_accepted_verdict() {
    for (rfc, count) in [("rfc4475", 49), ("rfc5118", 12)] {
        let folder = torture(rfc);
        let table = std::fs::read_to_string(folder.join("verdicts.tsv")).unwrap();
        let lines: Vec<&str> = table.lines().filter(|line| !line.starts_with('#')).collect();
        assert_eq!(lines.len(), count);
        let wrong: Vec<String> = lines.iter().filter_map(|line| misjudged(&folder, line)).collect();
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    }
}

/// What is wrong with the verdict over the message of a line of `verdicts.tsv`, if anything.
fn misjudged(folder: &Path, line: &str) -> Option<String> {
    let fields: Vec<&str> = line.split('\t').collect();
    let bytes = std::fs::read(folder.join(format!("{}.dat", fields[0]))).unwrap();
    let wanted: Vec<&str> = fields[3].split('|').map(|part| part.split(' ').next().unwrap_or_default()).collect();
    let verdict = judge(&bytes, Framing::Datagram);
    let fits = match &verdict {
        Verdict::Drop(_) => wanted.contains(&"none"),
        Verdict::Reject { status, reply, .. } => reply.is_some() && wanted.contains(&status.to_string().as_str()),
        Verdict::Accept(message) => {
            assert_eq!(judge(&message.to_bytes(), Framing::Stream), verdict, "{}", fields[0]);
            wanted.iter().any(|outcome| *outcome == "any" || LATER.contains(outcome))
        }
    };
    (!fits).then(|| format!("{}: wanted {wanted:?}, got {verdict:?}", fields[0]))
}

fn torturous(rfc: &str, name: &str) -> Message {
    let bytes = std::fs::read(torture(rfc).join(format!("{name}.dat"))).unwrap();
    match judge(&bytes, Framing::Datagram) {
        Verdict::Accept(message) => message,
        other => panic!("{other:?}"),
    }
}

fn accept(text: &str) -> Message {
    match judge(text.as_bytes(), Framing::Datagram) {
        Verdict::Accept(message) => message,
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_torturous_invite_reads_as_its_authors_say() {
    let message = torturous("rfc4475", "wsinv");
    assert_eq!(message.to().unwrap().tag(), Some("1918181833n"));
    assert_eq!(message.from().unwrap().name.as_deref(), Some("J Rosenberg \\\""));
    assert_eq!(message.cseq().unwrap(), CSeq { number: 9, method: Method::Invite });
    assert_eq!(message.max_forwards(), Some(68));
    let vias = message.vias().unwrap();
    let hosts: Vec<&str> = vias.iter().map(|via| via.host.as_ref()).collect();
    assert_eq!(hosts, ["192.0.2.2", "spindle.example.com", "192.168.255.111"]);
    assert_eq!(vias[1].unique_branch(), Some("z9hG4bK9ikj8"));
    let Contacts::List(contacts) = message.contacts().unwrap() else { panic!() };
    assert_eq!(contacts[0].params.value("q"), Some("0.33"));
    assert_eq!(message.body.len(), 150);
    assert!(message.routes().unwrap()[0].uri.is_loose());
}

#[test]
fn parameters_belong_to_the_contact_or_to_its_uri_by_the_brackets() {
    for (name, in_uri) in [("cparam01", false), ("cparam02", true)] {
        let Contacts::List(contacts) = torturous("rfc4475", name).contacts().unwrap() else { panic!() };
        assert_eq!(contacts[0].uri.params.has("unknownparam"), in_uri, "{name}");
        assert_eq!(contacts[0].params.has("unknownparam"), !in_uri, "{name}");
    }
    let Contacts::List(contacts) = torturous("rfc4475", "regescrt").contacts().unwrap() else { panic!() };
    assert_eq!(contacts[0].uri.headers.as_deref(), Some("Route=%3Csip:sip.example.com%3E"));
}

#[test]
fn ports_stand_outside_the_brackets_of_ipv6() {
    let uri = |name| torturous("rfc5118", name).uri().unwrap().clone();
    let ambiguous = uri("port-ambiguous");
    assert_eq!((ambiguous.host.as_str(), ambiguous.port), ("[2001:db8::10:5070]", None));
    let unambiguous = uri("port-unambiguous");
    assert_eq!((unambiguous.host.as_str(), unambiguous.port), ("[2001:db8::10]", Some(5070)));
    assert_eq!(uri("ipv6-bug-abnf-3-colons"), uri("ipv6-correct-abnf-2-colons"));
    assert!("sip:[2001:db8:::1]".parse::<Uri>().is_err(), "only a dotted end has the excuse of the grammar");
    let message = torturous("rfc5118", "ipv4-mapped-ipv6");
    let mapped = message.via().unwrap();
    assert_eq!((mapped.host.as_ref(), mapped.port), ("[::ffff:192.0.2.10]", Some(19823)));
    assert_eq!(
        torturous("rfc5118", "via-received-param-with-delim").via().unwrap().received(),
        Some("[2001:db8::9:255]")
    );
}

#[test]
fn compact_names_are_the_long_ones() {
    let text = OPTIONS.replace(
        "\r\n\r\n",
        "\r\nC: text/plain\r\nL: 2\r\nm: <sip:m@x>\r\nk: a, b\r\ns: hi\r\nE: gzip\r\nx: 90\r\n\r\nok",
    );
    let message = accept(&text);
    for (name, value) in [
        ("Content-Type", "text/plain"),
        ("Contact", "<sip:m@x>"),
        ("Supported", "a, b"),
        ("Subject", "hi"),
        ("Content-Encoding", "gzip"),
        ("Session-Expires", "90"),
        ("call-id", "x"),
    ] {
        assert_eq!(message.header(name), Some(value));
    }
    assert_eq!(message.body, b"ok");
    let printed = String::from_utf8(message.to_bytes()).unwrap();
    assert!(printed.contains("\r\nContent-Length: 2\r\n") && printed.contains("\r\nVia: "), "{printed}");
}

#[test]
fn folded_lines_are_one_line() {
    let folded = OPTIONS
        .replace("f: <sip:a@b>;tag=1", "f:\r\n \"A \r\n\t B\"\r\n <sip:a@b>\r\n\t;tag=1")
        .replace("CSeq: 1 OPTIONS", "CSeq\t :\r\n\t1\r\n OPTIONS");
    let message = accept(&folded);
    let from = message.from().unwrap();
    assert_eq!((from.name.as_deref(), from.tag()), (Some("A B"), Some("1")));
    assert_eq!(message.cseq().unwrap(), CSeq { number: 1, method: Method::Options });
    // Nothing is there yet that could go on.
    let misplaced = OPTIONS.replace("\r\nv:", "\r\n v:");
    assert!(!matches!(judge(misplaced.as_bytes(), Framing::Datagram), Verdict::Accept(_)));
}

#[test]
fn lists_are_cut_at_commas_outside_quotes_and_brackets() {
    let message = accept(&OPTIONS.replace(
        "Record-Route: <sip:p;lr>",
        "Route: <sip:a,b@r1;lr>, \"Q, \\\", <sip:no>\" <sip:r2>\r\nroute: <sip:r3>;x=\"1,2\"\r\nm: <sip:m1@x>;q=0.5,sip:m2@x;q=1",
    ).replace("branch=z9hG4bKa", "branch=z9hG4bKa , SIP/2.0/TCP h2:5070;branch=z9hG4bKb"));
    let routes: Vec<String> = message.routes().unwrap().iter().map(|route| route.uri.to_string()).collect();
    assert_eq!(routes, ["sip:a,b@r1;lr", "sip:r2", "sip:r3"]);
    assert_eq!(message.routes().unwrap()[1].name.as_deref(), Some("Q, \", <sip:no>"));
    let Contacts::List(contacts) = message.contacts().unwrap() else { panic!() };
    assert_eq!(contacts.iter().map(|contact| contact.params.value("q")).collect::<Vec<_>>(), [Some("0.5"), Some("1")]);
    let vias = message.vias().unwrap();
    assert_eq!((vias.len(), message.via().unwrap()), (2, vias[0].clone()));
    assert_eq!((vias[1].host.as_ref(), vias[1].port), ("h2", Some(5070)));
}

#[test]
fn escapes_stay_as_written_and_are_undone_where_users_are_compared() {
    let plain = |uri: &str| uri.parse::<Uri>().unwrap().plain_user();
    for (uri, user) in [
        ("sip:%34000@h", "4000"),
        ("sip:%2B86%2d10@h", "+86-10"),
        ("sip:sips%3Auser%40example.com@h", "sips%3Auser%40example.com"),
        ("sip:null-%00-null@h", "null-%00-null"),
        ("sip:100%@h", "100%"),
        ("sip:%e5%bc%a0%4@h", "%e5%bc%a0%4"),
    ] {
        assert_eq!(plain(uri).as_deref(), Some(user));
        assert_eq!(uri.parse::<Uri>().unwrap().to_string(), uri);
    }
    assert_eq!(plain("sip:h"), None);
    assert_eq!(torturous("rfc4475", "escnull").to().unwrap().uri.user.as_deref(), Some("null-%00-null"));
}

#[test]
fn names_are_utf_8_quoted_or_not() {
    for name in ["\"客服 \\\"一\\\" 组\"", "Ünïcode Name", "\"\u{202e}abc\""] {
        let message = accept(&OPTIONS.replace("f: <", &format!("f: {name} <")));
        let from = message.from().unwrap();
        assert_eq!(from.name.unwrap(), scan::unquote(name));
        assert!(response_to(&message, 200, "OK", None).header("From").unwrap().starts_with(name));
    }
    // Latin-1 from an old phone costs the letter and not the call.
    let mut bytes = OPTIONS.replace("f: <", "f: \"M?ller\" <").into_bytes();
    let at = bytes.iter().position(|byte| *byte == b'?').unwrap();
    bytes[at] = 0xfc;
    let Verdict::Accept(message) = judge(&bytes, Framing::Datagram) else { panic!() };
    assert_eq!(message.from().unwrap().name.as_deref(), Some("M\u{fffd}ller"));
}

#[test]
fn a_refusal_names_each_part_once() {
    let bytes = std::fs::read(torture("rfc4475").join("multi01.dat")).unwrap();
    let Verdict::Reject { reply: Some(request), .. } = judge(&bytes, Framing::Datagram) else { panic!() };
    let refusal = response_to(&request, 400, "Bad Request", Some("t"));
    assert!(matches!(judge(&refusal.to_bytes(), Framing::Datagram), Verdict::Accept(_)));
}

const OPTIONS: &str = "OPTIONS sip:[2001:db8::1]:5070 SIP/2.0\r\nv: SIP/2.0/UDP [2001:db8::9]:5060;rport;branch=z9hG4bKa\r\n\
    f: <sip:a@b>;tag=1\r\nt: <sip:c@d>\r\ni: x\r\nCSeq: 1 OPTIONS\r\nRecord-Route: <sip:p;lr>\r\n\r\n";

#[test]
fn a_response_takes_the_way_of_its_request_back() {
    let mut request = accept(OPTIONS);
    assert_eq!(request.uri().unwrap().host, "[2001:db8::1]");
    stamp_source(&mut request, "[2001:db8::9]:7000".parse().unwrap());
    let response = response_to(&request, 404, "Not Found", Some("t1"));
    let via = response.via().unwrap();
    assert_eq!((via.rport(), via.received()), (Some(Some(7000)), Some("2001:db8::9")));
    assert_eq!(response.to().unwrap().tag(), Some("t1"));
    assert_eq!(response.header("Record-Route"), None);
    for empty in ["t: <sip:c@d>;tag=;x=1", "t: sip:c@d;tag=", "t: <sip:c@d>;x;tag"] {
        let response = response_to(&accept(&OPTIONS.replace("t: <sip:c@d>", empty)), 404, "Not Found", Some("t1"));
        assert_eq!(response.to().unwrap().tag(), Some("t1"), "{empty}");
    }
}

#[test]
fn a_line_break_in_a_value_adds_no_header() {
    let message = Message::response(200, "OK\r\nEvil: 1").with("Subject", "a\r\nEvil: 2");
    assert!(!String::from_utf8(message.to_bytes()).unwrap().contains("\nEvil"));
}

#[test]
fn limits_have_their_statuses() {
    let status = |text: String| match judge(text.as_bytes(), Framing::Datagram) {
        Verdict::Reject { status, .. } => status,
        other => panic!("{other:?}"),
    };
    let body = |count| "x".repeat(count);
    assert_eq!(status(format!("{OPTIONS}{}", body(MAX_MESSAGE))), 513);
    assert_eq!(status(OPTIONS.replace("5070", &format!("5070;x={}", body(MAX_HEADER)))), 414);
    assert_eq!(status(OPTIONS.replace("i: x", &format!("i: {}", body(MAX_HEADER)))), 400);
    assert_eq!(status(OPTIONS.replace("i: x", &format!("i: x\r\n{}", "A: b\r\n".repeat(200).trim_end()))), 400);
    assert_eq!(judge(b"\r\n\r\n", Framing::Datagram), Verdict::Drop("keep-alive"));
}
