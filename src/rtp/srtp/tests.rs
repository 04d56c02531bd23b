//! The RFCs' vectors, and what must not pass.

use proptest::prelude::*;

use super::*;
use crate::rtp::packet;

const SUITES: [Suite; 4] = [Suite::AesCm128Sha1_80, Suite::AesCm256Sha1_80, Suite::AeadAes128Gcm, Suite::AeadAes256Gcm];

fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text.bytes().filter(u8::is_ascii_hexdigit).collect();
    let pairs = digits.chunks(2).map(|pair| std::str::from_utf8(pair).unwrap());
    pairs.map(|pair| u8::from_str_radix(pair, 16).unwrap()).collect()
}

fn key(suite: Suite, byte: u8) -> MasterKey {
    let bytes: Vec<u8> = (0..suite.key_len() + suite.salt_len()).map(|at| byte.wrapping_add(at as u8)).collect();
    MasterKey::new(suite, &bytes).unwrap()
}

fn rtp(sequence: u16, ssrc: u32, payload: &[u8]) -> Vec<u8> {
    let header = packet::Header { marker: false, payload_type: 8, sequence, timestamp: 160, ssrc };
    let mut out = vec![0; 12 + payload.len()];
    packet::write(&header, payload, &mut out).unwrap();
    out
}

fn seal(sealer: &mut Sealer, packet: &[u8]) -> Result<Vec<u8>, Refusal> {
    let mut buf = packet.to_vec();
    buf.resize(packet.len() + OVERHEAD, 0);
    let len = sealer.seal_rtp(&mut buf, packet.len())?;
    buf.truncate(len);
    Ok(buf)
}

fn open(opener: &mut Opener, sealed: &[u8]) -> Result<Vec<u8>, Refusal> {
    let mut buf = sealed.to_vec();
    let len = opener.open_rtp(&mut buf)?;
    buf.truncate(len);
    Ok(buf)
}

#[test]
fn keys_are_derived_as_in_rfc_3711_b3() {
    let master = hex("E1F97A0D3E018BE0D64FA32C06DE4139 0EC675AD498AFEEBB6960B3AABE6");
    let master = MasterKey::new(Suite::AesCm128Sha1_80, &master).unwrap();
    let derived = |label, len| {
        let mut out = vec![0; len];
        cipher::derive(&master, label, &mut out);
        out
    };
    assert_eq!(derived(0, 16), hex("C61E7A93744F39EE10734AFE3FF7A087"));
    assert_eq!(derived(2, 14), hex("30CBBC08863D8C85D49DB34A9AE1"));
    assert_eq!(derived(1, 20), hex("CEBE321F6FF7716B6FD4AB49AF256A156D38BAA4"));
}

#[test]
fn keys_are_derived_as_in_rfc_6188_7_3() {
    let master = hex("f0f04914b513f2763a1b1fa130f10e2998f6f6e43e4309d1e622a0e332b9f1b6 3b04803de51ee7c96423ab5b78d2");
    let master = MasterKey::new(Suite::AesCm256Sha1_80, &master).unwrap();
    let derived = |label, len| {
        let mut out = vec![0; len];
        cipher::derive(&master, label, &mut out);
        out
    };
    assert_eq!(derived(0, 32), hex("5ba1064e30ec51613cad926c5a28ef731ec7fb397f70a960653caf06554cd8c4"));
    assert_eq!(derived(2, 14), hex("fa31791685ca444a9e07c6c64e93"));
    assert_eq!(derived(1, 20), hex("fd9c32d39ed5fbb5a9dc96b30818454d1313dc05"));
}

#[test]
fn the_key_stream_is_that_of_rfc_3711_b2() {
    // Session key, salt, index 0 and SSRC 0.
    let salt: [u8; 14] = hex("F0F1F2F3F4F5F6F7F8F9FAFBFCFD").try_into().unwrap();
    let aes = cipher::Aes::new(&hex("2B7E151628AED2A6ABF7158809CF4F3C"));
    let mut stream = [0; 32];
    aes.apply(&cipher::counter(&salt, 0, 0), &mut stream);
    assert_eq!(stream[..], hex("E03EAD0935C95E80E166B16DD92B4EB4D23513162B02D0F72A43A2FE4A5F97AB"));
}

