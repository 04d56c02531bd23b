//! ICE as a side does it that only answers (lite, RFC 8445 §2.5): checks are read, proved and answered (STUN, RFC 8489). What else
//! comes on the port is told apart by its first byte (RFC 7983).

use std::net::{IpAddr, SocketAddr};

use hmac::{Hmac, Mac};
use sha1::Sha1;

const BINDING_REQUEST: u16 = 0x0001;
const BINDING_SUCCESS: u16 = 0x0101;
const BINDING_ERROR: u16 = 0x0111;
const COOKIE: u32 = 0x2112_A442;
const USERNAME: u16 = 0x0006;
const MESSAGE_INTEGRITY: u16 = 0x0008;
const ERROR_CODE: u16 = 0x0009;
const XOR_MAPPED_ADDRESS: u16 = 0x0020;
const PRIORITY: u16 = 0x0024;
const USE_CANDIDATE: u16 = 0x0025;
const FINGERPRINT: u16 = 0x8028;
const ICE_CONTROLLED: u16 = 0x8029;
/// What the CRC is masked with ("STUN").
const FINGERPRINT_MASK: u32 = 0x5354_554E;
/// Type, length, cookie and transaction.
const HEADER: usize = 20;
/// An attribute's type and length.
const ATTRIBUTE: usize = 4;
/// Bytes of MESSAGE-INTEGRITY's value.
const PROOF: usize = 20;
/// Longest user name, bytes (RFC 8489 §14.3).
const NAME_MOST: usize = 508;
/// Room for every answer of ours.
pub const ANSWER_MOST: usize = 128;

/// What a datagram on a browser's port is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A check or what else STUN has.
    Stun,
    /// DTLS.
    Dtls,
    /// SRTP.
    Rtp,
    /// SRTCP, on the same port (RFC 5761 §4).
    Rtcp,
}

/// Tells datagrams apart; `None` is nothing that we speak.
pub fn kind(datagram: &[u8]) -> Option<Kind> {
    match (datagram.first()?, datagram.get(1)?) {
        (0..=3, _) => Some(Kind::Stun),
        (20..=63, _) => Some(Kind::Dtls),
        (128..=191, 192..=223) => Some(Kind::Rtcp),
        (128..=191, _) => Some(Kind::Rtp),
        _ => None,
    }
}

/// A binding request that is sound in form. It proves nothing until [`Check::proves`] says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Check<'a> {
    /// Our part of the user name: whom it is for.
    pub ufrag: &'a str,
    /// Whether the pair that it came by is to be used.
    pub nominates: bool,
    /// Whether its sender takes the role that is always ours (RFC 8445 §6.1.1).
    pub claims_our_role: bool,
    /// Cookie and transaction, which the answer repeats.
    transaction: &'a [u8; 16],
    /// What is before MESSAGE-INTEGRITY.
    signed: &'a [u8],
    proof: &'a [u8],
}

impl<'a> Check<'a> {
    /// Reads a binding request with user name, MESSAGE-INTEGRITY and FINGERPRINT; `None` for everything else.
    pub fn read(datagram: &'a [u8]) -> Option<Self> {
        let (kind, length, cookie) = (short(datagram, 0)?, usize::from(short(datagram, 2)?), long(datagram, 4)?);
        if kind != BINDING_REQUEST || cookie != COOKIE || datagram.len() != HEADER + length || length % 4 != 0 {
            return None;
        }
        let (mut ufrag, mut nominates, mut claims_our_role) = (None, false, false);
        let (mut signed, mut proof) = (None, None);
        let mut at = HEADER;
        loop {
            let (name, length) = (short(datagram, at)?, usize::from(short(datagram, at + 2)?));
            let value = datagram.get(at + ATTRIBUTE..at + ATTRIBUTE + length)?;
            match name {
                // What follows the proof is not proved.
                FINGERPRINT if proof.is_some() => {
                    let sound = length == 4 && at + ATTRIBUTE + length == datagram.len();
                    let crc = crc32fast::hash(datagram.get(..at)?) ^ FINGERPRINT_MASK;
                    if !sound || long(value, 0) != Some(crc) {
                        return None;
                    }
                    let (transaction, ufrag) = (datagram.get(4..HEADER)?.first_chunk()?, ufrag?);
                    return Some(Self {
                        ufrag,
                        nominates,
                        claims_our_role,
                        transaction,
                        signed: signed?,
                        proof: proof?,
                    });
                }
                _ if proof.is_some() => {}
                USERNAME if length <= NAME_MOST => ufrag = std::str::from_utf8(value).ok()?.split(':').next(),
                MESSAGE_INTEGRITY if length == PROOF => {
                    signed = datagram.get(..at);
                    proof = Some(value);
                }
                PRIORITY => {}
                USE_CANDIDATE => nominates = true,
                ICE_CONTROLLED => claims_our_role = true,
                // What has to be understood and is not (RFC 8489 §6.3.1).
                0..=0x7fff => return None,
                _ => {}
            }
            at += ATTRIBUTE + length.next_multiple_of(4);
        }
    }

