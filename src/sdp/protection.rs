//! How a leg's sound is kept secret: keys in the description (SDES, RFC 4568), or a certificate's fingerprint and ICE (RFC 8842, 8839).

use std::fmt;
use std::net::IpAddr;

use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

use super::description::MediaLine;
use super::negotiated::{LocalMedia, Refused};

/// With padding as RFC 4568 §6.1 asks for it; some phones leave it out.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);
/// Bytes of the longest key with its salt.
const KEY_MOST: usize = 46;
/// What a candidate of the type "host" is worth, RTP's own (RFC 8445 §5.1.2).
const HOST_PRIORITY: u32 = 2_130_706_431;

/// Whether SRTP with keys in the description is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Srtp {
    /// Never.
    #[default]
    Off,
    /// Where the peer offers it.
    Accept,
    /// Offered beside plain RTP in one line, which the peer may leave plain.
    Offer,
    /// Nothing else.
    Require,
}

/// A suite of RFC 4568, 6188 or 7714.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum CryptoSuite {
    /// AEAD_AES_256_GCM.
    AeadAes256Gcm,
    /// AES_256_CM_HMAC_SHA1_80.
    AesCm256Sha1_80,
    /// AEAD_AES_128_GCM.
    AeadAes128Gcm,
    /// AES_CM_128_HMAC_SHA1_80.
    AesCm128Sha1_80,
}

impl CryptoSuite {
    /// All of them, the strongest first: the order of our offers.
    pub const ALL: [Self; 4] = [Self::AeadAes256Gcm, Self::AesCm256Sha1_80, Self::AeadAes128Gcm, Self::AesCm128Sha1_80];

    /// Its name in `a=crypto`.
    pub fn name(self) -> &'static str {
        match self {
            Self::AeadAes256Gcm => "AEAD_AES_256_GCM",
            Self::AesCm256Sha1_80 => "AES_256_CM_HMAC_SHA1_80",
            Self::AeadAes128Gcm => "AEAD_AES_128_GCM",
            Self::AesCm128Sha1_80 => "AES_CM_128_HMAC_SHA1_80",
        }
    }

    /// Bytes of its master key and salt.
    fn key_len(self) -> usize {
        match self {
            Self::AeadAes256Gcm => 44,
            Self::AesCm256Sha1_80 => 46,
            Self::AeadAes128Gcm => 28,
            Self::AesCm128Sha1_80 => 30,
        }
    }

    fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|suite| suite.name().eq_ignore_ascii_case(name))
    }
}

/// A master key with its salt. It is never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct CryptoKey(Vec<u8>);

impl CryptoKey {
    /// Key and salt in one.
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for CryptoKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CryptoKey(..)")
    }
}

/// An `a=crypto` line that we can use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CryptoLine {
    /// Names the line among those of one offer.
    pub tag: u32,
    /// The suite.
    pub suite: CryptoSuite,
    /// The key of what the line's sender sends.
    pub key: CryptoKey,
}

impl CryptoLine {
    /// Reads the attribute's value; `None` where the suite is unknown, where more than one key is given, or one with an index of
    /// its own (MKI), or where anything but the order of the window is asked for: such a line is passed over (RFC 4568 §7.1.2).
    pub(super) fn parse(value: &str) -> Option<Self> {
        let mut words = value.split_ascii_whitespace();
        let tag = words.next().filter(|tag| tag.len() <= 9)?.parse().ok()?;
        let suite = CryptoSuite::named(words.next()?)?;
        let mut parts = words.next()?.strip_prefix("inline:")?.split('|');
        let key = BASE64.decode(parts.next()?).ok().filter(|key| key.len() == suite.key_len())?;
        // The lifetime is longer than calls are; where both stand, it comes first.
        let plain = parts.all(|part| !part.contains(':') && !part.contains(';'));
        let usual = words.all(|word| word.starts_with("WSH=") || word.starts_with('-'));
        (plain && usual).then_some(Self { tag, suite, key: CryptoKey(key) })
    }
}