#[test]
fn a_packet_under_gcm_is_that_of_rfc_7714_16_1() {
    // The RFC gives session keys, not a master key.
    let text = "8040f17b8041f8d35501a0b247616c6c696120657374206f6d6e69732064697669736120696e207061727465732074726573";
    let plain = hex(text);
    for (key, sealed) in [
        (
            "000102030405060708090a0b0c0d0e0f",
            "8040f17b8041f8d35501a0b2f24de3a3fb34de6cacba861c9d7e4bcabe633bd50d294e6f42a5f47a51c7d19b36de3adf8833\
             899d7f27beb16a9152cf765ee4390cce",
        ),
        (
            "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f",
            "8040f17b8041f8d35501a0b232b1de78a822fe12ef9f78fa332e33aab18012389a58e2f3b50b2a0276ffae0f1ba63799b87b\
             7aa3db36dfffd6b0f9bb7878d7a76c13",
        ),
    ] {
        let salt = hex("517569642070726f2071756f").try_into().unwrap();
        let transform = cipher::Transform::gcm(&hex(key), salt);
        let mut buf = plain.clone();
        buf.resize(plain.len() + OVERHEAD, 0);
        let len = transform.seal_rtp(&mut buf, 12, plain.len(), 0x5501_a0b2, 0xf17b).unwrap();
        assert_eq!(buf[..len], hex(sealed));
        let len = transform.open_rtp(&mut buf[..len], 12, 0x5501_a0b2, 0xf17b).unwrap();
        assert_eq!(buf[..len], plain);
    }
}

#[test]
fn what_is_sealed_opens_once() {
    for suite in SUITES {
        let (mut sealer, mut opener) = (Sealer::new(&key(suite, 1)), Opener::new(&key(suite, 1)));
        let plain = rtp(7, 99, &[0x55; 160]);
        let sealed = seal(&mut sealer, &plain).unwrap();
        assert_eq!(sealed[..12], plain[..12]);
        assert_ne!(sealed[12..172], plain[12..]);
        assert_eq!(open(&mut opener, &sealed), Ok(plain.clone()));
        assert_eq!(open(&mut opener, &sealed), Err(Refusal::Replayed));
        // The same number again, with other sound: its key stream has been used.
        assert_eq!(seal(&mut sealer, &rtp(7, 99, &[0xaa; 160])), Err(Refusal::Replayed));
    }
}

#[test]
fn ten_thousand_forged_packets_change_nothing() {
    for suite in SUITES {
        let (mut sealer, mut opener) = (Sealer::new(&key(suite, 1)), Opener::new(&key(suite, 1)));
        let mut enemy = Sealer::new(&key(suite, 2));
        let first = seal(&mut sealer, &rtp(10, 99, b"first")).unwrap();
        assert!(open(&mut opener, &first).is_ok());
        for number in 0..10_000_u32 {
            // Under the true source and under others, at every distance of sequence.
            let ssrc = if number % 2 == 0 { 99 } else { number };
            let forged = seal(&mut enemy, &rtp((number * 13) as u16, ssrc, b"forged"));
            let Ok(mut forged) = forged else { continue };
            assert!(open(&mut opener, &forged).is_err());
            forged.truncate(number as usize % 30);
            assert!(open(&mut opener, &forged).is_err());
            if number % 32 == 31 {
                enemy = Sealer::new(&key(suite, 2));
            }
        }
        let mut damaged = seal(&mut sealer, &rtp(11, 99, b"second")).unwrap();
        damaged[13] ^= 1;
        assert_eq!(open(&mut opener, &damaged), Err(Refusal::Forged));
        damaged[13] ^= 1;
        assert_eq!(open(&mut opener, &damaged), Ok(rtp(11, 99, b"second")));
        assert_eq!(opener.sources.0.len(), 1);
    }
}

#[test]
fn the_sequence_wraps_and_packets_overtake() {
    for suite in SUITES {
        let (mut sealer, mut opener) = (Sealer::new(&key(suite, 1)), Opener::new(&key(suite, 1)));
        let mut sealed: Vec<_> = (65_500..65_600_u32)
            .map(|index| (rtp(index as u16, 5, &index.to_be_bytes()), index))
            .map(|(plain, _)| (seal(&mut sealer, &plain).unwrap(), plain))
            .collect();
        sealed.chunks_mut(7).for_each(<[_]>::reverse);
        for (sealed, plain) in sealed {
            assert_eq!(open(&mut opener, &sealed), Ok(plain));
        }
    }
}

