//! The hub of all streams: which connection carries which flow. One task owns the map, so nothing is locked.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::NetEvent;
use super::carrier::{Common, Origin, Stream};
use super::connection::Connection;
use super::counters::Figure;
use super::deliver::Deliver;
use super::dns::{Dns, DnsSettings};
use super::outbox::{Inlet, Refused, outbox};
use crate::sip::locate::Question;
use crate::sip::transaction::{Flow, Transmit, Transport};

/// Notes on the way to the hub; whoever has more waits.
const NOTES: usize = 1_024;
/// How long accepting rests where the system is out of descriptors.
const REST: Duration = Duration::from_millis(50);

/// What the loop wants.
pub(super) enum Command {
    /// Send this.
    Send(Transmit),
    /// Look this up.
    Resolve(Question),
    /// Carry this WebSocket, whose handshake was answered elsewhere.
    Carry(Box<dyn Stream>, Flow),
    /// Write what is queued and end.
    Stop,
}

/// What the tasks tell the hub.
pub(super) enum Note {
    /// A peer connected to a listener.
    Accepted { stream: TcpStream, flow: Flow },
    /// The connection carries its flow no longer.
    Closed { id: u64, flow: Flow },
    /// The connection's task is over.
    Gone { remote: IpAddr, accepted: bool },
}

struct Held {
    id: u64,
    inlet: Inlet,
    cut: Arc<Notify>,
    current: Arc<AtomicBool>,
    /// Whom the certificate had to name, where we connected.
    peer: Option<String>,
    ours: bool,
}

/// A listener, its transport and its address.
pub(super) type Listener = (Transport, SocketAddr, TcpListener);

pub(super) struct Hub {
    pub(super) common: Arc<Common>,
    pub(super) deliver: Deliver,
    pub(super) stopping: watch::Sender<bool>,
    pub(super) local: Vec<(Transport, SocketAddr)>,
    pub(super) dns: Option<DnsSettings>,
}

struct State {
    hub: Hub,
    dns: Arc<Dns>,
    held: BTreeMap<Flow, Held>,
    sources: BTreeMap<IpAddr, usize>,
    inbound: usize,
    outbound: usize,
    last: u64,
    tasks: JoinSet<()>,
    notes: mpsc::Sender<Note>,
}

impl Hub {
    /// Runs until it is told to stop.
    pub(super) async fn run(self, listeners: Vec<Listener>, mut commands: mpsc::Receiver<Command>) {
        let (notes, mut told) = mpsc::channel(NOTES);
        let mut accepting = JoinSet::new();
        for listener in listeners {
            accepting.spawn(accept(listener, notes.clone()));
        }
        let mut state = State {
            dns: Arc::new(Dns::new(self.dns.as_ref())),
            hub: self,
            held: BTreeMap::new(),
            sources: BTreeMap::new(),
            inbound: 0,
            outbound: 0,
            last: 0,
            tasks: JoinSet::new(),
            notes,
        };
        loop {
            tokio::select! {
                command = commands.recv() => match command {
                    Some(Command::Send(transmit)) => state.send(transmit),
                    Some(Command::Resolve(question)) => state.resolve(question),
                    Some(Command::Carry(stream, flow)) => state.accepted(Origin::Upgraded(stream), flow),
                    Some(Command::Stop) | None => break,
                },
                Some(note) = told.recv() => state.handle_note(note),
                // Finished tasks are collected as they end.
                Some(_) = state.tasks.join_next() => {}
            }
        }
        accepting.shutdown().await;
        state.stop(told).await;
    }
}

impl State {
    fn send(&mut self, transmit: Transmit) {
        let Transmit { flow, mut payload, peer } = transmit;
        // A connection to one name is none to another at the same address.
        if let Some(held) = self.held.get(&flow).filter(|held| !held.ours || held.peer == peer) {
            match held.inlet.offer(payload) {
                Ok(()) => return,
                Err(Refused::Full) => {
                    tracing::info!(remote = %flow.remote, "closing a SIP connection whose peer does not read");
                    held.cut.notify_one();
                    self.held.remove(&flow);
                    self.hub.deliver.counters.add(Figure::DroppedOut);
                    return;
                }
                Err(Refused::Over(back)) => {
                    self.held.remove(&flow);
                    payload = back;
                }
            }
        }
        if !self.may_open(flow) {
            tracing::warn!(%flow, "no SIP connection may be opened here");
            self.hub.deliver.counters.add(Figure::DroppedOut);
            // Where the loop has no room, its transaction finds out by its timer.
            let _ = self.hub.deliver.loop_end.try_send(NetEvent::Broken { flow });
            return;
        }
        self.outbound += 1;
        self.hub.deliver.counters.add(Figure::Outbound);
        if self.start(flow, Origin::ToBeOpened(peer)).inlet.offer(payload).is_err() {
            self.hub.deliver.counters.add(Figure::DroppedOut);
        }
    }

