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
/// Samples of the longest packet, 60 ms.
pub const LONGEST_PACKET: usize = 480;

#[derive(Clone, Debug, PartialEq, Eq)]
enum Programme {
    Prompts(Playlist),
    Music(MusicId),
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
    packet: [u8; LONGEST_PACKET],
    /// What of a long prompt has come from the disk.
    chunks: Chunks,
    /// The disk is late: silence takes the place of what has not come.
    starved: bool,
}

impl Player {
    /// A player for what is to be sent, if that is to be played; its first packet is due at `now`.
    pub fn new(source: &Source, now: Now) -> Option<Self> {
        let (programme, place) = match source {
            Source::Play(list) => (Programme::Prompts(list.clone()), Some(Place::default())),
            Source::Music(id) => (Programme::Music(*id), None),
            Source::Silence | Source::Echo | Source::Bridge(_) | Source::Mix(_) => return None,
        };
        let (packet, chunks) = ([0; LONGEST_PACKET], Chunks::default());
        Some(Self { programme, place, next_ns: now.mono_ns, packet, chunks, starved: false })
    }

    /// When the next packet is due (monotonic nanoseconds).
    pub fn deadline(&self) -> u64 {
        self.next_ns
    }

    /// The number of the playlist that is being played.
    pub fn playlist(&self) -> Option<u32> {
        match &self.programme {
            Programme::Prompts(list) => Some(list.id),
            Programme::Music(_) => None,
        }
    }

    /// Whether this player does what `source` asks for, so that it may go on.
    pub fn serves(&self, source: &Source) -> bool {
        match (&self.programme, source) {
            (Programme::Prompts(list), Source::Play(wanted)) => list.id == wanted.id,
            (Programme::Music(playing), Source::Music(wanted)) => playing == wanted,
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

    /// The packet that is due, of `samples` (8 to a millisecond, 480 at most), or `None` where none is. Call until `None`: a late
    /// thread catches up, by at most 200 ms.
    pub fn handle_tick<'a>(
        &'a mut self,
        store: &'a PromptStore,
        codec: Codec,
        samples: usize,
        now: Now,
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
        let coded = self.fill(store, codec, samples, began);
        let (codec, filled) = match coded {
            Some(filled) => (codec, filled),
            None => (Codec::G711(Law::Alaw), self.fill(store, Codec::G711(Law::Alaw), samples, began).unwrap_or(0)),
        };
        Some(self.step(codec, filled, samples, coded.is_some()))
    }

    fn step(&mut self, codec: Codec, filled: usize, samples: usize, coded: bool) -> Step<'_> {
        if filled == 0 && !self.starved {
            let missing = self.place.is_some_and(|place| place.missing);
            return match &self.programme {
                Programme::Prompts(list) => Step::Finished { id: list.id, completed: !missing },
                Programme::Music(_) => Step::Nothing,
            };
        }
        let Some(packet) = self.packet.get_mut(..samples) else { return Step::Nothing };
        packet.iter_mut().skip(filled).for_each(|octet| *octet = codec.law().silence());
        if coded { Step::Coded(packet) } else { Step::Plain(packet) }
    }

