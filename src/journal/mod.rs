//! The vocabulary of what happened. Every record, figure and live view is a fold of [`Entry`] values in order.
//!
//! An entry is written before the outputs that its event causes leave the process, and synced within 50 ms.

mod agent_state;
mod callbacks;
mod cause;
mod decision;
mod desks;
mod event;
mod last_agents;
mod lost_places;
mod notice;
mod orders;
mod personal;
mod recent;
mod strategy;
mod tape;

pub use agent_state::{AgentState, Seen};
pub use callbacks::{Callback, CallbackRequest, Callbacks};
pub use cause::{Cause, HangupBy};
pub use decision::{Decision, NextBest, SkillFit, SkillWish};
pub use desks::Desks;
pub use event::{DialogState, Direction, Event, LeaveReason, RecordingState, SegmentEnd};
pub use last_agents::LastAgents;
pub use lost_places::LostPlaces;
pub use notice::NoticeKind;
pub use orders::{Announcement, Orders};
pub use personal::Personal;
pub use strategy::{Strategy, UnknownStrategy};
pub use tape::{Consent, Cue, PausedBy};

use serde::{Deserialize, Serialize};

/// What goes without saying is left out of an entry.
fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// One line of the journal.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// Position in the journal, from 1, without gaps.
    pub seq: u64,
    /// When it happened, milliseconds since 1970 UTC.
    pub wall_ms: i64,
    /// What happened.
    pub event: Event,
}
