//! Long prompts, read from the disk a chunk ahead of what is heard.

use std::path::Path;
use std::sync::Arc;

use super::command::PromptId;
use super::prompt::CHUNK_BYTES;

/// A chunk that is wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChunkOrder {
    /// Of which prompt.
    pub prompt: PromptId,
    /// Which one, from 0; the first is in memory.
    pub number: usize,
    /// Octets of it.
    pub len: usize,
    /// The file of A-law that has it, at `number` times [`CHUNK_BYTES`].
    pub file: Arc<Path>,
}

/// A chunk that was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chunk {
    /// Of which prompt.
    pub prompt: PromptId,
    /// Which one.
    pub number: usize,
    /// A-law; `None` where it cannot be read.
    pub octets: Option<Arc<[u8]>>,
}

/// The chunk that is being played and the one after it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Chunks {
    held: [Option<Chunk>; 2],
    ordered: Option<(PromptId, usize)>,
}

impl Chunks {
    /// Whether a chunk has come.
    pub(super) fn has(&self, prompt: PromptId, number: usize) -> bool {
        self.chunk(prompt, number).is_some()
    }

    /// Notes that a chunk is being read; `false` where it is already, or another one is.
    pub(super) fn order(&mut self, prompt: PromptId, number: usize) -> bool {
        let new = self.ordered.is_none();
        self.ordered.get_or_insert((prompt, number));
        new
    }

    pub(super) fn refused(&mut self) {
        self.ordered = None;
    }

    pub(super) fn take(&mut self, chunk: Chunk) {
        self.ordered = None;
        // Neighbours never share a place.
        if let Some(place) = self.held.get_mut(chunk.number % 2).filter(|_| chunk.octets.is_some()) {
            *place = Some(chunk);
        }
    }

    /// The octets from `offset` to the end of its chunk.
    pub(super) fn octets(&self, prompt: PromptId, offset: usize) -> Option<&[u8]> {
        self.chunk(prompt, offset / CHUNK_BYTES)?.get(offset % CHUNK_BYTES..).filter(|octets| !octets.is_empty())
    }

    fn chunk(&self, prompt: PromptId, number: usize) -> Option<&[u8]> {
        let held = self.held.get(number % 2)?.as_ref();
        held.filter(|held| (held.prompt, held.number) == (prompt, number))?.octets.as_deref()
    }
}
