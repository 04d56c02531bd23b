//! Prompts and music from the disk into memory, in every law, before the first call and at each reload. Of long prompts only the
//! beginning is in memory; the rest is read while it is played, from a file in the form in which it is sent.

use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;
use std::fs;
use std::io::{BufReader, BufWriter, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use sha2::{Digest, Sha256};

use crate::config::{Program, Settings, said};
use crate::engine::{CHUNK_BYTES, MusicId, PromptId, PromptStore, alaw_ms, alaw_of, progress};

/// The piece that is played where no other is named.
pub(super) const OWN_MUSIC: MusicId = MusicId(0);

/// A file that is there and cannot be played.
#[derive(Debug, thiserror::Error)]
#[error("cannot load {}: {what}; replace it by a WAV file with one channel, 16 bit, 8 to 48 kHz", path.display())]
pub struct PromptError {
    /// The file.
    pub path: PathBuf,
    /// What is wrong with it.
    pub what: String,
}

/// What is loaded, and under which numbers. A file that changes gets another number: what calls in progress play stays what it was.
#[derive(Clone)]
pub(super) struct Library {
    pub(super) store: PromptStore,
    /// By (language, name).
    pub(super) prompts: BTreeMap<(String, String), PromptId>,
    pub(super) music: BTreeMap<String, MusicId>,
    known_prompts: BTreeMap<[u8; 32], PromptId>,
    known_music: BTreeMap<[u8; 32], MusicId>,
}

impl Library {
    /// With the music of our own only.
    pub(super) fn new() -> Self {
        let mut store = PromptStore::default();
        store.add_own_music(OWN_MUSIC);
        let (prompts, music) = (BTreeMap::new(), BTreeMap::new());
        Self { store, prompts, music, known_prompts: BTreeMap::new(), known_music: BTreeMap::new() }
    }

    /// The same with everything that these settings and this plan need, as it is now: the prompts, what queues and steps play, and the texts that
    /// a machine speaks.
    ///
    /// # Errors
    /// Where a file cannot be read or played, or a text cannot be spoken.
    pub(super) fn of(&self, settings: &Settings, program: &Program) -> Result<Self, PromptError> {
        let music = program.music();
        let texts = program.texts();
        let spoken = Path::new(&settings.data_dir).join("spoken");
        super::speech::speak(&spoken, &settings.speech, &texts)?;
        let named = |(language, text): &(&str, &str)| {
            let name = said(text);
            let path = spoken.join(language).join(format!("{name}.wav"));
            ((*language).to_owned(), name, path)
        };
        let long = Path::new(&settings.data_dir).join("prompts");
        let mut library =
            self.loaded(Path::new(&settings.prompts), &music, texts.iter().map(named).collect(), &long)?;
        library.add_tones(&settings.tones);
        Ok(library)
    }

    /// Call progress tones are music like any other, where no file of that name is played.
    fn add_tones(&mut self, country: &str) {
        for name in progress::NAMES {
            let Some(samples) = progress::tone(country, name).filter(|_| !self.music.contains_key(name)) else {
                continue;
            };
            let mut hasher = Sha256::new();
            samples.iter().for_each(|sample| hasher.update(sample.to_le_bytes()));
            let hash = hasher.finalize().into();
            let Ok(()) = self.add_music(name, hash, |store, id| {
                store.add_music(id, &samples);
                Ok::<_, Infallible>(())
            });
        }
    }

    /// Names a piece of music, which `add` puts into the store where it is a new one.
    fn add_music<E>(
        &mut self,
        name: &str,
        hash: [u8; 32],
        add: impl FnOnce(&mut PromptStore, MusicId) -> Result<(), E>,
    ) -> Result<(), E> {
        // OWN_MUSIC is 0, and nothing is ever taken away.
        let next = MusicId(self.known_music.len() as u32 + 1);
        let known = self.known_music.get(&hash).copied();
        if known.is_none() {
            add(&mut self.store, next)?;
            self.known_music.insert(hash, next);
        }
        self.music.insert(name.to_owned(), known.unwrap_or(next));
        Ok(())
    }

    /// The same with `<language>/<name>.wav` of every language folder as they are now, and more besides, and the music that queues
    /// name. Long prompts are kept in `long` as they are sent.
    fn loaded(
        &self,
        folder: &Path,
        music: &BTreeSet<&str>,
        more: Vec<(String, String, PathBuf)>,
        long: &Path,
    ) -> Result<Self, PromptError> {
        let mut library = Self { prompts: BTreeMap::new(), music: BTreeMap::new(), ..self.clone() };
        for name in music {
            let path = folder.join(format!("{name}.wav"));
            if is_tone(name, &path) {
                continue;
            }
            let (bytes, hash) = read(&path)?;
            library.add_music(name, hash, |store, id| {
                store.add_music_file(id, &bytes).map_err(|error| wrong(&path, &error))
            })?;
        }
        for (language, name, path) in prompt_files(folder)?.into_iter().chain(more) {
            let id = library.prompt(&path, long)?;
            library.prompts.insert((language, name), id);
        }
        Ok(library)
    }

    /// The number of a prompt's file, which is loaded where it is a new one.
    fn prompt(&mut self, path: &Path, long: &Path) -> Result<PromptId, PromptError> {
        // Nothing is ever taken away.
        let next = PromptId(self.known_prompts.len() as u32);
        let hash = if is_long(path)? {
            let hash = hash_of(path)?;
            if let Some(id) = self.known_prompts.get(&hash) {
                return Ok(*id);
            }
            let (head, octets, file) = long_prompt(path, &hash, long)?;
            self.store.add_long_prompt(next, &head, octets, file);
            hash
        } else {
            let (bytes, hash) = read(path)?;
            if let Some(id) = self.known_prompts.get(&hash) {
                return Ok(*id);
            }
            self.store.add_prompt_file(next, &bytes).map_err(|error| wrong(path, &error))?;
            hash
        };
        self.known_prompts.insert(hash, next);
        Ok(next)
    }
}

/// Whether a piece of music is a call progress tone, for which there is no file.
fn is_tone(name: &str, path: &Path) -> bool {
    progress::NAMES.contains(&name) && !path.is_file()
}

/// Octets of a file that is kept in memory as a whole: about a minute at 16 kHz.
const LONG: u64 = 2_000_000;

fn is_long(path: &Path) -> Result<bool, PromptError> {
    Ok(fs::metadata(path).map_err(|error| wrong(path, &error))?.len() > LONG)
}

fn hash_of(path: &Path) -> Result<[u8; 32], PromptError> {
    let mut hasher = Sha256::new();
    let mut file = fs::File::open(path).map_err(|error| wrong(path, &error))?;
    let mut piece = vec![0; 1 << 16];
    loop {
        match file.read(&mut piece).map_err(|error| wrong(path, &error))? {
            0 => return Ok(hasher.finalize().into()),
            count => hasher.update(piece.get(..count).unwrap_or_default()),
        }
    }
}

/// Makes sure that a long prompt is there as A-law, under its hash; gives its first chunk, its length in octets and its file.
fn long_prompt(path: &Path, hash: &[u8; 32], folder: &Path) -> Result<(Vec<u8>, usize, Arc<Path>), PromptError> {
    let name: String = hash.iter().map(|octet| format!("{octet:02x}")).collect();
    let file = folder.join(format!("{name}.alaw"));
    let failed = |error: std::io::Error| wrong(&file, &error);
    if !file.is_file() {
        fs::create_dir_all(folder).map_err(failed)?;
        let new = file.with_extension("new");
        let mut out = BufWriter::new(fs::File::create(&new).map_err(failed)?);
        each_piece(path, |alaw| out.write_all(alaw))?;
        let out = out.into_inner().map_err(|error| failed(error.into_error()))?;
        out.sync_all().map_err(failed)?;
        fs::rename(&new, &file).map_err(failed)?;
        tracing::info!(prompt = %path.display(), file = %file.display(), "a long prompt will be played from the disk");
    }
    let octets = fs::metadata(&file).map_err(failed)?.len();
    let mut head = Vec::with_capacity(CHUNK_BYTES);
    fs::File::open(&file).map_err(failed)?.take(CHUNK_BYTES as u64).read_to_end(&mut head).map_err(failed)?;
    Ok((head, usize::try_from(octets).unwrap_or(usize::MAX), file.into()))
}

/// Every piece of a long prompt, in A-law; gives octets of the whole.
fn each_piece(path: &Path, take: impl FnMut(&[u8]) -> std::io::Result<()>) -> Result<usize, PromptError> {
    let file = fs::File::open(path).map_err(|error| wrong(path, &error))?;
    alaw_of(BufReader::new(file), take).map_err(|error| wrong(path, &error))
}

/// Every prompt of the folder, and every piece of music that queues name, that cannot be read or played.
pub fn unplayable(folder: &Path, music: &BTreeSet<&str>) -> Vec<PromptError> {
    let prompts = match prompt_files(folder) {
        Ok(prompts) => prompts,
        Err(error) => return vec![error],
    };
    let music = music.iter().map(|name| (*name, folder.join(format!("{name}.wav"))));
    let music = music.filter(|(name, path)| !is_tone(name, path)).map(|(_, path)| path);
    let files = prompts.into_iter().map(|(_, _, path)| path).chain(music);
    let tried = files.map(|path| {
        if is_long(&path)? && path.parent() != Some(folder) {
            return each_piece(&path, |_| Ok(())).map(drop);
        }
        let (bytes, _) = read(&path)?;
        PromptStore::default().add_prompt_file(PromptId(0), &bytes).map_err(|error| wrong(&path, &error))
    });
    tried.filter_map(Result::err).collect()
}

/// How long each prompt of the folder takes when it is played, milliseconds, by language and name.
///
/// # Errors
/// Where a file cannot be read or played.
pub fn prompt_lengths(folder: &Path) -> Result<BTreeMap<(String, String), u64>, PromptError> {
    let mut store = PromptStore::default();
    let mut lengths = BTreeMap::new();
    for (language, name, path) in prompt_files(folder)? {
        if is_long(&path)? {
            lengths.insert((language, name), alaw_ms(each_piece(&path, |_| Ok(()))?));
            continue;
        }
        let (bytes, _) = read(&path)?;
        store.add_prompt_file(PromptId(0), &bytes).map_err(|error| wrong(&path, &error))?;
        lengths.extend(store.prompt_ms(PromptId(0)).map(|ms| ((language, name), ms)));
    }
    Ok(lengths)
}

/// Language, name and path of every prompt; none where there is no folder.
fn prompt_files(folder: &Path) -> Result<Vec<(String, String, PathBuf)>, PromptError> {
    let mut files = Vec::new();
    for language in list(folder)?.into_iter().filter(|path| path.is_dir()) {
        for path in list(&language)?.into_iter().filter(|path| path.extension().is_some_and(|e| e == "wav")) {
            let (Some(language), Some(name)) = (language.file_name(), path.file_stem()) else { continue };
            let text = |name: &std::ffi::OsStr| name.to_string_lossy().into_owned();
            files.push((text(language), text(name), path.clone()));
        }
    }
    Ok(files)
}

fn read(path: &Path) -> Result<(Vec<u8>, [u8; 32]), PromptError> {
    let bytes = fs::read(path).map_err(|error| wrong(path, &error))?;
    let hash = Sha256::digest(&bytes).into();
    Ok((bytes, hash))
}

fn list(folder: &Path) -> Result<Vec<PathBuf>, PromptError> {
    let entries = fs::read_dir(folder).and_then(|entries| entries.map(|entry| Ok(entry?.path())).collect());
    let mut entries: Vec<PathBuf> = entries.map_err(|error| wrong(folder, &error))?;
    entries.sort();
    Ok(entries)
}

fn wrong(path: &Path, what: &dyn std::fmt::Display) -> PromptError {
    PromptError { path: path.to_owned(), what: what.to_string() }
}
