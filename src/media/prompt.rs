//! Prompts and music, encoded once for each codec and shared by all threads.

use std::collections::BTreeMap;
use std::io::{self, Read};
use std::path::Path;
use std::sync::{Arc, OnceLock};

use super::command::{MusicId, PromptId};
use super::voice::Voice;
use crate::codec::g711::Law;
use crate::codec::{Codec, music, progress, volume, wav};

/// Milliseconds in a frame.
pub const FRAME_MS: u64 = 20;
/// Octets of a frame in G.711 and G.722: 8,000 a second.
pub const FRAME_BYTES: usize = 160;

/// Octets of a chunk of a long prompt, of which the first is in memory and the others come from the disk: ten seconds.
pub const CHUNK_BYTES: usize = 500 * FRAME_BYTES;

/// The tune that is played where no other is named.
const MUSIC_SEED: u64 = 1;

/// The A-law of a WAV file of any length, louder than it by `volume_db`, in pieces of whole frames, which `take` is given in order;
/// gives octets of the whole.
///
/// # Errors
/// Where the file is something else, or `take` fails.
pub fn alaw_of(
    file: impl Read,
    volume_db: i8,
    mut take: impl FnMut(&[u8]) -> io::Result<()>,
) -> Result<usize, wav::WavError> {
    let mut octets = 0;
    wav::parse_long(file, |piece| {
        let mut piece = piece.to_vec();
        volume::scale(&mut piece, volume_db);
        let mut alaw: Vec<u8> = piece.iter().map(|sample| Law::Alaw.encode(*sample)).collect();
        // Only the last one has to be filled up.
        alaw.resize(alaw.len().next_multiple_of(FRAME_BYTES), Law::Alaw.silence());
        octets += alaw.len();
        take(&alaw)
    })?;
    Ok(octets)
}

fn scaled(mut samples: Vec<i16>, volume_db: i8) -> Vec<i16> {
    volume::scale(&mut samples, volume_db);
    samples
}

/// How long so much A-law takes, milliseconds.
pub fn alaw_ms(octets: usize) -> u64 {
    octets.div_ceil(FRAME_BYTES) as u64 * FRAME_MS
}

/// One piece of audio, in whole frames.
#[derive(Clone, Debug)]
pub(super) struct Piece {
    ulaw: Arc<[u8]>,
    alaw: Arc<[u8]>,
    coded: Arc<OnceLock<Coded>>,
    /// Of a long prompt: octets of the whole, and its file of A-law.
    long: Option<(usize, Arc<Path>)>,
}

/// The same in the codecs that take longer to encode.
#[derive(Debug)]
struct Coded {
    g722: Box<[u8]>,
    /// A packet of 20 ms each.
    opus: Box<[Box<[u8]>]>,
}

impl Piece {
    /// Whole frames: the last one is filled up with silence.
    fn from_pcm(samples: &[i16]) -> Self {
        let padding = (FRAME_BYTES - samples.len() % FRAME_BYTES) % FRAME_BYTES;
        let padded = || samples.iter().copied().chain(std::iter::repeat_n(0, padding));
        let encoded = |law: Law| padded().map(|sample| law.encode(sample)).collect();
        Self { ulaw: encoded(Law::Ulaw), alaw: encoded(Law::Alaw), coded: Arc::default(), long: None }
    }

    /// Its octets in a codec of an octet for each sample; none while it is not encoded yet.
    pub(super) fn octets(&self, codec: Codec) -> Option<&[u8]> {
        match codec {
            Codec::G711(Law::Ulaw) => Some(&self.ulaw),
            Codec::G711(Law::Alaw) => Some(&self.alaw),
            Codec::G722 => self.coded.get().map(|coded| &*coded.g722),
            Codec::Opus => None,
        }
    }

    /// The Opus packet of its frame number `index`; none while it is not encoded yet.
    pub(super) fn packet(&self, index: usize) -> Option<&[u8]> {
        self.coded.get()?.opus.get(index).map(|packet| &**packet)
    }

    /// Octets in G.711.
    pub(super) fn len(&self) -> usize {
        self.long.as_ref().map_or(self.alaw.len(), |(len, _)| *len)
    }

    /// Whether the octet at `offset` is in memory.
    pub(super) fn holds(&self, offset: usize) -> bool {
        offset < self.alaw.len()
    }

