//! How packets come from the ports of legs: the thread is woken for them, or looks after them at a leg's own ticks.

use std::net::SocketAddr;

use rustix::event::epoll::{self, EventData, EventFlags};

use super::{Buffers, MediaThread};
use crate::engine::clock::{self, Clocks};
use crate::engine::ports::Pair;
use crate::engine::slot::{Reading, Slot, Way};
use crate::engine::stamped;
use crate::engine::tap::drain;
use crate::media::PacketFate;
use crate::time::Now;

/// Datagrams taken from one socket before the others have their turn.
const BUDGET: usize = 16;

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
            (Reading::AtOnce, true) => {
                if stamped::enable(&pair.rtp) && epoll::delete(&self.epoll, &pair.rtp).is_ok() {
                    slot.reading = Reading::AtTicks { last_ns: now.mono_ns };
                }
            }
            (Reading::AtTicks { .. }, false) => {
                match epoll::add(&self.epoll, &pair.rtp, EventData::new_u64(token_of(index)), EventFlags::IN) {
                    Ok(()) => slot.reading = Reading::AtOnce,
                    Err(error) => {
                        tracing::error!(%error, leg = %slot.leg.id(), "cannot watch the socket of a leg; it is heard late");
                    }
                }
            }
            (Reading::AtOnce, false) | (Reading::AtTicks { .. }, true) => {}
        }
    }

    /// Takes what has come for a leg that is read at its ticks: packets that came after the last tick have no other behind them, as
    /// a rule, and asking in vain costs as much as a datagram. What is left, the next tick takes.
    pub(super) fn read_at_tick(&mut self, index: usize, buf: &mut Buffers, clocks: &Clocks) {
        let now = clocks.now();
        for _ in 0..BUDGET {
            let Some(slot) = self.slots.get_mut(index).and_then(Option::as_mut) else { return };
            let (Way::Ports(pair), Reading::AtTicks { last_ns }) = (&slot.way, slot.reading) else { return };
            let Some(one) = stamped::receive(&pair.rtp, &mut buf.incoming, &mut buf.control) else { break };
            // Where the wall clock was set meanwhile, it says little: nothing waits for longer than two ticks.
            let earliest = last_ns.saturating_sub(now.mono_ns.saturating_sub(last_ns));
            let came = clocks.instant_of(one.wall_ns, earliest);
            let last = came.mono_ns > last_ns && slot.leg.can_wait();
            self.take_rtp(index, one.from, one.len, buf, came);
            if last {
                break;
            }
        }
        if let Some(Slot { reading: Reading::AtTicks { last_ns }, .. }) =
            self.slots.get_mut(index).and_then(Option::as_mut)
        {
            *last_ns = now.mono_ns;
        }
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
                let peer = self.by_leg.get(&to).and_then(|peer| self.slots.get_mut(*peer)).and_then(Option::as_mut);
                if let Some(peer) = peer
                    && let Some((to, len)) = peer.leg.send_bridged(id, &arrival, out, now)
                {
                    peer.send_rtp(out, len, to);
                }
            }
            PacketFate::Drop(_) | PacketFate::Consumed(_) => {}
        }
        self.report(index);
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
