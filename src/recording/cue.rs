//! Places in a recording: they lie beside the sound, in its manifest, not in a `cue ` chunk behind it. A manifest survives the
//! form of the file (WAV, sealed, Opus), a chunk behind the sound does not; a player that knows no cues never stumbles over it; and
//! a file that a kill left open is sound to its last octet.

use serde::{Deserialize, Serialize};

use super::manifest::Pause;
use crate::journal::Cue;
use crate::time::Now;

/// A place as the switch knows it: what happened, and when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mark {
    /// The instant.
    pub at: Now,
    /// What happened.
    pub cue: Cue,
}

/// The same as a place in the file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CueMark {
    /// Where, in ms from the beginning.
    pub at_ms: u64,
    /// What happened there.
    #[serde(flatten)]
    pub cue: Cue,
}

/// What the marks of a recording of `end_ms` say was kept out, for a file that nobody closed.
pub fn pauses_of(cues: &[CueMark], end_ms: u64) -> Vec<Pause> {
    let mut pauses: Vec<Pause> = Vec::new();
    let mut since = None;
    for CueMark { at_ms, cue } in cues {
        match cue {
            Cue::Paused { .. } => since = since.or(Some(*at_ms)),
            Cue::Resumed { .. } => {
                if let Some(from_ms) = since.take() {
                    pauses.push(Pause { from_ms, to_ms: (*at_ms).max(from_ms).min(end_ms.max(from_ms)), late_ms: 0 });
                }
            }
            _ => {}
        }
    }
    if let Some(from_ms) = since.filter(|from_ms| *from_ms < end_ms) {
        pauses.push(Pause { from_ms, to_ms: end_ms, late_ms: 0 });
    }
    pauses
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::PausedBy;

    #[test]
    fn pauses_of_a_file_that_nobody_closed_end_with_it() {
        let by = PausedBy::Agent;
        let cues = [(100, true), (150, true), (200, false), (250, false), (900, true)]
            .map(|(at_ms, on)| CueMark { at_ms, cue: if on { Cue::Paused { by } } else { Cue::Resumed { by } } });
        let told: Vec<_> = pauses_of(&cues, 1_000).iter().map(|pause| (pause.from_ms, pause.to_ms)).collect();
        assert_eq!(told, [(100, 200), (900, 1_000)]);
        assert_eq!(pauses_of(&cues, 500).len(), 1);
        let text = serde_json::to_string(&cues[0]).unwrap();
        assert_eq!(text, r#"{"at_ms":100,"cue":"paused","by":"agent"}"#);
        assert_eq!(serde_json::from_str::<CueMark>(&text).unwrap(), cues[0]);
    }
}
