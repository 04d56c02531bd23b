//! A packet on its way takes no memory: not one allocation by any thread while calls are bridged and music is played.

use std::alloc::System;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::task::Waker;
use std::time::Duration;

use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};
use trunkline::codec::tone::Sine;
use trunkline::engine::{Engine, EngineSettings, PortRange};
use trunkline::id::LegId;
use trunkline::media::{AudioFormat, Learn, LegCommand, LegMedia, MusicId, PortLease, PromptStore, Protection, Source};
use trunkline::rtp::packet::{self, Header};

#[global_allocator]
static COUNTED: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// Of no other test (`127/8` is one host).
const HOST: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 77, 0, 1));

struct Phone {
    socket: UdpSocket,
    /// The port of ours that it speaks to.
    leg: SocketAddr,
    said: u16,
}

impl Phone {
    /// Sends a packet of G.711 as a live call would.
    fn speak(&mut self) {
        self.said += 1;
        let timestamp = u32::from(self.said) * 160;
        let header = Header { marker: false, payload_type: 0, sequence: self.said, timestamp, ssrc: 77 };
        let mut datagram = [0; 200];
        let len = packet::write(&header, &[0x55; 160], &mut datagram).expect("room");
        self.socket.send_to(&datagram[..len], self.leg).expect("sent");
    }

    fn hear(&self) {
        let len = self.socket.recv(&mut [0; 2_000]).expect("a packet");
        assert_eq!(len, 172);
    }
}

struct Floor {
    engine: Engine,
    legs: u64,
}

impl Floor {
    fn start() -> Self {
        let mut prompts = PromptStore::default();
        let tone: Vec<i16> = Sine::new(450.0, 8_000, 8_000).take(8_000).collect();
        prompts.add_music(MusicId(1), &tone);
        let settings = EngineSettings {
            address: HOST,
            ports: PortRange { first: 20_000, last: 20_019 },
            threads: Some(1),
            pinned: false,
            prompts,
            recordings: std::env::temp_dir(),
            keys: None,
            min_free_bytes: 0,
            lost_ms: None,
            browsers: None,
            seed: [7; 32],
        };
        let (engine, _) = Engine::start(settings, Waker::noop().clone()).expect("an engine");
        Self { engine, legs: 0 }
    }

    /// A phone, and the ports of its leg.
    fn phone(&mut self) -> (Phone, PortLease) {
        let lease = self.engine.lease(0).expect("a lease");
        let socket = UdpSocket::bind((HOST, 0)).expect("a socket");
        socket.set_read_timeout(Some(Duration::from_secs(5))).expect("a timeout");
        (Phone { socket, leg: SocketAddr::new(HOST, lease.rtp_port), said: 0 }, lease)
    }

    /// The next leg.
    fn connect(&mut self, phone: &Phone, lease: PortLease, send: Source, digits: bool) {
        let desired = LegMedia {
            lease,
            remote: Some(phone.socket.local_addr().expect("an address")),
            remote_rtcp: None,
            learn: Learn::Nowhere,
            format: AudioFormat::PCMU,
            dtmf_pt: None,
            dtmf_received: None,
            dtmf_clock: 1,
            noise: false,
            send,
            recording: None,
            heard: false,
            sound_due: true,
            deliver_digits: digits,
            keys: Vec::new(),
            protection: Protection::Plain,
        };
        self.legs += 1;
        self.engine.send(LegCommand::Desire { leg: LegId(self.legs), epoch: 1, desired }).expect("taken");
        self.engine.flush();
    }
}

#[test]
fn no_packet_allocates() {
    let mut floor = Floor::start();
    let ((mut caller, to_caller), (mut agent, to_agent)) = (floor.phone(), floor.phone());
    floor.connect(&caller, to_caller, Source::Bridge(LegId(2)), false);
    floor.connect(&agent, to_agent, Source::Bridge(LegId(1)), false);
    let (mut waiting, to_waiting) = floor.phone();
    floor.connect(&waiting, to_waiting, Source::Music(MusicId(1)), true);
    let turn = |caller: &mut Phone, agent: &mut Phone, waiting: &mut Phone| {
        waiting.speak();
        waiting.hear();
        // As much as a second of both parties, for each packet of music.
        for _ in 0..50 {
            caller.speak();
            agent.hear();
            agent.speak();
            caller.hear();
        }
    };
    // Sockets are connected, and whoever waits is read at ticks, once all have spoken.
    (0..20).for_each(|_| turn(&mut caller, &mut agent, &mut waiting));
    let region = Region::new(COUNTED);
    (0..100).for_each(|_| turn(&mut caller, &mut agent, &mut waiting));
    let change = region.change();
    assert_eq!((change.allocations, change.reallocations), (0, 0), "{change:?}");
    // The count counts.
    drop(Box::new(std::hint::black_box(7_u64)));
    assert_eq!(region.change().allocations, 1);
}
