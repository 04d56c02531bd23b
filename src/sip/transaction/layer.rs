//! The transaction layer: finds the machine for each message and timer, and collects what the machines want done.

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;

use rand_chacha::ChaCha12Rng;
use rand_core::Rng;

use super::entry::{Entry, Machine};
use super::flow::{Flow, TransactionEvent, Transmit, back_flow, reply_flow};
use super::key::{MergeKey, TransactionKey};
use super::large::Streams;
use super::requests::cancel_for;
use super::server_invite::ServerInvite;
use super::server_non_invite::ServerNonInvite;
use super::stateless::Tags;
use super::timers::{Effect, Timer};
use crate::sip::message::{COOKIE, Message, Method, Start, Verdict, reason_phrase, response_to, stamp_source};
use crate::time::{Now, Timers};

/// The most transactions at one time; a request beyond them is answered with 503, without a transaction. A call leaves three of
/// them behind for half a minute, so this is about five thousand calls a second, and half a gigabyte.
pub const MAX_TRANSACTIONS: usize = 524_288;

/// The transaction is over, or never was.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no open transaction {0:?}: it has ended; drop the message")]
pub struct NoTransaction(pub TransactionKey);

/// All transactions of one endpoint. After each call drain [`Self::poll_transmit`] and [`Self::poll_event`]; both are
/// bounded by what one call or one deadline can cause.
#[derive(Debug)]
pub struct Transactions {
    pub(super) entries: BTreeMap<TransactionKey, Entry>,
    merges: BTreeMap<MergeKey, TransactionKey>,
    pub(super) timers: Timers<(TransactionKey, Timer)>,
    pub(super) transmits: VecDeque<Transmit>,
    pub(super) streams: Streams,
    events: VecDeque<TransactionEvent>,
    pub(super) tags: Tags,
    rng: ChaCha12Rng,
    sheds: bool,
    shed: u64,
}

impl Transactions {
    /// An empty layer; `rng` draws branches and the tags of its own answers.
    pub fn new(mut rng: ChaCha12Rng) -> Self {
        Self {
            tags: Tags::draw(&mut rng),
            entries: BTreeMap::new(),
            merges: BTreeMap::new(),
            timers: Timers::default(),
            transmits: VecDeque::new(),
            streams: Streams::default(),
            events: VecDeque::new(),
            rng,
            sheds: false,
            shed: 0,
        }
    }

    /// Whether new calls get 503 without a transaction, because the loop is late. Repeats, and what belongs to a dialog, never do.
    pub fn set_shedding(&mut self, sheds: bool) {
        self.sheds = sheds;
    }

    /// How many calls were shed.
    pub fn shed(&self) -> u64 {
        self.shed
    }

    /// How many transactions are open (invariant 5: none outlives its call for longer than its timers).
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether no transaction is open.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Takes bytes from the wire as [`crate::sip::message::judge`] saw them; a refusal is sent without a transaction.
    pub fn handle_verdict(&mut self, verdict: Verdict, source: Flow, now: Now) {
        match verdict {
            Verdict::Accept(msg) => self.handle_message(msg, source, now),
            Verdict::Reject { status, reason, reply: Some(mut request) } => {
                stamp_source(&mut request, source.remote);
                self.refuse(&request, status, reason, source);
            }
            Verdict::Reject { reply: None, .. } | Verdict::Drop(_) => {}
        }
    }

