//! RTP packets on the wire (RFC 3550 §5.1).

use rtp_rs::RtpReader;

/// Octets of the fixed header: what [`write()`] puts before the payload.
pub const HEADER_LEN: usize = 12;

/// The fields of the fixed header that change from packet to packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// First packet of a talk spurt or of an event.
    pub marker: bool,
    /// 0–127; 0 is µ-law, 8 is A-law.
    pub payload_type: u8,
    /// Counts packets, wraps.
    pub sequence: u16,
    /// Sampling instant in clock units (8 kHz for telephony), wraps.
    pub timestamp: u32,
    /// Names the stream.
    pub ssrc: u32,
}

/// A packet that has been checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Packet<'a> {
    /// Its header.
    pub header: Header,
    /// The payload without CSRCs, extension and padding.
    pub payload: &'a [u8],
}

/// Reads a datagram; `None` where version, CSRC list, extension or padding do not fit its length.
pub fn parse(datagram: &[u8]) -> Option<Packet<'_>> {
    let reader = RtpReader::new(datagram).ok()?;
    let header = Header {
        marker: reader.mark(),
        payload_type: reader.payload_type(),
        sequence: reader.sequence_number().into(),
        timestamp: reader.timestamp(),
        ssrc: reader.ssrc(),
    };
    Some(Packet { header, payload: reader.payload() })
}

/// Writes a packet into `out` and gives its length; `None` where `out` is too small.
pub fn write(header: &Header, payload: &[u8], out: &mut [u8]) -> Option<usize> {
    let length = HEADER_LEN.checked_add(payload.len())?;
    let (head, body) = out.get_mut(..length)?.split_at_mut_checked(HEADER_LEN)?;
    head.copy_from_slice(&fixed(0x80, header));
    body.copy_from_slice(payload);
    Some(length)
}

/// Replaces the fixed fields of a packet that [`parse`] accepted; padding, extension and CSRC stay. Shorter datagrams stay as
/// they are.
pub fn rewrite(datagram: &mut [u8], header: &Header) {
    if let Some(head) = datagram.first_chunk_mut::<HEADER_LEN>() {
        *head = fixed(head[0], header);
    }
}

fn fixed(first: u8, header: &Header) -> [u8; HEADER_LEN] {
    let [s0, s1] = header.sequence.to_be_bytes();
    let [t0, t1, t2, t3] = header.timestamp.to_be_bytes();
    let [n0, n1, n2, n3] = header.ssrc.to_be_bytes();
    let second = (u8::from(header.marker) << 7) | (header.payload_type & 0x7f);
    [first, second, s0, s1, t0, t1, t2, t3, n0, n1, n2, n3]
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const HEADER: Header =
        Header { marker: true, payload_type: 8, sequence: 65_535, timestamp: 0xdead_beef, ssrc: 0x0102_0304 };

    #[test]
    fn what_is_written_reads_back() {
        let mut out = [0; 20];
        assert_eq!(write(&HEADER, b"12345678", &mut out), Some(20));
        assert_eq!(parse(&out), Some(Packet { header: HEADER, payload: b"12345678" }));
        assert_eq!(write(&HEADER, b"123456789", &mut out), None);
    }

    #[test]
    fn csrc_extension_and_padding_are_no_payload_and_survive_a_rewrite() {
        let mut datagram = vec![0xb1, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3, 9, 9, 9, 9, 0xbe, 0xde, 0, 1, 1, 1, 1, 1];
        datagram.extend_from_slice(b"abc\0\x02");
        assert_eq!(parse(&datagram).map(|p| p.payload), Some(&b"abc"[..]));
        rewrite(&mut datagram, &HEADER);
        assert_eq!(parse(&datagram), Some(Packet { header: HEADER, payload: b"abc" }));
        *datagram.last_mut().unwrap() = 200;
        assert_eq!(parse(&datagram), None);
    }

    proptest! {
        #[test]
        fn nothing_from_the_wire_panics(mut bytes in proptest::collection::vec(any::<u8>(), 0..80), first in 0x80u8..0xc0) {
            if let Some(byte) = bytes.first_mut() {
                *byte = first;
            }
            let _ = parse(&bytes);
            rewrite(&mut bytes, &HEADER);
        }
    }
}
