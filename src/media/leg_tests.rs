//! Packets as phones really send them, through the two legs of a bridge.

use std::sync::Arc;

use super::*;
use crate::id::CallId;
use crate::media::{
    AudioFormat, Consent, Learn, MusicId, PortLease, PromptStore, Protection, RecordingSpec, SentKey, Side,
};
use crate::rtp::rtcp;

const START: Now = Now { mono_ns: 1_000_000_000, wall_ms: 1_700_000_000_000 };
const SOUND: [u8; 160] = [0x55; 160];

fn addr(port: u16) -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 9], port))
}

fn media(port: u16, send: Source) -> LegMedia {
    LegMedia {
        lease: PortLease { id: u32::from(port), thread: 0, rtp_port: port },
        remote: Some(addr(port)),
        remote_rtcp: None,
        learn: Learn::Nowhere,
        format: AudioFormat::PCMA,
        dtmf_pt: Some(101),
        dtmf_received: Some(101),
        dtmf_clock: 1,
        noise: false,
        send,
        recording: None,
        heard: false,
        sound_due: true,
        deliver_digits: false,
        keys: Vec::new(),
        protection: Protection::Plain,
    }
}

fn leg(id: u64, port: u16, peer: u64) -> Leg {
    let start = StreamStart { ssrc: 77, sequence: 65_500, timestamp: u32::MAX - 1_000, reporter: id };
    Leg::new(LegId(id), 1, media(port, Source::Bridge(LegId(peer))), start, Some(30_000), START)
}

/// A bridge of which one party speaks.
struct Bridge {
    caller: Leg,
    agent: Leg,
}

impl Bridge {
    fn new() -> Self {
        Self { caller: leg(1, 4000, 2), agent: leg(2, 5000, 1) }
    }

    /// What the agent's phone gets of a packet of the caller's.
    fn pass(&mut self, header: Header, now: Now) -> Option<Header> {
        let (mut datagram, mut out) = ([0; 200], [0; 200]);
        let len = packet::write(&header, &SOUND, &mut datagram).unwrap();
        let fate = self.caller.handle_packet(addr(4000), &datagram[..len], &mut [], &mut [], now);
        let PacketFate::Forward { to: LegId(2), arrival } = fate else { panic!("{fate:?}") };
        let (to, len) = self.agent.send_bridged(LegId(1), &arrival, &mut out, now)?;
        assert_eq!(to, addr(5000));
        Some(packet::parse(&out[..len]).unwrap().header)
    }
}

fn header(n: u64) -> Header {
    let timestamp = (n as u32).wrapping_mul(160);
    Header { marker: false, payload_type: 8, sequence: n as u16, timestamp, ssrc: 5 }
}

fn at(n: u64) -> Now {
    START.plus_ms(n * 20)
}

/// Passes packets and checks that what leaves is one stream without a hole.
fn one_stream(bridge: &mut Bridge, packets: impl IntoIterator<Item = (Header, Now)>) -> Vec<Header> {
    let sent: Vec<Header> = packets.into_iter().filter_map(|(header, now)| bridge.pass(header, now)).collect();
    for pair in sent.windows(2) {
        assert_eq!(pair[1].sequence, pair[0].sequence.wrapping_add(1), "{pair:?}");
        assert!((1..1 << 20).contains(&pair[1].timestamp.wrapping_sub(pair[0].timestamp)), "{pair:?}");
        assert_eq!(pair[1].ssrc, 77);
    }
    sent
}

#[test]
fn sequence_and_timestamp_wrap_without_a_seam() {
    let mut bridge = Bridge::new();
    let sent = one_stream(&mut bridge, (65_000..66_000).map(|n| (header(n), at(n))));
    assert_eq!(sent.iter().filter(|header| header.marker).count(), 1);
    assert!(
        matches!(bridge.caller.quality(), MediaReport::Quality { figures, .. } if figures.loss == 0.0 && figures.received == 1_000)
    );
}

#[test]
fn a_new_stream_of_the_same_party_goes_on_in_ours() {
    let mut bridge = Bridge::new();
    let old = (0..50).map(|n| (header(n), at(n)));
    let new = (50..100).map(|n| {
        let fresh =
            Header { ssrc: 6, sequence: 9_000 + n as u16, timestamp: 123_456_789 + n as u32 * 160, ..header(n) };
        (fresh, at(n))
    });
    let sent = one_stream(&mut bridge, old.chain(new));
    assert_eq!((sent.len(), sent[50].marker), (100, true));
    assert!(sent.windows(2).all(|pair| pair[1].timestamp.wrapping_sub(pair[0].timestamp) == 160));
    let MediaReport::Quality { figures, .. } = bridge.caller.quality() else { panic!() };
    assert_eq!((figures.restarts, figures.loss), (1, 0.0));
}

