//! Starting media threads: their shares of the ports, what they are reached by, and the cores that they keep to.

use std::collections::BTreeMap;
use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64};

use crossbeam_channel::{Sender, bounded};
use rand_chacha::ChaCha12Rng;
use rand_core::SeedableRng;
use rustix::event::{EventfdFlags, eventfd};
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

use super::browsers::Browsers;
use super::dtls::Identity;
use super::handle::{Reports, Shared, Thread};
use super::ports::{PortRange, Ports};
use super::prompts::Work;
use super::reader::Order;
use super::settings::{BrowserSettings, StartError};
use super::tap::Desk;
use super::thread::{Links, MediaThread};
use crate::media::PromptStore;

/// Pairs that each thread keeps bound in advance, where they are no more than a quarter of its share.
const STOCK: usize = 256;
/// Commands under way to one thread; more wait in the handle, the latest for each leg.
const COMMANDS: usize = 1_024;
/// Chunks of long prompts under way to one thread.
const DELIVERIES: usize = 256;
/// Stores of prompts under way to one thread.
const STORES: usize = 4;
/// Cores from which on each media thread keeps to one.
const PINNED_FROM: u32 = 4;

/// What all media threads of an engine have in common.
pub(super) struct Starting {
    pub address: IpAddr,
    pub ports: PortRange,
    /// How many threads there are.
    pub count: u16,
    pub identity: Option<Identity>,
    pub browsers: Option<BrowserSettings>,
    pub seed: [u8; 32],
    /// The cores that threads may keep to; none where they run wherever there is room.
    pub cores: Vec<usize>,
    pub reports: Reports,
    pub store: Arc<PromptStore>,
    pub encode: Sender<Work>,
    pub reader: Sender<Order>,
    pub lost_ms: Option<u64>,
    pub recordings: Desk,
}

impl Starting {
    /// Starts one of the threads, with its first port bound.
    pub(super) fn start(&self, number: u16) -> Result<Thread, StartError> {
        let core = self.cores.iter().rev().cycle().nth(usize::from(number)).copied();
        let mut share = Ports::new(self.address, self.ports, number, self.count);
        let refused = |source| StartError::Bind { address: self.address, ports: self.ports, source };
        let first =
            share.bind_next().map_err(refused)?.ok_or(StartError::Range { ports: self.ports, threads: self.count })?;
        let failed = |source: io::Error| StartError::Thread { thread: number, source };
        let wake = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK).map_err(|error| failed(error.into()))?;
        let shared = Arc::new(Shared {
            wake,
            stopping: AtomicBool::new(false),
            exhausted: AtomicBool::new(false),
            reports_lost: AtomicU64::new(0),
            late_ms: AtomicU64::new(0),
        });
        let (commands, inbox) = bounded(COMMANDS);
        let (stores, newer) = bounded(STORES);
        let (deliveries, chunks) = bounded(DELIVERIES);
        let share_of_each = self.ports.pairs().count() / usize::from(self.count);
        let (stock, leases) = bounded((share_of_each / 4).clamp(1, STOCK));
        let links = Links {
            shared: Arc::clone(&shared),
            commands: inbox,
            reports: self.reports.clone(),
            stock,
            store: Arc::clone(&self.store),
            stores: newer,
            encode: self.encode.clone(),
            reader: self.reader.clone(),
            deliveries,
            chunks,
            lost_ms: self.lost_ms,
            recordings: self.recordings.clone(),
        };
        let mut random = ChaCha12Rng::from_seed(self.seed);
        random.set_stream(u64::from(number));
        let browsers = self.identity.clone().zip(self.browsers).map(|(identity, served)| {
            let port = served.first_port.saturating_add(number);
            let refused = |source| StartError::Browsers { address: self.address, port, source };
            Browsers::bind(self.address, port, identity, served.consent_ms).map_err(refused)
        });
        let thread = MediaThread::new(links, share, first, browsers.transpose()?, random).map_err(failed)?;
        let join = std::thread::Builder::new()
            .name(format!("media-{number}"))
            .spawn(move || {
                core.inspect(|core| keep_to(*core));
                thread.run();
            })
            .map_err(failed)?;
        Ok(Thread { shared, commands, stores, waiting: BTreeMap::new(), leases, join: Some(join) })
    }
}

/// The cores that the process may use; none where they are so few that a media thread is better off with whichever is idle
/// (`docs/benchmarks.md`).
pub(super) fn own_cores() -> Vec<usize> {
    let allowed = sched_getaffinity(None).unwrap_or_else(|_| CpuSet::new());
    if allowed.count() < PINNED_FROM {
        return Vec::new();
    }
    (0..CpuSet::MAX_CPU).filter(|core| allowed.is_set(*core)).collect()
}

/// Keeps the calling thread to a core. The last ones go first, as the rest of the floor begins on the first ones.
fn keep_to(core: usize) {
    let mut one = CpuSet::new();
    one.set(core);
    if let Err(error) = sched_setaffinity(None, &one) {
        tracing::warn!(%error, core, "a media thread cannot keep to a core; it runs wherever there is room");
    }
}
