//! Real sockets on loopback addresses of each test's own. Receiving waits for the packet; the timeout is only a guard.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::path::Path;
use std::sync::Arc;
use std::task::Waker;
use std::time::Duration;

use crossbeam_channel::Receiver;

use super::{BrowserSettings, Engine, EngineSettings, LeaseError, PortRange, StartError};
use crate::codec::g711::Law;
use crate::codec::tone::{Sine, energy_at};
use crate::id::{CallId, LegId};
use crate::media::{
    AudioFormat, Consent, HEADER_LEN, Learn, LegCommand, LegMedia, MediaReport, MusicId, Playlist, PortLease, PromptId,
    PromptStore, Protection, RecordingSpec, Side, Source, wav_header,
};
use crate::rtp::event::DigitSender;
use crate::rtp::packet::{self, Header};

pub(super) const GUARD: Duration = Duration::from_secs(5);
const RANGE: PortRange = PortRange { first: 20_000, last: 20_019 };

/// One engine on one address.
pub(super) struct Floor {
    pub(super) recordings: tempfile::TempDir,
    pub(super) engine: Engine,
    pub(super) reports: Receiver<MediaReport>,
    address: IpAddr,
    epoch: u32,
}

impl Floor {
    pub(super) fn new(host: u8) -> Self {
        Self::serving(host, None)
    }

    /// The same with browsers.
    pub(super) fn serving(host: u8, browsers: Option<BrowserSettings>) -> Self {
        let address = loopback(host);
        let recordings = tempfile::tempdir().unwrap();
        let settings = EngineSettings { browsers, ..settings(address, &recordings.path().join("kept")) };
        let (engine, reports) = Engine::start(settings, Waker::noop().clone()).unwrap();
        Self { recordings, engine, reports, address, epoch: 0 }
    }

    pub(super) fn phone(&self) -> UdpSocket {
        let socket = UdpSocket::bind((self.address, 0)).unwrap();
        socket.set_read_timeout(Some(GUARD)).unwrap();
        socket
    }

    pub(super) fn at(&self, lease: PortLease) -> SocketAddr {
        SocketAddr::new(self.address, lease.rtp_port)
    }

    pub(super) fn desire(&mut self, leg: u64, desired: &LegMedia) {
        self.epoch += 1;
        let desired = desired.clone();
        self.engine.send(LegCommand::Desire { leg: LegId(leg), epoch: self.epoch, desired }).unwrap();
        self.engine.flush();
    }

    /// Releases a leg and gives what it reported at its end, and before.
    pub(super) fn release(&mut self, leg: u64, lease: PortLease) -> Vec<MediaReport> {
        self.engine.send(LegCommand::Release { leg: LegId(leg), lease }).unwrap();
        self.engine.flush();
        let mut all = Vec::new();
        loop {
            let report = self.reports.recv_timeout(GUARD).unwrap();
            let end = matches!(report, MediaReport::Quality { leg: ended, .. } if ended == LegId(leg));
            all.push(report);
            if end {
                return all;
            }
        }
    }
}

/// An address of one test of one process, so that test runs do not meet.
pub(super) fn loopback(host: u8) -> IpAddr {
    let run = std::process::id() % 60_000;
    IpAddr::V4(Ipv4Addr::new(127, 10 + (run / 250) as u8, (run % 250) as u8, host))
}

fn settings(address: IpAddr, recordings: &Path) -> EngineSettings {
    let mut prompts = PromptStore::default();
    let tone: Vec<i16> = Sine::new(450.0, 8_000, 8_000).take(1_600).collect();
    prompts.add_prompt(PromptId(1), &tone);
    prompts.add_music(MusicId(1), &tone);
    EngineSettings {
        address,
        ports: RANGE,
        threads: Some(1),
        pinned: false,
        prompts,
        recordings: recordings.to_owned(),
        keys: None,
        min_free_bytes: 0,
        lost_ms: None,
        browsers: None,
        seed: [7; 32],
    }
}

