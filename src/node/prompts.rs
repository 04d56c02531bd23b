//! Prompts and music from the disk into memory, in every law, before the first call and at each reload. Of long prompts only the
//! beginning is in memory; the rest is read while it is played, from a file in the form in which it is sent.

use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;
use std::fs;
use std::io::{BufReader, BufWriter, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use sha2::{Digest, Sha256};

use crate::config::{Music, Program, Prompt, Settings, said};
use crate::engine::{CHUNK_BYTES, MusicId, PromptId, PromptStore, alaw_ms, alaw_of, progress};

/// What stands for the hash of a file where there is none: the piece of our own.
const OWN_MUSIC: [u8; 32] = [0; 32];

/// A file that is there and cannot be played.
#[derive(Debug, thiserror::Error)]
#[error("cannot load {}: {what}; replace it by a WAV file with one channel, 16 bit, 8 to 48 kHz", path.display())]
pub struct PromptError {
    /// The file.
    pub path: PathBuf,
    /// What is wrong with it.
    pub what: String,
}

/// What is loaded, and under which numbers. What changes, be it a file or its volume, gets another number: what calls in progress play
/// stays what it was.
#[derive(Clone, Default)]
pub(super) struct Library {
    pub(super) store: PromptStore,
    /// In every volume in which the plan plays it.
    pub(super) prompts: BTreeMap<Prompt, PromptId>,
    pub(super) music: BTreeMap<Music, MusicId>,
    /// By the hash of the file, and decibels.
    known_prompts: BTreeMap<([u8; 32], i8), PromptId>,
    known_music: BTreeMap<([u8; 32], i8), MusicId>,
}

impl Library {
    /// The same with everything that these settings and this plan need, as it is now: the prompts, what queues and steps play, and the texts that
    /// a machine speaks.
    ///
    /// # Errors
    /// Where a file cannot be read or played, or a text cannot be spoken.
    pub(super) fn of(&self, settings: &Settings, program: &Program) -> Result<Self, PromptError> {
        let texts = program.texts();
        let spoken = Path::new(&settings.data_dir).join("spoken");
        super::speech::speak(&spoken, &settings.speech, &texts)?;
        let mut library = Self { prompts: BTreeMap::new(), music: BTreeMap::new(), ..self.clone() };
        let folder = Path::new(&settings.prompts);
        library.add_all_music(folder, settings, program)?;
        let text = |(language, text): &(&str, &str)| {
            let name = said(text);
            let path = spoken.join(language).join(format!("{name}.wav"));
            ((*language).to_owned(), name, path)
        };
        let (volumes, long) = (program.volumes(), Path::new(&settings.data_dir).join("prompts"));
        for (language, name, path) in prompt_files(folder)?.into_iter().chain(texts.iter().map(text)) {
            let asked = volumes.get(&name).into_iter().flatten().map(|db| Some(*db));
            for volume_db in asked.chain([None]) {
                let id = library.prompt(&path, &long, volume_db.unwrap_or(settings.volume.prompts_db))?;
                library.prompts.insert(Prompt::new(&language, &name).at(volume_db), id);
            }
        }
        Ok(library)
    }

    /// What is played where no music is named.
    pub(super) fn default_music(&self) -> MusicId {
        self.music.get(&Music::default()).copied().unwrap_or(MusicId(0))
    }

    /// What queues and steps play from the folder of prompts, the music of our own, and call progress tones, which are music like any
    /// other where no file of that name is played.
    fn add_all_music(&mut self, folder: &Path, settings: &Settings, program: &Program) -> Result<(), PromptError> {
        let usual = progress::NAMES.map(|name| Music { name: Some(name.to_owned()), volume_db: None });
        let all = program.music().into_iter().cloned().chain([Music::default()]).chain(usual);
        for music in all.collect::<BTreeSet<Music>>() {
            let db = music.volume_db.unwrap_or(settings.volume.music_db);
            let path = music.name.as_ref().map(|name| folder.join(format!("{name}.wav")));
            match (&music.name, path) {
                (Some(name), Some(path)) if is_tone(name, &path) => {
                    let (tone, db) = ((settings.tones.as_str(), name.as_str()), music.volume_db.unwrap_or(0));
                    let hash = Sha256::digest(format!("{} {}", tone.0, tone.1)).into();
                    let Ok(()) = self.add_music(&music, (hash, db), |store, id| {
                        store.add_progress_tone(id, tone, db);
                        Ok::<_, Infallible>(())
                    });
                }
                (Some(_), Some(path)) => {
                    let (bytes, hash) = read(&path)?;
                    self.add_music(&music, (hash, db), |store, id| {
                        store.add_music_file(id, &bytes, db).map_err(|error| wrong(&path, &error))
                    })?;
                }
                _ => {
                    let Ok(()) = self.add_music(&music, (OWN_MUSIC, db), |store, id| {
                        store.add_own_music(id, db);
                        Ok::<_, Infallible>(())
                    });
                }
            }
        }
        Ok(())
    }

    /// Names a piece of music, which `add` puts into the store where it is a new one.
    fn add_music<E>(
        &mut self,
        music: &Music,
        key: ([u8; 32], i8),
        add: impl FnOnce(&mut PromptStore, MusicId) -> Result<(), E>,
    ) -> Result<(), E> {
        // Nothing is ever taken away.
        let next = MusicId(self.known_music.len() as u32);
        let known = self.known_music.get(&key).copied();
        if known.is_none() {
            add(&mut self.store, next)?;
            self.known_music.insert(key, next);
        }
        self.music.insert(music.clone(), known.unwrap_or(next));
        Ok(())
    }

    /// The number of a prompt's file at a volume, which is loaded where it is a new one. Long ones are kept in `long` as they are sent.
    fn prompt(&mut self, path: &Path, long: &Path, volume_db: i8) -> Result<PromptId, PromptError> {
        // Nothing is ever taken away.
        let next = PromptId(self.known_prompts.len() as u32);
        let key = if is_long(path)? {
            let key = (hash_of(path)?, volume_db);
            if let Some(id) = self.known_prompts.get(&key) {
                return Ok(*id);
            }
            let (head, octets, file) = long_prompt(path, &key, long)?;
            self.store.add_long_prompt(next, &head, octets, file);
            key
        } else {
            let (bytes, hash) = read(path)?;
            if let Some(id) = self.known_prompts.get(&(hash, volume_db)) {
                return Ok(*id);
            }
            self.store.add_prompt_file(next, &bytes, volume_db).map_err(|error| wrong(path, &error))?;
            (hash, volume_db)
        };
        self.known_prompts.insert(key, next);
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

/// Makes sure that a long prompt is there as A-law, under its hash and volume; gives its first chunk, its length in octets and its file.
fn long_prompt(
    path: &Path,
    (hash, volume_db): &([u8; 32], i8),
    folder: &Path,
) -> Result<(Vec<u8>, usize, Arc<Path>), PromptError> {
    let mut name: String = hash.iter().map(|octet| format!("{octet:02x}")).collect();
    if *volume_db != 0 {
        name += &format!("_{volume_db}dB");
    }
    let file = folder.join(format!("{name}.alaw"));
    let failed = |error: std::io::Error| wrong(&file, &error);
    if !file.is_file() {
        fs::create_dir_all(folder).map_err(failed)?;
        let new = file.with_extension("new");
        let mut out = BufWriter::new(fs::File::create(&new).map_err(failed)?);
        each_piece(path, *volume_db, |alaw| out.write_all(alaw))?;
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
fn each_piece(
    path: &Path,
    volume_db: i8,
    take: impl FnMut(&[u8]) -> std::io::Result<()>,
) -> Result<usize, PromptError> {
    let file = fs::File::open(path).map_err(|error| wrong(path, &error))?;
    alaw_of(BufReader::new(file), volume_db, take).map_err(|error| wrong(path, &error))
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
            return each_piece(&path, 0, |_| Ok(())).map(drop);
        }
        let (bytes, _) = read(&path)?;
        PromptStore::default().add_prompt_file(PromptId(0), &bytes, 0).map_err(|error| wrong(&path, &error))
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
            lengths.insert((language, name), alaw_ms(each_piece(&path, 0, |_| Ok(()))?));
            continue;
        }
        let (bytes, _) = read(&path)?;
        store.add_prompt_file(PromptId(0), &bytes, 0).map_err(|error| wrong(&path, &error))?;
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