/// Our keys of one session: one for each suite, drawn at random. They are never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct OwnKeys([[u8; KEY_MOST]; 4]);

impl OwnKeys {
    /// From random bytes.
    pub fn drawn(mut fill: impl FnMut(&mut [u8])) -> Self {
        let mut keys = [[0; KEY_MOST]; 4];
        keys.iter_mut().for_each(|key| fill(key));
        Self(keys)
    }

    fn of(&self, suite: CryptoSuite) -> CryptoKey {
        let at = CryptoSuite::ALL.iter().position(|one| *one == suite).unwrap_or_default();
        CryptoKey(self.0[at][..suite.key_len()].to_vec())
    }
}

impl fmt::Debug for OwnKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OwnKeys(..)")
    }
}

/// What our side does about secrecy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Protection {
    /// Whether by keys in the description.
    pub srtp: Srtp,
    /// Our keys.
    pub keys: OwnKeys,
    /// What a browser is told, where the leg is one's.
    pub web: Option<OwnWeb>,
}

/// Plain RTP, as ever.
impl Default for Protection {
    fn default() -> Self {
        Self { srtp: Srtp::Off, keys: OwnKeys([[0; KEY_MOST]; 4]), web: None }
    }
}

/// Our side towards a browser.
#[derive(Clone, PartialEq, Eq)]
pub struct OwnWeb {
    /// SHA-256 of our certificate.
    pub fingerprint: [u8; 32],
    /// Names the session in the browser's checks, 4 characters at least.
    pub ufrag: String,
    /// Proves them, 22 characters at least.
    pub password: String,
}

impl fmt::Debug for OwnWeb {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OwnWeb").field("ufrag", &self.ufrag).finish_non_exhaustive()
    }
}

/// Who begins the handshake of DTLS (RFC 4145, 8842).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Setup {
    /// The sender of the description does.
    Active,
    /// Its receiver does.
    Passive,
    /// The receiver says who.
    ActPass,
}

/// What a browser says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeerWeb {
    /// SHA-256 of its certificate.
    pub fingerprint: [u8; 32],
    /// Who begins.
    pub setup: Setup,
    /// Names it in its checks; another one begins them anew.
    pub ufrag: String,
}

/// Reads `sha-256 AA:BB:…`; `None` for another hash.
pub(super) fn fingerprint(value: &str) -> Option<[u8; 32]> {
    let (hash, digits) = value.trim().split_once(' ')?;
    let mut bytes = [0; 32];
    let mut octets = digits.trim().split(':');
    for byte in &mut bytes {
        *byte = octets.next().filter(|octet| octet.len() == 2).and_then(|octet| u8::from_str_radix(octet, 16).ok())?;
    }
    (hash.eq_ignore_ascii_case("sha-256") && octets.next().is_none()).then_some(bytes)
}

/// How the sound of a session is kept secret, as both sides agreed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Secured {
    /// Not at all.
    Plain,
    /// By the keys that both sides have told each other.
    Sdes {
        /// The suite of both ways.
        suite: CryptoSuite,
        /// The key of what we send.
        ours: CryptoKey,
        /// The key of what comes.
        theirs: CryptoKey,
    },
    /// By DTLS, which draws the keys.
    Dtls {
        /// What is known of the browser.
        peer: PeerWeb,
        /// Whether we begin the handshake.
        active: bool,
    },
}