pub(super) fn media(lease: PortLease, phone: &UdpSocket, send: Source) -> LegMedia {
    LegMedia {
        lease,
        remote: Some(phone.local_addr().unwrap()),
        remote_rtcp: None,
        learn: Learn::Nowhere,
        format: AudioFormat::PCMU,
        dtmf_pt: Some(101),
        dtmf_received: Some(101),
        dtmf_clock: 1,
        noise: false,
        send,
        recording: None,
        heard: false,
        sound_due: false,
        deliver_digits: true,
        keys: Vec::new(),
        protection: Protection::Plain,
    }
}

pub(super) fn speak(phone: &UdpSocket, to: SocketAddr, format: AudioFormat, number: u16, samples: &[i16]) {
    let header = Header {
        marker: number == 0,
        payload_type: format.payload_type,
        sequence: 500 + number,
        timestamp: 9_000 + u32::from(number) * 160,
        ssrc: 77,
    };
    let payload: Vec<u8> = samples.iter().map(|sample| format.codec.law().encode(*sample)).collect();
    let mut out = [0; 1_500];
    let len = packet::write(&header, &payload, &mut out).unwrap();
    phone.send_to(&out[..len], to).unwrap();
}

/// The next datagram; a process that was halted and goes on finds its read interrupted (signal(7)), and reads again.
pub(super) fn receive(socket: &UdpSocket, buf: &mut [u8]) -> (usize, SocketAddr) {
    loop {
        match socket.recv_from(buf) {
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            read => return read.unwrap(),
        }
    }
}

pub(super) fn hear(phone: &UdpSocket) -> (Header, Vec<u8>, SocketAddr) {
    let mut buf = [0; 1_500];
    let (len, from) = receive(phone, &mut buf);
    let heard = packet::parse(&buf[..len]).unwrap();
    (heard.header, heard.payload.to_vec(), from)
}

pub(super) fn decoded(law: Law, payload: &[u8]) -> impl Iterator<Item = i16> {
    payload.iter().map(move |octet| law.decode(*octet))
}

#[test]
fn an_echo_comes_from_the_leased_port_in_a_stream_of_our_own() {
    let mut floor = Floor::new(1);
    let phone = floor.phone();
    let lease = floor.engine.lease(0).unwrap();
    floor.desire(1, &media(lease, &phone, Source::Echo));
    let mut last: Option<Header> = None;
    for number in 0..10 {
        speak(&phone, floor.at(lease), AudioFormat::PCMU, number, &[number as i16 * 1_000; 160]);
        let (header, payload, from) = hear(&phone);
        assert_eq!(from, floor.at(lease));
        assert_ne!(header.ssrc, 77);
        assert!(decoded(Law::Ulaw, &payload).all(|s| (s - number as i16 * 1_000).abs() < 300));
        if let Some(last) = last {
            assert_eq!(header.sequence, last.sequence.wrapping_add(1));
            assert_eq!(header.timestamp, last.timestamp.wrapping_add(160));
        }
        last = Some(header);
    }
    let told = floor.release(1, lease);
    assert_eq!(told[0], MediaReport::SourceLocked { leg: LegId(1), addr: phone.local_addr().unwrap() });
    assert!(matches!(told[1], MediaReport::Quality { figures, .. } if figures.received == 10 && figures.loss == 0.0));
}

#[test]
fn a_prompt_and_then_music_are_one_stream() {
    let mut floor = Floor::new(2);
    let phone = floor.phone();
    let lease = floor.engine.lease(0).unwrap();
    let list = Playlist { prompts: vec![PromptId(1), PromptId(1)], id: 9 };
    let mut desired = media(lease, &phone, Source::Play(list));
    floor.desire(1, &desired);
    let mut heard: Vec<_> = (0..20).map(|_| hear(&phone)).collect();
    let end = floor.reports.recv_timeout(GUARD).unwrap();
    assert_eq!(end, MediaReport::PlayFinished { leg: LegId(1), id: 9, completed: true });
    desired.send = Source::Music(MusicId(1));
    floor.desire(1, &desired);
    heard.extend((0..15).map(|_| hear(&phone)));
    for pair in heard.windows(2) {
        assert_eq!(pair[1].0.sequence, pair[0].0.sequence.wrapping_add(1));
        assert_eq!(pair[1].0.ssrc, pair[0].0.ssrc);
        let step = pair[1].0.timestamp.wrapping_sub(pair[0].0.timestamp);
        assert!((160..80_000).contains(&step), "{step}");
    }
    assert!(heard[..20].windows(2).all(|pair| pair[1].0.timestamp.wrapping_sub(pair[0].0.timestamp) == 160));
    let marked: Vec<_> = heard.iter().enumerate().filter(|(_, packet)| packet.0.marker).map(|(at, _)| at).collect();
    assert_eq!(marked, [0, 20]);
    let samples: Vec<i16> = heard.iter().flat_map(|packet| decoded(Law::Ulaw, &packet.1)).collect();
    assert!(energy_at(&samples, 450.0, 8_000) > 10_000_000.0);
    floor.release(1, lease);
}

