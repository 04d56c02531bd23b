//! A voice over networks of every kind, as those hear it who have it decoded.

use super::*;
use crate::codec::tone::{Sine, energy_at};
use crate::media::voice::Voice;

const START: Now = Now { mono_ns: 1_000_000_000, wall_ms: 0 };
const HZ: f64 = 440.0;
const PEAK: i16 = 8_000;

struct Sent {
    at_ns: u64,
    header: Header,
    payload: Vec<u8>,
}

/// Packets of a tone, 20 ms each by a clock that runs `pace` times as fast, late by what `late_ms` says; none lose what it says.
fn tone(codec: Codec, frames: u64, pace: f64, late_ms: impl Fn(u64) -> Option<u64>) -> Vec<Sent> {
    tone_of(HZ, codec, frames, pace, late_ms)
}

/// The same of another frequency.
fn tone_of(hz: f64, codec: Codec, frames: u64, pace: f64, late_ms: impl Fn(u64) -> Option<u64>) -> Vec<Sent> {
    let band = codec.band();
    let (mut voice, mut sine, mut out) = (Voice::of(codec).unwrap(), Sine::new(hz, band.rate(), PEAK), [0; 512]);
    let mut sent: Vec<Sent> = (0..frames)
        .filter_map(|n| {
            let samples: Vec<i16> = sine.by_ref().take(160 * band.factor()).collect();
            let len = voice.encode(&samples, &mut out)?;
            let at_ns = START.mono_ns + (n as f64 * 20e6 / pace) as u64 + late_ms(n)? * MS;
            let timestamp = (n as u32 * 160).wrapping_sub(8_000);
            let header = Header {
                marker: false,
                payload_type: 8,
                sequence: 65_000u16.wrapping_add(n as u16),
                timestamp,
                ssrc: 9,
            };
            Some(Sent { at_ns, header, payload: out[..len].to_vec() })
        })
        .collect();
    sent.sort_by_key(|packet| packet.at_ns);
    sent
}

struct Heard {
    samples: Vec<i16>,
    /// For each 20 ms.
    alive: Vec<bool>,
}

impl Heard {
    /// The share of the tone in what was heard from second `from` to second `to`.
    fn share(&self, from: f64, to: f64) -> f64 {
        let range = &self.samples[(from * 8_000.0) as usize..(to * 8_000.0) as usize];
        // Leaving out or repeating a step shifts the phase, so it is looked at in short pieces.
        let pieces: Vec<f64> = range.chunks_exact(400).map(|piece| energy_at(piece, HZ, 8_000)).collect();
        pieces.iter().sum::<f64>() / pieces.len() as f64 / (f64::from(PEAK).powi(2) / 2.0)
    }

    fn first_sound_ms(&self) -> usize {
        self.samples.iter().position(|sample| sample.abs() > PEAK / 4).unwrap() / 8
    }
}

fn listen(codec: Codec, packets: &[Sent], seconds: u64) -> (Heard, Ear) {
    let mut ear = Ear::new(codec.band(), START);
    let mut heard = Heard { samples: Vec::new(), alive: Vec::new() };
    let mut packets = packets.iter().peekable();
    for tick in 1..=seconds * 50 {
        let now = Now { mono_ns: START.mono_ns + tick * 20 * MS, wall_ms: 0 };
        while let Some(packet) = packets.next_if(|packet| packet.at_ns <= now.mono_ns) {
            let at = Now { mono_ns: packet.at_ns, wall_ms: 0 };
            ear.handle_packet(&packet.header, Some(codec), &packet.payload, at);
        }
        let mut mix = [0; 160];
        heard.alive.push(ear.hear(sample_at(now.mono_ns), Band::Narrow, &mut mix));
        heard.samples.extend(mix.map(|sample| sample as i16));
    }
    (heard, ear)
}

#[test]
fn an_even_stream_is_heard_whole_and_soon_in_every_codec() {
    for codec in [Codec::G711(Law::Alaw), Codec::G711(Law::Ulaw), Codec::G722, Codec::Opus] {
        let (heard, ear) = listen(codec, &tone(codec, 250, 1.0, |_| Some(0)), 5);
        assert!(heard.first_sound_ms() <= 60, "{codec:?}: {} ms", heard.first_sound_ms());
        let share = heard.share(0.2, 5.0);
        assert!((0.85..1.15).contains(&share), "{codec:?}: {share}");
        assert_eq!(ear.buffer.late(), 0);
    }
}

#[test]
fn an_uneven_stream_is_waited_for_and_no_longer_than_it_has_to_be() {
    let codec = Codec::G711(Law::Alaw);
    let uneven = |n: u64| Some(if n < 500 { n * 7 % 13 * 6 } else { 0 });
    let (heard, ear) = listen(codec, &tone(codec, 1_500, 1.0, uneven), 30);
    let share = heard.share(2.0, 10.0);
    assert!(share > 0.93, "uneven by 72 ms: {share}");
    let share = heard.share(10.0, 29.0);
    assert!(share > 0.97, "even again: {share}");
    let waits = ear.buffer.depth() + ear.decoded.len as u32;
    assert!(waits <= 160 + EXCESS + 160, "{waits} samples wait still");
}

