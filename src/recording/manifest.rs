//! What a recording says about itself, beside its file.

use std::io::{self, Read};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::cue::CueMark;
use super::tap::Closed;
use crate::id::CallId;
use crate::journal::{Consent, RecordingState};

/// Written and expected duration may differ by this much (ms).
const TOLERANCE_MS: u64 = 100;

/// The endings that a recording's file may have: plain or sealed, as it was recorded or compressed.
pub const ENDINGS: [&str; 4] = ["wav", "wav.sealed", "opus", "opus.sealed"];

/// The hash of a whole recording as its manifest gives it.
///
/// # Errors
/// Where the file cannot be read to its end.
pub fn sha256(mut file: impl Read) -> io::Result<String> {
    let mut hasher = Sha256::new();
    let mut buf = vec![0; 65_536];
    loop {
        let len = file.read(&mut buf)?;
        if len == 0 {
            return Ok(hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect());
        }
        hasher.update(buf.get(..len).unwrap_or_default());
    }
}

/// A stretch that was kept out of the recording; the file has silence there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pause {
    /// Where it begins in the file, in ms.
    pub from_ms: u64,
    /// Where it ends in the file, in ms.
    pub to_ms: u64,
    /// How much of its beginning had been given out already when the pause came, in ms: 0 unless it came very late.
    pub late_ms: u64,
}

/// The recording's own record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// The recording's name.
    pub recording: String,
    /// The call that it is of.
    pub call: CallId,
    /// Its file, beside the manifest; empty in manifests of old, where it is the recording's name with `.wav`.
    #[serde(default)]
    pub file: String,
    /// When it began: milliseconds since 1970 UTC.
    pub started: i64,
    /// Why it was allowed to begin; none where it was never armed.
    pub consent: Option<Consent>,
    /// What the clock says that it should hold, pauses included.
    pub expected_ms: u64,
    /// What it holds.
    pub written_ms: u64,
    /// SHA-256 in hexadecimal of the whole file as a player gets it, opened where it is sealed; none until it is closed.
    pub sha256: Option<String>,
    /// Where it was compressed since: the hash of what was recorded, which the call's record has too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recorded_sha256: Option<String>,
    /// Whether it is whole.
    pub state: RecordingState,
    /// What was kept out.
    pub pauses: Vec<Pause>,
    /// Places that a listener looks for, in order of what was told first.
    #[serde(default)]
    pub cues: Vec<CueMark>,
}

impl Manifest {
    /// The manifest of a closed tap, of whose sound `data_len` octets are in the file.
    pub fn of(
        closed: &Closed,
        recording: String,
        call: CallId,
        file: String,
        data_len: u64,
        sha256: Option<String>,
    ) -> Self {
        let written_ms = data_len / 16;
        Self {
            recording,
            call,
            file,
            started: closed.started_ms,
            consent: closed.consent,
            expected_ms: closed.expected_ms,
            written_ms,
            sha256,
            recorded_sha256: None,
            state: Self::judge(closed.expected_ms, written_ms),
            pauses: closed.pauses.clone(),
            cues: closed.cues.clone(),
        }
    }

    /// The same for a compressed file of this hash.
    #[must_use]
    pub fn compressed(self, sha256: String) -> Self {
        Self { recorded_sha256: self.recorded_sha256.or(self.sha256), sha256: Some(sha256), ..self }
    }

    /// The name of its file. What is no plain name beside the manifest is none of ours.
    pub fn file_name(&self) -> Option<String> {
        if self.file.is_empty() {
            return Some(format!("{}.wav", self.recording));
        }
        let ending = self.file.strip_prefix(self.recording.as_str())?.strip_prefix('.')?;
        ENDINGS.contains(&ending).then(|| self.file.clone())
    }

    /// Whole, short, or nothing at all.
    pub fn judge(expected_ms: u64, written_ms: u64) -> RecordingState {
        if expected_ms.abs_diff(written_ms) <= TOLERANCE_MS {
            RecordingState::Complete
        } else if written_ms > 0 {
            RecordingState::Partial
        } else {
            RecordingState::Failed
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::Cue;

    #[test]
    fn a_tenth_of_a_second_is_forgiven_and_no_more() {
        let judged = [(10_000, 9_900), (10_000, 9_899), (10_000, 0), (0, 0)].map(|(e, w)| Manifest::judge(e, w));
        assert_eq!(
            judged,
            [RecordingState::Complete, RecordingState::Partial, RecordingState::Failed, RecordingState::Complete]
        );
    }

    #[test]
    fn a_manifest_reads_back() {
        let closed = Closed {
            started_ms: 1_700_000_000_000,
            consent: Some(Consent::Announced),
            expected_ms: 1_000,
            written_ms: 1_000,
            misplaced: 0,
            pauses: vec![Pause { from_ms: 1, to_ms: 2, late_ms: 0 }],
            cues: vec![CueMark { at_ms: 1, cue: Cue::Held }],
        };
        let manifest = Manifest::of(&closed, "r".into(), CallId::new(1, 2), "r.opus".into(), 16_000, None);
        let text = serde_json::to_string(&manifest).unwrap();
        assert!(text.contains(r#""consent":"announced""#) && text.contains(r#""written_ms":1000"#), "{text}");
        assert_eq!(serde_json::from_str::<Manifest>(&text).unwrap(), manifest);
        let named = |file: &str| Manifest { file: file.into(), ..manifest.clone() }.file_name();
        assert_eq!((named(""), named("r.opus.sealed")), (Some("r.wav".into()), Some("r.opus.sealed".into())));
        assert_eq!((named("s.wav"), named("r.wav/../x"), named("r.json"), named("r")), (None, None, None, None));
    }
}
