//! STUN keep-alives on SIP's UDP port (RFC 5626 §5.4, RFC 8489): a phone behind NAT asks from where its datagrams come, which keeps its
//! way open.

use std::net::{IpAddr, SocketAddr};

const BINDING_REQUEST: [u8; 2] = [0x00, 0x01];
const BINDING_SUCCESS: [u8; 2] = [0x01, 0x01];
const COOKIE: [u8; 4] = [0x21, 0x12, 0xA4, 0x42];
const XOR_MAPPED_ADDRESS: [u8; 2] = [0x00, 0x20];
/// Type, length, cookie and transaction.
const HEADER: usize = 20;

/// Whether a datagram is STUN and not SIP, whose first byte is a letter (RFC 5626 §8).
pub(super) fn is_stun(datagram: &[u8]) -> bool {
    datagram.len() >= HEADER && datagram[0] < 4 && datagram[4..8] == COOKIE
}

/// The answer to a binding request from `remote`; `None` to everything else, which a keep-alive has no use for.
pub(super) fn answer(datagram: &[u8], remote: SocketAddr) -> Option<Vec<u8>> {
    let length = datagram.get(2..4).map(|pair| usize::from(u16::from_be_bytes([pair[0], pair[1]])))?;
    if !is_stun(datagram) || datagram[..2] != BINDING_REQUEST || datagram.len() != HEADER + length {
        return None;
    }
    let key = &datagram[4..HEADER];
    let (family, address) = match remote.ip() {
        IpAddr::V4(ip) => (1, ip.octets().to_vec()),
        IpAddr::V6(ip) => (2, ip.octets().to_vec()),
    };
    let value_length = 4 + address.len() as u16;
    let mut response = Vec::with_capacity(HEADER + 24);
    response.extend(BINDING_SUCCESS);
    response.extend((4 + value_length).to_be_bytes());
    response.extend(key);
    response.extend(XOR_MAPPED_ADDRESS);
    response.extend(value_length.to_be_bytes());
    response.extend([0, family]);
    response.extend((remote.port() ^ u16::from_be_bytes([COOKIE[0], COOKIE[1]])).to_be_bytes());
    response.extend(address.iter().zip(key).map(|(byte, mask)| byte ^ mask));
    Some(response)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request() -> Vec<u8> {
        let mut request = vec![0x00, 0x01, 0x00, 0x00];
        request.extend(COOKIE);
        request.extend(*b"\xb7\xe7\xa7\x01\xbc\x34\xd6\x86\xfa\x87\xdf\xae");
        request
    }

    #[test]
    fn a_phone_is_told_where_its_datagrams_come_from() {
        // The addresses of RFC 5769 §2.2 and §2.3.
        let answered = answer(&request(), "192.0.2.1:32853".parse().unwrap()).unwrap();
        assert_eq!(answered[..4], [0x01, 0x01, 0x00, 0x0c]);
        assert_eq!(answered[4..20], request()[4..]);
        assert_eq!(answered[20..], *b"\x00\x20\x00\x08\x00\x01\xa1\x47\xe1\x12\xa6\x43");
        let answered = answer(&request(), "[2001:db8:1234:5678:11:2233:4455:6677]:32853".parse().unwrap()).unwrap();
        assert_eq!(
            answered[24..],
            *b"\x00\x02\xa1\x47\x01\x13\xa9\xfa\xa5\xd3\xf1\x79\xbc\x25\xf4\xb5\xbe\xd2\xb9\xd9"
        );
    }

    #[test]
    fn what_is_no_binding_request_gets_no_answer() {
        let remote = "192.0.2.1:5060".parse().unwrap();
        let mut indication = request();
        indication[1] = 0x11;
        let mut lies = request();
        lies[3] = 8;
        for datagram in [&indication[..], &lies, &request()[..19], b"OPTIONS sip:x SIP/2.0\r\n\r\n", b""] {
            assert_eq!(answer(datagram, remote), None);
        }
        assert!(!is_stun(b"OPTIONS sip:x SIP/2.0\r\n\r\n") && is_stun(&indication));
    }
}
