//! What a caller says and presses, as a capture file that sipp plays.

use super::{rtp, tone};

/// Frames of 20 ms.
const FRAME_US: u32 = 20_000;

/// A tone of `frames` frames in which keys are pressed at these frames.
pub fn speech(hz: f64, frames: u32, keys: &[(u32, char)]) -> Vec<u8> {
    // Little-endian, microseconds, Ethernet.
    let mut file = Vec::new();
    for word in [0xa1b2_c3d4u32, 0x0004_0002, 0, 0, 65_535, 1] {
        file.extend_from_slice(&word.to_le_bytes());
    }
    let mut sequence = 1;
    for number in 0..frames {
        let timestamp = number * 160;
        let pressed = keys.iter().filter(|(at, _)| *at == number);
        for payload in pressed.flat_map(|(_, key)| rtp::key_press(*key)) {
            add(&mut file, number, &rtp::packet(101, sequence, timestamp, &payload));
            sequence += 1;
        }
        add(&mut file, number, &rtp::packet(8, sequence, timestamp, &tone::frame(hz, u64::from(number))));
        sequence += 1;
    }
    file
}

/// A packet with Ethernet, IPv4 and UDP headers; the player puts its own addresses in.
fn add(file: &mut Vec<u8>, number: u32, payload: &[u8]) {
    let udp = 8 + payload.len() as u16;
    let ip = 20 + udp;
    let length = 14 + u32::from(ip);
    let at_us = number * FRAME_US;
    for word in [at_us / 1_000_000, at_us % 1_000_000, length, length] {
        file.extend_from_slice(&word.to_le_bytes());
    }
    file.extend_from_slice(&[0; 12]);
    file.extend_from_slice(&[0x08, 0x00]);
    file.extend_from_slice(&[0x45, 0]);
    file.extend_from_slice(&ip.to_be_bytes());
    file.extend_from_slice(&[0, 0, 0, 0, 64, 17, 0, 0, 127, 0, 0, 1, 127, 0, 0, 1]);
    for port in [4_000u16, 4_000, udp, 0] {
        file.extend_from_slice(&port.to_be_bytes());
    }
    file.extend_from_slice(payload);
}
