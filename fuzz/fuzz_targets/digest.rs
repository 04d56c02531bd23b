//! Digest authentication: nobody is let in without the password, and what we answer to a challenge can be read.
#![no_main]

use rooms::sip::digest::{Answering, Authenticator, Challenge, Credentials, Settings, Verdict};
use rooms::time::Now;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let now = Now { mono_ns: 1, wall_ms: 1 };
    let mut authenticator = Authenticator::new(Settings::default(), [7; 32]);
    for text in rooms::values(data) {
        if let Ok(credentials) = Credentials::parse(text) {
            let verdict = authenticator.verify(&credentials, "INVITE", &credentials.uri, Some("guess me"), now);
            assert!(!matches!(verdict, Verdict::Accepted { .. }));
        }
        if let Ok(challenge) = Challenge::parse(text) {
            let with = Answering { user: "u", password: "p", method: "INVITE", uri: "sip:a", cnonce: "c", nc: 1 };
            let answer = Credentials::parse(&challenge.answer(&with)).expect("our own answer");
            assert_eq!((answer.realm, answer.nonce), (challenge.realm, challenge.nonce));
        }
    }
});
