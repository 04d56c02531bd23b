//! What is asked of DNS, and what it says.

use std::net::IpAddr;

/// A type of records.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum RecordType {
    /// Which services a domain has (RFC 3403).
    Naptr,
    /// Where a service is (RFC 2782).
    Srv,
    /// IPv4 addresses.
    A,
    /// IPv6 addresses.
    Aaaa,
}

/// One question.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Question {
    /// A whole name in lower case, without the dot at its end; search lists do not apply.
    pub name: String,
    /// What of it.
    pub record: RecordType,
}

impl Question {
    /// The question for the records of `name`.
    pub fn new(name: &str, record: RecordType) -> Self {
        Self { name: name.trim_end_matches('.').to_ascii_lowercase(), record }
    }
}

/// A service of a domain (RFC 3403 §4.1). Its regular expression is not kept: SIP's services have none (RFC 3263 §4.1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Naptr {
    /// Lower ones first.
    pub order: u16,
    /// Within one order, lower ones first.
    pub preference: u16,
    /// "s" where an SRV follows.
    pub flags: String,
    /// Such as "SIP+D2U".
    pub service: String,
    /// The name to go on with.
    pub replacement: String,
}

/// Where a service is (RFC 2782).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Srv {
    /// Lower ones first.
    pub priority: u16,
    /// The share of requests within one priority.
    pub weight: u16,
    /// The port.
    pub port: u16,
    /// The host; empty (the root) where the service is not offered at all.
    pub target: String,
}

/// One record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Record {
    /// Of type NAPTR.
    Naptr(Naptr),
    /// Of type SRV.
    Srv(Srv),
    /// Of type A or AAAA.
    Address(IpAddr),
}

/// What came of a question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// There are records.
    Found {
        /// All of them.
        records: Vec<Record>,
        /// How long they hold, seconds: the least of all.
        ttl_s: u32,
    },
    /// There is no such name, or it has no such records.
    Nothing {
        /// How long that holds, seconds, where the zone says so (RFC 2308).
        ttl_s: Option<u32>,
    },
    /// No server answered, or none with sense (SERVFAIL, REFUSED).
    Failed,
}
