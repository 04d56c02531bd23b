//! Legs that hear one another decoded: who hears which tone, in which codec and packets of which length.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use super::arrival::Arrival;
use super::voice::Voice;
use super::*;
use crate::codec::g711::Law;
use crate::codec::tone::{Sine, energy_at};
use crate::codec::{Band, Codec};
use crate::id::LegId;
use crate::rtp::event::{DigitPacket, DigitReceiver, DigitSender, Key};
use crate::rtp::packet::{self, Header};
use crate::time::{MS, Now};

const START: Now = Now { mono_ns: 5_000_000_000, wall_ms: 0 };
const PEAK: i16 = 6_000;

/// A party: speaks a tone, and keeps what it is sent.
struct Phone {
    leg: Leg,
    hz: f64,
    sine: Sine,
    voice: Voice,
    heard: Vec<Header>,
    payloads: Vec<Vec<u8>>,
}

fn address(id: u64) -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 9], 4_000 + id as u16))
}

fn state(id: u64, format: AudioFormat, send: Source, dtmf: Option<u8>) -> LegMedia {
    LegMedia {
        lease: PortLease { id: id as u32, thread: 0, rtp_port: 4_000 },
        remote: Some(address(id)),
        remote_rtcp: None,
        learn: Learn::Nowhere,
        format,
        dtmf_pt: dtmf,
        dtmf_received: Some(101),
        dtmf_clock: format.codec.clock_factor(),
        noise: false,
        send,
        recording: None,
        heard: true,
        sound_due: false,
        deliver_digits: false,
        keys: Vec::new(),
        protection: Protection::Plain,
    }
}

fn mix(of: &[u64]) -> Source {
    Source::Mix(of.iter().map(|id| LegId(*id)).collect())
}

impl Phone {
    fn new(id: u64, hz: f64, format: AudioFormat, hears: &[u64], dtmf: Option<u8>) -> Self {
        let start = StreamStart { ssrc: id as u32, sequence: 65_530, timestamp: u32::MAX - 500, reporter: id };
        let leg = Leg::new(LegId(id), 1, state(id, format, mix(hears), dtmf), start, None, START);
        let (sine, voice) = (Sine::new(hz, 8_000, PEAK), Voice::of(format.codec).unwrap());
        Self { leg, hz, sine, voice, heard: Vec::new(), payloads: Vec::new() }
    }

    fn id(&self) -> LegId {
        self.leg.id()
    }

    fn factor(&self) -> u32 {
        self.leg.media().format.codec.clock_factor()
    }

    fn take(&mut self, datagram: &[u8]) {
        let packet = packet::parse(datagram).unwrap();
        self.heard.push(packet.header);
        self.payloads.push(packet.payload.to_vec());
    }

    /// What it has heard, at 8 kHz.
    fn sound(&self) -> Vec<i16> {
        let (format, mut ear) =
            (self.leg.media().format, super::ear::Ear::new(self.leg.media().format.codec.band(), START));
        let (mut out, mut end) = (Vec::new(), START.mono_ns / (MS / 8));
        for (header, payload) in self.heard.iter().zip(&self.payloads).filter(|(header, _)| header.payload_type != 101)
        {
            let header = Header { timestamp: (header.timestamp / self.factor()), ..*header };
            let now = Now { mono_ns: (end + 1) * (MS / 8), wall_ms: 0 };
            ear.handle_packet(&header, Some(format.codec), payload, now);
            end += u64::from(format.packet_ms) * 8;
            let mut frame = vec![0; usize::from(format.packet_ms) * 8];
            ear.hear(end, Band::Narrow, &mut frame);
            out.extend(frame.iter().map(|sample| *sample as i16));
        }
        out
    }
}

/// A floor of phones whose legs hear one another.
fn run(phones: &mut [Phone], ms: u64, mut speak: impl FnMut(&mut Phone, u64) -> Option<Vec<u8>>) {
    let of: BTreeMap<LegId, usize> = phones.iter().enumerate().map(|(index, phone)| (phone.id(), index)).collect();
    let (mut narrow, mut out) = ([0; 2_048], [0; 2_048]);
    for tick in 0..ms {
        let now = START.plus_ms(tick);
        for index in 0..phones.len() {
            let datagram = if tick % 20 == 0 { speak(&mut phones[index], tick / 20) } else { None };
            if let Some(datagram) = datagram {
                let from = address(phones[index].id().0);
                let fate = phones[index].leg.handle_packet(from, &datagram, &mut narrow, &mut out, now);
                let (id, forward) = (phones[index].id(), forwarded(fate));
                if let Some((to, header, payload)) = forward {
                    let arrival = Arrival {
                        lost: 0,
                        header,
                        kind: super::arrival::Kind::Digit(phones[index].factor()),
                        payload: &payload,
                        narrow: None,
                    };
                    assert_eq!(phones[of[&to]].leg.send_bridged(id, &arrival, &mut out, now), None);
                }
            }
            let Some((end, samples, band)) = phones[index].leg.mix_due(now) else { continue };
            let (mut sum, mut heard) = (vec![0; samples], false);
            let parties: Vec<LegId> = (0..).map_while(|number| phones[index].leg.mixed(number)).collect();
            for party in parties {
                heard |= phones[of[&party]].leg.hear(end, band, &mut sum);
            }
            if let Some((to, len)) = phones[index].leg.send_mix(&mut sum, heard, &mut out, now) {
                assert_eq!(to, address(phones[index].id().0));
                phones[index].take(&out[..len]);
            }
        }
    }
}

