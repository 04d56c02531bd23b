//! A sealed recording: AES-256-GCM (NIST SP 800-38D) in chunks of 50 ms, each authenticated by itself, so that a file grows while it
//! is recorded, a player may begin anywhere, and a killed process loses no more than the chunk that was being filled.
//!
//! ```text
//! 0    8  "TLSEALED"
//! 8    1  version: 1
//! 9    1  form of what is inside: 6 and 7 interleaved stereo in A-law and µ-law, 2 Ogg Opus
//! 10   2  zero
//! 12   4  octets of sound in a chunk, little endian: 800; older files have 3,200
//! 16   7  nonce prefix, drawn for the file; one zero octet follows
//! 24   1  length of the master key's name
//! 25  32  the name, zeros behind it
//! 57  12  nonce of the wrapping, drawn
//! 69  48  the data key, wrapped by the master key: AES-256-GCM, with octets 0–56 and the recording's name as additional data
//! 117  3  zero
//! 120     chunks: so many octets and a tag of 16 each; the last one holds less, and may hold nothing
//! ```
//!
//! Each file has a data key of its own, drawn, so no nonce meets a key twice: the nonce of a chunk is the prefix, its number (big
//! endian, from 0), and 1 where it is the last one, else 0 (the STREAM construction of Hoang, Reyhanitabar, Rogaway and Vizár,
//! 2015). A chunk that is moved, repeated, left out or put in from another file does not open, nor does one behind which the file was
//! cut: it does not say that it is the last one. The head of a WAV file is not in it but made when it is read: a head that changes with
//! each chunk would need its nonce again.

use ring::aead::{Aad, LessSafeKey, NONCE_LEN, Nonce};

use super::keys::{KeyRing, LONGEST_NAME, aes_256_gcm};
use crate::codec::g711::Law;

/// Octets before the first chunk.
pub const HEAD_LEN: usize = 120;
/// Octets of sound in a chunk that is full, in files that are made now: 50 ms. What fills no chunk yet is lost by a kill, beside what
/// waits for late pauses (300 ms), for a larger write (400) and for the writer's look (100): together well within a second.
pub const CHUNK: usize = 800;
/// The same in files of before.
const OLDER_CHUNK: usize = 3_200;
/// Octets of an authentication tag.
const TAG: usize = 16;
/// Octets of a full chunk in a file that is made now.
pub const SEALED_CHUNK: usize = CHUNK + TAG;

const MAGIC: &[u8; 8] = b"TLSEALED";
const VERSION: u8 = 1;
const PREFIX: std::ops::Range<usize> = 16..23;
const NAME: std::ops::Range<usize> = 25..57;
const WRAP_NONCE: std::ops::Range<usize> = 57..69;
const WRAPPED: std::ops::Range<usize> = 69..117;

/// What is sealed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// Interleaved stereo of this law, without a head.
    Sound(Law),
    /// A file of Ogg Opus.
    Ogg,
}

impl Form {
    fn octet(self) -> u8 {
        match self {
            Self::Ogg => 2,
            Self::Sound(Law::Alaw) => 6,
            Self::Sound(Law::Ulaw) => 7,
        }
    }

    fn of(octet: u8) -> Option<Self> {
        [Self::Ogg, Self::Sound(Law::Alaw), Self::Sound(Law::Ulaw)].into_iter().find(|form| form.octet() == octet)
    }
}

/// What is drawn at random for one file.
pub struct Drawn {
    /// Its data key.
    pub data_key: [u8; 32],
    /// The beginning of its chunks' nonces.
    pub prefix: [u8; 7],
    /// The nonce of the wrapping.
    pub wrap_nonce: [u8; NONCE_LEN],
}

impl Drawn {
    /// From so many octets of the system's randomness.
    pub fn from(random: &[u8; 51]) -> Self {
        let mut drawn = Self { data_key: [0; 32], prefix: [0; 7], wrap_nonce: [0; NONCE_LEN] };
        let octets = drawn.data_key.iter_mut().chain(&mut drawn.prefix).chain(&mut drawn.wrap_nonce);
        octets.zip(random).for_each(|(octet, random)| *octet = *random);
        drawn
    }
}

