//! A recording compressed afterwards: Ogg Opus (RFC 7845), caller and agent as two streams of their own in one file. One stereo stream
//! would be smaller and is not taken: at low rates an encoder mixes its channels, and who said what must stay certain.

use ::ogg::{PacketWriteEndInfo, PacketWriter};
use opus_rs::{Application, OpusEncoder};

use crate::codec::g711::Law;

/// Samples of a packet at 8 kHz: 20 ms.
const FRAME: usize = 160;
/// Ticks of Opus's clock (48 kHz) in a sample at 8 kHz.
const TICKS: u64 = 6;
/// What the encoder is behind, in ticks: the 2.5 ms of its transform (libopus, OPUS_GET_LOOKAHEAD); a player skips it.
const PRE_SKIP: u16 = 120;
/// Packets of a page: one second, so that a player finds its place.
const PAGE: u64 = 50;
/// The longest packet (RFC 6716 §3.4).
const LONGEST: usize = 1_275;
/// Bits a second of each channel: what a telephone's band has use for.
const BITRATE: i32 = 32_000;
/// Of 0 to 10: half of what the highest costs, and no difference at this band.
const COMPLEXITY: i32 = 5;
/// Names the stream within its file; there is no other one.
const SERIAL: u32 = 0x544c_5243;

/// Why a recording cannot be compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the Opus encoder refuses the sound of a recording")]
pub struct CompressError;

/// Makes the file from interleaved sound as it comes; what is made is taken by [`OggOpus::take`].
pub struct OggOpus {
    law: Law,
    speakers: [OpusEncoder; 2],
    writer: PacketWriter<'static, Vec<u8>>,
    /// Interleaved octets that fill no packet yet.
    pending: Vec<u8>,
    /// The packet that is made and not written: only behind it is it known whether it is the last.
    held: Option<Vec<u8>>,
    packets: u64,
    /// Samples of each channel that came in.
    samples: u64,
}

impl OggOpus {
    /// Begins a file of sound of `law`.
    ///
    /// # Errors
    /// Where the encoder is not to be had.
    pub fn begin(law: Law) -> Result<Self, CompressError> {
        // The transform coder keeps every tone; the library's linear prediction loses 4 dB of some.
        let speaker = || {
            let speaker = OpusEncoder::new(8_000, 1, Application::RestrictedLowDelay);
            let mut speaker = speaker.map_err(|_| CompressError)?;
            (speaker.bitrate_bps, speaker.complexity) = (BITRATE, COMPLEXITY);
            Ok(speaker)
        };
        let mut file = Self {
            law,
            speakers: [speaker()?, speaker()?],
            writer: PacketWriter::new(Vec::new()),
            pending: Vec::new(),
            held: None,
            packets: 0,
            samples: 0,
        };
        file.put(head(), PacketWriteEndInfo::EndPage, 0)?;
        file.put(tags(), PacketWriteEndInfo::EndPage, 0)?;
        Ok(file)
    }

    /// Takes interleaved sound.
    ///
    /// # Errors
    /// Where the encoder refuses it.
    pub fn push(&mut self, sound: &[u8]) -> Result<(), CompressError> {
        self.pending.extend_from_slice(sound);
        self.samples += sound.len() as u64 / 2;
        let mut frames = std::mem::take(&mut self.pending);
        let whole = frames.len() / (2 * FRAME) * 2 * FRAME;
        for frame in frames.get(..whole).unwrap_or_default().chunks_exact(2 * FRAME) {
            self.encode(frame)?;
        }
        frames.drain(..whole);
        self.pending = frames;
        Ok(())
    }

    /// Ends the file: silence fills its last packets, and the length says where the sound ends.
    ///
    /// # Errors
    /// Where the encoder refuses it.
    pub fn finish(&mut self) -> Result<(), CompressError> {
        let wanted = (self.samples * TICKS + u64::from(PRE_SKIP)).div_ceil(FRAME as u64 * TICKS);
        let made = self.packets + u64::from(self.held.is_some());
        for _ in made..wanted.max(1) {
            let mut frame = std::mem::take(&mut self.pending);
            frame.resize(2 * FRAME, self.law.silence());
            self.encode(&frame)?;
        }
        let end = self.samples * TICKS + u64::from(PRE_SKIP);
        match self.held.take() {
            Some(last) => self.put(last, PacketWriteEndInfo::EndStream, end),
            None => Ok(()),
        }
    }

    /// What has been made since the last call.
    pub fn take(&mut self) -> Vec<u8> {
        std::mem::take(self.writer.inner_mut())
    }

    fn encode(&mut self, frame: &[u8]) -> Result<(), CompressError> {
        let mut packet = Vec::with_capacity(256);
        for (side, speaker) in self.speakers.iter_mut().enumerate() {
            let mut samples = [0; FRAME];
            for (sample, pair) in samples.iter_mut().zip(frame.chunks_exact(2)) {
                *sample = pair.get(side).map_or(0, |octet| self.law.decode(*octet));
            }
            let mut out = [0; LONGEST];
            let len = speaker.encode_i16(&samples, FRAME, &mut out).map_err(|_| CompressError)?;
            let made = out.get(..len).ok_or(CompressError)?;
            // All streams but the last are delimited by themselves (RFC 7845 §3).
            if side == 0 { delimit(made, &mut packet)? } else { packet.extend_from_slice(made) }
        }
        if let Some(before) = self.held.replace(packet) {
            self.packets += 1;
            let end = match self.packets % PAGE {
                0 => PacketWriteEndInfo::EndPage,
                _ => PacketWriteEndInfo::NormalPacket,
            };
            self.put(before, end, self.packets * FRAME as u64 * TICKS)?;
        }
        Ok(())
    }

