//! Who hears a prompt or music is read at the ticks of what is played; nothing is lost or mistimed by that.

use std::net::{SocketAddr, UdpSocket};

use super::clock;
use super::tests::{Floor, GUARD, hear, media, speak};
use crate::id::LegId;
use crate::media::{AudioFormat, MediaReport, MusicId, Playlist, PromptId, Source};
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
        exact += usize::from((before..=after).contains(&key(&floor)));
    }
    // Threads may be halted between two clocks.
    assert!(exact >= 12, "{exact} of 24");
    floor.release(1, lease);
}

/// The next key that is told.
fn key(floor: &Floor) -> u64 {
    loop {
        if let MediaReport::Digit { at, .. } = floor.reports.recv_timeout(GUARD).unwrap() {
            return at.mono_ns;
        }
    }
}

#[test]
fn what_waited_is_counted_and_a_bridge_does_not_wait() {
    let mut floor = Floor::new(31);
    let (caller, agent, pacemaker) = (floor.phone(), floor.phone(), floor.phone());
    let leases: Vec<_> = (0..3).map(|_| floor.engine.lease(0).unwrap()).collect();
    let mut desired = media(leases[0], &caller, Source::Music(MusicId(1)));
    floor.desire(1, &desired);
    floor.desire(2, &media(leases[1], &agent, Source::Bridge(LegId(1))));
    floor.desire(3, &media(leases[2], &pacemaker, Source::Music(MusicId(1))));
    for _ in 0..3 {
        hear(&caller);
    }
    for number in 0..10 {
        speak(&caller, floor.at(leases[0]), AudioFormat::PCMU, number, &[0; 160]);
    }
    desired.send = Source::Bridge(LegId(2));
    floor.desire(1, &desired);
    agent.set_nonblocking(true).unwrap();
    // What comes before the thread has taken the command is not passed on. The pacemaker's packets are the thread's own time: by
    // itself the leg would look at its port once a second.
    let mut number = 10;
    loop {
        speak(&caller, floor.at(leases[0]), AudioFormat::PCMU, number, &[0; 160]);
        number += 1;
        hear(&pacemaker);
        if agent.recv(&mut [0; 64]).is_ok() {
            break;
        }
        assert!(number < 40, "the bridge waits");
    }
    agent.set_nonblocking(false).unwrap();
    // Nobody waits any more: each is heard before the next one is spoken.
    for _ in 0..20 {
        speak(&caller, floor.at(leases[0]), AudioFormat::PCMU, number, &[0; 160]);
        number += 1;
        hear(&agent);
    }
    let told = floor.release(1, leases[0]);
    let received = told.iter().find_map(|report| match report {
        MediaReport::Quality { figures, .. } => Some(figures.received),
        _ => None,
    });
    assert_eq!(received, Some(u64::from(number)));
    floor.release(2, leases[1]);
    floor.release(3, leases[2]);
}

#[test]
fn a_key_behind_more_packets_than_a_tick_takes_is_told_and_so_is_the_next_one() {
    let mut floor = Floor::new(32);
    let phone = floor.phone();
    let lease = floor.engine.lease(0).unwrap();
    floor.desire(1, &media(lease, &phone, Source::Music(MusicId(1))));
    for round in 0..4 {
        hear(&phone);
        for number in 0..50 {
            speak(&phone, floor.at(lease), AudioFormat::PCMU, 60 * round + number, &[0; 160]);
        }
        press(&phone, floor.at(lease), 60 * round + 55);
        key(&floor);
    }
    floor.release(1, lease);
}

#[test]
fn a_party_that_refuses_our_packets_is_heard_all_the_same() {
    let mut floor = Floor::new(33);
    let (phone, pacemaker) = (floor.phone(), floor.phone());
    let leases: Vec<_> = (0..2).map(|_| floor.engine.lease(0).unwrap()).collect();
    let address = phone.local_addr().unwrap();
    floor.desire(1, &media(leases[0], &phone, Source::Music(MusicId(1))));
    floor.desire(2, &media(leases[1], &pacemaker, Source::Music(MusicId(1))));
    let mut phone = Some(phone);
    for number in 1..=5 {
        // Its port is open for as long as it takes to send; each packet of the music is refused.
        press(&phone.take().unwrap_or_else(|| UdpSocket::bind(address).unwrap()), floor.at(leases[0]), number);
        key(&floor);
        for _ in 0..3 {
            hear(&pacemaker);
        }
    }
    floor.release(1, leases[0]);
    floor.release(2, leases[1]);
}

#[test]
fn who_has_heard_a_prompt_to_its_end_is_read_at_once() {
    let mut floor = Floor::new(34);
    let phone = floor.phone();
    let lease = floor.engine.lease(0).unwrap();
    let list = Playlist { prompts: vec![PromptId(1)], id: 4 };
    floor.desire(1, &media(lease, &phone, Source::Play(list)));
    let ended = |report: &MediaReport| matches!(report, MediaReport::PlayFinished { completed: true, .. });
    while !ended(&floor.reports.recv_timeout(GUARD).unwrap()) {}
    // The first of them comes as soon as the last packet is over.
    for number in 1..=5 {
        press(&phone, floor.at(lease), number);
        key(&floor);
    }
    let told = floor.release(1, lease);
    assert!(told.iter().all(|report| !matches!(report, MediaReport::Digit { .. })), "{told:?}");
}
