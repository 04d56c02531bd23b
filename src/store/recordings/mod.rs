//! Recordings' files: mended at a start, read for players, sealed anew under a new key.

mod compress;
mod file;
mod kept;
mod mend;
mod rekey;

pub use compress::Compressor;
pub use file::{RecordingFile, UnreadableError};
pub use kept::KeptError;
pub use mend::mend_recordings;
pub use rekey::{Rekeyed, rekey_recordings};

use std::path::{Path, PathBuf};

/// The names of the recordings that have a manifest, in order.
///
/// # Errors
/// Where the folder cannot be read.
pub fn recorded_names(data_dir: &Path) -> Result<Vec<String>, KeptError> {
    let dir = recordings_dir(data_dir);
    let closed = |file: &kept::Kept| dir.join(format!("{}.json", file.name)).exists();
    let mut names: Vec<_> = kept::kept(&dir)?.into_iter().filter(closed).map(|file| file.name).collect();
    names.dedup();
    Ok(names)
}

/// The folder of the recordings in the data folder `data_dir`.
pub fn recordings_dir(data_dir: &Path) -> PathBuf {
    data_dir.join("recordings")
}
