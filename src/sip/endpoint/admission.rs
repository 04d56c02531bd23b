//! Who is asking: trunks by source and number, users by password.

use std::net::IpAddr;

use super::{Admission, Endpoint, Identity};
use crate::id::TrunkId;
use crate::sip::digest::{Credentials, DigestError, Secret, Verdict};
use crate::sip::guard::{Ban, Offence};
use crate::sip::message::{self, Message, reason_phrase, response_to};
use crate::sip::transaction::{Flow, TransactionKey};
use crate::sip::trunk::{Diverted, Shown, caller_of, diverted_of};
use crate::time::Now;

/// Who calls, and whom.
pub(super) struct Admitted {
    pub(super) identity: Identity,
    /// Whether the media may come from elsewhere than its description says.
    pub(super) nat: bool,
    /// The called number as we write it.
    pub(super) called: String,
    pub(super) caller: Shown,
    pub(super) diverted: Vec<Diverted>,
}

impl Endpoint {
    /// Who sends this INVITE for `called`; `None` where that was answered already (400, 401, 403, 404).
    pub(super) fn admit(
        &mut self,
        key: &TransactionKey,
        msg: &Message,
        flow: Flow,
        called: &str,
        now: Now,
    ) -> Option<Admitted> {
        let claimed = caller_of(msg, false);
        let (called, diverted) = (called.to_owned(), Vec::new());
        if self.settings.admission == Admission::Open {
            return Some(Admitted { identity: Identity::Anyone, nat: false, called, caller: claimed, diverted });
        }
        let source = flow.remote.ip();
        // Browsers open WebSockets for any page, so where one comes from vouches for nobody.
        let vouched = flow.transport.can_be_opened();
        if let Some((id, called)) = self.trunk_by_source(msg, source, &called, now).filter(|_| vouched) {
            return self.admit_trunk(&id, msg, called);
        }
        let user = self.authenticate(key, msg, source, now)?;
        if let Some((id, trunk)) = self.trunk_by_user(&user) {
            let called = Self::called_by(trunk, msg, &called);
            let (id, may) = (id.clone(), trunk.may_call(&called));
            if !may {
                tracing::info!(trunk = %id, called, "a trunk calls a number that is not among its numbers");
                self.reply(key, msg, 404, now);
                return None;
            }
            return self.admit_trunk(&id, msg, called);
        }
        let named = msg.from().ok().and_then(|from| from.uri.plain_user());
        if named.as_deref() != Some(user.as_str()) {
            // Proved as A, speaking as B.
            self.reply(key, msg, 403, now);
            return None;
        }
        let nat = self.settings.users.get(&user).is_some_and(|user| user.nat);
        let caller = Shown { number: user.clone(), ..claimed };
        Some(Admitted { identity: Identity::User(user), nat, called, caller, diverted })
    }

    fn admit_trunk(&self, id: &TrunkId, msg: &Message, called: String) -> Option<Admitted> {
        let trunk = self.settings.trunks.get(id)?;
        let mut caller = caller_of(msg, trunk.trusted);
        caller.number = trunk.numbering.caller_in(&caller.number);
        let mut diverted = if trunk.trusted { diverted_of(msg) } else { Vec::new() };
        diverted.iter_mut().for_each(|step| step.number = trunk.numbering.called_in(&step.number));
        Some(Admitted { identity: Identity::Trunk(id.clone()), nat: trunk.nat, called, caller, diverted })
    }

