//! The loop's end of the network.

use std::hash::{BuildHasher, RandomState};
use std::io;
use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::os::fd::AsRawFd;
use std::sync::Arc;
use std::task::Waker;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crossbeam_channel::Sender;
use rustix::event::{EventfdFlags, eventfd};
use rustix::fd::OwnedFd;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::{Semaphore, mpsc, watch};

use super::capture::Capture;
use super::carrier::Common;
use super::counters::{Counters, Figure};
use super::deliver::{Deliver, LoopEnd};
use super::dns::DnsSettings;
use super::door::{Door, Pace};
use super::hub::{self, Command, Hub};
use super::settings::{NetError, NetSettings};
use super::{NetEvent, sockets, udp};
use crate::sip::locate::{Question, Reply};
use crate::sip::overload::Rules;
use crate::sip::transaction::{Flow, Transmit, Transport};

/// Messages on the way from the loop to the streams. More are dropped and counted: the loop must not wait.
const COMMANDS: usize = 16_384;

/// A listener that no runtime has yet.
type Bound = (Transport, SocketAddr, TcpListener);

/// What was bound.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Addresses {
    /// Sockets and listeners, in the order of the settings.
    pub listen: Vec<(Transport, SocketAddr)>,
}

impl Addresses {
    /// Those of one transport.
    pub fn of(&self, transport: Transport) -> impl Iterator<Item = SocketAddr> {
        self.listen.iter().filter(move |(own, _)| *own == transport).map(|(_, address)| *address)
    }
}

/// The network. Dropping it stops it.
pub struct Net {
    addresses: Addresses,
    sockets: Vec<(SocketAddr, Arc<UdpSocket>)>,
    commands: Option<mpsc::Sender<Command>>,
    deliver: LoopEnd,
    stop: Arc<OwnedFd>,
    threads: Vec<JoinHandle<()>>,
    counters: Arc<Counters>,
    capture: Capture,
    pace: Arc<Pace>,
}

/// Hands WebSockets over to the network from any thread. They are carried like those of its own listeners, under the same limits.
#[derive(Clone)]
pub struct Upgrades {
    commands: Option<mpsc::Sender<Command>>,
    counters: Arc<Counters>,
}

impl Upgrades {
    /// Carries what an HTTP server has answered with 101: `local` is where it listens. Closed at once where too many are open.
    pub fn carry(
        &self,
        stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
        local: SocketAddr,
        remote: SocketAddr,
    ) {
        let flow = Flow { transport: Transport::Ws, local, remote };
        if !offer(self.commands.as_ref(), Command::Carry(Box::new(stream), flow)) {
            self.counters.add(Figure::Refused);
        }
    }
}

