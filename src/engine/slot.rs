//! A leg with its sockets, and what stands between them: encryption.

use std::io;
use std::net::{SocketAddr, UdpSocket};

use super::browsers::BrowserWay;
use super::ports::Pair;
use crate::id::LegId;
use crate::media::{Leg, MediaReport, Protection, Side};
use crate::rtp::srtp::{Refusal, Srtp};
use crate::time::Now;

/// How often packets that were not opened are told, milliseconds.
const TELL_MS: u64 = 1_000;

/// One leg on its thread.
pub(super) struct Slot {
    pub leg: Leg,
    pub way: Way,
    /// Where the leg's RTP socket is connected to.
    pub connected: Option<SocketAddr>,
    pub border: Border,
    /// Which of the thread's recordings the party speaks into, and on which channel.
    pub recording: Option<(usize, Side)>,
    pub reading: Reading,
    /// The place of the leg that was passed its packets last; another leg may have it now.
    pub peer: usize,
    /// The deadline under which the leg stands in the heap; other entries are stale.
    pub armed_ns: u64,
}

impl Slot {
    /// Sends the packet in `buf[..len]` from the leg's RTP port.
    pub fn send_rtp(&mut self, buf: &mut [u8], len: usize, to: SocketAddr) {
        let Some(datagram) = self.border.seal_rtp(buf, len).and_then(|len| buf.get(..len)) else { return };
        match &self.way {
            Way::Ports(pair) if self.connected == Some(to) => pass_on(&pair.rtp, datagram),
            Way::Ports(pair) => transmit(&pair.rtp, datagram, to),
            Way::Browser(way) => way.send(datagram),
        }
    }

    /// Connects the RTP socket to the party while it speaks from where it was signalled to be: the system keeps its route then, and
    /// drops what others send. A silent party's socket is open again, so that whoever else sends is seen and told.
    pub fn connect(&mut self) {
        let Way::Ports(pair) = &self.way else { return };
        let party = self.leg.settled();
        if party == self.connected {
            return;
        }
        let done = match party {
            Some(party) => rustix::net::connect(&pair.rtp, &party),
            None => rustix::net::connect_unspec(&pair.rtp),
        };
        // Refused for a while, it is asked for again with the next packet; until then packets go as those of an open socket.
        self.connected = if done.is_ok() { party } else { None };
    }

    /// Sends the compound in `buf[..len]` from the leg's RTCP port.
    pub fn send_rtcp(&mut self, buf: &mut [u8], len: usize, to: SocketAddr) {
        let Some(datagram) = self.border.seal_rtcp(buf, len).and_then(|len| buf.get(..len)) else { return };
        match &self.way {
            Way::Ports(pair) => transmit(&pair.rtcp, datagram, to),
            Way::Browser(way) => way.send(datagram),
        }
    }
}

/// When a leg's RTP socket is read.
#[derive(Clone, Copy, Debug)]
pub(super) enum Reading {
    /// Whenever something has come: the thread is woken for it; until an instant (monotonic) at least.
    AtOnce { until_ns: u64 },
    /// At the leg's own ticks, the last of which was at `last_ns` (monotonic).
    AtTicks { last_ns: u64 },
}

/// By what a leg's packets come and go.
pub(super) enum Way {
    /// Ports of its own.
    Ports(Pair),
    /// The port of all browsers.
    Browser(Box<BrowserWay>),
}

/// Whether packets pass as they are.
#[derive(Default)]
enum Guard {
    #[default]
    Open,
    /// None passes: keys are not drawn yet.
    Closed,
    Srtp(Box<Srtp>),
}

/// Where packets are opened before the leg sees them, and sealed before they leave.
#[derive(Default)]
pub(super) struct Border {
    guard: Guard,
    /// Packets that were not opened, in the order of [`Refusal::ALL`].
    refused: [u64; Refusal::ALL.len()],
    told: [u64; Refusal::ALL.len()],
    tell_ns: u64,
}

impl Border {
    /// Of a leg in its first state.
    pub fn new(wanted: &Protection) -> Self {
        let mut border = Self::default();
        border.set(wanted);
        border
    }

