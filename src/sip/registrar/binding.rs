//! Bindings and what becomes of them.

use serde::{Deserialize, Serialize};

/// One contact of an address of record; journalled, so that it survives a restart.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Binding {
    /// The address of record, canonical: "sip:1001@pbx.example".
    pub aor: String,
    /// The contact's URI.
    pub uri: String,
    /// The Call-ID of the phone's registrations.
    pub call_id: String,
    /// The CSeq of the last one.
    pub cseq: u32,
    /// When it expires, in ms since 1970 UTC: wall time, because it must survive a restart.
    pub expires_wall_ms: i64,
    /// When it was last set, in ms since 1970 UTC.
    pub updated_wall_ms: i64,
    /// The contact's preference in thousandths, 0–1000 (RFC 3261 §20.10).
    pub q: u16,
    /// Where the registration came from and answers go: transport and address.
    pub flow: String,
    /// The proxies before the phone, nearest to us first: the Route of requests to it (RFC 3327).
    pub path: Vec<String>,
    /// The phone, where it says who it is, and which of its ways this is, where it registers by Outbound.
    pub instance: Option<String>,
}

impl Binding {
    /// Whether the phone registers by Outbound (RFC 5626): it is reached over `flow` alone.
    pub fn is_outbound(&self) -> bool {
        self.instance.as_ref().is_some_and(|instance| instance.contains(";reg-id="))
    }

    /// Whether its datagrams come from elsewhere than the phone says: a NAT is between, which forgets a way that is not used.
    pub(super) fn is_translated(&self) -> bool {
        let Some((remote, _)) = self.flow.strip_prefix("udp:").and_then(|flow| flow.split_once('@')) else {
            return false;
        };
        let address = self.uri.rsplit_once('@').map_or(self.uri.as_str(), |(_, address)| address);
        let address = address.split(';').next().unwrap_or_default();
        address != remote && format!("{address}:5060") != remote
    }
}

/// A binding as a REGISTER's 200 lists it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bound {
    /// The contact's URI.
    pub uri: String,
    /// Seconds until it expires, rounded up.
    pub expires_s: u32,
    /// Preference in thousandths.
    pub q: u16,
}

/// What a REGISTER did to one binding; to be journalled before its 200 leaves.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum BindingChange {
    /// A contact that was not there.
    Added(Binding),
    /// A contact that was there.
    Refreshed(Binding),
    /// A contact is gone.
    Removed {
        /// The address of record.
        aor: String,
        /// The contact's URI.
        uri: String,
    },
}

impl BindingChange {
    /// The contact's URI.
    pub fn uri(&self) -> &str {
        match self {
            Self::Added(binding) | Self::Refreshed(binding) => &binding.uri,
            Self::Removed { uri, .. } => uri,
        }
    }

    /// The address of record whose binding it is.
    pub fn aor(&self) -> &str {
        match self {
            Self::Added(binding) | Self::Refreshed(binding) => &binding.aor,
            Self::Removed { aor, .. } => aor,
        }
    }
}

/// What the registrar tells and asks; drained with `poll_event`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// An address of record has got its first contact: its agent signs in.
    FirstBinding {
        /// The address of record.
        aor: String,
    },
    /// A contact that was there is there for longer.
    Refreshed {
        /// The address of record.
        aor: String,
        /// The contact's URI.
        uri: String,
    },
    /// A contact was not refreshed in time.
    Expired {
        /// The address of record.
        aor: String,
        /// The contact's URI.
        uri: String,
    },
    /// An address of record has lost its last contact: its agent signs out.
    LastBindingGone {
        /// The address of record.
        aor: String,
    },
    /// Send OPTIONS to the contact, and tell `handle_qualify_result` what came of it.
    Qualify {
        /// The address of record.
        aor: String,
        /// The contact's URI.
        uri: String,
    },
    /// A contact answers, for the first time or again.
    Reachable {
        /// The address of record.
        aor: String,
        /// The contact's URI.
        uri: String,
    },
    /// A contact has left too many OPTIONS in a row without an answer.
    Unreachable {
        /// The address of record.
        aor: String,
        /// The contact's URI.
        uri: String,
    },
}

/// Whether a contact answers OPTIONS.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Qualification {
    /// Nothing is known yet, beyond `failures` tries without an answer.
    Untried {
        /// Tries in a row without an answer.
        failures: u32,
    },
    /// It answered; since then it missed `failures`.
    Reachable {
        /// Tries in a row without an answer.
        failures: u32,
    },
    /// It does not answer.
    Unreachable,
}
