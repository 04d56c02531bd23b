//! What proves us to another server.

use super::{Answering, Challenge, Secret};
use crate::sip::message::Message;

/// A name and password of ours at another server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// The name in answers.
    pub user: String,
    /// The password.
    pub password: Secret,
    /// The only realm whose challenges are answered: a challenge that comes from further on, such as that of a called phone, must
    /// not be given what guesses could be tried on.
    pub realm: String,
}

impl Account {
    /// The header that answers the `challenge` (401 or 407) to `request`: its name and value. `None` where the challenge is
    /// another realm's or none that we can answer; after an answer was given (`again`), only where that was too late and not wrong.
    pub fn answer(
        &self,
        challenge: &Message,
        request: &Message,
        again: bool,
        cnonce: &str,
    ) -> Option<(&'static str, String)> {
        let (asked, answered) = match challenge.code()? {
            401 => ("WWW-Authenticate", "Authorization"),
            407 => ("Proxy-Authenticate", "Proxy-Authorization"),
            _ => return None,
        };
        let ours = |value: &&str| Challenge::parse(value).is_ok_and(|challenge| challenge.realm == self.realm);
        let challenge = Challenge::strongest(challenge.header_all(asked).filter(ours))?;
        if again && !challenge.stale {
            return None;
        }
        let (method, uri) = (request.method()?.as_str(), request.uri()?.to_string());
        let (user, password) = (self.user.as_str(), self.password.expose());
        let with = Answering { user, password, method, uri: &uri, cnonce, nc: 1 };
        Some((answered, challenge.answer(&with)))
    }

    /// The realms of a challenge, for whoever has to find out why it was not answered.
    pub fn realms(challenge: &Message) -> Vec<String> {
        let values = challenge.header_all("WWW-Authenticate").chain(challenge.header_all("Proxy-Authenticate"));
        values.filter_map(|value| Some(Challenge::parse(value).ok()?.realm)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sip::message::{Method, Uri};

    fn request() -> Message {
        Message::request(Method::Invite, Uri::sip(Some("10086"), "sbc.example", None))
    }

    fn account() -> Account {
        Account { user: "u".into(), password: Secret::new("p"), realm: "carrier".into() }
    }

    #[test]
    fn only_the_realm_of_the_account_is_answered_once_unless_stale() {
        let challenged = |code, name, value: &str| Message::response(code, "").with(name, value);
        let answer = |message: &Message, again| account().answer(message, &request(), again, "c").map(|(name, _)| name);
        let ours = "Digest realm=\"carrier\", nonce=\"n\", qop=\"auth\"";
        let late = "Digest realm=\"carrier\", nonce=\"n\", qop=\"auth\", stale=true";
        let other = "Digest realm=\"callee\", nonce=\"n\", qop=\"auth\"";
        let by_proxy = challenged(407, "Proxy-Authenticate", ours);
        assert_eq!(answer(&challenged(401, "WWW-Authenticate", ours), false), Some("Authorization"));
        assert_eq!(answer(&by_proxy, false), Some("Proxy-Authorization"));
        assert_eq!(answer(&by_proxy, true), None);
        assert_eq!(answer(&challenged(401, "WWW-Authenticate", late), true), Some("Authorization"));
        assert_eq!(answer(&challenged(401, "WWW-Authenticate", other), false), None);
        // A challenge of the wrong kind for its status is none.
        assert_eq!(answer(&challenged(401, "Proxy-Authenticate", ours), false), None);
        let both = challenged(401, "WWW-Authenticate", other).with("WWW-Authenticate", ours);
        assert_eq!(answer(&both, false), Some("Authorization"));
        assert_eq!(Account::realms(&both), ["callee", "carrier"]);
    }
}
