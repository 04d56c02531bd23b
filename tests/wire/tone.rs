//! Tones: made, and found again in what was heard or recorded.

use trunkline::codec::g711::Law;

/// A frame of 20 ms of a sine at 8 kHz, `number` frames after its beginning.
pub fn frame(hz: f64, number: u64) -> Vec<u8> {
    let at = |n: u64| (number * 160 + n) as f64 / 8_000.0;
    (0..160).map(|n| Law::Alaw.encode((8_000.0 * (at(n) * hz * std::f64::consts::TAU).sin()) as i16)).collect()
}

/// Frames of a key as phones without telephone-events send it (ITU-T Q.23): 100 ms, and as long a pause.
pub fn key(key: char) -> Vec<Vec<u8>> {
    let place = "123A456B789C*0#D".find(key).expect("a key");
    let row = [697.0, 770.0, 852.0, 941.0][place / 4];
    let column = [1_209.0, 1_336.0, 1_477.0, 1_633.0][place % 4];
    let at = |hz: f64, n: u64| 4_000.0 * (n as f64 / 8_000.0 * hz * std::f64::consts::TAU).sin();
    let sample = |n: u64| if n < 800 { (at(row, n) + at(column, n)) as i16 } else { 0 };
    let octets: Vec<u8> = (0..1_600).map(|n| Law::Alaw.encode(sample(n))).collect();
    octets.chunks(160).map(<[u8]>::to_vec).collect()
}

/// A-law octets to samples.
pub fn decode(law: Law, octets: &[u8]) -> Vec<i16> {
    octets.iter().map(|octet| law.decode(*octet)).collect()
}

/// The share of the energy that lies at `hz` (Goertzel), 0–1.
pub fn share(samples: &[i16], hz: f64) -> f64 {
    let total: f64 = samples.iter().map(|s| f64::from(*s).powi(2)).sum();
    if total == 0.0 {
        return 0.0;
    }
    // In blocks, so that a jump of the phase between packets costs little.
    let energy: f64 = samples.chunks(400).map(|block| goertzel(block, hz)).sum();
    energy / total
}

fn goertzel(block: &[i16], hz: f64) -> f64 {
    let w = hz / 8_000.0 * std::f64::consts::TAU;
    let (mut re, mut im) = (0.0, 0.0);
    for (n, sample) in block.iter().enumerate() {
        re += f64::from(*sample) * (w * n as f64).cos();
        im += f64::from(*sample) * (w * n as f64).sin();
    }
    2.0 * (re * re + im * im) / block.len() as f64
}

/// A phone that is not ours has heard a tone for 400 ms without anything else: where the machine is busy it plays packets that come
/// late as silence, so that few pieces are like that.
pub fn assert_clear(samples: &[i16], hz: f64) {
    let shares: Vec<f64> = samples.chunks_exact(3_200).map(|piece| share(piece, hz)).collect();
    assert!(shares.iter().any(|share| *share > 0.8), "{hz} Hz is heard: {} samples, {shares:.2?}", samples.len());
}

/// The channels of a recording: caller, agent.
pub fn channels(wav: &[u8]) -> (Vec<i16>, Vec<i16>) {
    assert_eq!(&wav[..4], b"RIFF");
    let law = match wav[20] {
        6 => Law::Alaw,
        7 => Law::Ulaw,
        other => panic!("format {other}"),
    };
    assert_eq!(wav[22], 2, "two channels");
    let data = &wav[58..];
    let length = u32::from_le_bytes(wav[54..58].try_into().expect("four octets")) as usize;
    assert_eq!(length, data.len(), "the header tells the length");
    let side = |side: usize| data.chunks_exact(2).map(|pair| pair[side]).collect::<Vec<u8>>();
    (decode(law, &side(0)), decode(law, &side(1)))
}