#[test]
fn a_new_key_goes_on_after_a_wrap_whether_or_not_the_peer_counts_on() {
    for suite in SUITES {
        let mut sealer = Sealer::new(&key(suite, 1));
        let mut opener = Opener::new(&key(suite, 1));
        for index in [65_535_u32, 65_536] {
            let sealed = seal(&mut sealer, &rtp(index as u16, 5, b"x")).unwrap();
            open(&mut opener, &sealed).unwrap();
        }
        for mut next in [sealer.rekeyed(&key(suite, 2)), Sealer::new(&key(suite, 2))] {
            let mut opener = opener.rekeyed(&key(suite, 2));
            for sequence in [1, 2, 3] {
                let sealed = seal(&mut next, &rtp(sequence, 5, b"y")).unwrap();
                assert_eq!(open(&mut opener, &sealed), Ok(rtp(sequence, 5, b"y")));
                assert_eq!(open(&mut opener, &sealed), Err(Refusal::Replayed));
            }
            let old = seal(&mut sealer, &rtp(4, 5, b"old")).unwrap();
            assert_eq!(open(&mut opener, &old), Err(Refusal::Forged));
            sealer = Sealer::new(&key(suite, 1));
        }
    }
}

#[test]
fn rtcp_is_sealed_counted_and_opened_once() {
    let report = hex("81c8000d4d6172734e5450314e545032525450200000042a0000e930");
    for suite in SUITES {
        let (mut sealer, mut opener) = (Sealer::new(&key(suite, 1)), Opener::new(&key(suite, 1)));
        for _ in 0..3 {
            let mut buf = report.clone();
            buf.resize(report.len() + OVERHEAD, 0);
            let len = sealer.seal_rtcp(&mut buf, report.len()).unwrap();
            let mut sealed = buf[..len].to_vec();
            assert_ne!(sealed[8..report.len()], report[8..]);
            let len = opener.open_rtcp(&mut sealed).unwrap();
            assert_eq!(sealed[..len], report);
            assert_eq!(opener.open_rtcp(&mut buf[..sealed.len()]), Err(Refusal::Replayed));
        }
        let mut plain = report.clone();
        plain.extend([0; 20]);
        assert_eq!(opener.open_rtcp(&mut plain), Err(Refusal::Malformed));
    }
}

#[test]
fn a_compound_of_rfc_7714_17_1_is_sealed_as_there() {
    let plain = hex(
        "81c8000d4d6172734e5450314e545032525450200000042a0000e930 4c756e61deadbeefdeadbeefdeadbeefdeadbeefdeadbeef",
    );
    let sealed = hex(
        "81c8000d4d61727363e94885dcdab67ca727d7662f6b7e997ff5c0f76c06f32dc676a5f1730d6fda4ce09b4686303ded0bb9275bc84aa458\
         96cf4d2fc5abf872 45d9eade800005d4",
    );
    let transform = cipher::Transform::gcm(
        &hex("000102030405060708090a0b0c0d0e0f"),
        hex("517569642070726f2071756f").try_into().unwrap(),
    );
    let mut buf = plain.clone();
    buf.resize(plain.len() + OVERHEAD, 0);
    let len = transform.seal_rtcp(&mut buf, plain.len(), 0x4d61_7273, 0x8000_05d4).unwrap();
    assert_eq!(buf[..len], sealed);
}

#[test]
fn no_key_is_ever_shown() {
    let key = key(Suite::AesCm128Sha1_80, 0x41);
    assert_eq!(format!("{key:?}"), "MasterKey(AesCm128Sha1_80, ..)");
    assert_eq!(MasterKey::new(Suite::AesCm128Sha1_80, &[0; 46]), None);
}

proptest! {
    #[test]
    fn nothing_from_the_wire_panics(mut bytes in proptest::collection::vec(any::<u8>(), 0..120), first in 0x80u8..0xc0) {
        if let Some(byte) = bytes.first_mut() {
            *byte = first;
        }
        for suite in SUITES {
            let mut opener = Opener::new(&key(suite, 1));
            prop_assert!(opener.open_rtp(&mut bytes.clone()).is_err());
            prop_assert!(opener.open_rtcp(&mut bytes.clone()).is_err());
            let _ = Sealer::new(&key(suite, 1)).seal_rtp(&mut bytes.clone(), bytes.len());
            let _ = Sealer::new(&key(suite, 1)).seal_rtcp(&mut bytes.clone(), bytes.len());
        }
    }
}