#[test]
fn a_jump_of_the_timestamp_becomes_the_time_that_passed() {
    let mut bridge = Bridge::new();
    let jumps = [0, 1_000_000_000, 5, 3_000_000_000];
    let packets = (0..40u64).map(|n| {
        let base: u32 = jumps[n as usize / 10];
        (Header { timestamp: base.wrapping_add(n as u32 * 160), ..header(n) }, at(n))
    });
    let sent = one_stream(&mut bridge, packets);
    assert!(sent.windows(2).all(|pair| pair[1].timestamp.wrapping_sub(pair[0].timestamp) == 160), "{sent:?}");
}

#[test]
fn a_clock_that_runs_fast_is_neither_loss_nor_jitter_and_never_a_new_stream() {
    let mut bridge = Bridge::new();
    // Half a percent: 20 ms of sound each 19.9 ms, for an hour.
    let packets = (0..180_000u64).map(|n| (header(n), Now { mono_ns: START.mono_ns + n * 19_900_000, ..START }));
    let sent = one_stream(&mut bridge, packets);
    assert_eq!((sent.len(), sent.iter().filter(|header| header.marker).count()), (180_000, 1));
    let MediaReport::Quality { figures, .. } = bridge.caller.quality() else { panic!() };
    assert!(figures.loss == 0.0 && figures.jitter_ms < 0.5 && figures.restarts == 0, "{figures:?}");
}

#[test]
fn comfort_noise_is_life_and_leaves_no_hole() {
    let mut bridge = Bridge::new();
    let quiet = |n| n % 10 > 4;
    let packets = (0..100).map(|n| (Header { payload_type: if quiet(n) { 13 } else { 8 }, ..header(n) }, at(n)));
    let sent = one_stream(&mut bridge, packets);
    assert_eq!(sent.len(), 50);
    assert!(sent.iter().all(|header| header.payload_type == 8));
    // Ten minutes of nothing but comfort noise each four seconds.
    for n in 0..150 {
        let now = at(100 + n * 200);
        bridge.caller.handle_tick(&PromptStore::default(), &mut [], now);
        assert_eq!(bridge.pass(Header { payload_type: 13, ..header(100 + n) }, now), None);
    }
    let told: Vec<_> = std::iter::from_fn(|| bridge.caller.poll_report()).collect();
    assert!(matches!(told[..], [MediaReport::SourceLocked { .. }]), "{told:?}");
}

#[test]
fn a_party_is_lost_without_rtp_and_rtcp_and_lives_by_either() {
    let mut leg = leg(1, 4000, 2);
    let mut out = [0; 128];
    let report = rtcp::Outgoing { ssrc: 5, sender: None, block: None, cname: b"x", goodbye: false };
    let len = rtcp::write(&report, &mut out).unwrap();
    let mut told = Vec::new();
    for second in 0..120 {
        let now = START.plus_ms(second * 1_000);
        if second < 60 {
            leg.handle_rtcp(addr(4001), &out[..len], now);
            leg.handle_rtcp(SocketAddr::from(([127, 0, 0, 8], 4001)), &out[..len], now);
        } else {
            leg.handle_rtcp(addr(4001), b"nonsense", now);
        }
        leg.handle_tick(&PromptStore::default(), &mut [], now);
        told.extend(std::iter::from_fn(|| leg.poll_report()).map(|report| (second, report)));
    }
    let told: Vec<_> =
        told.into_iter().filter(|(_, report)| !matches!(report, MediaReport::Strangers { .. })).collect();
    let silent = MediaReport::Silent { leg: LegId(1), ms: 5_000 };
    assert_eq!(told, [(5, silent), (89, MediaReport::Lost { leg: LegId(1), ms: 30_000 })]);
}

#[test]
fn reports_go_to_the_described_port_and_behind_a_nat_to_where_the_partys_come_from() {
    let mut out = [0; 256];
    let due = START.plus_ms(4_000);
    let to = |leg: &mut Leg, out: &mut [u8], now| leg.poll_rtcp(out, now).map(|(to, _)| to);
    let mut plain = leg(1, 4000, 2);
    assert_eq!(to(&mut plain, &mut out, START), None, "not yet");
    assert_eq!(to(&mut plain, &mut out, due), Some(addr(4001)));
    let described = LegMedia { remote_rtcp: Some(addr(4999)), ..media(4000, Source::Silence) };
    assert!(plain.handle_command(2, described, due));
    assert_eq!(to(&mut plain, &mut out, due.plus_ms(7_000)), Some(addr(4999)));
    let mut hidden = leg(1, 4000, 2);
    let learning = LegMedia { learn: Learn::Anywhere, remote_rtcp: Some(addr(4999)), ..media(4000, Source::Silence) };
    assert!(hidden.handle_command(2, learning, START));
    let nat = SocketAddr::from(([203, 0, 113, 1], 61_000));
    let mut datagram = [0; 200];
    for n in 0..4 {
        let len = packet::write(&header(n), &SOUND, &mut datagram).unwrap();
        hidden.handle_packet(nat, &datagram[..len], &mut [], &mut [], START);
    }
    assert_eq!(to(&mut hidden, &mut out, due), Some(SocketAddr::new(nat.ip(), 61_001)));
    let report = rtcp::Outgoing { ssrc: 5, sender: None, block: None, cname: b"x", goodbye: false };
    let len = rtcp::write(&report, &mut out).unwrap();
    let theirs = SocketAddr::new(nat.ip(), 7_777);
    hidden.handle_rtcp(theirs, &out[..len], due);
    assert_eq!(to(&mut hidden, &mut out, due.plus_ms(7_000)), Some(theirs));
}

