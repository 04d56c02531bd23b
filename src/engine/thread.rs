//! One media thread: its legs, their sockets, and the loop that carries packets.

mod mixing;
mod receiving;

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender};
use rand_chacha::ChaCha12Rng;
use rand_core::Rng;
use rustix::event::epoll::{self, EventData, EventFlags};
use rustix::fd::OwnedFd;

use super::browsers::Browsers;
use super::clock::{self, Clocks};
use super::handle::{Reports, Shared};
use super::ports::Ports;
use super::prompts::Work;
use super::reader::{Delivery, Order};
use super::slot::{Border, Reading, Slot, Way};
use super::stamped;
use super::tap::{Desk, Recorders, drain};
use crate::id::LegId;
use crate::media::{
    AudioFormat, LONGEST_MIX, Leg, LegCommand, LegMedia, MediaReport, PortLease, PromptStore, Protection, SOON_MS,
    Side, StreamStart,
};
use crate::time::{MS, Now};

/// The epoll token of the wake-up.
const WAKE: u64 = u64::MAX;
/// That of the browsers' port.
const BROWSERS: u64 = u64::MAX - 1;
/// Events taken from epoll at once.
const EVENTS: usize = 256;
/// More than an Ethernet frame carries; longer datagrams are cut and then fail to parse or to be negotiated.
const DATAGRAM: usize = 2_048;
/// Room for the last report of a leg, its name and its BYE.
const FAREWELL: usize = 256;

pub(super) struct Buffers {
    pub incoming: [u8; DATAGRAM],
    /// What the system says of a datagram.
    control: Vec<u8>,
    outgoing: [u8; DATAGRAM],
    /// G.711 of other sound.
    narrow: [u8; DATAGRAM],
    mix: [i32; LONGEST_MIX],
}

/// What reaches the thread and what it reaches.
pub(super) struct Links {
    pub shared: Arc<Shared>,
    pub commands: Receiver<LegCommand>,
    pub reports: Reports,
    pub stock: Sender<PortLease>,
    pub store: Arc<PromptStore>,
    /// What takes its place; sent before any command that names what is new in it.
    pub stores: Receiver<Arc<PromptStore>>,
    /// Asks for prompts in wider codecs.
    pub encode: Sender<Work>,
    /// Asks for chunks of long prompts, which come by `chunks`.
    pub reader: Sender<Order>,
    pub deliveries: Sender<Delivery>,
    pub chunks: Receiver<Delivery>,
    pub lost_ms: Option<u64>,
    pub recordings: Desk,
}

/// A media thread's whole state.
pub(super) struct MediaThread {
    epoll: OwnedFd,
    pub links: Links,
    ports: Ports,
    /// Where browsers are served.
    pub browsers: Option<Browsers>,
    /// Bound, and not yet in the stock.
    next_lease: Option<PortLease>,
    random: ChaCha12Rng,
    pub slots: Vec<Option<Slot>>,
    vacant: Vec<usize>,
    by_leg: HashMap<LegId, usize>,
    pub recorders: Recorders,
    /// Whether the system was last asked in vain to watch a socket.
    refused: bool,
    due: BinaryHeap<Reverse<(u64, usize)>>,
}

impl MediaThread {
    /// A thread that will run with `ports`, of which `first` is bound.
    pub fn new(
        links: Links,
        ports: Ports,
        first: PortLease,
        browsers: Option<Browsers>,
        random: ChaCha12Rng,
    ) -> io::Result<Self> {
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        epoll::add(&epoll, &links.shared.wake, EventData::new_u64(WAKE), EventFlags::IN)?;
        if let Some(browsers) = &browsers {
            epoll::add(&epoll, &browsers.socket, EventData::new_u64(BROWSERS), EventFlags::IN)?;
        }
        let mut thread = Self {
            epoll,
            links,
            ports,
            browsers,
            next_lease: Some(first),
            random,
            slots: Vec::new(),
            vacant: Vec::new(),
            by_leg: HashMap::new(),
            recorders: Recorders::default(),
            refused: false,
            due: BinaryHeap::new(),
        };
        thread.top_up();
        Ok(thread)
    }

