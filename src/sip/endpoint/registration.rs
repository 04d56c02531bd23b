//! Our own registrations with other registrars: a phone's side (RFC 3261 §10.2), for each account its own.

use std::collections::{BTreeMap, VecDeque};
use std::net::IpAddr;
use std::sync::Arc;

use super::{Endpoint, Event, Flows, Pending, Purpose, Timer, Way, retry_after_s};
use crate::sip::digest::Account;
use crate::sip::locate::NoWay;
use crate::sip::message::{Contacts, Message, Method, Uri};
use crate::sip::transaction::{Flow, TransactionKey};
use crate::time::{Now, TimerId};

/// Answers to challenges in a row after which the password counts as wrong: a registrar that challenges for ever is not followed.
const ANSWERS: u32 = 2;
/// When to try again after the first failure, and after many, ms (RFC 5626 §4.5: doubled each time, and drawn from the upper half so
/// that a carrier that comes back is not met by everybody at once).
const RETRY_MS: u64 = 30_000;
const RETRY_MOST_MS: u64 = 1_800_000;
/// The least that is asked for or believed, seconds.
const SHORTEST_S: u32 = 10;
/// The longest wait for a refresh, ms.
const LONGEST_MS: u64 = 3_600_000;
/// The same while another registrar than the first stands in: the first is asked again at each refresh, ms.
const RETURN_MS: u64 = 300_000;
/// How long before its end a registration is refreshed that may have to go to another registrar, ms: the silence of one lasts 32
/// seconds (RFC 3261 §17.1.2.2, timer F).
const ELSEWHERE_MS: u64 = 40_000;

/// Where to register, and as whom.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Registration {
    /// Who we are there.
    pub account: Arc<Account>,
    /// The address of record.
    pub aor: Uri,
    /// The user in our Contact: what calls for the registration are sent to.
    pub contact_user: String,
    /// Ways to registrars, the target of each being what is registered with: the next is tried where one does not answer.
    pub ways: Vec<Way>,
    /// Seconds asked for.
    pub expires_s: u32,
}

/// Where a registration stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// No answer yet.
    Trying,
    /// It holds.
    Registered {
        /// When it was last granted, wall ms.
        since_wall_ms: i64,
        /// Seconds granted.
        expires_s: u32,
    },
    /// The last try came to nothing; there will be another.
    Failed {
        /// The status; 408 where nothing came, 503 where nothing could be sent.
        code: u16,
    },
    /// Taken back.
    Gone,
}

/// A registration and how far it has come.
struct Held {
    registration: Registration,
    call_id: String,
    tag: String,
    cseq: u32,
    /// The way that is used now.
    way: usize,
    /// Where that leads, what is used now first; empty where it has to be looked for (again).
    hops: VecDeque<Flow>,
    /// What was used last.
    flow: Option<Flow>,
    expires_s: u32,
    sent: Option<(TransactionKey, Message)>,
    /// Challenges answered in the present try.
    answers: u32,
    /// Whether the present try was told that its time is too short.
    too_brief: bool,
    failures: u32,
    /// Where it holds, and until when (monotonic ns): calls come from there, whatever becomes of a refresh.
    bound: BTreeMap<IpAddr, u64>,
    timer: Option<TimerId>,
    standing: Standing,
}

impl Held {
    /// When to refresh what was granted for so long, ms: in good time, at the latest a quarter before its end.
    fn refresh_ms(&self, granted_ms: u64) -> u64 {
        let longest_ms = if self.way == 0 { LONGEST_MS } else { RETURN_MS };
        let in_time_ms = (granted_ms / 4 * 3).min(longest_ms);
        if self.registration.ways.len() == 1 {
            return in_time_ms;
        }
        in_time_ms.min(granted_ms.saturating_sub(ELSEWHERE_MS)).max(granted_ms / 4)
    }
}

/// All of them, by name.
#[derive(Default)]
pub(super) struct Registrations(BTreeMap<String, Held>);

