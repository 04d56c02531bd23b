//! What the settings say once they are right.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::ops::RangeInclusive;

use crate::dialplan::Problem;
use crate::journal::NoticeKind;
use crate::sip::digest::{Algorithm, Secret};
use crate::sip::guard;
use crate::sip::message::Uri;
use crate::sip::transaction::Transport;
use crate::sip::trunk::{Net, Trunk};
use crate::switch::{AudioCodec, Srtp};

/// `[sip]`
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct SipSettings {
    /// Where to listen on UDP.
    pub udp: Vec<SocketAddr>,
    /// Where to listen on TCP.
    pub tcp: Vec<SocketAddr>,
    /// Where to listen on TLS; needs `[tls]`.
    pub tls: Vec<SocketAddr>,
    /// Where to listen for WebSockets (RFC 7118).
    pub ws: Vec<SocketAddr>,
    /// Where to listen for WebSockets within TLS; needs `[tls]`.
    pub wss: Vec<SocketAddr>,
    /// The address that peers outside the local networks are told.
    pub public_address: Option<IpAddr>,
    /// The hashes of digest authentication that are offered, in this order; SHA-256 and MD5 where empty.
    pub digest: Vec<Algorithm>,
    /// Beginnings of User-Agent values of phones that give up at a challenge with SHA-256; they are offered MD5 alone.
    pub md5_only: Vec<String>,
    /// Milliseconds from one OPTIONS to a phone to the next; 0 where phones are not asked, a minute where not set.
    pub qualify_ms: Option<u64>,
    /// Milliseconds after which a session that nobody refreshes has ended; 0 where no timer is asked for, half an hour where not set.
    pub session_expires_ms: Option<u64>,
    /// Contacts that one user may bind; ten where not set.
    pub max_contacts: Option<u32>,
    /// Calls that one user's phones may place at one time; ten where not set.
    pub max_calls_per_user: Option<u32>,
    /// Whether calls of one user to another are recorded.
    pub record_internal: bool,
    /// Connections that peers may have open at one time, of all transports together; 10,000 where not set.
    pub max_connections: Option<u32>,
    /// How many of them may come from one address; 256 where not set.
    pub max_connections_per_source: Option<u32>,
}

impl Settings {
    /// The browsers' port of the first media thread, where a browser could sign in at all.
    pub fn browsers_port(&self) -> Option<u16> {
        let sockets = !(self.sip.ws.is_empty() && self.sip.wss.is_empty() && self.http_listen.is_empty());
        self.rtp.webrtc.filter(|_| sockets)
    }
}

impl SipSettings {
    /// Everything to listen on.
    pub fn listen(&self) -> impl Iterator<Item = (Transport, SocketAddr)> {
        let by_transport = Transport::ALL.into_iter().map(|transport| match transport {
            Transport::Udp => (transport, &self.udp),
            Transport::Tcp => (transport, &self.tcp),
            Transport::Tls => (transport, &self.tls),
            Transport::Ws => (transport, &self.ws),
            Transport::Wss => (transport, &self.wss),
        });
        by_transport.flat_map(|(transport, addresses)| addresses.iter().map(move |address| (transport, *address)))
    }
}

/// `[tls]`: PEM files, which are read at the start and again at SIGHUP.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsSettings {
    /// Our certificate with those between it and its root, and its private key; one of our own making, kept in the data folder,
    /// where not set.
    pub pair: Option<(String, String)>,
    /// Who issues certificates of peers that connect; where set, a peer without one is refused.
    pub client_ca: Option<String>,
    /// Who issues certificates of peers that we connect to; the system's roots where not set.
    pub trust: Option<String>,
    /// Where each file is named, by its setting: a problem that lacks its message.
    pub places: Vec<(&'static str, Problem)>,
}

/// `[dns]`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DnsSettings {
    /// Servers in the order in which they are asked; those of /etc/resolv.conf where empty.
    pub servers: Vec<SocketAddr>,
    /// How long one try waits for a server, milliseconds.
    pub timeout_ms: u64,
    /// Tries.
    pub attempts: u8,
}

impl Default for DnsSettings {
    fn default() -> Self {
        Self { servers: Vec::new(), timeout_ms: 1_000, attempts: 2 }
    }
}

