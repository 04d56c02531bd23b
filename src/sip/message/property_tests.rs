//! What holds for every message: nothing panics, and what is printed reads as what was printed.

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

use super::tests::corpus;
use super::*;

fn host() -> impl Strategy<Value = String> {
    let v4 = any::<[u8; 4]>().prop_map(|octets| std::net::Ipv4Addr::from(octets).to_string());
    let v6 = any::<u128>().prop_map(|bits| format!("[{}]", std::net::Ipv6Addr::from(bits)));
    prop_oneof!["[a-zA-Z][a-zA-Z0-9.-]{0,15}", v4, v6]
}

/// A byte that means something to some parser, or any.
fn spoiling_byte() -> impl Strategy<Value = u8> {
    prop_oneof![any::<u8>(), prop::sample::select(b" \t\r\n:;,<>\"\\@%[]=?".to_vec())]
}

/// Parameters as they may stand in a URI.
fn params() -> impl Strategy<Value = Params> {
    vec(("[a-z][a-zA-Z0-9-]{0,8}", option::of("[a-zA-Z0-9.%:/\\[\\]+-]{1,8}")), 0..4).prop_map(|pairs| {
        let mut params = Params::default();
        pairs.iter().for_each(|(name, value)| params.set(name, value.as_deref()));
        params
    })
}

fn uri() -> impl Strategy<Value = Uri> {
    let user = ("[a-zA-Z0-9+_.%;?/&=$!*'(),~-]{1,12}", option::of("[a-zA-Z0-9&=+$,-]{1,6}"));
    let sip = (
        any::<bool>(),
        option::of(user),
        host(),
        option::of(any::<u16>()),
        params(),
        option::of("[a-zA-Z=&%0-9-]{0,9}"),
    )
        .prop_map(|(secure, user, host, port, params, headers)| {
            let (user, password) = user.map_or((None, None), |(user, password)| (Some(user), password));
            let scheme = if secure { Scheme::Sips } else { Scheme::Sip };
            Uri { scheme, user, password, host, port, params, headers }
        });
    let other = ("[a-z][a-z0-9+.-]{0,6}", "[a-zA-Z0-9;=/?:@._+-]{1,20}")
        .prop_map(|(scheme, rest)| format!("{scheme}:{rest}").parse::<Uri>());
    prop_oneof![4 => sip, 1 => other.prop_filter_map("a sip: URI of any text", Result::ok)]
}

fn name_addr() -> impl Strategy<Value = NameAddr> {
    let quoted = vec(("[a-z]{1,5}", "[ -~]{0,8}"), 0..2);
    (option::of("[ -~а-я张]{0,20}"), uri(), params(), quoted).prop_map(|(name, uri, mut params, quoted)| {
        quoted.iter().for_each(|(name, value)| params.set(name, Some(&scan::quote(value))));
        NameAddr { name, uri, params }
    })
}

fn start() -> impl Strategy<Value = (Start, Method)> {
    let method =
        || prop_oneof![Just(Method::Invite), Just(Method::Register), Just(Method::Options), Just(Method::Message)];
    // What a request is addressed to has a scheme that we serve, and carries no headers.
    let target = uri().prop_filter("a served scheme", |uri| !matches!(uri.scheme, Scheme::Other(_)));
    let request = (method(), target).prop_map(|(method, mut uri)| {
        uri.headers = None;
        (Start::Request { method: method.clone(), uri }, method)
    });
    let response = (100u16..700, "([!-~]([ -~]{0,20}[!-~])?)?", method())
        .prop_map(|(code, reason, method)| (Start::Response { code, reason }, method));
    prop_oneof![request, response]
}

proptest! {
    #[test]
    fn any_bytes_are_judged_without_panic(bytes in vec(any::<u8>(), 0..600)) {
        judge(&bytes, Framing::Datagram);
        let mut decoder = StreamDecoder::default();
        decoder.push(&bytes);
        while let Ok(Some(_)) = decoder.pop() {}
    }

    #[test]
    fn what_is_accepted_is_accepted_again_as_printed(
        which in any::<prop::sample::Index>(),
        damage in vec((any::<prop::sample::Index>(), spoiling_byte()), 0..5),
    ) {
        let corpus = corpus();
        let mut bytes = which.get(&corpus).clone();
        for (at, byte) in damage {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        if let Verdict::Accept(message) = judge(&bytes, Framing::Datagram) {
            prop_assert_eq!(judge(&message.to_bytes(), Framing::Stream), Verdict::Accept(message));
        }
    }

    #[test]
    fn a_printed_uri_reads_as_itself(uri in uri()) {
        prop_assert_eq!(uri.to_string().parse::<Uri>(), Ok(uri));
    }

    #[test]
    fn a_printed_list_of_addresses_reads_as_itself(addresses in vec(name_addr(), 1..4)) {
        let printed: Vec<String> = addresses.iter().map(NameAddr::to_string).collect();
        prop_assert_eq!(NameAddr::parse_list(&printed.join(", ")), Ok(addresses));
    }

    #[test]
    fn a_printed_message_reads_as_itself(
        (start, method) in start(), from in name_addr(), to in name_addr(), contacts in vec(name_addr(), 0..3),
        number in 0u32..1 << 31, call_id in "[a-zA-Z0-9@.-]{1,20}", sent_by in host(), port in option::of(any::<u16>()),
        subject in "[!-~客]([ -~服]{0,20}[!-~])?", extension in "X-[A-Za-z0-9]{1,8}", body in vec(any::<u8>(), 0..50),
    ) {
        let params = ParamsRef::read("branch=z9hG4bK1;rport").unwrap();
        let via = Via { transport: "UDP", host: sent_by.into(), port, params };
        let mut message = Message { start, headers: Headers::default(), body }
            .with("Via", &via).with("From", &from).with("To", &to).with("Call-ID", &call_id)
            .with("CSeq", format!("{number} {method}")).with("Subject", subject).with(&extension, "1");
        contacts.iter().for_each(|contact| message.push("Contact", contact));
        let read = judge(&message.to_bytes(), Framing::Stream);
        prop_assert_eq!(&read, &Verdict::Accept(message));
        let Verdict::Accept(read) = read else { unreachable!() };
        prop_assert_eq!((read.from(), read.to(), read.via()), (Ok(from), Ok(to), Ok(via)));
        prop_assert_eq!(read.cseq(), Ok(CSeq { number, method }));
        prop_assert_eq!(read.contacts(), Ok(Contacts::List(contacts)));
    }
}