#[test]
fn a_bridge_carries_each_voice_to_the_other_side_in_its_law() {
    let mut floor = Floor::new(3);
    let (caller, agent) = (floor.phone(), floor.phone());
    let (left, right) = (floor.engine.lease(0).unwrap(), floor.engine.lease(0).unwrap());
    let mut agent_media = media(right, &agent, Source::Bridge(LegId(1)));
    agent_media.format = AudioFormat::PCMA;
    agent_media.dtmf_pt = Some(96);
    floor.desire(1, &media(left, &caller, Source::Bridge(LegId(2))));
    floor.desire(2, &agent_media);
    let mut low = Sine::new(400.0, 8_000, 8_000);
    let mut high = Sine::new(1_000.0, 8_000, 8_000);
    let (mut to_agent, mut to_caller) = (Vec::new(), Vec::new());
    for number in 0..25 {
        speak(&caller, floor.at(left), AudioFormat::PCMU, number, &low.by_ref().take(160).collect::<Vec<_>>());
        let (header, payload, from) = hear(&agent);
        assert_eq!((header.payload_type, from), (8, floor.at(right)));
        to_agent.extend(decoded(Law::Alaw, &payload));
        speak(&agent, floor.at(right), AudioFormat::PCMA, number, &high.by_ref().take(160).collect::<Vec<_>>());
        let (header, payload, from) = hear(&caller);
        assert_eq!((header.payload_type, from), (0, floor.at(left)));
        to_caller.extend(decoded(Law::Ulaw, &payload));
    }
    for (heard, hz, absent) in [(to_agent, 400.0, 1_000.0), (to_caller, 1_000.0, 400.0)] {
        assert!(energy_at(&heard, hz, 8_000) > 20_000_000.0);
        assert!(energy_at(&heard, absent, 8_000) < 100_000.0);
    }
    press(&caller, floor.at(left), '5');
    let (header, payload, _) = hear(&agent);
    assert_eq!((header.payload_type, payload[0]), (96, 5));
    floor.release(1, left);
    floor.release(2, right);
}

fn press(phone: &UdpSocket, to: SocketAddr, digit: char) {
    let mut sender = DigitSender::new(digit, 400_000, 100).unwrap();
    let mut sequence = 600;
    while let Some(next) = sender.poll_packet() {
        sequence += 1;
        let header = Header { marker: next.marker, payload_type: 101, sequence, timestamp: next.timestamp, ssrc: 77 };
        let mut out = [0; 64];
        let len = packet::write(&header, &next.event.write().unwrap(), &mut out).unwrap();
        phone.send_to(&out[..len], to).unwrap();
    }
}

#[test]
fn a_key_is_reported_once() {
    let mut floor = Floor::new(4);
    let phone = floor.phone();
    let lease = floor.engine.lease(0).unwrap();
    floor.desire(1, &media(lease, &phone, Source::Echo));
    press(&phone, floor.at(lease), '7');
    for _ in 0..7 {
        hear(&phone);
    }
    let told = floor.release(1, lease);
    let keys: Vec<_> = told.iter().filter(|r| matches!(r, MediaReport::Digit { digit: '7', .. })).collect();
    assert_eq!(keys.len(), 1, "{told:?}");
}

#[test]
fn ports_run_out_with_a_clear_error_and_come_back() {
    let mut floor = Floor::new(7);
    let leases: Vec<_> = (0..10).map(|_| floor.engine.lease(0).unwrap()).collect();
    assert!(matches!(floor.engine.lease(0), Err(LeaseError::Exhausted { thread: 0, .. })));
    let phone = floor.phone();
    floor.desire(1, &media(leases[3], &phone, Source::Silence));
    floor.release(1, leases[3]);
    let again = floor.engine.lease(0).unwrap();
    assert_eq!(again.rtp_port, leases[3].rtp_port);
    assert_ne!(again.id, leases[3].id);
    floor.desire(2, &media(leases[3], &phone, Source::Silence));
    assert_eq!(floor.reports.recv_timeout(GUARD).unwrap(), MediaReport::LeaseUnknown { leg: LegId(2) });
}

