//! What the switch needs to know, and what a restart gives back to it.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use crate::acd;
use crate::dialplan::{Program, Prompt};
use crate::id::{AgentId, CallId, LegId};
use crate::journal::{AgentState, DialogState, Event};
use crate::media::{MusicId, PromptId};
use crate::sip::endpoint;
use crate::sip::registrar::Binding;

/// How a [`super::Switch`] behaves.
#[derive(Clone, Debug)]
pub struct Settings {
    /// This machine's name in records.
    pub node: String,
    /// Our version, for the journal.
    pub version: String,
    /// Signalling.
    pub sip: endpoint::Settings,
    /// Agents and queues.
    pub acd: acd::Settings,
    /// What to do with calls.
    pub program: Arc<Program>,
    /// Where media is received.
    pub media_address: IpAddr,
    /// What peers outside the local networks are told instead.
    pub media_public: Option<IpAddr>,
    /// How many media threads lend leases: 0 up to one less.
    pub media_threads: u16,
    /// Prompts that can be played.
    pub prompts: BTreeMap<Prompt, PromptId>,
    /// Music by its name in the dialplan.
    pub music: BTreeMap<String, MusicId>,
    /// Music where the dialplan names none, and on hold.
    pub default_music: MusicId,
    /// Numbers that go straight on, the longest prefix first.
    pub routes: Vec<Route>,
    /// Agents whose phones answer by themselves.
    pub auto_answer: BTreeSet<AgentId>,
    /// Phones that need no registration.
    pub static_contacts: BTreeMap<AgentId, String>,
}

/// Numbers that go straight to another switch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    /// What such numbers begin with.
    pub prefix: String,
    /// Where they go, over UDP.
    pub target: SocketAddr,
    /// Whether both sides are recorded.
    pub record: bool,
    /// Whether callers hear what the target says before it answers, rather than that it rings.
    pub early_media: bool,
}

/// What the journal says at a start.
#[derive(Clone, Debug, Default)]
pub struct Restart {
    /// Counts the starts of this data folder, this one included: 1 for the first.
    pub boot: u32,
    /// The number of the next journal entry.
    pub next_seq: u64,
    /// What closes the calls and recordings that a crash cut; journalled first.
    pub closing: Vec<Event>,
    /// Dialogs that are open; each gets its BYE.
    pub dialogs: Vec<(CallId, LegId, DialogState)>,
    /// Where phones are bound.
    pub bindings: Vec<Binding>,
    /// What agents were doing, and since when (wall ms).
    pub agents: Vec<(AgentId, AgentState, i64)>,
}
