//! The SIP endpoint: one party that receives and places calls, registers phones and answers for itself.
//!
//! It joins transactions, dialogs, the registrar and digest authentication. Messages and time go in with `handle_*`, the acts of a
//! session are its methods (`invite/`, a file per act), and [`Endpoint::poll_event`] and [`Endpoint::poll_transmit`] say what came
//! of it. Session descriptions pass through as bytes.

mod admission;
mod event;
mod phones;
mod purpose;
mod registration;
#[cfg(test)]
mod registration_tests;
mod requests;
mod settings;
mod strangers;
mod subscriptions;
#[cfg(test)]
mod subscriptions_tests;
mod trunks;
mod ways;

pub use super::invite::{Dial, WAY_PATIENCE_MS, Way, is_about_the_way};
pub use event::{Carried, Confirmation, DialogFacts, Event, Identity, Invite, Why};
pub(in crate::sip) use purpose::{Purpose, Timer};
pub use registration::{Registration, Standing};
pub(in crate::sip) use requests::retry_after_s;
pub use settings::{Admission, Settings, User};
pub use trunks::{TrunkCall, TrunkStatus};
pub(in crate::sip) use ways::{Flows, NextHop, Pending, why_not};

use std::collections::{BTreeMap, VecDeque};

use rand_chacha::ChaCha12Rng;
use rand_core::Rng;

use super::digest::Authenticator;
use super::guard::{Guard, Offence};
use super::invite::Session;
use super::locate::Locator;
use super::message::{Message, Method, Verdict};
use super::overload::{self, Overload};
use super::registrar::{self, Registrar};
use super::subscription::Subscriptions;
use super::transaction::{Flow, TransactionEvent, TransactionKey, Transactions, Transmit, Transport};
use crate::id::{LegId, TrunkId};
use crate::time::{Now, Timers};

/// The methods that we serve, for Allow.
pub(in crate::sip) const ALLOW: &str =
    "INVITE, ACK, BYE, CANCEL, OPTIONS, REGISTER, INFO, UPDATE, PRACK, REFER, SUBSCRIBE";

/// The extensions that we know, for Supported; who requires another one gets 420.
pub(in crate::sip) const SUPPORTED: &str = "100rel, timer, replaces, norefersub";

/// Those that we know in a REGISTER.
pub(in crate::sip) const REGISTER_SUPPORTED: &str = "path, outbound";

/// The bodies that we read, for Accept.
pub(in crate::sip) const ACCEPT: &str = "application/sdp, multipart/mixed, multipart/alternative, multipart/related";

/// Figures since the start, for metrics.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// INVITEs outside dialogs that came in.
    pub invites: u64,
    /// Final responses to them by status.
    pub responses: BTreeMap<u16, u64>,
    /// Requests that were challenged.
    pub challenges: u64,
    /// Answers to challenges that were wrong.
    pub wrong_answers: u64,
    /// Messages that were refused or dropped before they were read whole.
    pub malformed: u64,
    /// Requests that got no answer because their source asked too often.
    pub slowed: u64,
    /// Messages of banned sources.
    pub ignored: u64,
    /// Sources that were banned.
    pub banned: u64,
}

/// One SIP endpoint.
pub struct Endpoint {
    pub(in crate::sip) settings: Settings,
    pub(in crate::sip) transactions: Transactions,
    pub(in crate::sip) registrar: Registrar,
    authenticator: Authenticator,
    guard: Guard,
    overload: Overload,
    // In boxes, as a map that grows at its end leaves much of its room empty.
    pub(in crate::sip) sessions: BTreeMap<LegId, Box<Session>>,
    /// By Call-ID and our tag.
    pub(in crate::sip) dialogs: BTreeMap<(String, String), LegId>,
    /// INVITEs of ours without a final response, by Call-ID and our tag.
    pub(in crate::sip) dialling: BTreeMap<(String, String), LegId>,
    pub(in crate::sip) purposes: BTreeMap<TransactionKey, Purpose>,
    pub(in crate::sip) timers: Timers<Timer>,
    pub(in crate::sip) events: VecDeque<Event>,
    pub(in crate::sip) counts: Counts,
    registrations: registration::Registrations,
    pub(in crate::sip) locator: Locator,
    pub(in crate::sip) ways: ways::Ways,
    trunks: BTreeMap<TrunkId, trunks::State>,
    subscriptions: Subscriptions,
    /// Calls that each user's phones have placed.
    user_calls: BTreeMap<String, u32>,
    /// Call-ID and our tag of INVITEs that were given up without a final response: an answer may still come.
    pub(in crate::sip) given_up: VecDeque<(String, String)>,
    rng: ChaCha12Rng,
    boot: u32,
    legs: u64,
    refusing: bool,
}

