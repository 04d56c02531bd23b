//! What the switch needs to know, and what a restart gives back to it.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

use crate::acd;
use crate::dialplan::{Music, Program, Prompt};
use crate::id::{AgentId, CallId, LegId, TrunkId};
use crate::journal::{Callbacks, Desks, DialogState, Event, LastAgents, LostPlaces, Orders, Seen};
use crate::media::{MusicId, PromptId};
use crate::sdp::{AudioCodec, Srtp};
use crate::sip::digest::Secret;
use crate::sip::endpoint;
use crate::sip::message::Uri;
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
    /// Whether calls and the Call-IDs of their legs are told, for a trace.
    pub trace: bool,
    /// Where media is received.
    pub media_address: IpAddr,
    /// What peers outside the local networks are told instead.
    pub media_public: Option<IpAddr>,
    /// How many media threads lend leases: 0 up to one less.
    pub media_threads: u16,
    /// Prompts that can be played.
    pub prompts: BTreeMap<Prompt, PromptId>,
    /// Music as the dialplan names it.
    pub music: BTreeMap<Music, MusicId>,
    /// Music where the dialplan names none, and on hold.
    pub default_music: MusicId,
    /// Numbers that go straight on, the longest prefix first.
    pub routes: Vec<Route>,
    /// Whether calls of one user to another are recorded.
    pub record_internal: bool,
    /// The keys by which agents pause a recording.
    pub recording_codes: RecordingCodes,
    /// Whether sound is encrypted, where nothing is agreed with a trunk or a user.
    pub srtp: Srtp,
    /// What is agreed with users about that.
    pub users_srtp: BTreeMap<AgentId, Srtp>,
    /// How browsers are served, if they are.
    pub web: Option<WebSettings>,
    /// What is agreed with trunks about sound.
    pub trunks: BTreeMap<TrunkId, TrunkMedia>,
    /// Agents whose phones answer by themselves.
    pub auto_answer: BTreeSet<AgentId>,
    /// Classes of routes by which each user may call.
    pub may_call: BTreeMap<AgentId, BTreeSet<String>>,
    /// The number that is shown of calls that a user places to the outside, in place of the user's own.
    pub caller_ids: BTreeMap<AgentId, String>,
    /// Phones that need no registration.
    pub static_contacts: BTreeMap<AgentId, String>,
    /// What proves agents at somebody else's phone.
    pub pins: BTreeMap<AgentId, Secret>,
}

/// What our users press in a conversation about its recording; none where no keys do it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RecordingCodes {
    /// Pauses it.
    pub pause: Option<String>,
    /// Lets it go on.
    pub resume: Option<String>,
}

/// What browsers are told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WebSettings {
    /// SHA-256 of our certificate.
    pub fingerprint: [u8; 32],
    /// The browsers' port of media thread 0; each further thread has the next one.
    pub first_port: u16,
}

/// Where the calls of a route go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RouteTo {
    /// To where this URI leads: the called number becomes its user.
    Target(Uri),
    /// To the first of these trunks that takes the call.
    Trunks(Vec<TrunkId>),
}

/// What is agreed with a trunk about sound.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrunkMedia {
    /// Codecs, the preferred one first.
    pub codecs: Vec<AudioCodec>,
    /// Whether callers hear what the trunk sends before the call is answered.
    pub early_media: bool,
    /// Whether its sound is encrypted.
    pub srtp: Srtp,
}

/// Numbers that go straight to another switch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    /// What such numbers begin with; an emergency number is this one and no longer one.
    pub prefix: String,
    /// Where they go.
    pub to: RouteTo,
    /// Digits at the beginning that are not sent on.
    pub strip: usize,
    /// Whether our own users may call by it.
    pub agents: bool,
    /// The class of service that a user must have; every user may where absent.
    pub class: Option<String>,
    /// An emergency number: every user may, before whatever else has that name, and no limit of a trunk holds.
    pub emergency: bool,
    /// The trunks whose calls may leave by it.
    pub from_trunks: Vec<TrunkId>,
    /// Whether both sides are recorded.
    pub record: bool,
}

impl Route {
    /// Whether a called number is one of those.
    pub fn takes(&self, called: &str) -> bool {
        if self.emergency { called == self.prefix } else { called.starts_with(&self.prefix) }
    }
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
    /// What ops have ordered.
    pub orders: Orders,
    /// Who is to be called back.
    pub callbacks: Callbacks,
    /// Whom customers have spoken with last.
    pub last_agents: LastAgents,
    /// Places of callers who hung up while they waited.
    pub lost_places: LostPlaces,
    /// Who sits at whose phone.
    pub desks: Desks,
    /// What each agent was doing.
    pub agents: Vec<(AgentId, Vec<Seen>)>,
}
