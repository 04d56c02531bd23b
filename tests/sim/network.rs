//! The virtual network: datagrams get lost, doubled and overtaken; streams keep their order and lose nothing.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use rand_chacha::ChaCha12Rng;
use trunkline::switch::Flow;
use trunkline::time::MS;

use crate::dice::Dice;

/// How bad the network is, in thousandths.
#[derive(Clone, Copy, Debug)]
pub struct Weather {
    pub loss: u64,
    pub doubling: u64,
    pub delaying: u64,
    pub latency_ms: u64,
}

/// The network between the switch and its peers.
pub struct Network {
    weather: Weather,
    rng: ChaCha12Rng,
    /// When the last byte of a stream arrives, by sender and receiver.
    streams: BTreeMap<(SocketAddr, SocketAddr), u64>,
}

impl Network {
    pub fn new(mut rng: ChaCha12Rng) -> Self {
        let weather = match rng.below(4) {
            0 => Weather { loss: 0, doubling: 0, delaying: 0, latency_ms: 1 },
            1 => Weather { loss: 10, doubling: 5, delaying: 20, latency_ms: 20 },
            2 => Weather { loss: 50, doubling: 30, delaying: 100, latency_ms: 40 },
            _ => Weather { loss: 100, doubling: 50, delaying: 200, latency_ms: 60 },
        };
        Self { weather, rng, streams: BTreeMap::new() }
    }

    /// When copies of a datagram arrive, at most two; nothing for a lost one.
    pub fn datagram(&mut self, now_ns: u64) -> Vec<u64> {
        if self.rng.thousandths(self.weather.loss) {
            return Vec::new();
        }
        let mut arrivals = vec![now_ns + self.latency()];
        if self.rng.thousandths(self.weather.doubling) {
            arrivals.push(now_ns + self.latency() + self.rng.below(100) * MS);
        }
        arrivals
    }

    /// When a piece of a stream arrives: never before what was sent earlier.
    pub fn piece(&mut self, flow: Flow, outwards: bool, now_ns: u64) -> u64 {
        let way = if outwards { (flow.local, flow.remote) } else { (flow.remote, flow.local) };
        let at = now_ns + self.latency();
        let last = self.streams.entry(way).or_default();
        *last = at.max(*last + 1);
        *last
    }

    fn latency(&mut self) -> u64 {
        let mut micros = 200 + self.rng.below(self.weather.latency_ms * 1_000);
        if self.rng.thousandths(self.weather.delaying) {
            micros += self.rng.below(400_000);
        }
        micros * 1_000
    }
}
