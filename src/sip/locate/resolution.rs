//! The procedure of RFC 3263 §4 over what is known of DNS: hops, or the questions that are still open.

use std::net::{IpAddr, SocketAddr};

use rand_chacha::ChaCha12Rng;

use super::question::{Naptr, Question, Record, RecordType, Srv};
use super::weights::in_order;
use crate::sip::message::{Scheme, Uri};
use crate::sip::transaction::Transport;

/// Hops that a request may be tried at: a domain that lists more is tried at these.
const MOST_HOPS: usize = 16;
/// Records of one set that are looked at.
const MOST_RECORDS: usize = 16;

/// Where a request may be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hop {
    /// Over what.
    pub transport: Transport,
    /// Where to.
    pub remote: SocketAddr,
    /// The name in the URI that led there: what a certificate must name within TLS (RFC 5922 §7.1); `None` for an address.
    pub name: Option<String>,
}

/// What a URI says of its next hop.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Target {
    secure: bool,
    /// Where the URI names one.
    transport: Option<Transport>,
    host: String,
    port: Option<u16>,
}

/// The transports and families that requests can leave by.
#[derive(Clone, Debug, Default)]
pub(super) struct Ways(Vec<(Transport, bool)>);

/// One run of the procedure.
pub(super) struct Resolution<'a> {
    pub(super) ways: &'a Ways,
    /// What is known of a question; `None` where it has to be asked.
    pub(super) known: &'a dyn Fn(&Question) -> Option<&'a [Record]>,
    pub(super) rng: &'a mut ChaCha12Rng,
    /// What has to be asked before there is a result.
    pub(super) open: Vec<Question>,
}

impl Target {
    /// `None` for a scheme or transport that we send nothing over.
    pub(super) fn of(uri: &Uri) -> Option<Self> {
        let meant = Transport::of_uri(uri)?;
        let named =
            uri.params.has("transport") && !(uri.scheme == Scheme::Sips && uri.params.value("transport").is_none());
        let host = uri.params.value("maddr").unwrap_or(&uri.host);
        Some(Self {
            secure: uri.scheme == Scheme::Sips,
            transport: named.then_some(meant),
            host: host.trim_end_matches('.').to_ascii_lowercase(),
            port: uri.port,
        })
    }

    pub(super) fn address(&self) -> Option<IpAddr> {
        self.host.trim_matches(['[', ']']).parse().ok()
    }

    /// Whether the host can stand in DNS: letters, digits and hyphens, 253 in all, 63 between two dots, and none of those that never
    /// do (RFC 6761 §6.4).
    pub(super) fn is_name(&self) -> bool {
        let label = |label: &str| {
            (1..=63).contains(&label.len()) && label.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b))
        };
        let is_invalid = self.host.rsplit('.').next() == Some("invalid");
        self.host.len() <= 253 && !is_invalid && self.host.split('.').all(label)
    }
}

impl Ways {
    pub(super) fn new(listen: &[(Transport, SocketAddr)]) -> Self {
        let open = listen.iter().filter(|(transport, _)| transport.can_be_opened());
        Self(open.map(|(transport, own)| (*transport, own.is_ipv4())).collect())
    }

    fn have(&self, transport: Transport) -> bool {
        self.0.iter().any(|(own, _)| *own == transport)
    }

    fn reach(&self, transport: Transport, ipv4: bool) -> bool {
        self.0.contains(&(transport, ipv4))
    }

    /// What a target may be reached over, the usual one first (§4.1: UDP for `sip`, TLS for `sips`).
    pub(super) fn candidates(&self, target: &Target) -> Vec<Transport> {
        let wanted = match (target.transport, target.secure) {
            (Some(named), _) => vec![named],
            (None, true) => vec![Transport::Tls],
            (None, false) => vec![Transport::Udp, Transport::Tcp],
        };
        wanted.into_iter().filter(|transport| self.have(*transport)).collect()
    }
}

impl<'a> Resolution<'a> {
    /// The hops, best first; to be thrown away where questions are open.
    pub(super) fn run(&mut self, target: &Target) -> Vec<Hop> {
        let candidates = self.ways.candidates(target);
        let hops = match (target.address(), target.port, target.transport) {
            (Some(ip), port, _) => numeric(&candidates, ip, port, self.ways),
            // A port says that the name is a host's (§4.2).
            (None, Some(port), _) => self.of_host(&candidates, &target.host, Some(port)),
            (None, None, Some(_)) => self.of_services(&candidates, &target.host),
            (None, None, None) => self.of_domain(target, &candidates),
        };
        let name = target.address().is_none().then(|| target.host.clone());
        let mut all: Vec<Hop> = Vec::new();
        for (transport, remote) in hops {
            if !all.iter().any(|hop| (hop.transport, hop.remote) == (transport, remote)) {
                all.push(Hop { transport, remote, name: name.clone() });
            }
        }
        all.truncate(MOST_HOPS);
        all
    }