#[test]
fn taken_ports_are_skipped_and_a_wholly_taken_range_is_refused() {
    let address = loopback(8);
    let _other = UdpSocket::bind((address, 20_001)).unwrap();
    let recordings = tempfile::tempdir().unwrap();
    let (mut engine, _reports) = Engine::start(settings(address, recordings.path()), Waker::noop().clone()).unwrap();
    assert_eq!(engine.lease(0).unwrap().rtp_port, 20_002);
    drop(engine);
    let ports = PortRange { first: 20_000, last: 20_001 };
    let refused =
        Engine::start(EngineSettings { ports, ..settings(address, recordings.path()) }, Waker::noop().clone())
            .err()
            .unwrap();
    assert!(matches!(refused, StartError::Bind { .. }));
    assert!(refused.to_string().contains(&format!("20000-20001 on {address}")), "{refused}");
}

#[test]
fn a_bridge_is_recorded_caller_left_agent_right() {
    let mut floor = Floor::new(9);
    let (caller, agent, pacemaker) = (floor.phone(), floor.phone(), floor.phone());
    let leases: Vec<_> = (0..3).map(|_| floor.engine.lease(0).unwrap()).collect();
    let (id, call, marks) = ("r1".to_owned(), CallId::new(1, 1), Arc::from([]));
    let spec = |side| {
        Some(RecordingSpec { id: id.clone(), call, side, consent: Consent::Announced, marks: Arc::clone(&marks) })
    };
    let mut left = media(leases[0], &caller, Source::Bridge(LegId(2)));
    left.recording = spec(Side::Caller);
    let mut right = media(leases[1], &agent, Source::Bridge(LegId(1)));
    right.recording = spec(Side::Agent);
    floor.desire(1, &left);
    floor.desire(2, &right);
    floor.desire(3, &media(leases[2], &pacemaker, Source::Music(MusicId(1))));
    let mut low = Sine::new(400.0, 8_000, 8_000);
    let mut high = Sine::new(1_000.0, 8_000, 8_000);
    for number in 0..50 {
        hear(&pacemaker);
        speak(&caller, floor.at(leases[0]), AudioFormat::PCMU, number, &low.by_ref().take(160).collect::<Vec<_>>());
        speak(&agent, floor.at(leases[1]), AudioFormat::PCMU, number, &high.by_ref().take(160).collect::<Vec<_>>());
        hear(&agent);
        hear(&caller);
    }
    floor.release(1, leases[0]);
    // The file may be closed before the leg has said its last.
    let mut told = floor.release(2, leases[1]).into_iter();
    let manifest = loop {
        let report = told.next().unwrap_or_else(|| floor.reports.recv_timeout(GUARD).unwrap());
        if let MediaReport::RecordingClosed { manifest } = report {
            break manifest;
        }
    };
    assert!(manifest.expected_ms >= 980 && manifest.written_ms.abs_diff(manifest.expected_ms) <= 20, "{manifest:?}");
    let file = std::fs::read(floor.recordings.path().join("kept/r1.wav")).unwrap();
    assert_eq!(file[..HEADER_LEN], wav_header(Law::Ulaw, (file.len() - HEADER_LEN) as u64));
    let channel = |at| decoded(Law::Ulaw, &file[HEADER_LEN..]).skip(at).step_by(2).collect::<Vec<_>>();
    for (side, hz, absent) in [(0, 400.0, 1_000.0), (1, 1_000.0, 400.0)] {
        assert!(energy_at(&channel(side), hz, 8_000) > 10_000_000.0, "{side}");
        assert!(energy_at(&channel(side), absent, 8_000) < 100_000.0, "{side}");
    }
    let kept = std::fs::read(floor.recordings.path().join("kept/r1.json")).unwrap();
    assert_eq!(serde_json::from_slice::<crate::media::Manifest>(&kept).unwrap(), manifest);
}