impl Endpoint {
    /// An endpoint without calls. `boot` counts the starts of the daemon; `rng` draws tags, branches, Call-IDs and nonces.
    pub fn new(settings: Settings, boot: u32, mut rng: ChaCha12Rng) -> Self {
        let mut key = [0; 32];
        rng.fill_bytes(&mut key);
        let mut seed = [0; 32];
        rng.fill_bytes(&mut seed);
        let mut lots = [0; 32];
        rng.fill_bytes(&mut lots);
        let locator = Locator::new(&settings.listen, rand_core::SeedableRng::from_seed(lots));
        let mut transactions = Transactions::new(rand_core::SeedableRng::from_seed(seed));
        let tcp = settings.listen.iter().filter(|(transport, _)| *transport == Transport::Tcp);
        transactions.set_streams(tcp.map(|(_, own)| *own).collect());
        Self {
            transactions,
            registrar: Registrar::new(settings.registrar.clone()),
            authenticator: Authenticator::new(settings.digest.clone(), key),
            guard: Guard::new(settings.guard),
            overload: Overload::default(),
            sessions: BTreeMap::new(),
            dialogs: BTreeMap::new(),
            dialling: BTreeMap::new(),
            purposes: BTreeMap::new(),
            timers: Timers::default(),
            events: VecDeque::new(),
            counts: Counts::default(),
            registrations: Default::default(),
            locator,
            ways: Default::default(),
            trunks: settings.trunks.iter().map(|(id, trunk)| (id.clone(), trunks::State::of(trunk))).collect(),
            subscriptions: Subscriptions::default(),
            user_calls: BTreeMap::new(),
            settings,
            given_up: VecDeque::new(),
            rng,
            boot,
            legs: 0,
            refusing: false,
        }
    }

    /// A name for a leg that is about to be dialled.
    pub fn next_leg(&mut self) -> LegId {
        self.legs += 1;
        LegId::new(self.boot, self.legs)
    }

    /// Whether new calls and OPTIONS get 503: a stop is under way, or the journal takes no more.
    pub fn set_refusing(&mut self, refusing: bool) {
        self.refusing = refusing;
    }

    /// Who may call from now on, and what they reach at any time. Bindings of those who are gone run out.
    pub fn set_users(&mut self, users: BTreeMap<String, User>, emergency: Vec<String>) {
        (self.settings.users, self.settings.emergency) = (users, emergency);
    }

    /// Says how long the message that comes next has waited for its turn (nanoseconds): where that is too long for too long, new
    /// calls get 503.
    pub fn handle_wait(&mut self, waited_ns: u64, now: Now) {
        let before = self.overload.sheds();
        self.overload.handle_wait(waited_ns, now);
        if self.overload.sheds() && !before {
            let waited_ms = waited_ns / crate::time::MS;
            tracing::warn!(waited_ms, "signalling is late: new calls get 503 until it has caught up");
        }
    }

    /// Whether a message is a call that belongs to none which is there.
    fn opens_a_call(&self, msg: &Message) -> bool {
        let outside = msg.method() == Some(&Method::Invite) && msg.to_tag().is_none();
        outside && !matches!(self.replaced_by(msg), Ok(Some(_)))
    }

    fn is_emergency(&self, msg: &Message) -> bool {
        overload::is_emergency(msg.uri(), &self.settings.emergency)
    }

    /// Calls that were shed since the start.
    pub fn shed(&self) -> u64 {
        self.transactions.shed()
    }

    /// Takes a message as [`super::message::judge`] saw it.
    pub fn handle_verdict(&mut self, verdict: Verdict, source: Flow, now: Now) {
        if self.is_ignored(&verdict, source.remote.ip(), now) {
            self.counts.ignored += 1;
            return;
        }
        // While new calls are refused, strangers get no more refusals than they get answers at other times.
        let late = self.overload.sheds();
        let shed = late && matches!(&verdict, Verdict::Accept(msg) if self.opens_a_call(msg));
        if shed && !self.may_answer(source.remote.ip(), now) {
            return;
        }
        // Who calls an emergency number may have to prove to be one of us like everybody, and is not shed before.
        let spared = shed && matches!(&verdict, Verdict::Accept(msg) if self.is_emergency(msg));
        self.transactions.set_shedding(shed && !spared);
        if !matches!(verdict, Verdict::Accept(_)) {
            self.counts.malformed += 1;
            self.note_offence(source.remote.ip(), Offence::Probe, now);
            if !self.may_answer(source.remote.ip(), now) {
                return;
            }
        }
        self.ways.note_source(source);
        self.transactions.handle_verdict(verdict, source, now);
        self.drain_transactions(now);
    }

