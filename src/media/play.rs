//! Plays prompts and music, a frame every 20 ms.

use super::command::{MusicId, Playlist, Source};
use super::prompt::{FRAME_BYTES, FRAME_MS, PromptStore};
use crate::codec::g711::Law;
use crate::time::{MS, Now};

/// How late a thread may be before the frames it missed are skipped in time instead of sent in a burst.
const BURST_LIMIT_MS: u64 = 200;

#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    /// `missing` says that a prompt of the list does not exist.
    Prompts {
        list: Playlist,
        item: usize,
        missing: bool,
    },
    Music(MusicId),
}

/// What a player has to send now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step<'a> {
    /// One frame of 160 bytes in the law that was asked for.
    Frame(&'a [u8]),
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
    piece: Piece,
    offset: usize,
    next_ns: u64,
}

impl Player {
    /// A player for what is to be sent, if that is to be played; its first frame is due at `now`.
    pub fn new(source: &Source, now: Now) -> Option<Self> {
        let piece = match source {
            Source::Play(list) => Piece::Prompts { list: list.clone(), item: 0, missing: false },
            Source::Music(id) => Piece::Music(*id),
            Source::Silence | Source::Echo | Source::Bridge(_) => return None,
        };
        Some(Self { piece, offset: 0, next_ns: now.mono_ns })
    }

    /// When the next frame is due (monotonic nanoseconds).
    pub fn deadline(&self) -> u64 {
        self.next_ns
    }

    /// The number of the playlist that is being played.
    pub fn playlist(&self) -> Option<u32> {
        match &self.piece {
            Piece::Prompts { list, .. } => Some(list.id),
            Piece::Music(_) => None,
        }
    }

    /// Whether this player does what `source` asks for, so that it may go on.
    pub fn serves(&self, source: &Source) -> bool {
        match (&self.piece, source) {
            (Piece::Prompts { list, .. }, Source::Play(wanted)) => list.id == wanted.id,
            (Piece::Music(playing), Source::Music(wanted)) => playing == wanted,
            _ => false,
        }
    }

    /// The frame that is due, or `None` where none is. Call until `None`: a late thread catches up, by at most 200 ms.
    pub fn handle_tick<'a>(&mut self, store: &'a PromptStore, law: Law, now: Now) -> Option<Step<'a>> {
        if now.mono_ns < self.next_ns {
            return None;
        }
        let frame_ns = FRAME_MS * MS;
        let late = now.mono_ns - self.next_ns;
        if late > BURST_LIMIT_MS * MS {
            self.next_ns += late / frame_ns * frame_ns;
        }
        let step = self.next_step(store, law);
        if matches!(step, Step::Frame(_)) {
            self.next_ns = self.next_ns.saturating_add(frame_ns);
        }
        Some(step)
    }

    fn next_step<'a>(&mut self, store: &'a PromptStore, law: Law) -> Step<'a> {
        match &mut self.piece {
            Piece::Music(id) => {
                let Some(bytes) = store.music(*id, law) else { return Step::Nothing };
                if let Some(frame) = frame_at(bytes, &mut self.offset) {
                    return Step::Frame(frame);
                }
                self.offset = 0;
                frame_at(bytes, &mut self.offset).map_or(Step::Nothing, Step::Frame)
            }
            Piece::Prompts { list, item, missing } => {
                while let Some(id) = list.prompts.get(*item) {
                    match store.prompt(*id, law) {
                        None => *missing = true,
                        Some(bytes) => {
                            if let Some(frame) = frame_at(bytes, &mut self.offset) {
                                return Step::Frame(frame);
                            }
                        }
                    }
                    *item += 1;
                    self.offset = 0;
                }
                Step::Finished { id: list.id, completed: !*missing }
            }
        }
    }
}

fn frame_at<'a>(bytes: &'a [u8], offset: &mut usize) -> Option<&'a [u8]> {
    let end = offset.checked_add(FRAME_BYTES)?;
    let frame = bytes.get(*offset..end)?;
    *offset = end;
    Some(frame)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::PromptId;

    fn store() -> PromptStore {
        let mut store = PromptStore::default();
        store.add_prompt(PromptId(1), &[1000; 200]);
        store.add_music(MusicId(1), &[500; 160]);
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
            assert!(matches!(player.handle_tick(&store, Law::Ulaw, now), Some(Step::Frame(_))));
            assert_eq!(player.handle_tick(&store, Law::Ulaw, now), None);
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
                assert!(matches!(player.handle_tick(&store, Law::Alaw, late), Some(Step::Frame(f)) if f.len() == 160));
            }
            assert_eq!(player.handle_tick(&store, Law::Alaw, late), Some(Step::Finished { id: 7, completed }));
        }
    }

    #[test]
    fn a_long_stall_makes_no_burst() {
        let store = store();
        let mut player = Player::new(&Source::Music(MusicId(1)), Now::default()).unwrap();
        let now = Now { mono_ns: 5_005 * MS, wall_ms: 0 };
        assert!(player.handle_tick(&store, Law::Ulaw, now).is_some());
        assert_eq!(player.handle_tick(&store, Law::Ulaw, now), None);
        assert_eq!(player.deadline(), 5_020 * MS);
    }
}
