//! A running floor: node, follower and API, opened and stopped in order.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use super::floor::Floor;
use super::reload::{self, names};
use crate::api::{self, ApiHandle, ApiSettings, Figures, Handles, Named, Readiness, WebSockets};
use crate::hooks::{Hook, Notifier, NotifierStatus, Poster};
use crate::node::{self, Bell, CommandPort, Node, State, Watch};
use crate::store::{Compressor, FollowSettings, Follower, QueueLogWriter, Tap};
use crate::switch::{Health, Standing, Storage, TrunkStatus};

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

fn figures_of(node: &Node, hooks: Vec<(String, NotifierStatus)>) -> Box<dyn Fn() -> Figures + Send + Sync> {
    let watch = Arc::clone(&node.watch);
    Box::new(move || {
        let mut figures = figures(&watch);
        hooks.iter().for_each(|(name, status)| add_hook(&mut figures, name, status));
        figures
    })
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

fn figures(watch: &Watch) -> Figures {
    let (switch, net) = (watch.figures(), watch.net.figures());
    let mut figures = Figures::default();
    figures
        .gauge(
            "trunkline_calls",
            "Calls that the switch holds, until the last leg of each is gone.",
            switch.calls as f64,
        )
        .gauge("trunkline_legs", "Legs in progress.", switch.legs as f64)
        .gauge("trunkline_rtp_leases", "Pairs of RTP and RTCP ports that legs hold.", switch.leases as f64)
        .gauge("trunkline_sip_dialogs", "Open SIP dialogs.", switch.dialogs as f64)
        .gauge("trunkline_sip_transactions", "Open SIP transactions.", switch.transactions as f64)
        .gauge("trunkline_sip_bindings", "Contacts that are bound.", switch.bindings as f64)
        .gauge("trunkline_sip_subscriptions", "Subscriptions that stand.", switch.subscriptions as f64)
        .gauge("trunkline_callbacks", "Requests to be called back that stand.", switch.callbacks as f64)
        .counter("trunkline_calls_offered", "Calls offered.", switch.calls_offered)
        .counter("trunkline_calls_ended", "Calls ended.", switch.calls_ended)
        .counter("trunkline_calls_bridged", "Calls in which two parties were joined.", switch.calls_bridged)
        .counter("trunkline_expected_waits", "Expected waits that an answer has put to the test.", switch.estimates)
        .counter(
            "trunkline_expected_waits_error_milliseconds",
            "The sum of their errors, whatever the direction.",
            switch.estimates_error_ms,
        )
        .counter("trunkline_sip_invites", "INVITEs outside dialogs.", switch.invites)
        .counter("trunkline_sip_challenges", "Requests that were challenged.", switch.challenges)
        .counter("trunkline_sip_wrong_answers", "Wrong answers to challenges.", switch.wrong_answers)
        .counter("trunkline_sip_malformed", "Messages refused or dropped unread.", switch.malformed)
        .gauge("trunkline_sip_bans", "Sources that are ignored now.", switch.bans.len() as f64)
        .counter("trunkline_sip_banned", "Sources that were banned.", switch.banned)
        .counter("trunkline_sip_shed", "New calls that got 503 because signalling was late.", switch.shed + net.shed)
        .counter("trunkline_sip_ignored", "Messages of banned sources, not looked at.", switch.ignored)
        .counter(
            "trunkline_sip_slowed",
            "Requests without an answer, because their source asks too often.",
            switch.slowed,
        )
        .counter("trunkline_rtp_stranger_packets", "Media packets from strangers, dropped.", switch.stranger_packets)
        .counter(
            "trunkline_webrtc_lost",
            "Browsers' calls that ended because their media failed.",
            switch.browsers_lost,
        )
        .counter(
            "trunkline_webrtc_stranger_packets",
            "Datagrams to browsers' ports from who has proved nothing.",
            switch.web_strangers,
        )
        .counter("trunkline_rtp_silences", "Times that a party of a conversation sent no sound.", switch.silences)
        .counter(
            "trunkline_rtp_timeouts",
            "Calls that were ended because nothing came from a party.",
            switch.media_timeouts,
        )
        .counter(
            "trunkline_rtp_without_ports",
            "Calls, and phones to be called, that got 503 because all media ports were taken.",
            switch.without_ports,
        )
        .gauge(
            "trunkline_recording_free_bytes",
            "Bytes that are left where recordings lie.",
            switch.storage.free_bytes as f64,
        )
        .counter(
            "trunkline_recording_lost_ms",
            "Milliseconds of sound that could not be written; silence stands for them.",
            switch.storage.lost_ms,
        )
        .counter(
            "trunkline_prompt_late_ms",
            "Milliseconds of long prompts that came too late from the disk; silence was heard in their place.",
            switch.storage.late_ms,
        )
        .counter(
            "trunkline_recording_refused_calls",
            "Calls that were not put through because they must be recorded and could not be.",
            switch.unrecordable,
        )
        .counter(
            "trunkline_desks_refused",
            "Agents who were not let in at a phone, by a wrong PIN mostly.",
            switch.desks_refused,
        )
        .counter(
            "trunkline_queue_wishes_unheeded",
            "Callers who were served without what the rules of their queue ask, as too many kinds of callers waited.",
            switch.wishes_unheeded,
        )
        .counter("trunkline_journal_early_effects", "Effects that left before they were written.", switch.early_effects)
        .counter("trunkline_dns_questions", "Questions put to DNS servers.", switch.dns_questions)
        .counter(
            "trunkline_dns_failures",
            "Questions that no DNS server answered with sense in time.",
            switch.dns_failures,
        )
        .counter(
            "trunkline_dns_stale",
            "Times that records served on after their end for want of an answer.",
            switch.dns_stale,
        )
        .gauge("trunkline_dns_cached", "Answers of DNS that are remembered.", switch.dns_cached as f64)
        .counter(
            "trunkline_sip_udp_fallbacks",
            "Requests too large for a datagram that went back from TCP to UDP.",
            switch.udp_fallbacks,
        )
        .counter("trunkline_net_received", "SIP messages taken from the network.", net.received)
        .counter("trunkline_trace_dropped", "Copies for the trace that its writer was too slow for.", net.trace_dropped)
        .counter("trunkline_net_sent", "SIP messages handed to the network.", net.sent)
        .gauge("trunkline_net_inbound_connections", "Connections that peers have open to SIP.", net.inbound as f64)
        .counter("trunkline_net_refused", "Connections closed because of a limit, or in their handshake.", net.refused);
    for trouble in Storage::TROUBLES {
        figures.add(api::Figure {
            name: "trunkline_recording_alarm",
            help: "Whether recordings cannot be written, and why: 1 for the reason that holds.",
            kind: api::Kind::Gauge,
            labels: vec![("reason", trouble.name().to_owned())],
            value: f64::from(u8::from(switch.storage.storage == trouble)),
        });
    }
    for (status, count) in &switch.responses {
        figures.add(api::Figure {
            name: "trunkline_sip_invite_responses",
            help: "Final responses to INVITEs outside dialogs.",
            kind: api::Kind::Counter,
            labels: vec![("status", status.to_string())],
            value: *count as f64,
        });
    }
    for (reason, count) in &switch.srtp_dropped {
        figures.add(api::Figure {
            name: "trunkline_srtp_dropped_packets",
            help: "Media packets that could not be opened, dropped.",
            kind: api::Kind::Counter,
            labels: vec![("reason", (*reason).to_owned())],
            value: *count as f64,
        });
    }
    switch.trunks.iter().for_each(|trunk| add_trunk(&mut figures, trunk));
    figures
}

fn add_hook(figures: &mut Figures, name: &str, status: &NotifierStatus) {
    use api::Kind::{Counter, Gauge};
    let mut add = |metric: &'static str, help, kind, value: u64| {
        let labels = vec![("webhook", name.to_owned())];
        figures.add(api::Figure { name: metric, help, kind, labels, value: value as f64 });
    };
    add("trunkline_webhook_notices", "Notices that a webhook has taken.", Counter, status.told());
    add("trunkline_webhook_failures", "How often a notice was not taken.", Counter, status.failures());
    add("trunkline_webhook_waiting", "Notices that are not taken yet.", Gauge, status.waiting());
}

