//! The server's side: nonces that prove themselves, and the verdict on an answer.

use std::collections::BTreeMap;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use super::hash::{Algorithm, Inputs, hex, same_text};
use super::params::Credentials;
use crate::time::{MS, Now};

/// Hashed in place of the password of a user that does not exist, so that the refusal takes as long.
const NOBODY: &str = "no-such-user-pwd";

/// How an [`Authenticator`] behaves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The protection domain that clients see.
    pub realm: String,
    /// How long a nonce may be used, in ms.
    pub nonce_lifetime_ms: u64,
    /// Most nonces whose count is remembered at once.
    pub max_nonces: usize,
    /// The hashes that are offered, in this order; others are refused. Clients take the first that they know (RFC 8760 §2.4).
    pub algorithms: Vec<Algorithm>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            realm: "trunkline".into(),
            nonce_lifetime_ms: 60_000,
            max_nonces: 65_536,
            algorithms: vec![Algorithm::Sha256, Algorithm::Md5],
        }
    }
}

/// What an answer to our challenge is worth.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The client knows the password of this user.
    Accepted {
        /// The user's name.
        user: String,
    },
    /// The client knows the password, but the nonce is too old or of another run: challenge again with `stale=true`.
    Stale,
    /// Challenge again, or refuse; nothing of the reason may reach the client.
    Refused(Refusal),
    /// The answer has been used before: challenge again with `stale=true`; an honest phone counts on, a thief cannot.
    Replayed,
}

/// Why an answer is refused: for logs and counters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, thiserror::Error)]
pub enum Refusal {
    /// The answer is for another realm.
    #[error("answer is for another realm")]
    Realm,
    /// The answer uses a hash that is not offered.
    #[error("answer uses a hash that is not offered")]
    Algorithm,
    /// The answer leaves out `qop=auth`, which we always offer; without it a replay cannot be told (RFC 3261 §22.4).
    #[error("answer lacks qop=auth, which was offered")]
    Qop,
    /// The answer was made for another request.
    #[error("answer was made for another Request-URI")]
    Uri,
    /// Unknown user or wrong password: not told apart.
    #[error("unknown user or wrong password")]
    Password,
}

/// Challenges requests and judges the answers. One realm, one secret for each run of the process.
///
/// Remembers the highest `nc` of each nonce in use. Only right answers enter that table, entries leave when their nonce
/// expires, and when it is full the nonce that expires first is forgotten: it and every older one then count as stale,
/// so a forgotten count never lets a replay through.
pub struct Authenticator {
    settings: Settings,
    key: [u8; 32],
    counts: BTreeMap<Nonce, u32>,
    forgotten: Option<Nonce>,
}

/// What is inside a nonce; ordered by expiry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Nonce {
    expiry_ms: u64,
    random: u128,
}

impl Authenticator {
    /// Draw `key` anew at each start: nonces of an earlier run are then stale, which keeps replays out across a restart.
    pub fn new(settings: Settings, key: [u8; 32]) -> Self {
        Self { settings, key, counts: BTreeMap::new(), forgotten: None }
    }

    /// The realm that clients see.
    pub fn realm(&self) -> &str {
        &self.settings.realm
    }

    /// How many nonces are remembered.
    pub fn remembered(&self) -> usize {
        self.counts.len()
    }

    /// A `WWW-Authenticate` value for each hash that is offered (RFC 8760 §2.3). `stale` after [`Verdict::Stale`] and
    /// [`Verdict::Replayed`]. `random` must not repeat.
    pub fn challenge(&self, now: Now, random: u128, stale: bool) -> Vec<String> {
        let nonce = Nonce { expiry_ms: (now.mono_ns / MS).saturating_add(self.settings.nonce_lifetime_ms), random };
        let nonce = self.seal(nonce);
        let stale = if stale { ", stale=true" } else { "" };
        let offered = self.settings.algorithms.iter();
        offered
            .map(|algorithm| {
                let realm = &self.settings.realm;
                format!(
                    "Digest realm=\"{realm}\", nonce=\"{nonce}\", algorithm={}, qop=\"auth\"{stale}",
                    algorithm.token()
                )
            })
            .collect()
    }

