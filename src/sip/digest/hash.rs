//! The hashes of RFC 7616 §3.4.

use md5::Md5;
use sha2::{Digest, Sha256};

/// A hash that we offer and accept, weakest first (so that `max` chooses the strongest).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Algorithm {
    /// MD5, for phones that know nothing better.
    Md5,
    /// SHA-256 (RFC 8760).
    Sha256,
}

impl Algorithm {
    /// The token in the header's `algorithm` parameter.
    pub fn token(self) -> &'static str {
        match self {
            Self::Md5 => "MD5",
            Self::Sha256 => "SHA-256",
        }
    }

    /// Reads the token, whatever its case. The `-sess` forms and other hashes are not offered and not read.
    pub fn from_token(token: &str) -> Option<Self> {
        [Self::Md5, Self::Sha256].into_iter().find(|known| known.token().eq_ignore_ascii_case(token))
    }

    /// Lower-case hexadecimal hash of `parts` joined by colons.
    fn hash(self, parts: &[&str]) -> String {
        let text = parts.join(":");
        match self {
            Self::Md5 => hex(&Md5::digest(text.as_bytes())),
            Self::Sha256 => hex(&Sha256::digest(text.as_bytes())),
        }
    }
}

impl std::str::FromStr for Algorithm {
    type Err = ();

    fn from_str(token: &str) -> Result<Self, ()> {
        Self::from_token(token).ok_or(())
    }
}

/// What enters a `response` besides the password; texts as they stand between the header's quotes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Inputs<'a> {
    pub algorithm: Algorithm,
    pub user: &'a str,
    pub realm: &'a str,
    pub nonce: &'a str,
    pub method: &'a str,
    pub uri: &'a str,
    /// `nc` as eight hexadecimal digits and `cnonce` under `qop=auth`; `None` is the older form without `qop`.
    pub auth: Option<(&'a str, &'a str)>,
}

impl Inputs<'_> {
    /// The `response` (RFC 7616 §3.4.1).
    pub fn response(&self, password: &str) -> String {
        let a1 = self.algorithm.hash(&[self.user, self.realm, password]);
        let a2 = self.algorithm.hash(&[self.method, self.uri]);
        match self.auth {
            Some((nc, cnonce)) => self.algorithm.hash(&[&a1, self.nonce, nc, cnonce, "auth", &a2]),
            None => self.algorithm.hash(&[&a1, self.nonce, &a2]),
        }
    }
}

/// Lower-case hexadecimal digits.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Compares without telling by its duration where the texts differ.
pub(super) fn same_text(left: &str, right: &str) -> bool {
    let differing = left.bytes().zip(right.bytes()).fold(0u8, |sum, (a, b)| sum | (a ^ b));
    left.len() == right.len() && std::hint::black_box(differing) == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rfc7616(algorithm: Algorithm) -> String {
        Inputs {
            algorithm,
            user: "Mufasa",
            realm: "http-auth@example.org",
            nonce: "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v",
            method: "GET",
            uri: "/dir/index.html",
            auth: Some(("00000001", "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ")),
        }
        .response("Circle of Life")
    }

    #[test]
    fn matches_the_examples_of_rfc_7616_section_3_9_1() {
        assert_eq!(rfc7616(Algorithm::Md5), "8ca523f5e9506fed4657c9700eebdbec");
        assert_eq!(rfc7616(Algorithm::Sha256), "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1");
    }

    #[test]
    fn matches_the_example_of_rfc_2617_section_3_5() {
        let inputs = Inputs {
            algorithm: Algorithm::Md5,
            user: "Mufasa",
            realm: "testrealm@host.com",
            nonce: "dcd98b7102dd2f0e8b11d0f600bfb0c093",
            method: "GET",
            uri: "/dir/index.html",
            auth: Some(("00000001", "0a4f113b")),
        };
        assert_eq!(inputs.response("Circle Of Life"), "6629fae49393a05397450978507c4ef1");
        // The same challenge without qop (RFC 2617 §3.2.2.1, the RFC 2069 form).
        assert_eq!(Inputs { auth: None, ..inputs }.response("Circle Of Life"), "670fd8c2df070c60b045671b8b24ff02");
    }

    #[test]
    fn texts_of_different_length_differ() {
        assert!(same_text("ab", "ab"));
        assert!(!same_text("ab", "abc"));
        assert!(!same_text("ab", "ac"));
    }
}