#[test]
fn comfort_noise_goes_to_who_takes_it_and_is_a_pause_for_others() {
    for noise in [true, false] {
        let mut bridge = Bridge::new();
        let takes = LegMedia { noise, ..media(5000, Source::Bridge(LegId(1))) };
        assert!(bridge.agent.handle_command(2, takes, START));
        let types = [8, 8, 13, 8, 8];
        let passed: Vec<Header> = (0..5)
            .filter_map(|n| bridge.pass(Header { payload_type: types[n as usize], ..header(n) }, at(n)))
            .collect();
        let own: Vec<u8> = passed.iter().map(|header| header.payload_type).collect();
        assert_eq!(own, types.into_iter().filter(|own| noise || *own == 8).collect::<Vec<u8>>());
        for pair in passed.windows(2) {
            assert_eq!(pair[1].sequence, pair[0].sequence.wrapping_add(1), "nothing is missing: {pair:?}");
        }
    }
}

#[test]
fn keys_that_came_by_signalling_go_in_between_the_packets_and_leave_no_hole() {
    let mut bridge = Bridge::new();
    let mut sent: Vec<Header> = (0..10).filter_map(|n| bridge.pass(header(n), at(n))).collect();
    // Both within one turn: one command names them.
    let keys = [(0, 160), (1, 250)].map(|(number, ms)| SentKey { number, digit: '7', ms }).to_vec();
    let pressed = LegMedia { keys, ..media(5000, Source::Bridge(LegId(1))) };
    assert!(bridge.agent.handle_command(2, pressed.clone(), at(10)));
    let (store, mut out, mut events) = (PromptStore::default(), [0; 200], Vec::new());
    for n in 10..60 {
        sent.extend(bridge.pass(header(n), at(n)));
        // Another command about something else is no other key.
        bridge.agent.handle_command(3 + n as u32, pressed.clone(), at(n));
        while let Some((to, len)) = bridge.agent.handle_tick(&store, &mut out, at(n)) {
            let packet = packet::parse(&out[..len]).unwrap();
            assert_eq!((to, packet.header.payload_type), (addr(5000), 101));
            events.push((packet.header.timestamp, crate::rtp::event::Event::parse(packet.payload).unwrap()));
            sent.push(packet.header);
        }
    }
    assert!(events.iter().all(|(_, event)| event.digit == '7'));
    let (first, second) = events.split_at(10);
    for (events, duration) in [(first, 1_280), (second, 2_080)] {
        assert!(events.iter().all(|(timestamp, _)| *timestamp == events[0].0));
        let ends: Vec<u16> = events.iter().filter(|(_, event)| event.end).map(|(_, event)| event.duration).collect();
        assert_eq!(ends, [duration; 3], "as long as was told, in steps of 20 ms, and its end three times");
    }
    let between = second[0].0.wrapping_sub(first[0].0);
    assert!((1_280 + 480..=2_400).contains(&between), "{between}");
    for pair in sent.windows(2) {
        assert_eq!(pair[1].sequence, pair[0].sequence.wrapping_add(1), "{pair:?}");
    }
    assert!(bridge.agent.deadline() > at(60).mono_ns - 20_000_000, "nothing is due any more");
}

#[test]
fn only_who_hears_something_played_and_is_heard_by_nobody_can_wait() {
    let can_wait = |change: fn(&mut LegMedia)| {
        let mut desired = media(4000, Source::Music(MusicId(1)));
        change(&mut desired);
        let start = StreamStart { ssrc: 77, sequence: 1, timestamp: 1, reporter: 1 };
        Leg::new(LegId(1), 1, desired, start, None, START).can_wait()
    };
    assert!(can_wait(|_| {}));
    let recording = |desired: &mut LegMedia| {
        let (call, marks) = (CallId::new(1, 1), Arc::from([]));
        let (id, side, consent) = ("r1".to_owned(), Side::Caller, Consent::Announced);
        desired.recording = Some(RecordingSpec { id, call, side, consent, marks });
    };
    assert!(!can_wait(recording));
    assert!(!can_wait(|desired| desired.heard = true));
    assert!(!can_wait(|desired| desired.format.packet_ms = 30));
    assert!(!can_wait(|desired| desired.send = Source::Echo));
    assert!(!can_wait(|desired| desired.send = Source::Silence));
    assert!(!can_wait(|desired| desired.send = Source::Bridge(LegId(2))));
    // Music that does not exist is found out at the first tick.
    let mut leg = leg(1, 4000, 2);
    assert!(leg.handle_command(2, media(4000, Source::Music(MusicId(9))), START) && leg.can_wait());
    assert_eq!(leg.handle_tick(&PromptStore::default(), &mut [0; 200], START.plus_ms(2)), None);
    assert!(!leg.can_wait());
}
