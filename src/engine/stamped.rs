//! Datagrams with the instant at which they reached the machine, for sockets that are read later than that.

use std::io::IoSliceMut;
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
    /// When it came, by the wall clock; nothing where the system had not begun to stamp.
    pub wall_ns: Option<u64>,
}

/// Room for what [`receive`] is told beside a datagram.
pub(super) fn control() -> Vec<u8> {
    nix::cmsg_space!(TimeSpec)
}

/// Has the system stamp what comes to a socket; gives whether it does.
pub(super) fn enable(socket: &UdpSocket) -> bool {
    setsockopt(socket, sockopt::ReceiveTimestampns, &true).is_ok()
}

/// The next datagram of a non-blocking socket, in `buf`; `control` is that of [`control`].
pub(super) fn receive(socket: &UdpSocket, buf: &mut [u8], control: &mut [u8]) -> Option<Datagram> {
    let mut parts = [IoSliceMut::new(buf)];
    let message = recvmsg::<SockaddrStorage>(socket.as_raw_fd(), &mut parts, Some(control), MsgFlags::empty()).ok()?;
    let wall_ns = message.cmsgs().ok().and_then(|mut all| {
        all.find_map(|one| match one {
            ControlMessageOwned::ScmTimestampns(at) => {
                Some((at.tv_sec().max(0) as u64).saturating_mul(1_000_000_000) + at.tv_nsec().max(0) as u64)
            }
            _ => None,
        })
    });
    let sender = message.address?;
    let v4 = sender.as_sockaddr_in().map(|addr| SocketAddr::V4(SocketAddrV4::from(*addr)));
    let from = v4.or_else(|| Some(SocketAddr::V6(SocketAddrV6::from(*sender.as_sockaddr_in6()?))))?;
    Some(Datagram { len: message.bytes, from, wall_ns })
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
            assert!(enable(&reader));
            // The system begins to stamp some time after it was asked to: until then packets come without.
            let (mut before, mut came) = (0, None);
            while came.is_none() {
                before = clock::now().wall_ms;
                writer.send_to(b"packet", reader.local_addr().unwrap()).unwrap();
                let one = receive(&reader, &mut buf, &mut control).unwrap();
                assert_eq!((&buf[..one.len], one.from), (&b"packet"[..], writer.local_addr().unwrap()));
                came = one.wall_ns.map(|ns| (ns / MS) as i64);
            }
            assert!((before..=clock::now().wall_ms).contains(&came.unwrap()), "{before} {came:?}");
            reader.set_nonblocking(true).unwrap();
            assert!(receive(&reader, &mut buf, &mut control).is_none());
        }
    }
}
