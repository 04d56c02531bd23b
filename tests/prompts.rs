//! Every prompt of the catalogue is there to be heard, and the script that renders them keeps studio recordings.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

fn prompts() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("dialplans/prompts")
}

/// (name, language) of every text in the catalogue.
fn catalogue() -> Vec<(String, String)> {
    let text = fs::read_to_string(prompts().join("catalogue.toml")).expect("catalogue.toml");
    let table: toml::Table = text.parse().expect("catalogue.toml is TOML");
    let prompts = table["prompt"].as_table().expect("[prompt.NAME] tables");
    let mut found = Vec::new();
    for (name, languages) in prompts {
        for language in languages.as_table().expect("LANGUAGE = \"text\"").keys() {
            found.push((name.clone(), language.clone()));
        }
    }
    found
}

#[test]
fn every_prompt_is_spoken_in_both_languages() {
    let found = catalogue();
    assert!(found.len() >= 20, "the demo floor needs more prompts than {}", found.len());
    for (name, language) in &found {
        let other = if language == "zh" { "en" } else { "zh" };
        // Numbers are put together from other words in each language.
        let word = name.starts_with("say_");
        assert!(word || found.contains(&(name.clone(), other.to_owned())), "{name} has no text in {other}");
        let file = prompts().join(language).join(format!("{name}.wav"));
        let mut wav = hound::WavReader::open(&file).unwrap_or_else(|e| panic!("{}: {e}", file.display()));
        let spec = wav.spec();
        assert!(matches!(spec.sample_rate, 8_000 | 16_000), "{}: {} Hz", file.display(), spec.sample_rate);
        assert_eq!((spec.channels, spec.bits_per_sample), (1, 16), "{}", file.display());
        let samples: Vec<f64> = wav.samples::<i16>().map(|s| f64::from(s.expect("a sample"))).collect();
        let rms = (samples.iter().map(|s| s * s).sum::<f64>() / samples.len() as f64).sqrt();
        let least_s = if word { 0.1 } else { 0.3 };
        assert!(samples.len() as f64 / f64::from(spec.sample_rate) > least_s, "{} is too short", file.display());
        assert!(rms > 300.0, "{} is silent: RMS {rms:.0}", file.display());
    }
}

fn render(folder: &Path) -> Output {
    Command::new(folder.join("render.sh")).output().expect("render.sh runs")
}

#[test]
fn rendering_speaks_what_is_missing_and_keeps_studio_recordings() {
    let folder = tempfile::tempdir().expect("a folder");
    fs::copy(prompts().join("render.sh"), folder.path().join("render.sh")).expect("copy");
    fs::create_dir(folder.path().join("en")).expect("en");
    fs::write(folder.path().join("en/studio.txt"), "welcome\n").expect("studio.txt");
    fs::write(folder.path().join("en/welcome.wav"), "from the studio").expect("recording");
    let texts = "[prompt.welcome]\nen = \"Welcome.\"\n[prompt.goodbye]\nen = \"Thank you and goodbye.\"\n";
    fs::write(folder.path().join("catalogue.toml"), texts).expect("catalogue");

    let output = render(folder.path());
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(String::from_utf8_lossy(&output.stdout), "rendered 1 prompts\n");
    let kept = fs::read_to_string(folder.path().join("en/welcome.wav")).expect("kept");
    assert_eq!(kept, "from the studio");
    let spoken = hound::WavReader::open(folder.path().join("en/goodbye.wav")).expect("a WAV file");
    assert!(spoken.duration() > 4_000, "shorter than half a second: {} samples", spoken.duration());
}

#[test]
fn a_bad_catalogue_line_is_named_and_renders_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    fs::copy(prompts().join("render.sh"), folder.path().join("render.sh")).expect("copy");
    fs::write(folder.path().join("catalogue.toml"), "[prompt.welcome]\nen: Welcome\n").expect("catalogue");
    let output = render(folder.path());
    assert_eq!(output.status.code(), Some(1));
    let message = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(message.contains("catalogue.toml:2:"), "{message}");
}
