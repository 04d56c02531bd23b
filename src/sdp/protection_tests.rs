//! What is offered, answered and refused, and that no key is shown.

use super::super::{AudioCodec, Description, Direction, LocalMedia, Negotiated, Negotiator};
use super::*;

fn keys(byte: u8) -> OwnKeys {
    let mut next = byte;
    OwnKeys::drawn(|key| {
        key.fill(next);
        next += 1;
    })
}

fn local(srtp: Srtp, byte: u8) -> LocalMedia {
    LocalMedia {
        addr: "198.51.100.1".parse().unwrap(),
        port: 20_000,
        codecs: vec![AudioCodec::Pcma],
        dtmf: false,
        noise: false,
        direction: Direction::SendRecv,
        ptime_ms: 20,
        protection: Protection { srtp, keys: keys(byte), web: None },
    }
}

fn read(media: &str) -> Description {
    let text = format!("v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\n{media}");
    Description::parse(text.as_bytes()).unwrap()
}

fn answer(media: &str, srtp: Srtp) -> Result<(String, Negotiated), Refused> {
    Negotiator::new(2).answer(&read(media), &local(srtp, 1))
}

const SAVP: &str = "m=audio 4000 RTP/SAVP 8\r\n";
const AVP: &str = "m=audio 4000 RTP/AVP 8\r\n";
const KEY: &str = "WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVz";

fn crypto(tag: u32, suite: &str, key: &str) -> String {
    format!("a=crypto:{tag} {suite} inline:{key}\r\n")
}

fn usual(media: &str) -> String {
    format!("{media}{}", crypto(3, "AES_CM_128_HMAC_SHA1_80", KEY))
}

#[test]
fn lines_of_rfc_4568_are_read_and_odd_ones_passed_over() {
    let suite = "AES_CM_128_HMAC_SHA1_80";
    let read = |value: &str| CryptoLine::parse(value).map(|line| line.tag);
    for good in [
        format!("1 {suite} inline:{KEY}"),
        format!("7 {suite} inline:{KEY}|2^20"),
        format!("1 {suite} inline:{KEY}|1048576 WSH=64"),
        "2 AES_256_CM_HMAC_SHA1_80 inline:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA".to_owned(),
        "2 AEAD_AES_128_GCM inline:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA==".to_owned(),
    ] {
        assert!(read(&good).is_some(), "{good}");
    }
    for odd in [
        format!("1 {suite} inline:{KEY}|2^20|1:4"),
        format!("1 {suite} inline:{KEY};inline:{KEY}"),
        format!("1 {suite} inline:{KEY} UNENCRYPTED_SRTP"),
        format!("1 {suite} inline:{KEY} KDR=1"),
        format!("1 {suite} inline:{}", &KEY[4..]),
        format!("1 F8_128_HMAC_SHA1_80 inline:{KEY}"),
        format!("12345678901 {suite} inline:{KEY}"),
        format!("1 {suite} {KEY}"),
        String::new(),
    ] {
        assert_eq!(read(&odd), None, "{odd}");
    }
}

#[test]
fn an_offer_with_keys_is_answered_with_one_of_ours_under_its_tag() {
    for (media, srtp) in [(SAVP, Srtp::Accept), (AVP, Srtp::Accept), (SAVP, Srtp::Require), (AVP, Srtp::Offer)] {
        let (text, agreed) = answer(&usual(media), srtp).unwrap();
        let Secured::Sdes { suite, ours, theirs } = &agreed.secured else { panic!("{agreed:?}") };
        assert_eq!(*suite, CryptoSuite::AesCm128Sha1_80);
        assert_eq!((ours.bytes(), theirs.bytes()), (&[4; 30][..], &b"YS___semctl () {\t220;}\n}\nunles"[..30]));
        assert!(
            text.contains(&crypto(3, "AES_CM_128_HMAC_SHA1_80", "BAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE")),
            "{text}"
        );
        assert_eq!(text.matches("a=crypto").count(), 1);
        assert!(text.contains(media.split(' ').nth(2).unwrap()));
    }
}

#[test]
fn what_is_required_and_absent_is_refused() {
    assert_eq!(answer(AVP, Srtp::Require).unwrap_err(), Refused::NotSecure);
    assert_eq!(answer(SAVP, Srtp::Accept).unwrap_err(), Refused::NotSecure);
    assert_eq!(answer(&usual(SAVP), Srtp::Off).unwrap_err(), Refused::NoAudio);
    assert_eq!(answer(&usual(AVP), Srtp::Off).unwrap().1.secured, Secured::Plain);
    assert_eq!(answer(AVP, Srtp::Offer).unwrap().1.secured, Secured::Plain);
    assert_eq!(Refused::NotSecure.status(), 488);
}

#[test]
fn of_two_lines_the_secret_one_is_taken() {
    let (text, agreed) = answer(&format!("{AVP}{}", usual(SAVP)), Srtp::Accept).unwrap();
    assert!(matches!(agreed.secured, Secured::Sdes { .. }));
    assert!(text.contains("m=audio 0 RTP/AVP 8\r\n") && text.contains("m=audio 20000 RTP/SAVP 8\r\n"), "{text}");
}

