//! The handshake by which a browser and we draw the keys of SRTP (RFC 5763, 5764), by dimpl.

use std::sync::Arc;
use std::time::{Duration, Instant};

use dimpl::{Config, Dtls, DtlsCertificate, KeyingMaterial, Output, SrtpProfile};
use sha2::{Digest, Sha256};

use crate::media::{MasterKey, SrtpKeys, Suite};

/// A record that a handshake sends is never longer.
const RECORD: usize = 2_048;
/// Records of a browser's flight that may wait for one that is late; more end the handshake.
const QUEUE: usize = 32;

/// Who we are to browsers: a certificate for the life of the process.
#[derive(Clone)]
pub(super) struct Identity {
    certificate: DtlsCertificate,
    config: Arc<Config>,
    /// SHA-256 of the certificate.
    pub fingerprint: [u8; 32],
}

impl Identity {
    /// A new one, signed by itself: browsers go by the fingerprint in the description.
    pub fn new() -> Result<Self, String> {
        let failed = |error: &dyn std::fmt::Display| format!("no certificate for browsers can be made: {error}");
        let key = rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).map_err(|error| failed(&error))?;
        let mut params = rcgen::CertificateParams::default();
        params.distinguished_name = rcgen::DistinguishedName::new();
        params.distinguished_name.push(rcgen::DnType::CommonName, "Trunkline");
        let certificate = params.self_signed(&key).map_err(|error| failed(&error))?.der().to_vec();
        let fingerprint = Sha256::digest(&certificate).into();
        let provider = dimpl::crypto::rust_crypto::default_provider();
        let config = Config::builder().with_crypto_provider(provider).max_queue_rx(QUEUE).build();
        let config = Arc::new(config.map_err(|error| failed(&error))?);
        let certificate = DtlsCertificate { certificate, private_key: key.serialize_der() };
        Ok(Self { certificate, config, fingerprint })
    }
}

/// How far a handshake is.
#[derive(Debug)]
pub(super) enum Progress {
    /// It goes on.
    Underway,
    /// Both sides have the keys.
    Done(SrtpKeys),
    /// The peer is not who its description says.
    Stranger,
    /// It has failed, or the peer has closed it.
    Over(String),
}

/// One handshake.
pub(super) struct Handshake {
    dtls: Dtls,
    /// The peer's certificate must have this fingerprint.
    expected: [u8; 32],
    proved: bool,
    keys: Option<SrtpKeys>,
    active: bool,
    /// The same instant on both clocks.
    began: (Instant, u64),
    /// When to call [`Self::handle_timeout`] (monotonic nanoseconds).
    pub deadline_ns: u64,
}

impl Handshake {
    /// With the side whose certificate has the fingerprint `expected`; we begin where `active`.
    pub fn new(identity: &Identity, expected: [u8; 32], active: bool, now_ns: u64) -> Self {
        let began = Instant::now();
        let mut dtls = Dtls::new_auto(Arc::clone(&identity.config), identity.certificate.clone(), began);
        dtls.set_active(active);
        Self { dtls, expected, proved: false, keys: None, active, began: (began, now_ns), deadline_ns: now_ns }
    }

    /// Takes a datagram; what it causes to be sent goes to `send`.
    pub fn handle_datagram(&mut self, datagram: &[u8], now_ns: u64, send: impl FnMut(&[u8])) -> Progress {
        let at = self.instant(now_ns);
        let taken = self.dtls.handle_timeout(at).and_then(|()| self.dtls.handle_packet(datagram));
        match taken {
            Ok(()) => self.drain(send),
            Err(error) => Progress::Over(error.to_string()),
        }
    }

    /// Sends again what was lost, or gives up.
    pub fn handle_timeout(&mut self, now_ns: u64, send: impl FnMut(&[u8])) -> Progress {
        let at = self.instant(now_ns);
        match self.dtls.handle_timeout(at) {
            Ok(()) => self.drain(send),
            Err(error) => Progress::Over(error.to_string()),
        }
    }

    fn instant(&self, now_ns: u64) -> Instant {
        self.began.0 + Duration::from_nanos(now_ns.saturating_sub(self.began.1))
    }

    fn drain(&mut self, mut send: impl FnMut(&[u8])) -> Progress {
        let mut buf = [0; RECORD];
        loop {
            match self.dtls.poll_output(&mut buf) {
                Output::Packet(packet) => send(packet),
                Output::PeerCert(certificate) => {
                    self.proved = Sha256::digest(certificate)[..] == self.expected;
                    if !self.proved {
                        return Progress::Stranger;
                    }
                }
                Output::KeyingMaterial(material, profile) => self.keys = keys(&material, profile, self.active),
                Output::CloseNotify => return Progress::Over("the browser closed it".to_owned()),
                Output::Timeout(at) => {
                    self.deadline_ns = self.began.1 + at.saturating_duration_since(self.began.0).as_nanos() as u64;
                    break;
                }
                Output::BufferTooSmall { needed } => {
                    return Progress::Over(format!("a record of {needed} bytes is too long"));
                }
                // What a browser says within DTLS beside the handshake is for data channels, and none is agreed on.
                _ => {}
            }
        }
        match self.keys.take().filter(|_| self.proved) {
            Some(keys) => Progress::Done(keys),
            None => Progress::Underway,
        }
    }
}

/// The keys of both ways in the order of RFC 5764 §4.2: client's and server's key, client's and server's salt.
fn keys(material: &KeyingMaterial, profile: SrtpProfile, active: bool) -> Option<SrtpKeys> {
    let suite = match profile {
        SrtpProfile::AES128_CM_SHA1_80 => Suite::AesCm128Sha1_80,
        SrtpProfile::AEAD_AES_128_GCM => Suite::AeadAes128Gcm,
        SrtpProfile::AEAD_AES_256_GCM => Suite::AeadAes256Gcm,
        _ => return None,
    };
    let (key, salt) = (suite.key_len(), suite.salt_len());
    let side = |number: usize| {
        let key_at = number * key;
        let salt_at = 2 * key + number * salt;
        let key = material.get(key_at..key_at + key)?;
        MasterKey::new(suite, &[key, material.get(salt_at..salt_at + salt)?].concat())
    };
    let (client, server) = (side(0)?, side(1)?);
    Some(if active { SrtpKeys { ours: client, theirs: server } } else { SrtpKeys { ours: server, theirs: client } })
}