    /// A way to a peer is broken.
    pub fn handle_flow_broken(&mut self, flow: Flow, now: Now) {
        self.ways.note_broken(flow);
        self.transactions.handle_transport_error(flow, now);
        self.drain_transactions(now);
        self.handle_subscribers_gone(flow);
        let (gone, opened) = (flow.to_string(), flow.transport.can_be_opened());
        self.registrar.handle_streams_closed(|bound| bound.flow == gone);
        // A browser, and a phone that says so by Outbound, is reached over the connection that it opened, and by no other.
        self.registrar.handle_ways_gone(|bound| bound.flow == gone && (!opened || bound.is_outbound()));
        self.drain_registrar(now);
    }

    /// Acts on every deadline that has passed.
    pub fn handle_timeout(&mut self, now: Now) {
        self.transactions.handle_timeout(now);
        self.drain_transactions(now);
        self.locator.handle_timeout(now);
        self.drain_located(now);
        while let Some(timer) = self.timers.pop_due(now) {
            match timer {
                Timer::Repeat(leg) => self.handle_repeat_due(leg, now),
                Timer::CancelPatience(leg) => self.handle_cancel_patience_over(leg),
                Timer::Abandoned(key) => self.handle_abandoned_over(&key),
                Timer::Provisional(leg) => self.handle_provisional_due(leg, now),
                Timer::Modify(leg) => self.handle_modify_due(leg, now),
                Timer::Refresh(leg) => self.handle_refresh_due(leg, now),
                Timer::WayPatience(leg) => self.handle_way_patience_over(leg, now),
                Timer::Probe(trunk, target) => self.probe(&trunk, target, now),
                Timer::Register(name) => self.send_register(&name, now),
                Timer::Subscription(id) => self.handle_subscription_over(id),
            }
        }
        self.registrar.handle_timeout(now);
        self.drain_registrar(now);
    }

    /// When to call [`Self::handle_timeout`] (monotonic nanoseconds, seen from `now`).
    pub fn poll_timeout(&self, now: Now) -> Option<u64> {
        let deadlines = [
            self.transactions.poll_timeout(),
            self.timers.next_deadline(),
            self.registrar.poll_timeout(now),
            self.locator.poll_timeout(),
        ];
        deadlines.into_iter().flatten().min()
    }

    /// The next thing that happened. Call until `None` after each `handle_*` and each act.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// The next bytes to send.
    pub fn poll_transmit(&mut self) -> Option<Transmit> {
        let transmit = self.transactions.poll_transmit()?;
        Some(Transmit { peer: self.ways.name_of(transmit.flow), ..transmit })
    }

    /// The registrar, to look up contacts.
    pub fn registrar(&self) -> &Registrar {
        &self.registrar
    }

    /// Takes back the journalled bindings after a restart.
    pub fn restore_bindings(&mut self, bindings: impl IntoIterator<Item = registrar::Binding>, now: Now) {
        self.registrar.restore(bindings, now);
        // The connections of the last run are closed, and no browser can be called back.
        let stream = |flow: &Flow| flow.transport != super::transaction::Transport::Udp;
        let gone = |bound: &registrar::Binding| {
            let flow = bound.flow.parse::<Flow>();
            flow.is_ok_and(|flow| !flow.transport.can_be_opened() || stream(&flow) && bound.is_outbound())
        };
        self.registrar.handle_streams_closed(|bound| bound.flow.parse().is_ok_and(|flow| stream(&flow)));
        self.registrar.handle_ways_gone(gone);
        self.drain_registrar(now);
    }

    /// Sessions, dialogs (early ones included), INVITEs without a final answer, open transactions and deadlines: all zero once every call is gone and its
    /// timers have run out.
    pub fn load(&self) -> [usize; 5] {
        let open = |purpose: &&Purpose| matches!(purpose, Purpose::Offered(_) | Purpose::Dialled(_));
        let invites = self.purposes.values().filter(open).count();
        let dialogs = self.dialogs.len() + self.early_dialogs();
        let invites = invites.max(self.dialling.len());
        [self.sessions.len() + self.ways.dials(), dialogs, invites, self.transactions.len(), self.timers.len()]
    }

    /// Figures since the start.
    pub fn counts(&self) -> &Counts {
        &self.counts
    }

    /// Sixteen hexadecimal digits that nobody guesses.
    pub(in crate::sip) fn draw(&mut self) -> String {
        format!("{:016x}", self.rng.next_u64())
    }

    pub(in crate::sip) fn draw_u128(&mut self) -> u128 {
        (u128::from(self.rng.next_u64()) << 64) | u128::from(self.rng.next_u64())
    }

