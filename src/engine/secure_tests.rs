//! Encrypted legs on real sockets: what comes through, and what must not.

use std::net::{SocketAddr, UdpSocket};

use super::tests::{Floor, GUARD, loopback, media, receive};
use crate::id::LegId;
use crate::media::{LegMedia, MasterKey, MediaReport, PortLease, Protection, Refusal, Source, SrtpKeys, Suite};
use crate::rtp::packet::{self, Header};
use crate::rtp::srtp::{OVERHEAD, Srtp};

const SUITE: Suite = Suite::AeadAes256Gcm;

fn key(byte: u8) -> MasterKey {
    MasterKey::new(SUITE, &[byte; 44]).unwrap()
}

/// A phone with its keys.
struct Phone {
    socket: UdpSocket,
    srtp: Srtp,
    number: u16,
}

impl Phone {
    fn new(floor: &Floor, ours: u8, theirs: u8) -> Self {
        Self { socket: floor.phone(), srtp: Srtp::new(&key(ours), &key(theirs)), number: 0 }
    }

    /// The next packet, sealed; its payload is its number over and over.
    fn next(&mut self) -> Vec<u8> {
        let (payload, sequence) = ([self.number as u8; 160], self.number);
        let header =
            Header { marker: false, payload_type: 0, sequence, timestamp: u32::from(sequence) * 160, ssrc: 77 };
        self.number += 1;
        let mut buf = vec![0; 172 + OVERHEAD];
        let len = packet::write(&header, &payload, &mut buf).unwrap();
        let len = self.srtp.sealer().seal_rtp(&mut buf, len).unwrap();
        buf.truncate(len);
        buf
    }

    fn hear(&mut self) -> Vec<u8> {
        let mut buf = [0; 1_500];
        let (len, _) = receive(&self.socket, &mut buf);
        let len = self.srtp.opener().open_rtp(&mut buf[..len]).expect("what is heard is sealed for us");
        packet::parse(&buf[..len]).unwrap().payload.to_vec()
    }

    /// Speaks, and hears the echo of it and of nothing before it.
    fn expect_echo(&mut self, to: SocketAddr) {
        let said = [self.number as u8; 160];
        let packet = self.next();
        self.socket.send_to(&packet, to).unwrap();
        assert_eq!(self.hear(), said);
    }
}

fn secured(lease: PortLease, phone: &Phone, send: Source, ours: u8, theirs: u8) -> LegMedia {
    let protection = Protection::Srtp(Box::new(SrtpKeys { ours: key(ours), theirs: key(theirs) }));
    LegMedia { protection, ..media(lease, &phone.socket, send) }
}

fn unopened(reports: &[MediaReport]) -> [u64; Refusal::ALL.len()] {
    let counts = reports.iter().rev().find_map(|report| match report {
        MediaReport::Unopened { counts, .. } => Some(*counts),
        _ => None,
    });
    counts.unwrap_or_default()
}

#[test]
fn forged_and_replayed_packets_change_nothing() {
    let mut floor = Floor::new(20);
    let mut phone = Phone::new(&floor, 1, 2);
    let lease = floor.engine.lease(0).unwrap();
    let at = floor.at(lease);
    floor.desire(1, &secured(lease, &phone, Source::Echo, 2, 1));
    phone.expect_echo(at);
    let mut enemy = Phone::new(&floor, 9, 2);
    for number in 0..10_000_u16 {
        let packet = match number % 3 {
            0 => enemy.next(),
            1 => number.to_be_bytes().repeat(80),
            _ => vec![0x80; 172],
        };
        // From the phone's own address: the worst that a network can do.
        phone.socket.send_to(&packet, at).unwrap();
        if number % 20 == 19 {
            phone.expect_echo(at);
        }
    }
    let again = phone.next();
    for _ in 0..100 {
        phone.socket.send_to(&again, at).unwrap();
    }
    assert_eq!(phone.hear(), [(phone.number - 1) as u8; 160]);
    phone.expect_echo(at);
    let reports = floor.release(1, lease);
    let [malformed, forged, replayed, sources] = unopened(&reports);
    // A forged packet whose number is used up is refused before its tag is looked at.
    assert_eq!(malformed + forged + replayed, 10_099, "{malformed} {forged} {replayed}");
    assert!(forged > 3_000 && replayed >= 99 && sources == 0, "{forged} {replayed} {sources}");
}

