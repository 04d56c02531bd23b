//! Who hears a prompt or music is read at the ticks of what is played; nothing is lost or mistimed by that.

use std::net::{SocketAddr, UdpSocket};

use super::clock;
use super::tests::{Floor, GUARD, hear, media, speak};
use crate::id::LegId;
use crate::media::{AudioFormat, MediaReport, MusicId, Source};
use crate::rtp::event::DigitSender;
use crate::rtp::packet::{self, Header};

/// Sends the first packet of a key, the `number`th of the phone.
fn press(phone: &UdpSocket, to: SocketAddr, number: u16) {
    let timestamp = 400_000 + u32::from(number) * 8_000;
    let first = DigitSender::new('5', timestamp, 100).unwrap().poll_packet().unwrap();
    let header = Header { marker: true, payload_type: 101, sequence: 600 + number, timestamp, ssrc: 77 };
    let mut out = [0; 64];
    let len = packet::write(&header, &first.event.write().unwrap(), &mut out).unwrap();
    phone.send_to(&out[..len], to).unwrap();
}

#[test]
fn keys_are_told_as_of_the_instant_at_which_they_came() {
    let mut floor = Floor::new(30);
    let phone = floor.phone();
    let lease = floor.engine.lease(0).unwrap();
    floor.desire(1, &media(lease, &phone, Source::Music(MusicId(1))));
    let mut exact = 0;
    for number in 1..=24 {
        // A packet of the music: the next tick is 20 ms away.
        hear(&phone);
        let before = clock::now().mono_ns;
        press(&phone, floor.at(lease), number);
        let after = clock::now().mono_ns;
        let came = loop {
            match floor.reports.recv_timeout(GUARD).unwrap() {
                MediaReport::Digit { at, .. } => break at.mono_ns,
                _ => continue,
            }
        };
        exact += usize::from((before..=after).contains(&came));
    }
    // The system may begin to stamp packets only after the first of them, and threads may be halted between two clocks.
    assert!(exact >= 12, "{exact} of 24");
    floor.release(1, lease);
}

#[test]
fn what_waited_is_passed_on_or_counted_once_the_leg_is_bridged() {
    let mut floor = Floor::new(31);
    let (caller, agent) = (floor.phone(), floor.phone());
    let (left, right) = (floor.engine.lease(0).unwrap(), floor.engine.lease(0).unwrap());
    let mut desired = media(left, &caller, Source::Music(MusicId(1)));
    floor.desire(1, &desired);
    floor.desire(2, &media(right, &agent, Source::Bridge(LegId(1))));
    for _ in 0..3 {
        hear(&caller);
    }
    for number in 0..40 {
        speak(&caller, floor.at(left), AudioFormat::PCMU, number, &[0; 160]);
    }
    desired.send = Source::Bridge(LegId(2));
    floor.desire(1, &desired);
    // Each of these is heard before the next is spoken: nobody waits for ticks any more, for there are none.
    let last = |number: u16| 9_000 + u32::from(number) * 160;
    speak(&caller, floor.at(left), AudioFormat::PCMU, 40, &[40 * 256; 160]);
    let mut base = None;
    while base.is_none() {
        let (header, payload, _) = hear(&agent);
        base = (payload[0] != 0xff).then(|| header.timestamp.wrapping_sub(last(40)));
    }
    for number in 41..60 {
        speak(&caller, floor.at(left), AudioFormat::PCMU, number, &[0; 160]);
        assert_eq!(Some(hear(&agent).0.timestamp.wrapping_sub(last(number))), base);
    }
    let told = floor.release(1, left);
    let received = told.iter().find_map(|report| match report {
        MediaReport::Quality { figures, .. } => Some(figures.received),
        _ => None,
    });
    assert_eq!(received, Some(60));
    floor.release(2, right);
}
