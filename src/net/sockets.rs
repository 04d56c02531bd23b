//! Sockets as we want them.

use std::io;
use std::net::{IpAddr, SocketAddr, TcpListener, UdpSocket};

use socket2::{Domain, SockRef, Socket, Type};

/// Asked of the system for a UDP socket, so that a burst waits there and not on the wire; it may give less.
const RECEIVE_BUFFER: usize = 4 << 20;
/// Connections that the system holds for us until they are accepted.
const BACKLOG: i32 = 512;

pub(super) fn udp(address: SocketAddr, dscp: u8) -> io::Result<UdpSocket> {
    let socket = fresh(address, Type::DGRAM)?;
    socket.bind(&address.into())?;
    let _ = socket.set_recv_buffer_size(RECEIVE_BUFFER);
    mark(&SockRef::from(&socket), address.ip(), dscp);
    Ok(socket.into())
}

pub(super) fn listener(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = fresh(address, Type::STREAM)?;
    // A restart must not wait for the connections of the last run to leave TIME_WAIT.
    socket.set_reuse_address(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

/// Sets the DiffServ code point. A system that refuses costs priority on the way, not the call.
pub(super) fn mark(socket: &SockRef<'_>, ours: IpAddr, dscp: u8) {
    let class = u32::from(dscp) << 2;
    let set = if ours.is_ipv4() { socket.set_tos_v4(class) } else { socket.set_tclass_v6(class) };
    if let Err(error) = set {
        tracing::warn!(%error, dscp, "a SIP socket goes without its DiffServ code point; check sip.dscp");
    }
}

fn fresh(address: SocketAddr, kind: Type) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), kind, None)?;
    if address.is_ipv6() {
        // So that [::] and 0.0.0.0 can both be listened on.
        socket.set_only_v6(true)?;
    }
    socket.set_nonblocking(true)?;
    Ok(socket)
}
