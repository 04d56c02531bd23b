//! What the settings say once they are right.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};
use std::ops::RangeInclusive;
use std::str::FromStr;

use super::secret::{Secret, SecretSource};

/// A network such as `127.0.0.0/8`, or one address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Net {
    address: IpAddr,
    prefix: u8,
}

impl Net {
    /// Whether `other` lies in the network. Addresses of the other family never do.
    pub fn contains(&self, other: IpAddr) -> bool {
        let prefix = u32::from(self.prefix);
        match (self.address, other) {
            (IpAddr::V4(net), IpAddr::V4(other)) => {
                let differ = u32::from(net) ^ u32::from(other);
                differ.checked_shr(32 - prefix).unwrap_or(0) == 0
            }
            (IpAddr::V6(net), IpAddr::V6(other)) => {
                let differ = u128::from(net) ^ u128::from(other);
                differ.checked_shr(128 - prefix).unwrap_or(0) == 0
            }
            _ => false,
        }
    }

    /// Whether every address of the network is loopback.
    pub fn is_loopback(&self) -> bool {
        self.address.is_loopback() && self.prefix >= if self.address.is_ipv4() { 8 } else { 128 }
    }
}

impl FromStr for Net {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (address, prefix) = text.split_once('/').map_or((text, None), |(a, p)| (a, Some(p)));
        let address: IpAddr = address.parse().map_err(|_| ())?;
        let longest = if address.is_ipv4() { 32 } else { 128 };
        let prefix = prefix.map_or(Ok(longest), |p| p.parse().map_err(|_| ()))?;
        if prefix > longest { Err(()) } else { Ok(Self { address, prefix }) }
    }
}

/// `[sip]`
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct SipSettings {
    /// Where to listen on UDP.
    pub udp: Vec<SocketAddr>,
    /// Where to listen on TCP.
    pub tcp: Vec<SocketAddr>,
    /// The address that peers outside the local networks are told.
    pub public_address: Option<IpAddr>,
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
}

/// `[trunk.NAME]`
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct TrunkSettings {
    /// Sources whose requests belong to the trunk.
    pub addresses: Vec<Net>,
    /// The numbers that it may call: digits, or a prefix with `*`.
    pub numbers: Vec<String>,
}

impl TrunkSettings {
    /// Whether a request from `source` for `called` comes from this trunk.
    pub fn serves(&self, source: IpAddr, called: &str) -> bool {
        let number = |n: &String| n.strip_suffix('*').map_or(n == called, |prefix| called.starts_with(prefix));
        self.addresses.iter().any(|net| net.contains(source)) && self.numbers.iter().any(number)
    }
}

/// `[agent."NUMBER"]`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AgentSettings {
    /// The phone's password; an agent with a contact needs none.
    pub password: Option<SecretSource>,
    /// What the agent knows.
    pub skills: BTreeSet<String>,
    /// A phone that needs no registration: its SIP URI.
    pub contact: Option<String>,
}

/// `[[route]]`: numbers that go straight to another switch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RouteSettings {
    /// What such numbers begin with.
    pub prefix: String,
    /// Where they go.
    pub target: SocketAddr,
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
    /// Media.
    pub rtp: RtpSettings,
    /// Where HTTP listens.
    pub http_listen: Vec<SocketAddr>,
    /// DiffServ code point of signalling, 0–63 (RFC 2474).
    pub dscp_sip: u8,
    /// DiffServ code point of media, 0–63 (RFC 2474).
    pub dscp_rtp: u8,
    /// How long a stop waits for calls in progress, milliseconds.
    pub shutdown_deadline_ms: u64,
    /// The token of the API, where its variable is set.
    pub api_token: Option<Secret>,
    /// The variable that holds the token.
    pub api_token_env: String,
    /// Trunks by name.
    pub trunks: BTreeMap<String, TrunkSettings>,
    /// Agents by number.
    pub agents: BTreeMap<String, AgentSettings>,
    /// Numbers that go straight on, the longest prefix first.
    pub routes: Vec<RouteSettings>,
}
