//! Prompts and music from the disk into memory, in every law, before the first call.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use crate::engine::{MusicId, PromptId, PromptStore};

/// The piece that is played where no other is named.
pub(super) const OWN_MUSIC: MusicId = MusicId(0);

/// What was loaded, and under which numbers.
pub(super) struct Loaded {
    pub(super) store: PromptStore,
    /// By (language, name).
    pub(super) prompts: BTreeMap<(String, String), PromptId>,
    pub(super) music: BTreeMap<String, MusicId>,
}

/// A file that is there and cannot be played.
#[derive(Debug, thiserror::Error)]
#[error("cannot load {}: {what}; replace it by a WAV file with one channel, 16 bit, 8 or 16 kHz", path.display())]
pub struct PromptError {
    /// The file.
    pub path: PathBuf,
    /// What is wrong with it.
    pub what: String,
}

/// Loads `<language>/<name>.wav` of every language folder, and the music that queues name.
pub(super) fn load(folder: &Path, music: &BTreeSet<&str>) -> Result<Loaded, PromptError> {
    let mut loaded = Loaded { store: PromptStore::default(), prompts: BTreeMap::new(), music: BTreeMap::new() };
    loaded.store.add_own_music(OWN_MUSIC);
    for (number, name) in (1..).zip(music) {
        let path = folder.join(format!("{name}.wav"));
        let id = MusicId(number);
        loaded.store.add_music_file(id, &read(&path)?).map_err(|error| wrong(&path, &error))?;
        loaded.music.insert((*name).to_owned(), id);
    }
    let mut number = 0;
    for language in list(folder)?.into_iter().filter(|path| path.is_dir()) {
        for path in list(&language)?.into_iter().filter(|path| path.extension().is_some_and(|e| e == "wav")) {
            let (Some(language), Some(name)) = (language.file_name(), path.file_stem()) else { continue };
            let id = PromptId(number);
            number += 1;
            loaded.store.add_prompt_file(id, &read(&path)?).map_err(|error| wrong(&path, &error))?;
            let text = |name: &std::ffi::OsStr| name.to_string_lossy().into_owned();
            loaded.prompts.insert((text(language), text(name)), id);
        }
    }
    Ok(loaded)
}

fn read(path: &Path) -> Result<Vec<u8>, PromptError> {
    fs::read(path).map_err(|error| wrong(path, &error))
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
