//! The vectors of RFC 5769, and what must not be believed.

use proptest::prelude::*;

use super::*;

/// §2.1: a request with user name, proof and fingerprint.
const REQUEST: &[u8] = b"\x00\x01\x00\x58\x21\x12\xa4\x42\xb7\xe7\xa7\x01\xbc\x34\xd6\x86\xfa\x87\xdf\xae\
    \x80\x22\x00\x10STUN test client\x00\x24\x00\x04\x6e\x00\x01\xff\x80\x29\x00\x08\x93\x2f\xf9\xb1\x51\x26\x3b\x36\
    \x00\x06\x00\x09\x65\x76\x74\x6a\x3a\x68\x36\x76\x59\x20\x20\x20\x00\x08\x00\x14\x9a\xea\xa7\x0c\xbf\xd8\xcb\x56\
    \x78\x1e\xf2\xb5\xb2\xd3\xf2\x49\xc1\xb5\x71\xa2\x80\x28\x00\x04\xe5\x7a\x3b\xcf";
const PASSWORD: &str = "VOkJxbRl1RmTxUk/WvJxBt";

/// The check of a browser that nominates.
pub(crate) fn check(ufrag: &str, password: &str) -> Vec<u8> {
    request(&[(USERNAME, format!("{ufrag}:theirs").as_bytes()), (PRIORITY, b"1234"), (USE_CANDIDATE, b"")], password)
}

/// The check of one that does not, or not yet.
pub(crate) fn probe(ufrag: &str, password: &str) -> Vec<u8> {
    request(&[(USERNAME, format!("{ufrag}:theirs").as_bytes()), (PRIORITY, b"1234")], password)
}

/// A request of our own, with these attributes before its proof.
fn request(attributes: &[(u16, &[u8])], password: &str) -> Vec<u8> {
    let mut out = [0; ANSWER_MOST];
    out[..2].copy_from_slice(&BINDING_REQUEST.to_be_bytes());
    out[4..8].copy_from_slice(&COOKIE.to_be_bytes());
    out[8..20].copy_from_slice(b"transaction!");
    let mut message = Answer { out: &mut out, len: HEADER };
    for (name, value) in attributes {
        let mut padded = value.to_vec();
        padded.resize(value.len().next_multiple_of(4), 0);
        message.put(*name, &padded, value.len());
    }
    message.sign(password);
    let len = message.len;
    out[..len].to_vec()
}

#[test]
fn the_request_of_rfc_5769_is_read_and_proved() {
    let check = Check::read(REQUEST).unwrap();
    assert_eq!((check.ufrag, check.nominates, check.claims_our_role), ("evtj", false, true));
    assert!(check.proves(PASSWORD) && !check.proves("VOkJxbRl1RmTxUk/WvJxBu"));
}

#[test]
fn an_answer_says_where_the_check_came_from_and_is_proved() {
    for (from, address) in [
        ("192.0.2.1:32853", &b"\x00\x20\x00\x08\x00\x01\xa1\x47\xe1\x12\xa6\x43"[..]),
        (
            "[2001:db8:1234:5678:11:2233:4455:6677]:32853",
            b"\x00\x20\x00\x14\x00\x02\xa1\x47\x01\x13\xa9\xfa\xa5\xd3\xf1\x79\xbc\x25\xf4\xb5\xbe\xd2\xb9\xd9",
        ),
    ] {
        let transaction = REQUEST[4..20].first_chunk().unwrap();
        let check = Check { transaction, claims_our_role: false, ..Check::read(REQUEST).unwrap() };
        let mut out = [0; ANSWER_MOST];
        let len = check.answer(from.parse().unwrap(), PASSWORD, &mut out);
        assert_eq!(out[..2], [1, 1]);
        assert_eq!(usize::from(u16::from_be_bytes([out[2], out[3]])), len - HEADER);
        assert_eq!(out[20..20 + address.len()], *address);
        let proof = 20 + address.len();
        let mut mac = integrity(PASSWORD, &out[..proof]).unwrap();
        mac.update(&out[4..proof]);
        assert_eq!(mac.finalize().into_bytes()[..], out[proof + 4..proof + 24]);
        let crc = crc32fast::hash(&out[..len - 8]) ^ FINGERPRINT_MASK;
        assert_eq!(out[len - 4..len], crc.to_be_bytes());
    }
}

