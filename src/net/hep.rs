//! HEPv3, the encapsulation in which Homer takes captured messages (HEP/EEP Network Protocol specification, rev. 12).

use std::net::{IpAddr, SocketAddr};

use super::Captured;
use crate::sip::transaction::Transport;

/// SIP, in chunk 11.
const SIP: u8 = 1;

/// One message as a HEP packet. `capture_id` names this switch at the collector; `call_id` correlates.
pub fn hep(captured: &Captured, capture_id: u32, call_id: &str) -> Vec<u8> {
    let (local, remote) = (captured.flow.local, captured.flow.remote);
    let (source, target) = if captured.outbound { (local, remote) } else { (remote, local) };
    let mut packet = b"HEP3\0\0".to_vec();
    let protocol = if captured.flow.transport == Transport::Udp { 17 } else { 6 };
    push(&mut packet, 1, &[if source.is_ipv4() { 2 } else { 10 }]);
    push(&mut packet, 2, &[protocol]);
    push_address(&mut packet, source, [3, 5]);
    push_address(&mut packet, target, [4, 6]);
    push(&mut packet, 7, &source.port().to_be_bytes());
    push(&mut packet, 8, &target.port().to_be_bytes());
    let (seconds, micros) = (captured.at_us.div_euclid(1_000_000), captured.at_us.rem_euclid(1_000_000));
    push(&mut packet, 9, &u32::try_from(seconds).unwrap_or(u32::MAX).to_be_bytes());
    push(&mut packet, 10, &(micros as u32).to_be_bytes());
    push(&mut packet, 11, &[SIP]);
    push(&mut packet, 12, &capture_id.to_be_bytes());
    push(&mut packet, 15, &captured.bytes);
    push(&mut packet, 17, call_id.as_bytes());
    let length = u16::try_from(packet.len()).unwrap_or(u16::MAX);
    packet[4..6].copy_from_slice(&length.to_be_bytes());
    packet
}

fn push_address(packet: &mut Vec<u8>, address: SocketAddr, [v4, v6]: [u16; 2]) {
    match address.ip() {
        IpAddr::V4(ip) => push(packet, v4, &ip.octets()),
        IpAddr::V6(ip) => push(packet, v6, &ip.octets()),
    }
}

/// A chunk: vendor 0, its type, its length with this head of six bytes.
fn push(packet: &mut Vec<u8>, kind: u16, value: &[u8]) {
    packet.extend([0, 0]);
    packet.extend(kind.to_be_bytes());
    packet.extend(u16::try_from(value.len() + 6).unwrap_or(u16::MAX).to_be_bytes());
    packet.extend(value);
}
