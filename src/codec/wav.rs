//! Prompts as files: WAV, PCM 16 bit, mono, 8 to 48 kHz.

use std::io::{self, Cursor, Read};

use super::resample;

/// The longest file that is read at once: ten minutes at 16 kHz with room for chunks beside the sound.
const MAX_OCTETS: usize = 20_000_000;
/// Seconds of a piece of a long file.
const PIECE_S: usize = 10;

/// Why a file is no prompt.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WavError {
    /// Longer than what is read at once.
    #[error("the WAV file has {0} octets, more than {MAX_OCTETS}, which is too long here: cut it to ten minutes")]
    TooLong(usize),
    /// Not readable as WAV.
    #[error("cannot read a WAV file: {0}; save it as PCM 16 bit, mono, 8 to 48 kHz")]
    Unreadable(String),
    /// Readable, but of a form that is not played.
    #[error(
        "the WAV file has {channels} channel(s), {rate} Hz, {bits} bit{float}; \
         save it as PCM 16 bit, mono, 8000 to 48000 Hz",
        float = if *.float { " float" } else { "" }
    )]
    Form {
        /// Its channels.
        channels: u16,
        /// Its rate in Hz.
        rate: u32,
        /// Bits of a sample.
        bits: u16,
        /// Whether its samples are floating point.
        float: bool,
    },
}

/// The samples of a WAV file at 8 kHz.
pub fn parse(file: &[u8]) -> Result<Vec<i16>, WavError> {
    if file.len() > MAX_OCTETS {
        return Err(WavError::TooLong(file.len()));
    }
    let unreadable = |error: hound::Error| WavError::Unreadable(error.to_string());
    let reader = hound::WavReader::new(Cursor::new(file)).map_err(unreadable)?;
    let rate = rate_of(&reader.spec())?;
    let samples: Vec<i16> = reader.into_samples().collect::<Result<_, _>>().map_err(unreadable)?;
    Ok(to_8k(samples, rate))
}

/// The samples of a WAV file of any length at 8 kHz, in pieces of some seconds, which `take` is given in order.
///
/// # Errors
/// Where the file is something else, or `take` fails.
pub fn parse_long(file: impl Read, mut take: impl FnMut(&[i16]) -> io::Result<()>) -> Result<(), WavError> {
    let unreadable = |error: hound::Error| WavError::Unreadable(error.to_string());
    let reader = hound::WavReader::new(file).map_err(unreadable)?;
    let rate = rate_of(&reader.spec())?;
    let second = rate as usize;
    let mut samples = reader.into_samples::<i16>();
    // A second on either side of a piece lets the filter see what it would see in the whole: at any rate a second is 8,000 samples.
    let (mut before, mut piece) = (Vec::new(), Vec::new());
    loop {
        while piece.len() < (PIECE_S + 1) * second {
            match samples.next() {
                Some(sample) => piece.push(sample.map_err(unreadable)?),
                None => break,
            }
        }
        let last = piece.len() < (PIECE_S + 1) * second;
        let own = if last { piece.len() } else { PIECE_S * second };
        let skip = before.len() / second * 8_000;
        let wide: Vec<i16> = before.iter().chain(&piece).copied().collect();
        let narrow = to_8k(wide, rate);
        let end = if last { narrow.len() } else { skip + PIECE_S * 8_000 };
        let told = narrow.get(skip..end).unwrap_or_default();
        take(told).map_err(|error| WavError::Unreadable(error.to_string()))?;
        if last {
            return Ok(());
        }
        before = piece.get(own - second..own).unwrap_or_default().to_vec();
        piece.drain(..own);
    }
}

/// The rate of a file that can be played.
fn rate_of(spec: &hound::WavSpec) -> Result<u32, WavError> {
    let float = spec.sample_format == hound::SampleFormat::Float;
    if spec.channels == 1 && spec.bits_per_sample == 16 && !float && (8_000..=48_000).contains(&spec.sample_rate) {
        return Ok(spec.sample_rate);
    }
    Err(WavError::Form { channels: spec.channels, rate: spec.sample_rate, bits: spec.bits_per_sample, float })
}

fn to_8k(samples: Vec<i16>, rate: u32) -> Vec<i16> {
    match rate {
        8_000 => samples,
        16_000 => resample::halve(&samples),
        rate => resample::to_8k(&samples, rate),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_damaged_file_never_panics(damage in proptest::collection::vec((0usize..60, any::<u8>()), 1..6)) {
            let mut bytes = file(1, 16_000, &[100; 40]);
            for (at, value) in damage {
                bytes[at] = value;
            }
            let _ = parse(&bytes);
        }
    }

    fn file(channels: u16, sample_rate: u32, samples: &[i16]) -> Vec<u8> {
        let spec =
            hound::WavSpec { channels, sample_rate, bits_per_sample: 16, sample_format: hound::SampleFormat::Int };
        let mut bytes = Cursor::new(Vec::new());
        let mut writer = hound::WavWriter::new(&mut bytes, spec).unwrap();
        samples.iter().for_each(|sample| writer.write_sample(*sample).unwrap());
        writer.finalize().unwrap();
        bytes.into_inner()
    }

    #[test]
    fn both_rates_come_out_at_8_khz() {
        assert_eq!(parse(&file(1, 8_000, &[1, -2, 3])), Ok(vec![1, -2, 3]));
        assert_eq!(parse(&file(1, 16_000, &[0; 320])).map(|s| s.len()), Ok(160));
    }

    #[test]
    fn a_long_file_in_pieces_is_the_same_as_at_once() {
        for rate in [8_000, 16_000, 11_025, 44_100] {
            for seconds in [0.0, 9.5, 11.0, 20.0, 23.7] {
                let count = (f64::from(rate) * seconds) as usize;
                let tone = crate::codec::tone::Sine::new(700.0, rate, 9_000).take(count).collect::<Vec<_>>();
                let bytes = file(1, rate, &tone);
                let mut whole = Vec::new();
                parse_long(bytes.as_slice(), |piece| {
                    whole.extend_from_slice(piece);
                    Ok(())
                })
                .unwrap();
                assert_eq!(Ok(whole), parse(&bytes), "{seconds} s at {rate} Hz");
            }
        }
    }

    #[test]
    fn other_forms_say_what_to_do() {
        let stereo = parse(&file(2, 44_100, &[0; 4])).unwrap_err().to_string();
        assert!(stereo.contains("2 channel(s), 44100 Hz") && stereo.contains("mono"), "{stereo}");
        assert!(matches!(parse(b"RIFFxxxx"), Err(WavError::Unreadable(_))));
        let whole = file(1, 8_000, &[5; 100]);
        for length in 0..whole.len() {
            assert!(parse(&whole[..length]).is_err(), "{length}");
        }
    }
}
