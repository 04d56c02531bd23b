//! RTCP on a phone's own port, read and written by hand: what we report of each leg, and what we make of its reports.

use std::net::{Ipv4Addr, SocketAddr, UdpSocket};

use super::daemon::{Daemon, PATIENCE};
use super::phone::{Phone, Text};
use super::queue::conversation;
use super::way::next_datagram;

/// The stream that a phone of the tests sends.
const PHONE_SSRC: u32 = 0x0506_0708;

/// A phone's RTCP port.
struct Rtcp {
    socket: UdpSocket,
}

impl Rtcp {
    fn open(host: Ipv4Addr) -> Self {
        let socket = UdpSocket::bind((host, 0)).expect("a socket");
        socket.set_read_timeout(Some(PATIENCE)).expect("a time-out");
        Self { socket }
    }

    fn attribute(&self) -> String {
        format!("a=rtcp:{}\r\n", self.socket.local_addr().expect("bound").port())
    }

    /// Passes over what has come already: its age would count as round trip.
    fn pass_over(&self) {
        self.socket.set_nonblocking(true).expect("a socket");
        while self.socket.recv(&mut [0; 1_500]).is_ok() {}
        self.socket.set_nonblocking(false).expect("a socket");
    }

    /// The next compound packet of which a packet is of `kind`, as words, and from where it came.
    fn expect(&self, kind: u8) -> (Vec<u32>, SocketAddr) {
        let mut buf = [0; 1_500];
        loop {
            let (len, from) = next_datagram(&self.socket, &mut buf).expect("RTCP");
            assert_eq!(len % 4, 0);
            let words: Vec<u32> = buf[..len].as_chunks::<4>().0.iter().map(|word| u32::from_be_bytes(*word)).collect();
            let mut at = 0;
            let mut kinds = Vec::new();
            while at < words.len() {
                assert_eq!(words[at] >> 30, 2, "version 2");
                kinds.push((words[at] >> 16) as u8);
                at += (words[at] & 0xffff) as usize + 1;
            }
            assert_eq!(at, words.len(), "the lengths add up");
            assert!(matches!(kinds[..2], [200 | 201, 202]), "a report, then our name: {kinds:?}");
            if kinds.contains(&kind) {
                return (words, from);
            }
        }
    }

    /// Tells the sender of `report` that its stream lost `lost` packets and that its report came `ms` milliseconds earlier than it did.
    fn answer(&self, report: &[u32], to: SocketAddr, lost: u32, ms: u32) {
        let earlier = ms * 65_536 / 1_000;
        let last = ((report[2] << 16) | (report[3] >> 16)).wrapping_sub(earlier);
        let words = [
            0x81c9_0007,
            PHONE_SSRC,
            report[1],
            (26 << 24) | lost,
            report[5],
            160,
            last,
            0,
            0x81ca_0002,
            PHONE_SSRC,
            0x0101_7800,
        ];
        let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_be_bytes()).collect();
        self.socket.send_to(&bytes, to).expect("sent");
    }
}

/// Lets a phone name its RTCP port within its call.
fn named(phone: &mut Phone, host: Ipv4Addr) -> Rtcp {
    let rtcp = Rtcp::open(host);
    let answer = phone.modify(&rtcp.attribute());
    assert!(answer.is("200"), "{answer:?}");
    rtcp
}

fn ours(report: &Text) -> SocketAddr {
    let rtp = report.rtp();
    SocketAddr::new(rtp.ip(), rtp.port() + 1)
}

#[test]
fn reports_go_both_ways_and_the_record_has_them_of_both_legs() {
    let mut daemon = Daemon::start();
    let (mut caller, mut agent) = conversation(&daemon);
    let (by_caller, by_agent) = (named(&mut caller, daemon.host), named(&mut agent, daemon.host));
    let session = caller.modify(&by_caller.attribute());
    for (phone, rtcp, lost, ms) in [(&caller, &by_caller, 10, 100), (&agent, &by_agent, 0, 40)] {
        rtcp.pass_over();
        let (report, from) = rtcp.expect(200);
        rtcp.answer(&report, from, lost, ms);
        let (packets, octets) = (u64::from(report[5]), report[6]);
        assert!(packets > 0, "{report:x?}");
        assert_eq!(u64::from(octets), packets * 160);
        let missing = packets.saturating_sub(phone.ear.packets());
        phone.ear.hear(missing.max(1));
        assert!(phone.ear.packets() < packets + 500, "{packets} of {}", phone.ear.packets());
        assert_eq!((report[0] >> 24 & 31, report[7], report[8]), (1, PHONE_SSRC, 0), "its stream comes whole");
        if std::ptr::eq(rtcp, &by_caller) {
            assert_eq!(from, ours(&session), "from the leg's own RTCP port");
        }
    }
    // The reports have been read when those that follow them are there.
    let (next, _) = by_agent.expect(200);
    by_caller.expect(200);
    caller.hang_up();
    agent.expect_bye();
    assert_eq!(by_agent.expect(203).0[1], next[1], "leave is taken");
    let records = daemon.stop();
    let record = &records[0];
    let (quality, other) =
        (record.quality.as_ref().expect("measured"), record.quality_agent.as_ref().expect("as well"));
    let trip = quality.round_trip_ms.expect("told");
    assert!((100.0..5_000.0).contains(&trip), "{quality:?}");
    assert!(quality.sent_loss.is_some_and(|loss| loss > 0.005 && loss < 0.2), "{quality:?}");
    assert_eq!(quality.sent_jitter_ms, Some(20.0));
    assert!(other.round_trip_ms.is_some_and(|trip| (40.0..5_000.0).contains(&trip)), "{other:?}");
    assert_eq!(other.sent_loss, Some(0.0));
    assert!(quality.mos.is_some() && other.mos.is_some(), "{record:?}");
}
