//! Session keys and what they do to one packet. Counter mode with HMAC-SHA1 by RustCrypto, GCM by ring.

use aes::cipher::{InnerIvInit, KeyInit, StreamCipher};
use aes::{Aes128Enc, Aes256Enc};
use ctr::{Ctr128BE, CtrCore};
use hmac::{Hmac, Mac};
use ring::aead::{AES_128_GCM, AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use sha1::Sha1;

use super::key::{MasterKey, Suite};
use super::{RTCP_CLEAR, Refusal};

/// Bytes of the tag of HMAC-SHA1 that are sent.
const MAC_TAG: usize = 10;
/// Bytes of the tag of GCM.
const GCM_TAG: usize = 16;
/// Bytes of SRTCP's index with its flag.
const INDEX: usize = 4;

/// What one master key gives.
pub(super) struct Session {
    pub(super) rtp: Transform,
    pub(super) rtcp: Transform,
}

impl Session {
    pub(super) fn new(key: &MasterKey) -> Self {
        Self { rtp: Transform::new(key, 0), rtcp: Transform::new(key, 3) }
    }
}

/// The session keys of RTP, or of RTCP.
pub(super) enum Transform {
    Counter { cipher: Aes, salt: [u8; 14], mac: Hmac<Sha1> },
    Gcm { key: LessSafeKey, salt: [u8; 12] },
}

impl Transform {
    /// From the labels `first` on: encryption, authentication, salt (RFC 3711 §4.3.2).
    fn new(master: &MasterKey, first: u8) -> Self {
        let suite = master.suite();
        let mut key = [0; 32];
        let key = &mut key[..suite.key_len()];
        derive(master, first, key);
        let mut salt = [0; 14];
        derive(master, first + 2, &mut salt[..suite.salt_len()]);
        match suite {
            Suite::AesCm128Sha1_80 | Suite::AesCm256Sha1_80 => {
                let mut auth = [0; 20];
                derive(master, first + 1, &mut auth);
                Self::Counter { cipher: Aes::new(key), salt, mac: keyed(&auth) }
            }
            Suite::AeadAes128Gcm | Suite::AeadAes256Gcm => {
                let mut short = [0; 12];
                short.copy_from_slice(&salt[..12]);
                Self::gcm(key, short)
            }
        }
    }

    /// Of 16 or 32 bytes of key.
    pub(super) fn gcm(key: &[u8], salt: [u8; 12]) -> Self {
        let algorithm = if key.len() == 16 { &AES_128_GCM } else { &AES_256_GCM };
        let key = UnboundKey::new(algorithm, key).expect("the key has the suite's length");
        Self::Gcm { key: LessSafeKey::new(key), salt }
    }

    /// Protects `buf[..len]` but for its first `clear` bytes; gives the new length, or `None` where `buf` is too short.
    pub(super) fn seal_rtp(&self, buf: &mut [u8], clear: usize, len: usize, ssrc: u32, index: u64) -> Option<usize> {
        match self {
            Self::Counter { cipher, salt, mac } => {
                let total = len.checked_add(MAC_TAG).filter(|total| *total <= buf.len())?;
                cipher.apply(&counter(salt, ssrc, index), buf.get_mut(clear..len)?);
                let tag = tag(mac, &[buf.get(..len)?, &rollovers(index)]);
                buf.get_mut(len..total)?.copy_from_slice(&tag);
                Some(total)
            }
            Self::Gcm { key, salt } => {
                let total = len.checked_add(GCM_TAG).filter(|total| *total <= buf.len())?;
                let (head, rest) = buf.split_at_mut_checked(clear)?;
                let nonce = Nonce::assume_unique_for_key(nonce(salt, ssrc, index));
                let (text, rest) = rest.split_at_mut_checked(len.checked_sub(clear)?)?;
                let tag = key.seal_in_place_separate_tag(nonce, Aad::from(&*head), text).ok()?;
                rest.get_mut(..GCM_TAG)?.copy_from_slice(tag.as_ref());
                Some(total)
            }
        }
    }

    /// Opens a packet but for its first `clear` bytes; gives the length without its tag.
    pub(super) fn open_rtp(&self, packet: &mut [u8], clear: usize, ssrc: u32, index: u64) -> Result<usize, Refusal> {
        match self {
            Self::Counter { cipher, salt, mac } => {
                let len = packet.len().checked_sub(MAC_TAG).filter(|len| *len >= clear).ok_or(Refusal::Malformed)?;
                let (text, tag) = packet.split_at_mut(len);
                check(mac, &[text, &rollovers(index)], tag)?;
                cipher.apply(&counter(salt, ssrc, index), text.get_mut(clear..).unwrap_or_default());
                Ok(len)
            }
            Self::Gcm { key, salt } => {
                let len = packet.len().checked_sub(GCM_TAG).filter(|len| *len >= clear).ok_or(Refusal::Malformed)?;
                let (head, text) = packet.split_at_mut(clear);
                let nonce = Nonce::assume_unique_for_key(nonce(salt, ssrc, index));
                key.open_in_place(nonce, Aad::from(&*head), text).map_err(|_| Refusal::Forged)?;
                Ok(len)
            }
        }
    }

    /// Protects a compound RTCP packet; `trailer` is its index with the flag of encryption.
    pub(super) fn seal_rtcp(&self, buf: &mut [u8], len: usize, ssrc: u32, trailer: u32) -> Option<usize> {
        let index = u64::from(trailer & 0x7fff_ffff);
        match self {
            Self::Counter { cipher, salt, mac } => {
                let total = len.checked_add(INDEX + MAC_TAG).filter(|total| *total <= buf.len())?;
                cipher.apply(&counter(salt, ssrc, index), buf.get_mut(RTCP_CLEAR..len)?);
                buf.get_mut(len..len + INDEX)?.copy_from_slice(&trailer.to_be_bytes());
                let tag = tag(mac, &[buf.get(..len + INDEX)?]);
                buf.get_mut(len + INDEX..total)?.copy_from_slice(&tag);
                Some(total)
            }
            Self::Gcm { key, salt } => {
                let total = len.checked_add(GCM_TAG + INDEX).filter(|total| *total <= buf.len())?;
                let (head, rest) = buf.split_at_mut_checked(RTCP_CLEAR)?;
                let (text, rest) = rest.split_at_mut_checked(len.checked_sub(RTCP_CLEAR)?)?;
                let aad = rtcp_aad(head, trailer)?;
                let nonce = Nonce::assume_unique_for_key(nonce(salt, ssrc, index));
                let tag = key.seal_in_place_separate_tag(nonce, Aad::from(&aad), text).ok()?;
                rest.get_mut(..GCM_TAG)?.copy_from_slice(tag.as_ref());
                rest.get_mut(GCM_TAG..GCM_TAG + INDEX)?.copy_from_slice(&trailer.to_be_bytes());
                Some(total)
            }
        }
    }

    /// The index of an SRTCP packet with its flag; it proves nothing yet. `None` where the packet is too short.
    pub(super) fn rtcp_trailer(&self, packet: &[u8]) -> Option<u32> {
        let tail = match self {
            Self::Counter { .. } => INDEX + MAC_TAG,
            Self::Gcm { .. } if packet.len() < RTCP_CLEAR + GCM_TAG + INDEX => return None,
            Self::Gcm { .. } => INDEX,
        };
        let at = packet.len().checked_sub(tail).filter(|at| *at >= RTCP_CLEAR)?;
        packet.get(at..)?.first_chunk().map(|bytes| u32::from_be_bytes(*bytes))
    }

    /// Opens an SRTCP packet whose trailer was read by [`Self::rtcp_trailer`]; gives the length of the RTCP.
    pub(super) fn open_rtcp(&self, packet: &mut [u8], ssrc: u32, trailer: u32) -> Result<usize, Refusal> {
        let index = u64::from(trailer & 0x7fff_ffff);
        match self {
            Self::Counter { cipher, salt, mac } => {
                let signed = packet.len().checked_sub(MAC_TAG).ok_or(Refusal::Malformed)?;
                let len = signed.checked_sub(INDEX).filter(|len| *len >= RTCP_CLEAR).ok_or(Refusal::Malformed)?;
                let (text, tag) = packet.split_at_mut(signed);
                check(mac, &[text], tag)?;
                cipher.apply(&counter(salt, ssrc, index), text.get_mut(RTCP_CLEAR..len).unwrap_or_default());
                Ok(len)
            }
            Self::Gcm { key, salt } => {
                let end = packet.len().checked_sub(INDEX).ok_or(Refusal::Malformed)?;
                let (head, text) = packet[..end].split_at_mut_checked(RTCP_CLEAR).ok_or(Refusal::Malformed)?;
                let aad = rtcp_aad(head, trailer).ok_or(Refusal::Malformed)?;
                let nonce = Nonce::assume_unique_for_key(nonce(salt, ssrc, index));
                let text = key.open_in_place(nonce, Aad::from(&aad), text).map_err(|_| Refusal::Forged)?;
                Ok(RTCP_CLEAR + text.len())
            }
        }
    }
}

/// AES with its keys expanded, for encryption only: counter mode needs no other way.
pub(super) enum Aes {
    Short(Aes128Enc),
    Long(Aes256Enc),
}

impl Aes {
    /// Of 32 bytes, or 16.
    pub(super) fn new(key: &[u8]) -> Self {
        let fits = "the key has the suite's length";
        if key.len() == 32 {
            return Self::Long(Aes256Enc::new_from_slice(key).expect(fits));
        }
        Self::Short(Aes128Enc::new_from_slice(key).expect(fits))
    }

    /// Covers or uncovers `text` with the key stream that begins at `counter`.
    pub(super) fn apply(&self, counter: &[u8; 16], text: &mut [u8]) {
        let counter = counter.into();
        match self {
            Self::Short(aes) => Ctr128BE::from_core(CtrCore::inner_iv_init(aes, counter)).apply_keystream(text),
            Self::Long(aes) => Ctr128BE::from_core(CtrCore::inner_iv_init(aes, counter)).apply_keystream(text),
        }
    }
}

/// Fills `out` with the session key of a label, at a key derivation rate of zero (RFC 3711 §4.3.3).
pub(super) fn derive(master: &MasterKey, label: u8, out: &mut [u8]) {
    let mut counter = [0; 16];
    // A shorter salt is filled up with zeros at its end (RFC 7714 §11).
    counter[..master.salt().len()].copy_from_slice(master.salt());
    counter[7] ^= label;
    Aes::new(master.key()).apply(&counter, out);
}

/// Where the key stream of a packet begins (RFC 3711 §4.1.1).
pub(super) fn counter(salt: &[u8; 14], ssrc: u32, index: u64) -> [u8; 16] {
    let (mut counter, index) = ([0; 16], index.to_be_bytes());
    counter[4..8].copy_from_slice(&ssrc.to_be_bytes());
    counter[8..14].copy_from_slice(&index[2..]);
    counter.iter_mut().zip(salt).for_each(|(byte, salt)| *byte ^= salt);
    counter
}

/// The nonce of a packet under GCM (RFC 7714 §8.1, §9.1).
fn nonce(salt: &[u8; 12], ssrc: u32, index: u64) -> [u8; 12] {
    let (mut nonce, index) = ([0; 12], index.to_be_bytes());
    nonce[2..6].copy_from_slice(&ssrc.to_be_bytes());
    nonce[6..].copy_from_slice(&index[2..]);
    nonce.iter_mut().zip(salt).for_each(|(byte, salt)| *byte ^= salt);
    nonce
}

/// What GCM proves beside the encrypted part of an SRTCP packet (RFC 7714 §9.2).
fn rtcp_aad(head: &[u8], trailer: u32) -> Option<[u8; RTCP_CLEAR + INDEX]> {
    let mut aad = [0; RTCP_CLEAR + INDEX];
    aad.get_mut(..RTCP_CLEAR)?.copy_from_slice(head.first_chunk::<RTCP_CLEAR>()?);
    aad.get_mut(RTCP_CLEAR..)?.copy_from_slice(&trailer.to_be_bytes());
    Some(aad)
}

/// The rollovers of an index: authenticated, and not sent.
fn rollovers(index: u64) -> [u8; 4] {
    ((index >> 16) as u32).to_be_bytes()
}

fn tag(mac: &Hmac<Sha1>, parts: &[&[u8]]) -> [u8; MAC_TAG] {
    let mut mac = mac.clone();
    parts.iter().for_each(|part| mac.update(part));
    let mut tag = [0; MAC_TAG];
    tag.copy_from_slice(&mac.finalize().into_bytes()[..MAC_TAG]);
    tag
}

fn check(mac: &Hmac<Sha1>, parts: &[&[u8]], tag: &[u8]) -> Result<(), Refusal> {
    let mut mac = mac.clone();
    parts.iter().for_each(|part| mac.update(part));
    mac.verify_truncated_left(tag).map_err(|_| Refusal::Forged)
}

fn keyed(key: &[u8; 20]) -> Hmac<Sha1> {
    Hmac::new_from_slice(key).expect("HMAC takes keys of every length")
}
