//! What happens to a packet: relay, player, mixer, leg state.
//!
//! A [`Leg`] is one party's media as a machine: packets and ticks go in, what is to be sent comes out. Sockets are the
//! engine's business. Nothing here allocates or locks while a packet passes.

mod arrival;
mod bands;
mod chunk;
mod command;
mod ear;
mod keyer;
mod leg;
mod mix;
mod play;
mod prompt;
mod recorder;
mod report;
mod reporter;
mod silence;
mod source_lock;
mod storage;
mod voice;

pub use crate::codec::progress;
pub use crate::recording::{
    Closed, Consent, Drawn, Form, Frame, HEADER_LEN, KeyRing, Layout, Manifest, Mark, SEALED_CHUNK, SEALED_HEAD_LEN,
    SealedReader, Sealer, Side, sha256, wav_header,
};
pub use crate::rtp::srtp::{MasterKey, Refusal, Suite};
pub use crate::rtp::stats::Snapshot;
pub use arrival::Arrival;
pub use chunk::{Chunk, ChunkOrder};
pub use command::RecordingSpec;
pub use command::{
    AudioFormat, Browser, KEYS, LegCommand, LegMedia, MusicId, Playlist, PortLease, PromptId, Protection, SentKey,
    Source, SrtpKeys,
};
pub use leg::{Leg, SOON_MS, StreamStart};
pub use play::{LONGEST_MIX, Player, Step};
pub use prompt::{CHUNK_BYTES, FRAME_BYTES, FRAME_MS, PromptStore, alaw_ms, alaw_of};
pub use recorder::{Recorder, RecordingStep, RecordingWork};
pub use report::{BrowserFault, DropReason, MediaReport, PacketFate};
pub use source_lock::{Learn, SourceLock, Verdict};
pub use storage::{Storage, StorageFigures};

#[cfg(test)]
mod mix_tests;
