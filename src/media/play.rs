//! Plays prompts and music, a packet each time one is due.

use super::chunk::{Chunk, ChunkOrder, Chunks};
use super::command::{MusicId, Playlist, PromptId, Source};
use super::ear::sample_at;
use super::prompt::{CHUNK_BYTES, FRAME_BYTES, Piece, PromptStore};
use crate::codec::Codec;
use crate::codec::g711::Law;
use crate::time::{MS, Now};

/// How late a thread may be before the packets it missed are skipped in time instead of sent in a burst.
const BURST_LIMIT_MS: u64 = 200;
/// Packets are due at multiples of this (ms) on the clock, so that those of many legs go at one waking.
const BEAT_MS: u64 = 2;
/// Samples of the longest packet, 60 ms, at 8 kHz.
pub const LONGEST_PACKET: usize = 480;
/// The same in the wide band.
pub const LONGEST_MIX: usize = 2 * LONGEST_PACKET;

#[derive(Clone, Debug, PartialEq, Eq)]
enum Programme {
    Prompts(Playlist),
    Music(MusicId),
    Quiet,
}

/// How far the playing is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Place {
    /// Which prompt of the list.
    item: usize,
    /// Octets of it that have been played.
    offset: usize,
    /// A prompt of the list does not exist.
    missing: bool,
}

/// What a player has to send now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step<'a> {
    /// A payload in the codec that was asked for.
    Coded(&'a [u8]),
    /// A-law that is still to be encoded.
    Plain(&'a [u8]),
    /// The playlist is over; `completed` is false where a prompt of it does not exist.
    Finished {
        /// The playlist's number.
        id: u32,
        /// Whether all of it was sent.
        completed: bool,
    },
    /// Nothing, for good (music that does not exist).
    Nothing,
}

/// A leg's player. Its deadlines follow from the first one, so they never drift.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Player {
    programme: Programme,
    /// None before the first packet of music: it is the same everywhere at the same time.
    place: Option<Place>,
    next_ns: u64,
    /// What of a long prompt has come from the disk.
    chunks: Chunks,
    /// The disk is late: silence takes the place of what has not come.
    starved: bool,
}

impl Player {
    /// A player for what is to be sent, if that is to be played; its first packet is due within two milliseconds of `now`.
    pub fn new(source: &Source, now: Now) -> Option<Self> {
        let (programme, place) = match source {
            Source::Play(list) => (Programme::Prompts(list.clone()), Some(Place::default())),
            Source::Music(id) => (Programme::Music(*id), None),
            Source::Quiet => (Programme::Quiet, None),
            Source::Silence | Source::Echo | Source::Bridge(_) | Source::Mix(_) => return None,
        };
        let next_ns = now.mono_ns.next_multiple_of(BEAT_MS * MS);
        Some(Self { programme, place, next_ns, chunks: Chunks::default(), starved: false })
    }

    /// When the next packet is due (monotonic nanoseconds).
    pub fn deadline(&self) -> u64 {
        self.next_ns
    }

    /// The number of the playlist that is being played.
    pub fn playlist(&self) -> Option<u32> {
        match &self.programme {
            Programme::Prompts(list) => Some(list.id),
            Programme::Music(_) | Programme::Quiet => None,
        }
    }

    /// Whether this player does what `source` asks for, so that it may go on.
    pub fn serves(&self, source: &Source) -> bool {
        match (&self.programme, source) {
            (Programme::Prompts(list), Source::Play(wanted)) => list.id == wanted.id,
            (Programme::Music(playing), Source::Music(wanted)) => playing == wanted,
            (Programme::Quiet, Source::Quiet) => true,
            _ => false,
        }
    }

    /// The chunk of a long prompt that is to be read from the disk next, told once: the one that is due, or the one after it.
    pub fn poll_order(&mut self, store: &PromptStore) -> Option<ChunkOrder> {
        let (Programme::Prompts(list), Some(place)) = (&self.programme, self.place) else { return None };
        let prompt = *list.prompts.get(place.item)?;
        let piece = store.prompt(prompt)?;
        let file = piece.file()?;
        let due = place.offset / CHUNK_BYTES;
        let missing = |number: &usize| {
            let begin = number * CHUNK_BYTES;
            begin < piece.len() && !piece.holds(begin) && !self.chunks.has(prompt, *number)
        };
        let number = [due, due + 1].into_iter().find(missing)?;
        let len = CHUNK_BYTES.min(piece.len() - number * CHUNK_BYTES);
        self.chunks.order(prompt, number).then(|| ChunkOrder { prompt, number, len, file: file.clone() })
    }

    /// The order found no room with whoever reads: it is to be told again.
    pub fn handle_refused(&mut self) {
        self.chunks.refused();
    }

    /// A chunk has come from the disk. A prompt that cannot be read is passed over, and the list does not count as heard.
    pub fn handle_chunk(&mut self, chunk: Chunk) {
        let (prompt, failed) = (chunk.prompt, chunk.octets.is_none());
        self.chunks.take(chunk);
        if failed
            && let (Programme::Prompts(list), Some(place)) = (&self.programme, &mut self.place)
            && list.prompts.get(place.item) == Some(&prompt)
        {
            *place = Place { item: place.item + 1, offset: 0, missing: true };
        }
    }

    /// Whether the last packet held silence because the disk was late.
    pub fn is_starved(&self) -> bool {
        self.starved
    }