    /// Judges an answer for the request `method` `uri`. `password` is that of `credentials.username`, `None` where there
    /// is no such user.
    pub fn verify(
        &mut self,
        credentials: &Credentials,
        method: &str,
        uri: &str,
        password: Option<&str>,
        now: Now,
    ) -> Verdict {
        let now_ms = now.mono_ns / MS;
        self.purge(now_ms);
        if credentials.realm != self.settings.realm {
            return Verdict::Refused(Refusal::Realm);
        }
        if !self.settings.algorithms.contains(&credentials.algorithm) {
            return Verdict::Refused(Refusal::Algorithm);
        }
        let Some(auth) = &credentials.auth else { return Verdict::Refused(Refusal::Qop) };
        if !same_uri(&credentials.uri, uri) {
            return Verdict::Refused(Refusal::Uri);
        }
        let nc = format!("{:08x}", auth.nc);
        let expected = Inputs {
            algorithm: credentials.algorithm,
            user: &credentials.username,
            realm: &credentials.realm,
            nonce: &credentials.nonce,
            method,
            uri: &credentials.uri,
            auth: Some((&nc, &auth.cnonce)),
        }
        .response(password.unwrap_or(NOBODY));
        // Both are evaluated, whoever asks: a guess of NOBODY proves nothing.
        if !(same_text(&expected, &credentials.response) & password.is_some()) {
            return Verdict::Refused(Refusal::Password);
        }
        match self.open(&credentials.nonce) {
            Some(nonce) if nonce.expiry_ms > now_ms && self.forgotten.is_none_or(|floor| nonce > floor) => {
                self.count(nonce, auth.nc, &credentials.username)
            }
            _ => Verdict::Stale,
        }
    }

    /// Whether a nonce is one of ours, of this run and not altered, however old.
    pub fn has_issued(&self, nonce: &str) -> bool {
        self.open(nonce).is_some()
    }

    fn count(&mut self, nonce: Nonce, nc: u32, user: &str) -> Verdict {
        // A nonce that was never counted starts below the first legal count, 1.
        if nc <= self.counts.get(&nonce).copied().unwrap_or(0) {
            return Verdict::Replayed;
        }
        self.counts.insert(nonce, nc);
        while self.counts.len() > self.settings.max_nonces {
            self.forgotten = self.counts.pop_first().map(|(nonce, _)| nonce).max(self.forgotten);
        }
        Verdict::Accepted { user: user.to_owned() }
    }

    fn purge(&mut self, now_ms: u64) {
        while let Some(entry) = self.counts.first_entry() {
            if entry.key().expiry_ms > now_ms {
                break;
            }
            entry.remove();
        }
    }

    /// Expiry and random part, then an HMAC over them and the realm: we know our own without remembering them.
    fn seal(&self, nonce: Nonce) -> String {
        let open = format!("{:016x}{:032x}", nonce.expiry_ms, nonce.random);
        let seal = self.mac(&open).get(..16).map(hex).unwrap_or_default();
        open + &seal
    }

    fn open(&self, text: &str) -> Option<Nonce> {
        let expiry_ms = u64::from_str_radix(text.get(..16)?, 16).ok()?;
        let random = u128::from_str_radix(text.get(16..48)?, 16).ok()?;
        let nonce = Nonce { expiry_ms, random };
        // Sealed again and compared as a whole, so that each nonce has one spelling.
        same_text(&self.seal(nonce), text).then_some(nonce)
    }

    fn mac(&self, open: &str) -> Vec<u8> {
        // HMAC takes keys of any length.
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.key).expect("HMAC takes keys of any length");
        mac.update(self.settings.realm.as_bytes());
        mac.update(b"\0");
        mac.update(open.as_bytes());
        mac.finalize().into_bytes().to_vec()
    }
}