    /// Whether its sender has the password.
    pub fn proves(&self, password: &str) -> bool {
        let Some(mut mac) = integrity(password, self.signed) else { return false };
        mac.update(self.signed.get(4..).unwrap_or_default());
        mac.verify_slice(self.proof).is_ok()
    }

    /// Writes the answer to a check that came from `from`, proved by the same password: success, or 487 where it claims our role.
    /// Gives its length.
    pub fn answer(&self, from: SocketAddr, password: &str, out: &mut [u8; ANSWER_MOST]) -> usize {
        let mut answer = Answer { out, len: HEADER };
        let kind = if self.claims_our_role { BINDING_ERROR } else { BINDING_SUCCESS };
        answer.out[..2].copy_from_slice(&kind.to_be_bytes());
        answer.out[4..HEADER].copy_from_slice(self.transaction);
        if self.claims_our_role {
            answer.put(ERROR_CODE, b"\0\0\x04\x57Role Conflict\0\0\0", 17);
        } else {
            let (value, length) = self.seen_at(from);
            answer.put(XOR_MAPPED_ADDRESS, &value[..length], length);
        }
        answer.sign(password);
        answer.len
    }

    /// The address that a check came from, as the answer says it (RFC 8489 §14.2).
    fn seen_at(&self, from: SocketAddr) -> ([u8; 20], usize) {
        let mut value = [0; 20];
        let port = from.port() ^ (COOKIE >> 16) as u16;
        value[2..4].copy_from_slice(&port.to_be_bytes());
        let mut mask = |octets: &[u8]| {
            let place = value[4..].iter_mut().zip(octets).zip(self.transaction);
            place.for_each(|((byte, octet), mask)| *byte = octet ^ mask);
            4 + octets.len()
        };
        let length = match from.ip().to_canonical() {
            IpAddr::V4(ip) => mask(&ip.octets()),
            IpAddr::V6(ip) => mask(&ip.octets()),
        };
        value[1] = if length == 8 { 1 } else { 2 };
        (value, length)
    }
}

struct Answer<'a> {
    out: &'a mut [u8; ANSWER_MOST],
    len: usize,
}

impl Answer<'_> {
    /// Adds an attribute whose padded value is `value` and that counts `length` bytes of it.
    fn put(&mut self, name: u16, value: &[u8], length: usize) {
        let at = self.len;
        self.len = at + ATTRIBUTE + value.len();
        self.out[at..at + 2].copy_from_slice(&name.to_be_bytes());
        self.out[at + 2..at + 4].copy_from_slice(&(length as u16).to_be_bytes());
        self.out[at + 4..self.len].copy_from_slice(value);
        let total = (self.len - HEADER) as u16;
        self.out[2..4].copy_from_slice(&total.to_be_bytes());
    }

    fn sign(&mut self, password: &str) {
        let signed = &self.out[..self.len];
        let proof = integrity(password, signed).map(|mut mac| {
            mac.update(&signed[4..]);
            <[u8; PROOF]>::from(mac.finalize().into_bytes())
        });
        // HMAC takes keys of every length, so there is one.
        self.put(MESSAGE_INTEGRITY, &proof.unwrap_or_default(), PROOF);
        let with_it = (self.len - HEADER + ATTRIBUTE + 4) as u16;
        self.out[2..4].copy_from_slice(&with_it.to_be_bytes());
        let crc = crc32fast::hash(&self.out[..self.len]) ^ FINGERPRINT_MASK;
        self.put(FINGERPRINT, &crc.to_be_bytes(), 4);
    }
}

/// The proof of a message up to its MESSAGE-INTEGRITY, begun: its first four bytes, as if it ended with that attribute.
fn integrity(password: &str, signed: &[u8]) -> Option<Hmac<Sha1>> {
    let mut mac = <Hmac<Sha1> as hmac::KeyInit>::new_from_slice(password.as_bytes()).ok()?;
    mac.update(signed.get(..2)?);
    mac.update(&((signed.len() - HEADER + ATTRIBUTE + PROOF) as u16).to_be_bytes());
    Some(mac)
}

fn short(bytes: &[u8], at: usize) -> Option<u16> {
    bytes.get(at..)?.first_chunk().map(|pair| u16::from_be_bytes(*pair))
}

fn long(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..)?.first_chunk().map(|four| u32::from_be_bytes(*four))
}

#[cfg(test)]
#[path = "ice_tests.rs"]
pub(crate) mod tests;
