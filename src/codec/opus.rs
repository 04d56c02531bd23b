//! Opus (RFC 6716): decoded to and encoded from 8 or 16 kHz, one channel. On the wire its clock runs at 48 kHz and its description
//! says two channels, whatever is in it (RFC 7587).

use opus_rs::{Application, OpusDecoder, OpusEncoder};

use super::Band;

/// The most that a packet can hold: 120 ms at 16 kHz (RFC 6716 §2.1.4).
pub const LONGEST: usize = 1_920;
/// Bits a second: what speech to 8 kHz has use for, and half of G.711.
const BITRATE: i32 = 32_000;
/// Of 0 to 10: half of what the highest costs, and no difference at this band.
const COMPLEXITY: i32 = 5;
/// The transform coder, which keeps every tone (the library's linear prediction loses 4 dB of some) and has 4 ms less of delay.
const MODE: Application = Application::RestrictedLowDelay;

/// Decodes one stream.
pub struct Listener {
    decoder: OpusDecoder,
    /// What the decoder speaks: 1.0 is full scale.
    linear: [f32; LONGEST],
    /// Samples of the longest packet.
    longest: usize,
}

impl Listener {
    /// A decoder to a band; `None` where the library refuses, which it does for other rates only.
    pub fn new(band: Band) -> Option<Self> {
        let decoder = OpusDecoder::new(band.rate() as i32, 1).ok()?;
        Some(Self { decoder, linear: [0.0; LONGEST], longest: LONGEST / 2 * band.factor() })
    }

    /// Decodes a packet into `out`; gives how many samples. Nothing where it is broken.
    pub fn decode(&mut self, packet: &[u8], out: &mut [i16; LONGEST]) -> usize {
        let done = self.decoder.decode(packet, self.longest, &mut self.linear).unwrap_or(0);
        self.take(done, out)
    }

    /// Stands in for `samples` (a multiple of 2.5 ms) that were lost; `next` is the packet after them, which may carry them once more
    /// (forward error correction, RFC 6716 §2.1.7).
    pub fn conceal(&mut self, samples: usize, next: Option<&[u8]>, out: &mut [i16; LONGEST]) -> usize {
        let samples = samples.min(self.longest);
        let done = match next {
            Some(next) => self.decoder.decode_fec(next, samples, &mut self.linear),
            None => self.decoder.decode(&[], samples, &mut self.linear),
        };
        self.take(done.unwrap_or(0), out)
    }

    fn take(&self, done: usize, out: &mut [i16; LONGEST]) -> usize {
        for (sample, linear) in out.iter_mut().zip(&self.linear).take(done) {
            // Saturates, and makes silence of what is no number.
            *sample = (linear * 32_768.0) as i16;
        }
        done.min(LONGEST)
    }
}

/// Encodes one stream.
pub struct Speaker {
    encoder: OpusEncoder,
}

impl Speaker {
    /// An encoder of a band; `None` where the library refuses, which it does for other rates only.
    pub fn new(band: Band) -> Option<Self> {
        let mut encoder = OpusEncoder::new(band.rate() as i32, 1, MODE).ok()?;
        encoder.bitrate_bps = BITRATE;
        encoder.complexity = COMPLEXITY;
        Some(Self { encoder })
    }

    /// Encodes 10, 20, 40 or 60 ms of sound into `out`; gives the packet's length. `None` for other lengths.
    pub fn encode(&mut self, samples: &[i16], out: &mut [u8]) -> Option<usize> {
        self.encoder.encode_i16(samples, samples.len(), out).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::tone::{Sine, energy_at};

    fn packets(speaker: &mut Speaker, rate: u32, hz: f64, frames: usize, samples: usize) -> Vec<Vec<u8>> {
        let said: Vec<i16> = Sine::new(hz, rate, 8_000).take(frames * samples).collect();
        let mut out = [0; 1_275];
        let mut packet = |frame| {
            let len = speaker.encode(frame, &mut out).unwrap();
            out[..len].to_vec()
        };
        said.chunks(samples).map(&mut packet).collect()
    }

    #[test]
    fn what_is_said_is_heard_in_packets_of_every_length_and_in_both_bands() {
        for (band, samples, hz) in [
            (Band::Narrow, 80, 440.0),
            (Band::Narrow, 160, 440.0),
            (Band::Narrow, 160, 3_200.0),
            (Band::Narrow, 480, 440.0),
            (Band::Wide, 160, 440.0),
            (Band::Wide, 320, 1_700.0),
            (Band::Wide, 320, 6_000.0),
            (Band::Wide, 640, 440.0),
            (Band::Wide, 960, 6_000.0),
        ] {
            let (mut listener, mut out, mut heard) = (Listener::new(band).unwrap(), [0; LONGEST], Vec::new());
            let rate = band.rate();
            for packet in packets(&mut Speaker::new(band).unwrap(), rate, hz, rate as usize / samples, samples) {
                let done = listener.decode(&packet, &mut out);
                assert_eq!(done, samples);
                heard.extend(&out[..done]);
            }
            let share = energy_at(&heard[1_600..], hz, rate) / (8_000.0 * 8_000.0 / 2.0);
            assert!((0.85..1.15).contains(&share), "{band:?}, {samples} samples of {hz} Hz: {share}");
        }
        assert_eq!(Speaker::new(Band::Narrow).unwrap().encode(&[0; 240], &mut [0; 100]), None);
    }

    #[test]
    fn a_lost_packet_is_in_the_one_after_it_where_the_party_puts_it_there() {
        let mut encoder = OpusEncoder::new(8_000, 1, Application::Voip).unwrap();
        (encoder.bitrate_bps, encoder.use_inband_fec, encoder.packet_loss_perc) = (24_000, true, 10);
        let packets = packets(&mut Speaker { encoder }, 8_000, 440.0, 30, 160);
        let (mut listener, mut out) = (Listener::new(Band::Narrow).unwrap(), [0; LONGEST]);
        for packet in &packets[..20] {
            listener.decode(packet, &mut out);
        }
        assert_eq!(listener.conceal(160, Some(&packets[21]), &mut out), 160);
        let share = energy_at(&out[..160], 440.0, 8_000) / (8_000.0 * 8_000.0 / 2.0);
        assert!((0.4..1.5).contains(&share), "{share}");
        assert_eq!(listener.conceal(160, None, &mut out), 160);
    }

    #[test]
    fn a_broken_packet_is_nothing() {
        let (mut listener, mut out) = (Listener::new(Band::Narrow).unwrap(), [0; LONGEST]);
        // Code 3 with no count, and with a count that lies (RFC 6716 §3.2.5).
        for broken in [&[0xff][..], &[0x03, 0xff, 0xff], &[0x0b, 0x3f, 1]] {
            let _ = listener.decode(broken, &mut out);
        }
        assert_eq!(
            listener.decode(&packets(&mut Speaker::new(Band::Narrow).unwrap(), 8_000, 440.0, 1, 160)[0], &mut out),
            160
        );
    }
}