impl Net {
    /// Binds everything and starts reading into `sender`; `waker` wakes who receives from it. While that is full, datagrams are
    /// dropped and streams wait.
    ///
    /// # Errors
    /// Where an address cannot be listened on, TLS has no certificate, or the system gives no thread.
    pub fn start(settings: NetSettings, sender: Sender<NetEvent>, waker: Waker) -> Result<Self, NetError> {
        let NetSettings { listen, tls, dscp, dns, capture, limits } = settings;
        if tls.is_none() && listen.iter().any(|(transport, _)| transport.is_secure()) {
            return Err(NetError::NoCertificate);
        }
        let (mut addresses, mut sockets, mut listeners) = (Vec::new(), Vec::new(), Vec::new());
        for (transport, address) in listen {
            let refused = |source| NetError::Listen { transport: transport.via_name(), address, source };
            let local = if transport == Transport::Udp {
                let socket = sockets::udp(address, dscp).map_err(refused)?;
                let local = socket.local_addr().map_err(refused)?;
                sockets.push((local, Arc::new(socket)));
                local
            } else {
                let listener = sockets::listener(address).map_err(refused)?;
                let local = listener.local_addr().map_err(refused)?;
                listeners.push((transport, local, listener));
                local
            };
            addresses.push((transport, local));
        }
        let stop = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK);
        let stop = stop.map_err(|error| NetError::Thread { what: "eventfd", source: error.into() })?;
        let counters = Arc::default();
        let mut net = Self {
            capture: Capture::new(capture, &counters),
            addresses: Addresses { listen: addresses },
            sockets,
            commands: None,
            deliver: LoopEnd { sender, waker },
            stop: Arc::new(stop),
            threads: Vec::new(),
            counters,
            pace: Arc::default(),
        };
        for (_, socket) in net.sockets.clone() {
            net.read(socket)?;
        }
        let handshakes = Arc::new(Semaphore::new(limits.handshakes));
        net.serve(listeners, Common { limits, dscp, tls, handshakes }, dns)?;
        Ok(net)
    }

    /// What was bound.
    pub fn local_addresses(&self) -> &Addresses {
        &self.addresses
    }

    /// The live figures, to be read from any thread.
    pub fn counters(&self) -> Arc<Counters> {
        Arc::clone(&self.counters)
    }

    /// Sends a message and never waits. A datagram that the system does not take at once is dropped and counted: its
    /// transaction sends it again. Over TCP and TLS the connection of the flow is opened where there is none; where it cannot be,
    /// or the peer does not read, [`NetEvent::Broken`] comes. WebSockets are never opened.
    pub fn send(&self, transmit: &Transmit) {
        self.capture.sent(transmit.flow, &transmit.payload);
        match transmit.flow.transport {
            Transport::Udp => self.send_datagram(transmit),
            Transport::Tcp | Transport::Tls | Transport::Ws | Transport::Wss => {
                if !offer(self.commands.as_ref(), Command::Send(transmit.clone())) {
                    self.counters.add(Figure::DroppedOut);
                    // Where there is no room even for this, the transaction finds out by its timer.
                    let _ = self.deliver.try_send(NetEvent::Broken { flow: transmit.flow });
                }
            }
        }
    }

    /// Looks a name up and never waits: [`NetEvent::Resolved`] comes.
    pub fn resolve(&self, question: Question) {
        if !offer(self.commands.as_ref(), Command::Resolve(question.clone())) {
            // Where there is no room even for this, whoever asked finds out by the deadline.
            let _ = self.deliver.try_send(NetEvent::Resolved { question, reply: Reply::Failed });
        }
    }

    /// Where WebSockets are handed over that others have accepted.
    pub fn upgrades(&self) -> Upgrades {
        Upgrades { commands: self.commands.clone(), counters: self.counters() }
    }

    /// Says whose calls get 503 where they are read, if the loop is late; nobody's at first.
    pub fn set_shedding(&self, rules: Rules) {
        self.pace.change_rules(|known| *known = rules);
    }

    /// Says which numbers are let in at any time from now on.
    pub fn set_emergency(&self, numbers: Vec<String>) {
        self.pace.change_rules(|known| known.emergency = numbers);
    }

    /// Says how many messages a turn of the loop has taken, and how long it took: from that, what others will have to wait is known.
    pub fn handle_turn(&self, messages: u64, took: Duration) {
        self.pace.handle_turn(messages, took);
    }

    /// Writes everything that was sent, as far as peers take it, and ends every thread.
    pub fn stop(mut self) {
        self.end();
    }

    fn send_datagram(&self, transmit: &Transmit) {
        let Some((_, socket)) = self.sockets.iter().find(|(local, _)| *local == transmit.flow.local) else {
            tracing::warn!(local = %transmit.flow.local, "a SIP message names a UDP address that is not ours; check sip.udp");
            return self.counters.add(Figure::DroppedOut);
        };
        let send = || socket.send_to(&transmit.payload, transmit.flow.remote);
        // A refusal is the answer to an earlier datagram, and this one has not left yet.
        let sent = send().or_else(|error| match error.kind() {
            io::ErrorKind::ConnectionRefused | io::ErrorKind::Interrupted => send(),
            _ => Err(error),
        });
        match sent {
            Ok(_) => self.counters.add(Figure::Sent),
            Err(error) => {
                tracing::debug!(remote = %transmit.flow.remote, %error, "a SIP datagram was not sent");
                self.counters.add(Figure::DroppedOut);
            }
        }
    }

    fn read(&mut self, socket: Arc<UdpSocket>) -> Result<(), NetError> {
        let (stop, deliver, counters) = (Arc::clone(&self.stop), self.deliver.clone(), self.counters());
        let capture = self.capture.clone();
        let door = Door::new(Arc::clone(&self.pace), RandomState::new().hash_one(socket.as_raw_fd()), Instant::now());
        self.spawn("sip-udp", move || udp::read(&stop, &udp::Sink { socket, deliver, counters, capture }, door))
    }

    fn serve(&mut self, listeners: Vec<Bound>, common: Common, dns: Option<DnsSettings>) -> Result<(), NetError> {
        let failed = |source| NetError::Thread { what: "runtime of streams", source };
        let runtime = Builder::new_current_thread().enable_io().enable_time().build().map_err(failed)?;
        let (sender, commands) = mpsc::channel(COMMANDS);
        let (stopping, watching) = watch::channel(false);
        let (loop_end, counters, capture) = (self.deliver.clone(), self.counters(), self.capture.clone());
        let deliver = Deliver { loop_end, counters, stopping: watching, capture };
        let local = self.addresses.listen.clone();
        let hub = Hub { common: Arc::new(common), deliver, stopping, local, dns };
        let listeners = adopt(&runtime, listeners)?;
        self.commands = Some(sender);
        self.spawn("sip-streams", move || runtime.block_on(hub.run(listeners, commands)))
    }

    fn spawn(&mut self, name: &'static str, run: impl FnOnce() + Send + 'static) -> Result<(), NetError> {
        let thread = std::thread::Builder::new().name(name.to_owned()).spawn(run);
        self.threads.push(thread.map_err(|source| NetError::Thread { what: name, source })?);
        Ok(())
    }

    fn end(&mut self) {
        let _ = rustix::io::write(&*self.stop, &1u64.to_ne_bytes());
        if let Some(commands) = self.commands.take() {
            // Behind everything that was sent. It waits for room, which the hub makes without waiting for anybody.
            let _ = commands.blocking_send(Command::Stop);
        }
        for thread in self.threads.drain(..) {
            if thread.join().is_err() {
                tracing::error!("a thread of the SIP network had panicked; messages since then are lost");
            }
        }
    }
}

impl Drop for Net {
    fn drop(&mut self) {
        self.end();
    }
}

/// Gives the hub an order; `false` where there is no room, or no hub any more.
fn offer(commands: Option<&mpsc::Sender<Command>>, command: Command) -> bool {
    commands.is_some_and(|commands| commands.try_send(command).is_ok())
}

fn adopt(runtime: &Runtime, listeners: Vec<Bound>) -> Result<Vec<hub::Listener>, NetError> {
    let _inside = runtime.enter();
    let adopted = listeners.into_iter().map(|(transport, address, listener)| {
        let refused = |source| NetError::Listen { transport: transport.via_name(), address, source };
        tokio::net::TcpListener::from_std(listener).map(|listener| (transport, address, listener)).map_err(refused)
    });
    adopted.collect()
}
