//! Networks, as trunks and `local_nets` name them.

use std::net::IpAddr;
use std::str::FromStr;

/// A network such as `127.0.0.0/8`, or one address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Net {
    address: IpAddr,
    prefix: u8,
}

impl Net {
    /// One address.
    pub fn of(address: IpAddr) -> Self {
        Self { address, prefix: if address.is_ipv4() { 32 } else { 128 } }
    }

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

/// Whether an address means something within its own network only (RFC 1918, RFC 6598, RFC 3927, RFC 4193, RFC 4291).
pub fn is_private(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(ip) => {
            let shared = ip.octets()[0] == 100 && ip.octets()[1] & 0xC0 == 64;
            ip.is_private() || ip.is_link_local() || shared
        }
        IpAddr::V6(ip) => ip.is_unique_local() || ip.is_unicast_link_local(),
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
