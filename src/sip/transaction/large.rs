//! Requests that do not fit a datagram go over TCP, and back to UDP where TCP leads nowhere (RFC 3261 §18.1.1).
//!
//! Whether a connection came about is not known here, and need not be: a request over TCP that has brought no response within half
//! a second is sent over UDP with the same branch and sent-by. Where the first copy did arrive, the second is a retransmission to its
//! peer. A connection that is refused or breaks before any response has the same effect at once. The peer's TCP then counts as closed
//! for ten minutes, or until something comes from it over TCP.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

use super::entry::Machine;
use super::flow::{Flow, Transmit, Transport};
use super::key::TransactionKey;
use super::layer::Transactions;
use super::timers::{Effect, Timer};
use crate::sip::message::{Message, Method};
use crate::time::Now;

/// The largest request that goes over UDP where TCP is at hand, bytes: what is left of 1,500 for everybody's headers.
const MOST_DATAGRAM: usize = 1_300;
/// How long a response may take before UDP is used, ms.
const PATIENCE_MS: u64 = 500;
/// How long a peer's TCP counts as closed, ms.
const CLOSED_MS: u64 = 600_000;
/// Peers whose TCP is remembered as closed; where there are more, the oldest is forgotten.
const MOST_CLOSED: usize = 1_024;
/// Large ACKs that are kept for UDP; one more goes there right away.
const MOST_ALONE: usize = 1_024;

/// A request as it would leave by UDP.
#[derive(Debug)]
pub(super) struct Datagram {
    flow: Flow,
    request: Message,
}

/// What is known of streams.
#[derive(Debug, Default)]
pub(super) struct Streams {
    /// The transactions over each, so that the end of one among thousands costs no look at all of them.
    keys: BTreeMap<Flow, BTreeSet<TransactionKey>>,
    /// Where we listen, and so send from.
    local: Vec<SocketAddr>,
    /// Peers whose TCP leads nowhere, and until when that is believed (monotonic ns).
    closed: BTreeMap<SocketAddr, u64>,
    /// ACKs on the way over a stream, which no response confirms.
    alone: BTreeMap<TransactionKey, (Flow, Datagram)>,
    fallbacks: u64,
}

impl Streams {
    /// A transaction uses this way, which may be a stream.
    pub(super) fn note(&mut self, flow: Flow, key: &TransactionKey) {
        if flow.is_reliable() {
            self.keys.entry(flow).or_default().insert(key.clone());
        }
    }

    /// A transaction uses it no longer.
    pub(super) fn forget(&mut self, flow: Flow, key: &TransactionKey) {
        if let Some(keys) = self.keys.get_mut(&flow)
            && keys.remove(key)
            && keys.is_empty()
        {
            self.keys.remove(&flow);
        }
    }

    /// The transactions over a stream that is broken.
    pub(super) fn take_keys(&mut self, stream: Flow) -> BTreeSet<TransactionKey> {
        self.keys.remove(&stream).unwrap_or_default()
    }

    fn to(&self, datagram: Flow, now: Now) -> Option<Flow> {
        let closed = self.closed.get(&datagram.remote).is_some_and(|until| *until > now.mono_ns);
        let family = |own: &&SocketAddr| own.is_ipv4() == datagram.remote.is_ipv4();
        let same = self.local.iter().find(|own| own.ip() == datagram.local.ip());
        let local = *same.or_else(|| self.local.iter().find(family)).filter(|_| !closed)?;
        Some(Flow { transport: Transport::Tcp, local, remote: datagram.remote })
    }

    fn note_closed(&mut self, remote: SocketAddr, now: Now) {
        self.closed.retain(|_, until| *until > now.mono_ns);
        if self.closed.len() >= MOST_CLOSED {
            let oldest = self.closed.iter().min_by_key(|(_, until)| **until).map(|(remote, _)| *remote);
            oldest.and_then(|remote| self.closed.remove(&remote));
        }
        self.closed.insert(remote, now.in_ms(CLOSED_MS));
    }

    /// Something came over TCP.
    pub(super) fn note_open(&mut self, source: Flow) {
        if source.transport == Transport::Tcp {
            self.closed.remove(&source.remote);
        }
    }
}

impl Transactions {
    /// Where we listen on TCP: what large requests may leave by.
    pub fn set_streams(&mut self, local: Vec<SocketAddr>) {
        self.streams.local = local;
    }