#[test]
fn our_offers_tell_keys_where_they_shall() {
    let offer = |srtp| Negotiator::new(2).offer(&local(srtp, 1));
    assert!(!offer(Srtp::Off).contains("crypto") && !offer(Srtp::Accept).contains("crypto"));
    assert!(offer(Srtp::Offer).contains("RTP/AVP 8") && offer(Srtp::Require).contains("RTP/SAVP 8"));
    for text in [offer(Srtp::Offer), offer(Srtp::Require)] {
        let lines: Vec<_> = text.lines().filter(|line| line.starts_with("a=crypto:")).collect();
        assert_eq!(lines.len(), 4);
        assert!(lines[0].starts_with("a=crypto:1 AEAD_AES_256_GCM inline:AQEB"), "{text}");
    }
}

#[test]
fn the_answer_to_our_offer_takes_one_of_its_lines_or_none() {
    let accept = |srtp, media: &str| {
        let mut negotiator = Negotiator::new(2);
        negotiator.offer(&local(srtp, 1));
        negotiator.accept_answer(&read(media)).map(|agreed| agreed.secured)
    };
    let taken = format!("{AVP}{}", crypto(4, "AES_CM_128_HMAC_SHA1_80", KEY));
    assert!(matches!(accept(Srtp::Offer, &taken), Ok(Secured::Sdes { suite: CryptoSuite::AesCm128Sha1_80, .. })));
    assert_eq!(accept(Srtp::Offer, AVP), Ok(Secured::Plain));
    assert_eq!(accept(Srtp::Accept, &taken), Ok(Secured::Plain), "a key that answers nothing");
    assert_eq!(accept(Srtp::Require, SAVP), Err(Refused::NotSecure));
    assert_eq!(accept(Srtp::Require, AVP), Err(Refused::NotSecure));
    assert_eq!(accept(Srtp::Offer, &usual(AVP)), Err(Refused::Mismatch));
}

#[test]
fn a_secret_session_stays_so_in_our_later_offers() {
    let mut negotiator = Negotiator::new(2);
    negotiator.answer(&read(&usual(AVP)), &local(Srtp::Accept, 1)).unwrap();
    assert_eq!(negotiator.offer(&local(Srtp::Accept, 1)).matches("a=crypto").count(), 4);
}

#[test]
fn no_key_is_ever_shown() {
    let (_, agreed) = answer(&usual(SAVP), Srtp::Accept).unwrap();
    let shown = format!("{agreed:?} {:?}", local(Srtp::Accept, 1));
    assert!(shown.contains("CryptoKey(..)") && shown.contains("OwnKeys(..)") && !shown.contains("4, 4"), "{shown}");
}

const WEB: &str = "m=audio 9 UDP/TLS/RTP/SAVPF 8\r\nc=IN IP4 0.0.0.0\r\na=mid:0\r\na=ice-ufrag:abcd\r\n\
    a=ice-pwd:aaaaaaaaaaaaaaaaaaaaaaaa\r\na=rtcp-mux\r\na=fingerprint:sha-256 \
    00:01:02:03:04:05:06:07:08:09:0A:0B:0C:0D:0E:0F:10:11:12:13:14:15:16:17:18:19:1A:1B:1C:1D:1E:FF\r\n";

fn browser() -> LocalMedia {
    let web = OwnWeb { fingerprint: [0xab; 32], ufrag: "ours".into(), password: "secret".repeat(4) };
    let usual = local(Srtp::Require, 1);
    LocalMedia { protection: Protection { web: Some(web), ..usual.protection }, ..usual }
}

#[test]
fn a_browser_is_answered_with_ice_lite_and_a_fingerprint() {
    for (setup, role, active) in
        [("actpass", "passive", false), ("active", "passive", false), ("passive", "active", true)]
    {
        let offer = format!("a=group:BUNDLE 0\r\n{WEB}a=setup:{setup}\r\n");
        let (text, agreed) = Negotiator::new(2).answer(&read(&offer), &browser()).unwrap();
        let Secured::Dtls { peer, active: begins } = &agreed.secured else { panic!("{agreed:?}") };
        assert_eq!((peer.ufrag.as_str(), peer.fingerprint[31], *begins), ("abcd", 0xff, active));
        assert!(!agreed.hold && agreed.direction == Direction::SendRecv);
        for line in [
            "a=group:BUNDLE 0",
            "a=ice-lite",
            "m=audio 20000 UDP/TLS/RTP/SAVPF 8",
            "a=mid:0",
            "a=rtcp-mux",
            &format!("a=setup:{role}"),
            "a=ice-ufrag:ours",
            "a=candidate:1 1 udp 2130706431 198.51.100.1 20000 typ host",
        ] {
            assert!(text.lines().any(|one| one == line), "{line} not in {text}");
        }
    }
}

#[test]
fn a_browser_without_fingerprint_mux_or_ice_is_refused() {
    for missing in ["a=rtcp-mux\r\n", "a=ice-ufrag:abcd\r\n", "sha-256"] {
        let offer = WEB.replace(missing, if missing == "sha-256" { "sha-1" } else { "" });
        assert_eq!(Negotiator::new(2).answer(&read(&offer), &browser()).unwrap_err(), Refused::NotSecure, "{missing}");
    }
    // Nor is one taken where its leg has no port for browsers.
    assert_eq!(answer(WEB, Srtp::Accept).unwrap_err(), Refused::NotSecure);
}

#[test]
fn a_browser_is_offered_the_same() {
    let mut negotiator = Negotiator::new(2);
    let offer = negotiator.offer(&browser());
    assert!(offer.contains("a=setup:actpass\r\n") && offer.contains("a=mid:0\r\n") && !offer.contains("a=crypto"));
    let agreed = negotiator.accept_answer(&read(&format!("{WEB}a=setup:active\r\n"))).unwrap();
    assert!(matches!(agreed.secured, Secured::Dtls { active: false, .. }));
}
