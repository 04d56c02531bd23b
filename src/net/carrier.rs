//! What a connection's messages travel in: a socket that was accepted or opened, then TLS, then a WebSocket.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpSocket, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use super::settings::Limits;
use super::tls::{self, Tls};
use super::{sockets, websocket};
use crate::sip::transaction::{Flow, Transport};

/// Bytes both ways.
pub(super) trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

pub(super) type Reading = Box<dyn AsyncRead + Send + Unpin>;
pub(super) type Writing = Box<dyn AsyncWrite + Send + Unpin>;

/// What messages travel in.
pub(super) enum Carrier {
    /// A stream, to be cut into messages.
    Stream(Reading, Writing),
    /// Frames, each a message.
    WebSocket(Box<websocket::Socket>),
}

/// How a connection came to be.
pub(super) enum Origin {
    /// A peer connected to a listener of ours.
    Accepted(TcpStream),
    /// A peer connected to HTTP and was let change over to a WebSocket.
    Upgraded(Box<dyn Stream>),
    /// We connect, within TLS to the peer of this name or else of the flow's address.
    ToBeOpened(Option<String>),
}

impl Origin {
    /// Whether the peer came to us.
    pub(super) fn is_inbound(&self) -> bool {
        !matches!(self, Self::ToBeOpened(_))
    }
}

/// What all connections have in common.
pub(super) struct Common {
    pub(super) limits: Limits,
    pub(super) dscp: u8,
    pub(super) tls: Option<Tls>,
    /// A permit for each handshake of a peer that connected.
    pub(super) handshakes: Arc<Semaphore>,
}

impl Common {
    /// Brings a connection to where it carries messages, within its deadline.
    pub(super) async fn establish(&self, origin: Origin, flow: Flow) -> io::Result<Carrier> {
        match origin {
            Origin::Accepted(stream) if flow.transport == Transport::Tcp => Ok(self.plain(stream, flow)),
            Origin::Accepted(stream) => {
                let _permit = self.handshake()?;
                within(self.limits.handshake, self.accept(stream, flow)).await
            }
            Origin::Upgraded(stream) => Ok(Carrier::WebSocket(Box::new(websocket::adopt(stream).await))),
            Origin::ToBeOpened(peer) => within(self.limits.connect, self.open(flow, peer)).await,
        }
    }

    fn handshake(&self) -> io::Result<OwnedSemaphorePermit> {
        let permit = Arc::clone(&self.handshakes).try_acquire_owned();
        permit.map_err(|_| io::Error::other("too many handshakes are under way"))
    }

    fn plain(&self, stream: TcpStream, flow: Flow) -> Carrier {
        self.prepare(&stream, flow);
        let (reading, writing) = stream.into_split();
        Carrier::Stream(Box::new(reading), Box::new(writing))
    }

    fn prepare(&self, stream: &TcpStream, flow: Flow) {
        let _ = stream.set_nodelay(true);
        sockets::mark(&SockRef::from(stream), flow.remote.ip(), self.dscp);
    }

    async fn accept(&self, stream: TcpStream, flow: Flow) -> io::Result<Carrier> {
        self.prepare(&stream, flow);
        let stream: Box<dyn Stream> = if flow.transport.is_secure() {
            Box::new(self.tls()?.acceptor().accept(stream).await?)
        } else {
            Box::new(stream)
        };
        match flow.transport {
            Transport::Ws | Transport::Wss => Ok(Carrier::WebSocket(Box::new(websocket::accept(stream).await?))),
            Transport::Udp | Transport::Tcp | Transport::Tls => Ok(split(stream)),
        }
    }

    async fn open(&self, flow: Flow, peer: Option<String>) -> io::Result<Carrier> {
        let socket = if flow.remote.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
        sockets::mark(&SockRef::from(&socket), flow.remote.ip(), self.dscp);
        // From the address that peers know us by.
        socket.bind(SocketAddr::new(flow.local.ip(), 0))?;
        let stream = socket.connect(flow.remote).await?;
        if !flow.transport.is_secure() {
            return Ok(self.plain(stream, flow));
        }
        self.prepare(&stream, flow);
        let stream = self.tls()?.connector().connect(tls::name_of(peer, flow.remote.ip())?, stream).await?;
        Ok(split(Box::new(stream)))
    }

    fn tls(&self) -> io::Result<&Tls> {
        self.tls.as_ref().ok_or_else(|| io::Error::other("there is no certificate"))
    }
}

fn split(stream: Box<dyn Stream>) -> Carrier {
    let (reading, writing) = tokio::io::split(stream);
    Carrier::Stream(Box::new(reading), Box::new(writing))
}

async fn within<T>(limit: Duration, work: impl Future<Output = io::Result<T>>) -> io::Result<T> {
    timeout(limit, work).await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
}
