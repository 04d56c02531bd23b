//! One media thread: its legs, their sockets, and the loop that carries packets.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, HashMap};
use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use crossbeam_channel::{Receiver, Sender};
use rand_chacha::ChaCha12Rng;
use rand_core::Rng;
use rustix::event::epoll::{self, EventData, EventFlags};
use rustix::fd::OwnedFd;

use super::clock;
use super::handle::Shared;
use super::ports::{Pair, Ports};
use crate::id::LegId;
use crate::media::{
    Leg, LegCommand, LegMedia, MediaReport, PacketFate, PortLease, PromptStore, Recorder, RecordingWork, Side,
    StreamStart,
};
use crate::time::Now;

/// The epoll token of the wake-up.
const WAKE: u64 = u64::MAX;
/// Events taken from epoll at once.
const EVENTS: usize = 256;
/// Datagrams taken from one socket before the others have their turn.
const BUDGET: usize = 16;
/// More than an Ethernet frame carries; longer datagrams are cut and then fail to parse or to be negotiated.
const DATAGRAM: usize = 2_048;

struct Buffers {
    incoming: [u8; DATAGRAM],
    outgoing: [u8; DATAGRAM],
}

struct Slot {
    leg: Leg,
    pair: Pair,
    /// Which recording the party speaks into, and on which channel.
    recording: Option<(String, Side)>,
    /// The deadline under which the leg stands in the heap; other entries are stale.
    armed_ns: u64,
}

/// What reaches the thread and what it reaches.
pub(super) struct Links {
    pub shared: Arc<Shared>,
    pub commands: Receiver<LegCommand>,
    pub reports: Sender<MediaReport>,
    pub stock: Sender<PortLease>,
    pub store: Arc<PromptStore>,
    pub recordings: Sender<RecordingWork>,
}

/// A media thread's whole state.
pub(super) struct MediaThread {
    epoll: OwnedFd,
    links: Links,
    ports: Ports,
    /// Bound, and not yet in the stock.
    next_lease: Option<PortLease>,
    random: ChaCha12Rng,
    slots: Vec<Option<Slot>>,
    vacant: Vec<usize>,
    by_leg: HashMap<LegId, usize>,
    recorders: BTreeMap<String, Recorder>,
    /// Closed, while the writer had no room to hear of it.
    closing: Vec<Recorder>,
    due: BinaryHeap<Reverse<(u64, usize)>>,
}

impl MediaThread {
    /// A thread that will run with `ports`, of which `first` is bound.
    pub fn new(links: Links, ports: Ports, first: PortLease, random: ChaCha12Rng) -> io::Result<Self> {
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        epoll::add(&epoll, &links.shared.wake, EventData::new_u64(WAKE), EventFlags::IN)?;
        let mut thread = Self {
            epoll,
            links,
            ports,
            next_lease: Some(first),
            random,
            slots: Vec::new(),
            vacant: Vec::new(),
            by_leg: HashMap::new(),
            recorders: BTreeMap::new(),
            closing: Vec::new(),
            due: BinaryHeap::new(),
        };
        thread.top_up();
        Ok(thread)
    }

    /// Carries packets until the handle is dropped.
    pub fn run(mut self) {
        let mut events = Vec::with_capacity(EVENTS);
        let mut buf = Buffers { incoming: [0; DATAGRAM], outgoing: [0; DATAGRAM] };
        while !self.links.shared.stopping.load(Ordering::Acquire) {
            let timeout =
                self.due.peek().map(|Reverse((at, _))| clock::timespec(at.saturating_sub(clock::now().mono_ns)));
            match epoll::wait(&self.epoll, rustix::buffer::spare_capacity(&mut events), timeout.as_ref()) {
                Ok(_) | Err(rustix::io::Errno::INTR) => {}
                Err(error) => {
                    tracing::error!(%error, "waiting for packets failed; the media thread ends");
                    return;
                }
            }
            // First, so that a packet meets the state that was commanded before it came. A token may now name another leg's slot:
            // that leg's sockets are asked in vain, nothing worse.
            if events.iter().any(|event| event.data.u64() == WAKE) {
                self.handle_wake();
            }
            for event in events.drain(..) {
                match event.data.u64() {
                    WAKE => {}
                    token if token & 1 == 0 => self.handle_rtp((token >> 1) as usize, &mut buf),
                    token => self.handle_rtcp((token >> 1) as usize, &mut buf),
                }
            }
            self.handle_due(&mut buf);
        }
        for recorder in self.recorders.values_mut() {
            recorder.close(clock::now());
            drain(recorder, &self.links.recordings);
        }
    }

