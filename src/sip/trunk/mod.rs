//! Trunks: the switches and carriers that calls come from and go to, and what is agreed with each.

mod identity;
mod limit;
mod net;
mod number;
mod target;

pub use identity::{Diverted, Forwarding, Identify, Shown};
pub use limit::{Limits, Refused};
pub use net::{Net, is_private};
pub use number::{Format, Numbering, Plan, Rewrite};
pub use target::{Health, Target, TargetState};

pub(in crate::sip) use identity::{caller_of, diverted_of};
pub(in crate::sip) use limit::Load;
pub(in crate::sip) use target::Targets;

use std::net::IpAddr;
use std::sync::Arc;

use super::digest::{Account, Secret};
use super::endpoint::WAY_PATIENCE_MS;
use super::message::Uri;

/// A trunk: `[trunk.NAME]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trunk {
    /// Sources whose requests belong to the trunk.
    pub addresses: Vec<Net>,
    /// The user and password by which its requests prove themselves from anywhere.
    pub inbound: Option<(String, Secret)>,
    /// The numbers that it may call: digits, or a prefix with `*`.
    pub numbers: Vec<String>,
    /// Whether its media may come from another address than its SDP says.
    pub nat: bool,
    /// Whether what it says of the caller beside From, and of diversions, is believed, and whether it is told the number of a
    /// caller who withholds it (RFC 3325).
    pub trusted: bool,
    /// Where calls go.
    pub targets: Vec<Target>,
    /// How long a target that is not the last may stay silent, milliseconds.
    pub patience_ms: u64,
    /// From one OPTIONS to a target to the next, milliseconds; 0 where targets are not asked.
    pub health_ms: u64,
    /// The domain of our From; our own address where `None`.
    pub domain: Option<String>,
    /// What proves us there.
    pub account: Option<Arc<Account>>,
    /// Our registration there.
    pub register: Option<Register>,
    /// What may be carried at one time.
    pub limits: Limits,
    /// How numbers are written there.
    pub numbering: Numbering,
    /// How it is told who calls.
    pub identify: Identify,
    /// How it is told that a call was diverted.
    pub forwarding: Forwarding,
    /// The number that calls of our own users show there, in place of the user's.
    pub caller: Option<String>,
}

/// A registration of ours at a trunk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Register {
    /// Registrars, the first one first.
    pub registrars: Vec<Uri>,
    /// The address of record.
    pub aor: Uri,
    /// The user in our Contact: where calls to the registration are sent, with the called number in To.
    pub contact: String,
    /// Seconds asked for.
    pub expires_s: u32,
}

impl Trunk {
    /// A trunk that sends from `addresses` and is sent nothing.
    pub fn from_addresses(addresses: Vec<Net>, numbers: Vec<String>) -> Self {
        Self {
            addresses,
            inbound: None,
            numbers,
            nat: false,
            trusted: false,
            targets: Vec::new(),
            patience_ms: WAY_PATIENCE_MS,
            health_ms: 0,
            domain: None,
            account: None,
            register: None,
            limits: Limits::default(),
            numbering: Numbering::default(),
            identify: Identify::default(),
            forwarding: Forwarding::default(),
            caller: None,
        }
    }

    /// Whether `source` is one of the trunk's, for whatever number.
    pub fn has(&self, source: IpAddr) -> bool {
        self.addresses.iter().any(|net| net.contains(source))
    }

    /// Where it may lead a call elsewhere by a redirection (3xx): its own networks and targets.
    pub(in crate::sip) fn redirect_nets(&self) -> Vec<Net> {
        let targets = self.targets.iter().filter_map(|target| target.uri.address());
        self.addresses.iter().copied().chain(targets.map(Net::of)).collect()
    }

    /// Whether the trunk may call this number, as it is after rewriting.
    pub fn may_call(&self, called: &str) -> bool {
        self.numbers.iter().any(|n| n.strip_suffix('*').map_or(n == called, |prefix| called.starts_with(prefix)))
    }
}