/// `[trace]`: what passes is kept for `trunkline trace`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TraceSettings {
    /// Bytes that the ring may take on the disk.
    pub keep_bytes: u64,
    /// Homer's collector, which gets a copy of every message (HEPv3 over UDP).
    pub hep: Option<SocketAddr>,
    /// Who we are there.
    pub hep_id: u32,
}

/// `[rtp]`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RtpSettings {
    /// Where media sockets are bound.
    pub address: Vec<IpAddr>,
    /// The address that peers outside the local networks are told.
    pub public_address: Option<IpAddr>,
    /// Ports, both ends included.
    pub ports: RangeInclusive<u16>,
    /// How long a party in a conversation may send neither RTP nor RTCP before its call is ended, ms; 0 where for ever.
    pub silence_timeout_ms: u64,
    /// The UDP port of browsers on the first media thread, each further thread's the next one; `None` where none are served.
    pub webrtc: Option<u16>,
    /// Whether sound is encrypted, where neither trunk nor agent says so.
    pub srtp: Srtp,
    /// Whether each media thread keeps to a core of its own.
    pub pin_threads: bool,
}

/// `[recording]`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordingSettings {
    /// What our users press in a conversation to pause its recording; none where no keys do it.
    pub pause_code: Option<String>,
    /// What they press to let it go on.
    pub resume_code: Option<String>,
    /// The keys under which recordings are sealed; plain where none.
    pub keys: Option<SecretSource>,
    /// The variable that they come from where no file is named.
    pub keys_env: String,
    /// Whether recordings become Ogg Opus once they are closed.
    pub compress: bool,
    /// Bytes that are to be left free where recordings lie; with less, they count as not writable.
    pub min_free_bytes: u64,
}

impl Default for RecordingSettings {
    fn default() -> Self {
        Self {
            pause_code: Some("*1".to_owned()),
            resume_code: Some("*2".to_owned()),
            keys: None,
            compress: false,
            keys_env: "TRUNKLINE_RECORDING_KEYS".to_owned(),
            min_free_bytes: 64 << 20,
        }
    }
}

/// Where a secret is to be had; the shell resolves files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SecretSource {
    /// Written in the settings or found in the named environment variable.
    Known(Secret),
    /// In a file, whose trailing line end does not count.
    File(String),
}

/// `[speech]`: what speaks the texts of dialplans.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SpeechSettings {
    /// A program and its arguments, in which `{voice}`, `{file}` and `{text}` are put in; it writes a WAV file.
    pub command: Vec<String>,
    /// The voice of each language; the language's own name where it has none.
    pub voices: BTreeMap<String, String>,
}

impl Default for SpeechSettings {
    fn default() -> Self {
        let command = ["espeak-ng", "-v", "{voice}", "-s", "150", "-w", "{file}", "--", "{text}"];
        let voices = BTreeMap::from([("zh".to_owned(), "cmn".to_owned())]);
        Self { command: command.map(str::to_owned).to_vec(), voices }
    }
}

/// `[webhook.NAME]`: another system that dialplans ask, and that is told what has happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WebhookSettings {
    /// Its address.
    pub url: String,
    /// Signs what is posted there; nothing is signed where not set.
    pub secret: Option<SecretSource>,
    /// How long an answer to a notice may take, milliseconds.
    pub timeout_ms: u64,
    /// What is told there.
    pub events: Vec<NoticeKind>,
}

/// `[agent."NUMBER"]`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AgentSettings {
    /// The phone's password; an agent with a contact needs none, nor one with a PIN.
    pub password: Option<SecretSource>,
    /// What proves the agent at somebody else's phone.
    pub pin: Option<SecretSource>,
    /// Whether the phone's media may come from another address than its SDP says.
    pub nat: bool,
    /// Whether the phone is asked to answer by itself.
    pub auto_answer: bool,
    /// Whether its phone's sound is encrypted; as `[rtp]` says where not set.
    pub srtp: Option<Srtp>,
    /// What the agent knows, and how well (1–100).
    pub skills: BTreeMap<String, u8>,
    /// Classes of routes by which the agent may call.
    pub may_call: Vec<String>,
    /// After-call work in milliseconds, whatever the queue; as the queue says where not set.
    pub acw_ms: Option<u64>,
    /// How many calls of queues the agent takes at once.
    pub capacity: u8,
    /// A phone that needs no registration: its SIP URI.
    pub contact: Option<String>,
}

/// A name and a password, with the realm in which they count.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccountSettings {
    /// The name.
    pub user: String,
    /// Where the password is to be had.
    pub password: SecretSource,
    /// Whose challenges are answered; empty where the realm is ours.
    pub realm: String,
}

