//! The reading side: any process, while the ring is written.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::Frame;

/// Every frame, oldest first; a file that goes meanwhile was the oldest and is left out.
///
/// # Errors
/// Where the folder cannot be read.
pub fn read_trace(dir: &Path) -> io::Result<Vec<Frame>> {
    let mut frames = Vec::new();
    for (_, path) in files(dir)? {
        match fs::read(path) {
            Ok(bytes) => frames.extend(frames_of(&bytes)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    Ok(frames)
}

/// The ring's files by number.
pub(super) fn files(dir: &Path) -> io::Result<Vec<(u64, PathBuf)>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir)? {
        let path = entry?.path();
        let stem = path.file_stem().and_then(|stem| stem.to_str()).and_then(|stem| stem.parse().ok());
        if let (Some(number), Some("trace")) = (stem, path.extension().and_then(|ending| ending.to_str())) {
            found.push((number, path));
        }
    }
    found.sort();
    Ok(found)
}

fn frames_of(mut bytes: &[u8]) -> Vec<Frame> {
    let mut frames = Vec::new();
    while let Some((length, rest)) = bytes.split_first_chunk() {
        let length = u32::from_le_bytes(*length) as usize;
        let Some(frame) = rest.get(..length) else { break };
        let head = frame.iter().position(|byte| *byte == b'\n').unwrap_or(frame.len());
        let Ok(mut read) = serde_json::from_slice::<Frame>(&frame[..head]) else { break };
        read.bytes = frame.get(head + 1..).unwrap_or_default().to_vec();
        frames.push(read);
        bytes = &rest[length..];
    }
    frames
}
