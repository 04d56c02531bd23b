//! ICE's checks: whatever comes is told apart, none of it is believed, and each answer of ours fits its room.
#![no_main]

use rooms::rtp::ice::{ANSWER_MOST, Check, kind};

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let _ = kind(data);
    let Some(check) = Check::read(data) else { return };
    assert!(!check.proves("a password that no input can know"));
    for from in ["192.0.2.1:5000", "[2001:db8::1]:5000"] {
        let len = check.answer(from.parse().expect("an address"), "secret", &mut [0; ANSWER_MOST]);
        assert!(len <= ANSWER_MOST);
    }
});