/// `[trunk.NAME]`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrunkSettings {
    /// What signalling needs to know, without the secrets.
    pub sip: Trunk,
    /// What proves us there.
    pub account: Option<AccountSettings>,
    /// What proves the trunk to us, wherever it sends from.
    pub inbound: Option<AccountSettings>,
    /// Codecs, the preferred one first; every one that we have where empty.
    pub codecs: Vec<AudioCodec>,
    /// Whether callers hear what the trunk sends before the call is answered.
    pub early_media: bool,
    /// Whether its sound is encrypted; as `[rtp]` says where not set.
    pub srtp: Option<Srtp>,
}

/// Where the calls of a route go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RouteTo {
    /// To where a SIP URI without a user leads.
    Target(Uri),
    /// To the first of these trunks that takes the call.
    Trunks(Vec<String>),
}

/// `[[route]]`: numbers that go straight to another switch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RouteSettings {
    /// What such numbers begin with.
    pub prefix: String,
    /// Where they go.
    pub to: RouteTo,
    /// Digits at the beginning that are not sent on.
    pub strip: usize,
    /// Whether our own users may call by it.
    pub agents: bool,
    /// The class of service that a user must have; every user may where absent.
    pub class: Option<String>,
    /// Emergency numbers: every user may, and no limit of a trunk holds.
    pub emergency: bool,
    /// The trunks whose calls may leave by it.
    pub from_trunks: Vec<String>,
    /// Whether both sides are recorded.
    pub record: bool,
}

/// Everything that can be set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The floor may only listen on loopback addresses.
    pub demo: bool,
    /// Folder of journal, database and recordings.
    pub data_dir: String,
    /// The file to which lines of `queue_log` are appended, as Asterisk writes it; none where `None`.
    pub queue_log: Option<String>,
    /// Dialplan files, or folders of them.
    pub dialplans: Vec<String>,
    /// Folder of prompt files and their catalogue.
    pub prompts: String,
    /// Filter of the log, as `tracing` reads it.
    pub log: String,
    /// Networks that are told the bound address rather than the public one.
    pub local_nets: Vec<Net>,
    /// Signalling.
    pub sip: SipSettings,
    /// Certificates, for SIP over TLS and secure WebSockets.
    pub tls: Option<TlsSettings>,
    /// How names are looked up.
    pub dns: DnsSettings,
    /// Traced messages; none are kept where `None`.
    pub trace: Option<TraceSettings>,
    /// Media.
    pub rtp: RtpSettings,
    /// Recordings.
    pub recording: RecordingSettings,
    /// Where HTTP listens.
    pub http_listen: Vec<SocketAddr>,
    /// DiffServ code point of signalling, 0–63 (RFC 2474).
    pub dscp_sip: u8,
    /// DiffServ code point of media, 0–63 (RFC 2474).
    pub dscp_rtp: u8,
    /// How long a stop waits for calls in progress, milliseconds.
    pub shutdown_deadline_ms: u64,
    /// Who is slowed and ignored.
    pub guard: guard::Settings,
    /// The token of the API, where its variable is set.
    pub api_token: Option<Secret>,
    /// The variable that holds the token.
    pub api_token_env: String,
    /// What speaks the texts of dialplans.
    pub speech: SpeechSettings,
    /// Other systems by name.
    pub webhooks: BTreeMap<String, WebhookSettings>,
    /// Trunks by name.
    pub trunks: BTreeMap<String, TrunkSettings>,
    /// Agents by number.
    pub agents: BTreeMap<String, AgentSettings>,
    /// Why agents may be "not ready", and whether the time is paid; any reason will do where empty.
    pub reasons: BTreeMap<String, bool>,
    /// How priority classes and waiting add up.
    pub ageing: crate::acd::Ageing,
    /// Whose call progress tones are played, by its ISO 3166 code.
    pub tones: String,
    /// How loud prompts and music are played.
    pub volume: VolumeSettings,
    /// Numbers that go straight on, the longest prefix first.
    pub routes: Vec<RouteSettings>,
}

/// How loud prompts and music are played where a dialplan does not say so, dB beside their files' own level.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct VolumeSettings {
    /// Prompts, and the texts that a machine speaks.
    pub prompts_db: i8,
    /// Music; call progress tones have the level of their own.
    pub music_db: i8,
}