    fn handle_rtp(&mut self, index: usize, buf: &mut Buffers) {
        for _ in 0..BUDGET {
            let Some(slot) = self.slots.get_mut(index).and_then(Option::as_mut) else { return };
            let Ok((len, from)) = slot.pair.rtp.recv_from(&mut buf.incoming) else { return };
            let Some(datagram) = buf.incoming.get(..len) else { return };
            let out = &mut buf.outgoing;
            let now = clock::now();
            let id = slot.leg.id();
            let fate = slot.leg.handle_packet(from, datagram, out, now);
            if let Some((name, side)) = &slot.recording
                && let Some(frame) = fate.frame()
                && let Some(recorder) = self.recorders.get_mut(name)
            {
                recorder.handle_frame(*side, frame, now);
                drain(recorder, &self.links.recordings);
            }
            match fate {
                PacketFate::Echo { to, len } => transmit(&slot.pair.rtp, out.get(..len), to),
                PacketFate::Forward { to, arrival } => {
                    self.report(index);
                    let peer = self.by_leg.get(&to).and_then(|peer| self.slots.get_mut(*peer)).and_then(Option::as_mut);
                    if let Some(peer) = peer
                        && let Some((to, len)) = peer.leg.send_bridged(id, &arrival, out, now)
                    {
                        transmit(&peer.pair.rtp, out.get(..len), to);
                    }
                    continue;
                }
                PacketFate::Drop(_) | PacketFate::Consumed(_) => {}
            }
            self.report(index);
        }
    }

    fn handle_rtcp(&mut self, index: usize, buf: &mut Buffers) {
        let Some(slot) = self.slots.get_mut(index).and_then(Option::as_mut) else { return };
        for _ in 0..BUDGET {
            let Ok((len, from)) = slot.pair.rtcp.recv_from(&mut buf.incoming) else { return };
            slot.leg.handle_rtcp(from, buf.incoming.get(..len).unwrap_or_default(), clock::now());
        }
    }

    fn handle_due(&mut self, buf: &mut Buffers) {
        let now = clock::now();
        self.closing.retain_mut(|recorder| {
            drain(recorder, &self.links.recordings);
            recorder.owes_close()
        });
        while let Some(Reverse((at, index))) = self.due.peek().copied() {
            if at > now.mono_ns {
                return;
            }
            self.due.pop();
            let Some(slot) = self.slots.get_mut(index).and_then(Option::as_mut).filter(|slot| slot.armed_ns == at)
            else {
                continue;
            };
            while let Some((to, len)) = slot.leg.handle_tick(&self.links.store, &mut buf.outgoing, now) {
                transmit(&slot.pair.rtp, buf.outgoing.get(..len), to);
            }
            if let Some(recorder) = slot.recording.as_ref().and_then(|(name, _)| self.recorders.get_mut(name)) {
                recorder.handle_tick(now);
                drain(recorder, &self.links.recordings);
            }
            self.report(index);
            self.arm(index);
        }
    }

    fn handle_wake(&mut self) {
        let mut count = [0; 8];
        // Only to make it quiet; what there is to do, the channels say.
        let _ = rustix::io::read(&self.links.shared.wake, &mut count);
        let now = clock::now();
        while let Ok(command) = self.links.commands.try_recv() {
            match command {
                LegCommand::Desire { leg, epoch, desired } => self.desire(leg, epoch, desired, now),
                LegCommand::Release { leg, lease } => self.release(leg, lease, now),
            }
        }
        self.top_up();
    }

    fn desire(&mut self, id: LegId, epoch: u32, desired: LegMedia, now: Now) {
        if let Some(index) = self.by_leg.get(&id).copied() {
            if let Some(slot) = self.slots.get_mut(index).and_then(Option::as_mut) {
                slot.leg.handle_command(epoch, desired, now);
            }
            self.choose_recording(index, now);
            self.report(index);
            self.arm(index);
            return;
        }
        let Some(pair) = self.ports.take(desired.lease) else {
            self.tell(MediaReport::LeaseUnknown { leg: id });
            return;
        };
        let start = StreamStart {
            ssrc: self.random.next_u32(),
            sequence: self.random.next_u32() as u16,
            timestamp: self.random.next_u32(),
        };
        let index = self.vacant.pop().unwrap_or(self.slots.len());
        let token = (index as u64) << 1;
        let added = epoll::add(&self.epoll, &pair.rtp, EventData::new_u64(token), EventFlags::IN)
            .and_then(|()| epoll::add(&self.epoll, &pair.rtcp, EventData::new_u64(token | 1), EventFlags::IN));
        if let Err(error) = added {
            tracing::error!(%error, leg = %id, "cannot watch the sockets of a leg; it will hear, and not be heard");
        }
        let slot = Some(Slot { leg: Leg::new(id, epoch, desired, start, now), pair, recording: None, armed_ns: 0 });
        match self.slots.get_mut(index) {
            Some(place) => *place = slot,
            None => self.slots.push(slot),
        }
        self.by_leg.insert(id, index);
        self.choose_recording(index, now);
        self.arm(index);
    }

