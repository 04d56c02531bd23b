//! Prompts and music, encoded once at the start and shared by all threads.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::command::{MusicId, PromptId};
use crate::codec::g711::Law;
use crate::codec::{music, wav};

/// Milliseconds in a frame.
pub const FRAME_MS: u64 = 20;
/// Bytes of a frame in either law: 8,000 a second.
pub const FRAME_BYTES: usize = 160;

/// The tune that is played where no other is named.
const MUSIC_SEED: u64 = 1;

/// One piece of audio in both laws, a byte a sample.
#[derive(Clone, Debug)]
struct Piece {
    ulaw: Arc<[u8]>,
    alaw: Arc<[u8]>,
}

impl Piece {
    /// Whole frames: the last one is filled up with silence.
    fn from_pcm(samples: &[i16]) -> Self {
        let padding = (FRAME_BYTES - samples.len() % FRAME_BYTES) % FRAME_BYTES;
        let padded = || samples.iter().copied().chain(std::iter::repeat_n(0, padding));
        let encoded = |law: Law| padded().map(|sample| law.encode(sample)).collect();
        Self { ulaw: encoded(Law::Ulaw), alaw: encoded(Law::Alaw) }
    }

    fn law(&self, law: Law) -> &[u8] {
        match law {
            Law::Ulaw => &self.ulaw,
            Law::Alaw => &self.alaw,
        }
    }
}

/// All that can be played. Cheap to clone: the audio is shared.
#[derive(Clone, Debug, Default)]
pub struct PromptStore {
    prompts: BTreeMap<PromptId, Piece>,
    music: BTreeMap<MusicId, Piece>,
}

impl PromptStore {
    /// Adds a prompt: 8,000 samples a second, one channel.
    pub fn add_prompt(&mut self, id: PromptId, samples: &[i16]) {
        self.prompts.insert(id, Piece::from_pcm(samples));
    }

    /// Adds a piece of music: 8,000 samples a second, one channel.
    pub fn add_music(&mut self, id: MusicId, samples: &[i16]) {
        self.music.insert(id, Piece::from_pcm(samples));
    }

    /// Adds a prompt from the bytes of a WAV file: one channel, 16 bit, 8 or 16 kHz.
    ///
    /// # Errors
    /// Where the file is something else.
    pub fn add_prompt_file(&mut self, id: PromptId, file: &[u8]) -> Result<(), wav::WavError> {
        self.add_prompt(id, &wav::parse(file)?);
        Ok(())
    }

    /// Adds a piece of music from the bytes of a WAV file, as for prompts.
    ///
    /// # Errors
    /// Where the file is something else.
    pub fn add_music_file(&mut self, id: MusicId, file: &[u8]) -> Result<(), wav::WavError> {
        self.add_music(id, &wav::parse(file)?);
        Ok(())
    }

    /// Adds the piece that the project composes itself, so that nobody's rights are touched.
    pub fn add_own_music(&mut self, id: MusicId) {
        self.add_music(id, &music::piece(MUSIC_SEED));
    }

    /// A prompt's bytes in one law, a whole number of frames.
    pub fn prompt(&self, id: PromptId, law: Law) -> Option<&[u8]> {
        self.prompts.get(&id).map(|piece| piece.law(law))
    }

    /// A piece of music's bytes in one law, a whole number of frames.
    pub fn music(&self, id: MusicId, law: Law) -> Option<&[u8]> {
        self.music.get(&id).map(|piece| piece.law(law))
    }
}