    /// Takes what is wanted; keys that are in use go on.
    pub fn set(&mut self, wanted: &Protection) {
        match (wanted, &mut self.guard) {
            (Protection::Plain, guard) => *guard = Guard::Open,
            (Protection::Srtp(keys), Guard::Srtp(srtp)) => srtp.rekey(&keys.ours, &keys.theirs),
            (Protection::Srtp(keys), guard) => {
                *guard = Guard::Srtp(Box::new(Srtp::new(&keys.ours, &keys.theirs)));
            }
            (Protection::Browser(_), Guard::Srtp(_)) => {}
            (Protection::Browser(_), guard) => *guard = Guard::Closed,
        }
    }

    /// Whether there are keys.
    pub fn has_keys(&self) -> bool {
        matches!(self.guard, Guard::Srtp(_))
    }

    /// The RTP in a datagram from the wire; `None` where it is not to be opened, which is counted.
    pub fn open_rtp<'a>(&mut self, datagram: &'a mut [u8]) -> Option<&'a [u8]> {
        let srtp = match &mut self.guard {
            Guard::Open => return Some(datagram),
            Guard::Closed => return None,
            Guard::Srtp(srtp) => srtp,
        };
        match srtp.opener().open_rtp(datagram) {
            Ok(len) => datagram.get(..len),
            Err(refusal) => self.count(refusal),
        }
    }

    /// The same for RTCP.
    pub fn open_rtcp<'a>(&mut self, datagram: &'a mut [u8]) -> Option<&'a [u8]> {
        let srtp = match &mut self.guard {
            Guard::Open => return Some(datagram),
            Guard::Closed => return None,
            Guard::Srtp(srtp) => srtp,
        };
        match srtp.opener().open_rtcp(datagram) {
            Ok(len) => datagram.get(..len),
            Err(refusal) => self.count(refusal),
        }
    }

    fn count(&mut self, refusal: Refusal) -> Option<&'static [u8]> {
        let place = Refusal::ALL.iter().position(|one| *one == refusal);
        if let Some(count) = place.and_then(|place| self.refused.get_mut(place)) {
            *count += 1;
        }
        None
    }

    /// What a packet that was sent twice by its sender becomes is sent once: none of its number may follow under the same key.
    fn seal_rtp(&mut self, buf: &mut [u8], len: usize) -> Option<usize> {
        let srtp = match &mut self.guard {
            Guard::Open => return Some(len),
            Guard::Closed => return None,
            Guard::Srtp(srtp) => srtp,
        };
        srtp.sealer().seal_rtp(buf, len).ok()
    }

    fn seal_rtcp(&mut self, buf: &mut [u8], len: usize) -> Option<usize> {
        let srtp = match &mut self.guard {
            Guard::Open => return Some(len),
            Guard::Closed => return None,
            Guard::Srtp(srtp) => srtp,
        };
        srtp.sealer().seal_rtcp(buf, len).ok()
    }

    /// What is to be told of packets that were not opened; at most once a second.
    pub fn poll_report(&mut self, leg: LegId, now: Now) -> Option<MediaReport> {
        if now.mono_ns < self.tell_ns {
            return None;
        }
        self.last_report(leg, now)
    }

    /// The same at the leg's end.
    pub fn last_report(&mut self, leg: LegId, now: Now) -> Option<MediaReport> {
        if self.refused == self.told {
            return None;
        }
        self.told = self.refused;
        self.tell_ns = now.in_ms(TELL_MS);
        Some(MediaReport::Unopened { leg, counts: self.refused })
    }
}

/// Sends by a connected socket. The first refusal may be an earlier packet's (ICMP), so there is a second try.
fn pass_on(socket: &UdpSocket, datagram: &[u8]) {
    if socket.send(datagram).is_err_and(|error| error.kind() == io::ErrorKind::ConnectionRefused) {
        let _ = socket.send(datagram);
    }
}

/// A packet that the system does not take is lost, as it might be on the network.
fn transmit(socket: &UdpSocket, datagram: &[u8], to: SocketAddr) {
    let _ = socket.send_to(datagram, to);
}
