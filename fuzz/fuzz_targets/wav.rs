//! Files of prompts and music, which people make with whatever they have: what is no such file is refused, and one that is comes out the
//! same in pieces as at once.
#![no_main]

use rooms::codec::wav::{WavError, parse, parse_long};

/// What a file is in pieces.
fn pieces(file: &[u8]) -> Result<Vec<i16>, WavError> {
    let mut whole = Vec::new();
    parse_long(file, |piece| {
        whole.extend_from_slice(piece);
        Ok(())
    })?;
    Ok(whole)
}

/// A file of a form that is played, at a rate that nobody expects.
fn file(rate: u32, sound: &[u8]) -> Vec<u8> {
    let (len, all) = (sound.len() as u32, sound.len() as u32 + 36);
    let parts: [&[u8]; 13] = [
        b"RIFF",
        &all.to_le_bytes(),
        b"WAVEfmt ",
        &16u32.to_le_bytes(),
        &1u16.to_le_bytes(),
        &1u16.to_le_bytes(),
        &rate.to_le_bytes(),
        &(rate * 2).to_le_bytes(),
        &2u16.to_le_bytes(),
        &16u16.to_le_bytes(),
        b"data",
        &len.to_le_bytes(),
        sound,
    ];
    parts.concat()
}

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    // As it is.
    match (parse(data), pieces(data)) {
        (Ok(whole), Ok(pieces)) => assert_eq!(whole.len(), pieces.len()),
        (whole, pieces) => assert_eq!(whole.err(), pieces.err()),
    }
    // As sound: of more than one piece where the second octet says so, if its rate is not costly.
    let Some((&[rate, long], sound)) = data.split_first_chunk::<2>() else { return };
    let rate = match rate {
        0..80 => 8_000,
        80..160 => 16_000,
        _ => 8_000 + u32::from(rate - 160) * 40_000 / 95,
    };
    let is_long = long > 200 && matches!(rate, 8_000 | 16_000) && sound.len() > 1;
    let samples = if is_long { rate as usize * 12 + usize::from(long) } else { sound.len() / 2 };
    let sound: Vec<u8> = sound.iter().copied().cycle().take(samples * 2).collect();
    let (whole, pieces) = (parse(&file(rate, &sound)).expect("a file"), pieces(&file(rate, &sound)).expect("a file"));
    assert_eq!(whole.len(), pieces.len(), "{samples} samples at {rate} Hz");
    // Places are rounded, so a sample may be one beside another.
    assert!(whole.iter().zip(&pieces).all(|(one, other)| one.abs_diff(*other) <= 1), "{samples} samples at {rate} Hz");
    let expected = (samples as u64 * 8_000).div_ceil(u64::from(rate)) as usize;
    assert!(whole.len().abs_diff(expected) <= 1, "{} of {expected} samples at {rate} Hz", whole.len());
});
