//! Offer and answer over the life of a session (RFC 3264).

use std::net::IpAddr;

use super::description::{Description, Direction, MediaLine};
use super::negotiated::{AudioCodec, LocalMedia, NOISE, Negotiated, Refused, is_audio, negotiate, voice_of};
use super::protection::{self, Secured, Srtp};

/// Our payload type for telephone-event where the peer has not named one, and that for the clock of Opus.
const DTMF: u8 = 101;
const FAST_DTMF: u8 = 110;
/// What we write of Opus: packets of 10 ms will do, and a lost one may be in the next once more (RFC 7587 §6.1).
const OPUS: &str = "minptime=10;useinbandfec=1";

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
    /// Whether the session's keys are told in its descriptions: then our next offer tells them too.
    sdes: bool,
    /// The name of the voice's line, where lines have names, and whether it is bundled: with nothing else, as browsers want it.
    mid: Option<(String, bool)>,
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
        Self {
            origin_id,
            version: 0,
            sent: String::new(),
            lines: Vec::new(),
            dtmf: DTMF,
            offered: None,
            sdes: false,
            mid: None,
        }
    }

    /// Our offer, for a first INVITE or a later one. A new offer takes the place of one that was not answered.
    pub fn offer(&mut self, local: &LocalMedia) -> String {
        if !self.lines.iter().any(|line| matches!(line, Line::Voice { .. })) {
            let profile = match (&local.protection.web, local.protection.srtp) {
                (Some(_), _) => "UDP/TLS/RTP/SAVPF",
                (None, Srtp::Require) => "RTP/SAVP",
                (None, _) => "RTP/AVP",
            };
            self.mid = local.protection.web.is_some().then(|| ("0".to_owned(), true));
            self.lines.push(Line::Voice { profile: profile.into() });
        }
        let mut types: Vec<Format> =
            local.codecs.iter().map(|codec| Format::Sound(codec.payload_type(), *codec)).collect();
        types.extend(local.noise.then_some(Format::Noise));
        if local.dtmf {
            types.push(Format::Digits(self.dtmf, 8_000));
            if local.codecs.contains(&AudioCodec::Opus) && self.dtmf != FAST_DTMF {
                types.push(Format::Digits(FAST_DTMF, 48_000));
            }
        }
        self.offered = Some(local.clone());
        let secrets = match &local.protection.web {
            Some(web) => protection::web_lines(web, "actpass", local.addr, local.port),
            None if self.offers_keys(local) => protection::offer_lines(&local.protection.keys),
            None => String::new(),
        };
        self.describe(local, &types, local.direction, &secrets)
    }

    /// Whether our offer tells keys.
    fn offers_keys(&self, local: &LocalMedia) -> bool {
        let ours = &local.protection;
        ours.web.is_none() && (self.sdes || matches!(ours.srtp, Srtp::Offer | Srtp::Require))
    }

    /// Our answer to the peer's offer, and what is agreed. An error leaves the session as it was.
    pub fn answer(&mut self, offer: &Description, local: &LocalMedia) -> Result<(String, Negotiated), Refused> {
        let (voice, line, secured, tag) = voice_of(offer, local)?;
        let negotiated = negotiate(line, local, secured, false)?;
        self.lines = offer.media.iter().enumerate().map(|(index, line)| keep(line, index == voice)).collect();
        self.offered = None;
        let mut types = vec![Format::Sound(negotiated.pt_receive, negotiated.codec)];
        types.extend(negotiated.noise.then_some(Format::Noise));
        self.sdes = matches!(negotiated.secured, Secured::Sdes { .. });
        self.mid = line.mid.as_ref().map(|mid| (mid.clone(), offer.bundle.contains(mid)));
        if let Some(dtmf) = negotiated.dtmf_receive {
            if negotiated.dtmf_hz == 8_000 {
                self.dtmf = dtmf;
            }
            types.push(Format::Digits(dtmf, negotiated.dtmf_hz));
        }
        let secrets = match (&negotiated.secured, &local.protection.web) {
            (Secured::Sdes { suite, ours, .. }, _) => protection::crypto_line(tag, *suite, ours),
            (Secured::Dtls { active, .. }, Some(web)) => {
                let setup = if *active { "active" } else { "passive" };
                protection::web_lines(web, setup, local.addr, local.port)
            }
            (Secured::Plain | Secured::Dtls { .. }, _) => String::new(),
        };
        let text = self.describe(local, &types, negotiated.direction, &secrets);
        Ok((text, negotiated))
    }

    /// What the peer's answer to our last offer settles.
    pub fn accept_answer(&mut self, answer: &Description) -> Result<Negotiated, Refused> {
        let settled = self.read_answer(answer)?;
        self.offered = None;
        self.sdes = matches!(settled.secured, Secured::Sdes { .. });
        Ok(settled)
    }

    /// The same of an answer that another may follow: from a phone that has not answered the call yet (RFC 3261 §13.2.2.4).
    pub fn read_answer(&self, answer: &Description) -> Result<Negotiated, Refused> {
        let local = self.offered.as_ref().ok_or(Refused::Mismatch)?;
        let voice = self.lines.iter().position(|line| matches!(line, Line::Voice { .. })).ok_or(Refused::Mismatch)?;
        if answer.media.len() != self.lines.len() {
            return Err(Refused::Mismatch);
        }
        let line = answer.media.get(voice).filter(|line| is_audio(line)).ok_or(Refused::NoAudio)?;
        let secured = protection::of_answer(line, local, self.offers_keys(local))?;
        let negotiated = negotiate(line, local, secured, true)?;
        // Each side receives under the numbers that it wrote itself (RFC 3264 §5.1).
        Ok(Negotiated {
            pt_receive: negotiated.codec.payload_type(),
            // A peer whose answer leaves events out sends none (§6.1): its keys are sound.
            dtmf_receive: negotiated
                .dtmf_receive
                .map(|_| if negotiated.dtmf_hz == 8_000 { self.dtmf } else { FAST_DTMF }),
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
    fn describe(&mut self, local: &LocalMedia, types: &[Format], direction: Direction, secrets: &str) -> String {
        let family = family(local.addr);
        let mut body = format!("s=-\r\nc=IN {family} {}\r\nt=0 0\r\n", local.addr);
        if let Some((mid, true)) = &self.mid {
            body.push_str(&format!("a=group:BUNDLE {mid}\r\n"));
        }
        if local.protection.web.is_some() {
            body.push_str("a=ice-lite\r\n");
        }
        for line in &self.lines {
            match line {
                Line::Refused { kind, profile, formats } => {
                    body.push_str(&format!("m={kind} 0 {profile} {formats}\r\n"));
                }
                Line::Voice { profile } => {
                    voice(&mut body, profile, local, types, direction);
                    if let Some((mid, _)) = &self.mid {
                        body.push_str(&format!("a=mid:{mid}\r\n"));
                    }
                    body.push_str(secrets);
                }
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

/// A payload type as we write it.
enum Format {
    Sound(u8, AudioCodec),
    Noise,
    /// telephone-event and its clock, Hz.
    Digits(u8, u32),
}

fn voice(body: &mut String, profile: &str, local: &LocalMedia, types: &[Format], direction: Direction) {
    body.push_str(&format!("m=audio {} {profile}", local.port));
    let mut maps = String::new();
    for format in types {
        let number = match format {
            Format::Sound(number, AudioCodec::Opus) => {
                maps.push_str(&format!("a=rtpmap:{number} opus/48000/2\r\na=fmtp:{number} {OPUS}\r\n"));
                number
            }
            Format::Sound(number, codec) => {
                maps.push_str(&format!("a=rtpmap:{number} {}/{}\r\n", codec.encoding(), codec.clock_hz()));
                number
            }
            Format::Noise => {
                maps.push_str("a=rtpmap:13 CN/8000\r\n");
                &NOISE
            }
            Format::Digits(number, hz) => {
                maps.push_str(&format!("a=rtpmap:{number} telephone-event/{hz}\r\na=fmtp:{number} 0-15\r\n"));
                number
            }
        };
        body.push_str(&format!(" {number}"));
    }
    body.push_str(&format!("\r\n{maps}a=ptime:{}\r\na={}\r\n", local.ptime_ms, direction.as_str()));
}

#[cfg(test)]
#[path = "negotiator_tests.rs"]
mod tests;
