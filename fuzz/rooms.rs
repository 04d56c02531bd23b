//! The rooms that read what strangers send, and what people write. They are pure, so they compile without the rest of the house.

#[path = "../src/codec/mod.rs"]
pub mod codec;
#[path = "../src/dialplan/mod.rs"]
#[allow(unused_imports, reason = "the settings use what no target does")]
pub mod dialplan;
#[path = "../src/id.rs"]
pub mod id;
#[path = "../src/import/mod.rs"]
pub mod import;
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

/// A plan as the checker reads it where every prompt is there that it names by itself; what is wrong with it.
///
/// # Errors
/// Every problem.
pub fn check_plan(
    text: &str,
    prompts: &std::collections::BTreeSet<String>,
) -> Result<dialplan::Program, Vec<dialplan::Problem>> {
    let beside = std::collections::BTreeMap::new();
    let around = dialplan::Surroundings {
        prompts,
        agents: None,
        trunks: None,
        webhooks: None,
        beside: &beside,
        year: Some(2026),
    };
    let source = dialplan::Source { file: "plan.toml".to_owned(), text: text.to_owned() };
    dialplan::load(&[source], around).map(|(program, _)| program)
}

/// The lines of a text, and what stands behind the colon of each: so a message is a seed for whatever reads one value.
pub fn values(data: &[u8]) -> impl Iterator<Item = &str> {
    let text = std::str::from_utf8(data).unwrap_or_default();
    text.lines().flat_map(|line| [Some(line), line.split_once(':').map(|(_, value)| value.trim())]).flatten()
}
