//! Reads a sealed recording as the file that a player expects, from any place on: only the chunks that are asked for are opened.

use std::io::{self, Read};

use super::keys::KeyRing;
use super::sealed::{Form, HEAD_LEN, Layout, Opened, SealError};
use super::wav::wav_header;

/// A sealed file, read through `read_at`, which fills a buffer from an offset of the file.
pub struct SealedReader<F> {
    opened: Opened,
    layout: Layout,
    read_at: F,
    /// The WAV head that is not in the file; empty where what is sealed has its own.
    head: Vec<u8>,
    sound_len: u64,
    /// The chunk that was opened last, by its number.
    chunk: Option<(u32, Vec<u8>)>,
    position: u64,
}

impl<F: FnMut(&mut [u8], u64) -> io::Result<()>> SealedReader<F> {
    /// Opens the file of the recording `name`, which is `file_len` octets long, and makes sure that it was not cut.
    ///
    /// # Errors
    /// Where it cannot be read, no key opens it, or its end is not there; [`SealError`] is inside then.
    pub fn open(file_len: u64, name: &str, keys: &KeyRing, mut read_at: F) -> io::Result<Self> {
        let mut head = [0; HEAD_LEN];
        if file_len < HEAD_LEN as u64 {
            return Err(refused(SealError::Foreign));
        }
        read_at(&mut head, 0)?;
        let opened = Opened::open(&head, name, keys).map_err(refused)?;
        let layout = Layout::of(file_len, &head).ok_or_else(|| refused(SealError::Foreign))?;
        let sound_len = layout.sound_len().ok_or_else(|| refused(SealError::Cut))?;
        let head = match opened.form {
            Form::Sound(law) => wav_header(law, sound_len).to_vec(),
            Form::Ogg => Vec::new(),
        };
        let mut reader = Self { opened, layout, read_at, head, sound_len, chunk: None, position: 0 };
        reader.load(layout.full)?;
        Ok(reader)
    }

    /// What is inside.
    pub fn form(&self) -> Form {
        self.opened.form
    }

    /// Octets of the file that a player gets.
    pub fn file_len(&self) -> u64 {
        self.head.len() as u64 + self.sound_len
    }

    /// Goes on reading at this octet of the player's file.
    pub fn seek(&mut self, position: u64) {
        self.position = position;
    }

    /// Opens a chunk, unless it is the one that was opened last.
    fn load(&mut self, number: u32) -> io::Result<&[u8]> {
        if self.chunk.as_ref().is_none_or(|(loaded, _)| *loaded != number) {
            let last = number == self.layout.full;
            let mut sealed = vec![0; if last { self.layout.rest } else { self.layout.sealed_chunk() }];
            (self.read_at)(&mut sealed, self.layout.offset(number))?;
            let sound = self.opened.chunk(number, last, &mut sealed).map_err(refused)?.len();
            sealed.truncate(sound);
            self.chunk = Some((number, sealed));
        }
        Ok(self.chunk.as_ref().map(|(_, sound)| sound.as_slice()).unwrap_or_default())
    }
}

impl<F: FnMut(&mut [u8], u64) -> io::Result<()>> Read for SealedReader<F> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let head = self.head.len() as u64;
        let from = match self.position.checked_sub(head) {
            None => self.head.get(self.position as usize..).unwrap_or_default(),
            Some(at) if at >= self.sound_len => return Ok(0),
            // A sealed file has no more chunks than can be numbered.
            Some(at) => {
                let chunk = self.layout.chunk as u64;
                self.load((at / chunk) as u32)?.get((at % chunk) as usize..).unwrap_or_default()
            }
        };
        let len = from.len().min(buf.len());
        for (to, octet) in buf.iter_mut().zip(from) {
            *to = *octet;
        }
        self.position += len as u64;
        Ok(len)
    }
}

fn refused(error: SealError) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::g711::Law;
    use crate::recording::sealed::{CHUNK, SEALED_CHUNK};
    use crate::recording::{Drawn, Sealer};

    fn keys() -> KeyRing {
        KeyRing::parse(&format!("k:{}", "0f".repeat(32))).unwrap()
    }

    fn file(form: Form, sound: &[u8]) -> Vec<u8> {
        let (mut sealer, head) = Sealer::begin(form, "r", &keys(), &Drawn::from(&[5; 51])).unwrap();
        let mut file = head.to_vec();
        sealer.push(sound, &mut file).unwrap();
        sealer.finish(&mut file).unwrap();
        file
    }

    fn reading(file: &[u8]) -> impl FnMut(&mut [u8], u64) -> io::Result<()> {
        let file = file.to_vec();
        move |buf, at| {
            let from = file.get(at as usize..).and_then(|rest| rest.get(..buf.len()));
            buf.copy_from_slice(from.ok_or(io::ErrorKind::UnexpectedEof)?);
            Ok(())
        }
    }

    #[test]
    fn a_player_gets_a_wav_file_from_any_octet_on() {
        let sound: Vec<u8> = (0..3 * CHUNK + 77).map(|at| (at % 250) as u8).collect();
        let sealed = file(Form::Sound(Law::Ulaw), &sound);
        let mut reader = SealedReader::open(sealed.len() as u64, "r", &keys(), reading(&sealed)).unwrap();
        let plain: Vec<u8> = wav_header(Law::Ulaw, sound.len() as u64).into_iter().chain(sound).collect();
        assert_eq!((reader.file_len(), reader.form()), (plain.len() as u64, Form::Sound(Law::Ulaw)));
        for at in [0, 1, 57, 58, 59, CHUNK + 57, CHUNK + 58, plain.len() - 1, plain.len()] {
            reader.seek(at as u64);
            let mut rest = Vec::new();
            reader.read_to_end(&mut rest).unwrap();
            assert!(rest == plain[at..], "from {at}");
        }
    }

    #[test]
    fn a_part_is_read_without_the_others() {
        let sealed = file(Form::Ogg, &vec![3; 5 * CHUNK]);
        let mut broken = sealed.clone();
        broken[HEAD_LEN] ^= 1;
        let mut reader = SealedReader::open(broken.len() as u64, "r", &keys(), reading(&broken)).unwrap();
        reader.seek(3 * CHUNK as u64);
        let mut rest = Vec::new();
        reader.read_to_end(&mut rest).unwrap();
        assert_eq!(rest, vec![3; 2 * CHUNK]);
        reader.seek(10);
        let error = reader.read(&mut [0; 10]).unwrap_err();
        assert_eq!(error.get_ref().and_then(|error| error.downcast_ref()), Some(&SealError::Chunk(0)));
    }

    #[test]
    fn a_cut_file_does_not_even_open() {
        let sealed = file(Form::Ogg, &vec![3; 5 * CHUNK]);
        for len in [HEAD_LEN, HEAD_LEN + 1, HEAD_LEN + 2 * SEALED_CHUNK, sealed.len() - 1] {
            assert!(SealedReader::open(len as u64, "r", &keys(), reading(&sealed[..len])).is_err(), "{len}");
        }
    }
}
