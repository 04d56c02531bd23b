//! What one exchange of offer and answer settles, and what goes into it.

use std::net::{IpAddr, SocketAddr};

use super::description::{Description, Direction, MediaKind, MediaLine, PayloadType};

/// A codec that a voice leg speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum AudioCodec {
    /// G.711 µ-law.
    Pcmu,
    /// G.711 A-law.
    Pcma,
}

/// A name in any case, as in `a=rtpmap`.
impl std::str::FromStr for AudioCodec {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        [Self::Pcmu, Self::Pcma].into_iter().find(|codec| codec.encoding().eq_ignore_ascii_case(text)).ok_or(())
    }
}

impl AudioCodec {
    /// The encoding's name in `a=rtpmap`.
    pub fn encoding(self) -> &'static str {
        match self {
            Self::Pcmu => "PCMU",
            Self::Pcma => "PCMA",
        }
    }

    /// The static payload type (RFC 3551 §6).
    pub fn payload_type(self) -> u8 {
        match self {
            Self::Pcmu => 0,
            Self::Pcma => 8,
        }
    }

    fn is(self, payload_type: &PayloadType) -> bool {
        payload_type.encoding == self.encoding() && payload_type.clock_hz == 8000 && payload_type.channels == 1
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
    /// What we want from our view: `SendOnly` puts the peer on hold, `Inactive` without music.
    pub direction: Direction,
    /// Milliseconds of sound in a packet that we would like to receive.
    pub ptime_ms: u16,
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
    /// Milliseconds of sound in a packet that we send: 10 to 60.
    pub ptime_ms: u16,
    /// Who sends, from our view.
    pub direction: Direction,
    /// The peer has put us on hold: it asks for no sound, by `sendonly`, `inactive` or the address 0.0.0.0.
    pub hold: bool,
}

/// Why no sound can be agreed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, thiserror::Error)]
pub enum Refused {
    /// Nothing but video, T.38 or encrypted profiles is offered, or the peer refused our audio.
    #[error("no audio line over plain RTP: offer m=audio with RTP/AVP")]
    NoAudio,
    /// No codec in common.
    #[error("no codec in common: offer PCMU or PCMA")]
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
            Self::NoAudio => 304,
            Self::NoCodec => 305,
            Self::NoAddress => 301,
            Self::Mismatch => 399,
        }
    }
}

/// The codec that an offer's sender likes best among those that we speak.
pub fn preferred_codec(offer: &Description) -> Option<AudioCodec> {
    let line = offer.media.iter().find(|line| is_voice(line))?;
    let known = |one: &PayloadType| [AudioCodec::Pcma, AudioCodec::Pcmu].into_iter().find(|codec| codec.is(one));
    line.payload_types.iter().find_map(known)
}

/// The line is audio over plain RTP and in use.
pub(super) fn is_voice(line: &MediaLine) -> bool {
    line.kind == MediaKind::Audio && line.port != 0 && matches!(line.profile.as_str(), "RTP/AVP" | "RTP/AVPF")
}

/// Not the number of a codec that we offer: a peer that gives digits such a number would spoil our later offers.
fn is_dynamic(number: u8) -> bool {
    ![AudioCodec::Pcmu, AudioCodec::Pcma].iter().any(|codec| codec.payload_type() == number)
}

/// What the peer's line gives together with our side. Payload types are taken from the peer for both ways.
pub(super) fn negotiate(line: &MediaLine, local: &LocalMedia) -> Result<Negotiated, Refused> {
    let address = line.address.filter(|address| !address.is_multicast()).ok_or(Refused::NoAddress)?;
    let (codec, pt) = line
        .payload_types
        .iter()
        .find_map(|one| Some((*local.codecs.iter().find(|codec| codec.is(one))?, one.number)))
        .ok_or(Refused::NoCodec)?;
    let dtmf = line
        .payload_types
        .iter()
        .find(|one| local.dtmf && one.encoding == "TELEPHONE-EVENT" && one.clock_hz == 8000 && is_dynamic(one.number))
        .map(|one| one.number);
    let wants_sound = line.direction.receives() && !address.is_unspecified();
    let (rtcp_port, rtcp_address) = line.rtcp.unwrap_or((line.port.saturating_add(1), None));
    Ok(Negotiated {
        remote_rtp: SocketAddr::new(address, line.port),
        remote_rtcp: SocketAddr::new(rtcp_address.filter(|one| !one.is_multicast()).unwrap_or(address), rtcp_port),
        codec,
        pt_send: pt,
        pt_receive: pt,
        dtmf_send: dtmf,
        dtmf_receive: dtmf,
        ptime_ms: line.ptime_ms.filter(|ms| (10..=60).contains(ms) && ms % 10 == 0).unwrap_or(20),
        direction: Direction::of(
            wants_sound && local.direction.sends(),
            line.direction.sends() && local.direction.receives(),
        ),
        hold: !wants_sound,
    })
}
