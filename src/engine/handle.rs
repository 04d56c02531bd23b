//! The switch's end of the media threads.

use std::collections::BTreeMap;
use std::io;
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender, TrySendError, bounded};
use rand_chacha::ChaCha12Rng;
use rand_core::SeedableRng;
use rustix::event::{EventfdFlags, eventfd};
use rustix::fd::OwnedFd;

use super::ports::{PortRange, Ports};
use super::thread::{Links, MediaThread};
use super::writer;
use crate::id::LegId;
use crate::media::{LegCommand, MediaReport, PortLease, PromptStore};

/// Pairs that each thread keeps bound in advance.
const STOCK: usize = 32;
/// Commands under way to one thread; more wait in the handle, the latest for each leg.
const COMMANDS: usize = 1_024;
/// Reports under way to the switch. Further ones are dropped and counted: media must not wait for a stalled switch.
const REPORTS: usize = 16_384;
/// Chunks of 200 ms under way to the writer. Where the disk does not keep up, further ones become gaps in the recording, and its
/// manifest says so.
const CHUNKS: usize = 4_096;
/// How long a lease may wait for a thread that is about to bind more.
const TOP_UP: Duration = Duration::from_millis(20);

/// What the engine needs to know at its start.
#[derive(Clone, Debug)]
pub struct EngineSettings {
    /// The local address of all media sockets.
    pub address: IpAddr,
    /// Their ports.
    pub ports: PortRange,
    /// Media threads; `None` means one fewer than cores, and at least one.
    pub threads: Option<u16>,
    /// Everything that can be played.
    pub prompts: PromptStore,
    /// The folder of the recordings and their manifests; made where it is missing.
    pub recordings: PathBuf,
    /// From which SSRC, sequence numbers and timestamps are drawn; take it from the system's randomness.
    pub seed: [u8; 32],
}

/// Why media could not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// No pair of ports could be bound.
    #[error(
        "cannot bind any RTP port pair of {}-{} on {address}: {source}; check rtp.address and choose free ports in rtp.ports",
        ports.first, ports.last
    )]
    Bind {
        /// The address.
        address: IpAddr,
        /// The range.
        ports: PortRange,
        /// The system's refusal.
        source: io::Error,
    },
    /// The range holds fewer pairs than there are threads.
    #[error(
        "the RTP ports {}-{} hold fewer pairs than there are media threads ({threads}); widen rtp.ports",
        ports.first, ports.last
    )]
    Range {
        /// The range.
        ports: PortRange,
        /// The threads.
        threads: u16,
    },
    /// The folder of the recordings cannot be made.
    #[error("cannot make the folder {} for recordings: {source}; check data_dir and its rights", dir.display())]
    Recordings {
        /// The folder.
        dir: PathBuf,
        /// The system's refusal.
        source: io::Error,
    },
    /// The system gave no thread, epoll or eventfd.
    #[error("cannot start media thread {thread}: {source}; check the limits on threads and open files")]
    Thread {
        /// Which thread.
        thread: u16,
        /// The system's refusal.
        source: io::Error,
    },
}

/// Why there are no ports for a leg.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LeaseError {
    /// All pairs of the thread are in use.
    #[error("media thread {thread} has no RTP port pair left of {}-{}; widen rtp.ports or take fewer calls", ports.first, ports.last)]
    Exhausted {
        /// Which thread.
        thread: u16,
        /// The whole range.
        ports: PortRange,
    },
    /// There is no such thread.
    #[error(transparent)]
    NoSuchThread(#[from] NoSuchThread),
}

/// A thread number that the engine did not give.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no media thread {0}")]
pub struct NoSuchThread(pub u16);

/// What a media thread and the handle share.
pub(super) struct Shared {
    /// Wakes the thread: a command, a taken lease, or the end.
    pub wake: OwnedFd,
    pub stopping: AtomicBool,
    /// Set while the thread has nothing left to bind.
    pub exhausted: AtomicBool,
    pub reports_lost: AtomicU64,
}

impl Shared {
    fn wake(&self) {
        // A full counter means that the thread has been woken already.
        let _ = rustix::io::write(&self.wake, &1u64.to_ne_bytes());
    }
}

struct Thread {
    shared: Arc<Shared>,
    commands: Sender<LegCommand>,
    waiting: BTreeMap<LegId, LegCommand>,
    leases: Receiver<PortLease>,
    join: Option<JoinHandle<()>>,
}

/// The media threads. Dropping it stops them and closes their sockets.
pub struct Engine {
    threads: Vec<Thread>,
    ports: PortRange,
    writer: Option<JoinHandle<()>>,
}