/// Whether the client hashed the Request-URI of its request: exact up to the host, whose case does not matter.
fn same_uri(hashed: &str, requested: &str) -> bool {
    match (hashed.rsplit_once('@'), requested.rsplit_once('@')) {
        (Some((user, host)), Some((other_user, other_host))) => {
            user == other_user && host.eq_ignore_ascii_case(other_host)
        }
        (None, None) => hashed.eq_ignore_ascii_case(requested),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::super::challenge::{Answering, Challenge};
    use super::*;

    const NOW: Now = Now { mono_ns: 5_000 * MS, wall_ms: 1_000_000 };

    fn authenticator() -> Authenticator {
        Authenticator::new(Settings::default(), [7; 32])
    }

    fn answer(challenge: &str, password: &str, nc: u32) -> Credentials {
        let with = Answering { user: "1001", password, method: "REGISTER", uri: "sip:pbx", cnonce: "c1", nc };
        Credentials::parse(&Challenge::parse(challenge).unwrap().answer(&with)).unwrap()
    }

    fn judge(authenticator: &mut Authenticator, answer: &Credentials, now: Now) -> Verdict {
        authenticator.verify(answer, "REGISTER", "sip:PBX", Some("demo"), now)
    }

    fn accepted() -> Verdict {
        Verdict::Accepted { user: "1001".into() }
    }

    #[test]
    fn offers_sha_256_first_and_accepts_either() {
        for (index, token) in ["SHA-256", "MD5"].into_iter().enumerate() {
            let mut authenticator = authenticator();
            let offered = authenticator.challenge(NOW, 1, false);
            assert!(offered[index].contains(&format!("algorithm={token}, qop=\"auth\"")), "{offered:?}");
            assert_eq!(judge(&mut authenticator, &answer(&offered[index], "demo", 1), NOW), accepted());
        }
    }

    #[test]
    fn an_answer_counts_once() {
        let mut authenticator = authenticator();
        let offered = &authenticator.challenge(NOW, 1, false)[0];
        assert_eq!(judge(&mut authenticator, &answer(offered, "demo", 0), NOW), Verdict::Replayed);
        assert_eq!(judge(&mut authenticator, &answer(offered, "demo", 2), NOW), accepted());
        assert_eq!(judge(&mut authenticator, &answer(offered, "demo", 2), NOW), Verdict::Replayed);
        assert_eq!(judge(&mut authenticator, &answer(offered, "demo", 1), NOW), Verdict::Replayed);
        assert_eq!(judge(&mut authenticator, &answer(offered, "demo", 3), NOW), accepted());
    }

    #[test]
    fn old_and_foreign_nonces_are_stale_only_for_those_who_know_the_password() {
        let mut ours = authenticator();
        let offered = &ours.challenge(NOW, 1, false)[0];
        assert_eq!(judge(&mut ours, &answer(offered, "demo", 1), NOW.plus_ms(59_999)), accepted());
        assert_eq!(judge(&mut ours, &answer(offered, "demo", 2), NOW.plus_ms(60_000)), Verdict::Stale);
        assert_eq!(ours.remembered(), 0);
        let wrong = Verdict::Refused(Refusal::Password);
        assert_eq!(judge(&mut ours, &answer(offered, "guess", 2), NOW.plus_ms(60_000)), wrong);
        let mut next_run = Authenticator::new(Settings::default(), [8; 32]);
        assert_eq!(judge(&mut next_run, &answer(offered, "demo", 1), NOW), Verdict::Stale);
        assert!(ours.challenge(NOW, 2, true)[1].ends_with("stale=true"));
    }

    #[test]
    fn refuses_alike_whether_the_user_exists() {
        let mut authenticator = authenticator();
        let offered = &authenticator.challenge(NOW, 1, false)[0];
        let wrong = Verdict::Refused(Refusal::Password);
        assert_eq!(judge(&mut authenticator, &answer(offered, "guess", 1), NOW), wrong);
        for password in ["guess", NOBODY] {
            let answer = answer(offered, password, 1);
            assert_eq!(authenticator.verify(&answer, "REGISTER", "sip:pbx", None, NOW), wrong);
        }
        assert_eq!(authenticator.remembered(), 0);
    }

    #[test]
    fn an_answer_fits_one_request() {
        let mut authenticator = authenticator();
        let offered = &authenticator.challenge(NOW, 1, false)[0];
        let answer = answer(offered, "demo", 1);
        let mut verify =
            |answer: &Credentials, method, uri| authenticator.verify(answer, method, uri, Some("demo"), NOW);
        assert_eq!(verify(&answer, "REGISTER", "sip:other"), Verdict::Refused(Refusal::Uri));
        assert_eq!(verify(&answer, "INVITE", "sip:pbx"), Verdict::Refused(Refusal::Password));
        let elsewhere = Credentials { realm: "elsewhere".into(), ..answer.clone() };
        assert_eq!(verify(&elsewhere, "REGISTER", "sip:pbx"), Verdict::Refused(Refusal::Realm));
        let bare = Credentials { auth: None, ..answer };
        assert_eq!(verify(&bare, "REGISTER", "sip:pbx"), Verdict::Refused(Refusal::Qop));
    }

    #[test]
    fn a_full_table_forgets_counts_but_lets_no_replay_through() {
        let settings = Settings { max_nonces: 2, ..Settings::default() };
        let mut authenticator = Authenticator::new(settings, [7; 32]);
        let first = answer(&authenticator.challenge(NOW, 1, false)[0], "demo", 1);
        assert_eq!(judge(&mut authenticator, &first, NOW), accepted());
        for later in 1..=2u64 {
            let at = NOW.plus_ms(later);
            let offered = &authenticator.challenge(at, 1, false)[0];
            assert_eq!(judge(&mut authenticator, &answer(offered, "demo", 1), at), accepted());
        }
        assert_eq!(authenticator.remembered(), 2);
        assert_eq!(judge(&mut authenticator, &first, NOW.plus_ms(3)), Verdict::Stale);
    }
}