impl Endpoint {
    /// Registers, and keeps the registration fresh from then on. Its news come as `RegistrationChanged`.
    pub fn register(&mut self, name: &str, registration: Registration, now: Now) {
        let (call_id, tag, expires_s) = (self.draw(), self.draw(), registration.expires_s);
        let held = Held {
            registration,
            call_id,
            tag,
            cseq: 0,
            way: 0,
            hops: VecDeque::new(),
            flow: None,
            expires_s,
            sent: None,
            answers: 0,
            too_brief: false,
            failures: 0,
            bound: BTreeMap::new(),
            timer: None,
            standing: Standing::Trying,
        };
        self.registrations.0.insert(name.to_owned(), held);
        self.send_register(name, now);
    }

    /// Takes a registration back; it is not tried again where the registrar does not hear it.
    pub fn unregister(&mut self, name: &str, now: Now) {
        if let Some(held) = self.registrations.0.get_mut(name) {
            held.expires_s = 0;
            self.send_register(name, now);
        }
    }

    /// Takes every registration back, those under way too, and begins no other.
    pub fn unregister_all(&mut self, now: Now) {
        let names: Vec<String> =
            self.registrations.0.iter().filter(|(_, held)| held.expires_s > 0).map(|(name, _)| name.clone()).collect();
        for name in names {
            let Some(held) = self.registrations.0.get_mut(&name) else { continue };
            if held.sent.is_some() || matches!(held.standing, Standing::Registered { .. }) {
                self.unregister(&name, now);
            } else {
                self.abandon_registration(&name);
            }
        }
    }

    /// Whether a registration that was taken back has no answer yet.
    pub fn is_unregistering(&self) -> bool {
        self.registrations.0.values().any(|held| held.expires_s == 0 && held.standing != Standing::Gone)
    }

    /// Waits no longer for the answers of registrars to a registration that was taken back.
    pub fn abandon_registrations(&mut self) {
        let names: Vec<String> = self.registrations.0.keys().cloned().collect();
        names.iter().for_each(|name| self.abandon_registration(name));
    }

    fn abandon_registration(&mut self, name: &str) {
        let Some(held) = self.registrations.0.get_mut(name) else { return };
        held.expires_s = 0;
        held.standing = Standing::Gone;
        let (timer, sent) = (held.timer.take(), held.sent.take());
        if let Some(timer) = timer {
            self.timers.disarm(timer);
        }
        if let Some((key, _)) = sent {
            self.purposes.remove(&key);
            self.transactions.forget(&key);
        }
    }

    /// Where each registration stands, with the flow that it used last.
    pub fn registrations(&self) -> impl Iterator<Item = (&str, Standing, Option<Flow>)> {
        self.registrations.0.iter().map(|(name, held)| (name.as_str(), held.standing, held.flow))
    }

    /// Whether a registration holds at that address.
    pub(super) fn is_registered_at(&self, name: &str, address: IpAddr, now: Now) -> bool {
        let until_ns = self.registrations.0.get(name).and_then(|held| held.bound.get(&address));
        until_ns.is_some_and(|until_ns| *until_ns > now.mono_ns)
    }

    /// It is time to register, for the first time or again.
    pub(super) fn send_register(&mut self, name: &str, now: Now) {
        let Some(held) = self.registrations.0.get_mut(name) else { return };
        held.bound.retain(|_, until_ns| *until_ns > now.mono_ns);
        if !held.hops.is_empty() {
            return self.send_register_by_hop(name, now);
        }
        let Some(Way { target, flow, .. }) = held.registration.ways.get(held.way).cloned() else { return };
        match self.flows_of(&target, flow, now) {
            Ok(Flows::Known(flows)) => self.handle_registrar_located(name, Ok(flows), now),
            Ok(Flows::Pending(id)) => {
                self.ways.pending.insert(id, Pending::Register(name.to_owned()));
            }
            Err(no_way) => self.handle_registrar_located(name, Err(no_way), now),
        }
    }