    /// Fills the packet with octets of `codec` and moves on; gives how many. None, and nothing moves, where some of it is not encoded,
    /// or the end of a list has to be filled up with silence, which in G.722 has no octet of its own.
    fn fill(&mut self, store: &PromptStore, codec: Codec, samples: usize, began: u64) -> Option<usize> {
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
            let room = self.packet.get_mut(filled..samples)?;
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
            Self::Prompts(_) => 0,
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
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::tone::Sine;
    use crate::media::PromptId;

    const ULAW: Codec = Codec::G711(Law::Ulaw);

    fn store() -> PromptStore {
        let mut store = PromptStore::default();
        store.add_prompt(PromptId(1), &[1000; 200]);
        store.add_music(MusicId(1), &Sine::new(440.0, 8_000, 9_000).take(1_600).collect::<Vec<_>>());
        store
    }

    fn list(prompts: &[u32]) -> Source {
        Source::Play(Playlist { prompts: prompts.iter().map(|id| PromptId(*id)).collect(), id: 7 })
    }

    #[test]
    fn deadlines_keep_to_the_first_one_when_ticks_come_late() {
        let store = store();
        let mut now = Now { mono_ns: 1_000 * MS, wall_ms: 0 };
        let mut player = Player::new(&Source::Music(MusicId(1)), now).unwrap();
        for frame in 1..=500u64 {
            assert!(matches!(player.handle_tick(&store, ULAW, 160, now), Some(Step::Coded(_))));
            assert_eq!(player.handle_tick(&store, ULAW, 160, now), None);
            assert_eq!(player.deadline(), (1_000 + frame * 20) * MS);
            now = Now { mono_ns: player.deadline() + 3 * MS, wall_ms: 0 };
        }
    }

    #[test]
    fn a_list_is_played_once_and_a_missing_prompt_is_told() {
        let store = store();
        let late = Now { mono_ns: 100 * MS, wall_ms: 0 };
        for (prompts, frames, completed) in [(&[1, 1][..], 4, true), (&[1, 9], 2, false), (&[], 0, true)] {
            let mut player = Player::new(&list(prompts), Now::default()).unwrap();
            for _ in 0..frames {
                let step = player.handle_tick(&store, Codec::G711(Law::Alaw), 160, late);
                assert!(matches!(step, Some(Step::Coded(octets)) if octets.len() == 160));
            }
            let step = player.handle_tick(&store, Codec::G711(Law::Alaw), 160, late);
            assert_eq!(step, Some(Step::Finished { id: 7, completed }));
        }
    }

    /// Everything that a player gives out, and whether it had been encoded before.
    fn played(store: &PromptStore, codec: Codec, samples: usize, prompts: &[u32]) -> (Vec<Vec<u8>>, Vec<bool>) {
        let mut player = Player::new(&list(prompts), Now::default()).unwrap();
        let (mut packets, mut ready) = (Vec::new(), Vec::new());
        loop {
            let now = Now { mono_ns: player.deadline(), wall_ms: 0 };
            let (packet, coded) = match player.handle_tick(store, codec, samples, now).unwrap() {
                Step::Coded(packet) => (packet, true),
                Step::Plain(packet) => (packet, false),
                Step::Finished { .. } | Step::Nothing => return (packets, ready),
            };
            packets.push(packet.to_vec());
            ready.push(coded);
        }
    }

    #[test]
    fn packets_of_every_length_have_no_gap_between_prompts() {
        let store = store();
        let (packets, _) = played(&store, ULAW, 160, &[1, 1]);
        let whole = packets.concat();
        for ms in [10, 20, 30, 40, 60] {
            let (packets, ready) = played(&store, ULAW, ms * 8, &[1, 1]);
            assert!(ready.iter().all(|ready| *ready) && packets.iter().all(|packet| packet.len() == ms * 8));
            let mut octets = packets.concat();
            assert!(octets.len() < whole.len() + ms * 8 && octets[whole.len()..].iter().all(|octet| *octet == 0xff));
            octets.truncate(whole.len());
            assert_eq!(octets, whole, "{ms} ms");
        }
    }

    #[test]
    fn wider_codecs_are_plain_until_they_are_encoded() {
        let store = store();
        for codec in [Codec::G722, Codec::Opus] {
            assert_eq!(played(&store, codec, 160, &[1, 1]).1, [false; 4]);
        }
        store.encode();
        for codec in [Codec::G722, Codec::Opus] {
            let (packets, ready) = played(&store, codec, 160, &[1, 1]);
            assert_eq!(ready, [true; 4]);
            assert_eq!(packets[0], packets[2]);
        }
        // No frame of Opus that has been made is as long, and the end of a list in G.722 is filled up before it is encoded.
        assert_eq!(played(&store, Codec::Opus, 480, &[1]).1, [false]);
        assert_eq!(played(&store, Codec::G722, 240, &[1]).1, [true, false]);
    }

    #[test]
    fn a_long_prompt_comes_from_the_disk_chunk_by_chunk_and_a_late_disk_is_silence() {
        let whole: Vec<u8> = (0..CHUNK_BYTES * 3 + 160).map(|octet| (octet / FRAME_BYTES % 200) as u8 ^ 0x55).collect();
        let mut store = store();
        store.add_long_prompt(PromptId(5), &whole[..CHUNK_BYTES], whole.len(), std::path::Path::new("long").into());
        assert_eq!(store.prompt_ms(PromptId(5)), Some(30_020));
        let chunk = |number: usize| {
            let end = whole.len().min((number + 1) * CHUNK_BYTES);
            Chunk { prompt: PromptId(5), number, octets: Some(whole[number * CHUNK_BYTES..end].into()) }
        };
        let mut player = Player::new(&list(&[5, 1]), Now::default()).unwrap();
        let (mut heard, mut silent, mut orders) = (Vec::new(), 0, Vec::new());
        loop {
            if let Some(order) = player.poll_order(&store) {
                assert_eq!(player.poll_order(&store), None, "told once");
                orders.push((order.number, order.len, heard.len()));
                // The second one comes late.
                if order.number != 2 {
                    player.handle_chunk(chunk(order.number));
                }
            }
            let now = Now { mono_ns: player.deadline(), wall_ms: 0 };
            let (alaw, starved) = match player.handle_tick(&store, Codec::G711(Law::Alaw), 160, now).unwrap() {
                Step::Coded(octets) => (octets.to_vec(), false),
                Step::Plain(_) => panic!("A-law is what there is"),
                Step::Finished { completed, .. } => {
                    assert!(completed);
                    break;
                }
                Step::Nothing => panic!("there is something"),
            };
            let starved = starved || player.is_starved();
            if starved {
                silent += 1;
                assert!(alaw.iter().all(|octet| *octet == Law::Alaw.silence()));
                if silent == 10 {
                    player.handle_chunk(chunk(2));
                }
            } else {
                heard.extend(alaw);
            }
        }
        assert_eq!(heard[..whole.len()], whole, "nothing is lost by it");
        assert_eq!((silent, heard.len()), (10, whole.len() + 320));
        let (one, last) = (CHUNK_BYTES, 160);
        assert_eq!(orders, [(1, one, 0), (2, one, one), (3, last, 2 * one)]);
        // What cannot be read is passed over, and told; a telephone of the other law hears the same.
        let mut player = Player::new(&list(&[5, 1]), Now::default()).unwrap();
        assert!(player.poll_order(&store).is_some());
        player.handle_refused();
        assert!(player.poll_order(&store).is_some(), "told again");
        player.handle_chunk(Chunk { prompt: PromptId(5), number: 1, octets: None });
        let mut steps = 0;
        loop {
            let now = Now { mono_ns: player.deadline(), wall_ms: 0 };
            match player.handle_tick(&store, ULAW, 160, now).unwrap() {
                Step::Finished { completed, .. } => break assert!(!completed && steps == 2),
                _ => steps += 1,
            }
        }
        let mut player = Player::new(&list(&[5]), Now::default()).unwrap();
        player.place = Some(Place { item: 0, offset: CHUNK_BYTES, missing: false });
        let order = player.poll_order(&store).unwrap();
        player.handle_chunk(chunk(order.number));
        let step = player.handle_tick(&store, ULAW, 160, Now::default()).unwrap();
        assert_eq!(step, Step::Plain(&whole[CHUNK_BYTES..CHUNK_BYTES + 160]));
    }

    #[test]
    fn whoever_listens_to_music_hears_what_all_hear() {
        let (store, start) = (store(), 12_345 * MS);
        let mut first = Player::new(&Source::Music(MusicId(1)), Now { mono_ns: start, wall_ms: 0 }).unwrap();
        let mut heard = Vec::new();
        for n in 0..20 {
            let now = Now { mono_ns: start + n * 20 * MS, wall_ms: 0 };
            let Some(Step::Coded(octets)) = first.handle_tick(&store, ULAW, 160, now) else { panic!() };
            heard.push(octets.to_vec());
        }
        let later = Now { mono_ns: start + 7 * 20 * MS, wall_ms: 0 };
        let mut second = Player::new(&Source::Music(MusicId(1)), later).unwrap();
        assert_eq!(second.handle_tick(&store, ULAW, 160, later), Some(Step::Coded(&heard[7])));
        assert_ne!(heard[6], heard[7]);
    }

    #[test]
    fn a_long_stall_makes_no_burst() {
        let store = store();
        let mut player = Player::new(&Source::Music(MusicId(1)), Now::default()).unwrap();
        let now = Now { mono_ns: 5_005 * MS, wall_ms: 0 };
        assert!(player.handle_tick(&store, ULAW, 160, now).is_some());
        assert_eq!(player.handle_tick(&store, ULAW, 160, now), None);
        assert_eq!(player.deadline(), 5_020 * MS);
    }
}
