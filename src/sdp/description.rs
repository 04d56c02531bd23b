//! What a voice leg needs of a session description (RFC 8866). sdp-types reads the lines; limits come first.

use std::net::IpAddr;

use sdp_types::{Attribute, Connection, Media, Session};

use super::protection::{self, CryptoLine, PeerWeb, Setup};

/// Longest description that is read, in bytes.
const MAX_BYTES: usize = 16 * 1024;
/// Most lines.
const MAX_LINES: usize = 512;
/// Most media lines.
const MAX_MEDIA: usize = 16;
/// Most formats that are read of one media line; further ones are ignored.
const MAX_FORMATS: usize = 64;
/// Most keys that are read of one media line.
const MAX_CRYPTO: usize = 16;

/// Why a body is no session description that we read (400, or 488 where the caller prefers).
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SdpError {
    /// Over the limits.
    #[error(
        "session description is too large: at most {MAX_BYTES} bytes, {MAX_LINES} lines and {MAX_MEDIA} media lines are read"
    )]
    TooLarge,
    /// A line that breaks the grammar.
    #[error("session description is malformed: {0}")]
    Malformed(String),
}

/// A session description, reduced to what a voice leg needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Description {
    /// The sender's session id (`o=`).
    pub origin_id: String,
    /// Rises when the sender changes its description (`o=`).
    pub origin_version: u64,
    /// The media lines in their order; an answer keeps it.
    pub media: Vec<MediaLine>,
    /// The names of the lines that shall share one transport (`a=group:BUNDLE`, RFC 9143).
    pub bundle: Vec<String>,
}

/// What a media line carries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MediaKind {
    /// Sound.
    Audio,
    /// Anything else, by its name: "video", "image" (T.38), "application" …
    Other(String),
}

impl MediaKind {
    /// The name on the media line.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Audio => "audio",
            Self::Other(name) => name,
        }
    }
}

/// Who sends, from the view of the description's sender (RFC 8866 §6.7).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Direction {
    /// Both sides send.
    #[default]
    SendRecv,
    /// Only the sender of the description sends.
    SendOnly,
    /// Only the receiver of the description sends.
    RecvOnly,
    /// Nobody sends.
    Inactive,
}

impl Direction {
    /// The attribute's name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::SendRecv => "sendrecv",
            Self::SendOnly => "sendonly",
            Self::RecvOnly => "recvonly",
            Self::Inactive => "inactive",
        }
    }

    /// Whether this side sends.
    pub fn sends(self) -> bool {
        matches!(self, Self::SendRecv | Self::SendOnly)
    }

    /// Whether this side receives.
    pub fn receives(self) -> bool {
        matches!(self, Self::SendRecv | Self::RecvOnly)
    }

    pub(super) fn of(sends: bool, receives: bool) -> Self {
        match (sends, receives) {
            (true, true) => Self::SendRecv,
            (true, false) => Self::SendOnly,
            (false, true) => Self::RecvOnly,
            (false, false) => Self::Inactive,
        }
    }

    fn named(name: &str) -> Option<Self> {
        [Self::SendRecv, Self::SendOnly, Self::RecvOnly, Self::Inactive].into_iter().find(|one| one.as_str() == name)
    }
}

/// One `m=` line with its attributes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MediaLine {
    /// What it carries.
    pub kind: MediaKind,
    /// The sender's RTP port; 0 means that the line is refused or unused.
    pub port: u16,
    /// The transport profile: "RTP/AVP" …
    pub profile: String,
    /// The formats as written; payload types for RTP.
    pub formats: Vec<String>,
    /// The payload types of `formats` that are numbers, in the sender's order of preference.
    pub payload_types: Vec<PayloadType>,
    /// Where the sender receives; `None` where it is a name or missing, which we do not resolve.
    pub address: Option<IpAddr>,
    /// Port, and address if it differs, where the sender receives RTCP (RFC 3605).
    pub rtcp: Option<(u16, Option<IpAddr>)>,
    /// Milliseconds of sound in a packet that the sender would like to receive.
    pub ptime_ms: Option<u16>,
    /// Who sends; taken from the session where the line says nothing.
    pub direction: Direction,
    /// The keys that the sender offers and we can use (RFC 4568), in its order.
    pub crypto: Vec<CryptoLine>,
    /// What a browser says of itself, where it is all there: fingerprint, ICE, and RTCP on the port of RTP.
    pub web: Option<PeerWeb>,
    /// The line's name (`a=mid`).
    pub mid: Option<String>,
}

