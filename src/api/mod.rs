//! HTTP: live views, records, recordings, figures, and the wishes of supervisors, on a runtime of its own.
//!
//! Nothing here waits for the switch without a limit, and the switch never waits for anything here.

mod access;
mod bans;
mod callbacks;
mod commands;
mod events;
mod figures;
mod floor;
mod health;
mod live;
mod orders;
mod page;
mod placing;
mod problem;
mod query;
mod readiness;
mod recording;
mod records;
mod serve;
mod supervise;
mod trunks;
mod websocket;

pub use commands::{CommandSender, Replies, commands};
pub use figures::{Figure, Figures, Kind};
pub use orders::{Reload, ReloadRefusal, ReloadReport};
pub use readiness::Readiness;
pub use serve::{ApiError, ApiHandle, Listeners, bind, start};
pub use websocket::{Carry, Upgraded, WebSockets};

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, PoisonError, RwLock};

use tokio_util::sync::CancellationToken;

use crate::id::{AgentId, QueueId};
use crate::records::live::LiveFold;
use crate::store::journal::Progress;
use crate::store::{FollowStatus, KeyRing, Records, Tap};
use crate::switch::{AnnouncementStatus, Ban, HoursStatus, TrunkStatus};

/// What the API needs to know at its start.
#[derive(Clone, Debug)]
pub struct ApiSettings {
    /// The bearer token; without one every request that needs it gets 401.
    pub token: Option<String>,
    /// Whether this is the demo floor, whose token is no secret.
    pub demo: bool,
    /// The data folder: database, journal, recordings.
    pub data_dir: PathBuf,
    /// By which sealed recordings open.
    pub keys: Option<Arc<KeyRing>>,
    /// Where a day begins for "today".
    pub zone: jiff::tz::TimeZone,
}

/// What the API reads from and speaks to.
pub struct Handles {
    /// Its own tap of the journal's feed, at the position of `live`.
    pub tap: Tap,
    /// The live fold of the start (`Folds::live`).
    pub live: LiveFold,
    /// The way to the switch.
    pub commands: CommandSender,
    /// How the database fares.
    pub follow: FollowStatus,
    /// What the shell knows.
    pub readiness: Readiness,
    /// The node's figures, asked for each time somebody reads `/metrics`; must not block.
    pub figures: Box<dyn Fn() -> Figures + Send + Sync>,
    /// Who is ignored by the node, asked for each time; must not block.
    pub bans: Box<dyn Fn() -> Vec<Ban> + Send + Sync>,
    /// What somebody has to see to though calls go on, asked for each time; must not block.
    pub alarms: Box<dyn Fn() -> Vec<String> + Send + Sync>,
    /// Who carries the WebSockets of `/ws`.
    pub websockets: WebSockets,
    /// The node's trunks, asked for each time; must not block.
    pub trunks: Box<dyn Fn() -> Vec<TrunkStatus> + Send + Sync>,
    /// Opening hours, and what stands in front of flows; asked for each time; must not block.
    pub orders: Box<dyn Fn() -> (Vec<HoursStatus>, Vec<AnnouncementStatus>) + Send + Sync>,
    /// Reads the floor's files again.
    pub reload: Arc<Reload>,
    /// Who and what the settings name now.
    pub named: Named,
}

/// Who and what the settings name; a reload changes it. Cheap to clone: clones share one state.
#[derive(Clone, Debug, Default)]
pub struct Named(Arc<RwLock<Arc<Names>>>);

/// Agents and queues by name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Names {
    /// Every configured agent.
    pub agents: Vec<AgentId>,
    /// Every configured queue with its members.
    pub queues: Vec<(QueueId, Vec<AgentId>)>,
    /// Why agents may be "not ready", and whether the time is paid; any reason will do where empty.
    pub reasons: BTreeMap<String, bool>,
}

impl Named {
    /// As they are now.
    pub fn get(&self) -> Arc<Names> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// From now on these.
    pub fn set(&self, names: Names) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(names);
    }
}

/// What every handler shares.
struct Shared {
    settings: ApiSettings,
    live: live::LiveView,
    commands: CommandSender,
    records: Records,
    follow: FollowStatus,
    progress: Progress,
    readiness: Readiness,
    figures: Box<dyn Fn() -> Figures + Send + Sync>,
    bans: Box<dyn Fn() -> Vec<Ban> + Send + Sync>,
    alarms: Box<dyn Fn() -> Vec<String> + Send + Sync>,
    websockets: WebSockets,
    trunks: Box<dyn Fn() -> Vec<TrunkStatus> + Send + Sync>,
    orders: Box<dyn Fn() -> (Vec<HoursStatus>, Vec<AnnouncementStatus>) + Send + Sync>,
    reload: Arc<Reload>,
    named: Named,
    /// Ends the streams of events, which would never end by themselves.
    stopping: CancellationToken,
}