    fn put(&mut self, packet: Vec<u8>, end: PacketWriteEndInfo, position: u64) -> Result<(), CompressError> {
        self.writer.write_packet(packet, SERIAL, end, position).map_err(|_| CompressError)
    }
}

/// A packet of one frame with its length behind the first octet (RFC 6716, appendix B).
fn delimit(packet: &[u8], out: &mut Vec<u8>) -> Result<(), CompressError> {
    let (toc, frame) = packet.split_first().filter(|(toc, _)| **toc & 3 == 0).ok_or(CompressError)?;
    out.push(*toc);
    // 252 and more take a second octet of fours (§3.2.1).
    match frame.len() {
        short @ ..252 => out.push(short as u8),
        long => {
            let first = 252 + (long & 3);
            out.extend([first as u8, ((long - first) / 4) as u8]);
        }
    }
    out.extend_from_slice(frame);
    Ok(())
}

/// The identification header (RFC 7845 §5.1): two streams, neither of them coupled, one a channel.
fn head() -> Vec<u8> {
    let mut head = b"OpusHead\x01\x02".to_vec();
    head.extend(PRE_SKIP.to_le_bytes());
    head.extend(8_000u32.to_le_bytes());
    head.extend([0, 0, 1, 2, 0, 0, 1]);
    head
}

/// The comment header (RFC 7845 §5.2).
fn tags() -> Vec<u8> {
    let vendor = b"Trunkline";
    let mut tags = b"OpusTags".to_vec();
    tags.extend((vendor.len() as u32).to_le_bytes());
    tags.extend(vendor);
    tags.extend(0u32.to_le_bytes());
    tags
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::tone::{Sine, energy_at};

    /// The packets of a file: where each ends on the clock, and its octets.
    fn packets(file: Vec<u8>) -> Vec<(u64, Vec<u8>)> {
        let mut reader = ::ogg::PacketReader::new(std::io::Cursor::new(file));
        let next = std::iter::from_fn(|| reader.read_packet().unwrap());
        next.map(|packet| (packet.absgp_page(), packet.data)).collect()
    }

    fn split(packet: &[u8]) -> (Vec<u8>, &[u8]) {
        let (len, at) = match packet[1] {
            short @ ..252 => (usize::from(short), 2),
            first => (usize::from(first) + 4 * usize::from(packet[2]), 3),
        };
        let own = [&packet[..1], &packet[at..at + len]].concat();
        (own, &packet[at + len..])
    }

    #[test]
    fn each_channel_comes_back_alone_and_the_length_is_that_of_the_sound() {
        let samples = 8_000 + 77;
        let low = Sine::new(440.0, 8_000, 8_000);
        let high = Sine::new(1_000.0, 8_000, 8_000);
        let sound: Vec<u8> =
            low.zip(high).take(samples).flat_map(|(l, r)| [Law::Alaw.encode(l), Law::Alaw.encode(r)]).collect();
        let mut ogg = OggOpus::begin(Law::Alaw).unwrap();
        let mut file = Vec::new();
        for piece in sound.chunks(1_234) {
            ogg.push(piece).unwrap();
            file.extend(ogg.take());
        }
        ogg.finish().unwrap();
        file.extend(ogg.take());
        assert!(file.len() < sound.len() * 3 / 4, "{} of {} octets", file.len(), sound.len());
        let packets = packets(file);
        assert!(packets[0].1.starts_with(b"OpusHead\x01\x02") && packets[1].1.starts_with(b"OpusTags"));
        assert_eq!(packets.last().unwrap().0, samples as u64 * 6 + 120);
        let mut heard = [Vec::new(), Vec::new()];
        let mut listeners = [(); 2].map(|()| opus_rs::OpusDecoder::new(8_000, 1).unwrap());
        for (_, packet) in &packets[2..] {
            let (first, second) = split(packet);
            for ((heard, listener), packet) in heard.iter_mut().zip(&mut listeners).zip([&first[..], second]) {
                let mut out = [0.0; 960];
                let len = listener.decode(packet, 960, &mut out).unwrap();
                heard.extend(out[..len].iter().map(|sample| (sample * 32_768.0) as i16));
            }
        }
        for (heard, own, other) in [(&heard[0], 440.0, 1_000.0), (&heard[1], 1_000.0, 440.0)] {
            let full = 8_000.0 * 8_000.0 / 2.0;
            assert!((energy_at(&heard[800..7_200], own, 8_000) / full - 1.0).abs() < 0.2);
            assert!(energy_at(&heard[800..7_200], other, 8_000) < full / 1e3);
        }
    }

    #[test]
    fn nothing_and_little_make_whole_files_too() {
        for len in [0, 2, 320, 322] {
            let mut ogg = OggOpus::begin(Law::Ulaw).unwrap();
            ogg.push(&vec![0xff; len]).unwrap();
            ogg.finish().unwrap();
            let packets = packets(ogg.take());
            assert_eq!(packets.last().unwrap().0, len as u64 * 3 + 120, "{len}");
        }
    }

    #[test]
    fn long_packets_are_delimited_by_two_octets() {
        for len in [1, 251, 252, 255, 256, 1_274] {
            let packet = vec![8; len + 1];
            let mut out = Vec::new();
            delimit(&packet, &mut out).unwrap();
            out.extend([1, 2, 3]);
            assert_eq!(split(&out), (packet, &[1, 2, 3][..]), "{len}");
        }
        assert_eq!(delimit(&[3, 1], &mut Vec::new()), Err(CompressError));
    }
}
