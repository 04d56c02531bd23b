//! Messages as a capture file (libpcap 2.4, raw IP): each as one UDP datagram between the addresses that it went by.

use std::net::{IpAddr, SocketAddr};

use super::Traced;

/// Raw IP, without a link's header.
const LINKTYPE_RAW: u32 = 101;
/// What fits a datagram with its headers.
const PAYLOAD: usize = 65_000;
const UDP: u8 = 17;

pub(super) fn pcap(messages: &[Traced]) -> Vec<u8> {
    let mut file = Vec::new();
    file.extend(0xa1b2_c3d4_u32.to_le_bytes());
    file.extend(2u16.to_le_bytes());
    file.extend(4u16.to_le_bytes());
    file.extend([0; 8]);
    file.extend(65_535u32.to_le_bytes());
    file.extend(LINKTYPE_RAW.to_le_bytes());
    for traced in messages {
        let (local, remote) = (traced.flow.local, traced.flow.remote);
        let (source, target) = if traced.outbound { (local, remote) } else { (remote, local) };
        let packet = datagram(source, target, &traced.bytes[..traced.bytes.len().min(PAYLOAD)]);
        let (seconds, micros) = (traced.at_us.div_euclid(1_000_000), traced.at_us.rem_euclid(1_000_000));
        file.extend(u32::try_from(seconds).unwrap_or(u32::MAX).to_le_bytes());
        file.extend((micros as u32).to_le_bytes());
        file.extend((packet.len() as u32).to_le_bytes());
        file.extend((packet.len() as u32).to_le_bytes());
        file.extend(packet);
    }
    file
}

fn datagram(source: SocketAddr, target: SocketAddr, payload: &[u8]) -> Vec<u8> {
    let length = (payload.len() + 8) as u16;
    let mut udp = Vec::with_capacity(payload.len() + 8);
    udp.extend(source.port().to_be_bytes());
    udp.extend(target.port().to_be_bytes());
    udp.extend(length.to_be_bytes());
    udp.extend([0, 0]);
    udp.extend(payload);
    let mut packet = match (source.ip(), target.ip()) {
        (IpAddr::V4(from), IpAddr::V4(to)) => {
            let mut head = vec![0x45, 0];
            head.extend((length + 20).to_be_bytes());
            head.extend([0, 0, 0x40, 0, 64, UDP, 0, 0]);
            head.extend(from.octets());
            head.extend(to.octets());
            let sum = checksum(&head, 0);
            head[10..12].copy_from_slice(&sum.to_be_bytes());
            head
        }
        (from, to) => {
            let wide = |ip: IpAddr| match ip {
                IpAddr::V4(ip) => ip.to_ipv6_mapped(),
                IpAddr::V6(ip) => ip,
            };
            let (from, to) = (wide(from).octets(), wide(to).octets());
            // UDP over IPv6 has to have one (RFC 8200 §8.1), over a head of its own.
            let pseudo = [&from[..], &to[..], &u32::from(length).to_be_bytes(), &[0, 0, 0, UDP]].concat();
            let sum = match checksum(&udp, !u32::from(checksum(&pseudo, 0)) & 0xffff) {
                0 => 0xffff,
                sum => sum,
            };
            udp[6..8].copy_from_slice(&sum.to_be_bytes());
            let mut head = vec![0x60, 0, 0, 0];
            head.extend(length.to_be_bytes());
            head.extend([UDP, 64]);
            head.extend(from);
            head.extend(to);
            head
        }
    };
    packet.extend(udp);
    packet
}

/// The Internet checksum (RFC 1071), going on from `sum`.
fn checksum(bytes: &[u8], mut sum: u32) -> u16 {
    for pair in bytes.chunks(2) {
        sum += u32::from(u16::from_be_bytes([pair[0], pair.get(1).copied().unwrap_or_default()]));
    }
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !(sum as u16)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heads_have_their_lengths_and_checksums() {
        let packet = datagram("192.0.2.1:5060".parse().unwrap(), "192.0.2.2:5070".parse().unwrap(), b"abc");
        assert_eq!(
            (packet.len(), &packet[2..4], &packet[20..26]),
            (31, &[0, 31][..], &[0x13, 0xc4, 0x13, 0xce, 0, 11][..])
        );
        // Summed over with its checksum, a head is zero.
        assert_eq!(checksum(&packet[..20], 0), 0);
        let packet = datagram("[2001:db8::1]:5060".parse().unwrap(), "[2001:db8::2]:5060".parse().unwrap(), b"abcd");
        let pseudo = [&packet[8..40], &12u32.to_be_bytes()[..], &[0, 0, 0, 17][..], &packet[40..]].concat();
        assert_eq!(checksum(&pseudo, 0), 0);
    }
}
