//! A-law and µ-law (ITU-T G.711): telephony's 8 bits for 16.

/// The two laws of G.711.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Law {
    /// A-law (PCMA).
    Alaw,
    /// µ-law (PCMU).
    Ulaw,
}

const ALAW: [i16; 256] = alaw_table();
const ULAW: [i16; 256] = ulaw_table();
const ALAW_TO_ULAW: [u8; 256] = transcoding(&ALAW, Law::Ulaw);
const ULAW_TO_ALAW: [u8; 256] = transcoding(&ULAW, Law::Alaw);

/// Added before the logarithm of µ-law, so that its first segment begins at a power of two.
const BIAS: u16 = 132;

impl Law {
    /// The static RTP payload type (RFC 3551 §6).
    pub fn payload_type(self) -> u8 {
        match self {
            Self::Ulaw => 0,
            Self::Alaw => 8,
        }
    }

    /// The law of a static RTP payload type, if it is one of G.711.
    pub fn from_payload_type(payload_type: u8) -> Option<Self> {
        match payload_type {
            0 => Some(Self::Ulaw),
            8 => Some(Self::Alaw),
            _ => None,
        }
    }

    /// The octet that is silence.
    pub const fn silence(self) -> u8 {
        match self {
            Self::Alaw => 0xd5,
            Self::Ulaw => 0xff,
        }
    }

    /// Encodes one sample.
    pub const fn encode(self, sample: i16) -> u8 {
        match self {
            Self::Alaw => alaw_encode(sample),
            Self::Ulaw => ulaw_encode(sample),
        }
    }

    /// Decodes one octet.
    pub fn decode(self, octet: u8) -> i16 {
        match self {
            Self::Alaw => alaw_decode(octet),
            Self::Ulaw => ulaw_decode(octet),
        }
    }

    /// Encodes as many samples as both slices have; gives that number.
    pub fn encode_slice(self, samples: &[i16], out: &mut [u8]) -> usize {
        let pairs = samples.iter().zip(out.iter_mut());
        pairs.map(|(sample, octet)| *octet = self.encode(*sample)).count()
    }

    /// Decodes as many octets as both slices have; gives that number.
    pub fn decode_slice(self, octets: &[u8], out: &mut [i16]) -> usize {
        let pairs = octets.iter().zip(out.iter_mut());
        pairs.map(|(octet, sample)| *sample = self.decode(*octet)).count()
    }

    /// Rewrites octets of this law as octets of `to`, in place.
    pub fn transcode(self, to: Self, octets: &mut [u8]) {
        let table = match (self, to) {
            (Self::Alaw, Self::Ulaw) => &ALAW_TO_ULAW,
            (Self::Ulaw, Self::Alaw) => &ULAW_TO_ALAW,
            _ => return,
        };
        for octet in octets {
            *octet = table[usize::from(*octet)];
        }
    }
}

/// A-law: 13 bits into 8, even bits inverted.
pub const fn alaw_encode(sample: i16) -> u8 {
    let sign = if sample < 0 { 0 } else { 0x80 };
    let magnitude = (if sample < 0 { !sample } else { sample } as u16) >> 4;
    let code = if magnitude < 32 {
        magnitude
    } else {
        let segment = 12 - magnitude.leading_zeros() as u16;
        (segment << 4) | ((magnitude >> (segment - 1)) & 15)
    };
    (code as u8 | sign) ^ 0x55
}

/// A-law back to 16 bits.
pub fn alaw_decode(octet: u8) -> i16 {
    ALAW[octet as usize]
}

/// µ-law: 14 bits into 8, all bits inverted.
pub const fn ulaw_encode(sample: i16) -> u8 {
    let sign = if sample < 0 { 0x80 } else { 0 };
    let magnitude = sample.unsigned_abs();
    let biased = (if magnitude > 32_635 { 32_635 } else { magnitude }) + BIAS;
    let segment = 8 - biased.leading_zeros() as u16;
    let code = (segment << 4) | ((biased >> (segment + 3)) & 15);
    !(code as u8 | sign)
}

/// µ-law back to 16 bits.
pub fn ulaw_decode(octet: u8) -> i16 {
    ULAW[octet as usize]
}

/// One octet from A-law to µ-law.
pub fn alaw_to_ulaw(octet: u8) -> u8 {
    ALAW_TO_ULAW[octet as usize]
}

