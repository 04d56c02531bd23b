//! Any bytes get a verdict; a message that is accepted is accepted as the same one when it is printed.
#![no_main]

use rooms::sip::message::{Framing, MAX_HEADERS, Message, Verdict, judge, response_to, stamp_source};

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let _ = judge(data, Framing::Stream);
    match judge(data, Framing::Datagram) {
        // Printing adds the Content-Length that a datagram may leave out.
        Verdict::Accept(message) if message.headers.len() < MAX_HEADERS => {
            assert_eq!(judge(&message.to_bytes(), Framing::Stream), Verdict::Accept(message.clone()));
            read(message);
        }
        Verdict::Reject { status, reason, reply: Some(request) } => {
            let _ = response_to(&request, status, reason, Some("tag")).to_bytes();
        }
        _ => {}
    }
});

/// Everything that the endpoint asks of a message that was accepted.
fn read(mut message: Message) {
    let _ = (message.session_description(), message.accepts_session_description());
    let _ = (message.require(), message.expires(), message.max_forwards());
    for read in [message.contacts().is_ok(), message.routes().is_ok(), message.vias().is_ok(), message.from().is_ok()] {
        assert!(read, "the verdict has read it already");
    }
    if message.method().is_some() {
        stamp_source(&mut message, ([192, 0, 2, 1], 5060).into());
        let response = response_to(&message, 200, "OK", Some("tag"));
        assert!(response.vias().is_ok() && response.to().is_ok_and(|to| to.tag().is_some()));
    }
}