    fn may_open(&self, flow: Flow) -> bool {
        let ours = self.hub.local.contains(&(flow.transport, flow.local));
        ours && flow.transport.can_be_opened() && self.outbound < self.hub.common.limits.connections
    }

    fn resolve(&mut self, question: Question) {
        let asking = self.dns.ask(question, self.hub.deliver.clone());
        self.tasks.spawn(asking);
    }

    fn handle_note(&mut self, note: Note) {
        match note {
            Note::Accepted { stream, flow } => self.accepted(Origin::Accepted(stream), flow),
            Note::Closed { id, flow } => {
                if self.held.get(&flow).is_some_and(|held| held.id == id) {
                    self.held.remove(&flow);
                }
            }
            Note::Gone { remote, accepted: true } => {
                self.inbound -= 1;
                self.hub.deliver.counters.take(Figure::Inbound);
                if let Some(count) = self.sources.get_mut(&remote) {
                    *count -= 1;
                    if *count == 0 {
                        self.sources.remove(&remote);
                    }
                }
            }
            Note::Gone { accepted: false, .. } => {
                self.outbound -= 1;
                self.hub.deliver.counters.take(Figure::Outbound);
            }
        }
    }

    fn accepted(&mut self, origin: Origin, flow: Flow) {
        let (remote, limits) = (flow.remote, &self.hub.common.limits);
        let from_there = self.sources.entry(remote.ip()).or_default();
        if self.inbound >= limits.connections || *from_there >= limits.per_source {
            if *from_there == 0 {
                self.sources.remove(&remote.ip());
            }
            tracing::info!(%remote, "SIP connection refused: too many are open");
            self.hub.deliver.counters.add(Figure::Refused);
            return;
        }
        *from_there += 1;
        self.inbound += 1;
        self.hub.deliver.counters.add(Figure::Inbound);
        self.start(flow, origin);
    }

    fn start(&mut self, flow: Flow, origin: Origin) -> &Held {
        self.last += 1;
        let (inlet, outlet) = outbox(&self.hub.common.limits);
        let (cut, current) = (Arc::new(Notify::new()), Arc::new(AtomicBool::new(true)));
        let connection = Connection {
            id: self.last,
            flow,
            outlet,
            back: inlet.weak(),
            cut: Arc::clone(&cut),
            current: Arc::clone(&current),
            deliver: self.hub.deliver.clone(),
            notes: self.notes.clone(),
            common: Arc::clone(&self.hub.common),
        };
        let (ours, peer) = match &origin {
            Origin::ToBeOpened(peer) => (true, peer.clone()),
            Origin::Accepted(_) | Origin::Upgraded(_) => (false, None),
        };
        let held = Held { id: self.last, inlet, cut, current, peer, ours };
        self.tasks.spawn(connection.run(origin));
        if let Some(older) = self.held.remove(&flow) {
            older.current.store(false, Ordering::Release);
        }
        self.held.entry(flow).or_insert(held)
    }

    /// Lets go of every queue, so that connections write what is in them and end, and waits for that as long as is allowed.
    async fn stop(mut self, mut told: mpsc::Receiver<Note>) {
        let _ = self.hub.stopping.send(true);
        self.held.clear();
        let flush = self.hub.common.limits.flush;
        let ended = async {
            while !self.tasks.is_empty() {
                tokio::select! {
                    Some(note) = told.recv() => {
                        // Who connects now is too late; who closes need not be known.
                        drop(note);
                    }
                    Some(_) = self.tasks.join_next() => {}
                }
            }
        };
        if timeout(flush, ended).await.is_err() {
            tracing::warn!(connections = self.tasks.len(), "SIP connections are cut whose peers do not read");
        }
        self.tasks.shutdown().await;
    }
}

async fn accept((transport, local, listener): Listener, notes: mpsc::Sender<Note>) {
    loop {
        match listener.accept().await {
            Ok((stream, remote)) => {
                let flow = Flow { transport, local, remote };
                if notes.send(Note::Accepted { stream, flow }).await.is_err() {
                    return;
                }
            }
            Err(error) => {
                tracing::warn!(%local, %error, "a SIP connection could not be accepted; check the limit on open files");
                tokio::time::sleep(REST).await;
            }
        }
    }
}
