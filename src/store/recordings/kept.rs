//! What lies in the folder of the recordings.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use crate::recording::{ENDINGS, Manifest};

/// Why the folder of the recordings could not be worked on.
#[derive(Debug, thiserror::Error)]
#[error("recordings: cannot {act} {}: {source}; check space and permissions of the data folder", path.display())]
pub struct KeptError {
    act: &'static str,
    path: PathBuf,
    source: io::Error,
}

impl KeptError {
    pub(super) fn at(act: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self + use<> {
        let path = path.to_owned();
        move |source| Self { act, path, source }
    }
}

/// A file that may be a recording's sound.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Kept {
    /// The recording's name.
    pub(super) name: String,
    /// Behind the name and a dot.
    pub(super) ending: &'static str,
}

impl Kept {
    pub(super) fn path(&self, dir: &Path) -> PathBuf {
        dir.join(format!("{}.{}", self.name, self.ending))
    }
}

/// Every file with an ending of a recording's, in order.
pub(super) fn kept(dir: &Path) -> Result<Vec<Kept>, KeptError> {
    let entries = match fs::read_dir(dir) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(KeptError::at("list", dir)(error)),
    };
    let mut found = Vec::new();
    for entry in entries {
        let path = entry.map_err(KeptError::at("list", dir))?.path();
        let file = path.file_name().and_then(|name| name.to_str()).filter(|_| path.is_file());
        let Some((name, ending)) = file.and_then(|file| file.split_once('.')) else { continue };
        if let Some(ending) = ENDINGS.into_iter().find(|known| *known == ending) {
            found.push(Kept { name: name.to_owned(), ending });
        }
    }
    found.sort_unstable();
    Ok(found)
}

/// Written beside and renamed: half a manifest would make the file count as closed. It and what was renamed before it survive a power
/// cut from then on.
pub(super) fn write_manifest(dir: &Path, manifest: &Manifest) -> Result<(), KeptError> {
    let path = dir.join(format!("{}.json", manifest.recording));
    let beside = dir.join(format!("{}.json.new", manifest.recording));
    let fail = |act| KeptError::at(act, &path);
    let text = serde_json::to_vec_pretty(manifest).map_err(io::Error::other).map_err(fail("encode"))?;
    let mut file = create(&beside).map_err(fail("create"))?;
    file.write_all(&text).and_then(|()| file.sync_all()).map_err(fail("write"))?;
    fs::rename(&beside, &path).map_err(fail("rename"))?;
    File::open(dir).and_then(|dir| dir.sync_all()).map_err(KeptError::at("sync", dir))
}

/// A new file that nobody but the daemon's own user reads, whatever its umask. What a killed process left there has a mode of its own.
pub(super) fn create(path: &Path) -> io::Result<File> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => OpenOptions::new().create_new(true).write(true).mode(0o600).open(path),
    }
}

/// The manifest of a recording; `None` where there is none, or what is there is damaged, which the log tells.
pub(super) fn read_manifest(dir: &Path, name: &str) -> Result<Option<Manifest>, KeptError> {
    let path = dir.join(format!("{name}.json"));
    match fs::read(&path) {
        Ok(text) => match serde_json::from_slice(&text) {
            Ok(manifest) => Ok(Some(manifest)),
            Err(error) => {
                tracing::error!(file = %path.display(), %error, "the recording's manifest is damaged");
                Ok(None)
            }
        },
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(KeptError::at("read", &path)(error)),
    }
}
