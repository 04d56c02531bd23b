//! Our own registration with another registrar: a phone's side (RFC 3261 §10.2).

use super::{Endpoint, Event, Purpose, Timer};
use crate::sip::digest::{Answering, Challenge, Secret};
use crate::sip::message::{Message, Method, Uri};
use crate::sip::transaction::Flow;
use crate::time::Now;

/// Answers to challenges in a row after which the password counts as wrong: a registrar that challenges for ever is not followed.
const TRIES: u32 = 2;
/// When to try again after a failure, ms.
const RETRY_MS: u64 = 30_000;

/// Where to register, and as whom.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Registration {
    /// The user's name, at the registrar and in its challenge.
    pub user: String,
    /// The password.
    pub password: Secret,
    /// The only realm whose challenges are answered.
    pub realm: String,
    /// The way to the registrar.
    pub flow: Flow,
    /// Seconds asked for.
    pub expires_s: u32,
}

/// A registration and how far it has come.
pub(super) struct Account {
    registration: Registration,
    call_id: String,
    tag: String,
    cseq: u32,
    tries: u32,
    expires_s: u32,
}

impl Endpoint {
    /// Registers, and keeps the registration fresh from then on. Its news come as `RegistrationChanged`.
    pub fn register(&mut self, registration: Registration, now: Now) {
        let (call_id, tag, expires_s) = (self.draw(), self.draw(), registration.expires_s);
        self.registration = Some(Account { registration, call_id, tag, cseq: 0, tries: 0, expires_s });
        self.send_register(None, now);
    }

    /// Takes the registration back.
    pub fn unregister(&mut self, now: Now) {
        if let Some(account) = &mut self.registration {
            account.expires_s = 0;
            account.tries = 0;
            self.send_register(None, now);
        }
    }

    /// Whether challenges can be answered.
    pub(in crate::sip) fn has_account(&self) -> bool {
        self.registration.is_some()
    }

    /// The `Authorization` for a request of ours that the registrar's realm challenged; `None` where it is another's realm.
    pub(in crate::sip) fn answer_to(&mut self, msg: &Message, method: &str, uri: &str) -> Option<String> {
        let cnonce = self.draw();
        let Registration { user, password, realm, .. } = &self.registration.as_ref()?.registration;
        let challenge = Challenge::strongest(msg.header_all("WWW-Authenticate"))?;
        let with = Answering { user, password: password.expose(), method, uri, cnonce: &cnonce, nc: 1 };
        (challenge.realm == *realm).then(|| challenge.answer(&with))
    }

    pub(super) fn send_register(&mut self, challenge: Option<&Challenge>, now: Now) {
        let cnonce = self.draw();
        let Some(account) = &mut self.registration else { return };
        account.cseq += 1;
        let Registration { user, password, flow, .. } = &account.registration;
        let (flow, host) = (*flow, flow.remote.to_string());
        let uri = format!("sip:{host}");
        let target = Uri::sip(None, &flow.remote.ip().to_string(), Some(flow.remote.port()));
        let own = format!("<sip:{user}@{host}>");
        let mut request = Message::request(Method::Register, target)
            .with("Max-Forwards", 70)
            .with("From", format!("{own};tag={}", account.tag))
            .with("To", own)
            .with("Call-ID", &account.call_id)
            .with("CSeq", format!("{} REGISTER", account.cseq))
            .with("Expires", account.expires_s);
        if let Some(challenge) = challenge {
            let with =
                Answering { user, password: password.expose(), method: "REGISTER", uri: &uri, cnonce: &cnonce, nc: 1 };
            request.push("Authorization", challenge.answer(&with));
        }
        let user = user.clone();
        request.push("Contact", format!("<sip:{user}@{}>", self.settings.advertised(flow)));
        let key = self.send(request, flow, now);
        self.purposes.insert(key, Purpose::Registering);
    }

    pub(super) fn handle_register_response(&mut self, msg: &Message, now: Now) {
        let Some(account) = &mut self.registration else { return };
        let code = msg.code().unwrap_or_default();
        if code == 401 && account.tries < TRIES {
            account.tries += 1;
            let realm = &account.registration.realm;
            let challenge =
                Challenge::strongest(msg.header_all("WWW-Authenticate")).filter(|challenge| challenge.realm == *realm);
            if let Some(challenge) = challenge {
                return self.send_register(Some(&challenge), now);
            }
        }
        account.tries = 0;
        let wait_ms = match code {
            200..=299 if account.expires_s == 0 => None,
            // In good time: three quarters of what was granted at most an hour.
            200..=299 => Some(u64::from(account.expires_s) * 750),
            _ => Some(RETRY_MS),
        };
        if let Some(wait_ms) = wait_ms {
            self.timers.arm(now.in_ms(wait_ms), Timer::Register);
        }
        self.events.push_back(Event::RegistrationChanged { code });
    }

    pub(super) fn handle_register_silence(&mut self, now: Now) {
        self.timers.arm(now.in_ms(RETRY_MS), Timer::Register);
        self.events.push_back(Event::RegistrationChanged { code: 408 });
    }
}
