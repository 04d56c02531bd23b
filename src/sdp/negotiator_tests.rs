//! Offers and answers of every kind.

use super::*;
use proptest::prelude::*;

fn local() -> LocalMedia {
    LocalMedia {
        addr: "198.51.100.1".parse().unwrap(),
        port: 20_000,
        codecs: vec![AudioCodec::Pcma, AudioCodec::Pcmu],
        dtmf: true,
        noise: false,
        direction: Direction::SendRecv,
        ptime_ms: 20,
        protection: Default::default(),
    }
}

fn read(media: &str) -> Description {
    let text = format!("v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\n{media}");
    Description::parse(text.as_bytes()).unwrap()
}

const AUDIO: &str = "m=audio 4000 RTP/AVP 18 0 8 96\r\na=rtpmap:96 telephone-event/8000\r\n";

fn settled() -> Negotiated {
    Negotiated {
        remote_rtp: "192.0.2.1:4000".parse().unwrap(),
        remote_rtcp: "192.0.2.1:4001".parse().unwrap(),
        codec: AudioCodec::Pcmu,
        pt_send: 0,
        pt_receive: 0,
        dtmf_send: Some(96),
        dtmf_receive: Some(96),
        dtmf_hz: 8_000,
        noise: false,
        ptime_ms: 20,
        direction: Direction::SendRecv,
        hold: false,
        secured: Secured::Plain,
    }
}

#[test]
fn answers_in_the_offerers_order_and_with_its_numbers() {
    let mut negotiator = Negotiator::new(84);
    let (text, negotiated) = negotiator.answer(&read(AUDIO), &local()).unwrap();
    assert_eq!(negotiated, settled());
    assert_eq!(
        text,
        "v=0\r\no=- 42 1 IN IP4 198.51.100.1\r\ns=-\r\nc=IN IP4 198.51.100.1\r\nt=0 0\r\n\
         m=audio 20000 RTP/AVP 0 96\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:96 telephone-event/8000\r\na=fmtp:96 0-15\r\n\
         a=ptime:20\r\na=sendrecv\r\n"
    );
    assert!(Description::parse(text.as_bytes()).is_ok());
}

#[test]
fn keeps_the_order_of_media_lines_in_answers_and_later_offers() {
    let mut negotiator = Negotiator::new(2);
    let offer = read(&format!("m=video 5000 RTP/AVP 34 99\r\n{AUDIO}m=image 6000 udptl t38\r\n"));
    let (text, _) = negotiator.answer(&offer, &local()).unwrap();
    for text in [text, negotiator.offer(&local())] {
        let lines: Vec<_> = text.lines().filter(|line| line.starts_with("m=")).collect();
        assert_eq!(lines[0], "m=video 0 RTP/AVP 34 99");
        assert!(lines[1].starts_with("m=audio 20000 RTP/AVP "), "{lines:?}");
        assert_eq!(lines[2], "m=image 0 udptl t38");
    }
    // The peer's number for digits stays through the session.
    assert!(negotiator.offer(&local()).contains("a=rtpmap:96 telephone-event/8000"));
}

#[test]
fn g722_is_taken_where_it_comes_first_with_us_or_alone_with_them() {
    let both = "m=audio 4000 RTP/AVP 9 8 101\r\na=rtpmap:101 telephone-event/8000\r\n";
    let alone = "m=audio 4000 RTP/AVP 9\r\na=rtpmap:9 G722/8000\r\n";
    let chosen = |media: &str, codecs: &[AudioCodec]| {
        let local = LocalMedia { codecs: codecs.to_vec(), ..local() };
        Negotiator::new(2).answer(&read(media), &local).map(|(text, agreed)| (agreed.codec, text.contains(" 9")))
    };
    let (laws, last) = ([AudioCodec::Pcma, AudioCodec::Pcmu], [AudioCodec::Pcma, AudioCodec::G722]);
    assert_eq!(chosen(both, &last), Ok((AudioCodec::Pcma, false)));
    assert_eq!(chosen(alone, &last), Ok((AudioCodec::G722, true)));
    assert_eq!(chosen(both, &[AudioCodec::G722, AudioCodec::Pcma]), Ok((AudioCodec::G722, true)));
    assert_eq!(chosen(alone, &laws), Err(Refused::NoCodec));
}