/// A payload type and what it stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PayloadType {
    /// The number, 0–127.
    pub number: u8,
    /// The encoding's name in upper case: "PCMA", "TELEPHONE-EVENT" …
    pub encoding: String,
    /// RTP clock in Hz.
    pub clock_hz: u32,
    /// Channels of sound; 1 where the sender says nothing.
    pub channels: u8,
    /// The format's parameters, as written.
    pub fmtp: Option<String>,
}

impl Description {
    /// Whether it is a browser's: its sound comes by ICE and DTLS, as far as we can use them.
    pub fn is_web(&self) -> bool {
        self.media.iter().any(|line| line.kind == MediaKind::Audio && line.web.is_some())
    }

    /// Reads a body of type `application/sdp`. Names in place of addresses are kept as missing.
    pub fn parse(body: &[u8]) -> Result<Self, SdpError> {
        if body.len() > MAX_BYTES || body.split(|byte| matches!(byte, b'\n' | b'\r')).count() > 2 * MAX_LINES {
            return Err(SdpError::TooLarge);
        }
        if body.contains(&0) {
            return Err(SdpError::Malformed("a NUL byte".into()));
        }
        let session = Session::parse(body).map_err(|error| SdpError::Malformed(error.to_string()))?;
        if session.medias.len() > MAX_MEDIA {
            return Err(SdpError::TooLarge);
        }
        let fallback = Fallback {
            address: session.connection.as_ref().and_then(address),
            direction: direction(&session.attributes).unwrap_or_default(),
            attributes: &session.attributes,
        };
        let group = value(&session.attributes, "group").and_then(|group| group.trim().strip_prefix("BUNDLE"));
        Ok(Self {
            origin_id: session.origin.sess_id,
            origin_version: session.origin.sess_version,
            media: session.medias.iter().map(|media| line(media, &fallback)).collect(),
            bundle: group.unwrap_or_default().split_ascii_whitespace().map(str::to_owned).collect(),
        })
    }
}

/// What the session says for media lines that are silent.
struct Fallback<'a> {
    address: Option<IpAddr>,
    direction: Direction,
    attributes: &'a [Attribute],
}

fn line(media: &Media, fallback: &Fallback<'_>) -> MediaLine {
    let attributes = &media.attributes;
    let formats: Vec<String> = media.fmt.split_ascii_whitespace().take(MAX_FORMATS).map(str::to_owned).collect();
    let kind = match media.media.as_str() {
        "audio" => MediaKind::Audio,
        other => MediaKind::Other(other.to_owned()),
    };
    MediaLine {
        payload_types: formats.iter().filter_map(|format| payload_type(format, attributes)).collect(),
        kind,
        port: media.port,
        profile: media.proto.clone(),
        formats,
        // A line's own c= counts even where it is a name that we do not resolve.
        address: media.connections.first().map_or(fallback.address, address),
        rtcp: value(attributes, "rtcp").and_then(rtcp),
        ptime_ms: value(attributes, "ptime").and_then(|text| text.trim().parse().ok()),
        direction: direction(attributes).unwrap_or(fallback.direction),
        crypto: values(attributes, "crypto").filter_map(CryptoLine::parse).take(MAX_CRYPTO).collect(),
        web: web(attributes, fallback.attributes),
        mid: value(attributes, "mid").map(|mid| mid.trim().to_owned()).filter(|mid| is_token(mid)),
    }
}

