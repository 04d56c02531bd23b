//! A call that is shed before it is read gets the answer that it gets after it was read.
#![no_main]

use rooms::sip::message::{Framing, Verdict, judge};
use rooms::sip::overload::{Gate, Rules, Sentence};
use rooms::sip::transaction::{Flow, Transport};
use rooms::sip::trunk::Net;
use rooms::time::{MS, Now};

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let source = Flow {
        transport: Transport::Udp,
        local: ([192, 0, 2, 1], 5060).into(),
        remote: ([198, 51, 100, 7], 40_000).into(),
    };
    let gate = || Gate::new(Rules { nets: vec![Net::of(source.remote.ip())], emergency: vec!["112".to_owned()] }, 7);
    let (long, now) = (1_000 * MS, Now { mono_ns: MS, wall_ms: 0 });
    // Of what would be refused anyway the reason may differ.
    let (quick, Verdict::Accept(mut message)) =
        (gate().handle_bytes(data, source, long, now), judge(data, Framing::Datagram))
    else {
        return;
    };
    let slow = gate().handle(&mut message, source, long, now);
    if let Some(quick) = quick {
        assert_eq!(quick, slow);
    }
    if let Sentence::Shed(answer) = slow {
        // A response that has further to go than to its reader is not for that one.
        let direct = message.vias().is_ok_and(|vias| vias.len() == 1);
        assert_eq!(matches!(judge(&answer.payload, Framing::Datagram), Verdict::Accept(_)), direct);
    }
});
