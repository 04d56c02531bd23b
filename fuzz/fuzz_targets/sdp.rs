//! Session descriptions: whatever is offered, our answer can be read and keeps the offer's media lines.
#![no_main]

use rooms::sdp::{AudioCodec, Description, Direction, LocalMedia, Negotiator, OwnKeys, OwnWeb, Protection, Srtp};

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    // The body of a message, so that messages are seeds; or all of it.
    let body = data.windows(4).position(|window| window == b"\r\n\r\n").map_or(data, |at| &data[at + 4..]);
    let Ok(offer) = Description::parse(body) else { return };
    let local = LocalMedia {
        addr: [192, 0, 2, 1].into(),
        port: 20_000,
        codecs: vec![AudioCodec::Pcma, AudioCodec::Pcmu],
        dtmf: true,
        noise: true,
        direction: Direction::SendRecv,
        ptime_ms: 20,
        protection: Protection { srtp: Srtp::Accept, keys: OwnKeys::drawn(|key| key.fill(7)), web: None },
    };
    let web = OwnWeb { fingerprint: [7; 32], ufrag: "ours".into(), password: "secret".into() };
    let protection = Protection { srtp: Srtp::Require, web: Some(web), ..local.protection.clone() };
    let towards_browsers = LocalMedia { protection, ..local.clone() };
    exchange(&offer, &local);
    exchange(&offer, &towards_browsers);
});

fn exchange(offer: &Description, local: &LocalMedia) {
    let mut negotiator = Negotiator::new(1);
    if let Ok((answer, _)) = negotiator.answer(offer, local) {
        let answer = Description::parse(answer.as_bytes()).expect("our own answer");
        assert_eq!(answer.media.len(), offer.media.len());
    }
    let mut negotiator = Negotiator::new(2);
    negotiator.offer(local);
    let _ = negotiator.accept_answer(offer);
}
