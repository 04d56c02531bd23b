//! Phones that register (RFC 3261 §10.3), by proxies (Path, RFC 3327) and over flows of their own (Outbound, RFC 5626), and whether
//! they still answer.

use super::{Confirmation, Endpoint, Event, NextHop, Purpose, REGISTER_SUPPORTED, Way, user_of};
use crate::sip::dialog::uri_of;
use crate::sip::invite::is_translated;
use crate::sip::message::{Contacts, Message, Method, NameAddr, Scheme, Uri, reason_phrase, response_to};
use crate::sip::registrar::{Binding, Bound, ContactUpdate, Contacts as Wanted, RegisterRequest};
use crate::sip::transaction::{Flow, TransactionKey};
use crate::time::Now;

impl Endpoint {
    pub(super) fn handle_register(&mut self, key: TransactionKey, msg: Message, flow: Flow, now: Now) {
        if self.refusing {
            return self.turn_away(&key, &msg, flow.remote.ip(), (503, &[]), now);
        }
        let Some(user) = self.authenticate(&key, &msg, flow.remote.ip(), now) else { return };
        if self.trunk_by_user(&user).is_some() {
            // A trunk proves its calls by this password; it has no phone that could be called.
            return self.reply(&key, &msg, 403, now);
        }
        if msg.from().ok().and_then(|from| from.uri.plain_user()).as_deref() != Some(user.as_str()) {
            // Proved as A, speaking as B; nobody registers for others here.
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
                        instance: if outbound { flow_of(&contact) } else { phone_of(&contact) },
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
    pub(super) fn qualify(&mut self, aor: String, uri: String, now: Now) {
        let Some(binding) = self.registrar.contact(&aor, &uri) else { return };
        let (Some((target, next)), Ok(flow)) = (self.hop_to(binding), binding.flow.parse()) else {
            self.registrar.handle_qualify_result(&aor, &uri, false, now);
            return;
        };
        let path = binding.path.clone();
        let mut request = self.options(target, flow);
        path.iter().for_each(|hop| request.push("Route", hop));
        self.send_towards(request, Some(Purpose::Qualify { aor, uri, by_proxy: !path.is_empty() }), next, now);
    }

    /// The ways to a phone, one after the other. Where its Contact has a name that leads nowhere, it may be where it has come from.
    pub fn ways_to(&self, binding: &Binding) -> Vec<Way> {
        let Some((target, next)) = self.hop_to(binding) else { return Vec::new() };
        let flows = match next {
            NextHop::Flow(flow) => vec![Some(flow)],
            // Who wants no plain text does not get it after all.
            NextHop::Uri { uri, otherwise } if uri.scheme == Scheme::Sips && !otherwise.transport.is_secure() => {
                vec![None]
            }
            NextHop::Uri { otherwise, .. } => vec![None, Some(otherwise)],
        };
        let way = |flow| Way { target: target.clone(), flow, routes: binding.path.clone() };
        flows.into_iter().map(way).collect()
    }

    /// A phone's URI and where requests to it go: to where its REGISTER came from, where that is a stream which is open or nothing
    /// else leads there; else to its Contact (RFC 3263), or to the proxy before it.
    fn hop_to(&self, binding: &Binding) -> Option<(Uri, NextHop)> {
        let (target, flow) = (binding.uri.parse::<Uri>().ok()?, binding.flow.parse::<Flow>().ok()?);
        let nat = self.settings.users.get(user_of(&binding.aor)).is_some_and(|user| user.nat);
        let there = NextHop::Flow(flow);
        if self.ways.is_connected(flow) || binding.instance.is_some() || !flow.transport.can_be_opened() {
            return Some((target, there));
        }
        let next = match binding.path.first() {
            // A proxy registers its phones from where it takes their calls, unless a stream that is closed led there.
            Some(_) if !flow.is_reliable() => there,
            Some(hop) => {
                let uri = uri_of(hop).parse::<Uri>().ok();
                uri.and_then(|uri| self.way_by(&uri, flow)).map_or(there, NextHop::Flow)
            }
            None if is_translated(&target, flow, nat) => there,
            None => match self.way_by(&target, flow) {
                Some(way) => NextHop::Flow(way),
                None => NextHop::Uri { uri: target.clone(), otherwise: flow },
            },
        };
        Some((target, next))
    }

    /// The way that a URI with an address names, from where its party came to if that fits.
    fn way_by(&self, uri: &Uri, came: Flow) -> Option<Flow> {
        came.towards(uri).or_else(|| self.settings.way_of(uri))
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

/// Whether an answer to OPTIONS comes from the phone itself. A proxy before it speaks for one that it does not reach: 408, 430 (RFC
/// 5626 §5.3.1), 477 (Kamailio), and what a gateway says of the next hop.
pub(super) fn is_the_phones(code: u16, by_proxy: bool) -> bool {
    !(by_proxy && matches!(code, 408 | 430 | 477 | 502..=504))
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
            Ok(Contacts::List(list)) => list.iter().any(|contact| flow_of(contact).is_some()),
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

/// Who a contact says that its phone is.
fn instance_of(contact: &NameAddr) -> Option<&str> {
    let instance = contact.params.value("+sip.instance")?.trim_matches('"');
    (instance.len() <= 128 && !instance.contains(';')).then_some(instance)
}

/// A contact's instance and which of its flows this is.
fn flow_of(contact: &NameAddr) -> Option<String> {
    let flow: u32 = contact.params.value("reg-id")?.parse().ok().filter(|flow| *flow > 0)?;
    Some(format!("{};reg-id={flow}", instance_of(contact)?))
}

/// The instance of a contact that is its phone's only one.
fn phone_of(contact: &NameAddr) -> Option<String> {
    instance_of(contact).filter(|_| contact.params.value("reg-id").is_none()).map(str::to_owned)
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sip::endpoint::{Admission, Settings};
    use crate::sip::invite::testing::endpoint;
    use crate::sip::message::{Framing, judge};
    use crate::sip::transaction::Transport;

    const START: Now = Now { mono_ns: 0, wall_ms: 0 };
    const OWN: &str = "127.0.0.1:5060";

    fn switch(nat: bool) -> Endpoint {
        let listen = vec![(Transport::Udp, OWN.parse().unwrap()), (Transport::Tcp, OWN.parse().unwrap())];
        let mut settings = Settings { listen, ..endpoint(Admission::Guarded, 1).settings };
        settings.users.values_mut().for_each(|user| user.nat = nat);
        Endpoint::new(settings, 1, rand_core::SeedableRng::seed_from_u64(1))
    }

    fn binding(endpoint: &Endpoint, uri: &str, flow: &str) -> Binding {
        Binding {
            aor: endpoint.aor("1001"),
            uri: uri.to_owned(),
            call_id: "c".into(),
            cseq: 1,
            expires_wall_ms: 60_000,
            updated_wall_ms: 0,
            q: 1_000,
            flow: format!("{flow}@{OWN}"),
            path: Vec::new(),
            instance: None,
        }
    }

    /// The ways to a phone: flows without our end, or `dns`.
    fn ways(endpoint: &Endpoint, binding: &Binding) -> Vec<String> {
        let word =
            |way: Way| way.flow.map_or("dns".to_owned(), |flow| flow.to_string().replace(&format!("@{OWN}"), ""));
        endpoint.ways_to(binding).into_iter().map(word).collect()
    }

    #[test]
    fn a_phone_is_called_at_its_contact_unless_only_its_own_way_leads_there() {
        for (uri, flow, nat, wanted) in [
            ("sip:1001@127.0.0.1:6100", "udp:127.0.0.1:6000", false, vec!["udp:127.0.0.1:6100"]),
            ("sip:1001@127.0.0.1:6100;transport=tcp", "udp:127.0.0.1:6000", false, vec!["tcp:127.0.0.1:6100"]),
            ("sip:1001@127.0.0.1:6100", "udp:127.0.0.1:6000", true, vec!["udp:127.0.0.1:6000"]),
            ("sip:1001@192.168.1.2", "udp:203.0.113.5:6000", false, vec!["udp:203.0.113.5:6000"]),
            ("sip:1001@phone.example", "udp:127.0.0.1:6000", false, vec!["dns", "udp:127.0.0.1:6000"]),
            ("sips:1001@phone.example", "udp:127.0.0.1:6000", false, vec!["dns"]),
            ("sip:1001@127.0.0.1:6100;transport=tcp", "tcp:127.0.0.1:6000", false, vec!["tcp:127.0.0.1:6100"]),
            ("sip:1001@x.invalid;transport=ws", "ws:127.0.0.1:6000", false, vec!["ws:127.0.0.1:6000"]),
        ] {
            let endpoint = switch(nat);
            assert_eq!(ways(&endpoint, &binding(&endpoint, uri, flow)), wanted, "{uri} {flow}");
        }
    }

    #[test]
    fn a_phones_stream_is_used_while_it_is_open_and_outbound_has_nothing_else() {
        let mut endpoint = switch(false);
        let direct = binding(&endpoint, "sip:1001@127.0.0.1:6100;transport=tcp", "tcp:127.0.0.1:6000");
        let outbound = Binding { instance: Some("<urn:uuid:x>;reg-id=1".into()), ..direct.clone() };
        let by_proxy = Binding { path: vec!["<sip:127.0.0.1:6200;transport=tcp;lr>".into()], ..direct.clone() };
        let text = format!(
            "OPTIONS sip:{OWN} SIP/2.0\r\nVia: SIP/2.0/TCP 127.0.0.1:6000;branch=z9hG4bKo\r\nFrom: <sip:1@{OWN}>;tag=f\r\n\
             To: <sip:{OWN}>\r\nCall-ID: o\r\nCSeq: 1 OPTIONS\r\nMax-Forwards: 70\r\nContent-Length: 0\r\n\r\n"
        );
        let flow = direct.flow.parse().unwrap();
        endpoint.handle_verdict(judge(text.as_bytes(), Framing::Stream), flow, START);
        for one in [&direct, &outbound, &by_proxy] {
            assert_eq!(ways(&endpoint, one), ["tcp:127.0.0.1:6000"]);
        }
        endpoint.handle_flow_broken(flow, START);
        assert_eq!(ways(&endpoint, &direct), ["tcp:127.0.0.1:6100"]);
        assert_eq!(ways(&endpoint, &outbound), ["tcp:127.0.0.1:6000"]);
        assert_eq!(ways(&endpoint, &by_proxy), ["tcp:127.0.0.1:6200"]);
    }
}