/// What a browser says of itself, in the line or above all lines.
fn web(attributes: &[Attribute], session: &[Attribute]) -> Option<PeerWeb> {
    let said = |name| value(attributes, name).or_else(|| value(session, name)).map(str::trim);
    let prints = values(attributes, "fingerprint").chain(values(session, "fingerprint"));
    let fingerprint = prints.filter_map(protection::fingerprint).next()?;
    let setup = match said("setup").unwrap_or("actpass") {
        "active" => Setup::Active,
        "passive" => Setup::Passive,
        "actpass" => Setup::ActPass,
        _ => return None,
    };
    // Its password would prove checks of ours, and we make none.
    let ufrag = said("ice-ufrag").filter(|ufrag| (4..=256).contains(&ufrag.len()))?.to_owned();
    has(attributes, "rtcp-mux").then_some(PeerWeb { fingerprint, setup, ufrag })
}

/// What may stand in our answer as it is (RFC 8866 §9).
fn is_token(text: &str) -> bool {
    (1..=32).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.+~".contains(&byte))
}

/// The address of `c=`, without the TTL that only multicast has.
fn address(connection: &Connection) -> Option<IpAddr> {
    connection.connection_address.split('/').next()?.trim().parse().ok()
}

fn value<'a>(attributes: &'a [Attribute], name: &str) -> Option<&'a str> {
    attributes.iter().find(|one| one.attribute == name)?.value.as_deref()
}

fn values<'a>(attributes: &'a [Attribute], name: &'a str) -> impl Iterator<Item = &'a str> {
    attributes.iter().filter(move |one| one.attribute == name).filter_map(|one| one.value.as_deref())
}

fn has(attributes: &[Attribute], name: &str) -> bool {
    attributes.iter().any(|one| one.attribute == name)
}

fn direction(attributes: &[Attribute]) -> Option<Direction> {
    attributes.iter().find_map(|one| Direction::named(&one.attribute))
}

/// `a=rtcp:53020 IN IP4 126.16.64.4` (RFC 3605 §2.1).
fn rtcp(text: &str) -> Option<(u16, Option<IpAddr>)> {
    let mut words = text.split_ascii_whitespace();
    let port = words.next()?.parse().ok()?;
    Some((port, words.nth(2).and_then(|address| address.parse().ok())))
}

