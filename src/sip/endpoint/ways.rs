//! Requests whose next hop is a name: they wait for it, and go on by the next hop where one fails (RFC 3263 §4.3).

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::{IpAddr, SocketAddr};

use super::{Dial, Endpoint, Purpose, Way, Why};
use crate::id::{LegId, TrunkId};
use crate::sip::locate::{Counts, Hop, Located, Location, LookupId, NoWay, Question, Reply};
use crate::sip::message::{Message, Method, Uri};
use crate::sip::transaction::{Flow, TransactionKey, Transport};
use crate::time::Now;

/// Names of peers within TLS that are remembered; where there are more, one is forgotten, and its peer has to show its address.
const PEERS: usize = 4_096;

/// Where a request within a dialog goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::sip) enum NextHop {
    /// There.
    Flow(Flow),
    /// To where a URI with a name leads, or to `otherwise` where it leads nowhere.
    Uri { uri: Uri, otherwise: Flow },
}

/// The flows to a URI's hops, the best first.
pub(in crate::sip) enum Flows {
    Known(VecDeque<Flow>),
    Pending(LookupId),
}

/// Who waits for a lookup.
pub(in crate::sip) enum Pending {
    /// A call whose first way is looked for.
    Dial(LegId, Box<Dial>),
    /// A call whose next way is looked for.
    NextWay(LegId),
    /// A registration, by its name.
    Register(String),
    /// A question to a trunk's target whether it answers.
    Probe(TrunkId, usize),
    /// A request of a dialog; an ACK has no purpose.
    Within { request: Box<Message>, purpose: Option<Purpose>, otherwise: Flow },
}

/// A request on its way by a hop, and where else it can go.
pub(in crate::sip) struct Rest {
    request: Message,
    flow: Flow,
    hops: VecDeque<Flow>,
}

/// What waits, what can go on, what peers within TLS are named, and which streams are open.
#[derive(Default)]
pub(in crate::sip) struct Ways {
    pub(in crate::sip) pending: BTreeMap<LookupId, Pending>,
    rests: BTreeMap<TransactionKey, Rest>,
    names: BTreeMap<SocketAddr, String>,
    /// Streams that have brought a message and are not broken: no more than there are connections.
    connected: BTreeSet<Flow>,
}

impl Ways {
    /// Something came from there.
    pub(super) fn note_source(&mut self, source: Flow) {
        if source.is_reliable() && !self.connected.contains(&source) {
            self.connected.insert(source);
        }
    }

    /// It carries nothing any more.
    pub(super) fn note_broken(&mut self, flow: Flow) {
        self.connected.remove(&flow);
    }

    /// Whether that is a stream which is open. Those of the last run are not.
    pub(in crate::sip) fn is_connected(&self, flow: Flow) -> bool {
        self.connected.contains(&flow)
    }

    /// Calls that wait before their first INVITE.
    pub(super) fn dials(&self) -> usize {
        self.pending.values().filter(|pending| matches!(pending, Pending::Dial(..))).count()
    }

    /// The name that the certificate of a flow's peer must have.
    pub(super) fn name_of(&self, flow: Flow) -> Option<String> {
        self.names.get(&flow.remote).filter(|_| flow.transport == Transport::Tls).cloned()
    }

    fn note_name(&mut self, remote: SocketAddr, name: Option<String>) {
        match name {
            Some(name) => {
                self.names.insert(remote, name);
                if self.names.len() > PEERS {
                    self.names.pop_first();
                }
            }
            None => {
                self.names.remove(&remote);
            }
        }
    }
}

/// Our word for a URI that leads nowhere, as 503.
pub(in crate::sip) fn why_not(no_way: NoWay) -> Why {
    let text = match no_way {
        NoWay::Transport => "no_transport",
        NoWay::Address => "no_address",
        NoWay::Busy => "too_many_lookups",
    };
    Why::new(503, text)
}

impl Endpoint {
    /// The next question for DNS; answer each with [`Self::handle_dns`].
    pub fn poll_question(&mut self) -> Option<Question> {
        self.locator.poll_question()
    }

    /// What DNS said; what waited for it goes on.
    pub fn handle_dns(&mut self, question: &Question, reply: Reply, now: Now) {
        self.locator.handle_reply(question, reply, now);
        self.drain_located(now);
    }

    /// Where a way leads as far as that is known before anybody is asked: what its peer is told of us depends on it.
    pub fn remote_of(&mut self, way: &Way, now: Now) -> Option<IpAddr> {
        match way.flow {
            Some(flow) => Some(flow.remote.ip()),
            None => self.locator.peek(&way.target, now).map(|hop| hop.remote.ip()),
        }
    }

