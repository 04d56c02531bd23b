//! Suites and master keys.

/// Bytes of the longest master key with its salt.
pub const MASTER_MOST: usize = 46;

/// A cipher with its tag.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Suite {
    /// AES-CM with 128 bits, HMAC-SHA1 with 80 (RFC 3711).
    AesCm128Sha1_80,
    /// AES-CM with 256 bits, HMAC-SHA1 with 80 (RFC 6188).
    AesCm256Sha1_80,
    /// AES-GCM with 128 bits (RFC 7714).
    AeadAes128Gcm,
    /// AES-GCM with 256 bits (RFC 7714).
    AeadAes256Gcm,
}

impl Suite {
    /// Bytes of the master key.
    pub fn key_len(self) -> usize {
        match self {
            Self::AesCm128Sha1_80 | Self::AeadAes128Gcm => 16,
            Self::AesCm256Sha1_80 | Self::AeadAes256Gcm => 32,
        }
    }

    /// Bytes of the master salt.
    pub fn salt_len(self) -> usize {
        match self {
            Self::AesCm128Sha1_80 | Self::AesCm256Sha1_80 => 14,
            Self::AeadAes128Gcm | Self::AeadAes256Gcm => 12,
        }
    }
}

/// A master key and its salt, for one direction. It is never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct MasterKey {
    suite: Suite,
    bytes: [u8; MASTER_MOST],
}

impl MasterKey {
    /// Key and salt in one, as SDES writes them; `None` where their length is not the suite's.
    pub fn new(suite: Suite, key_and_salt: &[u8]) -> Option<Self> {
        let len = suite.key_len() + suite.salt_len();
        let mut bytes = [0; MASTER_MOST];
        bytes.get_mut(..len).filter(|_| key_and_salt.len() == len)?.copy_from_slice(key_and_salt);
        Some(Self { suite, bytes })
    }

    /// What it is a key of.
    pub fn suite(&self) -> Suite {
        self.suite
    }

    pub(super) fn key(&self) -> &[u8] {
        &self.bytes[..self.suite.key_len()]
    }

    pub(super) fn salt(&self) -> &[u8] {
        let key = self.suite.key_len();
        &self.bytes[key..key + self.suite.salt_len()]
    }
}

impl std::fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("MasterKey").field(&self.suite).finish_non_exhaustive()
    }
}