/// Why a sealed file does not open.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    /// It does not begin as one.
    #[error("it is no sealed recording, or one of a later version")]
    Foreign,
    /// Its master key is not at hand.
    #[error(
        "it is sealed under the master key \"{0}\", which is not among ours: add that key to recording.key_file or TRUNKLINE_RECORDING_KEYS"
    )]
    UnknownKey(String),
    /// Its head was changed, or is another recording's, or the key of that name is another one.
    #[error(
        "its data key does not open under the master key \"{0}\": either that key is another one than it was sealed under, or the file's head was changed or belongs to another recording"
    )]
    WrongKey(String),
    /// A chunk was changed, moved, or comes from elsewhere.
    #[error("chunk {0} is not what was sealed there: the file was changed or damaged")]
    Chunk(u32),
    /// It ends before its end.
    #[error("it was cut, or its end was changed: its last chunk is not there")]
    Cut,
    /// It is longer than chunks can be numbered, which is six years.
    #[error("it is too long")]
    TooLong,
}

/// Seals one file as its sound comes.
pub struct Sealer {
    key: LessSafeKey,
    prefix: [u8; 7],
    next: u32,
    /// Octets of sound in a full chunk.
    chunk: usize,
    /// Sound that fills no chunk yet.
    pending: Vec<u8>,
}

impl Sealer {
    /// Begins the file of the recording `name` under the newest of `keys`; gives its head too.
    ///
    /// # Errors
    /// Never with keys that were read and random octets; what the library refuses is told all the same.
    pub fn begin(form: Form, name: &str, keys: &KeyRing, drawn: &Drawn) -> Result<(Self, [u8; HEAD_LEN]), SealError> {
        Self::begin_in(CHUNK, form, name, keys, drawn)
    }

    fn begin_in(
        chunk: usize,
        form: Form,
        name: &str,
        keys: &KeyRing,
        drawn: &Drawn,
    ) -> Result<(Self, [u8; HEAD_LEN]), SealError> {
        let mut head = [0; HEAD_LEN];
        let octets = (chunk as u32).to_le_bytes();
        let parts: [(usize, &[u8]); 4] =
            [(0, MAGIC), (8, &[VERSION, form.octet()]), (12, &octets), (PREFIX.start, &drawn.prefix)];
        for (at, octets) in parts {
            put(&mut head, at, octets);
        }
        wrap(&mut head, name, keys, &drawn.data_key, drawn.wrap_nonce)?;
        let sealer = Self {
            key: aes_256_gcm(&drawn.data_key),
            prefix: drawn.prefix,
            next: 0,
            chunk,
            pending: Vec::with_capacity(chunk),
        };
        Ok((sealer, head))
    }

    /// Goes on with a file that a killed process left: `chunks` full ones stand in it.
    pub fn go_on(opened: &Opened, chunks: u32) -> Self {
        Self { key: opened.key.clone(), prefix: opened.prefix, next: chunks, chunk: opened.chunk, pending: Vec::new() }
    }

    /// Takes sound; what it fills is appended to `out`, sealed.
    ///
    /// # Errors
    /// Where chunks cannot be numbered any more.
    pub fn push(&mut self, mut sound: &[u8], out: &mut Vec<u8>) -> Result<(), SealError> {
        while self.pending.len() + sound.len() >= self.chunk {
            let (now, later) = sound.split_at(self.chunk.saturating_sub(self.pending.len()).min(sound.len()));
            self.pending.extend_from_slice(now);
            sound = later;
            self.seal(false, out)?;
        }
        self.pending.extend_from_slice(sound);
        Ok(())
    }

    /// Seals the last chunk; nothing may follow.
    ///
    /// # Errors
    /// Where chunks cannot be numbered any more.
    pub fn finish(&mut self, out: &mut Vec<u8>) -> Result<(), SealError> {
        self.seal(true, out)
    }

