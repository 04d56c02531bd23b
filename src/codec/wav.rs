//! Prompts as files: WAV, PCM 16 bit, mono, 8 to 48 kHz.

use std::io::Cursor;

use super::resample;

/// The longest prompt: ten minutes at 16 kHz with room for chunks beside the sound.
const MAX_OCTETS: usize = 20_000_000;

/// Why a file is no prompt.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WavError {
    /// Longer than any prompt should be.
    #[error("the WAV file has {0} octets, more than {MAX_OCTETS}: cut it to ten minutes")]
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
    let spec = reader.spec();
    let float = spec.sample_format == hound::SampleFormat::Float;
    let form = WavError::Form { channels: spec.channels, rate: spec.sample_rate, bits: spec.bits_per_sample, float };
    if spec.channels != 1 || spec.bits_per_sample != 16 || float {
        return Err(form);
    }
    let samples: Vec<i16> = reader.into_samples().collect::<Result<_, _>>().map_err(unreadable)?;
    match spec.sample_rate {
        8_000 => Ok(samples),
        16_000 => Ok(resample::halve(&samples)),
        rate @ 8_001..=48_000 => Ok(resample::to_8k(&samples, rate)),
        _ => Err(form),
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