/// A digit on its way to the one who listens.
fn forwarded(fate: PacketFate<'_>) -> Option<(LegId, Header, Vec<u8>)> {
    match fate {
        PacketFate::Forward { to, arrival } if arrival.sound().is_none() => {
            Some((to, arrival.header, arrival.payload.to_vec()))
        }
        _ => None,
    }
}

fn speak(phone: &mut Phone, frame: u64) -> Option<Vec<u8>> {
    let samples: Vec<i16> = phone.sine.by_ref().take(160).collect();
    let (mut payload, mut out) = ([0; 512], [0; 600]);
    let len = phone.voice.encode_narrow(&samples, &mut payload)?;
    let header = Header {
        marker: false,
        payload_type: phone.leg.media().format.received,
        sequence: frame as u16,
        timestamp: frame as u32 * 160 * phone.factor(),
        ssrc: 99,
    };
    let len = packet::write(&header, &payload[..len], &mut out)?;
    Some(out[..len].to_vec())
}

/// Which of the phones' tones a phone has heard.
fn tones(phones: &[Phone], index: usize) -> Vec<LegId> {
    let sound = phones[index].sound();
    let sound = &sound[sound.len() / 2..];
    let loud = |phone: &&Phone| energy_at(sound, phone.hz, 8_000) > f64::from(PEAK).powi(2) / 2.0 * 0.5;
    phones.iter().filter(loud).map(Phone::id).collect()
}

#[test]
fn each_of_a_conference_hears_all_others_and_never_itself() {
    let (a, u, g, o) = (AudioFormat::PCMA, AudioFormat::PCMU, AudioFormat::G722, AudioFormat::OPUS);
    let mut phones = [
        Phone::new(1, 440.0, a, &[2, 3, 4], None),
        Phone::new(2, 700.0, u, &[1, 3, 4], None),
        Phone::new(3, 1_100.0, g, &[1, 2, 4], None),
        Phone::new(4, 1_700.0, o, &[1, 2, 3], None),
    ];
    run(&mut phones, 2_000, speak);
    for index in 0..4 {
        let others: Vec<LegId> = (1..=4).filter(|id| *id != index as u64 + 1).map(LegId).collect();
        assert_eq!(tones(&phones, index), others, "{:?}", phones[index].leg.media().format);
    }
}

#[test]
fn a_supervisor_hears_both_and_whispers_to_one() {
    let format = AudioFormat::PCMA;
    // The caller hears the agent alone; the agent hears both; the supervisor as well.
    let mut phones = [
        Phone::new(1, 440.0, format, &[2], None),
        Phone::new(2, 700.0, format, &[1, 3], None),
        Phone::new(3, 1_100.0, format, &[1, 2], None),
    ];
    run(&mut phones, 1_000, speak);
    assert_eq!(tones(&phones, 0), [LegId(2)]);
    assert_eq!(tones(&phones, 1), [LegId(1), LegId(3)]);
    assert_eq!(tones(&phones, 2), [LegId(1), LegId(2)]);
}

#[test]
fn packets_have_the_length_that_each_party_wants() {
    for ms in [10, 20, 30, 40, 50, 60] {
        for base in [AudioFormat::PCMU, AudioFormat::G722, AudioFormat::OPUS] {
            let format = AudioFormat { packet_ms: ms, ..base };
            let mut phones =
                [Phone::new(1, 440.0, format, &[2], None), Phone::new(2, 700.0, AudioFormat::PCMA, &[1], None)];
            run(&mut phones, 2_000, speak);
            let sent = if base.codec == Codec::Opus && matches!(ms, 30 | 50) { 20 } else { u32::from(ms) };
            let (step, heard) = (sent * 8 * phones[0].factor(), &phones[0].heard);
            assert!(heard.len() as u32 >= 1_800 / sent, "{format:?}: {}", heard.len());
            for pair in heard.windows(2) {
                assert_eq!(pair[1].sequence, pair[0].sequence.wrapping_add(1), "{format:?}");
                assert_eq!(pair[1].timestamp.wrapping_sub(pair[0].timestamp), step, "{format:?}");
            }
            assert_eq!(heard.iter().filter(|header| header.marker).count(), 1);
            if base.codec != Codec::Opus {
                assert!(phones[0].payloads.iter().all(|payload| payload.len() == usize::from(ms) * 8));
            }
        }
    }
}