    fn of_domain(&mut self, target: &Target, candidates: &[Transport]) -> Vec<(Transport, SocketAddr)> {
        let Some(records) = self.ask(&target.host, RecordType::Naptr) else { return Vec::new() };
        let naptr = |record: &'a Record| if let Record::Naptr(naptr) = record { Some(naptr) } else { None };
        let mut services: Vec<_> =
            records.iter().filter_map(naptr).filter_map(|naptr| Some((naptr, self.service(naptr, target)?))).collect();
        services.sort_by_key(|(naptr, _)| (naptr.order, naptr.preference));
        services.truncate(MOST_RECORDS);
        if services.is_empty() {
            return self.of_services(candidates, &target.host);
        }
        let mut hops = Vec::new();
        for (naptr, transport) in services {
            let records = self.ask(&naptr.replacement, RecordType::Srv);
            hops.extend(self.of_records(transport, records.unwrap_or_default()));
        }
        hops
    }

    /// The transport of a service that we can use for this target: `sips` takes nothing but its own (§4.1).
    fn service(&self, naptr: &Naptr, target: &Target) -> Option<Transport> {
        let transport = match naptr.service.to_ascii_uppercase().as_str() {
            "SIP+D2U" if !target.secure => Transport::Udp,
            "SIP+D2T" if !target.secure => Transport::Tcp,
            "SIPS+D2T" => Transport::Tls,
            _ => return None,
        };
        (naptr.flags.eq_ignore_ascii_case("s") && self.ways.have(transport)).then_some(transport)
    }

    /// By SRV records, or where there are none at all by the host's addresses and the usual port.
    fn of_services(&mut self, candidates: &[Transport], host: &str) -> Vec<(Transport, SocketAddr)> {
        let mut found = Vec::new();
        for transport in candidates {
            let records = self.ask(&format!("{}.{host}", service_of(*transport)), RecordType::Srv);
            found.push((*transport, records.unwrap_or_default()));
        }
        if !self.open.is_empty() {
            return Vec::new();
        }
        if found.iter().all(|(_, records)| records.is_empty()) {
            return self.of_host(candidates, host, None);
        }
        found.into_iter().flat_map(|(transport, records)| self.of_records(transport, records)).collect()
    }

    fn of_records(&mut self, transport: Transport, records: &'a [Record]) -> Vec<(Transport, SocketAddr)> {
        let srv = |record: &'a Record| if let Record::Srv(srv) = record { Some(srv) } else { None };
        let ordered: Vec<&Srv> = in_order(records.iter().filter_map(srv).take(MOST_RECORDS), self.rng);
        // A target that is the root says that there is no such service.
        let there = ordered.into_iter().filter(|srv| !srv.target.trim_end_matches('.').is_empty());
        there.flat_map(|srv| self.addresses(transport, &srv.target, srv.port)).collect()
    }

    fn of_host(&mut self, candidates: &[Transport], host: &str, port: Option<u16>) -> Vec<(Transport, SocketAddr)> {
        let Some(transport) = candidates.first() else { return Vec::new() };
        self.addresses(*transport, host, port.unwrap_or(transport.default_port()))
    }

    /// IPv6 before IPv4 (RFC 6724), as far as we have both.
    fn addresses(&mut self, transport: Transport, host: &str, port: u16) -> Vec<(Transport, SocketAddr)> {
        let mut found = Vec::new();
        for (record, ipv4) in [(RecordType::Aaaa, false), (RecordType::A, true)] {
            if self.ways.reach(transport, ipv4) {
                found.extend(self.ask(host, record).unwrap_or_default().iter().take(MOST_RECORDS));
            }
        }
        let hop = |record: &Record| match record {
            Record::Address(ip) => Some((transport, SocketAddr::new(*ip, port))),
            _ => None,
        };
        found.into_iter().filter_map(hop).collect()
    }

    fn ask(&mut self, name: &str, record: RecordType) -> Option<&'a [Record]> {
        let question = Question::new(name, record);
        let known = (self.known)(&question);
        if known.is_none() && !self.open.contains(&question) {
            self.open.push(question);
        }
        known
    }
}

fn numeric(candidates: &[Transport], ip: IpAddr, port: Option<u16>, ways: &Ways) -> Vec<(Transport, SocketAddr)> {
    let transport = candidates.first().filter(|transport| ways.reach(**transport, ip.is_ipv4()));
    let hop = transport.map(|own| (*own, SocketAddr::new(ip, port.unwrap_or(own.default_port()))));
    hop.into_iter().collect()
}

/// The labels before a domain (RFC 3263 §4.2).
fn service_of(transport: Transport) -> &'static str {
    match transport {
        Transport::Udp => "_sip._udp",
        Transport::Tls => "_sips._tcp",
        Transport::Tcp | Transport::Ws | Transport::Wss => "_sip._tcp",
    }
}