#[test]
fn refuses_what_is_no_voice() {
    let refuse = |media: &str| Negotiator::new(2).answer(&read(media), &local()).unwrap_err();
    assert_eq!(refuse("m=image 6000 udptl t38\r\n"), Refused::NoAudio);
    assert_eq!(refuse("m=video 6000 RTP/AVP 34\r\n"), Refused::NoAudio);
    assert_eq!(refuse("m=audio 6000 RTP/SAVP 0\r\n"), Refused::NoAudio);
    assert_eq!(refuse("m=audio 0 RTP/AVP 0\r\n"), Refused::NoAudio);
    assert_eq!(refuse("m=audio 6000 RTP/AVP 18\r\n"), Refused::NoCodec);
    assert_eq!(refuse("m=audio 6000 RTP/AVP 0\r\na=rtpmap:0 PCMU/16000\r\n"), Refused::NoCodec);
    assert_eq!(refuse("m=audio 6000 RTP/AVP 0\r\na=rtpmap:0 PCMU/8000/2\r\n"), Refused::NoCodec);
    assert_eq!(refuse("m=audio 6000 RTP/AVP 0\r\nc=IN IP4 phone.example\r\n"), Refused::NoAddress);
    assert_eq!(refuse("m=audio 6000 RTP/AVP 0\r\nc=IN IP4 239.1.1.1/5\r\n"), Refused::NoAddress);
    assert_eq!(refuse("").status(), 488);
}

#[test]
fn hold_in_every_style_and_back() {
    let mut negotiator = Negotiator::new(2);
    let styles = [
        ("", Direction::SendRecv, false),
        ("a=sendonly\r\n", Direction::RecvOnly, true),
        ("a=recvonly\r\n", Direction::SendOnly, false),
        ("a=inactive\r\n", Direction::Inactive, true),
        ("c=IN IP4 0.0.0.0\r\n", Direction::RecvOnly, true),
        ("a=sendrecv\r\n", Direction::SendRecv, false),
    ];
    for (version, (style, direction, hold)) in (1..).zip(styles) {
        let (text, negotiated) = negotiator.answer(&read(&format!("{AUDIO}{style}")), &local()).unwrap();
        assert_eq!((negotiated.direction, negotiated.hold), (direction, hold), "{style}");
        assert!(text.ends_with(&format!("a={}\r\n", direction.as_str())), "{style}");
        assert!(text.contains(&format!("o=- 1 {version} IN")), "{text}");
    }
}

#[test]
fn our_hold_is_answered_and_seen() {
    let mut negotiator = Negotiator::new(2);
    let text = negotiator.offer(&LocalMedia { direction: Direction::SendOnly, ..local() });
    assert!(text.ends_with("a=sendonly\r\n"));
    let negotiated = negotiator.accept_answer(&read(&format!("{AUDIO}a=recvonly\r\n"))).unwrap();
    assert_eq!((negotiated.direction, negotiated.hold), (Direction::SendOnly, false));
}

#[test]
fn the_version_rises_only_with_a_change() {
    let mut negotiator = Negotiator::new(2);
    let first = negotiator.offer(&local());
    assert_eq!(negotiator.offer(&local()), first);
    let moved = negotiator.offer(&LocalMedia { port: 20_002, ..local() });
    assert!(first.contains("o=- 1 1 ") && moved.contains("o=- 1 2 "));
}

#[test]
fn each_side_receives_under_its_own_numbers() {
    let mut negotiator = Negotiator::new(2);
    let offer = negotiator.offer(&local());
    assert!(offer.contains("m=audio 20000 RTP/AVP 8 0 101\r\n"));
    let answer = read("m=audio 4000 RTP/AVP 0 97\r\na=rtpmap:97 telephone-event/8000\r\na=rtcp:4007\r\na=ptime:30\r\n");
    let expected = Negotiated {
        dtmf_send: Some(97),
        dtmf_receive: Some(101),
        remote_rtcp: "192.0.2.1:4007".parse().unwrap(),
        ptime_ms: 30,
        ..settled()
    };
    assert_eq!(negotiator.accept_answer(&answer), Ok(expected));
    assert_eq!(negotiator.accept_answer(&answer), Err(Refused::Mismatch));
}

