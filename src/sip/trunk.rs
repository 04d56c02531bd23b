//! Trunks: who may send us calls without a password, and for which numbers.

use std::net::IpAddr;
use std::str::FromStr;

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

/// A trunk by its sources: `[trunk.NAME]`.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Trunk {
    /// Sources whose requests belong to the trunk.
    pub addresses: Vec<Net>,
    /// The numbers that it may call: digits, or a prefix with `*`.
    pub numbers: Vec<String>,
    /// Whether its media may come from another address than its SDP says.
    pub nat: bool,
}

impl Trunk {
    /// Whether `source` is one of the trunk's, for whatever number.
    pub fn has(&self, source: IpAddr) -> bool {
        self.addresses.iter().any(|net| net.contains(source))
    }

    /// Whether a request from `source` for `called` comes from this trunk. A source is a trunk for the listed numbers only;
    /// everything else from there is an endpoint and is challenged.
    pub fn serves(&self, source: IpAddr, called: &str) -> bool {
        let number = |n: &String| n.strip_suffix('*').map_or(n == called, |prefix| called.starts_with(prefix));
        self.has(source) && self.numbers.iter().any(number)
    }
}
