//! What one exchange of offer and answer settles, and what goes into it.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use super::description::{Description, Direction, MediaKind, MediaLine, PayloadType};
use super::protection::{self, Protection, Secured};

/// A codec that a voice leg speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum AudioCodec {
    /// G.711 µ-law.
    Pcmu,
    /// G.711 A-law.
    Pcma,
    /// G.722, whose RTP clock says 8,000 Hz though it samples twice as often (RFC 3551 §4.5.2).
    G722,
    /// Opus, which is written as two channels at 48 kHz whatever is in it (RFC 7587 §7).
    Opus,
}

/// A name in any case, as in `a=rtpmap`.
impl std::str::FromStr for AudioCodec {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        Self::ALL.into_iter().find(|codec| codec.encoding().eq_ignore_ascii_case(text)).ok_or(())
    }
}

impl AudioCodec {
    /// All of them.
    const ALL: [Self; 4] = [Self::Pcma, Self::Pcmu, Self::G722, Self::Opus];

    /// The encoding's name in `a=rtpmap`.
    pub fn encoding(self) -> &'static str {
        match self {
            Self::Pcmu => "PCMU",
            Self::Pcma => "PCMA",
            Self::G722 => "G722",
            Self::Opus => "opus",
        }
    }

    /// The payload type that we give it: the static one (RFC 3551 §6), for Opus a dynamic one.
    pub fn payload_type(self) -> u8 {
        match self {
            Self::Pcmu => 0,
            Self::Pcma => 8,
            Self::G722 => 9,
            Self::Opus => 111,
        }
    }

    /// The RTP clock, Hz.
    pub fn clock_hz(self) -> u32 {
        match self {
            Self::Pcmu | Self::Pcma | Self::G722 => 8_000,
            Self::Opus => 48_000,
        }
    }

    /// Channels of sound as `a=rtpmap` says.
    pub(super) fn channels(self) -> u8 {
        if self == Self::Opus { 2 } else { 1 }
    }

    /// Whether most parties lack it, so that it has to be transcoded for them.
    fn is_rare(self) -> bool {
        matches!(self, Self::G722 | Self::Opus)
    }

    fn is(self, payload_type: &PayloadType) -> bool {
        payload_type.encoding.eq_ignore_ascii_case(self.encoding())
            && payload_type.clock_hz == self.clock_hz()
            && payload_type.channels == self.channels()
    }
}

/// Our side of a leg's sound.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LocalMedia {
    /// Where we receive; never unspecified.
    pub addr: IpAddr,
    /// Our RTP port; RTCP is one above.
    pub port: u16,
    /// What we speak, in our order of preference.
    pub codecs: Vec<AudioCodec>,
    /// Whether we take digits as telephone-event (RFC 4733).
    pub dtmf: bool,
    /// Whether our offers name comfort noise (RFC 3389): where somebody who has it will be heard. One of the peer's is agreed to.
    pub noise: bool,
    /// What we want from our view: `SendOnly` puts the peer on hold, `Inactive` without music.
    pub direction: Direction,
    /// Milliseconds of sound in a packet that we would like to receive.
    pub ptime_ms: u16,
    /// How our side keeps it secret.
    pub protection: Protection,
}

/// What both sides agreed on, from our view.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Negotiated {
    /// Where our RTP goes; its address is unspecified under the older form of hold, and then nothing is sent.
    pub remote_rtp: SocketAddr,
    /// Where our RTCP goes.
    pub remote_rtcp: SocketAddr,
    /// The codec of both ways.
    pub codec: AudioCodec,
    /// The codec's payload type in what we send.
    pub pt_send: u8,
    /// The codec's payload type in what we receive.
    pub pt_receive: u8,
    /// telephone-event in what we send; `None` where the peer takes none.
    pub dtmf_send: Option<u8>,
    /// telephone-event in what we receive; `None` where we offered none.
    pub dtmf_receive: Option<u8>,
    /// The clock of its durations, Hz.
    pub dtmf_hz: u32,
    /// Whether pauses come and go as comfort noise (RFC 3389), in payload type 13.
    pub noise: bool,
    /// Milliseconds of sound in a packet that we send: 10 to 60.
    pub ptime_ms: u16,
    /// Who sends, from our view.
    pub direction: Direction,
    /// The peer has put us on hold: it asks for no sound, by `sendonly`, `inactive` or the address 0.0.0.0.
    pub hold: bool,
    /// How the sound is kept secret.
    pub secured: Secured,
}

/// Why no sound can be agreed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, thiserror::Error)]
pub enum Refused {
    /// Nothing but video, T.38 or profiles that we do not take is offered, or the peer refused our audio.
    #[error(
        "no audio line over a profile that is taken here: offer m=audio with RTP/AVP, or RTP/SAVP where srtp is not off"
    )]
    NoAudio,
    /// Plain sound where secrecy is required, or keys that are of no use.
    #[error(
        "the sound could be overheard: offer RTP/SAVP with a=crypto and a suite that is known here, a browser its fingerprint by          SHA-256, ICE and rtcp-mux; or set srtp to \"accept\" for this peer"
    )]
    NotSecure,
    /// No codec in common.
    #[error("no codec in common: offer PCMA, PCMU, G722 or opus")]
    NoCodec,
    /// No usable address: a host name, multicast, or none.
    #[error("no usable connection address: give a unicast IP address in c=")]
    NoAddress,
    /// An answer whose media lines do not match the offer's, or that came without an offer.
    #[error("the answer does not fit the offer: its media lines must match in number and order")]
    Mismatch,
}

