//! A browser's leg on real sockets: who is let in, and who is not.

use std::net::{SocketAddr, UdpSocket};
use std::time::Duration;

use super::BrowserSettings;
use super::dtls::{Handshake, Identity, Progress};
use super::tests::{Floor, GUARD, loopback, media, receive};
use crate::id::LegId;
use crate::media::{Browser, BrowserFault, LegMedia, MediaReport, PortLease, Protection, Source, SrtpKeys};
use crate::rtp::ice::tests::{check, probe};
use crate::rtp::packet::{self, Header};
use crate::rtp::srtp::{OVERHEAD, Srtp};

const PORT: u16 = 30_000;
const UFRAG: &str = "ourufrag";
const PASSWORD: &str = "a password of twenty-two letters";

/// What plays the browser: a socket and a certificate.
struct Peer {
    socket: UdpSocket,
    server: SocketAddr,
    identity: Identity,
}

impl Peer {
    fn new(floor: &Floor) -> Self {
        let socket = floor.phone();
        let server = SocketAddr::new(socket.local_addr().unwrap().ip(), PORT);
        Self { socket, server, identity: Identity::new().unwrap() }
    }

    /// A leg that echoes the browser of this certificate.
    fn leg(&self, fingerprint: [u8; 32], active: bool) -> LegMedia {
        let browser = Browser { ufrag: UFRAG.into(), password: PASSWORD.into(), fingerprint, active };
        let lease = PortLease { id: 0, thread: 0, rtp_port: PORT };
        let protection = Protection::Browser(Box::new(browser));
        LegMedia { protection, remote: None, ..media(lease, &self.socket, Source::Echo) }
    }

    fn send(&self, datagram: &[u8]) {
        self.socket.send_to(datagram, self.server).unwrap();
    }

    fn receive(&self) -> Vec<u8> {
        let mut buf = [0; 2_048];
        let (len, _) = receive(&self.socket, &mut buf);
        buf[..len].to_vec()
    }

    /// Makes a check and takes its answer. What we send of our own accord may come before it.
    fn check(&self) {
        self.send(&check(UFRAG, PASSWORD));
        while self.receive()[..2] != [1, 1] {}
    }

    /// Draws keys with the side whose certificate has the fingerprint.
    fn shake_hands(&self, theirs: [u8; 32], active: bool) -> SrtpKeys {
        let mut handshake = Handshake::new(&self.identity, theirs, active, 0);
        let mut progress = handshake.handle_timeout(0, |record| self.send(record));
        loop {
            match progress {
                Progress::Done(keys) => return keys,
                Progress::Underway => {
                    progress = handshake.handle_datagram(&self.receive(), 0, |record| self.send(record));
                }
                other => panic!("{other:?}"),
            }
        }
    }

    fn expect_echo(&self, srtp: &mut Srtp, sequence: u16) {
        self.expect_echo_of(&self.socket, srtp, sequence);
    }

    /// The same of a packet that is sent from elsewhere.
    fn expect_echo_of(&self, elsewhere: &UdpSocket, srtp: &mut Srtp, sequence: u16) {
        let payload = [sequence as u8; 160];
        let header = Header { marker: false, payload_type: 0, sequence, timestamp: 160, ssrc: 77 };
        let mut buf = vec![0; 172 + OVERHEAD];
        let len = packet::write(&header, &payload, &mut buf).unwrap();
        let len = srtp.sealer().seal_rtp(&mut buf, len).unwrap();
        elsewhere.send_to(&buf[..len], self.server).unwrap();
        // What is left of the handshake may come in between.
        let mut heard = self.receive();
        while heard[0] < 128 {
            heard = self.receive();
        }
        let len = srtp.opener().open_rtp(&mut heard).expect("sealed for the browser");
        assert_eq!(packet::parse(&heard[..len]).unwrap().payload, payload);
    }
}

fn floor(host: u8, consent_ms: u64) -> Floor {
    Floor::serving(host, Some(BrowserSettings { first_port: PORT, consent_ms }))
}

#[test]
fn a_browser_is_let_in_by_check_and_handshake_whoever_begins() {
    for (host, active) in [(30, false), (31, true)] {
        let mut floor = floor(host, 30_000);
        let peer = Peer::new(&floor);
        floor.desire(1, &peer.leg(peer.identity.fingerprint, active));
        peer.check();
        let keys = peer.shake_hands(floor.engine.fingerprint().unwrap(), !active);
        let mut srtp = Srtp::new(&keys.ours, &keys.theirs);
        for sequence in 0..20 {
            peer.expect_echo(&mut srtp, sequence);
        }
    }
}