    /// It is known where the registrar is.
    pub(super) fn handle_registrar_located(&mut self, name: &str, flows: Result<VecDeque<Flow>, NoWay>, now: Now) {
        let Some(held) = self.registrations.0.get_mut(name) else { return };
        match flows {
            Ok(flows) => {
                held.hops = flows;
                self.send_register_by_hop(name, now);
            }
            Err(no_way) => {
                tracing::warn!(registration = name, %no_way, "a registrar is not to be found");
                self.fail_registration(name, 503, None, now);
            }
        }
    }

    fn send_register_by_hop(&mut self, name: &str, now: Now) {
        let Some(held) = self.registrations.0.get_mut(name) else { return };
        (held.answers, held.too_brief) = (0, false);
        let Registration { aor, contact_user, ways, .. } = &held.registration;
        let Some(registrar) = ways.get(held.way).map(|way| way.target.clone()) else { return };
        let Some(flow) = held.hops.front().copied() else { return };
        held.flow = Some(flow);
        let own = format!("<{aor}>");
        let contact_user = contact_user.clone();
        let mut request = Message::request(Method::Register, registrar.clone())
            .with("Max-Forwards", 70)
            .with("From", format!("{own};tag={}", held.tag))
            .with("To", own)
            .with("Call-ID", &held.call_id)
            .with("CSeq", "0 REGISTER")
            .with("Expires", held.expires_s);
        let contact = self.contact(&contact_user, flow, &registrar.scheme);
        request.push("Contact", contact);
        request.push("User-Agent", self.settings.product.clone());
        self.send_registering(name, request, flow, now);
    }

    fn send_registering(&mut self, name: &str, mut request: Message, flow: Flow, now: Now) {
        let Some(held) = self.registrations.0.get_mut(name) else { return };
        held.cseq += 1;
        request.set("CSeq", format!("{} REGISTER", held.cseq));
        let (timer, older) = (held.timer.take(), held.sent.take());
        if let Some(timer) = timer {
            self.timers.disarm(timer);
        }
        if let Some((older, _)) = older {
            self.purposes.remove(&older);
            self.transactions.forget(&older);
        }
        let key = self.send(request.clone(), flow, now);
        self.purposes.insert(key.clone(), Purpose::Registering(name.to_owned()));
        if let Some(held) = self.registrations.0.get_mut(name) {
            held.sent = Some((key, request));
        }
    }

    pub(super) fn handle_register_response(&mut self, name: &str, msg: &Message, now: Now) {
        let cnonce = self.draw();
        let Some(held) = self.registrations.0.get_mut(name) else { return };
        let code = msg.code().unwrap_or_default();
        let Some((_, mut request)) = held.sent.take() else { return };
        let flow = held.flow;
        match (code, flow) {
            (200..=299, _) => self.settle_registration(name, &request, msg, now),
            (401 | 407, Some(flow)) if held.answers < ANSWERS => {
                let again = held.answers > 0;
                let Some((header, answer)) = held.registration.account.answer(msg, &request, again, &cnonce) else {
                    let realms = Account::realms(msg).join(", ");
                    let known = &held.registration.account.realm;
                    tracing::warn!(
                        registration = name,
                        code,
                        realms,
                        known,
                        "a challenge to a registration was not answered: the password is wrong, or the realm is another than the one that is set"
                    );
                    return self.fail_registration(name, code, None, now);
                };
                held.answers += 1;
                request.remove("Authorization");
                request.remove("Proxy-Authorization");
                request.push(header, answer);
                self.send_registering(name, request, flow, now);
            }
            // The registrar wants to hear from us less often (§10.3).
            (423, Some(flow)) => {
                let least = msg.header("Min-Expires").and_then(|value| value.trim().parse::<u32>().ok());
                match least.filter(|least| *least > held.expires_s && held.expires_s > 0 && !held.too_brief) {
                    Some(least) => {
                        (held.expires_s, held.too_brief, held.answers) = (least, true, 0);
                        request.set("Expires", least);
                        // The answer to the last challenge was spent on this refusal.
                        request.remove("Authorization");
                        request.remove("Proxy-Authorization");
                        self.send_registering(name, request, flow, now);
                    }
                    None => self.fail_registration(name, code, None, now),
                }
            }
            _ => {
                self.fail_registration(name, code, retry_after_s(msg), now);
            }
        }
    }