/// Phone 2 presses a key for 200 ms after half a second; what phone 1 gets.
fn press(formats: [AudioFormat; 2], takes: Option<u8>) -> [Phone; 2] {
    press_losing(formats, takes, |_| false)
}

/// The same, where some of the key's packets are lost.
fn press_losing(formats: [AudioFormat; 2], takes: Option<u8>, lost: fn(&DigitPacket) -> bool) -> [Phone; 2] {
    let mut phones =
        [Phone::new(1, 440.0, formats[0], &[2], takes), Phone::new(2, 2_200.0, formats[1], &[1], Some(101))];
    let mut key = DigitSender::new('7', 25 * 160, 200).unwrap();
    run(&mut phones, 2_000, |phone, frame| {
        if phone.id() != LegId(2) || frame < 25 {
            return speak(phone, frame);
        }
        let Some(packet) = key.poll_packet() else { return speak(phone, frame) };
        if lost(&packet) {
            return None;
        }
        let header = Header {
            marker: packet.marker,
            payload_type: 101,
            sequence: frame as u16,
            timestamp: packet.timestamp * phone.factor(),
            ssrc: 99,
        };
        let (mut payload, mut out) = (packet.event.write().unwrap(), [0; 40]);
        crate::rtp::event::rescale(&mut payload, 1, phone.factor());
        let len = packet::write(&header, &payload, &mut out).unwrap();
        Some(out[..len].to_vec())
    });
    phones
}

#[test]
fn a_key_passes_between_clocks_with_its_duration_and_its_end() {
    for formats in [[AudioFormat::PCMA, AudioFormat::OPUS], [AudioFormat::OPUS, AudioFormat::PCMA]] {
        let [phone, _] = press(formats, Some(101));
        let (mut receiver, mut keys, mut ends) = (DigitReceiver::default(), Vec::new(), 0);
        for (header, payload) in
            phone.heard.iter().zip(&phone.payloads).filter(|(header, _)| header.payload_type == 101)
        {
            keys.extend(receiver.handle_packet(header, payload));
            ends += u32::from(payload[1] & 0x80 != 0);
        }
        let [Key::Down { digit: '7' }, Key::Up { digit: '7', duration }] = keys[..] else { panic!("{keys:?}") };
        let ms = duration / phone.factor() / 8;
        assert!((200..=240).contains(&ms) && ends == 3, "{ms} ms, {ends}");
        for pair in phone.heard.windows(2) {
            assert_eq!(pair[1].sequence, pair[0].sequence.wrapping_add(1));
        }
    }
}

#[test]
fn a_key_whose_end_is_lost_is_let_go_and_one_of_which_only_the_end_is_heard_is_short() {
    let ends: fn(&DigitPacket) -> bool = |packet| packet.event.end;
    for (lost, most) in [(ends, 400), (|packet| !packet.event.end, 240)] {
        let [phone, _] = press_losing([AudioFormat::PCMA, AudioFormat::PCMA], Some(101), lost);
        let events: Vec<_> = phone.heard.iter().filter(|header| header.payload_type == 101).collect();
        let mut receiver = DigitReceiver::default();
        let keys: Vec<Key> = (phone.heard.iter().zip(&phone.payloads))
            .filter(|(header, _)| header.payload_type == 101)
            .filter_map(|(header, payload)| receiver.handle_packet(header, payload))
            .collect();
        let [Key::Down { digit: '7' }, Key::Up { duration, .. }] = keys[..] else { panic!("{keys:?}, {events:?}") };
        assert!(duration / 8 <= most, "{} ms", duration / 8);
        let after = phone.heard.iter().rev().take_while(|header| header.payload_type != 101).count();
        assert!(after > 50, "the sound goes on: {after}");
        let [phone, _] = press_losing([AudioFormat::PCMA, AudioFormat::PCMA], None, lost);
        let sound = phone.sound();
        let loud = sound.chunks(160).filter(|piece| energy_at(piece, 1_209.0, 8_000) > f64::from(PEAK).powi(2) / 20.0);
        let ms = loud.count() * 20;
        assert!((40..=most as usize + 40).contains(&ms), "{ms} ms of tones");
    }
}

#[test]
fn who_takes_no_events_hears_the_key() {
    let [phone, _] = press([AudioFormat::PCMU, AudioFormat::PCMA], None);
    assert_eq!(phone.leg.media().format.codec, Codec::G711(Law::Ulaw));
    let sound = phone.sound();
    let loudest = |hz: f64| {
        sound.chunks(400).map(|piece| energy_at(piece, hz, 8_000)).fold(0.0, f64::max) / f64::from(PEAK).powi(2)
    };
    assert!(loudest(852.0) > 0.2 && loudest(1_209.0) > 0.2, "{} {}", loudest(852.0), loudest(1_209.0));
    assert!(loudest(697.0) < 0.05 && loudest(1_477.0) < 0.05);
}
