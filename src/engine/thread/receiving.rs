//! How packets come from the ports of legs: the thread is woken for them, or looks after them at a leg's own ticks.

use std::io;
use std::net::SocketAddr;

use rustix::event::epoll::{self, EventData, EventFlags};

use super::{Buffers, MediaThread};
use crate::engine::clock::{self, Clocks};
use crate::engine::ports::Pair;
use crate::engine::slot::{Reading, Slot, Way};
use crate::engine::stamped;
use crate::engine::tap::drain;
use crate::id::LegId;
use crate::media::PacketFate;
use crate::time::Now;

/// Datagrams taken from one socket before the others have their turn.
const BUDGET: usize = 16;
/// For how long nobody waits for ticks at a port to which more comes than a tick takes, milliseconds.
const FLOODED_MS: u64 = 1_000;

impl MediaThread {
    /// Has the thread woken by what comes to a leg's ports.
    pub(super) fn watch(&self, index: usize, pair: &Pair) -> rustix::io::Result<()> {
        let token = token_of(index);
        epoll::add(&self.epoll, &pair.rtp, EventData::new_u64(token), EventFlags::IN)?;
        epoll::add(&self.epoll, &pair.rtcp, EventData::new_u64(token | 1), EventFlags::IN)
    }

    /// Reads the RTP of a leg that can wait at the leg's ticks from now on, or at once where it can wait no longer. Waking for each
    /// packet of one who hears a prompt costs as much as the prompt.
    pub(super) fn choose_reading(&mut self, index: usize, now: Now) {
        let Some(slot) = self.slots.get_mut(index).and_then(Option::as_mut) else { return };
        let Way::Ports(pair) = &slot.way else { return };
        match (slot.reading, slot.leg.can_wait()) {
            (Reading::AtOnce { until_ns }, true) if until_ns <= now.mono_ns => {
                // A socket that was not to be watched is heard again this way.
                let left = matches!(epoll::delete(&self.epoll, &pair.rtp), Ok(()) | Err(rustix::io::Errno::NOENT));
                if left && stamped::set(&pair.rtp, true) {
                    slot.reading = Reading::AtTicks { last_ns: now.mono_ns };
                }
            }
            (Reading::AtTicks { .. }, false) => self.read_at_once(index, 0),
            (Reading::AtOnce { .. }, _) | (Reading::AtTicks { .. }, true) => {}
        }
    }

    /// Has the thread woken for a leg's RTP again, until an instant at least. Where the system refuses, ticks go on.
    fn read_at_once(&mut self, index: usize, until_ns: u64) {
        let Some(slot) = self.slots.get_mut(index).and_then(Option::as_mut) else { return };
        let Way::Ports(pair) = &slot.way else { return };
        match epoll::add(&self.epoll, &pair.rtp, EventData::new_u64(token_of(index)), EventFlags::IN) {
            Ok(()) => {
                slot.reading = Reading::AtOnce { until_ns };
                stamped::set(&pair.rtp, false);
                self.refused = false;
            }
            Err(error) => {
                if !std::mem::replace(&mut self.refused, true) {
                    tracing::error!(%error, leg = %slot.leg.id(), "cannot watch sockets; legs are heard late until it is allowed again");
                }
            }
        }
    }

