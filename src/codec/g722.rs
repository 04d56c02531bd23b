//! G.722: speech to 7 kHz in 64 kbit/s. An octet holds two samples at 16 kHz, so 20 ms are 160 octets as in G.711, and RTP counts
//! them by a clock of 8 kHz (RFC 3551 §4.5.2).

use audio_codec::g722::{G722Decoder, G722Encoder};
use audio_codec::{Decoder, Encoder};

use super::g711::Law;
use super::halfband::Halver;

/// Decodes one stream. Keeps its state from packet to packet.
pub struct Listener {
    decoder: G722Decoder,
}

impl Default for Listener {
    fn default() -> Self {
        Self { decoder: G722Decoder::new() }
    }
}

impl Listener {
    /// Makes two samples at 16 kHz of each octet, as many as both have room for. Gives how many samples.
    pub fn decode(&mut self, octets: &[u8], out: &mut [i16]) -> usize {
        let octets = octets.get(..octets.len().min(out.len() / 2)).unwrap_or_default();
        self.decoder.decode_into(octets, out).unwrap_or(0)
    }
}

/// From G.722 to G.711. Keeps its state from packet to packet: one for each stream.
#[derive(Default)]
pub struct Narrower {
    listener: Listener,
    halver: Halver,
}

impl Narrower {
    /// Makes one octet of `law` of each octet; as many as both have room for. Gives how many.
    pub fn narrow(&mut self, octets: &[u8], law: Law, out: &mut [u8]) -> usize {
        let mut narrow = |octet: u8| {
            let mut pair = [0; 2];
            self.listener.decode(&[octet], &mut pair);
            law.encode(self.halver.halve(pair))
        };
        out.iter_mut().zip(octets).map(|(out, octet)| *out = narrow(*octet)).count()
    }
}

/// Encodes one stream. Keeps its state from packet to packet.
pub struct Speaker {
    encoder: G722Encoder,
}

impl Default for Speaker {
    fn default() -> Self {
        Self { encoder: G722Encoder::new() }
    }
}

impl Speaker {
    /// Makes an octet of each two samples at 16 kHz. Gives how many octets; `None` where `out` is too short.
    pub fn encode(&mut self, samples: &[i16], out: &mut [u8]) -> Option<usize> {
        self.encoder.encode_into(samples, out).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::halfband::Doubler;
    use crate::codec::tone::Sine;

    /// Signal to noise in dB of `heard` against `said`, at the delay that suits best.
    fn snr(said: &[i16], heard: &[i16]) -> f64 {
        let of = |delay: usize| {
            let pairs =
                || said.iter().zip(heard.iter().skip(delay)).skip(400).map(|(a, b)| (f64::from(*a), f64::from(*b)));
            let noise: f64 = pairs().map(|(a, b)| (a - b).powi(2)).sum();
            10.0 * (pairs().map(|(a, _)| a * a).sum::<f64>() / noise.max(1.0)).log10()
        };
        (0..80).map(of).fold(f64::MIN, f64::max)
    }

    fn voices(rate: u32, tones: &[(f64, i16)]) -> Vec<i16> {
        let mut sines: Vec<Sine> = tones.iter().map(|(hz, peak)| Sine::new(*hz, rate, *peak)).collect();
        (0..rate).map(|_| sines.iter_mut().filter_map(Sine::next).sum()).collect()
    }

    /// The library begins with steps of other sizes than G.722 says; from then on both do the same, and have met within 0.3 s.
    #[test]
    fn decodes_to_the_bit_as_another_decoder_does_once_both_have_met() {
        let encoded = include_bytes!("../../tests/data/g722/encoded.g722");
        let decoded: Vec<i16> = include_bytes!("../../tests/data/g722/decoded.raw")
            .chunks_exact(2)
            .map(|pair| i16::from_le_bytes([pair[0], pair[1]]))
            .collect();
        let (mut listener, mut heard) = (Listener::default(), Vec::new());
        for packet in encoded.chunks(160) {
            let mut out = [0; 320];
            let count = listener.decode(packet, &mut out);
            heard.extend_from_slice(&out[..count]);
        }
        assert_eq!(heard.len(), decoded.len());
        assert!(heard[4_800..] == decoded[4_800..]);
        let ratio = snr(&decoded, &heard);
        assert!(ratio > 40.0, "{ratio} dB from the beginning");
    }

    #[test]
    fn wide_sound_survives_the_codec() {
        let said = voices(16_000, &[(440.0, 6_000), (2_500.0, 3_000), (5_200.0, 1_500)]);
        let (mut octets, mut heard) = ([0; 8_000], [0; 16_000]);
        assert_eq!(Speaker::default().encode(&said, &mut octets), Some(8_000));
        assert_eq!(Listener::default().decode(&octets, &mut heard), 16_000);
        let ratio = snr(&said, &heard);
        assert!(ratio > 30.0, "{ratio} dB");
    }

    #[test]
    fn to_and_from_g711_speech_keeps_its_shape() {
        let said = voices(8_000, &[(440.0, 6_000), (1_300.0, 3_000), (2_900.0, 1_500)]);
        for law in [Law::Alaw, Law::Ulaw] {
            let mut doubler = Doubler::default();
            let wide: Vec<i16> =
                said.iter().flat_map(|sample| doubler.double(law.decode(law.encode(*sample)))).collect();
            let mut octets = [0; 8_000];
            assert_eq!(Speaker::default().encode(&wide, &mut octets), Some(8_000));
            let (mut narrower, mut heard) = (Narrower::default(), Vec::new());
            // In packets: the state lives on from one to the next.
            for packet in octets.chunks(160) {
                let mut out = [0; 160];
                assert_eq!(narrower.narrow(packet, law, &mut out), packet.len());
                heard.extend(out.map(|octet| law.decode(octet)));
            }
            let ratio = snr(&said, &heard);
            assert!(ratio > 25.0, "{law:?}: {ratio} dB");
        }
    }
}
