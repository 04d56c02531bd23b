//! Nobody presses a key by speaking: half an hour of recorded speech (Debian's `asterisk-core-sounds-en-wav`) has none in it.

use std::path::Path;

use trunkline::codec::dtmf::Detector;
use trunkline::codec::g711::Law;

const SPEECH: &str = "/usr/share/asterisk/sounds/en_US_f_Allison";

fn keys_in(folder: &Path, seconds: &mut f64) -> Vec<String> {
    let entries = std::fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut found = Vec::new();
    for path in entries.map(|entry| entry.expect("an entry").path()) {
        if path.is_dir() {
            found.extend(keys_in(&path, seconds));
        } else if path.extension().is_some_and(|ending| ending == "wav") {
            let mut reader = hound::WavReader::open(&path).expect("a WAV file");
            assert_eq!(reader.spec().sample_rate, 8_000);
            let samples = reader.samples::<i16>().map(|sample| sample.expect("a sample"));
            let mut keys = String::new();
            let octets: Vec<u8> = samples.map(|sample| Law::Ulaw.encode(sample)).collect();
            *seconds += octets.len() as f64 / 8_000.0;
            let mut detector = Detector::default();
            octets.chunks(160).for_each(|packet| detector.listen(Law::Ulaw, packet, |key| keys.push(key)));
            found.extend((!keys.is_empty()).then(|| format!("{keys} in {}", path.display())));
        }
    }
    found
}

#[test]
fn recorded_speech_has_no_keys_in_it() {
    let mut seconds = 0.0;
    let found = keys_in(Path::new(SPEECH), &mut seconds);
    assert!(seconds > 1_400.0, "{seconds} s of speech: install asterisk-core-sounds-en-wav");
    assert!(found.is_empty(), "{found:?}");
}