    /// Takes what has come for a leg that is read at its ticks, up to the first packet that came after the last tick: such a one has
    /// no other behind it, as a rule, and asking in vain costs as much as a datagram. What is left, the next tick takes; or with
    /// `all`, nothing is left. Of a port that is flooded the thread is woken again for a while, so that the party's own packets are
    /// not the ones that find no room.
    pub(super) fn read_at_tick(&mut self, index: usize, buf: &mut Buffers, clocks: &Clocks, all: bool) {
        let now = clocks.now();
        for _ in 0..BUDGET {
            let Some(slot) = self.slots.get_mut(index).and_then(Option::as_mut) else { return };
            let (Way::Ports(pair), Reading::AtTicks { last_ns }) = (&slot.way, &mut slot.reading) else { return };
            let one = match stamped::receive(&pair.rtp, &mut buf.incoming, &mut buf.control) {
                Ok(one) => one,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    *last_ns = now.mono_ns;
                    return;
                }
                // A packet of ours was refused (ICMP); theirs stand behind that.
                Err(_) => continue,
            };
            let before_ns = *last_ns;
            // Where the wall clock was set meanwhile, its stamp says little: hardly anything waits for longer than two ticks.
            let earliest = before_ns.saturating_sub(now.mono_ns.saturating_sub(before_ns));
            let came = clocks.instant_of(one.wall_ns, earliest);
            // Stamped only now where it had come before the system began to stamp.
            let last = !all && (before_ns + 1..now.mono_ns).contains(&came.mono_ns);
            if last {
                *last_ns = now.mono_ns;
            }
            self.take_rtp(index, one.from, one.len, buf, came);
            if last {
                return;
            }
        }
        self.read_at_once(index, now.in_ms(FLOODED_MS));
    }

    /// Takes one datagram: parties rarely send two at once, and asking in vain costs as much as a datagram. What is left, the next
    /// turn tells of again.
    pub(super) fn handle_rtp(&mut self, index: usize, buf: &mut Buffers, turn: Now) {
        let Some(slot) = self.slots.get_mut(index).and_then(Option::as_mut) else { return };
        let Way::Ports(pair) = &slot.way else { return };
        let Ok((len, from)) = pair.rtp.recv_from(&mut buf.incoming) else { return };
        self.take_rtp(index, from, len, buf, clock::since(turn));
    }

    /// A datagram of RTP for a leg is in the buffer.
    pub(in crate::engine) fn take_rtp(
        &mut self,
        index: usize,
        from: SocketAddr,
        len: usize,
        buf: &mut Buffers,
        now: Now,
    ) {
        let Some(slot) = self.slots.get_mut(index).and_then(Option::as_mut) else { return };
        let datagram = buf.incoming.get_mut(..len);
        let Some(datagram) = datagram.and_then(|datagram| slot.border.open_rtp(datagram)) else { return };
        let out = &mut buf.outgoing;
        let id = slot.leg.id();
        let fate = slot.leg.handle_packet(from, datagram, &mut buf.narrow, out, now);
        if let Some((recording, side)) = slot.recording
            && let Some(frame) = fate.frame()
            && let Some(recorder) = self.recorders.get_mut(recording)
        {
            recorder.handle_frame(side, frame, now);
            drain(recorder, &self.links.recordings);
        }
        slot.connect();
        match fate {
            PacketFate::Echo { to, len } => slot.send_rtp(out, len, to),
            PacketFate::Forward { to, arrival } => {
                if let Some(peer) = self.peer_of(index, to)
                    && let Some((to, len)) = peer.leg.send_bridged(id, &arrival, out, now)
                {
                    peer.send_rtp(out, len, to);
                }
            }
            PacketFate::Drop(_) | PacketFate::Consumed(_) => {}
        }
        self.report(index);
    }

    /// The leg to which another one's packets go: where they went last, as a rule. Names are looked up elsewhere in memory.
    fn peer_of(&mut self, index: usize, to: LegId) -> Option<&mut Slot> {
        let is_it = |slot: &Option<Slot>| slot.as_ref().is_some_and(|slot| slot.leg.id() == to);
        let last = self.slots.get(index).and_then(Option::as_ref)?.peer;
        if self.slots.get(last).is_some_and(is_it) {
            return self.slots.get_mut(last)?.as_mut();
        }
        let peer = *self.by_leg.get(&to)?;
        self.slots.get_mut(index)?.as_mut()?.peer = peer;
        self.slots.get_mut(peer)?.as_mut()
    }

    pub(super) fn handle_rtcp(&mut self, index: usize, buf: &mut Buffers) {
        for _ in 0..BUDGET {
            let Some(slot) = self.slots.get_mut(index).and_then(Option::as_mut) else { return };
            let Way::Ports(pair) = &slot.way else { return };
            let Ok((len, from)) = pair.rtcp.recv_from(&mut buf.incoming) else { return };
            self.take_rtcp(index, from, len, buf);
        }
    }

    /// A datagram of RTCP for a leg is in the buffer.
    pub(in crate::engine) fn take_rtcp(&mut self, index: usize, from: SocketAddr, len: usize, buf: &mut Buffers) {
        let Some(slot) = self.slots.get_mut(index).and_then(Option::as_mut) else { return };
        let datagram = buf.incoming.get_mut(..len).unwrap_or_default();
        if let Some(compound) = slot.border.open_rtcp(datagram) {
            slot.leg.handle_rtcp(from, compound, clock::now());
        }
    }
}

/// The epoll token of a leg's RTP; that of its RTCP is odd.
fn token_of(index: usize) -> u64 {
    (index as u64) << 1
}
