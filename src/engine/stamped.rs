//! Datagrams with the instant at which they reached the machine, for sockets that are read later than that.

use std::io::{self, IoSliceMut};
use std::net::{SocketAddr, SocketAddrV4, SocketAddrV6, UdpSocket};
use std::os::fd::AsRawFd;

use nix::sys::socket::{ControlMessageOwned, MsgFlags, SockaddrStorage, recvmsg, setsockopt, sockopt};
use nix::sys::time::TimeSpec;

/// A datagram that is in the buffer.
pub(super) struct Datagram {
    /// How much of the buffer it takes.
    pub len: usize,
    /// Who sent it.
    pub from: SocketAddr,
    /// When it came, by the wall clock; when it was read, where it had come before the system was asked to stamp.
    pub wall_ns: Option<u64>,
}

/// Room for what [`receive`] is told beside a datagram.
pub(super) fn control() -> Vec<u8> {
    nix::cmsg_space!(TimeSpec)
}

/// Has the system stamp what comes to a socket, or stamp it no more; gives whether it does as asked.
pub(super) fn set(socket: &UdpSocket, stamps: bool) -> bool {
    setsockopt(socket, sockopt::ReceiveTimestampns, &stamps).is_ok()
}

/// The next datagram of a non-blocking socket, in `buf`; `control` is that of [`control`].
///
/// # Errors
/// [`io::ErrorKind::WouldBlock`] where there is none; others where a packet of ours was refused, or a sender has no address.
pub(super) fn receive(socket: &UdpSocket, buf: &mut [u8], control: &mut [u8]) -> io::Result<Datagram> {
    let mut parts = [IoSliceMut::new(buf)];
    let message = recvmsg::<SockaddrStorage>(socket.as_raw_fd(), &mut parts, Some(control), MsgFlags::empty())?;
    let wall_ns = message.cmsgs().ok().and_then(|mut all| {
        all.find_map(|one| match one {
            ControlMessageOwned::ScmTimestampns(at) => {
                Some((at.tv_sec().max(0) as u64).saturating_mul(1_000_000_000) + at.tv_nsec().max(0) as u64)
            }
            _ => None,
        })
    });
    let from = message.address.as_ref().and_then(address_of).ok_or(io::ErrorKind::AddrNotAvailable)?;
    Ok(Datagram { len: message.bytes, from, wall_ns })
}

fn address_of(sender: &SockaddrStorage) -> Option<SocketAddr> {
    let v4 = sender.as_sockaddr_in().map(|addr| SocketAddr::V4(SocketAddrV4::from(*addr)));
    v4.or_else(|| Some(SocketAddr::V6(SocketAddrV6::from(*sender.as_sockaddr_in6()?))))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::clock;
    use crate::time::MS;

    #[test]
    fn a_datagram_is_told_with_its_sender_and_when_it_came() {
        for host in ["127.0.0.1:0", "[::1]:0"] {
            let (reader, writer) = (UdpSocket::bind(host).unwrap(), UdpSocket::bind(host).unwrap());
            let (mut buf, mut control) = ([0; 64], control());
            assert!(set(&reader, true));
            let before = clock::now().wall_ms;
            writer.send_to(b"packet", reader.local_addr().unwrap()).unwrap();
            let one = receive(&reader, &mut buf, &mut control).unwrap();
            assert_eq!((&buf[..one.len], one.from), (&b"packet"[..], writer.local_addr().unwrap()));
            let came = (one.wall_ns.unwrap() / MS) as i64;
            assert!((before..=clock::now().wall_ms).contains(&came), "{before} {came:?}");
            reader.set_nonblocking(true).unwrap();
            let none = receive(&reader, &mut buf, &mut control).err().unwrap();
            assert_eq!(none.kind(), io::ErrorKind::WouldBlock);
            assert!(set(&reader, false));
            writer.send_to(b"packet", reader.local_addr().unwrap()).unwrap();
            assert_eq!(receive(&reader, &mut buf, &mut control).unwrap().wall_ns, None);
        }
    }
}
