//! From whom a leg takes packets (against RTP bleed and injection).

use std::net::{IpAddr, SocketAddr};

use crate::time::Now;

/// So many packets in all may come from elsewhere before learning ends, where anybody may be learned.
const LEARNING_PACKETS: u8 = 5;
/// So many must come from one and the same address before it is believed.
const PROOF_PACKETS: u8 = 3;
/// A party that was learned has to be silent for so long (ms) before another port of its address can take its place.
const MOVE_AFTER_MS: u64 = 500;

/// From where else than the signalled address a party's packets may come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Learn {
    /// From nowhere else.
    Nowhere,
    /// From this host, by whatever port: the address that its session description names is of no use from here. Nobody at another
    /// address can get in between, however early and fast.
    Host(IpAddr),
    /// From anywhere, within the first five packets.
    Anywhere,
}

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

/// Who spoke last without being believed, and how many times in a row.
type Candidate = Option<(SocketAddr, u8)>;

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
        /// Who else spoke.
        candidate: Candidate,
        /// How many packets came from elsewhere.
        foreign: u8,
    },
    /// A port of this host's.
    LearningAt {
        /// The host, with the port of the SDP until another one is known: many NATs keep it.
        guess: SocketAddr,
        /// Who spoke.
        candidate: Candidate,
    },
    /// Decided by signalling.
    Locked(SocketAddr),
    /// Decided by learning: a NAT that forgets may move the party to another port, never to another host.
    Learned {
        /// Where it is.
        party: SocketAddr,
        /// Its stream (RFC 3550's SSRC), which a NAT does not change.
        ssrc: u32,
        /// When it spoke last (monotonic ns).
        heard_ns: u64,
        /// What goes on with its stream by another port.
        candidate: Candidate,
        /// What the SDP said, where somebody else was learned before it spoke: whoever speaks from there has the better claim.
        signalled: Option<SocketAddr>,
    },
}

impl SourceLock {
    /// A lock for what signalling said.
    pub fn new(remote: Option<SocketAddr>, learn: Learn) -> Self {
        match (remote, learn) {
            (None, _) => Self::Closed,
            (Some(signalled), Learn::Nowhere) => Self::Signalled(signalled),
            (Some(signalled), Learn::Anywhere) => Self::Learning { signalled, candidate: None, foreign: 0 },
            (Some(signalled), Learn::Host(host)) => {
                Self::LearningAt { guess: SocketAddr::new(host, signalled.port()), candidate: None }
            }
        }
    }

    /// Where packets to the party go.
    pub fn destination(&self) -> Option<SocketAddr> {
        match self {
            Self::Closed => None,
            Self::Signalled(addr)
            | Self::Locked(addr)
            | Self::Learning { signalled: addr, .. }
            | Self::LearningAt { guess: addr, .. }
            | Self::Learned { party: addr, .. } => Some(*addr),
        }
    }

    /// Judges a well-formed RTP packet of stream `ssrc` from `from`.
    pub fn handle_source(&mut self, from: SocketAddr, ssrc: u32, now: Now) -> Verdict {
        match *self {
            Self::Closed => Verdict::Stranger,
            Self::Signalled(addr) if addr == from => self.transition_to_locked(from),
            Self::Locked(addr) if addr == from => Verdict::Ours,
            Self::Signalled(_) | Self::Locked(_) => Verdict::Stranger,
            Self::Learning { signalled, .. } if signalled == from => self.transition_to_locked(from),
            Self::Learning { signalled, candidate, foreign } => {
                let row = row_of(candidate, from);
                if row >= PROOF_PACKETS {
                    return self.transition_to_learned(from, ssrc, Some(signalled), now);
                }
                let foreign = foreign.saturating_add(1);
                *self = if foreign >= LEARNING_PACKETS {
                    Self::Signalled(signalled)
                } else {
                    Self::Learning { signalled, candidate: Some((from, row)), foreign }
                };
                Verdict::Learning
            }
            Self::LearningAt { guess, .. } if guess.ip() != from.ip() => Verdict::Stranger,
            Self::LearningAt { guess, candidate } => {
                let row = row_of(candidate, from);
                if row >= PROOF_PACKETS {
                    return self.transition_to_learned(from, ssrc, None, now);
                }
                *self = Self::LearningAt { guess, candidate: Some((from, row)) };
                Verdict::Learning
            }
            Self::Learned { party, signalled, .. } if party == from => {
                *self = Self::Learned { party, ssrc, heard_ns: now.mono_ns, candidate: None, signalled };
                Verdict::Ours
            }
            Self::Learned { signalled: Some(signalled), .. } if signalled == from => self.transition_to_locked(from),
            Self::Learned { party, ssrc: own, heard_ns, candidate, signalled } => {
                let silent = now.mono_ns >= Now { mono_ns: heard_ns, ..now }.in_ms(MOVE_AFTER_MS);
                if party.ip() != from.ip() || own != ssrc || !silent {
                    return Verdict::Stranger;
                }
                let row = row_of(candidate, from);
                if row >= PROOF_PACKETS {
                    return self.transition_to_learned(from, ssrc, signalled, now);
                }
                *self = Self::Learned { party, ssrc, heard_ns, candidate: Some((from, row)), signalled };
                Verdict::Learning
            }
        }
    }

