//! Phones that register (RFC 3261 §10.3), by proxies (Path, RFC 3327) and over flows of their own (Outbound, RFC 5626), and whether
//! they still answer.

use super::{Confirmation, Endpoint, Event, Purpose, REGISTER_SUPPORTED};
use crate::sip::message::{Contacts, Message, Method, NameAddr, Uri, reason_phrase, response_to};
use crate::sip::registrar::{Bound, ContactUpdate, Contacts as Wanted, RegisterRequest};
use crate::sip::transaction::{Flow, TransactionKey};
use crate::time::Now;

impl Endpoint {
    pub(super) fn handle_register(&mut self, key: TransactionKey, msg: Message, flow: Flow, now: Now) {
        if self.refusing {
            return self.reply(&key, &msg, 503, now);
        }
        let Some(user) = self.authenticate(&key, &msg, flow.remote.ip(), now) else { return };
        if self.trunk_by_user(&user).is_some() {
            // A trunk proves its calls by this password; it has no phone that could be called.
            return self.reply(&key, &msg, 403, now);
        }
        let outbound = Outbound::of(&msg);
        if outbound == Outbound::Broken {
            // The proxy before us would not keep the phone's flow (RFC 5626 §6).
            let tag = self.draw();
            let response = response_to(&msg, 439, "First Hop Lacks Outbound Support", Some(&tag));
            return self.respond(&key, response, now);
        }
        let request = self.register_request(&msg, user, flow, outbound == Outbound::Wanted);
        let Some(request) = request else { return self.reply(&key, &msg, 400, now) };
        let outcome = self.registrar.handle_register(&request, now);
        let tag = self.draw();
        match outcome {
            Ok(registered) => {
                let mut accepted = response_to(&msg, 200, reason_phrase(200), Some(&tag));
                for bound in &registered.bindings {
                    accepted.push("Contact", contact_value(bound));
                }
                accepted.push("Supported", REGISTER_SUPPORTED);
                if outbound == Outbound::Wanted {
                    accepted.push("Require", "outbound");
                }
                if msg.names("Supported", "path") {
                    request.path.iter().for_each(|hop| accepted.push("Path", hop));
                }
                if registered.changes.is_empty() {
                    self.respond(&key, accepted, now);
                } else {
                    let confirmation = Box::new(Confirmation { key, request: msg, accepted });
                    self.events.push_back(Event::Registered { confirmation, changes: registered.changes });
                }
                self.drain_registrar(now);
            }
            Err(error) => {
                tracing::info!(user = %request.user, %error, "a registration was refused");
                let status = error.status();
                let mut response = response_to(&msg, status, reason_phrase(status), Some(&tag));
                if let Some(seconds) = error.min_expires_s() {
                    response.push("Min-Expires", seconds);
                }
                self.respond(&key, response, now);
            }
        }
    }

    fn register_request(&self, msg: &Message, user: String, flow: Flow, outbound: bool) -> Option<RegisterRequest> {
        // Whatever host a phone writes, there is one domain here: that of the realm.
        let named = msg.to().ok()?.uri.plain_user()?;
        let contacts = match msg.contacts().ok()? {
            Contacts::All => Wanted::RemoveAll,
            Contacts::List(list) if list.is_empty() => Wanted::Query,
            Contacts::List(list) => Wanted::Set(
                list.into_iter()
                    .map(|contact| ContactUpdate {
                        expires: contact.expires(),
                        q: contact.params.value("q").and_then(thousandths),
                        instance: instance_of(&contact).filter(|_| outbound),
                        uri: contact.uri.to_string(),
                    })
                    .collect(),
            ),
        };
        Some(RegisterRequest {
            aor: self.aor(&named),
            user,
            call_id: msg.call_id()?.to_owned(),
            cseq: msg.cseq().ok()?.number,
            contacts,
            default_expires: msg.expires(),
            flow: flow.to_string(),
            path: msg.addresses("Path").ok()?.iter().map(ToString::to_string).collect(),
        })
    }

    /// The address of record of a user.
    pub fn aor(&self, user: &str) -> String {
        format!("sip:{user}@{}", self.settings.digest.realm)
    }

    /// The changes of a REGISTER are safe: its 200 leaves.
    pub fn confirm(&mut self, confirmation: Confirmation, now: Now) {
        self.respond(&confirmation.key, confirmation.accepted, now);
    }

    /// The changes of a REGISTER cannot be made safe: 503. They hold until the next start all the same, and the phone asks again.
    pub fn refuse_confirmation(&mut self, confirmation: &Confirmation, now: Now) {
        self.reply(&confirmation.key, &confirmation.request, 503, now);
    }

    /// Asks a contact whether it still answers.
    pub(super) fn qualify(&mut self, aor: String, uri: String, flow: &str, path: &[String], now: Now) {
        let (Ok(flow), Ok(target)) = (flow.parse::<Flow>(), uri.parse::<Uri>()) else {
            self.registrar.handle_qualify_result(&aor, &uri, false, now);
            return;
        };
        let mut request = self.options(target, flow);
        path.iter().for_each(|hop| request.push("Route", hop));
        let key = self.send(request, flow, now);
        self.purposes.insert(key, Purpose::Qualify { aor, uri });
    }

    /// A question whether somebody is there (RFC 3261 §11).
    pub(super) fn options(&mut self, target: Uri, flow: Flow) -> Message {
        let own = format!("<sip:{}>", self.settings.advertised(flow));
        let (tag, call_id, to) = (self.draw(), self.draw(), format!("<{target}>"));
        Message::request(Method::Options, target)
            .with("From", format!("{own};tag={tag}"))
            .with("To", to)
            .with("Call-ID", call_id)
            .with("CSeq", "1 OPTIONS")
            .with("Max-Forwards", 70)
            .with("Accept", "application/sdp")
    }
}

/// Whether a phone registers over flows of its own (RFC 5626).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outbound {
    No,
    Wanted,
    /// It would, and a proxy on the way does not know how.
    Broken,
}

impl Outbound {
    fn of(msg: &Message) -> Self {
        let named = match msg.contacts() {
            Ok(Contacts::List(list)) => list.iter().any(|contact| instance_of(contact).is_some()),
            _ => false,
        };
        if !named || !msg.names("Supported", "outbound") {
            return Self::No;
        }
        let path = msg.addresses("Path").unwrap_or_default();
        // The proxy next to the phone stands last.
        let kept = path.last().is_some_and(|edge| edge.uri.params.has("ob"));
        let direct = path.is_empty() && msg.vias().is_ok_and(|vias| vias.len() == 1);
        if kept || direct { Self::Wanted } else { Self::Broken }
    }
}

/// A contact's instance and which of its flows this is.
fn instance_of(contact: &NameAddr) -> Option<String> {
    let flow: u32 = contact.params.value("reg-id")?.parse().ok().filter(|flow| *flow > 0)?;
    let instance = contact.params.value("+sip.instance")?.trim_matches('"');
    (instance.len() <= 128).then(|| format!("{instance};reg-id={flow}"))
}

fn contact_value(bound: &Bound) -> String {
    let quality = if bound.q == 1000 { String::new() } else { format!(";q=0.{:03}", bound.q) };
    format!("<{}>;expires={}{quality}", bound.uri, bound.expires_s)
}

/// `0.7` as 700 (RFC 3261 §25.1: up to three digits).
fn thousandths(text: &str) -> Option<u16> {
    let value: f32 = text.parse().ok()?;
    (0.0..=1.0).contains(&value).then(|| (value * 1000.0).round() as u16)
}
