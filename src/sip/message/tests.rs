use std::path::PathBuf;

use proptest::prelude::*;

use super::*;

/// The messages of RFC 4475, with the verdicts that are accepted for each.
fn torture() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/data/rfc4475")
}

/// Statuses that only rooms behind the verdict can give; "any" covers them too.
const LATER: [&str; 8] = ["200", "401", "404", "405", "406", "415", "420", "none"];

#[test]
fn every_torture_message_gets_an_accepted_verdict() {
    let folder = torture();
    let table = std::fs::read_to_string(folder.join("verdicts.tsv")).unwrap();
    let mut wrong = Vec::new();
    for line in table.lines().filter(|line| !line.starts_with('#')) {
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
        if !fits {
            wrong.push(format!("{}: wanted {wanted:?}, got {verdict:?}", fields[0]));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn accept(text: &str) -> Message {
    match judge(text.as_bytes(), Framing::Datagram) {
        Verdict::Accept(message) => message,
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_torturous_invite_reads_as_its_authors_say() {
    let bytes = std::fs::read(torture().join("wsinv.dat")).unwrap();
    let Verdict::Accept(message) = judge(&bytes, Framing::Datagram) else { panic!() };
    assert_eq!(message.to().unwrap().tag(), Some("1918181833n"));
    assert_eq!(message.from().unwrap().name.as_deref(), Some("J Rosenberg \\\""));
    assert_eq!(message.cseq().unwrap(), CSeq { number: 9, method: Method::Invite });
    assert_eq!(message.max_forwards(), Some(68));
    let vias = message.vias().unwrap();
    let hosts: Vec<&str> = vias.iter().map(|via| via.host.as_str()).collect();
    assert_eq!(hosts, ["192.0.2.2", "spindle.example.com", "192.168.255.111"]);
    assert_eq!(vias[1].unique_branch(), Some("z9hG4bK9ikj8"));
    let Contacts::List(contacts) = message.contacts().unwrap() else { panic!() };
    assert_eq!(contacts[0].params.value("q"), Some("0.33"));
    assert_eq!(message.body.len(), 150);
    assert!(message.routes().unwrap()[0].uri.is_loose());
}

#[test]
fn a_refusal_names_each_part_once() {
    let bytes = std::fs::read(torture().join("multi01.dat")).unwrap();
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
    assert_eq!(status(format!("{OPTIONS}{}", body(MAX_MESSAGE))), 413);
    assert_eq!(status(OPTIONS.replace("5070", &format!("5070;x={}", body(MAX_HEADER)))), 414);
    assert_eq!(status(OPTIONS.replace("i: x", &format!("i: {}", body(MAX_HEADER)))), 400);
    assert_eq!(status(OPTIONS.replace("i: x", &format!("i: x\r\n{}", "A: b\r\n".repeat(200).trim_end()))), 400);
    assert_eq!(judge(b"\r\n\r\n", Framing::Datagram), Verdict::Drop("keep-alive"));
}

#[test]
fn a_stream_is_cut_wherever_the_bytes_break() {
    let message = accept(OPTIONS).with("X", "y").with_body("text/plain", b"hello\r\n\r\n".to_vec());
    let mut wire = b"\r\n\r\n".to_vec();
    wire.extend(message.to_bytes());
    wire.extend(message.to_bytes());
    for size in [1, 7, wire.len()] {
        let mut decoder = StreamDecoder::default();
        let mut items = Vec::new();
        for chunk in wire.chunks(size) {
            decoder.push(chunk);
            while let Some(item) = decoder.pop().unwrap() {
                items.push(item);
            }
        }
        let whole = StreamItem::Message(Box::new(Verdict::Accept(message.clone())));
        assert_eq!(items, [StreamItem::KeepAlive, whole.clone(), whole]);
        assert!(decoder.is_empty());
    }
}

#[test]
fn a_stream_without_length_or_end_is_closed() {
    let mut decoder = StreamDecoder::default();
    decoder.push(OPTIONS.as_bytes());
    assert_eq!(decoder.pop(), Err(StreamError::NoLength));
    decoder.push(b"more");
    assert_eq!((decoder.pop(), decoder.len()), (Err(StreamError::NoLength), 0));
    let mut decoder = StreamDecoder::default();
    decoder.push(&vec![b'a'; MAX_MESSAGE + 1]);
    assert_eq!(decoder.pop(), Err(StreamError::TooLong));
}

proptest! {
    #[test]
    fn any_bytes_are_judged_without_panic(bytes in proptest::collection::vec(any::<u8>(), 0..600), cut in 0usize..400) {
        judge(&bytes, Framing::Datagram);
        let mut spoilt = OPTIONS.as_bytes().to_vec();
        for (at, byte) in bytes.iter().take(4).enumerate() {
            let place = (cut + at * 37) % spoilt.len();
            spoilt[place] = *byte;
        }
        judge(&spoilt, Framing::Datagram);
    }

    #[test]
    fn printing_and_parsing_agree(
        user in "[a-z0-9+_.%]{1,12}", host in "[a-z][a-z0-9-]{0,10}", port in proptest::option::of(any::<u16>()),
        name in "[ -~а-я]{0,20}", tag in "[a-zA-Z0-9]{1,10}", number in 0u32..1 << 31,
        method in "[A-Z]{3,8}", subject in "[!-~]([ -~]{0,20}[!-~])?", body in proptest::collection::vec(any::<u8>(), 0..50),
    ) {
        let uri = Uri::sip(Some(&user), &host, port);
        let method = Method::from(method.as_str());
        let mut from = NameAddr { name: (!name.is_empty()).then_some(name), uri: uri.clone(), params: Params::default() };
        from.params.set("tag", Some(&tag));
        let mut message = Message::request(Method::Message, uri.clone())
            .with("Via", format!("SIP/2.0/UDP {host};branch=z9hG4bK{tag}"))
            .with("From", &from).with("To", NameAddr::new(uri)).with("Call-ID", &tag)
            .with("CSeq", format!("{number} MESSAGE")).with("Subject", subject).with(&format!("X-{method}"), "1");
        message.body = body;
        let read = judge(&message.to_bytes(), Framing::Stream);
        prop_assert_eq!(&read, &Verdict::Accept(message));
        let Verdict::Accept(read) = read else { unreachable!() };
        prop_assert_eq!(read.from().unwrap(), from);
    }
}