    /// How many large requests went back to UDP.
    pub fn fallbacks(&self) -> u64 {
        self.streams.fallbacks
    }

    /// The way of a request that has its Via. Where it is a stream in place of a datagram, the request becomes one for it, and what is
    /// given is to be kept in case that leads nowhere.
    pub(super) fn choose_way(&self, request: &mut Message, dest: Flow, now: Now) -> (Flow, Option<Datagram>) {
        let stream = self.streams.to(dest, now).filter(|_| dest.transport == Transport::Udp);
        let Some(stream) = stream.filter(|_| request.to_bytes().len() > MOST_DATAGRAM) else { return (dest, None) };
        let datagram = Datagram { flow: dest, request: request.clone() };
        let Some(via) = request.header("Via").map(|via| via.replacen("/UDP", "/TCP", 1)) else { return (dest, None) };
        // The sent-by stays: with the branch it is what a retransmission is known by (§17.2.3), and its port serves both.
        request.set("Via", via);
        (stream, Some(datagram))
    }

    /// A transaction's request went over a stream and has brought nothing: it goes over UDP.
    pub(super) fn fall_back(&mut self, key: &TransactionKey, now: Now) {
        if let Some((_, Datagram { flow, request })) = self.streams.alone.remove(key) {
            self.transmits.push_back(Transmit { flow, payload: request.to_bytes(), peer: None });
            return;
        }
        let Some(entry) = self.entries.get_mut(key) else { return };
        let Some(datagram) = entry.datagram.take() else { return };
        let Datagram { flow, request } = *datagram;
        tracing::info!(remote = %flow.remote, "a large SIP request got no response over TCP and goes over UDP");
        self.streams.note_closed(flow.remote, now);
        self.streams.fallbacks += 1;
        for (_, id) in std::mem::take(&mut entry.armed) {
            self.timers.disarm(id);
        }
        let (machine, effects) = Machine::start_client(request, false);
        let stream = std::mem::replace(&mut entry.flow, flow);
        self.streams.forget(stream, key);
        entry.machine = machine;
        self.apply(key, effects, None, now);
    }

    /// The first response: TCP has done its work, or UDP has been quicker.
    pub(super) fn settle_way(&mut self, key: &TransactionKey, source: Flow, now: Now) {
        self.streams.note_open(source);
        if self.entries.get_mut(key).is_some_and(|entry| entry.datagram.take().is_some()) {
            self.apply(key, vec![Effect::Disarm(Timer::Stream)], None, now);
        }
    }

    /// A stream is broken: what has got no response over it goes over UDP.
    pub(super) fn fall_back_from(&mut self, stream: Flow, now: Now) {
        let over_it = self.streams.keys.get(&stream).into_iter().flatten();
        let waits = over_it.filter(|key| self.entries.get(key).is_some_and(|entry| entry.datagram.is_some()));
        let alone = self.streams.alone.iter().filter(|(_, (flow, _))| *flow == stream).map(|(key, _)| key);
        let keys: Vec<_> = waits.chain(alone).cloned().collect();
        keys.iter().for_each(|key| self.fall_back(key, now));
    }

    /// Sends an ACK that no response will confirm. Over a stream it is followed by its copy over UDP, which does no harm.
    pub(super) fn send_unconfirmed(&mut self, mut request: Message, dest: Flow, now: Now) {
        let (flow, datagram) = self.choose_way(&mut request, dest, now);
        let branch = request.via().ok().and_then(|via| via.branch().map(str::to_ascii_lowercase));
        match (datagram, branch) {
            (Some(datagram), Some(branch)) if self.streams.alone.len() < MOST_ALONE => {
                let key = TransactionKey::Client { branch: branch.into(), method: Method::Ack };
                self.timers.arm(now.in_ms(PATIENCE_MS), (key.clone(), Timer::Stream));
                self.streams.alone.insert(key, (flow, datagram));
                self.transmits.push_back(Transmit { flow, payload: request.to_bytes(), peer: None });
            }
            (Some(Datagram { flow, request }), _) => {
                self.transmits.push_back(Transmit { flow, payload: request.to_bytes(), peer: None });
            }
            (None, _) => self.transmits.push_back(Transmit { flow, payload: request.to_bytes(), peer: None }),
        }
    }

    /// What is armed beside a machine's own timers for a request over a stream that may go back to UDP.
    pub(super) fn patience() -> Effect {
        Effect::Arm(Timer::Stream, PATIENCE_MS)
    }
}