impl Refused {
    /// 488 Not Acceptable Here (RFC 3261 §21.4.26).
    pub fn status(self) -> u16 {
        488
    }

    /// The code for a `Warning` header (RFC 3261 §20.43).
    pub fn warning(self) -> u16 {
        match self {
            Self::NoAudio | Self::NotSecure => 304,
            Self::NoCodec => 305,
            Self::NoAddress => 301,
            Self::Mismatch => 399,
        }
    }
}

/// The codec that an offer's sender likes best among those that we speak.
pub fn preferred_codec(offer: &Description) -> Option<AudioCodec> {
    let line = offer.media.iter().find(|line| is_audio(line))?;
    let known = |one: &PayloadType| AudioCodec::ALL.into_iter().find(|codec| codec.is(one));
    line.payload_types.iter().find_map(known)
}

/// The line is audio and in use.
pub(super) fn is_audio(line: &MediaLine) -> bool {
    line.kind == MediaKind::Audio && line.port != 0
}

/// The line of an offer that carries the voice: the first one that keeps it secret, else the first that we take. With it how it is
/// protected, and the tag of the `a=crypto` line that is taken.
pub(super) fn voice_of<'a>(
    offer: &'a Description,
    local: &LocalMedia,
) -> Result<(usize, &'a MediaLine, Secured, u32), Refused> {
    let mut refused = Refused::NoAudio;
    let mut plain = None;
    for (place, line) in offer.media.iter().enumerate().filter(|(_, line)| is_audio(line)) {
        match protection::of_offer(line, local) {
            Ok((Secured::Plain, tag)) if plain.is_none() => plain = Some((place, line, Secured::Plain, tag)),
            Ok((Secured::Plain, _)) => {}
            Ok((secured, tag)) => return Ok((place, line, secured, tag)),
            Err(Refused::NoAudio) => {}
            Err(why) => refused = why,
        }
    }
    plain.ok_or(refused)
}

/// The payload type of comfort noise (RFC 3551 §6).
pub(super) const NOISE: u8 = 13;

/// Not the number of a codec that we offer: a peer that gives digits such a number would spoil our later offers.
fn is_dynamic(number: u8) -> bool {
    !AudioCodec::ALL.iter().any(|codec| codec.payload_type() == number)
}

/// What the peer's line gives together with our side. Payload types are taken from the peer for both ways.
///
/// Who answers with several codecs sends the first one (RFC 3264 §6.1); of an offer we choose.
pub(super) fn negotiate(
    line: &MediaLine,
    local: &LocalMedia,
    secured: Secured,
    answered: bool,
) -> Result<Negotiated, Refused> {
    // A browser's address is proved by its checks, and what it writes here says nothing.
    let web = matches!(secured, Secured::Dtls { .. });
    let nowhere = web.then_some(IpAddr::V4(Ipv4Addr::UNSPECIFIED));
    let address = nowhere.or(line.address.filter(|address| !address.is_multicast())).ok_or(Refused::NoAddress)?;
    let common = |rare: bool| {
        line.payload_types.iter().find_map(|one| {
            let codec = local.codecs.iter().find(|codec| codec.is(one) && (rare || !codec.is_rare()))?;
            Some((*codec, one.number))
        })
    };
    // A rare one only where it comes first with us, or nothing else is in common.
    let first = local.codecs.first().filter(|first| first.is_rare());
    let wanted =
        first.and_then(|first| line.payload_types.iter().find(|one| first.is(one)).map(|one| (*first, one.number)));
    let chosen = if answered { common(true) } else { wanted.or_else(|| common(false)).or_else(|| common(true)) };
    let (codec, pt) = chosen.ok_or(Refused::NoCodec)?;
    // Digits by the codec's clock where they are offered so (RFC 4733 §2.5.1): a stream has one.
    let digits = |hz: u32| {
        line.payload_types
            .iter()
            .find(|one| local.dtmf && one.encoding == "TELEPHONE-EVENT" && one.clock_hz == hz && is_dynamic(one.number))
    };
    let digits = digits(codec.clock_hz()).or_else(|| digits(8_000));
    // Its clock is that of the codecs beside it (RFC 3551 §6).
    let noise = (!answered || local.noise)
        && codec.clock_hz() == 8_000
        && line.payload_types.iter().any(|one| one.number == NOISE && one.encoding == "CN");
    let wants_sound = line.direction.receives() && (web || !address.is_unspecified());
    let (rtcp_port, rtcp_address) = line.rtcp.unwrap_or((line.port.saturating_add(1), None));
    Ok(Negotiated {
        remote_rtp: SocketAddr::new(address, line.port),
        remote_rtcp: SocketAddr::new(rtcp_address.filter(|one| !one.is_multicast()).unwrap_or(address), rtcp_port),
        codec,
        pt_send: pt,
        pt_receive: pt,
        dtmf_send: digits.map(|one| one.number),
        dtmf_receive: digits.map(|one| one.number),
        dtmf_hz: digits.map_or(8_000, |one| one.clock_hz),
        noise,
        ptime_ms: line.ptime_ms.filter(|ms| (10..=60).contains(ms) && ms % 10 == 0).unwrap_or(20),
        direction: Direction::of(
            wants_sound && local.direction.sends(),
            line.direction.sends() && local.direction.receives(),
        ),
        hold: !wants_sound,
        secured,
    })
}