impl Engine {
    /// Binds the first ports and starts the threads; reports of all of them arrive at the receiver.
    ///
    /// # Errors
    /// Where ports, threads or descriptors are not to be had.
    pub fn start(settings: EngineSettings) -> Result<(Self, Receiver<MediaReport>), StartError> {
        let cores = std::thread::available_parallelism().map_or(1, |cores| cores.get());
        let count = settings.threads.unwrap_or(cores.saturating_sub(1).min(64) as u16).max(1);
        let ports = settings.ports;
        if ports.pairs().count() < usize::from(count) {
            return Err(StartError::Range { ports, threads: count });
        }
        let (reports, receiver) = bounded(REPORTS);
        let store = Arc::new(settings.prompts);
        let mut engine = Self { threads: Vec::new(), ports, writer: None };
        // After the engine, so that an early end drops this sender before the engine waits for the writer.
        let (recordings, work) = bounded(CHUNKS);
        let dir = settings.recordings;
        std::fs::create_dir_all(&dir).map_err(|source| StartError::Recordings { dir: dir.clone(), source })?;
        let closed = reports.clone();
        let writer = std::thread::Builder::new()
            .name("recordings".to_owned())
            .spawn(move || writer::run(&dir, &work, &closed))
            .map_err(|source| StartError::Thread { thread: 0, source })?;
        engine.writer = Some(writer);
        for number in 0..count {
            let mut share = Ports::new(settings.address, ports, number, count);
            let refused = |source| StartError::Bind { address: settings.address, ports, source };
            let first = share.bind_next().map_err(refused)?.ok_or(StartError::Range { ports, threads: count })?;
            let failed = |source: io::Error| StartError::Thread { thread: number, source };
            let wake =
                eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK).map_err(|error| failed(error.into()))?;
            let shared = Arc::new(Shared {
                wake,
                stopping: AtomicBool::new(false),
                exhausted: AtomicBool::new(false),
                reports_lost: AtomicU64::new(0),
            });
            let (commands, inbox) = bounded(COMMANDS);
            let (stock, leases) = bounded(STOCK);
            let links = Links {
                shared: Arc::clone(&shared),
                commands: inbox,
                reports: reports.clone(),
                stock,
                store: Arc::clone(&store),
                recordings: recordings.clone(),
            };
            let mut random = ChaCha12Rng::from_seed(settings.seed);
            random.set_stream(u64::from(number));
            let thread = MediaThread::new(links, share, first, random).map_err(failed)?;
            let join = std::thread::Builder::new()
                .name(format!("media-{number}"))
                .spawn(move || thread.run())
                .map_err(failed)?;
            engine.threads.push(Thread { shared, commands, waiting: BTreeMap::new(), leases, join: Some(join) });
        }
        Ok((engine, receiver))
    }

    /// How many media threads there are: leases may be asked of 0 up to one less.
    pub fn threads(&self) -> u16 {
        self.threads.len() as u16
    }

    /// Reports that were dropped because the switch did not read them.
    pub fn reports_lost(&self) -> u64 {
        self.threads.iter().map(|thread| thread.shared.reports_lost.load(Ordering::Relaxed)).sum()
    }

    /// Takes a bound pair from a thread's stock, if there is one; never waits.
    pub fn try_lease(&mut self, thread: u16) -> Option<PortLease> {
        let held = self.threads.get(usize::from(thread))?;
        let lease = held.leases.try_recv().ok()?;
        held.shared.wake();
        Some(lease)
    }

    /// Takes a bound pair from a thread. Waits 20 ms at most, and only in a burst that outruns the thread's binding.
    ///
    /// # Errors
    /// Where the thread's ports are used up.
    pub fn lease(&mut self, thread: u16) -> Result<PortLease, LeaseError> {
        let held = self.threads.get(usize::from(thread)).ok_or(NoSuchThread(thread))?;
        let exhausted = || LeaseError::Exhausted { thread, ports: self.ports };
        let lease = held.leases.try_recv().or_else(|_| {
            if held.shared.exhausted.load(Ordering::Acquire) {
                return Err(exhausted());
            }
            held.leases.recv_timeout(TOP_UP).map_err(|_| exhausted())
        })?;
        held.shared.wake();
        Ok(lease)
    }

    /// Sends a command. Never waits: what does not fit stays here, the latest for each leg, until [`Self::flush`].
    ///
    /// # Errors
    /// Where the command's lease names a thread that does not exist.
    pub fn send(&mut self, command: LegCommand) -> Result<(), NoSuchThread> {
        let number = command.lease().thread;
        let thread = self.threads.get_mut(usize::from(number)).ok_or(NoSuchThread(number))?;
        let replaced = thread.waiting.get(&command.leg()).is_none_or(|waiting| command.replaces(waiting));
        if replaced {
            thread.waiting.insert(command.leg(), command);
        }
        thread.flush();
        Ok(())
    }

    /// Sends what is still waiting; to be called once a turn.
    pub fn flush(&mut self) {
        for thread in &mut self.threads {
            thread.flush();
        }
    }
}

impl Thread {
    fn flush(&mut self) {
        let mut sent = false;
        while let Some((leg, command)) = self.waiting.pop_first() {
            match self.commands.try_send(command) {
                Ok(()) => sent = true,
                Err(TrySendError::Full(command) | TrySendError::Disconnected(command)) => {
                    self.waiting.insert(leg, command);
                    break;
                }
            }
        }
        if sent {
            self.shared.wake();
        }
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        for thread in &self.threads {
            thread.shared.stopping.store(true, Ordering::Release);
            thread.shared.wake();
        }
        for thread in &mut self.threads {
            if let Some(Err(_)) = thread.join.take().map(JoinHandle::join) {
                tracing::error!("a media thread had panicked; its calls had no audio from then on");
            }
        }
        // It ends when the threads, which have its senders, are gone, and all that they said is written.
        if let Some(Err(_)) = self.writer.take().map(JoinHandle::join) {
            tracing::error!("the writer of recordings had panicked; recordings since then are partial");
        }
    }
}