    /// Figures of DNS, and how many answers are remembered.
    pub fn dns_counts(&self) -> (Counts, usize) {
        (self.locator.counts(), self.locator.cached())
    }

    /// Large requests that went back from TCP to UDP.
    pub fn udp_fallbacks(&self) -> u64 {
        self.transactions.fallbacks()
    }

    /// The flows of a way: its own, or those to where its URI leads.
    pub(in crate::sip) fn flows_of(&mut self, uri: &Uri, flow: Option<Flow>, now: Now) -> Result<Flows, NoWay> {
        if let Some(flow) = flow {
            self.ways.note_name(flow.remote, None);
            return Ok(Flows::Known(VecDeque::from([flow])));
        }
        match self.locator.locate(uri, now)? {
            Location::Known(hops) => Ok(Flows::Known(self.flows(hops))),
            Location::Pending(id) => Ok(Flows::Pending(id)),
        }
    }

    fn flows(&mut self, hops: Vec<Hop>) -> VecDeque<Flow> {
        let mut flows = VecDeque::new();
        for Hop { transport, remote, name } in hops {
            // The locator knows of hops by our own transports and families only.
            let Some(flow) = self.settings.flow_to(transport, remote) else { continue };
            if transport == Transport::Tls {
                self.ways.note_name(remote, name);
            }
            flows.push_back(flow);
        }
        flows
    }

    pub(super) fn drain_located(&mut self, now: Now) {
        while let Some(Located { id, hops }) = self.locator.poll_located() {
            let Some(pending) = self.ways.pending.remove(&id) else { continue };
            let flows = hops.map(|hops| self.flows(hops));
            match (pending, flows) {
                (Pending::Dial(leg, dial), Ok(flows)) => self.place(leg, *dial, flows, now),
                (Pending::Dial(leg, mut dial), Err(no_way)) => {
                    dial.ways.remove(0);
                    self.dial_by_first(leg, *dial, why_not(no_way), now);
                }
                (Pending::NextWay(leg), flows) => self.handle_way_located(leg, flows, now),
                (Pending::Register(name), flows) => self.handle_registrar_located(&name, flows, now),
                (Pending::Probe(id, target), flows) => self.handle_target_located(&id, target, flows, now),
                (Pending::Within { request, purpose, otherwise }, flows) => {
                    let flows = flows.unwrap_or_else(|_| VecDeque::from([otherwise]));
                    self.send_by(*request, purpose, flows, now);
                }
            }
        }
    }

    /// Sends a request of a dialog. An ACK goes without a transaction.
    pub(in crate::sip) fn send_towards(&mut self, request: Message, purpose: Option<Purpose>, next: NextHop, now: Now) {
        let (uri, otherwise) = match next {
            NextHop::Flow(flow) => return self.send_by(request, purpose, VecDeque::from([flow]), now),
            NextHop::Uri { uri, otherwise } => (uri, otherwise),
        };
        match self.flows_of(&uri, None, now) {
            Ok(Flows::Known(flows)) => self.send_by(request, purpose, flows, now),
            Ok(Flows::Pending(id)) => {
                let request = Box::new(request);
                self.ways.pending.insert(id, Pending::Within { request, purpose, otherwise });
            }
            // What is no way to a name was the way so far.
            Err(_) => self.send_by(request, purpose, VecDeque::from([otherwise]), now),
        }
    }

    fn send_by(&mut self, request: Message, purpose: Option<Purpose>, mut hops: VecDeque<Flow>, now: Now) {
        let Some(flow) = hops.pop_front() else { return };
        if request.method() == Some(&Method::Ack) {
            return self.send_without_transaction(request, flow, now);
        }
        let key = self.send(request.clone(), flow, now);
        if let Some(purpose) = purpose {
            self.purposes.insert(key.clone(), purpose);
        }
        if !hops.is_empty() {
            self.ways.rests.insert(key, Rest { request, flow, hops });
        }
    }

    /// Goes on by the next hop, where a request of a dialog has one left: `code` is its final status, or what stands for silence.
    pub(super) fn send_on(&mut self, key: &TransactionKey, code: u16, now: Now) -> bool {
        if code < 200 {
            return false;
        }
        let Some(Rest { request, flow, hops }) = self.ways.rests.remove(key) else { return false };
        if !matches!(code, 408 | 503) {
            self.locator.note_success(flow.transport, flow.remote);
            return false;
        }
        self.locator.note_failure(flow.transport, flow.remote, now);
        let purpose = self.purposes.remove(key);
        self.send_by(request, purpose, hops, now);
        true
    }
}
