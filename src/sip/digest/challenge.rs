//! The client's side: reading a challenge and answering it.

use super::hash::{Algorithm, Inputs};
use super::params::{DigestError, Params};

/// A challenge of `WWW-Authenticate` or `Proxy-Authenticate` that we can answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Challenge {
    /// Whose password is asked for; never answer a realm that the credentials do not belong to.
    pub realm: String,
    /// The server's nonce.
    pub nonce: String,
    /// To be given back as it came.
    pub opaque: Option<String>,
    /// The hash function.
    pub algorithm: Algorithm,
    /// Whether the server offers `qop=auth`; otherwise the older form of RFC 2617 §3.2.2.1 is answered.
    pub qop_auth: bool,
    /// The password was right, only the nonce was too old: try again at once, without asking a person.
    pub stale: bool,
}

/// What an answer is made for.
#[derive(Clone, Copy, Debug)]
pub struct Answering<'a> {
    /// The user's name.
    pub user: &'a str,
    /// The user's password.
    pub password: &'a str,
    /// The request's method.
    pub method: &'a str,
    /// The Request-URI as it is sent.
    pub uri: &'a str,
    /// A fresh nonce of our own: letters and digits.
    pub cnonce: &'a str,
    /// How many requests have been sent under the server's nonce, this one included.
    pub nc: u32,
}

impl Challenge {
    /// Reads one header value. Other hashes than ours and a `qop` without `auth` are errors, so that the next is tried.
    pub fn parse(value: &str) -> Result<Self, DigestError> {
        let params = Params::parse(value)?;
        let qop_auth = match params.get("qop") {
            None => false,
            Some(list) if list.split(',').any(|qop| qop.trim().eq_ignore_ascii_case("auth")) => true,
            Some(_) => return Err(DigestError::Value("qop")),
        };
        Ok(Self {
            realm: params.require("realm")?,
            nonce: params.require("nonce")?,
            opaque: params.get("opaque").map(str::to_owned),
            algorithm: params.algorithm()?,
            qop_auth,
            stale: params.get("stale").is_some_and(|stale| stale.eq_ignore_ascii_case("true")),
        })
    }

    /// The strongest challenge among several header values that we can answer; of equals the first (RFC 8760 §2.4).
    pub fn strongest<'a>(values: impl IntoIterator<Item = &'a str>) -> Option<Self> {
        let mut best: Option<Self> = None;
        for challenge in values.into_iter().filter_map(|value| Self::parse(value).ok()) {
            if best.as_ref().is_none_or(|known| known.algorithm < challenge.algorithm) {
                best = Some(challenge);
            }
        }
        best
    }

    /// The value of `Authorization` (after a 401) or `Proxy-Authorization` (after a 407).
    pub fn answer(&self, with: &Answering<'_>) -> String {
        let (user, uri, cnonce) = (quotable(with.user), quotable(with.uri), quotable(with.cnonce));
        let nc = format!("{:08x}", with.nc);
        let inputs = Inputs {
            algorithm: self.algorithm,
            user: &user,
            realm: &self.realm,
            nonce: &self.nonce,
            method: with.method,
            uri: &uri,
            auth: self.qop_auth.then_some((nc.as_str(), cnonce.as_str())),
        };
        let response = inputs.response(with.password);
        let mut value = format!(
            "Digest username=\"{user}\", realm=\"{}\", nonce=\"{}\", uri=\"{uri}\", response=\"{response}\", algorithm={}",
            self.realm,
            self.nonce,
            self.algorithm.token()
        );
        if self.qop_auth {
            value.push_str(&format!(", qop=auth, nc={nc}, cnonce=\"{cnonce}\""));
        }
        if let Some(opaque) = &self.opaque {
            value.push_str(&format!(", opaque=\"{opaque}\""));
        }
        value
    }
}

/// The text as it may stand between quotes: escaped, and without the control characters that could end the header.
fn quotable(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars().filter(|c| !c.is_control()) {
        if matches!(c, '"' | '\\') {
            out.push('\\');
        }
        out.push(c);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    const WITH: Answering<'_> = Answering {
        user: "Mufasa",
        password: "Circle of Life",
        method: "GET",
        uri: "/dir/index.html",
        cnonce: "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ",
        nc: 1,
    };

    fn rfc7616(algorithm: &str) -> String {
        format!(
            "Digest realm=\"http-auth@example.org\", qop=\"auth, auth-int\", algorithm={algorithm}, \
             nonce=\"7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v\", opaque=\"FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS\""
        )
    }

    #[test]
    fn answers_the_strongest_challenge_that_it_can_read() {
        let values = [rfc7616("MD5"), rfc7616("SHA-512-256"), rfc7616("SHA-256")];
        let challenge = Challenge::strongest(values.iter().map(String::as_str)).unwrap();
        let answer = challenge.answer(&WITH);
        assert!(
            answer.contains("response=\"753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1\""),
            "{answer}"
        );
        assert!(answer.contains("opaque=\"FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS\""));
        assert!(answer.contains("algorithm=SHA-256, qop=auth, nc=00000001"));
    }

    #[test]
    fn a_name_cannot_end_the_header() {
        let challenge = Challenge::parse(&rfc7616("MD5")).unwrap();
        let answer = challenge.answer(&Answering { user: "a\"\r\nX: b", ..WITH });
        assert!(answer.starts_with("Digest username=\"a\\\"X: b\", "), "{answer}");
    }

    #[test]
    fn integrity_only_challenges_are_left() {
        assert_eq!(
            Challenge::strongest(["Digest realm=\"r\", nonce=\"n\", qop=\"auth-int\"", "Basic realm=\"r\""]),
            None
        );
    }
}