    /// Carries packets until the handle is dropped.
    pub fn run(mut self) {
        let mut events = Vec::with_capacity(EVENTS);
        let mut buf = Buffers {
            incoming: [0; DATAGRAM],
            control: stamped::control(),
            outgoing: [0; DATAGRAM],
            narrow: [0; DATAGRAM],
            mix: [0; LONGEST_MIX],
        };
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
                self.handle_wake(&mut buf);
            }
            let turn = clock::now();
            for event in events.drain(..) {
                match event.data.u64() {
                    WAKE => {}
                    BROWSERS => self.handle_browsers(&mut buf),
                    token if token & 1 == 0 => self.handle_rtp((token >> 1) as usize, &mut buf, turn),
                    token => self.handle_rtcp((token >> 1) as usize, &mut buf),
                }
            }
            self.handle_due(&mut buf);
        }
        self.recorders.close(clock::now(), &self.links.recordings);
    }

    fn handle_due(&mut self, buf: &mut Buffers) {
        let clocks = Clocks::read();
        let now = clocks.now();
        self.recorders.handle_tick(&self.links.recordings);
        while let Some(Reverse((at, index))) = self.due.peek().copied() {
            if at > now.mono_ns {
                return;
            }
            self.due.pop();
            if self.slots.get(index).and_then(Option::as_ref).is_none_or(|slot| slot.armed_ns != at) {
                continue;
            }
            self.read_at_tick(index, buf, &clocks, false);
            let Some(slot) = self.slots.get_mut(index).and_then(Option::as_mut) else { continue };
            while let Some((to, len)) = slot.leg.handle_tick(&self.links.store, &mut buf.outgoing, now) {
                slot.send_rtp(&mut buf.outgoing, len, to);
            }
            self.order_chunk(index);
            self.mix(index, buf, now);
            let Some(slot) = self.slots.get_mut(index).and_then(Option::as_mut) else { continue };
            if let Some((to, len)) = slot.leg.poll_rtcp(&mut buf.outgoing, now) {
                slot.send_rtcp(&mut buf.outgoing, len, to);
            }
            let unopened = slot.border.poll_report(slot.leg.id(), now);
            slot.connect();
            if let Some(recorder) = slot.recording.and_then(|(recording, _)| self.recorders.get_mut(recording)) {
                recorder.handle_tick(now);
                drain(recorder, &self.links.recordings);
            }
            if let Some(unopened) = unopened {
                self.tell(unopened);
            }
            self.tend_browser(index, now);
            self.report(index);
            self.choose_reading(index, now);
            self.arm(index);
        }
    }

    fn handle_wake(&mut self, buf: &mut Buffers) {
        let mut count = [0; 8];
        // Only to make it quiet; what there is to do, the channels say.
        let _ = rustix::io::read(&self.links.shared.wake, &mut count);
        let clocks = Clocks::read();
        // Commands that come while the stores are looked at wait for the next turn: theirs may be newer.
        let commands = self.links.commands.len();
        if let Some(store) = self.links.stores.try_iter().last() {
            self.links.store = store;
        }
        for Delivery { leg, chunk } in self.links.chunks.try_iter() {
            let slot = self.by_leg.get(&leg).and_then(|index| self.slots.get_mut(*index)?.as_mut());
            if let Some(slot) = slot {
                slot.leg.handle_chunk(Some(chunk));
            }
        }
        for _ in 0..commands {
            let Ok(command) = self.links.commands.try_recv() else { break };
            match command {
                LegCommand::Desire { leg, epoch, desired } => self.desire(leg, epoch, desired, buf, &clocks),
                LegCommand::Release { leg, lease } => self.release(leg, lease, clocks.now()),
            }
        }
        self.top_up();
    }

    /// Has the next chunk read of the long prompt that a leg plays, if it plays one.
    fn order_chunk(&mut self, index: usize) {
        let Some(slot) = self.slots.get_mut(index).and_then(Option::as_mut) else { return };
        if slot.leg.is_starved() {
            self.links.shared.late_ms.fetch_add(slot.leg.packet_ms(), Ordering::Relaxed);
        }
        let Some(chunk) = slot.leg.poll_chunk_order(&self.links.store) else { return };
        let (reply, shared) = (self.links.deliveries.clone(), Arc::clone(&self.links.shared));
        if self.links.reader.try_send(Order { leg: slot.leg.id(), chunk, reply, shared }).is_err() {
            slot.leg.handle_chunk(None);
        }
    }

    fn desire(&mut self, id: LegId, epoch: u32, desired: LegMedia, buf: &mut Buffers, clocks: &Clocks) {
        let now = clocks.now();
        if !desired.format.codec.passes_as(AudioFormat::PCMA.codec) {
            // No room, or nobody there any more: it was asked for already.
            let _ = self.links.encode.try_send(Work::Wanted);
        }
        if let Some(index) = self.by_leg.get(&id).copied() {
            // What came before the command is judged as it was then.
            self.read_at_tick(index, buf, clocks, true);
            if let Some(slot) = self.slots.get_mut(index).and_then(Option::as_mut) {
                let protection = desired.protection.clone();
                if slot.leg.handle_command(epoch, desired, now) {
                    slot.border.set(&protection);
                    if let (Protection::Browser(browser), Way::Browser(way), Some(browsers)) =
                        (&protection, &mut slot.way, &mut self.browsers)
                    {
                        browsers.change(index, way, browser, now);
                    }
                    slot.connect();
                }
            }
            self.choose_recording(index, now);
            self.choose_reading(index, now);
            self.report(index);
            self.arm(index);
            return;
        }
        let index = self.vacant.last().copied().unwrap_or(self.slots.len());
        let way = match (&desired.protection, &mut self.browsers) {
            (Protection::Browser(browser), Some(browsers)) => {
                Some(Way::Browser(Box::new(browsers.way(index, browser, now))))
            }
            (Protection::Browser(_), None) => None,
            (Protection::Plain | Protection::Srtp(_), _) => self.ports.take(desired.lease).map(Way::Ports),
        };
        let Some(way) = way else { return self.tell(MediaReport::LeaseUnknown { leg: id }) };
        self.vacant.pop();
        let start = StreamStart {
            ssrc: self.random.next_u32(),
            // In the lower half, so that a receiver that misses the first packets counts no rollover (RFC 3711 §3.3.1).
            sequence: self.random.next_u32() as u16 & 0x7fff,
            timestamp: self.random.next_u32(),
            reporter: self.random.next_u64(),
        };
        if let Way::Ports(pair) = &way
            && let Err(error) = self.watch(index, pair)
        {
            tracing::error!(%error, leg = %id, "cannot watch the sockets of a leg; it will hear, and not be heard");
        }
        let slot = Some(Slot {
            border: Border::new(&desired.protection),
            leg: Leg::new(id, epoch, desired, start, self.links.lost_ms, now),
            way,
            connected: None,
            recording: None,
            reading: Reading::AtOnce { until_ns: 0 },
            peer: 0,
            armed_ns: 0,
        });
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
            Some(mut slot) => {
                let mut farewell = [0; FAREWELL];
                if let Some((to, len)) = slot.leg.goodbye(&mut farewell, now) {
                    slot.send_rtcp(&mut farewell, len, to);
                }
                if let Some((recording, _)) = slot.recording.take() {
                    self.recorders.leave(recording, now, &self.links.recordings);
                }
                let unopened = slot.border.last_report(id, now);
                match (slot.way, &mut self.browsers) {
                    (Way::Ports(pair), _) => self.ports.give_back(pair),
                    (Way::Browser(way), Some(browsers)) => browsers.forget(&way),
                    (Way::Browser(_), None) => {}
                }
                self.top_up();
                unopened.into_iter().chain([slot.leg.quality()]).for_each(|report| self.tell(report));
            }
            None => {
                if let Some(pair) = self.ports.take(lease) {
                    self.ports.give_back(pair);
                }
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

    pub(super) fn arm(&mut self, index: usize) {
        let Some(slot) = self.slots.get_mut(index).and_then(Option::as_mut) else { return };
        slot.armed_ns = slot.leg.deadline();
        if let Reading::AtTicks { last_ns } = slot.reading {
            slot.armed_ns = slot.armed_ns.min(last_ns.saturating_add(SOON_MS * MS));
        }
        if let Way::Browser(way) = &slot.way {
            slot.armed_ns = slot.armed_ns.min(way.deadline());
        }
        // One leg of a recording looks after it, so that the file moves on while nobody speaks.
        if let Some((recording, Side::Caller)) = slot.recording
            && let Some(at) = self.recorders.get_mut(recording).and_then(|recorder| recorder.deadline())
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

    pub(super) fn tell(&self, report: MediaReport) {
        if !self.links.reports.tell(report, Duration::ZERO) {
            self.links.shared.reports_lost.fetch_add(1, Ordering::Relaxed);
        }
    }
}