#[test]
fn plain_sound_from_elsewhere_never_crosses_an_encrypted_bridge() {
    let mut floor = Floor::new(21);
    let (mut caller, mut agent) = (Phone::new(&floor, 1, 2), Phone::new(&floor, 3, 4));
    let leases: Vec<_> = (0..2).map(|_| floor.engine.lease(0).unwrap()).collect();
    floor.desire(1, &secured(leases[0], &caller, Source::Bridge(LegId(2)), 2, 1));
    floor.desire(2, &secured(leases[1], &agent, Source::Bridge(LegId(1)), 4, 3));
    let stranger = UdpSocket::bind((loopback(22), 0)).unwrap();
    let header = Header { marker: true, payload_type: 0, sequence: 1, timestamp: 1, ssrc: 77 };
    let mut plain = [0; 172];
    packet::write(&header, &[0xee; 160], &mut plain).unwrap();
    let before = caller.next();
    for turn in 0..200 {
        stranger.send_to(&plain, floor.at(leases[0])).unwrap();
        // What it has seen on the network is of no use either: it comes from elsewhere, or comes again.
        stranger.send_to(&before, floor.at(leases[1])).unwrap();
        if turn % 10 == 9 {
            let said = [caller.number as u8; 160];
            let packet = caller.next();
            caller.socket.send_to(&packet, floor.at(leases[0])).unwrap();
            assert_eq!(agent.hear(), said);
            let said = [agent.number as u8; 160];
            let packet = agent.next();
            agent.socket.send_to(&packet, floor.at(leases[1])).unwrap();
            assert_eq!(caller.hear(), said);
        }
    }
    // Those that came before the party was heard; what came after, the system kept away.
    assert!((1..=200).contains(&unopened(&floor.release(1, leases[0])).iter().sum::<u64>()));
}

#[test]
fn new_keys_count_from_the_command_on_and_old_ones_no_more() {
    let mut floor = Floor::new(23);
    let mut phone = Phone::new(&floor, 1, 2);
    let lease = floor.engine.lease(0).unwrap();
    let at = floor.at(lease);
    floor.desire(1, &secured(lease, &phone, Source::Echo, 2, 1));
    phone.expect_echo(at);
    let old = phone.next();
    floor.desire(1, &secured(lease, &phone, Source::Echo, 6, 5));
    // Commands are taken in order, beside the packets: what a later one leads to shows that this one is in force.
    let mut witness = Phone::new(&floor, 3, 4);
    let beside = floor.engine.lease(0).unwrap();
    floor.desire(2, &secured(beside, &witness, Source::Echo, 4, 3));
    witness.expect_echo(floor.at(beside));
    phone.srtp.rekey(&key(5), &key(6));
    phone.socket.send_to(&old, at).unwrap();
    phone.expect_echo(at);
    let [_, forged, ..] = unopened(&floor.release(1, lease));
    assert_eq!(forged, 1);
}

#[test]
fn reports_go_out_sealed() {
    let mut floor = Floor::new(24);
    let phone = Phone::new(&floor, 1, 2);
    let lease = floor.engine.lease(0).unwrap();
    let rtcp = floor.phone();
    let wanted = secured(lease, &phone, Source::Music(crate::media::MusicId(1)), 2, 1);
    floor.desire(1, &LegMedia { remote_rtcp: Some(rtcp.local_addr().unwrap()), ..wanted });
    rtcp.set_read_timeout(Some(GUARD * 3)).unwrap();
    let mut buf = [0; 1_500];
    let (len, _) = receive(&rtcp, &mut buf);
    let mut opener = Srtp::new(&key(1), &key(2));
    let plain = opener.opener().open_rtcp(&mut buf[..len]).expect("sealed for us");
    assert!(plain < len && buf[0] >> 6 == 2);
}
