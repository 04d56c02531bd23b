//! The tap as a machine: consent, pause, framing, WAV.
//!
//! Frames of both parties are laid on one stereo time line (caller left, agent right) that starts where recording was armed.
//! They wait 300 ms before they are given out, so that a late pause, which carries its instant, still keeps the digits out.

mod cue;
mod keys;
mod loss;
mod manifest;
mod ogg;
mod placement;
mod reader;
mod sealed;
mod tap;
mod wav;

pub use crate::journal::Consent;
pub use cue::{CueMark, Mark, pauses_of};
pub use keys::{BadKeys, KeyRing};
pub use manifest::{ENDINGS, Manifest, Pause, sha256};
pub use ogg::{CompressError, OggOpus};
pub use reader::SealedReader;
pub use sealed::{
    Drawn, Form, HEAD_LEN as SEALED_HEAD_LEN, Layout, Opened, SEALED_CHUNK, SealError, Sealer, is_sealed, rewrap,
};
pub use tap::{Closed, Frame, Side, State, Tap, TapOutput, TapSettings};
pub use wav::{HEADER_LEN, Repaired, law_of, repair, wav_header};