    fn transition_to_locked(&mut self, addr: SocketAddr) -> Verdict {
        *self = Self::Locked(addr);
        Verdict::Locked
    }

    fn transition_to_learned(
        &mut self,
        party: SocketAddr,
        ssrc: u32,
        signalled: Option<SocketAddr>,
        now: Now,
    ) -> Verdict {
        *self = Self::Learned { party, ssrc, heard_ns: now.mono_ns, candidate: None, signalled };
        Verdict::Locked
    }
}

/// How many times in a row somebody has spoken, this packet included.
fn row_of(candidate: Candidate, from: SocketAddr) -> u8 {
    match candidate {
        Some((addr, row)) if addr == from => row.saturating_add(1),
        _ => 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Now = Now { mono_ns: 1_000_000_000, wall_ms: 0 };

    fn addr(port: u16) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 9], port))
    }

    impl SourceLock {
        fn hear(&mut self, from: SocketAddr) -> Verdict {
            self.handle_source(from, 7, START)
        }
    }

    #[test]
    fn only_the_signalled_address_without_nat() {
        let mut lock = SourceLock::new(Some(addr(4000)), Learn::Nowhere);
        for _ in 0..20 {
            assert_eq!(lock.hear(addr(5000)), Verdict::Stranger);
        }
        assert_eq!(lock.hear(addr(4000)), Verdict::Locked);
        assert_eq!(lock.hear(addr(4000)), Verdict::Ours);
        assert_eq!(lock.hear(addr(5000)), Verdict::Stranger);
    }

    #[test]
    fn another_address_is_learned_once() {
        let mut lock = SourceLock::new(Some(addr(4000)), Learn::Anywhere);
        assert_eq!(lock.hear(addr(5000)), Verdict::Learning);
        assert_eq!(lock.hear(addr(5000)), Verdict::Learning);
        assert_eq!(lock.hear(addr(5000)), Verdict::Locked);
        assert_eq!(lock.destination(), Some(addr(5000)));
        assert_eq!(lock.hear(addr(6000)), Verdict::Stranger);
    }

    #[test]
    fn who_is_faster_than_the_signalled_party_gives_way_to_it_for_good() {
        let mut lock = SourceLock::new(Some(addr(4000)), Learn::Anywhere);
        assert_eq!((0..20).map(|_| lock.hear(addr(6000))).last(), Some(Verdict::Ours));
        assert_eq!(lock.hear(addr(4000)), Verdict::Locked);
        assert_eq!((lock.hear(addr(6000)), lock.destination()), (Verdict::Stranger, Some(addr(4000))));
    }

    #[test]
    fn a_spray_ends_the_learning() {
        let mut lock = SourceLock::new(Some(addr(4000)), Learn::Anywhere);
        for port in 6000..6005 {
            assert_eq!(lock.hear(addr(port)), Verdict::Learning);
        }
        for _ in 0..5 {
            assert_eq!(lock.hear(addr(6005)), Verdict::Stranger);
        }
        assert_eq!(lock.hear(addr(4000)), Verdict::Locked);
    }

    #[test]
    fn a_private_description_is_learned_from_the_host_of_its_signalling_whoever_sprays() {
        let (private, host) =
            (SocketAddr::from(([192, 168, 1, 2], 4000)), SocketAddr::from(([203, 0, 113, 5], 61_000)));
        let mut lock = SourceLock::new(Some(private), Learn::Host(host.ip()));
        assert_eq!(lock.destination(), Some(SocketAddr::new(host.ip(), 4000)));
        for port in 6000..6100 {
            assert_eq!(lock.hear(addr(port)), Verdict::Stranger);
        }
        let heard: Vec<Verdict> = (0..4).map(|_| lock.hear(host)).collect();
        assert_eq!(heard, [Verdict::Learning, Verdict::Learning, Verdict::Locked, Verdict::Ours]);
        assert_eq!(lock.destination(), Some(host));
        assert_eq!(lock.hear(addr(6000)), Verdict::Stranger);
    }

    #[test]
    fn a_nat_moves_a_silent_party_to_another_port_and_nobody_else_takes_its_place() {
        let mut lock = SourceLock::new(Some(addr(4000)), Learn::Host(addr(0).ip()));
        assert_eq!((0..3).map(|_| lock.hear(addr(5000))).last(), Some(Verdict::Locked));
        let later = START.plus_ms(MOVE_AFTER_MS);
        let elsewhere = SocketAddr::from(([127, 0, 0, 8], 5000));
        for _ in 0..10 {
            assert_eq!(lock.hear(addr(5001)), Verdict::Stranger, "while the party speaks");
            assert_eq!(lock.handle_source(addr(5001), 8, later), Verdict::Stranger, "another stream");
            assert_eq!(lock.handle_source(elsewhere, 7, later), Verdict::Stranger, "another host");
        }
        assert_eq!(lock.handle_source(addr(5001), 7, later), Verdict::Learning);
        assert_eq!(lock.handle_source(addr(5001), 7, later), Verdict::Learning);
        assert_eq!(lock.handle_source(addr(5001), 7, later), Verdict::Locked);
        assert_eq!(lock.destination(), Some(addr(5001)));
        assert_eq!(lock.handle_source(addr(5000), 7, later), Verdict::Stranger);
    }
}
