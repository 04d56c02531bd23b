//! Wraps the data keys of sealed recordings anew: their sound is not touched.

use std::fs::OpenOptions;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

use super::kept::{Kept, KeptError, kept};
use super::recordings_dir;
use crate::recording::{KeyRing, SEALED_HEAD_LEN, rewrap};

/// What became of the sealed recordings.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rekeyed {
    /// Wrapped under the newest key now.
    pub wrapped: u64,
    /// Under it already.
    pub already: u64,
    /// Not opened, each with the reason.
    pub refused: Vec<(String, String)>,
}

/// Wraps the data key of every sealed recording under the newest of `keys`. `draw` gives a nonce, another one each time. A head is
/// written at once and lies within one sector, so that a file always opens under the one key or the other; recordings that grow may
/// be among them.
///
/// # Errors
/// Where the folder or a file cannot be read or written; what was wrapped by then is.
pub fn rekey_recordings(
    data_dir: &Path,
    keys: &KeyRing,
    mut draw: impl FnMut() -> io::Result<[u8; 12]>,
) -> Result<Rekeyed, KeptError> {
    let dir = recordings_dir(data_dir);
    let mut done = Rekeyed::default();
    for file in kept(&dir)?.into_iter().filter(|file| file.ending.ends_with(".sealed")) {
        match rekey(&dir, &file, keys, &mut draw)? {
            Ok(true) => done.wrapped += 1,
            Ok(false) => done.already += 1,
            Err(reason) => done.refused.push((format!("{}.{}", file.name, file.ending), reason)),
        }
    }
    Ok(done)
}

fn rekey(
    dir: &Path,
    file: &Kept,
    keys: &KeyRing,
    draw: &mut impl FnMut() -> io::Result<[u8; 12]>,
) -> Result<Result<bool, String>, KeptError> {
    let path = file.path(dir);
    let open = OpenOptions::new().read(true).write(true).open(&path).map_err(KeptError::at("open", &path))?;
    let mut head = [0; SEALED_HEAD_LEN];
    match open.read_exact_at(&mut head, 0) {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
            return Ok(Err("its head is not whole".to_owned()));
        }
        read => read.map_err(KeptError::at("read", &path))?,
    }
    let nonce = draw().map_err(KeptError::at("draw a nonce for", &path))?;
    match rewrap(&mut head, &file.name, keys, nonce) {
        Ok(true) => {
            let written = open.write_all_at(&head, 0).and_then(|()| open.sync_data());
            written.map_err(KeptError::at("write", &path))?;
            Ok(Ok(true))
        }
        Ok(false) => Ok(Ok(false)),
        Err(error) => Ok(Err(error.to_string())),
    }
}
