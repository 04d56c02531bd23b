//! A running floor: node, follower and API, opened and stopped in order.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use super::floor::Floor;
use crate::api::{self, ApiHandle, ApiSettings, Figures, Handles, Readiness, WebSockets};
use crate::id::{AgentId, QueueId};
use crate::node::{self, CommandPort, Control, Node, State, Watch};
use crate::store::{FollowSettings, Follower};
use crate::switch::{Health, Standing, TrunkStatus};

/// Entries that may wait for a follower of the journal before it reads them from the files.
const BACKLOG: usize = 65_536;
/// How long requests in progress may take at the stop.
const API_PATIENCE: Duration = Duration::from_secs(2);

/// Why the floor cannot open.
#[derive(Debug, thiserror::Error)]
pub(super) enum OpenError {
    #[error(transparent)]
    Node(#[from] node::StartError),
    #[error(transparent)]
    Api(#[from] api::ApiError),
    #[error("cannot start the thread that follows the journal: {0}; check the limits on threads")]
    Follower(std::io::Error),
}

/// A running floor.
pub(super) struct Running {
    node: Node,
    api: ApiHandle,
    follower: Follower,
    readiness: Readiness,
}

impl Running {
    /// Opens everything. What was opened before a failure is closed again.
    pub(super) fn open(floor: Floor) -> Result<Self, OpenError> {
        let Floor { settings, program, .. } = floor;
        let program = Arc::new(program);
        let data_dir = PathBuf::from(&settings.data_dir);
        let listeners = api::bind(&settings.http_listen)?;
        let state = State::open(&data_dir)?;
        let (seq, live) = (state.restored.folds.seq(), state.restored.folds.live.clone());
        // The loop sleeps on the channel itself and needs no other wake-up.
        let (sender, requests, replies) = api::commands(|| ());
        let answer = Box::new(move |id, outcome| replies.reply(id, outcome));
        let mut taps = None;
        let follow = |feed: &mut crate::store::Feed| taps = Some((feed.tap(seq, BACKLOG), feed.tap(seq, BACKLOG)));
        let queues = program.queues().iter().map(|(name, queue)| {
            let members = queue.members.iter().map(|member| AgentId::from(member.as_str())).collect();
            (QueueId::from(name.as_str()), members)
        });
        let api_settings = ApiSettings {
            token: settings.api_token.as_ref().map(|token| token.expose().to_owned()),
            demo: settings.demo,
            data_dir: data_dir.clone(),
            agents: settings.agents.keys().map(|agent| AgentId::from(agent.as_str())).collect(),
            queues: queues.collect(),
            zone: jiff::tz::TimeZone::system(),
        };
        let node = node::open(&settings, program, state, follow, CommandPort { requests, answer })?;
        // `follow` was called by `node::open`, which has succeeded.
        let Some((for_database, for_api)) = taps else { unreachable!("the node asks its followers to follow") };
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
                figures: figures_of(&node),
                websockets: websockets_of(&node),
                bans: watched(&node, |figures| figures.bans),
                trunks: watched(&node, |figures| figures.trunks),
            },
            api_settings,
        );
        match opened {
            Ok((follower, api, readiness)) => Ok(Self { node, api, follower, readiness }),
            Err(error) => {
                node.drain(0);
                node.join();
                Err(error)
            }
        }
    }

    /// Where things are, for people.
    pub(super) fn addresses(&self) -> (&crate::net::Addresses, &[std::net::SocketAddr]) {
        (&self.node.addresses, self.api.addresses())
    }

    /// Asks for the stop from another thread.
    pub(super) fn stopper(&self) -> impl Fn(u64) + Send + 'static {
        let (control, readiness) = (self.node.control(), self.readiness.clone());
        move |deadline_ms| {
            readiness.set_draining(true);
            // A loop that has ended needs no order to.
            let _ = control.send(Control::Drain { deadline_ms });
        }
    }

    /// Reads the certificates again, from another thread; `false` where there are none.
    pub(super) fn reloader(&self) -> impl Fn() -> Result<bool, crate::net::TlsError> + Send + 'static {
        let tls = self.node.tls.clone();
        move || tls.as_ref().map_or(Ok(false), |tls| tls.reload().map(|()| true))
    }

    /// Waits until the last call is gone, then closes everything in order. `false` where the loop came to grief.
    pub(super) fn join(self) -> bool {
        let sound = self.node.join();
        self.follower.stop();
        self.api.stop(API_PATIENCE);
        sound
    }
}

type Opened = (Follower, ApiHandle, Readiness);

fn open_api(
    data_dir: &Path,
    tap: crate::store::Tap,
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

fn figures_of(node: &Node) -> Box<dyn Fn() -> Figures + Send + Sync> {
    let watch = Arc::clone(&node.watch);
    Box::new(move || figures(&watch))
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
        .counter("trunkline_calls_offered", "Calls offered.", switch.calls_offered)
        .counter("trunkline_calls_ended", "Calls ended.", switch.calls_ended)
        .counter("trunkline_calls_bridged", "Calls in which two parties were joined.", switch.calls_bridged)
        .counter("trunkline_sip_invites", "INVITEs outside dialogs.", switch.invites)
        .counter("trunkline_sip_challenges", "Requests that were challenged.", switch.challenges)
        .counter("trunkline_sip_wrong_answers", "Wrong answers to challenges.", switch.wrong_answers)
        .counter("trunkline_sip_malformed", "Messages refused or dropped unread.", switch.malformed)
        .gauge("trunkline_sip_bans", "Sources that are ignored now.", switch.bans.len() as f64)
        .counter("trunkline_sip_banned", "Sources that were banned.", switch.banned)
        .counter("trunkline_sip_shed", "New calls that got 503 because signalling was late.", switch.shed)
        .counter("trunkline_sip_ignored", "Messages of banned sources, not looked at.", switch.ignored)
        .counter(
            "trunkline_sip_slowed",
            "Requests without a challenge, because their source asks too often.",
            switch.slowed,
        )
        .counter("trunkline_rtp_stranger_packets", "Media packets from strangers, dropped.", switch.stranger_packets)
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
    for (status, count) in &switch.responses {
        figures.add(api::Figure {
            name: "trunkline_sip_invite_responses",
            help: "Final responses to INVITEs outside dialogs.",
            kind: api::Kind::Counter,
            labels: vec![("status", status.to_string())],
            value: *count as f64,
        });
    }
    switch.trunks.iter().for_each(|trunk| add_trunk(&mut figures, trunk));
    figures
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