    pub(in crate::sip) fn drain_transactions(&mut self, now: Now) {
        while let Some(event) = self.transactions.poll_event() {
            match event {
                TransactionEvent::Request { key, msg, flow } => self.handle_request(key, msg, flow, now),
                TransactionEvent::Ack { msg, flow } => self.handle_ack(&msg, flow, now),
                TransactionEvent::Cancel { invite, msg } => self.handle_cancel(&invite, &msg, now),
                TransactionEvent::Response { key, msg, flow } => self.handle_response(&key, &msg, flow, now),
                TransactionEvent::StraySuccess { msg, flow } => self.handle_late_success(&msg, flow, false, now),
                TransactionEvent::Timeout { key } => self.handle_silence(&key, Why::new(408, "timeout"), now),
                TransactionEvent::TransportError { key } => {
                    self.handle_silence(&key, Why::new(503, "transport_failed"), now);
                }
            }
        }
    }

    fn handle_response(&mut self, key: &TransactionKey, msg: &Message, flow: Flow, now: Now) {
        let code = msg.code().unwrap_or_default();
        if self.send_on(key, code, now) {
            return;
        }
        let purpose = if code < 200 { self.purposes.get(key).cloned() } else { self.purposes.remove(key) };
        let Some(purpose) = purpose else {
            // A 2xx comes again while its ACK is on the way, and from each phone behind a forking proxy.
            if (200..300).contains(&code) && msg.cseq().is_ok_and(|cseq| cseq.method == Method::Invite) {
                self.handle_late_success(msg, flow, true, now);
            }
            return;
        };
        match purpose {
            Purpose::Dialled(leg) => self.handle_dial_response(leg, key, msg, flow, now),
            Purpose::Abandoned { cancelled } => self.handle_abandoned_response(key, cancelled, msg, flow, now),
            Purpose::Within { leg, act, kept } if code >= 200 => self.handle_within_response(leg, act, kept, msg, now),
            Purpose::Qualify { aor, uri, by_proxy } if code >= 200 => {
                let answered = phones::is_the_phones(code, by_proxy);
                self.registrar.handle_qualify_result(&aor, &uri, answered, now);
                self.drain_registrar(now);
            }
            Purpose::Probe(trunk, target) if code >= 200 => self.handle_probe_answer(&trunk, target, code, now),
            Purpose::Notified(id) if code >= 200 => self.handle_state_told(id, code, true, now),
            Purpose::Registering(name) if code >= 200 => self.handle_register_response(&name, msg, now),
            _ => {}
        }
    }

    /// No answer came, or none can come any more.
    fn handle_silence(&mut self, key: &TransactionKey, why: Why, now: Now) {
        if self.send_on(key, why.code, now) {
            return;
        }
        match self.purposes.remove(key) {
            Some(Purpose::Offered(leg)) => self.handle_offer_lost(leg),
            Some(Purpose::Dialled(leg)) => self.handle_dial_silence(leg, why, now),
            Some(Purpose::Within { leg, act, .. }) => self.handle_within_silence(leg, act, why, now),
            Some(Purpose::Qualify { aor, uri, .. }) => {
                self.registrar.handle_qualify_result(&aor, &uri, false, now);
                self.drain_registrar(now);
            }
            Some(Purpose::Probe(trunk, target)) => self.handle_probe_silence(&trunk, target, now),
            Some(Purpose::Notified(id)) => self.handle_state_told(id, why.code, false, now),
            Some(Purpose::Registering(name)) => self.handle_register_silence(&name, why.code, now),
            Some(Purpose::Abandoned { .. }) | None => {}
        }
    }

    /// What the registrar says becomes sign-ins, sign-outs and OPTIONS.
    pub(in crate::sip) fn drain_registrar(&mut self, now: Now) {
        while let Some(event) = self.registrar.poll_event() {
            match event {
                registrar::Event::FirstBinding { aor } => {
                    self.events.push_back(Event::SignedIn { user: user_of(&aor).to_owned() });
                }
                registrar::Event::LastBindingGone { aor } => {
                    self.events.push_back(Event::SignedOut { user: user_of(&aor).to_owned() });
                }
                registrar::Event::Expired { aor, uri } => self.events.push_back(Event::BindingExpired { aor, uri }),
                registrar::Event::Reachable { aor, uri } => {
                    self.events.push_back(Event::Reachability { user: user_of(&aor).to_owned(), uri, reachable: true });
                }
                registrar::Event::Unreachable { aor, uri } => {
                    self.events.push_back(Event::Reachability {
                        user: user_of(&aor).to_owned(),
                        uri,
                        reachable: false,
                    });
                }
                registrar::Event::Qualify { aor, uri } => self.qualify(aor, uri, now),
                registrar::Event::Refreshed { .. } => {}
            }
        }
    }
}

/// The user of an address of record: "1001" of "sip:1001@pbx.example".
pub fn user_of(aor: &str) -> &str {
    let bare = aor.split_once(':').map_or(aor, |(_, rest)| rest);
    bare.rsplit_once('@').map_or(bare, |(user, _)| user)
}

#[cfg(test)]
mod ways_tests;
