//! Opening the floor: journal, folds, prompts, media threads, sockets, switch, loop, in this order.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crossbeam_channel::Sender;

use super::Node;
use super::event_loop::{CommandPort, EventLoop, Parts, Watch};
use super::prompts::{Library, PromptError};
use super::reload::Reloader;
use super::tracer::Tracer;
use crate::config::{
    AccountSettings, Opening, Program, Secret, SecretSource, Settings, TrunkSettings, WebhookSettings,
};
use crate::engine::{self, BrowserSettings, Engine, EngineSettings, KeyRing, PortRange, PromptStore};
use crate::hooks::{Asker, Hook, Key, Poster};
use crate::net::{Captured, DnsSettings, Limits, Net, NetError, NetSettings, Tls, TlsError, TlsFiles};
use crate::store::{BadKeys, Feed, Journal, JournalError, RestoreError, Restored};
use crate::switch::{Binding, Restart, Switch};

/// Events of the network that may wait for the loop; more are dropped and counted by the net.
const NET_BACKLOG: usize = 16_384;

/// Why the floor cannot open.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs, reason = "each message says what was tried, on what, and what to do")]
pub enum StartError {
    #[error("cannot make or write the data folder {}: {source}; check data_dir, its permissions and the space left", path.display())]
    DataDir { path: PathBuf, source: std::io::Error },
    #[error("cannot read the password of {whose} from {path}: {source}; check password_file and its permissions")]
    Password { whose: String, path: String, source: std::io::Error },
    #[error(
        "the PIN of agent {0} is to be typed on a phone: write 4 to 12 digits, and nothing else, into its pin_file"
    )]
    Pin(String),
    #[error("cannot read the keys of recordings from {path}: {source}; check recording.key_file and its permissions")]
    KeyFile { path: String, source: std::io::Error },
    #[error("the keys of recordings in {whence} are not right: {source}")]
    Keys { whence: String, source: BadKeys },
    #[error("cannot keep a trace in {}: {source}; check data_dir, its permissions and the space left, and trace.hep", path.display())]
    Trace { path: PathBuf, source: std::io::Error },
    #[error(transparent)]
    Journal(#[from] JournalError),
    #[error(transparent)]
    Restore(#[from] RestoreError),
    #[error(transparent)]
    Prompts(#[from] PromptError),
    #[error(transparent)]
    Media(#[from] engine::StartError),
    #[error(transparent)]
    Net(#[from] NetError),
    #[error(transparent)]
    Tls(#[from] TlsError),
    #[error("the floor's settings contradict themselves: {0}")]
    Settings(String),
    #[error("the system gives no randomness or no thread: {0}; check its limits")]
    System(std::io::Error),
}

/// What a start finds on the disk.
pub struct State {
    /// The journal, locked.
    pub journal: Journal,
    /// Everything that it says, and what closes what a crash cut.
    pub restored: Restored,
}

impl State {
    /// Opens the data folder: makes it, locks it, cuts a torn tail, folds snapshot and tail, mends recordings, sealed ones by `keys`.
    ///
    /// # Errors
    /// Where the folder cannot be written, is in use, or is damaged beyond what a crash can do.
    pub fn open(data_dir: &Path, keys: Option<&KeyRing>) -> Result<Self, StartError> {
        let refused = |source| StartError::DataDir { path: data_dir.to_owned(), source };
        fs::create_dir_all(data_dir).map_err(refused)?;
        let journal = Journal::open(data_dir)?;
        if let Some(torn) = journal.torn() {
            tracing::warn!(
                path = %torn.path.display(), offset = torn.offset, cut_bytes = torn.cut_bytes, what = torn.what,
                "the last run ended in the middle of a write; its torn tail is cut"
            );
        }
        let restored = crate::store::restore(data_dir, &journal, keys)?;
        Ok(Self { journal, restored })
    }
}

/// Opens the floor and starts its loop. `follow` adds those who follow the journal.
///
/// # Errors
/// Whatever keeps the floor from opening, each with what to do.
pub fn open(
    settings: &Settings,
    program: Arc<Program>,
    state: State,
    keys: Option<Arc<KeyRing>>,
    follow: impl FnOnce(&mut Feed),
    commands: CommandPort,
) -> Result<Node, StartError> {
    let data_dir = Path::new(&settings.data_dir);
    settings.keys_in_the_clear().iter().for_each(|what| tracing::warn!("{what}"));
    super::files::allow(limits(settings).connections + settings.rtp.ports.len());
    if keys.is_some() {
        super::files::forbid_dumps();
    }
    let library = Library::default().of(settings, &program)?;
    let bell = Arc::clone(&commands.bell);
    let engine_settings = engine_settings(settings, library.store.clone(), keys)?;
    let (engine, reports) = Engine::start(engine_settings, bell.waker())?;
    let (deliver, events) = crossbeam_channel::bounded(NET_BACKLOG);
    let refused = |source| StartError::Trace { path: crate::store::trace::trace_dir(data_dir), source };
    let tracer = settings.trace.as_ref().map(|trace| Tracer::start(data_dir, trace)).transpose().map_err(refused)?;
    let tls = tls(settings)?;
    let capture = tracer.as_ref().map(|tracer| tracer.messages.clone());
    let net_settings = net_settings(settings, tls.clone(), capture);
    let net = Net::start(net_settings, deliver, bell.waker())?;
    let (addresses, upgrades) = (net.local_addresses().clone(), net.upgrades());
    let restart = restart(&state);
    let (journal, progress) = state.journal.start(Default::default(), bell.waker())?;
    let mut feed = Feed::new(data_dir, journal.progress().clone());
    follow(&mut feed);
    let trunks = |account: fn(&TrunkSettings) -> Option<&AccountSettings>| {
        settings.trunks.iter().map(move |(name, trunk)| (name, account(trunk).map(|account| &account.password)))
    };
    let opening = Opening {
        node: node_name(),
        passwords: agent_passwords(settings)?,
        pins: agent_pins(settings)?,
        accounts: secrets("trunk", trunks(|trunk| trunk.account.as_ref()))?,
        inbound: secrets("trunk", trunks(|trunk| trunk.inbound.as_ref()))?,
        listen: addresses.listen.clone(),
        fingerprint: engine.fingerprint(),
        media_threads: engine.threads(),
        prompts: library.prompts.clone(),
        music: library.music.clone(),
        default_music: library.default_music(),
    };
    let switch_settings = settings.switch(Arc::clone(&program), opening.clone());
    net.set_shedding(switch_settings.sip.shedding());
    let switch = Switch::new(switch_settings, restart, random()?, engine::now());
    let switch = switch.map_err(|error| StartError::Settings(error.to_string()))?;
    let (asker, answers) = Asker::start(hooks(settings)?, &Poster::new(), &bell.waker()).map_err(StartError::System)?;
    let watch = Arc::new(Watch::new(journal.progress().clone(), net.counters()));
    let (control, orders) = crossbeam_channel::bounded(16);
    let waker = bell.waker();
    let parts = Parts {
        tracer,
        switch,
        engine,
        net,
        journal,
        feed,
        reports,
        progress,
        events,
        orders,
        commands,
        asker,
        answers,
    };
    let event_loop = EventLoop::new(parts, Arc::clone(&watch));
    let thread = std::thread::Builder::new()
        .name("switch".into())
        .spawn(move || event_loop.run())
        .map_err(StartError::System)?;
    let reloader = Reloader {
        settings: settings.clone(),
        program,
        library,
        opening,
        control: control.clone(),
        waker: waker.clone(),
    };
    let reloader = Arc::new(Mutex::new(reloader));
    Ok(Node { addresses, watch, tls, upgrades, reloader, control, waker, thread })
}

fn engine_settings(
    settings: &Settings,
    prompts: PromptStore,
    keys: Option<Arc<KeyRing>>,
) -> Result<EngineSettings, StartError> {
    Ok(EngineSettings {
        address: settings.media_address(),
        ports: PortRange { first: *settings.rtp.ports.start(), last: *settings.rtp.ports.end() },
        threads: None,
        pinned: settings.rtp.pin_threads,
        prompts,
        lost_ms: Some(settings.rtp.silence_timeout_ms).filter(|ms| *ms > 0),
        recordings: Path::new(&settings.data_dir).join("recordings"),
        browsers: settings.browsers_port().map(BrowserSettings::at),
        keys,
        min_free_bytes: settings.recording.min_free_bytes,
        seed: random()?,
    })
}

fn net_settings(settings: &Settings, tls: Option<Tls>, capture: Option<Sender<Captured>>) -> NetSettings {
    let dns = DnsSettings {
        servers: settings.dns.servers.clone(),
        timeout: Duration::from_millis(settings.dns.timeout_ms),
        attempts: settings.dns.attempts.into(),
    };
    NetSettings {
        listen: settings.sip.listen().collect(),
        tls,
        dscp: settings.dscp_sip,
        dns: Some(dns),
        capture,
        limits: limits(settings),
    }
}

/// The other systems that are asked and told, with their secrets.
///
/// # Errors
/// Where the file of a secret cannot be read.
pub fn hooks(settings: &Settings) -> Result<Vec<Hook>, StartError> {
    let keys = secrets("webhook", settings.webhooks.iter().map(|(name, hook)| (name, hook.secret.as_ref())))?;
    let hook = |(name, hook): (&String, &WebhookSettings)| Hook {
        name: name.clone(),
        url: hook.url.clone(),
        key: keys.get(name).map(|secret| Key::new(secret.expose())),
        timeout: Duration::from_millis(hook.timeout_ms),
        tells: hook.events.clone(),
    };
    Ok(settings.webhooks.iter().map(hook).collect())
}

/// The keys under which recordings are sealed, and by which older ones open; `None` where they are plain.
///
/// # Errors
/// Where the file cannot be read, or what is in it, or in the variable, are no keys.
pub fn recording_keys(settings: &Settings) -> Result<Option<Arc<KeyRing>>, StartError> {
    let (whence, text) = match &settings.recording.keys {
        None => return Ok(None),
        Some(SecretSource::Known(secret)) => (settings.recording.keys_env.clone(), secret.expose().to_owned()),
        Some(SecretSource::File(path)) => {
            let refused = |source| StartError::KeyFile { path: path.clone(), source };
            (path.clone(), fs::read_to_string(path).map_err(refused)?)
        }
    };
    let keys = KeyRing::parse(&text).map_err(|source| StartError::Keys { whence, source })?;
    tracing::info!(key = keys.newest_name(), "recordings are sealed");
    Ok(Some(Arc::new(keys)))
}

fn limits(settings: &Settings) -> Limits {
    let usual = Limits::default();
    let set = |set: Option<u32>, usual| set.map_or(usual, |most| most as usize);
    let connections = set(settings.sip.max_connections, usual.connections);
    let per_source = set(settings.sip.max_connections_per_source, usual.per_source);
    Limits { connections, per_source: per_source.min(connections), ..usual }
}

fn restart(state: &State) -> Restart {
    let folds = &state.restored.folds;
    let binding = |(aor, contact, binding): (&str, &str, &crate::store::FoldedBinding)| Binding {
        aor: aor.to_owned(),
        uri: contact.to_owned(),
        call_id: binding.call_id.clone(),
        cseq: binding.cseq,
        expires_wall_ms: binding.expires_ms,
        updated_wall_ms: binding.updated_ms,
        q: binding.q,
        flow: binding.flow.clone(),
        path: binding.path.clone(),
        instance: binding.instance.clone(),
    };
    Restart {
        boot: folds.boot() + 1,
        next_seq: state.journal.next_seq(),
        closing: state.restored.closing.clone(),
        dialogs: folds.records.dialogs().dialogs().map(|(call, leg, dialog)| (call, leg, dialog.clone())).collect(),
        bindings: folds.bindings.bindings().map(binding).collect(),
        orders: folds.orders.clone(),
        callbacks: folds.live.requests().clone(),
        last_agents: folds.last_agents.clone(),
        lost_places: folds.lost_places.clone(),
        desks: folds.live.desks().clone(),
        agents: folds.agents.agents().collect(),
    }
}

fn tls(settings: &Settings) -> Result<Option<Tls>, TlsError> {
    let Some(tls) = &settings.tls else { return Ok(None) };
    let (certificate, key) = match &tls.pair {
        Some((certificate, key)) => (certificate.into(), key.into()),
        None => {
            let addresses: BTreeSet<_> = settings.sip.listen().map(|(_, address)| address.ip()).collect();
            crate::net::self_signed(&Path::new(&settings.data_dir).join("tls"), addresses)?
        }
    };
    let (client_ca, trust) = (tls.client_ca.as_ref().map(PathBuf::from), tls.trust.as_ref().map(PathBuf::from));
    Tls::open(TlsFiles { certificate, key, client_ca, trust }).map(Some)
}

pub(super) fn agent_passwords(settings: &Settings) -> Result<BTreeMap<String, Secret>, StartError> {
    secrets("agent", settings.agents.iter().map(|(name, agent)| (name, agent.password.as_ref())))
}

pub(super) fn agent_pins(settings: &Settings) -> Result<BTreeMap<String, Secret>, StartError> {
    let pins = secrets("PIN of agent", settings.agents.iter().map(|(name, agent)| (name, agent.pin.as_ref())))?;
    match pins.iter().find(|(_, pin)| !crate::config::is_pin(pin.expose())) {
        Some((agent, _)) => Err(StartError::Pin(agent.clone())),
        None => Ok(pins),
    }
}

/// The secrets of those who have one, by their names.
fn secrets<'a>(
    kind: &str,
    sources: impl Iterator<Item = (&'a String, Option<&'a SecretSource>)>,
) -> Result<BTreeMap<String, Secret>, StartError> {
    let mut secrets = BTreeMap::new();
    for (name, source) in sources {
        let secret = match source {
            None => continue,
            Some(SecretSource::Known(secret)) => secret.clone(),
            Some(SecretSource::File(path)) => {
                let text = fs::read_to_string(path);
                let whose = format!("{kind} {name}");
                let refused = |source| StartError::Password { whose, path: path.clone(), source };
                Secret::new(text.map_err(refused)?.trim_end_matches(['\r', '\n']))
            }
        };
        secrets.insert(name.clone(), secret);
    }
    Ok(secrets)
}

fn random() -> Result<[u8; 32], StartError> {
    let mut seed = [0; 32];
    let got = rustix::rand::getrandom(&mut seed, rustix::rand::GetRandomFlags::empty());
    match got {
        Ok(32) => Ok(seed),
        Ok(_) => Err(StartError::System(std::io::ErrorKind::UnexpectedEof.into())),
        Err(error) => Err(StartError::System(error.into())),
    }
}

fn node_name() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}