    /// Takes a message that came over `source`.
    pub fn handle_message(&mut self, mut msg: Message, source: Flow, now: Now) {
        let Start::Request { method, .. } = &msg.start else {
            self.handle_response(msg, source, now);
            return;
        };
        let method = method.clone();
        stamp_source(&mut msg, source.remote);
        let Some(key) = TransactionKey::of_request(&msg) else {
            return;
        };
        if method == Method::Ack {
            self.handle_ack(&key, msg, source, now);
            return;
        }
        if let Some(entry) = self.entries.get_mut(&key) {
            let effects = match &mut entry.machine {
                Machine::ServerInvite(machine) => machine.handle_repeat(),
                Machine::ServerOther(machine) => machine.handle_repeat(),
                Machine::ClientInvite(_) | Machine::ClientOther(_) => Vec::new(),
            };
            self.apply(&key, effects, None, now);
            return;
        }
        let is_new = msg.to_tag().is_none() && method != Method::Cancel;
        if self.sheds && is_new && method == Method::Invite {
            self.shed += 1;
            self.refuse(&msg, 503, reason_phrase(503), source);
        } else if is_new && self.entries.len() >= MAX_TRANSACTIONS {
            // What belongs to a call that is there is served even then.
            self.refuse(&msg, 503, reason_phrase(503), source);
        } else if method == Method::Cancel {
            self.handle_cancel(key, msg, source, now);
        } else {
            self.open_server(key, msg, source, now);
        }
    }

    /// The way `flow` is broken: every transaction on it ends, but large requests without a response that may go over UDP yet, and
    /// INVITEs whose answer may go over another connection (RFC 3261 §18.2.2).
    pub fn handle_transport_error(&mut self, flow: Flow, now: Now) {
        self.fall_back_from(flow, now);
        for key in self.streams.take_keys(flow) {
            if self.turn_back(&key) {
                continue;
            }
            self.forget(&key);
            self.events.push_back(TransactionEvent::TransportError { key });
        }
    }

    /// Has an INVITE's answer go over a connection of our own to where its caller listens; `false` where there is none to try.
    fn turn_back(&mut self, key: &TransactionKey) -> bool {
        let Some(entry) = self.entries.get_mut(key) else { return false };
        let waits = matches!(&entry.machine, Machine::ServerInvite(machine) if machine.outlives_its_stream());
        let Some(back) = entry.back.take().filter(|_| waits) else { return false };
        entry.flow = back;
        self.streams.note(back, key);
        true
    }

    /// Fires what is due at `now`.
    pub fn handle_timeout(&mut self, now: Now) {
        while let Some((key, timer)) = self.timers.pop_due(now) {
            if timer == Timer::Stream {
                self.fall_back(&key, now);
                continue;
            }
            let Some(entry) = self.entries.get_mut(&key) else {
                continue;
            };
            entry.disarmed(timer);
            let effects = match &mut entry.machine {
                Machine::ClientInvite(machine) => machine.handle_timer(timer),
                Machine::ClientOther(machine) => machine.handle_timer(timer),
                Machine::ServerInvite(machine) => machine.handle_timer(timer),
                Machine::ServerOther(machine) => machine.handle_timer(timer),
            };
            self.apply(&key, effects, None, now);
        }
    }

    /// Sends a request of ours and waits for its response. A Via with a new branch is put on top unless the request has a
    /// unique branch already; reusing one that is open ends the older transaction without a word. Not for ACK.
    pub fn send_request(&mut self, mut msg: Message, dest: Flow, now: Now) -> TransactionKey {
        let branch = match msg.via().ok().as_ref().and_then(|via| via.unique_branch()) {
            Some(branch) => branch.to_ascii_lowercase().into(),
            None => self.push_via(&mut msg, dest).into(),
        };
        let key = TransactionKey::Client { branch, method: msg.method().cloned().unwrap_or(Method::Options) };
        self.forget(&key);
        let (dest, datagram) = self.choose_way(&mut msg, dest, now);
        let (machine, mut effects) = Machine::start_client(msg, dest.is_reliable());
        self.open(key.clone(), machine, dest, None);
        if let Some(entry) = self.entries.get_mut(&key).filter(|_| datagram.is_some()) {
            entry.datagram = datagram.map(Box::new);
            effects.push(Self::patience());
        }
        self.apply(&key, effects, None, now);
        key
    }

    /// Sends a message outside any transaction: the ACK of a 2xx. A Via is put on top of a request that has none.
    pub fn send_alone(&mut self, mut msg: Message, dest: Flow, now: Now) {
        if msg.method().is_some() && msg.header("Via").is_none() {
            self.push_via(&mut msg, dest);
        }
        self.send_unconfirmed(msg, dest, now);
    }