#[test]
fn who_answers_with_several_codecs_sends_the_first_of_them() {
    for (types, codec, number) in [("9 8 0 101", AudioCodec::G722, 9), ("0 9 101", AudioCodec::Pcmu, 0)] {
        let mut negotiator = Negotiator::new(2);
        let codecs = vec![AudioCodec::Pcma, AudioCodec::Pcmu, AudioCodec::G722];
        negotiator.offer(&LocalMedia { codecs, ..local() });
        let answer = read(&format!("m=audio 4000 RTP/AVP {types}\r\na=rtpmap:101 telephone-event/8000\r\n"));
        let settled = negotiator.accept_answer(&answer).unwrap();
        assert_eq!((settled.codec, settled.pt_send, settled.pt_receive), (codec, number, number), "{types}");
    }
}

#[test]
fn comfort_noise_is_agreed_to_and_offered_only_where_it_is_wanted() {
    let offer = "m=audio 4000 RTP/AVP 8 0 13 101\r\na=rtpmap:101 telephone-event/8000\r\n";
    let (text, negotiated) = Negotiator::new(2).answer(&read(offer), &local()).unwrap();
    assert!(
        negotiated.noise && text.contains(" RTP/AVP 8 13 101\r\n") && text.contains("a=rtpmap:13 CN/8000\r\n"),
        "{text}"
    );
    for (offered, answered, noise) in [(true, " 13", true), (true, "", false), (false, " 13", false)] {
        let mut negotiator = Negotiator::new(2);
        let text = negotiator.offer(&LocalMedia { noise: offered, ..local() });
        assert_eq!(text.contains(" RTP/AVP 8 0 13 101\r\n"), offered, "{text}");
        let answer = read(&format!("m=audio 4000 RTP/AVP 8{answered}\r\n"));
        assert_eq!(negotiator.accept_answer(&answer).unwrap().noise, noise);
    }
    // Beside a codec of another clock it says nothing.
    let opus = "m=audio 4000 RTP/AVP 111 13\r\na=rtpmap:111 opus/48000/2\r\n";
    let local = LocalMedia { codecs: vec![AudioCodec::Opus], ..local() };
    assert!(!Negotiator::new(2).answer(&read(opus), &local).unwrap().1.noise);
}

#[test]
fn an_answer_must_fit_its_offer() {
    let mut negotiator = Negotiator::new(2);
    negotiator.offer(&local());
    assert_eq!(negotiator.accept_answer(&read(&AUDIO.repeat(2))), Err(Refused::Mismatch));
    assert_eq!(negotiator.accept_answer(&read("m=audio 0 RTP/AVP 0\r\n")), Err(Refused::NoAudio));
    assert!(negotiator.has_offered());
    negotiator.withdraw_offer();
    assert!(!negotiator.has_offered());
}

proptest! {
    #[test]
    fn whatever_is_offered_our_answer_can_be_read_and_keeps_the_lines(
        media in "(m=(audio|video|\\PC{1,4}) [0-9]{1,4} (RTP/AVP|\\PC{1,4}) (0|8|101|\\PC{1,3})( [0-9]{1,3}| \\PC){0,3}\r\n\
            (a=rtpmap:101 telephone-event/8000\r\n)?(a=\\PC{0,8}\r\n)?){1,4}"
    ) {
        let text = format!("v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\n{media}");
        let Ok(offer) = Description::parse(text.as_bytes()) else { return Ok(()) };
        let mut negotiator = Negotiator::new(2);
        if let Ok((answer, _)) = negotiator.answer(&offer, &local()) {
            let answer = Description::parse(answer.as_bytes()).unwrap();
            prop_assert_eq!(answer.media.len(), offer.media.len());
            let again = Description::parse(negotiator.offer(&local()).as_bytes()).unwrap();
            prop_assert_eq!(again.media.len(), offer.media.len());
        }
        let _ = negotiator.accept_answer(&offer);
    }
}
