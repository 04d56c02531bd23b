//! A recording's file as a player gets it, sealed or not.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::FileExt;
use std::path::Path;

use super::kept::{KeptError, read_manifest};
use super::recordings_dir;
use crate::recording::{ENDINGS, Form, KeyRing, Manifest, SealError, SealedReader};

type ReadAt = Box<dyn FnMut(&mut [u8], u64) -> io::Result<()> + Send>;

/// Why a recording cannot be played.
#[derive(Debug, thiserror::Error)]
pub enum UnreadableError {
    /// There is no such file.
    #[error("recording {0} has no file")]
    Missing(String),
    /// It is sealed and there are no keys.
    #[error("recording {0} is sealed, and there are no keys: set recording.key_file or TRUNKLINE_RECORDING_KEYS")]
    NoKeys(String),
    /// It does not open.
    #[error("recording {name} cannot be opened: {source}")]
    Sealed {
        /// Which one.
        name: String,
        /// Why.
        source: SealError,
    },
    /// Its manifest cannot be read.
    #[error(transparent)]
    Kept(#[from] KeptError),
    /// The system does not give it.
    #[error("recording {name} cannot be read: {source}; check the data folder and its permissions")]
    Io {
        /// Which one.
        name: String,
        /// The system's refusal.
        source: io::Error,
    },
}

enum Inner {
    Plain(File, u64),
    Sealed(Box<SealedReader<ReadAt>>),
}

/// A recording's file, to be read from any place on. Reading blocks.
pub struct RecordingFile {
    inner: Inner,
    ogg: bool,
    /// What is known of it; none while it has no manifest.
    pub manifest: Option<Manifest>,
}

impl RecordingFile {
    /// Opens the recording `name`; a sealed one is made sure not to have been cut.
    ///
    /// # Errors
    /// Where it is not there, cannot be read, or no key opens it.
    pub fn open(data_dir: &Path, name: &str, keys: Option<&KeyRing>) -> Result<Self, UnreadableError> {
        let dir = recordings_dir(data_dir);
        let missing = || UnreadableError::Missing(name.to_owned());
        // The name comes from our journal; that it stays inside the folder is checked all the same.
        if name.is_empty() || !name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_')) {
            return Err(missing());
        }
        let manifest = read_manifest(&dir, name)?;
        let named = manifest.as_ref().and_then(Manifest::file_name);
        let there =
            || ENDINGS.into_iter().map(|ending| format!("{name}.{ending}")).find(|file| dir.join(file).exists());
        let file_name = named.or_else(there).ok_or_else(missing)?;
        Self::read(&dir, name, &file_name, manifest, keys)
    }

    /// Opens the file that a manifest names, whether the manifest is on the disk already or not.
    pub(super) fn of(data_dir: &Path, manifest: &Manifest, keys: Option<&KeyRing>) -> Result<Self, UnreadableError> {
        let name = &manifest.recording;
        let file_name = manifest.file_name().ok_or_else(|| UnreadableError::Missing(name.clone()))?;
        Self::read(&recordings_dir(data_dir), name, &file_name, Some(manifest.clone()), keys)
    }

    fn read(
        dir: &Path,
        name: &str,
        file_name: &str,
        manifest: Option<Manifest>,
        keys: Option<&KeyRing>,
    ) -> Result<Self, UnreadableError> {
        let missing = || UnreadableError::Missing(name.to_owned());
        let unread = |source: io::Error| match source.kind() {
            io::ErrorKind::NotFound => missing(),
            _ => UnreadableError::Io { name: name.to_owned(), source },
        };
        let file = File::open(dir.join(file_name)).map_err(unread)?;
        let len = file.metadata().map_err(unread)?.len();
        if !file_name.ends_with(".sealed") {
            let ogg = file_name.ends_with(".opus");
            return Ok(Self { inner: Inner::Plain(file, len), ogg, manifest });
        }
        let keys = keys.ok_or_else(|| UnreadableError::NoKeys(name.to_owned()))?;
        let read: ReadAt = Box::new(move |buf, at| file.read_exact_at(buf, at));
        let reader = SealedReader::open(len, name, keys, read).map_err(|source| {
            match source.get_ref().and_then(|inner| inner.downcast_ref::<SealError>()) {
                Some(sealed) => UnreadableError::Sealed { name: name.to_owned(), source: sealed.clone() },
                None => unread(source),
            }
        })?;
        let ogg = reader.form() == Form::Ogg;
        Ok(Self { inner: Inner::Sealed(Box::new(reader)), ogg, manifest })
    }

    /// Octets of the player's file.
    pub fn file_len(&self) -> u64 {
        match &self.inner {
            Inner::Plain(_, len) => *len,
            Inner::Sealed(reader) => reader.file_len(),
        }
    }

    /// What it is, for a Content-Type (RFC 2361, RFC 7845 §9).
    pub fn media_type(&self) -> &'static str {
        if self.ogg { "audio/ogg; codecs=opus" } else { "audio/wav" }
    }

    /// The hash of the player's file, where its manifest has one.
    pub fn sha256(&self) -> Option<&str> {
        self.manifest.as_ref().and_then(|manifest| manifest.sha256.as_deref())
    }

    /// Goes on reading at this octet of the player's file.
    ///
    /// # Errors
    /// Where the system refuses.
    pub fn seek(&mut self, position: u64) -> io::Result<()> {
        match &mut self.inner {
            Inner::Plain(file, _) => file.seek(SeekFrom::Start(position)).map(|_| ()),
            Inner::Sealed(reader) => {
                reader.seek(position);
                Ok(())
            }
        }
    }
}

impl Read for RecordingFile {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        match &mut self.inner {
            Inner::Plain(file, _) => file.read(buf),
            Inner::Sealed(reader) => reader.read(buf),
        }
    }
}