#[test]
fn lost_packets_are_stood_in_for() {
    for codec in [Codec::G711(Law::Alaw), Codec::G722, Codec::Opus] {
        let (heard, _) = listen(codec, &tone(codec, 500, 1.0, |n| (n % 10 != 7).then_some(0)), 10);
        let share = heard.share(0.2, 9.9);
        assert!((0.75..1.2).contains(&share), "{codec:?}: {share}");
        let silent = heard.samples[1_600..79_000].chunks(80).filter(|step| step.iter().all(|s| s.abs() < 400)).count();
        assert_eq!(silent, 0, "{codec:?}");
    }
}

#[test]
fn clocks_that_run_fast_or_slow_never_run_away() {
    let codec = Codec::G711(Law::Alaw);
    for pace in [1.005, 0.995] {
        let frames = (60.0 * 50.0 * pace) as u64;
        let (heard, ear) = listen(codec, &tone(codec, frames, pace, |_| Some(0)), 60);
        let share = heard.share(1.0, 59.0);
        assert!(share > 0.9, "{pace}: {share}");
        let waits = ear.buffer.depth() + ear.decoded.len as u32;
        assert!(waits <= 160 + EXCESS + 320, "{pace}: {waits}");
    }
}

#[test]
fn who_falls_silent_is_heard_no_more_and_heard_again_at_once() {
    let codec = Codec::G711(Law::Alaw);
    let (heard, _) = listen(codec, &tone(codec, 150, 1.0, |n| (!(50..100).contains(&n)).then_some(0)), 4);
    assert!(heard.alive[10] && heard.alive[45]);
    assert!(heard.alive[57..98].iter().all(|alive| !alive), "{:?}", &heard.alive[50..100]);
    assert!(heard.alive[104..140].iter().all(|alive| *alive));
    let share = heard.share(2.2, 2.9);
    assert!(share > 0.9, "{share}");
    assert!(heard.alive[160..].iter().all(|alive| !alive));
}

#[test]
fn who_listens_late_hears_what_is_said_now() {
    let codec = Codec::G711(Law::Alaw);
    let mut ear = Ear::new(codec.band(), START);
    for packet in tone(codec, 500, 1.0, |_| Some(0)) {
        ear.handle_packet(&packet.header, Some(codec), &packet.payload, Now { mono_ns: packet.at_ns, wall_ms: 0 });
    }
    let mut mix = [0; 160];
    ear.hear(sample_at(START.mono_ns + 10_000 * MS), Band::Narrow, &mut mix);
    let waits = ear.buffer.depth() + ear.decoded.len as u32;
    assert!(waits <= 320, "{waits}");
}

#[test]
fn several_listen_at_their_own_times_and_hear_the_same() {
    let codec = Codec::G711(Law::Alaw);
    let packets = tone(codec, 100, 1.0, |_| Some(0));
    let (whole, _) = listen(codec, &packets, 2);
    let mut ear = Ear::new(codec.band(), START);
    let mut other = Vec::new();
    let mut packets = packets.iter().peekable();
    for ms in 1..=2_000u64 {
        let now = START.plus_ms(ms);
        while let Some(packet) = packets.next_if(|packet| packet.at_ns <= now.mono_ns) {
            ear.handle_packet(&packet.header, Some(codec), &packet.payload, Now { mono_ns: packet.at_ns, wall_ms: 0 });
        }
        let mut mix = [0; 480];
        if ms % 20 == 0 {
            ear.hear(sample_at(now.mono_ns), Band::Narrow, &mut mix[..160]);
        }
        if ms % 30 == 0 {
            mix.fill(0);
            ear.hear(sample_at(now.mono_ns), Band::Narrow, &mut mix[..240]);
            other.extend(mix[..240].iter().map(|sample| *sample as i16));
        }
    }
    assert_eq!(other[..], whole.samples[..other.len()]);
}

/// What somebody in the wide band hears of three seconds of packets.
fn listen_wide(codec: Codec, packets: &[Sent]) -> Vec<i16> {
    let mut ear = Ear::new(codec.band(), START);
    let (mut packets, mut heard) = (packets.iter().peekable(), Vec::new());
    for tick in 1..=150 {
        let now = START.plus_ms(tick * 20);
        while let Some(packet) = packets.next_if(|packet| packet.at_ns <= now.mono_ns) {
            ear.handle_packet(&packet.header, Some(codec), &packet.payload, Now { mono_ns: packet.at_ns, wall_ms: 0 });
        }
        let mut mix = [0; 320];
        ear.hear(sample_at(now.mono_ns), Band::Wide, &mut mix);
        heard.extend(mix.map(|sample| sample as i16));
    }
    heard
}

#[test]
fn who_hears_wide_sound_hears_all_of_a_wide_codec_and_no_more_of_a_narrow_one() {
    let full = f64::from(PEAK).powi(2) / 2.0;
    for codec in [Codec::G722, Codec::Opus] {
        let heard = listen_wide(codec, &tone_of(6_000.0, codec, 150, 1.0, |_| Some(0)));
        let share = energy_at(&heard[16_000..40_000], 6_000.0, 16_000) / full;
        assert!((0.6..1.3).contains(&share), "{codec:?}: {share}");
    }
    let codec = Codec::G711(Law::Alaw);
    let heard = listen_wide(codec, &tone_of(1_000.0, codec, 150, 1.0, |_| Some(0)));
    let (share, image) = (energy_at(&heard[16_000..], 1_000.0, 16_000), energy_at(&heard[16_000..], 7_000.0, 16_000));
    assert!((0.9..1.1).contains(&(share / full)) && image < full / 1e4, "{share} {image}");
}