    fn seal(&mut self, last: bool, out: &mut Vec<u8>) -> Result<(), SealError> {
        let number = self.next;
        self.next = self.next.checked_add(1).ok_or(SealError::TooLong)?;
        let nonce = nonce(self.prefix, number, last);
        let tag = self.key.seal_in_place_separate_tag(nonce, Aad::empty(), &mut self.pending);
        let tag = tag.map_err(|_| SealError::Chunk(number))?;
        out.append(&mut self.pending);
        out.extend_from_slice(tag.as_ref());
        Ok(())
    }
}

/// A sealed file whose data key is known.
pub struct Opened {
    key: LessSafeKey,
    prefix: [u8; 7],
    chunk: usize,
    /// What is inside.
    pub form: Form,
}

impl Opened {
    /// Opens the head of the file of the recording `name`.
    ///
    /// # Errors
    /// Where it is no head, or no key of ours opens it.
    pub fn open(head: &[u8], name: &str, keys: &KeyRing) -> Result<Self, SealError> {
        let head = head.first_chunk::<HEAD_LEN>().ok_or(SealError::Foreign)?;
        let (form, chunk) = form_of(head).ok_or(SealError::Foreign)?;
        let mut data_key = unwrap(head, name, keys)?;
        let mut prefix = [0; 7];
        prefix.iter_mut().zip(head.get(PREFIX).unwrap_or_default()).for_each(|(to, from)| *to = *from);
        let opened = Self { key: aes_256_gcm(&data_key), prefix, chunk, form };
        data_key.fill(0);
        std::hint::black_box(&data_key);
        Ok(opened)
    }

    /// Opens chunk `number` in place; gives its sound.
    ///
    /// # Errors
    /// Where it is not what was sealed there, under this number and in this role.
    pub fn chunk<'a>(&self, number: u32, last: bool, sealed: &'a mut [u8]) -> Result<&'a [u8], SealError> {
        let nonce = nonce(self.prefix, number, last);
        let opened = self.key.open_in_place(nonce, Aad::empty(), sealed);
        opened.map(|sound| &*sound).map_err(|_| if last { SealError::Cut } else { SealError::Chunk(number) })
    }
}

/// Where chunks lie in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layout {
    /// Octets of sound in a full chunk.
    pub chunk: usize,
    /// Chunks that are full.
    pub full: u32,
    /// Octets of what follows them in the file: the last chunk, or what a kill left of one.
    pub rest: usize,
}

impl Layout {
    /// Octets of sound in a full chunk of a file that is made now.
    pub const SOUND: usize = CHUNK;

    /// That of a file of so many octets which begins with `head`; `None` where that is no whole head of ours, or the file is longer
    /// than one can be.
    pub fn of(file_len: u64, head: &[u8]) -> Option<Self> {
        let (_, chunk) = form_of(head.first_chunk()?)?;
        let chunks = file_len.checked_sub(HEAD_LEN as u64)?;
        let sealed = (chunk + TAG) as u64;
        let full = u32::try_from(chunks / sealed).ok()?;
        Some(Self { chunk, full, rest: (chunks % sealed) as usize })
    }

    /// Octets of a full chunk in the file.
    pub fn sealed_chunk(self) -> usize {
        self.chunk + TAG
    }

    /// Octets of sound in a file with a last chunk; `None` where it cannot have one.
    pub fn sound_len(self) -> Option<u64> {
        Some(u64::from(self.full) * self.chunk as u64 + self.rest.checked_sub(TAG)? as u64)
    }

    /// Where chunk `number` begins in the file.
    pub fn offset(self, number: u32) -> u64 {
        HEAD_LEN as u64 + u64::from(number) * self.sealed_chunk() as u64
    }
}

/// Wraps a head's data key anew, under the newest of `keys`. Gives whether that was needed.
///
/// # Errors
/// Where the head does not open.
pub fn rewrap(
    head: &mut [u8; HEAD_LEN],
    name: &str,
    keys: &KeyRing,
    wrap_nonce: [u8; NONCE_LEN],
) -> Result<bool, SealError> {
    form_of(head).ok_or(SealError::Foreign)?;
    let data_key = unwrap(head, name, keys)?;
    if key_name(head) == keys.newest_name() {
        return Ok(false);
    }
    wrap(head, name, keys, &data_key, wrap_nonce)?;
    Ok(true)
}