/// What a format stands for: its `a=rtpmap`, or else the static assignment of RFC 3551 §6.
fn payload_type(format: &str, attributes: &[Attribute]) -> Option<PayloadType> {
    let number: u8 = format.parse().ok().filter(|number| *number < 128)?;
    let named = |name: &str| {
        attributes.iter().filter(|one| one.attribute == name).find_map(|one| {
            let (own, rest) = one.value.as_deref()?.trim_start().split_once(' ')?;
            (own.parse() == Ok(number)).then(|| rest.trim().to_owned())
        })
    };
    let mapped = named("rtpmap").and_then(|map| {
        let mut parts = map.split('/');
        Some((
            parts.next()?.to_ascii_uppercase(),
            parts.next()?.trim().parse().ok()?,
            parts.next().map_or(Some(1), |text| text.trim().parse().ok())?,
        ))
    });
    let (encoding, clock_hz, channels) = mapped.or_else(|| {
        let name = match number {
            0 => "PCMU",
            8 => "PCMA",
            9 => "G722",
            13 => "CN",
            18 => "G729",
            _ => return None,
        };
        Some((name.to_owned(), 8000, 1))
    })?;
    Some(PayloadType { number, encoding, clock_hz, channels, fmtp: named("fmtp") })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const PHONE: &str = "v=0\r\no=- 42 7 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\na=sendonly\r\n\
        m=audio 4000 RTP/AVP 8 18 101 200 x 96\r\na=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-16\r\na=ptime:30\r\n\
        a=rtcp:4005 IN IP4 192.0.2.9\r\na=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:x\r\n\
        m=video 0 RTP/AVP 34\r\nc=IN IP4 phone.example\r\na=inactive\r\n";

    #[test]
    fn reads_what_a_voice_leg_needs() {
        let read = Description::parse(PHONE.as_bytes()).unwrap();
        assert_eq!((read.origin_id.as_str(), read.origin_version), ("42", 7));
        let [audio, video] = read.media.as_slice() else { panic!("{read:?}") };
        assert_eq!(audio.address, Some("192.0.2.1".parse().unwrap()));
        assert_eq!(audio.rtcp, Some((4005, Some("192.0.2.9".parse().unwrap()))));
        assert_eq!(
            (audio.ptime_ms, audio.direction, audio.crypto.len(), &audio.web),
            (Some(30), Direction::SendOnly, 0, &None)
        );
        let types: Vec<_> = audio.payload_types.iter().map(|one| (one.number, one.encoding.as_str())).collect();
        assert_eq!(types, [(8, "PCMA"), (18, "G729"), (101, "TELEPHONE-EVENT")]);
        assert_eq!(audio.payload_types[2].fmtp.as_deref(), Some("0-16"));
        assert_eq!((video.kind.as_str(), video.address, video.direction), ("video", None, Direction::Inactive));
    }

    #[test]
    fn limits_come_first() {
        let lines =
            |line: &str, count| format!("v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nt=0 0\r\n{}", line.repeat(count));
        let parse = |text: String| Description::parse(text.as_bytes());
        assert_eq!(parse(lines("a=x\r\n", 4000)), Err(SdpError::TooLarge));
        assert_eq!(parse(lines("m=audio 4000 RTP/AVP 0\r\n", 17)), Err(SdpError::TooLarge));
        assert!(parse(lines("m=audio 4000 RTP/AVP 0\r\n", 16)).is_ok());
        let many = format!("m=audio 4000 RTP/AVP{}\r\n", " 0".repeat(2000));
        assert_eq!(parse(lines(&many, 1)).unwrap().media[0].formats.len(), MAX_FORMATS);
        assert!(matches!(parse(lines("m=audio 70000 RTP/AVP 0\r\n", 1)), Err(SdpError::Malformed(_))));
        assert!(matches!(parse("v=0\r\ns=\0\r\n".into()), Err(SdpError::Malformed(_))));
    }

    proptest! {
        #[test]
        fn never_panics_on_bytes(body in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = Description::parse(&body);
        }

        #[test]
        fn never_panics_on_lines(lines in proptest::collection::vec("[vosiuepcbtrzkam]=?\\PC{0,24}", 0..12)) {
            let _ = Description::parse(format!("v=0\r\n{}", lines.join("\r\n")).as_bytes());
        }

        #[test]
        fn never_panics_on_damage(at in 0..PHONE.len(), byte in any::<u8>(), cut in 0..PHONE.len()) {
            let mut body = PHONE.as_bytes().to_vec();
            body[at] = byte;
            let _ = Description::parse(&body);
            body.truncate(cut);
            let _ = Description::parse(&body);
        }

        #[test]
        fn never_panics_on_typed_lines(
            tail in "(t=[-0-9]{0,22} ?[0-9]{0,3}\r\n|r=[-0-9dhms ]{0,30}\r\n|z=[-0-9dhms ]{0,30}\r\n|b=[A-Z]{0,3}:?[0-9]{0,21}\r\n\
                |m=audio [0-9]{0,6}/?[0-9]{0,6} RTP/AVP [0-9 ]{0,9}\r\n|a=[a-z]{0,6}:?[0-9/ ]{0,9}\r\n|c=IN IP4 [0-9./]{0,20}\r\n){0,8}"
        ) {
            let _ = Description::parse(format!("v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\n{tail}").as_bytes());
        }
    }
}
