//! Port pairs: bound before an SDP names them, closed when their leg is gone.

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::net::{IpAddr, UdpSocket};

use crate::media::PortLease;

/// The ports that media may use, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PortRange {
    /// The lowest.
    pub first: u16,
    /// The highest.
    pub last: u16,
}

impl PortRange {
    /// The even ports whose odd neighbour is in the range too.
    pub fn pairs(self) -> impl Iterator<Item = u16> {
        (self.first..=self.last).filter(move |port| port % 2 == 0 && *port < self.last)
    }
}

/// The two sockets of a lease, non-blocking.
pub(super) struct Pair {
    pub lease: PortLease,
    pub rtp: UdpSocket,
    pub rtcp: UdpSocket,
}

/// One thread's share of the range.
pub(super) struct Ports {
    address: IpAddr,
    thread: u16,
    /// Longest unused first, so that a late packet of an old call hardly meets a new one.
    unbound: VecDeque<u16>,
    /// Bound, and on its way to a leg.
    bound: BTreeMap<u32, Pair>,
    next_id: u32,
}

impl Ports {
    /// The share of thread number `thread` among `threads`.
    pub fn new(address: IpAddr, range: PortRange, thread: u16, threads: u16) -> Self {
        let unbound = range.pairs().skip(usize::from(thread)).step_by(usize::from(threads.max(1))).collect();
        Self { address, thread, unbound, bound: BTreeMap::new(), next_id: 0 }
    }

    /// Binds the next pair that is free on this machine. `Ok(None)` where the range is used up.
    ///
    /// # Errors
    /// Where not one of the remaining ports could be bound: the last refusal.
    pub fn bind_next(&mut self) -> io::Result<Option<PortLease>> {
        let mut refusal = None;
        for _ in 0..self.unbound.len() {
            let Some(rtp_port) = self.unbound.pop_front() else { break };
            match bind_pair(self.address, rtp_port) {
                Ok((rtp, rtcp)) => {
                    self.next_id = self.next_id.wrapping_add(1);
                    let lease = PortLease { id: self.next_id, thread: self.thread, rtp_port };
                    self.bound.insert(lease.id, Pair { lease, rtp, rtcp });
                    return Ok(Some(lease));
                }
                Err(error) => {
                    // Another program has it today; it may be free tomorrow.
                    self.unbound.push_back(rtp_port);
                    let elsewhere = error.kind() != io::ErrorKind::AddrInUse;
                    refusal = Some(error);
                    if elsewhere {
                        break;
                    }
                }
            }
        }
        refusal.map_or(Ok(None), Err)
    }

    /// The sockets behind a lease, once.
    pub fn take(&mut self, lease: PortLease) -> Option<Pair> {
        self.bound.remove(&lease.id)
    }

    /// Closes a pair; its ports may be bound again.
    pub fn give_back(&mut self, pair: Pair) {
        self.unbound.push_back(pair.lease.rtp_port);
    }
}

fn bind_pair(address: IpAddr, rtp_port: u16) -> io::Result<(UdpSocket, UdpSocket)> {
    let rtp = UdpSocket::bind((address, rtp_port))?;
    let rtcp = UdpSocket::bind((address, rtp_port.saturating_add(1)))?;
    rtp.set_nonblocking(true)?;
    rtcp.set_nonblocking(true)?;
    Ok((rtp, rtcp))
}
