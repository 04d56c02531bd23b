//! The rooms that read what strangers send. They are pure, so they compile without the rest of the house.

#[path = "../src/codec/mod.rs"]
pub mod codec;
#[path = "../src/id.rs"]
pub mod id;
#[path = "../src/journal/mod.rs"]
pub mod journal;
#[path = "../src/media/mod.rs"]
pub mod media;
#[path = "../src/recording/mod.rs"]
pub mod recording;
#[path = "../src/rtp/mod.rs"]
pub mod rtp;
#[path = "../src/sdp/mod.rs"]
pub mod sdp;
#[path = "../src/sip/mod.rs"]
pub mod sip;
#[path = "../src/time.rs"]
pub mod time;

/// The lines of a text, and what stands behind the colon of each: so a message is a seed for whatever reads one value.
pub fn values(data: &[u8]) -> impl Iterator<Item = &str> {
    let text = std::str::from_utf8(data).unwrap_or_default();
    text.lines().flat_map(|line| [Some(line), line.split_once(':').map(|(_, value)| value.trim())]).flatten()
}