#[test]
fn a_browser_is_heard_from_an_address_that_it_has_proved_and_not_nominated_yet() {
    let mut floor = floor(39, 30_000);
    let peer = Peer::new(&floor);
    floor.desire(1, &peer.leg(peer.identity.fingerprint, false));
    peer.check();
    let keys = peer.shake_hands(floor.engine.fingerprint().unwrap(), true);
    let mut srtp = Srtp::new(&keys.ours, &keys.theirs);
    peer.expect_echo(&mut srtp, 0);
    let moved = floor.phone();
    moved.send_to(&probe(UFRAG, PASSWORD), peer.server).unwrap();
    assert!(moved.recv(&mut [0; 256]).is_ok(), "the check is answered");
    for sequence in 1..50 {
        peer.expect_echo_of(&moved, &mut srtp, sequence);
    }
}

#[test]
fn from_outside_ice_nothing_is_answered_and_nothing_crosses() {
    let mut floor = floor(32, 30_000);
    let peer = Peer::new(&floor);
    floor.desire(1, &peer.leg(peer.identity.fingerprint, false));
    let stranger = UdpSocket::bind((loopback(33), 0)).unwrap();
    let send = |bytes: &[u8]| assert!(stranger.send_to(bytes, peer.server).is_ok());
    // The first flight of a handshake, from one who has proved nothing; checks with a wrong password and a wrong name; sound.
    Handshake::new(&peer.identity, [0; 32], true, 0).handle_timeout(0, send);
    send(&check(UFRAG, "another password of 22 letters"));
    send(&check("nobody", PASSWORD));
    let mut plain = [0; 172];
    let header = Header { marker: true, payload_type: 0, sequence: 1, timestamp: 1, ssrc: 77 };
    packet::write(&header, &[0xee; 160], &mut plain).unwrap();
    (0..100).for_each(|_| send(&plain));
    peer.check();
    let keys = peer.shake_hands(floor.engine.fingerprint().unwrap(), true);
    let mut srtp = Srtp::new(&keys.ours, &keys.theirs);
    for sequence in 0..100 {
        send(&plain);
        peer.expect_echo(&mut srtp, sequence);
    }
    stranger.set_nonblocking(true).unwrap();
    assert!(stranger.recv(&mut [0; 64]).is_err(), "a stranger is answered");
    let mut told = std::iter::from_fn(|| floor.reports.try_recv().ok());
    assert!(told.any(|report| matches!(report, MediaReport::WebStrangers { count } if count > 0)));
}

#[test]
fn a_certificate_that_is_not_the_described_one_ends_the_leg() {
    let mut floor = floor(34, 30_000);
    let peer = Peer::new(&floor);
    floor.desire(1, &peer.leg([7; 32], false));
    peer.check();
    peer.socket.set_read_timeout(Some(Duration::from_millis(50))).unwrap();
    let mut handshake = Handshake::new(&peer.identity, floor.engine.fingerprint().unwrap(), true, 0);
    let mut progress = handshake.handle_timeout(0, |record| peer.send(record));
    let lost = loop {
        if let Ok(MediaReport::BrowserLost { leg, fault, .. }) = floor.reports.try_recv() {
            break (leg, fault);
        }
        // Its side may be done with us before we have looked at its certificate.
        assert!(matches!(progress, Progress::Underway | Progress::Done(_)), "{progress:?}");
        let mut buf = [0; 2_048];
        if let Ok(len) = peer.socket.recv(&mut buf) {
            progress = handshake.handle_datagram(&buf[..len], 0, |record| peer.send(record));
        }
    };
    assert_eq!(lost, (LegId(1), BrowserFault::Fingerprint));
}

#[test]
fn a_browser_that_makes_no_checks_any_more_is_gone() {
    let mut floor = floor(35, 300);
    let peer = Peer::new(&floor);
    floor.desire(1, &peer.leg(peer.identity.fingerprint, false));
    peer.check();
    let lost = loop {
        if let MediaReport::BrowserLost { leg, fault, .. } = floor.reports.recv_timeout(GUARD).unwrap() {
            break (leg, fault);
        }
    };
    assert_eq!(lost, (LegId(1), BrowserFault::Consent));
}
