//! The loop's end of the network.

use std::io;
use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::sync::Arc;
use std::thread::JoinHandle;

use crossbeam_channel::Sender;
use rustix::event::{EventfdFlags, eventfd};
use rustix::fd::OwnedFd;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::{mpsc, watch};

use super::counters::{Counters, Figure};
use super::deliver::Deliver;
use super::hub::{Command, Hub};
use super::settings::{Limits, NetError, NetSettings};
use super::{NetEvent, sockets, udp};
use crate::sip::transaction::{Transmit, Transport};

/// Messages on the way from the loop to the streams. More are dropped and counted: the loop must not wait.
const COMMANDS: usize = 16_384;

/// What was bound.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Addresses {
    /// UDP sockets, in the order of the settings.
    pub udp: Vec<SocketAddr>,
    /// TCP listeners, in the order of the settings.
    pub tcp: Vec<SocketAddr>,
}

/// The network. Dropping it stops it.
pub struct Net {
    addresses: Addresses,
    sockets: Vec<Arc<UdpSocket>>,
    commands: Option<mpsc::Sender<Command>>,
    deliver: Sender<NetEvent>,
    stop: Arc<OwnedFd>,
    threads: Vec<JoinHandle<()>>,
    counters: Arc<Counters>,
}

impl Net {
    /// Binds everything and starts reading into `deliver`. While that is full, datagrams are dropped and streams wait.
    ///
    /// # Errors
    /// Where an address cannot be listened on, or the system gives no thread.
    pub fn start(settings: NetSettings, deliver: Sender<NetEvent>) -> Result<Self, NetError> {
        let mut sockets = Vec::new();
        for address in settings.udp {
            let refused = |source| NetError::Listen { transport: "UDP", address, source };
            let socket = sockets::udp(address, settings.dscp).map_err(refused)?;
            sockets.push((socket.local_addr().map_err(refused)?, Arc::new(socket)));
        }
        let mut listeners = Vec::new();
        for address in settings.tcp {
            let refused = |source| NetError::Listen { transport: "TCP", address, source };
            let listener = sockets::listener(address).map_err(refused)?;
            listeners.push((listener.local_addr().map_err(refused)?, listener));
        }
        let stop = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK);
        let stop = stop.map_err(|error| NetError::Thread { what: "eventfd", source: error.into() })?;
        let mut net = Self {
            addresses: Addresses {
                udp: sockets.iter().map(|(local, _)| *local).collect(),
                tcp: listeners.iter().map(|(local, _)| *local).collect(),
            },
            sockets: sockets.into_iter().map(|(_, socket)| socket).collect(),
            commands: None,
            deliver,
            stop: Arc::new(stop),
            threads: Vec::new(),
            counters: Arc::default(),
        };
        for socket in net.sockets.clone() {
            net.read(socket)?;
        }
        if !listeners.is_empty() {
            net.serve(listeners, settings.limits, settings.dscp)?;
        }
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
    /// transaction sends it again. Over TCP the connection of the flow is opened where there is none; where it cannot be, or
    /// the peer does not read, [`NetEvent::Broken`] comes.
    pub fn send(&self, transmit: &Transmit) {
        match transmit.flow.transport {
            Transport::Udp => self.send_datagram(transmit),
            Transport::Tcp => {
                let sent = self.commands.as_ref().map(|commands| commands.try_send(Command::Send(transmit.clone())));
                if !matches!(sent, Some(Ok(()))) {
                    self.counters.add(Figure::DroppedOut);
                    // Where there is no room even for this, the transaction finds out by its timer.
                    let _ = self.deliver.try_send(NetEvent::Broken { flow: transmit.flow });
                }
            }
        }
    }

    /// Writes everything that was sent, as far as peers take it, and ends every thread.
    pub fn stop(mut self) {
        self.end();
    }

    fn send_datagram(&self, transmit: &Transmit) {
        let number = self.addresses.udp.iter().position(|local| *local == transmit.flow.local);
        let Some(socket) = number.and_then(|number| self.sockets.get(number)) else {
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
        self.spawn("sip-udp", move || udp::read(&socket, &stop, &deliver, &counters))
    }

    fn serve(&mut self, listeners: Vec<(SocketAddr, TcpListener)>, limits: Limits, dscp: u8) -> Result<(), NetError> {
        let failed = |source| NetError::Thread { what: "TCP runtime", source };
        let runtime = Builder::new_current_thread().enable_io().enable_time().build().map_err(failed)?;
        let (sender, commands) = mpsc::channel(COMMANDS);
        let (stopping, watching) = watch::channel(false);
        let deliver = Deliver { loop_end: self.deliver.clone(), counters: self.counters(), stopping: watching };
        let local = self.addresses.tcp.clone();
        let hub = Hub { limits: Arc::new(limits), dscp, deliver, stopping, local };
        let listeners = adopt(&runtime, listeners)?;
        self.commands = Some(sender);
        self.spawn("sip-tcp", move || runtime.block_on(hub.run(listeners, commands)))
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

fn adopt(
    runtime: &Runtime,
    listeners: Vec<(SocketAddr, TcpListener)>,
) -> Result<Vec<(tokio::net::TcpListener, SocketAddr)>, NetError> {
    let _inside = runtime.enter();
    let adopted = listeners.into_iter().map(|(address, listener)| {
        let refused = |source| NetError::Listen { transport: "TCP", address, source };
        tokio::net::TcpListener::from_std(listener).map(|listener| (listener, address)).map_err(refused)
    });
    adopted.collect()
}
