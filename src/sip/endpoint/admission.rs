//! Who is asking: trunks by source and number, users by password.

use super::{Admission, Endpoint, Identity};
use crate::sip::digest::{Credentials, DigestError, Verdict};
use crate::sip::message::{Message, reason_phrase, response_to};
use crate::sip::transaction::{Flow, TransactionKey};
use crate::time::Now;

impl Endpoint {
    /// Who sends this INVITE for `called`; `None` where that was answered already (401, 403, 400).
    pub(super) fn admit(
        &mut self,
        key: &TransactionKey,
        msg: &Message,
        flow: Flow,
        called: &str,
        now: Now,
    ) -> Option<(Identity, bool)> {
        if self.settings.admission == Admission::Open {
            return Some((Identity::Anyone, false));
        }
        let source = flow.remote.ip();
        // Browsers open WebSockets for any page, so where one comes from vouches for nobody.
        let vouched = flow.transport.can_be_opened();
        let trunk = self.settings.trunks.iter().find(|(_, trunk)| vouched && trunk.serves(source, called));
        if let Some((id, trunk)) = trunk {
            return Some((Identity::Trunk(id.clone()), trunk.nat));
        }
        let user = self.authenticate(key, msg, now)?;
        let named = msg.from().ok().and_then(|from| from.uri.plain_user());
        if named.as_deref() != Some(user.as_str()) {
            // Proved as A, speaking as B.
            self.reply(key, msg, 403, now);
            return None;
        }
        let nat = self.settings.users.get(&user).is_some_and(|user| user.nat);
        Some((Identity::User(user), nat))
    }

    /// The user who proved the password; `None` where a challenge or a refusal was sent.
    pub(super) fn authenticate(&mut self, key: &TransactionKey, msg: &Message, now: Now) -> Option<String> {
        let credentials = match credentials(msg, self.authenticator.realm()) {
            Ok(Some(credentials)) => credentials,
            Ok(None) => {
                self.challenge(key, msg, false, now);
                return None;
            }
            Err(error) => {
                tracing::info!(%error, "an answer to a challenge cannot be read");
                self.reply(key, msg, 400, now);
                return None;
            }
        };
        let (method, uri) = (msg.method()?.as_str().to_owned(), msg.uri()?.to_string());
        let password = self.settings.users.get(&credentials.username).map(|user| user.password.expose());
        match self.authenticator.verify(&credentials, &method, &uri, password, now) {
            Verdict::Accepted { user } => Some(user),
            Verdict::Stale | Verdict::Replayed => {
                self.challenge(key, msg, true, now);
                None
            }
            Verdict::Refused(why) => {
                self.counts.wrong_answers += 1;
                tracing::info!(user = %credentials.username, %why, "a request was not authenticated");
                self.challenge(key, msg, false, now);
                None
            }
        }
    }

    fn challenge(&mut self, key: &TransactionKey, msg: &Message, stale: bool, now: Now) {
        self.counts.challenges += 1;
        let (tag, random) = (self.draw(), self.draw_u128());
        let mut response = response_to(msg, 401, reason_phrase(401), Some(&tag));
        let product = msg.header("User-Agent").unwrap_or_default();
        let md5_only = self.settings.md5_only.iter().any(|start| product.starts_with(start.as_str()));
        for value in self.authenticator.challenge(now, random, stale) {
            if !md5_only || value.contains("algorithm=MD5") {
                response.push("WWW-Authenticate", value);
            }
        }
        self.respond(key, response, now);
    }
}

/// The digest credentials of a request, those for our realm before others. Another scheme answers no challenge of ours.
fn credentials(msg: &Message, realm: &str) -> Result<Option<Credentials>, DigestError> {
    let mut found = None;
    for value in msg.header_all("Authorization") {
        match Credentials::parse(value) {
            Ok(ours) if ours.realm == realm => return Ok(Some(ours)),
            Ok(other) => found = found.or(Some(other)),
            Err(DigestError::Scheme) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(found)
}
