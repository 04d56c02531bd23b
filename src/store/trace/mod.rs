//! The ring of traced messages: files in `data_dir/trace`, the oldest of which goes where they are too large together.
//!
//! A file is a run of frames: length (4 bytes, little endian), JSON of the [`Frame`]'s head, a line feed, the message's bytes. What a
//! crash tears off at the end is not read.

mod reader;
mod ring;

pub use reader::read_trace;
pub use ring::TraceRing;

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

/// One thing in the ring.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Frame {
    /// When, wall microseconds.
    #[serde(rename = "t")]
    pub at_us: i64,
    /// What.
    #[serde(rename = "w")]
    pub what: What,
    /// The message, masked; empty for a label.
    #[serde(skip)]
    pub bytes: Vec<u8>,
}

/// What a frame is about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum What {
    /// A message that came, by the way `transport:REMOTE@LOCAL`.
    In(String),
    /// A message that was sent.
    Out(String),
    /// A dialog of this Call-ID belongs to the call.
    Label {
        /// The call.
        call: String,
        /// The SIP Call-ID of one of its legs.
        sip: String,
    },
}

/// Where the ring is.
pub fn trace_dir(data_dir: &Path) -> PathBuf {
    data_dir.join("trace")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(at_us: i64, text: &str) -> Frame {
        Frame { at_us, what: What::In("udp:192.0.2.1:5060@192.0.2.2:5060".into()), bytes: text.into() }
    }

    #[test]
    fn what_is_written_is_read_and_the_oldest_goes() {
        let dir = tempfile::tempdir().unwrap();
        let label = Frame { at_us: 5, what: What::Label { call: "c".into(), sip: "s".into() }, bytes: vec![] };
        let mut ring = TraceRing::open(dir.path(), 64 * 1024).unwrap();
        ring.append(&label).unwrap();
        ring.append(&message(6, "first")).unwrap();
        ring.flush().unwrap();
        assert_eq!(read_trace(dir.path()).unwrap(), [label, message(6, "first")]);
        for number in 0..2_000 {
            ring.append(&message(number, &"x".repeat(100))).unwrap();
        }
        ring.flush().unwrap();
        let kept = read_trace(dir.path()).unwrap();
        assert_eq!(kept.last().map(|frame| frame.at_us), Some(1_999));
        assert!(kept.len() > 200 && kept.len() < 600, "{}", kept.len());
        let size: u64 =
            std::fs::read_dir(dir.path()).unwrap().map(|file| file.unwrap().metadata().unwrap().len()).sum();
        assert!(size <= 64 * 1024, "{size}");
    }

    #[test]
    fn a_torn_end_is_not_read_and_the_next_run_begins_a_new_file() {
        let dir = tempfile::tempdir().unwrap();
        let mut ring = TraceRing::open(dir.path(), 1 << 20).unwrap();
        ring.append(&message(1, "whole")).unwrap();
        ring.flush().unwrap();
        drop(ring);
        let file = std::fs::read_dir(dir.path()).unwrap().next().unwrap().unwrap().path();
        let mut bytes = std::fs::read(&file).unwrap();
        bytes.extend([200, 0, 0, 0, b'{']);
        std::fs::write(&file, bytes).unwrap();
        let mut ring = TraceRing::open(dir.path(), 1 << 20).unwrap();
        ring.append(&message(2, "next")).unwrap();
        ring.flush().unwrap();
        assert_eq!(read_trace(dir.path()).unwrap(), [message(1, "whole"), message(2, "next")]);
    }
}