/// Whether a file begins as a sealed one.
pub fn is_sealed(head: &[u8]) -> bool {
    head.starts_with(MAGIC)
}

/// What a head of ours says: what is inside, and in chunks of how many octets of sound.
fn form_of(head: &[u8; HEAD_LEN]) -> Option<(Form, usize)> {
    let is_chunk = |chunk: &usize| head.get(12..16) == Some(&(*chunk as u32).to_le_bytes()[..]);
    let chunk = [CHUNK, OLDER_CHUNK].into_iter().find(is_chunk)?;
    let ours = is_sealed(head) && head.get(8) == Some(&VERSION);
    Form::of(*head.get(9)?).filter(|_| ours).map(|form| (form, chunk))
}

fn key_name(head: &[u8; HEAD_LEN]) -> String {
    let len = head.get(24).map_or(0, |len| usize::from(*len)).min(LONGEST_NAME);
    let name = head.get(NAME).and_then(|name| name.get(..len)).unwrap_or_default();
    String::from_utf8_lossy(name).into_owned()
}

fn wrap(
    head: &mut [u8; HEAD_LEN],
    name: &str,
    keys: &KeyRing,
    data_key: &[u8; 32],
    wrap_nonce: [u8; NONCE_LEN],
) -> Result<(), SealError> {
    let (key_name, master) = keys.newest().ok_or_else(|| SealError::UnknownKey(String::new()))?;
    // Names of keys have 32 octets at most.
    put(head, 24, &[key_name.len() as u8]);
    put(head, NAME.start, &[0; LONGEST_NAME]);
    put(head, NAME.start, key_name.as_bytes());
    put(head, WRAP_NONCE.start, &wrap_nonce);
    let mut wrapped = *data_key;
    let nonce = Nonce::assume_unique_for_key(wrap_nonce);
    let tag = master.seal_in_place_separate_tag(nonce, Aad::from(context(head, name)), &mut wrapped);
    let tag = tag.map_err(|_| SealError::WrongKey(key_name.to_owned()))?;
    put(head, WRAPPED.start, &wrapped);
    put(head, WRAPPED.start + wrapped.len(), tag.as_ref());
    Ok(())
}

fn unwrap(head: &[u8; HEAD_LEN], name: &str, keys: &KeyRing) -> Result<[u8; 32], SealError> {
    let key_name = key_name(head);
    let Some(master) = keys.find(&key_name) else { return Err(SealError::UnknownKey(key_name)) };
    let refused = || SealError::WrongKey(key_name.clone());
    let nonce = head.get(WRAP_NONCE).and_then(|nonce| nonce.first_chunk::<NONCE_LEN>()).ok_or_else(refused)?;
    let mut wrapped = head.get(WRAPPED).and_then(|wrapped| wrapped.first_chunk::<48>()).copied().ok_or_else(refused)?;
    let nonce = Nonce::assume_unique_for_key(*nonce);
    let opened = master.open_in_place(nonce, Aad::from(context(head, name)), &mut wrapped).map_err(|_| refused())?;
    opened.first_chunk::<32>().copied().ok_or_else(refused)
}

/// What a wrapped key is bound to.
fn context(head: &[u8; HEAD_LEN], name: &str) -> Vec<u8> {
    let own = head.get(..WRAP_NONCE.start).unwrap_or_default();
    own.iter().copied().chain(name.bytes()).collect()
}

fn nonce(prefix: [u8; 7], number: u32, last: bool) -> Nonce {
    let mut octets = [0; NONCE_LEN];
    let parts = prefix.into_iter().chain(number.to_be_bytes()).chain([u8::from(last)]);
    octets.iter_mut().zip(parts).for_each(|(octet, part)| *octet = part);
    Nonce::assume_unique_for_key(octets)
}

fn put(head: &mut [u8; HEAD_LEN], at: usize, octets: &[u8]) {
    for (place, octet) in head.iter_mut().skip(at).zip(octets) {
        *place = *octet;
    }
}

#[cfg(test)]
#[path = "sealed_tests.rs"]
mod tests;