    /// The file of a long prompt.
    pub(super) fn file(&self) -> Option<&Arc<Path>> {
        self.long.as_ref().map(|(_, file)| file)
    }

    /// Long prompts are encoded as they are played: another encoder would have to go on where this one ends.
    fn encode(&self) {
        if self.coded.get().is_some() || self.long.is_some() {
            return;
        }
        let frames = || {
            self.alaw.chunks(FRAME_BYTES).map(|frame| {
                let mut samples = [0; FRAME_BYTES];
                samples.iter_mut().zip(frame).for_each(|(sample, octet)| *sample = Law::Alaw.decode(*octet));
                samples
            })
        };
        let packets = |codec| -> Option<Vec<Box<[u8]>>> {
            let (mut voice, mut out) = (Voice::of(codec)?, [0; 512]);
            frames()
                .map(|frame| voice.encode_narrow(&frame, &mut out).and_then(|len| Some(out.get(..len)?.into())))
                .collect()
        };
        if let (Some(g722), Some(opus)) = (packets(Codec::G722), packets(Codec::Opus)) {
            let _ = self.coded.set(Coded { g722: g722.concat().into(), opus: opus.into() });
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

    /// Adds a prompt whose sound is in a file of A-law, `octets` of it, and of which `head` is the first chunk (whole, where it is no
    /// longer).
    pub fn add_long_prompt(&mut self, id: PromptId, head: &[u8], octets: usize, file: Arc<Path>) {
        let ulaw = head.iter().map(|octet| Law::Ulaw.encode(Law::Alaw.decode(*octet))).collect();
        let long = Some((octets, file));
        self.prompts.insert(id, Piece { ulaw, alaw: head.into(), coded: Arc::default(), long });
    }

    /// Adds a piece of music: 8,000 samples a second, one channel.
    pub fn add_music(&mut self, id: MusicId, samples: &[i16]) {
        self.music.insert(id, Piece::from_pcm(samples));
    }

    /// Adds a prompt from the bytes of a WAV file (one channel, 16 bit, 8 to 48 kHz), louder than it by `volume_db`.
    ///
    /// # Errors
    /// Where the file is something else.
    pub fn add_prompt_file(&mut self, id: PromptId, file: &[u8], volume_db: i8) -> Result<(), wav::WavError> {
        self.add_prompt(id, &scaled(wav::parse(file)?, volume_db));
        Ok(())
    }

    /// Adds a piece of music from the bytes of a WAV file, as for prompts.
    ///
    /// # Errors
    /// Where the file is something else.
    pub fn add_music_file(&mut self, id: MusicId, file: &[u8], volume_db: i8) -> Result<(), wav::WavError> {
        self.add_music(id, &scaled(wav::parse(file)?, volume_db));
        Ok(())
    }

    /// Adds the piece that the project composes itself, so that nobody's rights are touched, louder by `volume_db`.
    pub fn add_own_music(&mut self, id: MusicId, volume_db: i8) {
        self.add_music(id, &scaled(music::piece(MUSIC_SEED), volume_db));
    }

    /// Adds a tone of call progress by its name, as a country has it, louder by `volume_db`. Nothing where there is no such tone.
    pub fn add_progress_tone(&mut self, id: MusicId, (country, name): (&str, &str), volume_db: i8) {
        if let Some(samples) = progress::tone(country, name) {
            self.add_music(id, &scaled(samples, volume_db));
        }
    }

    /// Encodes everything for the codecs that take longer: seconds of work for minutes of sound, so it is for a thread of its own.
    /// What is not encoded yet when it is played is encoded as it is played.
    pub fn encode(&self) {
        self.prompts.values().chain(self.music.values()).for_each(Piece::encode);
    }

    /// How long a prompt takes, milliseconds: whole frames.
    pub fn prompt_ms(&self, id: PromptId) -> Option<u64> {
        self.prompt(id).map(|piece| alaw_ms(piece.len()))
    }

    pub(super) fn prompt(&self, id: PromptId) -> Option<&Piece> {
        self.prompts.get(&id)
    }

    pub(super) fn music(&self, id: MusicId) -> Option<&Piece> {
        self.music.get(&id)
    }
}
