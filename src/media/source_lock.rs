//! From whom a leg takes packets (against RTP bleed and injection).

use std::net::SocketAddr;

/// So many packets in all may come from elsewhere before learning ends.
const LEARNING_PACKETS: u8 = 5;
/// So many must come from one and the same address before it is believed.
const PROOF_PACKETS: u8 = 3;

/// What to make of a packet's source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The leg's party.
    Ours,
    /// The leg's party, and the lock fell with this packet.
    Locked,
    /// Perhaps the party behind its NAT; not believed yet.
    Learning,
    /// Somebody else.
    Stranger,
}

/// Locks a leg to one source address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SourceLock {
    /// No peer was signalled: everyone is a stranger.
    Closed,
    /// Only the signalled address counts, and it has not spoken yet.
    Signalled(SocketAddr),
    /// The signalled address, or another that proves itself within five packets.
    Learning {
        /// What the SDP said.
        signalled: SocketAddr,
        /// Who else spoke last, and how many times in a row.
        candidate: Option<(SocketAddr, u8)>,
        /// How many packets came from elsewhere.
        foreign: u8,
    },
    /// Decided.
    Locked(SocketAddr),
}

impl SourceLock {
    /// A lock for what signalling said.
    pub fn new(remote: Option<SocketAddr>, nat: bool) -> Self {
        match remote {
            None => Self::Closed,
            Some(signalled) if nat => Self::Learning { signalled, candidate: None, foreign: 0 },
            Some(signalled) => Self::Signalled(signalled),
        }
    }

    /// Where packets to the party go.
    pub fn destination(&self) -> Option<SocketAddr> {
        match self {
            Self::Closed => None,
            Self::Signalled(addr) | Self::Locked(addr) | Self::Learning { signalled: addr, .. } => Some(*addr),
        }
    }

    /// Judges a well-formed RTP packet from `from`.
    pub fn handle_source(&mut self, from: SocketAddr) -> Verdict {
        match *self {
            Self::Closed => Verdict::Stranger,
            Self::Locked(addr) if addr == from => Verdict::Ours,
            Self::Locked(_) => Verdict::Stranger,
            Self::Signalled(addr) if addr == from => self.transition_to_locked(from),
            Self::Signalled(_) => Verdict::Stranger,
            Self::Learning { signalled, .. } if signalled == from => self.transition_to_locked(from),
            Self::Learning { signalled, candidate, foreign } => {
                let row = match candidate {
                    Some((addr, row)) if addr == from => row.saturating_add(1),
                    _ => 1,
                };
                if row >= PROOF_PACKETS {
                    return self.transition_to_locked(from);
                }
                let foreign = foreign.saturating_add(1);
                *self = if foreign >= LEARNING_PACKETS {
                    Self::Signalled(signalled)
                } else {
                    Self::Learning { signalled, candidate: Some((from, row)), foreign }
                };
                Verdict::Learning
            }
        }
    }

    fn transition_to_locked(&mut self, addr: SocketAddr) -> Verdict {
        *self = Self::Locked(addr);
        Verdict::Locked
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addr(port: u16) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 9], port))
    }

    #[test]
    fn only_the_signalled_address_without_nat() {
        let mut lock = SourceLock::new(Some(addr(4000)), false);
        for _ in 0..20 {
            assert_eq!(lock.handle_source(addr(5000)), Verdict::Stranger);
        }
        assert_eq!(lock.handle_source(addr(4000)), Verdict::Locked);
        assert_eq!(lock.handle_source(addr(4000)), Verdict::Ours);
        assert_eq!(lock.handle_source(addr(5000)), Verdict::Stranger);
    }

    #[test]
    fn another_address_is_learned_once() {
        let mut lock = SourceLock::new(Some(addr(4000)), true);
        assert_eq!(lock.handle_source(addr(5000)), Verdict::Learning);
        assert_eq!(lock.handle_source(addr(5000)), Verdict::Learning);
        assert_eq!(lock.handle_source(addr(5000)), Verdict::Locked);
        assert_eq!(lock.destination(), Some(addr(5000)));
        assert_eq!(lock.handle_source(addr(4000)), Verdict::Stranger);
    }

    #[test]
    fn a_spray_ends_the_learning() {
        let mut lock = SourceLock::new(Some(addr(4000)), true);
        for port in 6000..6005 {
            assert_eq!(lock.handle_source(addr(port)), Verdict::Learning);
        }
        for _ in 0..5 {
            assert_eq!(lock.handle_source(addr(6005)), Verdict::Stranger);
        }
        assert_eq!(lock.handle_source(addr(4000)), Verdict::Locked);
    }
}