/// What an offered line gives, with the tag of the `a=crypto` line that is taken.
pub(super) fn of_offer(line: &MediaLine, local: &LocalMedia) -> Result<(Secured, u32), Refused> {
    let ours = &local.protection;
    match profile(line) {
        Some(Profile::Web) => {
            let (Some(_), Some(peer)) = (&ours.web, &line.web) else { return Err(Refused::NotSecure) };
            Ok((Secured::Dtls { peer: peer.clone(), active: peer.setup == Setup::Passive }, 0))
        }
        Some(Profile::Plain | Profile::Sdes) if ours.srtp != Srtp::Off && !line.crypto.is_empty() => {
            let CryptoLine { tag, suite, key } = &line.crypto[0];
            Ok((Secured::Sdes { suite: *suite, ours: ours.keys.of(*suite), theirs: key.clone() }, *tag))
        }
        Some(Profile::Plain) if ours.srtp != Srtp::Require => Ok((Secured::Plain, 0)),
        Some(Profile::Sdes) if ours.srtp == Srtp::Off => Err(Refused::NoAudio),
        Some(Profile::Plain | Profile::Sdes) => Err(Refused::NotSecure),
        None => Err(Refused::NoAudio),
    }
}

/// What the answered line gives; `offered` says whether our offer had keys.
pub(super) fn of_answer(line: &MediaLine, local: &LocalMedia, offered: bool) -> Result<Secured, Refused> {
    let ours = &local.protection;
    match profile(line) {
        Some(Profile::Web) => {
            let (Some(_), Some(peer)) = (&ours.web, &line.web) else { return Err(Refused::NotSecure) };
            Ok(Secured::Dtls { peer: peer.clone(), active: peer.setup == Setup::Passive })
        }
        Some(Profile::Plain | Profile::Sdes) if offered && !line.crypto.is_empty() => {
            let taken = &line.crypto[0];
            // Our tags are the places of our suites, from 1 on.
            let place = (taken.tag as usize).checked_sub(1).and_then(|place| CryptoSuite::ALL.get(place));
            if place != Some(&taken.suite) {
                return Err(Refused::Mismatch);
            }
            Ok(Secured::Sdes { suite: taken.suite, ours: ours.keys.of(taken.suite), theirs: taken.key.clone() })
        }
        Some(Profile::Plain) if ours.srtp != Srtp::Require => Ok(Secured::Plain),
        Some(Profile::Plain | Profile::Sdes) => Err(Refused::NotSecure),
        None => Err(Refused::NoAudio),
    }
}

/// The transport profiles that carry a voice here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Profile {
    Plain,
    Sdes,
    Web,
}

pub(super) fn profile(line: &MediaLine) -> Option<Profile> {
    match line.profile.as_str() {
        "RTP/AVP" | "RTP/AVPF" => Some(Profile::Plain),
        // Some browsers of old wrote this one for DTLS.
        "RTP/SAVP" | "RTP/SAVPF" if line.crypto.is_empty() && line.web.is_some() => Some(Profile::Web),
        "RTP/SAVP" | "RTP/SAVPF" => Some(Profile::Sdes),
        "UDP/TLS/RTP/SAVPF" | "UDP/TLS/RTP/SAVP" => Some(Profile::Web),
        _ => None,
    }
}

/// The `a=crypto` lines of our offer: every suite with its key.
pub(super) fn offer_lines(keys: &OwnKeys) -> String {
    (1..).zip(CryptoSuite::ALL).map(|(tag, suite)| crypto_line(tag, suite, &keys.of(suite))).collect()
}

/// One `a=crypto` line.
pub(super) fn crypto_line(tag: u32, suite: CryptoSuite, key: &CryptoKey) -> String {
    format!("a=crypto:{tag} {} inline:{}\r\n", suite.name(), BASE64.encode(key.bytes()))
}

/// What a browser needs to know in a media line.
pub(super) fn web_lines(web: &OwnWeb, setup: &str, addr: IpAddr, port: u16) -> String {
    let digits: Vec<String> = web.fingerprint.iter().map(|byte| format!("{byte:02X}")).collect();
    format!(
        "a=rtcp-mux\r\na=setup:{setup}\r\na=fingerprint:sha-256 {}\r\na=ice-ufrag:{}\r\na=ice-pwd:{}\r\n\
         a=candidate:1 1 udp {HOST_PRIORITY} {addr} {port} typ host\r\na=end-of-candidates\r\n",
        digits.join(":"),
        web.ufrag,
        web.password
    )
}

#[cfg(test)]
#[path = "protection_tests.rs"]
mod tests;
