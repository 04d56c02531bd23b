//! Offer and answer over the life of a session (RFC 3264).

use std::net::IpAddr;

use super::description::{Description, Direction, MediaLine};
use super::negotiated::{LocalMedia, Negotiated, Refused, is_voice, negotiate};

/// Our payload type for telephone-event where the peer has not named one.
const DTMF: u8 = 101;

/// Our side of one session's descriptions: one for each dialog.
#[derive(Clone, Debug)]
pub struct Negotiator {
    origin_id: u64,
    version: u64,
    /// What followed `o=` in the last description that we sent.
    sent: String,
    /// The session's media lines in their order, as they stand since the last exchange.
    lines: Vec<Line>,
    /// telephone-event's number, which a session never changes (RFC 3264 §8.3.2).
    dtmf: u8,
    offered: Option<LocalMedia>,
}

/// A media line as we write it.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Line {
    /// The one that carries the voice, with its profile.
    Voice { profile: String },
    /// One that we refuse, with what it was.
    Refused { kind: String, profile: String, formats: String },
}

impl Negotiator {
    /// `origin_id` is random and stays for the session; the version begins at 1.
    pub fn new(origin_id: u64) -> Self {
        // 63 bits: some peers read the id as a signed number.
        let origin_id = origin_id >> 1;
        Self { origin_id, version: 0, sent: String::new(), lines: Vec::new(), dtmf: DTMF, offered: None }
    }

    /// Our offer, for a first INVITE or a later one. A new offer takes the place of one that was not answered.
    pub fn offer(&mut self, local: &LocalMedia) -> String {
        if !self.lines.iter().any(|line| matches!(line, Line::Voice { .. })) {
            self.lines.push(Line::Voice { profile: "RTP/AVP".into() });
        }
        let mut types: Vec<(u8, &str)> =
            local.codecs.iter().map(|codec| (codec.payload_type(), codec.encoding())).collect();
        if local.dtmf {
            types.push((self.dtmf, "telephone-event"));
        }
        self.offered = Some(local.clone());
        self.describe(local, &types, local.direction)
    }

    /// Our answer to the peer's offer, and what is agreed. An error leaves the session as it was.
    pub fn answer(&mut self, offer: &Description, local: &LocalMedia) -> Result<(String, Negotiated), Refused> {
        let voice = offer.media.iter().position(is_voice).ok_or(Refused::NoAudio)?;
        let line = offer.media.get(voice).ok_or(Refused::NoAudio)?;
        let negotiated = negotiate(line, local)?;
        self.lines = offer.media.iter().enumerate().map(|(index, line)| keep(line, index == voice)).collect();
        self.offered = None;
        let mut types = vec![(negotiated.pt_receive, negotiated.codec.encoding())];
        if let Some(dtmf) = negotiated.dtmf_receive {
            self.dtmf = dtmf;
            types.push((dtmf, "telephone-event"));
        }
        let text = self.describe(local, &types, negotiated.direction);
        Ok((text, negotiated))
    }

    /// What the peer's answer to our last offer settles.
    pub fn accept_answer(&mut self, answer: &Description) -> Result<Negotiated, Refused> {
        let settled = self.read_answer(answer)?;
        self.offered = None;
        Ok(settled)
    }

    /// The same of an answer that another may follow: from a phone that has not answered the call yet (RFC 3261 §13.2.2.4).
    pub fn read_answer(&self, answer: &Description) -> Result<Negotiated, Refused> {
        let local = self.offered.as_ref().ok_or(Refused::Mismatch)?;
        let voice = self.lines.iter().position(|line| matches!(line, Line::Voice { .. })).ok_or(Refused::Mismatch)?;
        if answer.media.len() != self.lines.len() {
            return Err(Refused::Mismatch);
        }
        let line = answer.media.get(voice).filter(|line| is_voice(line)).ok_or(Refused::NoAudio)?;
        let negotiated = negotiate(line, local)?;
        // Each side receives under the numbers that it wrote itself (RFC 3264 §5.1).
        Ok(Negotiated {
            pt_receive: negotiated.codec.payload_type(),
            dtmf_receive: local.dtmf.then_some(self.dtmf),
            ..negotiated
        })
    }

    /// Whether an offer of ours waits for its answer; another one must then be refused with 491.
    pub fn has_offered(&self) -> bool {
        self.offered.is_some()
    }

    /// Our offer was refused: the session goes on as it was agreed before (RFC 3261 §14.1).
    pub fn withdraw_offer(&mut self) {
        self.offered = None;
    }

    /// Writes our description; its version rises by one where anything else differs from the last one.
    fn describe(&mut self, local: &LocalMedia, types: &[(u8, &str)], direction: Direction) -> String {
        let family = family(local.addr);
        let mut body = format!("s=-\r\nc=IN {family} {}\r\nt=0 0\r\n", local.addr);
        for line in &self.lines {
            match line {
                Line::Refused { kind, profile, formats } => {
                    body.push_str(&format!("m={kind} 0 {profile} {formats}\r\n"));
                }
                Line::Voice { profile } => voice(&mut body, profile, local, types, direction),
            }
        }
        if body != self.sent {
            self.version += 1;
            self.sent = body;
        }
        format!("v=0\r\no=- {} {} IN {family} {}\r\n{}", self.origin_id, self.version, local.addr, self.sent)
    }
}

fn keep(line: &MediaLine, voice: bool) -> Line {
    if voice {
        return Line::Voice { profile: line.profile.clone() };
    }
    // A line needs a format, also a refused one.
    let formats = if line.formats.is_empty() { "0".into() } else { line.formats.join(" ") };
    Line::Refused { kind: line.kind.as_str().into(), profile: line.profile.clone(), formats }
}

fn family(addr: IpAddr) -> &'static str {
    if addr.is_ipv4() { "IP4" } else { "IP6" }
}

fn voice(body: &mut String, profile: &str, local: &LocalMedia, types: &[(u8, &str)], direction: Direction) {
    let numbers: Vec<String> = types.iter().map(|(number, _)| number.to_string()).collect();
    body.push_str(&format!("m=audio {} {profile} {}\r\n", local.port, numbers.join(" ")));
    for (number, encoding) in types {
        body.push_str(&format!("a=rtpmap:{number} {encoding}/8000\r\n"));
        if *encoding == "telephone-event" {
            body.push_str(&format!("a=fmtp:{number} 0-15\r\n"));
        }
    }
    body.push_str(&format!("a=ptime:{}\r\na={}\r\n", local.ptime_ms, direction.as_str()));
}

#[cfg(test)]
mod tests {
    use super::super::negotiated::AudioCodec;
    use super::*;
    use proptest::prelude::*;

    fn local() -> LocalMedia {
        LocalMedia {
            addr: "198.51.100.1".parse().unwrap(),
            port: 20_000,
            codecs: vec![AudioCodec::Pcma, AudioCodec::Pcmu],
            dtmf: true,
            direction: Direction::SendRecv,
            ptime_ms: 20,
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
            ptime_ms: 20,
            direction: Direction::SendRecv,
            hold: false,
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
        let answer =
            read("m=audio 4000 RTP/AVP 0 97\r\na=rtpmap:97 telephone-event/8000\r\na=rtcp:4007\r\na=ptime:30\r\n");
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
}
