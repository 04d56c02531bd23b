//! DNS: puts questions to servers and gives back what they say. What to ask and what follows from it is `sip::locate`'s.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use hickory_resolver::config::{
    ConnectionConfig, NameServerConfig, ResolveHosts, ResolverConfig, ServerOrderingStrategy,
};
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::net::{DnsError, NetError};
use hickory_resolver::proto::op::{Query, ResponseCode};
use hickory_resolver::proto::rr::{Name, RData, RecordType as Type};
use hickory_resolver::{Hosts, TokioResolver};
use tokio::sync::Semaphore;

use super::NetEvent;
use super::deliver::Deliver;
use crate::sip::locate::{Naptr, Question, Record, RecordType, Reply, Srv};

/// Questions under way at one time; one more counts as not answered.
const MOST: usize = 256;
/// Records of one answer that are handed on.
const MOST_RECORDS: usize = 64;

/// Whom to ask, and how long.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DnsSettings {
    /// Servers in the order in which they are asked; those of /etc/resolv.conf where empty.
    pub servers: Vec<SocketAddr>,
    /// How long one try waits for a server.
    pub timeout: Duration,
    /// Tries.
    pub attempts: usize,
}

/// Asks, within the runtime of the streams.
pub(super) struct Dns {
    resolver: Option<TokioResolver>,
    hosts: Option<Hosts>,
    permits: Arc<Semaphore>,
}

impl Dns {
    /// A resolver with these settings; without any, or where they cannot be used, every question fails.
    pub(super) fn new(settings: Option<&DnsSettings>) -> Self {
        let resolver = settings.and_then(|settings| {
            let opened = open(settings);
            let failed =
                |error| tracing::warn!(%error, "names cannot be looked up: check /etc/resolv.conf or set dns.servers");
            opened.map_err(failed).ok()
        });
        // Where the file cannot be read, DNS alone says where hosts are.
        let hosts = settings.and_then(|_| Hosts::from_system().ok());
        Self { resolver, hosts, permits: Arc::new(Semaphore::new(MOST)) }
    }

    /// Answers a question by `NetEvent::Resolved`. The work is given, for the caller to run.
    pub(super) fn ask(
        self: &Arc<Self>,
        question: Question,
        mut deliver: Deliver,
    ) -> impl Future<Output = ()> + Send + use<> {
        let dns = Arc::clone(self);
        async move {
            let reply = match dns.permits.try_acquire() {
                Ok(_permit) => dns.look_up(&question).await,
                Err(_) => Reply::Failed,
            };
            deliver.hand_over(NetEvent::Resolved { question, reply }).await;
        }
    }

    async fn look_up(&self, question: &Question) -> Reply {
        // Whole names: what a search list would add is not what a peer meant.
        let Ok(name) = Name::from_ascii(format!("{}.", question.name)) else { return Reply::Nothing { ttl_s: None } };
        if let Some(reply) = self.by_file(&name, question.record) {
            return reply;
        }
        let Some(resolver) = &self.resolver else { return Reply::Failed };
        match resolver.lookup(name, type_of(question.record)).await {
            Ok(found) => reply_of(question, found.answers().iter().map(|record| (record.ttl, &record.data))),
            Err(NetError::Dns(DnsError::NoRecordsFound(none)))
                if matches!(none.response_code, ResponseCode::NoError | ResponseCode::NXDomain) =>
            {
                Reply::Nothing { ttl_s: none.negative_ttl }
            }
            Err(error) => {
                tracing::info!(name = question.name, record = ?question.record, %error, "DNS did not answer");
                Reply::Failed
            }
        }
    }

    /// What /etc/hosts says: a host that stands there has the addresses that stand there, and no others.
    fn by_file(&self, name: &Name, record: RecordType) -> Option<Reply> {
        let hosts = self.hosts.as_ref().filter(|_| matches!(record, RecordType::A | RecordType::Aaaa))?;
        let of = |wanted| hosts.lookup_static_host(&Query::query(name.clone(), type_of(wanted)));
        let (four, six) = (of(RecordType::A), of(RecordType::Aaaa));
        if four.is_none() && six.is_none() {
            return None;
        }
        let found = if record == RecordType::A { four } else { six };
        let addresses = found.iter().flat_map(|found| found.answers()).filter_map(|record| record.data.ip_addr());
        Some(reply(addresses.map(Record::Address).collect(), HOSTS_TTL_S))
    }
}

/// How long what /etc/hosts says holds, seconds: so that a change there is seen soon.
const HOSTS_TTL_S: u32 = 10;

fn open(settings: &DnsSettings) -> Result<TokioResolver, NetError> {
    let server = |address: &SocketAddr| {
        let at_port = |mut connection: ConnectionConfig| {
            connection.port = address.port();
            connection
        };
        let connections = vec![at_port(ConnectionConfig::udp()), at_port(ConnectionConfig::tcp())];
        NameServerConfig::new(address.ip(), true, connections)
    };
    let mut builder = if settings.servers.is_empty() {
        TokioResolver::builder_tokio()?
    } else {
        let servers = settings.servers.iter().map(server).collect();
        TokioResolver::builder_with_config(ResolverConfig::from_name_servers(servers), TokioRuntimeProvider::default())
    };
    let options = builder.options_mut();
    options.timeout = settings.timeout;
    options.attempts = settings.attempts;
    // What is remembered, and for how long, is decided in one place only.
    options.cache_size = 0;
    options.use_hosts_file = ResolveHosts::Never;
    options.server_ordering_strategy = ServerOrderingStrategy::UserProvidedOrder;
    options.num_concurrent_reqs = 1;
    builder.build()
}

fn type_of(record: RecordType) -> Type {
    match record {
        RecordType::Naptr => Type::NAPTR,
        RecordType::Srv => Type::SRV,
        RecordType::A => Type::A,
        RecordType::Aaaa => Type::AAAA,
    }
}

/// The records that were asked for. Aliases on the way (CNAME) shorten how long they hold, and are left out.
fn reply_of<'a>(question: &Question, records: impl Iterator<Item = (u32, &'a RData)>) -> Reply {
    let (mut found, mut ttl_s) = (Vec::new(), u32::MAX);
    for (ttl, data) in records {
        ttl_s = ttl_s.min(ttl);
        let record = match (question.record, data) {
            (RecordType::A, RData::A(a)) => Record::Address(IpAddr::V4(a.0)),
            (RecordType::Aaaa, RData::AAAA(aaaa)) => Record::Address(IpAddr::V6(aaaa.0)),
            (RecordType::Srv, RData::SRV(srv)) => Record::Srv(Srv {
                priority: srv.priority,
                weight: srv.weight,
                port: srv.port,
                target: plain(&srv.target),
            }),
            (RecordType::Naptr, RData::NAPTR(naptr)) => Record::Naptr(Naptr {
                order: naptr.order,
                preference: naptr.preference,
                flags: String::from_utf8_lossy(&naptr.flags).into_owned(),
                service: String::from_utf8_lossy(&naptr.services).into_owned(),
                replacement: plain(&naptr.replacement),
            }),
            _ => continue,
        };
        if found.len() < MOST_RECORDS {
            found.push(record);
        }
    }
    reply(found, ttl_s)
}

fn reply(records: Vec<Record>, ttl_s: u32) -> Reply {
    if records.is_empty() { Reply::Nothing { ttl_s: None } } else { Reply::Found { records, ttl_s } }
}

fn plain(name: &Name) -> String {
    name.to_ascii().trim_end_matches('.').to_ascii_lowercase()
}
