//! Answers to digest challenges (RFC 2617, RFC 8760), written from the RFC and apart from the switch's own.

use md5::{Digest, Md5};
use sha2::Sha256;

/// The value of an Authorization header that answers `challenge`; `None` where it is of no kind we know.
pub fn answer(challenge: &str, method: &str, uri: &str, user: &str, password: &str, cnonce: &str) -> Option<String> {
    let field = |name: &str| value_of(challenge, name);
    let (realm, nonce) = (field("realm")?, field("nonce")?);
    let algorithm = field("algorithm").unwrap_or_else(|| "MD5".to_owned());
    let hash = |text: String| match algorithm.as_str() {
        "MD5" => Some(hex(&Md5::digest(text.as_bytes()))),
        "SHA-256" => Some(hex(&Sha256::digest(text.as_bytes()))),
        _ => None,
    };
    let a1 = hash(format!("{user}:{realm}:{password}"))?;
    let a2 = hash(format!("{method}:{uri}"))?;
    let response = hash(format!("{a1}:{nonce}:00000001:{cnonce}:auth:{a2}"))?;
    Some(format!(
        "Digest username=\"{user}\", realm=\"{realm}\", nonce=\"{nonce}\", uri=\"{uri}\", response=\"{response}\", \
         algorithm={algorithm}, cnonce=\"{cnonce}\", qop=auth, nc=00000001"
    ))
}

fn value_of(challenge: &str, name: &str) -> Option<String> {
    let fields = challenge.strip_prefix("Digest ")?;
    fields.split(',').find_map(|part| {
        let (key, value) = part.trim().split_once('=')?;
        (key == name).then(|| value.trim_matches('"').to_owned())
    })
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
