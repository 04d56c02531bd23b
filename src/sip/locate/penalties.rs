//! Hops that failed lately (RFC 3263 §4.3): they are tried after all others for a while.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use super::resolution::Hop;
use crate::sip::transaction::Transport;
use crate::time::Now;

/// How long a hop that failed comes last, ms.
const PENALTY_MS: u64 = 30_000;
/// Hops that are remembered; where there are more, the oldest failure is forgotten.
const MOST: usize = 1_024;

/// Until when each comes last (monotonic ns).
#[derive(Clone, Debug, Default)]
pub(super) struct Penalties {
    until_ns: BTreeMap<(Transport, SocketAddr), u64>,
}

impl Penalties {
    pub(super) fn note(&mut self, transport: Transport, remote: SocketAddr, now: Now) {
        self.until_ns.retain(|_, until| *until > now.mono_ns);
        if self.until_ns.len() >= MOST {
            let oldest = self.until_ns.iter().min_by_key(|(_, until)| **until).map(|(hop, _)| *hop);
            oldest.and_then(|hop| self.until_ns.remove(&hop));
        }
        self.until_ns.insert((transport, remote), now.in_ms(PENALTY_MS));
    }

    pub(super) fn lift(&mut self, transport: Transport, remote: SocketAddr) {
        self.until_ns.remove(&(transport, remote));
    }

    /// Puts those that failed lately behind the others, each group in its order.
    pub(super) fn sort(&self, hops: &mut [Hop], now: Now) {
        hops.sort_by_key(|hop| {
            self.until_ns.get(&(hop.transport, hop.remote)).is_some_and(|until| *until > now.mono_ns)
        });
    }
}
