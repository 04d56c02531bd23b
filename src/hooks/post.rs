//! One signed POST.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use ureq::Agent;
use ureq::tls::{Certificate, RootCerts, TlsConfig};

use super::Hook;

/// Octets of an answer that are read; a longer one is refused.
const LONGEST_ANSWER: u64 = 65_536;

/// A secret that signs; never shown.
#[derive(Clone)]
pub struct Key(Vec<u8>);

impl Key {
    /// The octets of a text; those behind `whsec_` in base64, as other systems hand them out.
    pub fn new(text: &str) -> Self {
        let coded = text.strip_prefix("whsec_").and_then(|coded| STANDARD.decode(coded).ok());
        Self(coded.unwrap_or_else(|| text.as_bytes().to_vec()))
    }

    /// `v1,` and HMAC-SHA256 over the message's name, its time (seconds since 1970) and its text, in base64.
    fn sign(&self, id: &str, at_s: i64, body: &str) -> String {
        // A key of any length will do.
        let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(&self.0) else { return String::new() };
        mac.update(format!("{id}.{at_s}.{body}").as_bytes());
        format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()))
    }
}

/// Posts, over connections that are kept.
#[derive(Clone)]
pub struct Poster(Agent);

impl Poster {
    /// One that trusts the certificates that the system trusts. No redirection is followed: a signed text goes where it was
    /// addressed to.
    pub fn new() -> Self {
        let found = rustls_native_certs::load_native_certs();
        let roots = found.certs.iter().map(|root| Certificate::from_der(root).to_owned()).collect();
        let tls = TlsConfig::builder()
            .unversioned_rustls_crypto_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .root_certs(RootCerts::Specific(Arc::new(roots)))
            .build();
        let config = Agent::config_builder().tls_config(tls).http_status_as_error(false).max_redirects(0);
        let config =
            config.max_redirects_will_error(false).user_agent(concat!("trunkline/", env!("CARGO_PKG_VERSION")));
        Self(config.build().into())
    }

    /// Posts `body` under the name `id`, which stays the same when it is posted again, at `at_s` (seconds since 1970). Gives the text of
    /// the answer.
    ///
    /// # Errors
    /// What was in the way, for a log: no connection, no answer within `timeout`, a status other than 2xx.
    pub fn post(&self, hook: &Hook, id: &str, body: &str, timeout: Duration, at_s: i64) -> Result<String, String> {
        let request = self.0.post(&hook.url).config().timeout_global(Some(timeout)).build();
        let mut request = request
            .header("Content-Type", "application/json")
            .header("webhook-id", id)
            .header("Idempotency-Key", id)
            .header("webhook-timestamp", at_s.to_string());
        if let Some(key) = &hook.key {
            request = request.header("webhook-signature", key.sign(id, at_s, body));
        }
        let response = request.send(body).map_err(|error| told(&error))?;
        let status = response.status();
        let text = response.into_body().with_config().limit(LONGEST_ANSWER).read_to_string();
        if !status.is_success() {
            return Err(format!("it answers {status}"));
        }
        text.map_err(|error| told(&error))
    }
}

impl Default for Poster {
    fn default() -> Self {
        Self::new()
    }
}

fn told(error: &ureq::Error) -> String {
    match error {
        ureq::Error::Io(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
            "nothing listens there".to_owned()
        }
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_signature_is_that_of_the_published_example() {
        // The example of the specification's libraries.
        let key = Key::new("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
        let body = "{\"test\": 2432232314}";
        let signed = key.sign("msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, body);
        assert_eq!(signed, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }
}
