//! The file format: WAV, two channels of G.711 at 8 kHz (format tags 6 and 7).

use crate::codec::g711::Law;

/// Octets before the sound: RIFF, `fmt ` of 18 octets, `fact`, and the head of `data`.
pub const HEADER_LEN: usize = 58;

/// The header for `data_len` octets of interleaved sound; lengths past 4 GiB (74 hours) stay at the largest that fits.
pub fn wav_header(law: Law, data_len: u64) -> [u8; HEADER_LEN] {
    let longest = u64::from(u32::MAX) - (HEADER_LEN as u64 - 8);
    let data = (data_len.min(longest) & !1) as u32;
    let riff = data + (HEADER_LEN as u32 - 8);
    let mut header = [0; HEADER_LEN];
    let parts: [&[u8]; 17] = [
        b"RIFF",
        &riff.to_le_bytes(),
        b"WAVE",
        b"fmt ",
        &18u32.to_le_bytes(),
        &tag(law).to_le_bytes(),
        // Channels, samples and octets per second, octets per pair, bits, length of the extension.
        &2u16.to_le_bytes(),
        &8_000u32.to_le_bytes(),
        &16_000u32.to_le_bytes(),
        &2u16.to_le_bytes(),
        &8u16.to_le_bytes(),
        &0u16.to_le_bytes(),
        b"fact",
        &4u32.to_le_bytes(),
        &(data / 2).to_le_bytes(),
        b"data",
        &data.to_le_bytes(),
    ];
    for (octet, value) in header.iter_mut().zip(parts.into_iter().flatten()) {
        *octet = *value;
    }
    header
}

/// What a file that was never closed needs to be whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Repaired {
    /// To be written over the file's beginning.
    pub header: [u8; HEADER_LEN],
    /// The length to which the file is to be cut (half a pair may stand at its end).
    pub file_len: u64,
    /// What it holds then, in ms.
    pub written_ms: u64,
}

/// Mends a file that a killed process left, from its first octets and its length; `None` where it does not begin with our
/// header.
pub fn repair(head: &[u8], file_len: u64) -> Option<Repaired> {
    let head = head.first_chunk::<HEADER_LEN>()?;
    let data_len = file_len.checked_sub(HEADER_LEN as u64)? & !1;
    let law = law_of(head)?;
    Some(Repaired {
        header: wav_header(law, data_len),
        file_len: HEADER_LEN as u64 + data_len,
        written_ms: data_len / 16,
    })
}

/// The law of a file that begins with our header, whatever its lengths; `None` where it does not.
pub fn law_of(head: &[u8; HEADER_LEN]) -> Option<Law> {
    [Law::Alaw, Law::Ulaw].into_iter().find(|law| alike(head, &wav_header(*law, 0)))
}

/// Whether two headers differ in their lengths only.
fn alike(a: &[u8; HEADER_LEN], b: &[u8; HEADER_LEN]) -> bool {
    let lengths = [4..8, 46..50, 54..58];
    let mut pairs = a.iter().zip(b).enumerate();
    pairs.all(|(at, (a, b))| a == b || lengths.iter().any(|range| range.contains(&at)))
}

fn tag(law: Law) -> u16 {
    match law {
        Law::Alaw => 6,
        Law::Ulaw => 7,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_header_says_what_a_player_reads() {
        let header = wav_header(Law::Alaw, 16_000);
        assert_eq!(&header[..4], b"RIFF");
        assert_eq!(header[4..8], 16_050u32.to_le_bytes());
        assert_eq!(header[20..24], [6, 0, 2, 0]);
        assert_eq!(&header[38..42], b"fact");
        assert_eq!(header[46..50], 8_000u32.to_le_bytes());
        assert_eq!(&header[50..54], b"data");
        assert_eq!(header[54..], 16_000u32.to_le_bytes());
    }

    #[test]
    fn a_file_left_open_is_mended_and_a_strange_one_is_not_touched() {
        for law in [Law::Alaw, Law::Ulaw] {
            let fixed = repair(&wav_header(law, 0), 58 + 16_001).unwrap();
            assert_eq!(fixed, Repaired { header: wav_header(law, 16_000), file_len: 16_058, written_ms: 1_000 });
            assert_eq!(repair(&fixed.header, fixed.file_len), Some(fixed));
        }
        let mut strange = wav_header(Law::Ulaw, 0);
        strange[22] = 1;
        assert_eq!(repair(&strange, 100), None);
        assert_eq!(repair(&wav_header(Law::Ulaw, 0)[..57], 100), None);
    }
}