    /// Cancels an INVITE of ours that has no final response; wait for a provisional one first (RFC 3261 §9.1). Returns
    /// the CANCEL's own transaction. `reason` is the value of its Reason header (RFC 3326).
    pub fn cancel(&mut self, invite: &TransactionKey, reason: &str, now: Now) -> Result<TransactionKey, NoTransaction> {
        match self.entries.get(invite) {
            Some(Entry { machine: Machine::ClientInvite(machine), flow, .. }) => {
                let request = machine.unanswered().ok_or_else(|| NoTransaction(invite.clone()))?;
                let (cancel, flow) = (cancel_for(request).with("Reason", reason), *flow);
                Ok(self.send_request(cancel, flow, now))
            }
            _ => Err(NoTransaction(invite.clone())),
        }
    }

    /// Answers a request. The same 2xx may be given again while an INVITE's timer L runs: the dialog repeats it.
    pub fn respond(&mut self, key: &TransactionKey, response: &Message, now: Now) -> Result<(), NoTransaction> {
        let entry = self.entries.get_mut(key).ok_or_else(|| NoTransaction(key.clone()))?;
        let effects = match &mut entry.machine {
            Machine::ServerInvite(machine) => machine.respond(response),
            Machine::ServerOther(machine) => machine.respond(response),
            Machine::ClientInvite(_) | Machine::ClientOther(_) => return Err(NoTransaction(key.clone())),
        };
        if let Some(tag) = response.to_tag() {
            entry.to_tag = Some(tag.to_owned());
        }
        self.apply(key, effects, None, now);
        Ok(())
    }

    /// Ends a transaction without a word, such as an INVITE whose CANCEL brought no final response within 64·T1.
    pub fn forget(&mut self, key: &TransactionKey) {
        let Some(entry) = self.entries.remove(key) else {
            return;
        };
        for (_, id) in entry.armed {
            self.timers.disarm(id);
        }
        if let Some(merge) = entry.merge {
            self.merges.remove(&merge);
        }
        self.streams.forget(entry.flow, key);
    }

    /// When to call [`Self::handle_timeout`] (monotonic nanoseconds).
    pub fn poll_timeout(&self) -> Option<u64> {
        self.timers.next_deadline()
    }

    /// The next bytes to send.
    pub fn poll_transmit(&mut self) -> Option<Transmit> {
        self.transmits.pop_front()
    }

    /// The next thing to know.
    pub fn poll_event(&mut self) -> Option<TransactionEvent> {
        self.events.pop_front()
    }

    fn handle_response(&mut self, msg: Message, flow: Flow, now: Now) {
        let Some(key) = TransactionKey::of_ours(&msg) else {
            return;
        };
        self.settle_way(&key, flow, now);
        let effects = match self.entries.get_mut(&key).map(|entry| &mut entry.machine) {
            Some(Machine::ClientInvite(machine)) => machine.handle_response(&msg),
            Some(Machine::ClientOther(machine)) => machine.handle_response(&msg),
            _ => {
                let success = msg.code().is_some_and(|code| (200..300).contains(&code));
                if success && msg.cseq().is_ok_and(|cseq| cseq.method == Method::Invite) {
                    self.events.push_back(TransactionEvent::StraySuccess { msg, flow });
                }
                return;
            }
        };
        let event = TransactionEvent::Response { key: key.clone(), msg, flow };
        self.apply(&key, effects, Some(event), now);
    }

    fn handle_ack(&mut self, key: &TransactionKey, msg: Message, flow: Flow, now: Now) {
        let invite = key.of_invite();
        let event = TransactionEvent::Ack { msg, flow };
        match self.entries.get_mut(&invite).map(|entry| &mut entry.machine) {
            Some(Machine::ServerInvite(machine)) => {
                let effects = machine.handle_ack();
                self.apply(&invite, effects, Some(event), now);
            }
            _ => self.events.push_back(event),
        }
    }