    pub(super) fn handle_register_silence(&mut self, name: &str, code: u16, now: Now) {
        self.fail_registration(name, code, None, now);
    }

    fn settle_registration(&mut self, name: &str, request: &Message, response: &Message, now: Now) {
        let Some(held) = self.registrations.0.get_mut(name) else { return };
        held.failures = 0;
        held.hops.clear();
        if held.expires_s == 0 {
            held.standing = Standing::Gone;
            held.bound.clear();
        } else {
            let granted = granted(request, response).unwrap_or(held.expires_s).max(SHORTEST_S);
            if !matches!(held.standing, Standing::Registered { .. }) {
                tracing::info!(registration = name, expires_s = granted, "registered");
            }
            held.standing = Standing::Registered { since_wall_ms: now.wall_ms, expires_s: granted };
            if let Some(flow) = held.flow {
                held.bound.insert(flow.remote.ip(), now.in_ms(u64::from(granted) * 1_000));
            }
            let wait_ms = held.refresh_ms(u64::from(granted) * 1_000);
            held.way = 0;
            held.timer = Some(self.timers.arm(now.in_ms(wait_ms), Timer::Register(name.to_owned())));
        }
        self.tell_registration(name, 200);
    }

    /// The next hop or way is tried at once, and after all of them the first one again after a while that grows: not before
    /// `after_s`, where the registrar said so. A refresh that goes on elsewhere leaves what was granted before as it is.
    fn fail_registration(&mut self, name: &str, code: u16, after_s: Option<u64>, now: Now) {
        let chance = self.draw_u128() as u64;
        let Some(held) = self.registrations.0.get_mut(name) else { return };
        held.sent = None;
        match held.hops.pop_front() {
            Some(failed) if matches!(code, 408 | 503) => {
                self.locator.note_failure(failed.transport, failed.remote, now);
            }
            // It was answered, and the others of its domain know no better.
            _ => held.hops.clear(),
        }
        if held.expires_s == 0 {
            held.standing = Standing::Gone;
            held.bound.clear();
            return self.tell_registration(name, code);
        }
        held.way += usize::from(held.hops.is_empty());
        let wait_ms = if held.way < held.registration.ways.len() {
            if !held.bound.values().any(|until_ns| *until_ns > now.mono_ns) {
                held.standing = Standing::Trying;
            }
            0
        } else {
            held.way = 0;
            held.standing = Standing::Failed { code };
            let most = (RETRY_MS << held.failures.min(10)).min(RETRY_MOST_MS);
            held.failures += 1;
            let asked_ms = after_s.map_or(0, |seconds| seconds.saturating_mul(1_000).min(RETRY_MOST_MS));
            asked_ms.max(most / 2 + chance % (most / 2))
        };
        held.timer = Some(self.timers.arm(now.in_ms(wait_ms), Timer::Register(name.to_owned())));
        tracing::warn!(registration = name, code, wait_ms, "a registration failed and is tried again");
        self.tell_registration(name, code);
    }

    fn tell_registration(&mut self, name: &str, code: u16) {
        self.events.push_back(Event::RegistrationChanged { name: name.to_owned(), code });
    }
}

/// Seconds that a registrar granted: those of our Contact, else those of the answer as a whole (§10.2.4).
fn granted(request: &Message, response: &Message) -> Option<u32> {
    let ours = match request.contacts().ok()? {
        Contacts::List(list) => list.into_iter().next()?.uri,
        Contacts::All => return None,
    };
    let bound = match response.contacts() {
        Ok(Contacts::List(list)) => list,
        _ => Vec::new(),
    };
    let port = |uri: &Uri| uri.port.unwrap_or(5060);
    let same = |uri: &Uri| uri.user == ours.user && uri.host == ours.host && port(uri) == port(&ours);
    let own = bound.iter().find(|contact| same(&contact.uri)).and_then(|contact| contact.expires());
    // A registrar may tell our Contact as it sees us: then the shortest of those that it has is safe.
    let least = || bound.iter().filter_map(|contact| contact.expires()).min();
    own.or_else(|| response.expires()).or_else(least)
}
