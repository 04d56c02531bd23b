//! Reads `Digest name=value, name="value"` from hostile peers: limits first.

use super::hash::Algorithm;

/// Longest header value that is read, in bytes.
const MAX_VALUE: usize = 4096;
/// Most parameters in one header value.
const MAX_PARAMS: usize = 32;

/// Why a digest header value could not be read (a 400 where it came in a request).
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DigestError {
    /// Longer or with more parameters than is read.
    #[error("digest header is too large: at most {MAX_VALUE} bytes and {MAX_PARAMS} parameters are read")]
    TooLarge,
    /// Another scheme than Digest.
    #[error("authentication scheme is not Digest: no other is offered")]
    Scheme,
    /// Not `name=value` pairs between commas, or a control character.
    #[error("digest header is malformed: expected name=value pairs between commas")]
    Malformed,
    /// A parameter appears twice, so that two readers could disagree.
    #[error("digest parameter \"{0}\" appears twice")]
    Twice(String),
    /// A parameter that must be there is not.
    #[error("digest parameter \"{0}\" is missing")]
    Missing(&'static str),
    /// A parameter's value is none that we can use.
    #[error("digest parameter \"{0}\" has a value that is not supported")]
    Value(&'static str),
}

/// The parameters of one header value; names in lower case, texts as they stand between the quotes.
pub(super) struct Params(Vec<(String, String)>);

impl Params {
    pub fn parse(value: &str) -> Result<Self, DigestError> {
        if value.len() > MAX_VALUE {
            return Err(DigestError::TooLarge);
        }
        let value = value.trim_matches([' ', '\t', '\r', '\n']);
        let (scheme, mut rest) = value.split_once([' ', '\t']).ok_or(DigestError::Malformed)?;
        if !scheme.eq_ignore_ascii_case("digest") {
            return Err(DigestError::Scheme);
        }
        let mut params: Vec<(String, String)> = Vec::new();
        loop {
            rest = rest.trim_start_matches([' ', '\t', '\r', '\n', ',']);
            if rest.is_empty() {
                return Ok(Self(params));
            }
            if params.len() >= MAX_PARAMS {
                return Err(DigestError::TooLarge);
            }
            let (name, after) = rest.split_once('=').ok_or(DigestError::Malformed)?;
            let name = name.trim().to_ascii_lowercase();
            let (text, after) = take_value(after.trim_start())?;
            if name.is_empty() || !name.bytes().all(is_token) || text.chars().any(char::is_control) {
                return Err(DigestError::Malformed);
            }
            if params.iter().any(|(known, _)| *known == name) {
                return Err(DigestError::Twice(name));
            }
            params.push((name, text.to_owned()));
            rest = after.trim_start();
            if !rest.is_empty() && !rest.starts_with(',') {
                return Err(DigestError::Malformed);
            }
        }
    }

    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    pub fn require(&self, name: &'static str) -> Result<String, DigestError> {
        self.get(name).map(str::to_owned).ok_or(DigestError::Missing(name))
    }

    /// The hash; a missing parameter means MD5 (RFC 7616 §3.3).
    pub fn algorithm(&self) -> Result<Algorithm, DigestError> {
        match self.get("algorithm") {
            None => Ok(Algorithm::Md5),
            Some(token) => Algorithm::from_token(token).ok_or(DigestError::Value("algorithm")),
        }
    }
}

/// A quoted string's inside or a token, and what follows it.
fn take_value(text: &str) -> Result<(&str, &str), DigestError> {
    let Some(quoted) = text.strip_prefix('"') else {
        let end = text.find([',', ' ', '\t', '\r', '\n']).unwrap_or(text.len());
        let (value, after) = text.split_at_checked(end).ok_or(DigestError::Malformed)?;
        let bad = value.is_empty() || value.contains(['"', '\\']);
        return if bad { Err(DigestError::Malformed) } else { Ok((value, after)) };
    };
    let mut escaped = false;
    for (at, c) in quoted.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => {
                let (value, after) = quoted.split_at_checked(at).ok_or(DigestError::Malformed)?;
                return Ok((value, after.strip_prefix('"').unwrap_or(after)));
            }
            _ => {}
        }
    }
    Err(DigestError::Malformed)
}

fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-.!%*_+`'~".contains(&byte)
}

/// What a client claims in `Authorization` or `Proxy-Authorization` (RFC 7616 §3.4).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credentials {
    /// The user's name; look up the password under it.
    pub username: String,
    /// The realm that the client answers for.
    pub realm: String,
    /// Our nonce, given back.
    pub nonce: String,
    /// The Request-URI as the client hashed it.
    pub uri: String,
    /// The hash that proves the password, lower-case hexadecimal.
    pub response: String,
    /// The hash function.
    pub algorithm: Algorithm,
    /// The client's nonce and the count of requests under our nonce; `None` where the client left out `qop=auth`.
    pub auth: Option<ClientNonce>,
}

/// What `qop=auth` adds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientNonce {
    /// The client's own nonce.
    pub cnonce: String,
    /// How many requests the client has sent under our nonce, from 1.
    pub nc: u32,
}

impl Credentials {
    /// Reads the value of an `Authorization` header.
    pub fn parse(value: &str) -> Result<Self, DigestError> {
        let params = Params::parse(value)?;
        if params.get("userhash").is_some_and(|hashed| hashed.eq_ignore_ascii_case("true")) {
            return Err(DigestError::Value("userhash"));
        }
        let auth = match params.get("qop") {
            None => None,
            Some(qop) if qop.eq_ignore_ascii_case("auth") => {
                let nc = params.get("nc").ok_or(DigestError::Missing("nc"))?;
                if nc.len() != 8 || !nc.bytes().all(|digit| digit.is_ascii_hexdigit()) {
                    return Err(DigestError::Value("nc"));
                }
                let nc = u32::from_str_radix(nc, 16).map_err(|_| DigestError::Value("nc"))?;
                Some(ClientNonce { cnonce: params.require("cnonce")?, nc })
            }
            Some(_) => return Err(DigestError::Value("qop")),
        };
        Ok(Self {
            username: params.require("username")?,
            realm: params.require("realm")?,
            nonce: params.require("nonce")?,
            uri: params.require("uri")?,
            response: params.require("response")?.to_ascii_lowercase(),
            algorithm: params.algorithm()?,
            auth,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn reads_credentials_of_odd_but_legal_form() {
        let value = "DIGEST username=\"a, \\\"b\\\"\",realm = \"r\" , nonce=\"n\",uri=\"sip:x\",\r\n response=\"AB\",\
                     algorithm=sha-256,qop=auth,nc=0000000A,cnonce=\"c\",opaque=\"\"";
        let read = Credentials::parse(value).unwrap();
        assert_eq!(read.username, "a, \\\"b\\\"");
        assert_eq!(read.realm, "r");
        assert_eq!(read.response, "ab");
        assert_eq!(read.algorithm, Algorithm::Sha256);
        assert_eq!(read.auth, Some(ClientNonce { cnonce: "c".into(), nc: 10 }));
    }

    #[test]
    fn refuses_what_two_readers_could_read_differently() {
        let parse = |value: &str| Credentials::parse(value).unwrap_err();
        assert_eq!(parse("Basic QWxhZGRpbg=="), DigestError::Scheme);
        assert_eq!(parse("Digest username=\"a\", Username=\"b\""), DigestError::Twice("username".into()));
        assert_eq!(parse("Digest username=\"a"), DigestError::Malformed);
        assert_eq!(parse("Digest username=\"a\" realm=\"b\""), DigestError::Malformed);
        assert_eq!(parse("Digest username=\"a\0\""), DigestError::Malformed);
        assert_eq!(parse("Digest username=\"a\""), DigestError::Missing("realm"));
        assert_eq!(parse(&format!("Digest a=\"{}\"", "x".repeat(5000))), DigestError::TooLarge);
        let many: String = (0..40).map(|i| format!("a{i}=b,")).collect();
        assert_eq!(parse(&format!("Digest {many}")), DigestError::TooLarge);
        assert_eq!(parse("Digest qop=auth,nc=+0000001,cnonce=\"c\""), DigestError::Value("nc"));
        assert_eq!(parse("Digest qop=auth-int"), DigestError::Value("qop"));
    }

    proptest! {
        #[test]
        fn never_panics(value in "(Digest )?([a-z]{0,4}=?\"?\\\\?\\PC{0,6}\"?,? ?){0,12}") {
            let _ = Credentials::parse(&value);
        }
    }
}