    /// The report about the leg leaves after its ports are in the pool again, so that it may be waited for.
    fn release(&mut self, id: LegId, lease: PortLease, now: Now) {
        let slot = self.by_leg.remove(&id).and_then(|index| {
            self.vacant.push(index);
            self.slots.get_mut(index).and_then(Option::take)
        });
        match slot {
            Some(Slot { leg, pair, recording, .. }) => {
                if let Some((name, _)) = recording {
                    self.leave_recording(&name, now);
                }
                self.ports.give_back(pair);
                self.top_up();
                self.tell(leg.quality());
            }
            None => {
                if let Some(pair) = self.ports.take(lease) {
                    self.ports.give_back(pair);
                }
            }
        }
    }

    /// Lets a leg join the recording that its command names, and leave another one.
    fn choose_recording(&mut self, index: usize, now: Now) {
        let Some(slot) = self.slots.get_mut(index).and_then(Option::as_mut) else { return };
        let media = slot.leg.media();
        let wanted = media.recording.as_ref().map(|spec| (spec.id.clone(), spec.side));
        if wanted == slot.recording {
            return;
        }
        if let Some(spec) = &media.recording {
            let new = || Recorder::new(spec, media.format.law, now);
            self.recorders.entry(spec.id.clone()).or_insert_with(new).join();
        }
        if let Some((name, _)) = std::mem::replace(&mut slot.recording, wanted) {
            self.leave_recording(&name, now);
        }
    }

    fn leave_recording(&mut self, name: &str, now: Now) {
        if self.recorders.get_mut(name).is_some_and(|recorder| recorder.leave(now))
            && let Some(mut recorder) = self.recorders.remove(name)
        {
            drain(&mut recorder, &self.links.recordings);
            if recorder.owes_close() {
                self.closing.push(recorder);
            }
        }
    }

    /// Binds pairs until the stock is full or the range is used up.
    fn top_up(&mut self) {
        let exhausted = loop {
            let lease = match self.next_lease.take() {
                Some(lease) => lease,
                None => match self.ports.bind_next() {
                    Ok(Some(lease)) => lease,
                    Ok(None) => break true,
                    Err(error) => {
                        tracing::warn!(%error, "the RTP ports that are left cannot be bound; other programs hold them");
                        break true;
                    }
                },
            };
            if let Err(refused) = self.links.stock.try_send(lease) {
                self.next_lease = Some(refused.into_inner());
                break false;
            }
        };
        self.links.shared.exhausted.store(exhausted, Ordering::Release);
    }

    fn arm(&mut self, index: usize) {
        let Some(slot) = self.slots.get_mut(index).and_then(Option::as_mut) else { return };
        slot.armed_ns = slot.leg.deadline();
        // One leg of a recording looks after it, so that the file moves on while nobody speaks.
        if let Some((name, Side::Caller)) = &slot.recording
            && let Some(at) = self.recorders.get(name).and_then(Recorder::deadline)
        {
            slot.armed_ns = slot.armed_ns.min(at);
        }
        self.due.push(Reverse((slot.armed_ns, index)));
    }

    fn report(&mut self, index: usize) {
        while let Some(report) =
            self.slots.get_mut(index).and_then(Option::as_mut).and_then(|slot| slot.leg.poll_report())
        {
            self.tell(report);
        }
    }

    fn tell(&self, report: MediaReport) {
        if self.links.reports.try_send(report).is_err() {
            self.links.shared.reports_lost.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// Hands a recording's work to the writer, which nobody waits for.
fn drain(recorder: &mut Recorder, writer: &Sender<RecordingWork>) {
    while let Some(work) = recorder.poll_work() {
        if let Err(refused) = writer.try_send(work) {
            recorder.handle_refused(refused.into_inner());
            return;
        }
    }
}

/// A packet that the system does not take is lost, as it might be on the network.
/// Sockets stay unconnected: a connected one would drop strangers where nobody counts them.
fn transmit(socket: &UdpSocket, datagram: Option<&[u8]>, to: SocketAddr) {
    if let Some(datagram) = datagram {
        let _ = socket.send_to(datagram, to);
    }
}