/// One octet from µ-law to A-law.
pub fn ulaw_to_alaw(octet: u8) -> u8 {
    ULAW_TO_ALAW[octet as usize]
}

const fn alaw_table() -> [i16; 256] {
    let mut table = [0; 256];
    let mut code = 0;
    while code < 256 {
        let bits = code as u8 ^ 0x55;
        let segment = (bits >> 4) & 7;
        let mantissa = (bits & 15) as i16;
        let step = (mantissa << 4) + 8;
        let magnitude = if segment == 0 { step } else { (step + 256) << (segment - 1) };
        table[code] = if bits & 0x80 == 0 { -magnitude } else { magnitude };
        code += 1;
    }
    table
}

const fn ulaw_table() -> [i16; 256] {
    let mut table = [0; 256];
    let mut code = 0;
    while code < 256 {
        let bits = !(code as u8);
        let biased = (((bits & 15) as i16) << 3) + BIAS as i16;
        let magnitude = (biased << ((bits >> 4) & 7)) - BIAS as i16;
        table[code] = if bits & 0x80 == 0 { magnitude } else { -magnitude };
        code += 1;
    }
    table
}

const fn transcoding(from: &[i16; 256], to: Law) -> [u8; 256] {
    let mut table = [0; 256];
    let mut code = 0;
    while code < 256 {
        table[code] = to.encode(from[code]);
        code += 1;
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_codes_of_the_standard() {
        assert_eq!(
            [alaw_encode(0), alaw_encode(-1), alaw_encode(i16::MAX), alaw_encode(i16::MIN)],
            [0xd5, 0x55, 0xaa, 0x2a]
        );
        assert_eq!([ulaw_encode(0), ulaw_encode(i16::MAX), ulaw_encode(i16::MIN)], [0xff, 0x80, 0x00]);
        assert_eq!([alaw_decode(0xd5), alaw_decode(0xaa), alaw_decode(0x2a)], [8, 32_256, -32_256]);
        assert_eq!([ulaw_decode(0xff), ulaw_decode(0x80), ulaw_decode(0x00)], [0, 32_124, -32_124]);
    }

    #[test]
    fn every_octet_is_the_one_that_sox_makes() {
        type Vectors<'a> = (Law, &'a [u8], &'a [u8]);
        let all: [Vectors<'_>; 2] = [
            (
                Law::Alaw,
                include_bytes!("../../tests/data/g711/encoded.a"),
                include_bytes!("../../tests/data/g711/decoded.a"),
            ),
            (
                Law::Ulaw,
                include_bytes!("../../tests/data/g711/encoded.u"),
                include_bytes!("../../tests/data/g711/decoded.u"),
            ),
        ];
        for (law, encoded, decoded) in all {
            assert_eq!((encoded.len(), decoded.len()), (8_192, 512));
            for (sample, octet) in (i16::MIN..=i16::MAX).step_by(8).zip(encoded) {
                assert_eq!(law.encode(sample), *octet, "{law:?} {sample}");
            }
            for (octet, sample) in (0..=255).zip(decoded.as_chunks::<2>().0) {
                assert_eq!(law.decode(octet), i16::from_le_bytes(*sample), "{law:?} {octet:#x}");
            }
        }
    }

    #[test]
    fn every_code_survives_decoding_and_every_sample_gets_its_nearest() {
        for octet in 0..=255u8 {
            assert_eq!(alaw_encode(alaw_decode(octet)), octet);
            // µ-law has two zeros.
            let expected = if octet == 0x7f { 0xff } else { octet };
            assert_eq!(ulaw_encode(ulaw_decode(octet)), expected);
        }
        for law in [Law::Alaw, Law::Ulaw] {
            for sample in i16::MIN..=i16::MAX {
                let error = i32::from(sample).abs_diff(i32::from(law.decode(law.encode(sample))));
                let allowed = i32::from(sample).unsigned_abs() / 31 + 16;
                assert!(error <= allowed, "{law:?} {sample}: {error} > {allowed}");
            }
        }
    }

    #[test]
    fn silence_is_the_quietest_code() {
        let mut octets = [Law::Alaw.silence(); 3];
        Law::Alaw.transcode(Law::Ulaw, &mut octets);
        assert!(octets.iter().all(|octet| ulaw_decode(*octet).abs() <= 8));
        assert_eq!(alaw_decode(ulaw_to_alaw(Law::Ulaw.silence())), 8);
    }
}
