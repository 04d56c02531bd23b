//! A running floor: node, follower and API, opened and stopped in order.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use super::figures::figures;
use super::floor::Floor;
use super::reload::{self, names};
use crate::api::{self, ApiHandle, ApiSettings, Figures, Handles, Named, Readiness, WebSockets};
use crate::hooks::{Hook, Notifier, NotifierStatus, Poster};
use crate::node::{self, Bell, CommandPort, Node, State};
use crate::store::{Compressor, FollowSettings, Follower, QueueLogWriter, Tap};

/// Entries that may wait for a follower of the journal before it reads them from the files.
const BACKLOG: usize = 65_536;
/// The same for those who tell other systems, of which there may be many and who look for little.
const NOTIFIER_BACKLOG: usize = 4_096;
/// How long requests in progress may take at the stop.
const API_PATIENCE: Duration = Duration::from_secs(2);

/// Why the floor cannot open.
#[derive(Debug, thiserror::Error)]
pub(super) enum OpenError {
    #[error(transparent)]
    Node(#[from] node::StartError),
    #[error(transparent)]
    Api(#[from] api::ApiError),
    #[error("cannot start a thread that follows the journal: {0}; check the limits on threads")]
    Follower(std::io::Error),
    #[error("cannot append to the queue_log {path}: {error}; look at its folder and the rights there")]
    QueueLog { path: String, error: std::io::Error },
}

/// A running floor.
pub(super) struct Running {
    node: Node,
    api: ApiHandle,
    follower: Follower,
    compressor: Option<Compressor>,
    notifiers: Vec<Notifier>,
    queue_log: Option<QueueLogWriter>,
    readiness: Readiness,
    reload: Arc<api::Reload>,
}

impl Running {
    /// Opens everything as the file `config` says, which gave `floor`. What was opened before a failure is closed again.
    pub(super) fn open(config: &Path, floor: Floor) -> Result<Self, OpenError> {
        let Floor { settings, program, .. } = floor;
        let program = Arc::new(program);
        let data_dir = PathBuf::from(&settings.data_dir);
        let listeners = api::bind(&settings.http_listen)?;
        let keys = node::recording_keys(&settings)?;
        let state = State::open(&data_dir, keys.as_deref())?;
        let (seq, live) = (state.restored.folds.seq(), state.restored.folds.live.clone());
        let bell = Arc::new(Bell::default());
        let waker = bell.waker();
        let (sender, requests, replies) = api::commands(move || waker.wake_by_ref());
        let answer = Box::new(move |id, outcome| replies.reply(id, outcome));
        let told: Vec<Hook> = node::hooks(&settings)?.into_iter().filter(|hook| !hook.tells.is_empty()).collect();
        let (mut taps, mut for_queue_log) = (None, None);
        let compress = settings.recording.compress;
        let follow = |feed: &mut crate::store::Feed| {
            let for_compressor = compress.then(|| feed.tap(seq, BACKLOG));
            let for_notifiers: Vec<_> = told.iter().map(|_| feed.tap(seq, NOTIFIER_BACKLOG)).collect();
            for_queue_log = settings.queue_log.is_some().then(|| feed.tap(seq, BACKLOG));
            taps = Some((feed.tap(seq, BACKLOG), feed.tap(seq, BACKLOG), for_compressor, for_notifiers));
        };
        let named = Named::default();
        named.set(names(&settings, &program));
        let api_settings = ApiSettings {
            token: settings.api_token.as_ref().map(|token| token.expose().to_owned()),
            demo: settings.demo,
            data_dir: data_dir.clone(),
            keys: keys.clone(),
            zone: jiff::tz::TimeZone::system(),
        };
        let node = node::open(&settings, program, state, keys.clone(), follow, CommandPort { requests, answer, bell })?;
        let reload: Arc<api::Reload> = Arc::new(reload::reload(config, &node, named.clone()));
        // `follow` was called by `node::open`, which has succeeded.
        let Some((for_database, for_api, for_compressor, for_notifiers)) = taps else {
            unreachable!("the node asks its followers to follow")
        };
        let poster = Poster::new();
        let start = |(hook, tap)| Notifier::start(&data_dir, hook, poster.clone(), tap);
        let notifiers: Vec<Notifier> = match told.into_iter().zip(for_notifiers).map(start).collect() {
            Ok(notifiers) => notifiers,
            Err(error) => return Err(close(node, OpenError::Follower(error))),
        };
        let queue_log = match for_queue_log.zip(settings.queue_log.as_deref()).map(|to| write_queue_log(&data_dir, to))
        {
            None => None,
            Some(Ok(writer)) => Some(writer),
            Some(Err(error)) => return Err(close(node, error)),
        };
        let hooks = notifiers.iter().map(Notifier::status).collect();
        let opened = open_api(
            &data_dir,
            for_database,
            listeners,
            |follow| Handles {
                tap: for_api,
                live,
                commands: sender,
                follow,
                readiness: ready(),
                figures: figures_of(&node, hooks),
                websockets: websockets_of(&node),
                bans: watched(&node, |figures| figures.bans),
                alarms: watched(&node, |figures| figures.alarms()),
                trunks: watched(&node, |figures| figures.trunks),
                orders: watched(&node, |figures| (figures.hours, figures.announcements)),
                reload: Arc::clone(&reload),
                named: named.clone(),
            },
            api_settings,
        );
        match opened {
            Ok((follower, api, readiness)) => {
                let start = |tap| Compressor::start(&data_dir, keys, tap);
                match for_compressor.map(start).transpose() {
                    Ok(compressor) => {
                        Ok(Self { node, api, follower, compressor, notifiers, queue_log, readiness, reload })
                    }
                    Err(error) => Err(close(node, OpenError::Follower(error))),
                }
            }
            Err(error) => Err(close(node, error)),
        }
    }

    /// Where things are, for people.
    pub(super) fn addresses(&self) -> (&crate::net::Addresses, &[std::net::SocketAddr]) {
        (&self.node.addresses, self.api.addresses())
    }

    /// Asks for the stop from another thread.
    pub(super) fn stopper(&self) -> impl Fn(u64) + Send + 'static {
        let (stopper, readiness) = (self.node.stopper(), self.readiness.clone());
        move |deadline_ms| {
            readiness.set_draining(true);
            stopper.drain(deadline_ms);
        }
    }

    /// Reads all files again, from another thread.
    pub(super) fn reloader(&self) -> Arc<api::Reload> {
        Arc::clone(&self.reload)
    }

    /// Waits until the last call is gone, then closes everything in order. `false` where the loop came to grief.
    pub(super) fn join(self) -> bool {
        let sound = self.node.join();
        if let Some(compressor) = self.compressor {
            compressor.stop();
        }
        self.notifiers.into_iter().for_each(Notifier::stop);
        if let Some(writer) = self.queue_log {
            writer.stop();
        }
        self.follower.stop();
        self.api.stop(API_PATIENCE);
        sound
    }
}

fn write_queue_log(data_dir: &Path, (tap, path): (Tap, &str)) -> Result<QueueLogWriter, OpenError> {
    let failed = |error| OpenError::QueueLog { path: path.to_owned(), error };
    QueueLogWriter::start(data_dir, Path::new(path), tap).map_err(failed)
}

/// Closes a node whose floor cannot open.
fn close(node: Node, error: OpenError) -> OpenError {
    node.stopper().drain(0);
    node.join();
    error
}

type Opened = (Follower, ApiHandle, Readiness);

fn open_api(
    data_dir: &Path,
    tap: Tap,
    listeners: api::Listeners,
    handles: impl FnOnce(crate::store::FollowStatus) -> Handles,
    settings: ApiSettings,
) -> Result<Opened, OpenError> {
    let follower = Follower::start(data_dir, tap, FollowSettings::default()).map_err(OpenError::Follower)?;
    let handles = handles(follower.status().clone());
    let readiness = handles.readiness.clone();
    let api = api::start(listeners, settings, handles)?;
    Ok((follower, api, readiness))
}

/// Files are read and ports are bound by the time that somebody can ask.
fn ready() -> Readiness {
    let readiness = Readiness::default();
    readiness.set_ports_bound(true);
    readiness.set_dialplan_loaded(true);
    readiness
}

/// Who tells other systems, by the name of each.
pub(super) type Hooks = Vec<(String, NotifierStatus)>;

fn figures_of(node: &Node, hooks: Hooks) -> Box<dyn Fn() -> Figures + Send + Sync> {
    let watch = Arc::clone(&node.watch);
    Box::new(move || figures(&watch, &hooks))
}

/// Something of the node's figures, looked at when somebody asks.
fn watched<T: 'static>(node: &Node, of: fn(crate::switch::Figures) -> T) -> Box<dyn Fn() -> T + Send + Sync> {
    let watch = Arc::clone(&node.watch);
    Box::new(move || of(watch.figures()))
}

fn websockets_of(node: &Node) -> WebSockets {
    let upgrades = node.upgrades.clone();
    let carry = Box::new(move |stream, local, remote| upgrades.carry(stream, local, remote));
    WebSockets { answer: crate::net::answer_upgrade, carry }
}
