//! A snapshot of folds: one checksummed file, replaced as a whole.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde::de::DeserializeOwned;

const MAGIC: &[u8; 8] = b"TRNKSNP1";

/// Why a snapshot could not be written or read. Without one, folding the whole journal gives the same state.
#[derive(Debug, thiserror::Error)]
pub enum SnapshotError {
    /// The file system refused.
    #[error("snapshot {}: cannot {act}: {source}; check space and permissions of the data folder", path.display())]
    Io {
        /// What was tried.
        act: &'static str,
        /// On what.
        path: PathBuf,
        /// The system's answer.
        source: io::Error,
    },
    /// The file is not a whole snapshot.
    #[error("snapshot {} is damaged ({what}); move it away, the journal holds everything that it held", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        what: String,
    },
}

/// The snapshot file of a data folder.
#[derive(Clone, Debug)]
pub struct Snapshots {
    dir: PathBuf,
}

impl Snapshots {
    /// The snapshot of the data folder `data_dir` (`folds.snap` in it).
    pub fn new(data_dir: &Path) -> Self {
        Self { dir: data_dir.to_owned() }
    }

    /// Replaces the snapshot: written beside, synced, renamed, folder synced. A crash leaves the old one or the new one.
    ///
    /// Call it with folds whose sequence the journal has *synced*, or a power cut leaves a snapshot ahead of its journal.
    pub fn save<T: Serialize>(&self, folds: &T) -> Result<(), SnapshotError> {
        let path = self.path();
        let beside = self.dir.join("folds.snap.new");
        let payload = serde_json::to_vec(folds).map_err(|error| SnapshotError::Damaged {
            path: path.clone(),
            what: format!("cannot be encoded: {error}"),
        })?;
        let fail = |act| move |path: &Path, source| SnapshotError::Io { act, path: path.to_owned(), source };
        let mut file = File::create(&beside).map_err(|e| fail("create")(&beside, e))?;
        let mut bytes = MAGIC.to_vec();
        bytes.extend_from_slice(&crc32fast::hash(&payload).to_le_bytes());
        bytes.extend_from_slice(&payload);
        file.write_all(&bytes).map_err(|e| fail("write")(&beside, e))?;
        file.sync_all().map_err(|e| fail("sync")(&beside, e))?;
        fs::rename(&beside, &path).map_err(|e| fail("rename")(&path, e))?;
        let dir = File::open(&self.dir).map_err(|e| fail("open the folder of")(&path, e))?;
        dir.sync_all().map_err(|e| fail("sync the folder of")(&path, e))
    }

    /// The snapshot, or `None` where there is none yet.
    pub fn load<T: DeserializeOwned>(&self) -> Result<Option<T>, SnapshotError> {
        let path = self.path();
        let bytes = match fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(SnapshotError::Io { act: "read", path, source }),
        };
        let damaged = |what: &str| SnapshotError::Damaged { path: path.clone(), what: what.to_owned() };
        let rest = bytes.strip_prefix(MAGIC).ok_or_else(|| damaged("not a snapshot of this version"))?;
        let (sum, payload) = rest.split_first_chunk::<4>().ok_or_else(|| damaged("too short"))?;
        if crc32fast::hash(payload) != u32::from_le_bytes(*sum) {
            return Err(damaged("checksum differs"));
        }
        serde_json::from_slice(payload).map(Some).map_err(|error| damaged(&error.to_string()))
    }

    fn path(&self) -> PathBuf {
        self.dir.join("folds.snap")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::{Entry, Event};
    use crate::store::Folds;

    #[test]
    fn comes_back_as_saved_and_notices_damage() {
        let dir = tempfile::tempdir().unwrap();
        let snapshots = Snapshots::new(dir.path());
        assert!(snapshots.load::<Folds>().unwrap().is_none());
        let mut folds = Folds::default();
        let event = Event::Started { node: "a".into(), boot: 1, version: "0".into() };
        folds.handle_entry(&Entry { seq: 1, wall_ms: 5, event });
        snapshots.save(&folds).unwrap();
        assert_eq!(snapshots.load().unwrap(), Some(folds));
        let path = snapshots.path();
        let mut bytes = fs::read(&path).unwrap();
        *bytes.last_mut().unwrap() ^= 1;
        fs::write(&path, bytes).unwrap();
        assert!(matches!(snapshots.load::<Folds>(), Err(SnapshotError::Damaged { .. })));
    }
}