    fn handle_cancel(&mut self, key: TransactionKey, msg: Message, source: Flow, now: Now) {
        let invite = key.of_invite();
        let found = match self.entries.get(&invite) {
            Some(Entry { machine: Machine::ServerInvite(machine), to_tag, .. }) => {
                Some((machine.is_open(), to_tag.clone()))
            }
            _ => None,
        };
        // One of nothing: whether it gets an answer is for those to say who know its sender.
        let Some((open, tag)) = found else { return self.open_server(key, msg, source, now) };
        let tag = tag.unwrap_or_else(|| self.draw());
        let response = response_to(&msg, 200, reason_phrase(200), Some(&tag));
        let (mut machine, _) = ServerNonInvite::start(source.is_reliable());
        let effects = machine.respond(&response);
        self.open(key.clone(), Machine::ServerOther(machine), reply_flow(&msg, source), None);
        self.apply(&key, effects, None, now);
        if open {
            self.events.push_back(TransactionEvent::Cancel { invite, msg });
        }
    }

    fn open_server(&mut self, key: TransactionKey, msg: Message, source: Flow, now: Now) {
        let merge = MergeKey::of(&msg);
        if merge.as_ref().is_some_and(|merge| self.merges.contains_key(merge)) {
            self.refuse(&msg, 482, reason_phrase(482), source);
            return;
        }
        let flow = reply_flow(&msg, source);
        let (machine, effects) = if msg.method() == Some(&Method::Invite) {
            let (machine, effects) = ServerInvite::start(msg.clone(), source.is_reliable());
            (Machine::ServerInvite(machine), effects)
        } else {
            let (machine, effects) = ServerNonInvite::start(source.is_reliable());
            (Machine::ServerOther(machine), effects)
        };
        let back = back_flow(&msg, source);
        self.open(key.clone(), machine, flow, merge);
        if let Some(entry) = self.entries.get_mut(&key) {
            entry.back = back;
        }
        let event = TransactionEvent::Request { key: key.clone(), msg, flow: source };
        self.apply(&key, effects, Some(event), now);
    }

    fn open(&mut self, key: TransactionKey, machine: Machine, flow: Flow, merge: Option<MergeKey>) {
        if let Some(merge) = &merge {
            self.merges.insert(merge.clone(), key.clone());
        }
        self.streams.note(flow, &key);
        self.entries
            .insert(key, Entry { machine, flow, merge, to_tag: None, armed: Vec::new(), back: None, datagram: None });
    }

    pub(super) fn apply(
        &mut self,
        key: &TransactionKey,
        effects: Vec<Effect>,
        mut event: Option<TransactionEvent>,
        now: Now,
    ) {
        for effect in effects {
            let Some(entry) = self.entries.get_mut(key) else {
                return;
            };
            match effect {
                Effect::Send(payload) => self.transmits.push_back(Transmit { flow: entry.flow, payload, peer: None }),
                Effect::Pass => self.events.extend(event.take()),
                Effect::Arm(timer, after_ms) => {
                    let id = self.timers.arm(now.in_ms(after_ms), (key.clone(), timer));
                    let old = entry.disarmed(timer);
                    entry.armed.push((timer, id));
                    if let Some(old) = old {
                        self.timers.disarm(old);
                    }
                }
                Effect::Disarm(timer) => {
                    if let Some(id) = entry.disarmed(timer) {
                        self.timers.disarm(id);
                    }
                }
                Effect::TimedOut => self.events.push_back(TransactionEvent::Timeout { key: key.clone() }),
                Effect::Terminated => self.forget(key),
            }
        }
    }

    /// Puts a Via on top and returns its branch in lower case, as keys have it.
    fn push_via(&mut self, msg: &mut Message, dest: Flow) -> String {
        let transport = dest.transport.via_name();
        let branch = format!("{COOKIE}{}", self.draw());
        // Without the zone of a link-local address, which has no place in a Via.
        let sent_by = SocketAddr::new(dest.local.ip(), dest.local.port());
        msg.push_front("Via", format!("SIP/2.0/{transport} {sent_by};rport;branch={branch}"));
        branch.to_ascii_lowercase()
    }

    fn draw(&mut self) -> String {
        format!("{:016x}", self.rng.next_u64())
    }
}