    /// The packet that is due, of `samples` (8 to a millisecond, 480 at most) and put together in `room`, or `None` where none is.
    /// Call until `None`: a late thread catches up, by at most 200 ms.
    pub fn handle_tick<'a>(
        &mut self,
        store: &'a PromptStore,
        codec: Codec,
        samples: usize,
        now: Now,
        room: &'a mut [u8; LONGEST_PACKET],
    ) -> Option<Step<'a>> {
        if now.mono_ns < self.next_ns {
            return None;
        }
        let samples = samples.clamp(1, LONGEST_PACKET);
        let packet_ns = samples as u64 * (MS / 8);
        let late = now.mono_ns - self.next_ns;
        if late > BURST_LIMIT_MS * MS {
            self.next_ns += late / packet_ns * packet_ns;
        }
        let began = self.next_ns;
        self.next_ns = began.saturating_add(packet_ns);
        if codec == Codec::Opus
            && samples == FRAME_BYTES
            && let Some(packet) = self.ready_packet(store, began)
        {
            return Some(Step::Coded(packet));
        }
        let packet = room.get_mut(..samples)?;
        if self.programme == Programme::Quiet {
            let own = if let Codec::G711(law) = codec { Some(law) } else { None };
            packet.fill(own.unwrap_or(Law::Alaw).silence());
            return Some(if own.is_some() { Step::Coded(packet) } else { Step::Plain(packet) });
        }
        let coded = self.fill(store, codec, packet, began);
        let (law, filled) = match coded {
            Some(filled) => (codec.law(), filled),
            None => (Law::Alaw, self.fill(store, Codec::G711(Law::Alaw), packet, began).unwrap_or(0)),
        };
        Some(self.step(law, filled, packet, coded.is_some()))
    }

    fn step<'a>(&self, law: Law, filled: usize, packet: &'a mut [u8], coded: bool) -> Step<'a> {
        if filled == 0 && !self.starved {
            let missing = self.place.is_some_and(|place| place.missing);
            return match &self.programme {
                Programme::Prompts(list) => Step::Finished { id: list.id, completed: !missing },
                Programme::Music(_) | Programme::Quiet => Step::Nothing,
            };
        }
        packet.iter_mut().skip(filled).for_each(|octet| *octet = law.silence());
        if coded { Step::Coded(packet) } else { Step::Plain(packet) }
    }

    /// Fills the packet with octets of `codec` and moves on; gives how many. None, and nothing moves, where some of it is not encoded,
    /// or the end of a list has to be filled up with silence, which in G.722 has no octet of its own.
    fn fill(&mut self, store: &PromptStore, codec: Codec, packet: &mut [u8], began: u64) -> Option<usize> {
        let samples = packet.len();
        let mut place = self.place.unwrap_or_else(|| self.programme.tuned_in(store, began));
        let mut filled = 0;
        self.starved = false;
        while filled < samples {
            let Some((prompt, piece)) = self.programme.piece(store, &mut place) else { break };
            let octets = match prompt.filter(|_| !piece.holds(place.offset)) {
                // What comes from the disk is A-law.
                Some(_) if codec != Codec::G711(Law::Alaw) => return None,
                Some(prompt) => match self.chunks.octets(prompt, place.offset) {
                    Some(octets) => octets,
                    None => {
                        self.starved = true;
                        break;
                    }
                },
                None => piece.octets(codec)?.get(place.offset..)?,
            };
            let room = packet.get_mut(filled..)?;
            let count = room.len().min(octets.len());
            room.get_mut(..count)?.copy_from_slice(octets.get(..count)?);
            filled += count;
            place.offset += count;
        }
        if filled % samples != 0 && !matches!(codec, Codec::G711(_)) {
            return None;
        }
        self.place = Some(place);
        Some(filled)
    }

    fn ready_packet<'a>(&mut self, store: &'a PromptStore, began: u64) -> Option<&'a [u8]> {
        let mut place = self.place.unwrap_or_else(|| self.programme.tuned_in(store, began));
        let packet = self.programme.piece(store, &mut place)?.1.packet(place.offset / FRAME_BYTES)?;
        place.offset += FRAME_BYTES;
        self.place = Some(place);
        Some(packet)
    }
}

impl Programme {
    /// Where music is at the instant `ns`: all who listen hear the same.
    fn tuned_in(&self, store: &PromptStore, ns: u64) -> Place {
        let len = match self {
            Self::Music(id) => store.music(*id).map_or(0, Piece::len),
            Self::Prompts(_) | Self::Quiet => 0,
        };
        let frames = (len / FRAME_BYTES).max(1) as u64;
        let offset = (sample_at(ns) / FRAME_BYTES as u64 % frames) as usize * FRAME_BYTES;
        Place { offset, ..Place::default() }
    }

    /// The piece that is to be played from `place` on; moves on to the next one where that is over.
    fn piece<'a>(&self, store: &'a PromptStore, place: &mut Place) -> Option<(Option<PromptId>, &'a Piece)> {
        match self {
            Self::Music(id) => {
                let piece = store.music(*id).filter(|piece| piece.len() > 0)?;
                if place.offset >= piece.len() {
                    place.offset = 0;
                }
                Some((None, piece))
            }
            Self::Prompts(list) => {
                while let Some(id) = list.prompts.get(place.item) {
                    match store.prompt(*id) {
                        Some(piece) if place.offset < piece.len() => return Some((Some(*id), piece)),
                        Some(_) => {}
                        None => place.missing = true,
                    }
                    place.item += 1;
                    place.offset = 0;
                }
                None
            }
            Self::Quiet => None,
        }
    }
}

#[cfg(test)]
#[path = "play_tests.rs"]
mod tests;
