//! How an endpoint behaves.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};

use crate::id::TrunkId;
use crate::sip::digest::{self, Secret};
use crate::sip::guard;
use crate::sip::message::Uri;
use crate::sip::overload;
use crate::sip::registrar;
use crate::sip::transaction::{Flow, Transport};
use crate::sip::trunk::{Net, Trunk};

/// Who may call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admission {
    /// Trunks by source and number, users by password, nobody else.
    Guarded,
    /// Everybody: a phone takes calls from wherever they come.
    Open,
}

/// One of our users: a phone's account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// What proves the user.
    pub password: Secret,
    /// Whether the phone's media may come from elsewhere than its SDP says.
    pub nat: bool,
}

/// How an [`super::Endpoint`] behaves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Who may call.
    pub admission: Admission,
    /// Trunks by name.
    pub trunks: BTreeMap<TrunkId, Trunk>,
    /// Users by name.
    pub users: BTreeMap<String, User>,
    /// Challenges.
    pub digest: digest::Settings,
    /// Beginnings of User-Agent values of phones that give up at a challenge with SHA-256; they are offered MD5 alone.
    pub md5_only: Vec<String>,
    /// After how many seconds a session that nobody refreshes has ended (RFC 4028); 0 where we ask for no timer.
    pub session_expires_s: u32,
    /// Calls that one user's phones may place at one time.
    pub max_calls_per_user: u32,
    /// Numbers that users reach at any time: beyond that limit, and while other calls are refused or shed.
    pub emergency: Vec<String>,
    /// Who is slowed and ignored.
    pub guard: guard::Settings,
    /// Bindings.
    pub registrar: registrar::Settings,
    /// Where we listen; the first of a transport and family is where requests of ours start.
    pub listen: Vec<(Transport, SocketAddr)>,
    /// What peers outside `local_nets` are told instead of the address that we listen on.
    pub public_address: Option<IpAddr>,
    /// Networks that reach us without translation.
    pub local_nets: Vec<Net>,
    /// Whether the Call-ID of each call that we place is told, for a trace.
    pub trace: bool,
    /// For User-Agent and Server.
    pub product: String,
}

impl Settings {
    /// Whose calls the reading threads may shed by themselves.
    pub fn shedding(&self) -> overload::Rules {
        let nets = self.trunks.values().flat_map(|trunk| trunk.addresses.iter().copied()).collect();
        overload::Rules { nets, emergency: self.emergency.clone() }
    }

    /// The address that the peer of `flow` is told.
    pub fn advertised(&self, flow: Flow) -> SocketAddr {
        let near = self.local_nets.iter().any(|net| net.contains(flow.remote.ip()));
        match self.public_address {
            Some(public) if !near => SocketAddr::new(public, flow.local.port()),
            _ => SocketAddr::new(flow.local.ip(), flow.local.port()),
        }
    }

    /// What proves a user, or a trunk that proves itself by a password.
    pub(super) fn password_of(&self, name: &str) -> Option<&Secret> {
        let of_trunk = |trunk: &Trunk| trunk.inbound.as_ref().is_some_and(|(user, _)| user == name);
        let trunk = || self.trunks.values().find(|trunk| of_trunk(trunk)).and_then(|trunk| trunk.inbound.as_ref());
        self.users.get(name).map(|user| &user.password).or_else(|| trunk().map(|(_, password)| password))
    }

    /// The way to `remote` from the first of our addresses that fits it.
    pub fn flow_to(&self, transport: Transport, remote: SocketAddr) -> Option<Flow> {
        let fits = |own: &(Transport, SocketAddr)| own.0 == transport && own.1.is_ipv4() == remote.is_ipv4();
        let (_, local) = *self.listen.iter().find(|own| fits(own))?;
        Some(Flow { transport, local, remote })
    }

    /// The address that a peer is told which we reach there, or of which nothing is known yet.
    pub fn told_at(&self, remote: Option<IpAddr>) -> Option<IpAddr> {
        let near = remote.is_some_and(|ip| self.local_nets.iter().any(|net| net.contains(ip)));
        let family = |own: &&(Transport, SocketAddr)| remote.is_none_or(|ip| ip.is_ipv4() == own.1.is_ipv4());
        let own = self.listen.iter().find(family).map(|(_, own)| own.ip());
        self.public_address.filter(|_| !near).or(own)
    }

    /// The way that a URI names; `None` where its host is no address, or where no way of its transport starts here.
    pub fn way_of(&self, uri: &Uri) -> Option<Flow> {
        let transport = Transport::of_uri(uri)?;
        self.flow_to(transport, SocketAddr::new(uri.address()?, uri.port.unwrap_or(transport.default_port())))
    }
}