    /// The user who proved the password; `None` where a challenge or a refusal was sent.
    pub(super) fn authenticate(
        &mut self,
        key: &TransactionKey,
        msg: &Message,
        source: IpAddr,
        now: Now,
    ) -> Option<String> {
        let credentials = match credentials(msg, self.authenticator.realm()) {
            Ok(Some(credentials)) => credentials,
            Ok(None) => {
                self.note_offence(source, Offence::Probe, now);
                self.challenge_once(key, msg, source, now);
                return None;
            }
            Err(error) => {
                tracing::info!(%error, "an answer to a challenge cannot be read");
                self.turn_away(key, msg, source, (400, &[]), now);
                return None;
            }
        };
        let (method, uri) = (msg.method()?.as_str().to_owned(), msg.uri()?.to_string());
        let password = self.settings.password_of(&credentials.username).map(Secret::expose);
        match self.authenticator.verify(&credentials, &method, &uri, password, now) {
            Verdict::Accepted { user } => {
                self.guard.handle_proof(source, now);
                Some(user)
            }
            Verdict::Stale | Verdict::Replayed => {
                self.challenge(key, msg, source, true, now);
                None
            }
            Verdict::Refused(why) => {
                self.counts.wrong_answers += 1;
                tracing::info!(user = %credentials.username, %source, %why, "a request was not authenticated");
                // Who answers what we never asked has read nothing of ours: its address may be forged.
                if self.authenticator.has_issued(&credentials.nonce) {
                    self.note_offence(source, Offence::WrongAnswer, now);
                    // A repeat of it is no other guess, so its transaction is kept.
                    self.challenge(key, msg, source, false, now);
                } else {
                    self.note_offence(source, Offence::Probe, now);
                    self.challenge_once(key, msg, source, now);
                }
                None
            }
        }
    }

    /// Asks somebody for the password who has shown none of ours.
    fn challenge_once(&mut self, key: &TransactionKey, msg: &Message, source: IpAddr, now: Now) {
        let challenges = self.challenges(msg, false, now);
        self.turn_away(key, msg, source, (401, &challenges), now);
    }

    /// Asks for the password once more; a source that makes us ask too often hears nothing, and may try again.
    fn challenge(&mut self, key: &TransactionKey, msg: &Message, source: IpAddr, stale: bool, now: Now) {
        if !self.may_answer(source, now) {
            return self.transactions.forget(key);
        }
        self.counts.challenges += 1;
        let tag = self.draw();
        let mut response = response_to(msg, 401, reason_phrase(401), Some(&tag));
        self.challenges(msg, stale, now).iter().for_each(|(name, value)| response.push(name, value));
        self.respond(key, response, now);
    }

    fn challenges(&mut self, msg: &Message, stale: bool, now: Now) -> Vec<(&'static str, String)> {
        let random = self.draw_u128();
        let product = msg.header("User-Agent").unwrap_or_default();
        let md5_only = self.settings.md5_only.iter().any(|start| product.starts_with(start.as_str()));
        let values = self.authenticator.challenge(now, random, stale).into_iter();
        let fitting = values.filter(|value| !md5_only || value.contains("algorithm=MD5"));
        fitting.map(|value| ("WWW-Authenticate", value)).collect()
    }
}

impl Endpoint {
    /// Whether a message is not even looked at. What belongs to a call that is there already always is.
    pub(super) fn is_ignored(&self, verdict: &message::Verdict, source: IpAddr, now: Now) -> bool {
        let apart = match verdict {
            message::Verdict::Accept(msg) => msg.method().is_some() && !self.names_a_dialog(msg),
            _ => true,
        };
        apart && self.guard.is_banned(source, now)
    }

    /// Whether a request names a dialog of ours, whoever sends it: a tag that was made up is none.
    fn names_a_dialog(&self, msg: &Message) -> bool {
        let tag = msg.to_tag().map(str::to_owned);
        let ids = msg.call_id().map(str::to_owned).zip(tag);
        ids.is_some_and(|ids| self.dialogs.contains_key(&ids) || self.dialling.contains_key(&ids))
    }

    /// Counts against a source, unless it is a trunk's.
    pub(super) fn note_offence(&mut self, source: IpAddr, offence: Offence, now: Now) {
        if self.settings.admission == Admission::Open || self.is_trunk(source, now) {
            return;
        }
        if self.guard.handle_offence(source, offence, now).is_some() {
            self.counts.banned += 1;
            let ban_s = self.settings.guard.ban_ms / 1_000;
            tracing::warn!(%source, ban_s, "a source guesses or scans and is ignored; `trunkline ban lift` ends that early");
        }
    }

    /// Who is ignored now.
    pub fn bans(&self, now: Now) -> impl Iterator<Item = Ban> {
        self.guard.bans(now)
    }

    /// Ends a ban before its time; `false` where there is none.
    pub fn lift_ban(&mut self, address: IpAddr, now: Now) -> bool {
        self.guard.lift(address, now)
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
