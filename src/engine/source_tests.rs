//! From where a leg takes packets, and where its own go while nobody is there.

use std::net::UdpSocket;
use std::time::Duration;

use super::tests::{Floor, GUARD, decoded, hear, media, speak};
use crate::id::LegId;
use crate::media::{AudioFormat, Learn, MediaReport, MusicId, Source};

#[test]
fn nothing_of_a_stranger_crosses_and_it_is_counted() {
    let mut floor = Floor::new(5);
    let (caller, agent, stranger) = (floor.phone(), floor.phone(), floor.phone());
    let (left, right) = (floor.engine.lease(0).unwrap(), floor.engine.lease(0).unwrap());
    floor.desire(1, &media(left, &caller, Source::Bridge(LegId(2))));
    floor.desire(2, &media(right, &agent, Source::Bridge(LegId(1))));
    for number in 0..50 {
        speak(&stranger, floor.at(left), AudioFormat::PCMU, number, &[9_000; 160]);
    }
    speak(&caller, floor.at(left), AudioFormat::PCMU, 0, &[0; 160]);
    let (_, payload, _) = hear(&agent);
    assert!(decoded(AudioFormat::PCMU.codec.law(), &payload).all(|sample| sample.abs() < 100));
    let count = loop {
        match floor.reports.recv_timeout(GUARD).unwrap() {
            MediaReport::Strangers { leg: LegId(1), count } => break count,
            _ => continue,
        }
    };
    assert_eq!(count, 50);
    floor.release(1, left);
    floor.release(2, right);
}

#[test]
fn behind_nat_another_source_is_learned_within_five_packets() {
    let mut floor = Floor::new(6);
    let (signalled, phone) = (floor.phone(), floor.phone());
    let lease = floor.engine.lease(0).unwrap();
    let mut desired = media(lease, &signalled, Source::Echo);
    desired.learn = Learn::Anywhere;
    floor.desire(1, &desired);
    for number in 0..5 {
        speak(&phone, floor.at(lease), AudioFormat::PCMU, number, &[0; 160]);
    }
    hear(&phone);
    let locked = floor.reports.recv_timeout(GUARD).unwrap();
    assert_eq!(locked, MediaReport::SourceLocked { leg: LegId(1), addr: phone.local_addr().unwrap() });
    floor.release(1, lease);
}

#[test]
fn a_phone_whose_port_was_closed_for_a_while_hears_on() {
    let mut floor = Floor::new(10);
    let (gone, pacemaker) = (floor.phone(), floor.phone());
    let address = gone.local_addr().unwrap();
    let (lease, other) = (floor.engine.lease(0).unwrap(), floor.engine.lease(0).unwrap());
    let desired = media(lease, &gone, Source::Music(MusicId(1)));
    drop(gone);
    floor.desire(1, &desired);
    floor.desire(2, &media(other, &pacemaker, Source::Music(MusicId(1))));
    // The system answers each packet with an ICMP error meanwhile.
    for _ in 0..25 {
        hear(&pacemaker);
    }
    let back = UdpSocket::bind(address).unwrap();
    back.set_read_timeout(Some(GUARD)).unwrap();
    let (first, _, from) = hear(&back);
    assert_eq!(from, floor.at(lease));
    assert_eq!(hear(&back).0.sequence, first.sequence.wrapping_add(1));
    speak(&back, floor.at(lease), AudioFormat::PCMU, 0, &[0; 160]);
    assert_eq!(floor.reports.recv_timeout(GUARD).unwrap(), MediaReport::SourceLocked { leg: LegId(1), addr: address });
    // The same where the leg's socket is connected to the phone by now.
    drop(back);
    for _ in 0..25 {
        hear(&pacemaker);
    }
    let back = UdpSocket::bind(address).unwrap();
    back.set_read_timeout(Some(GUARD)).unwrap();
    let (first, ..) = hear(&back);
    assert_eq!(hear(&back).0.sequence, first.sequence.wrapping_add(1));
    floor.release(1, lease);
    floor.release(2, other);
}

#[test]
fn strangers_are_the_systems_to_drop_while_the_party_speaks_and_are_told_when_it_is_silent() {
    let mut floor = Floor::new(11);
    let (phone, stranger) = (floor.phone(), floor.phone());
    let lease = floor.engine.lease(0).unwrap();
    floor.desire(1, &media(lease, &phone, Source::Echo));
    for number in 0..20 {
        speak(&phone, floor.at(lease), AudioFormat::PCMU, number, &[0; 160]);
        assert_eq!(hear(&phone).0.payload_type, 0);
        speak(&stranger, floor.at(lease), AudioFormat::PCMU, number, &[9_000; 160]);
    }
    let patience = Duration::from_millis(100);
    let mut told = Vec::new();
    let seen = |report: &MediaReport| matches!(report, MediaReport::Strangers { leg: LegId(1), count: 1.. });
    for _ in 0..100 {
        if told.iter().any(seen) {
            break;
        }
        speak(&stranger, floor.at(lease), AudioFormat::PCMU, 20, &[9_000; 160]);
        told.extend(floor.reports.recv_timeout(patience));
    }
    let count = told.iter().filter_map(|report| match report {
        MediaReport::Strangers { count, .. } => Some(*count),
        _ => None,
    });
    let most = count.max();
    assert!(most.is_some_and(|most| most < 20), "those of the conversation are not among them: {told:?}");
    speak(&phone, floor.at(lease), AudioFormat::PCMU, 20, &[0; 160]);
    hear(&phone);
    floor.release(1, lease);
}
