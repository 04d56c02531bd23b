//! The tap as a machine: consent, pause, framing, WAV.
//!
//! Frames of both parties are laid on one stereo time line (caller left, agent right) that starts where recording was armed.
//! They wait 300 ms before they are given out, so that a late pause, which carries its instant, still keeps the digits out.

mod manifest;
mod placement;
mod tap;
mod wav;

pub use manifest::{Manifest, Pause, sha256};
pub use tap::{Closed, Consent, Frame, Side, State, Tap, TapOutput, TapSettings};
pub use wav::{HEADER_LEN, Repaired, repair, wav_header};
