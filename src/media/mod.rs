//! What happens to a packet: relay, player, leg state.
//!
//! A [`Leg`] is one party's media as a machine: packets and ticks go in, what is to be sent comes out. Sockets are the
//! engine's business. Nothing here allocates or locks while a packet passes.

mod command;
mod leg;
mod play;
mod prompt;
mod recorder;
mod report;
mod source_lock;

pub use crate::recording::{Closed, Frame, HEADER_LEN, Manifest, Side, sha256, wav_header};
pub use command::RecordingSpec;
pub use command::{AudioFormat, LegCommand, LegMedia, MusicId, Playlist, PortLease, PromptId, Source};
pub use leg::{Arrival, Leg, StreamStart};
pub use play::{Player, Step};
pub use prompt::{FRAME_BYTES, FRAME_MS, PromptStore};
pub use recorder::{Recorder, RecordingStep, RecordingWork};
pub use report::{DropReason, MediaReport, PacketFate};
pub use source_lock::{SourceLock, Verdict};