#[test]
fn the_role_that_is_ours_is_not_given_away() {
    let mut out = [0; ANSWER_MOST];
    let len = Check::read(REQUEST).unwrap().answer("192.0.2.1:1".parse().unwrap(), PASSWORD, &mut out);
    assert_eq!(out[..2], [1, 0x11]);
    assert_eq!(out[20..28], [0, 9, 0, 17, 0, 0, 4, 87]);
    assert!(len < ANSWER_MOST);
}

#[test]
fn a_nomination_counts_only_under_the_proof() {
    let sound = request(&[(USERNAME, b"ours:theirs"), (USE_CANDIDATE, b"")], "secret");
    let check = Check::read(&sound).unwrap();
    assert!(check.nominates && check.ufrag == "ours" && check.proves("secret"));
    // Behind the proof, where anybody could have put it.
    let mut late = request(&[(USERNAME, b"ours:theirs")], "secret");
    late.truncate(late.len() - 8);
    late.extend([0, 0x25, 0, 0]);
    let length = (late.len() - HEADER + 8) as u16;
    late[2..4].copy_from_slice(&length.to_be_bytes());
    let crc = crc32fast::hash(&late) ^ FINGERPRINT_MASK;
    late.extend([0x80, 0x28, 0, 4]);
    late.extend(crc.to_be_bytes());
    assert!(!Check::read(&late).unwrap().nominates);
}

#[test]
fn hostile_checks_are_no_checks() {
    let name = [b'a'; 600];
    let long = (name.len() as u16).to_be_bytes();
    let mut huge = REQUEST[..20].to_vec();
    huge.extend([0, 6, long[0], long[1]]);
    huge.extend(name);
    let length = (huge.len() - HEADER) as u16;
    huge[2..4].copy_from_slice(&length.to_be_bytes());
    let unnamed = request(&[(PRIORITY, b"1234")], "secret");
    let unknown = request(&[(USERNAME, b"ours:theirs"), (0x7001, b"")], "secret");
    let mut lies = REQUEST.to_vec();
    lies[23] = 0xff;
    let mut crc = REQUEST.to_vec();
    crc[107] ^= 1;
    let mut indication = REQUEST.to_vec();
    indication[1] = 0x11;
    for odd in [&huge[..], &unnamed, &unknown, &lies, &crc, &indication, &REQUEST[..100], &REQUEST[..20], b"", b"\0"] {
        assert_eq!(Check::read(odd), None);
    }
}

#[test]
fn the_first_byte_tells_what_it_is() {
    let kinds = [(REQUEST[0], 1), (22, 254), (0x80, 8), (0x80, 200), (0x90, 0x80 | 101), (255, 0), (70, 0)];
    let told: Vec<_> = kinds.iter().map(|(first, second)| kind(&[*first, *second])).collect();
    let expected = [Some(Kind::Stun), Some(Kind::Dtls), Some(Kind::Rtp), Some(Kind::Rtcp), Some(Kind::Rtp), None, None];
    assert_eq!(told, expected);
}

proptest! {
    #[test]
    fn nothing_from_the_wire_panics(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = (kind(&bytes), Check::read(&bytes));
    }

    #[test]
    fn no_damage_panics_or_is_believed(at in 0..REQUEST.len(), flip in 1_u8..) {
        let mut bytes = REQUEST.to_vec();
        bytes[at] ^= flip;
        prop_assert!(!Check::read(&bytes).is_some_and(|check| check.proves(PASSWORD)));
    }
}