fn add_trunk(figures: &mut Figures, trunk: &TrunkStatus) {
    use api::Kind::{Counter, Gauge};
    let mut add = |name: &'static str, help, kind, label: Option<(&'static str, &str)>, value: f64| {
        let own = [("trunk", trunk.id.to_string())].into_iter();
        let labels = own.chain(label.map(|(name, value)| (name, value.to_owned()))).collect();
        figures.add(api::Figure { name, help, kind, labels, value });
    };
    for (direction, (present, total)) in [("in", trunk.inbound), ("out", trunk.outbound)] {
        let label = Some(("direction", direction));
        add("trunkline_trunk_calls", "Calls that the trunk carries now.", Gauge, label, f64::from(present));
        add("trunkline_trunk_calls_carried", "Calls that the trunk has carried.", Counter, label, total as f64);
    }
    for (reason, count) in [("full", trunk.refused.0), ("rate", trunk.refused.1)] {
        let help = "Calls that did not fit the trunk's limits.";
        add("trunkline_trunk_refused", help, Counter, Some(("reason", reason)), count as f64);
    }
    for target in &trunk.targets {
        let help = "Whether a target of the trunk answers OPTIONS: 1, 0, or 0.5 where it was not asked yet.";
        let value = match target.health {
            Health::Up => 1.0,
            Health::Unknown => 0.5,
            Health::Down => 0.0,
        };
        add("trunkline_trunk_target_up", help, Gauge, Some(("target", &target.uri.to_string())), value);
    }
    if let Some((standing, _)) = trunk.registration {
        let stands = matches!(standing, Standing::Registered { .. });
        add("trunkline_trunk_registered", "Whether we are registered at the trunk.", Gauge, None, f64::from(stands));
    }
}
