//! Recordings' files: a sealed one comes back whole, and not at all once an octet was changed or it was cut; whatever else lies there is
//! refused or mended, and never trips the reader.
#![no_main]

use std::io::{self, Read};

use rooms::codec::g711::Law;
use rooms::recording::{
    Drawn, Form, KeyRing, SEALED_HEAD_LEN as HEAD_LEN, SealedReader, Sealer, law_of, repair, rewrap, wav_header,
};

fn keys() -> KeyRing {
    KeyRing::parse(&format!("a:{},b:{}", "0f".repeat(32), "f0".repeat(32))).expect("two keys")
}

/// What a player gets of a file.
fn play(file: &[u8], keys: &KeyRing) -> io::Result<Vec<u8>> {
    let read = |buf: &mut [u8], at: u64| {
        let from = file.get(at as usize..).and_then(|rest| rest.get(..buf.len()));
        buf.copy_from_slice(from.ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    };
    let mut whole = Vec::new();
    SealedReader::open(file.len() as u64, "r", keys, read)?.read_to_end(&mut whole)?;
    Ok(whole)
}

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let keys = keys();
    // As it is.
    assert!(play(data, &keys).is_err(), "nobody seals by chance");
    if let Some(head) = data.first_chunk::<HEAD_LEN>() {
        assert!(rewrap(&mut head.clone(), "r", &keys, [1; 12]).is_err());
    }
    for len in [data.len() as u64, data.len() as u64 + 7, u64::MAX] {
        if let Some(mended) = repair(data, len) {
            assert!(mended.file_len <= len && law_of(&mended.header).is_some());
            assert_eq!(repair(&mended.header, mended.file_len), Some(mended), "mended once is mended");
        }
    }
    // As sound: the first octets say what is done to its file.
    let Some((&[place, bit, cut], sound)) = data.split_first_chunk::<3>() else { return };
    let (mut sealer, head) = Sealer::begin(Form::Sound(Law::Alaw), "r", &keys, &Drawn::from(&[7; 51])).expect("begun");
    let mut file = head.to_vec();
    // Long enough for several chunks.
    let sound = sound.repeat(1 + 8_000 / (1 + sound.len()));
    sound.chunks(1 + usize::from(cut)).for_each(|piece| sealer.push(piece, &mut file).expect("room"));
    sealer.finish(&mut file).expect("room");
    let whole: Vec<u8> = wav_header(Law::Alaw, sound.len() as u64).into_iter().chain(sound).collect();
    assert_eq!(play(&file, &keys).expect("it opens"), whole);
    let at = usize::from(place) * file.len() / 256;
    let mut changed = file.clone();
    changed[at] ^= 1 << (bit % 8);
    // The three octets behind the wrapped key are zero for ever, and nobody reads them.
    assert!((117..120).contains(&at) || play(&changed, &keys).is_err(), "octet {at}");
    let cut = usize::from(cut) * file.len() / 256;
    assert!(play(&file[..cut], &keys).is_err(), "cut at {cut}");
});
