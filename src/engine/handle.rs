//! The switch's end of the media threads.

use std::collections::BTreeMap;
use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::Waker;
use std::thread::JoinHandle;
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender, TrySendError, bounded};
use rustix::fd::OwnedFd;

use super::disk::{Disk, Hand};
use super::dtls::Identity;
use super::growing::Home;
use super::ports::PortRange;
use super::prompts::{self, Work};
use super::reader;
use super::settings::{EngineSettings, Hung, LeaseError, NoSuchThread, StartError};
use super::starting::{Starting, own_cores};
use super::writer;
use crate::id::LegId;
use crate::media::{LegCommand, MediaReport, PortLease, PromptStore, StorageFigures};

/// So many may be taken before a thread is woken to bind more.
const FEW: usize = 8;
/// Reports under way to the switch. Further ones are dropped and counted: media must not wait for a stalled switch.
const REPORTS: usize = 16_384;
/// How long a lease may wait for a thread that is about to bind more.
const TOP_UP: Duration = Duration::from_millis(20);

/// What a media thread and the handle share.
pub(super) struct Shared {
    /// Wakes the thread: a command, a taken lease, or the end.
    pub wake: OwnedFd,
    pub stopping: AtomicBool,
    /// Set while the thread has nothing left to bind.
    pub exhausted: AtomicBool,
    pub reports_lost: AtomicU64,
    /// Milliseconds of long prompts that came too late from the disk.
    pub late_ms: AtomicU64,
}

impl Shared {
    pub fn wake(&self) {
        // A full counter means that the thread has been woken already.
        let _ = rustix::io::write(&self.wake, &1u64.to_ne_bytes());
    }
}

/// Where the switch takes reports, and what wakes it.
#[derive(Clone)]
pub(super) struct Reports {
    pub(super) sender: Sender<MediaReport>,
    pub(super) waker: Waker,
}

impl Reports {
    /// Tells the switch something and wakes it; `false` where it has no room within `patience`.
    pub(super) fn tell(&self, report: MediaReport, patience: Duration) -> bool {
        let told = match self.sender.try_send(report) {
            Err(TrySendError::Full(report)) if !patience.is_zero() => {
                self.sender.send_timeout(report, patience).is_ok()
            }
            told => told.is_ok(),
        };
        self.waker.wake_by_ref();
        told
    }
}

/// A media thread, as the handle holds it.
pub(super) struct Thread {
    pub shared: Arc<Shared>,
    pub commands: Sender<LegCommand>,
    pub stores: Sender<Arc<PromptStore>>,
    pub waiting: BTreeMap<LegId, LegCommand>,
    pub leases: Receiver<PortLease>,
    pub join: Option<JoinHandle<()>>,
}

/// The media threads. Dropping it stops them and closes their sockets.
pub struct Engine {
    threads: Vec<Thread>,
    ports: PortRange,
    fingerprint: Option<[u8; 32]>,
    encode: Sender<Work>,
    /// The threads that write and close recordings.
    recordings: Vec<JoinHandle<()>>,
    disk: Arc<Disk>,
}

impl Engine {
    /// Binds the first ports and starts the threads; reports of all of them arrive at the receiver, which `waker` wakes.
    ///
    /// # Errors
    /// Where ports, threads or descriptors are not to be had.
    pub fn start(settings: EngineSettings, waker: Waker) -> Result<(Self, Receiver<MediaReport>), StartError> {
        let cores = std::thread::available_parallelism().map_or(1, |cores| cores.get());
        let count = settings.threads.unwrap_or(cores.saturating_sub(1).min(64) as u16).max(1);
        let ports = settings.ports;
        if ports.pairs().count() < usize::from(count) {
            return Err(StartError::Range { ports, threads: count });
        }
        let (sender, receiver) = bounded(REPORTS);
        let reports = Reports { sender, waker };
        let store = Arc::new(settings.prompts);
        let encode = prompts::encoder(Arc::clone(&store)).map_err(|source| StartError::Thread { thread: 0, source })?;
        let reader = reader::reader().map_err(|source| StartError::Thread { thread: 0, source })?;
        let identity = settings.browsers.map(|_| Identity::new()).transpose().map_err(StartError::Certificate)?;
        let fingerprint = identity.as_ref().map(|identity| identity.fingerprint);
        let disk = Arc::new(Disk::default());
        let mut engine = Self {
            threads: Vec::new(),
            ports,
            fingerprint,
            encode: encode.clone(),
            recordings: Vec::new(),
            disk: Arc::clone(&disk),
        };
        let dir = settings.recordings;
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&dir)
            .map_err(|source| StartError::Recordings { dir: dir.clone(), source })?;
        let home = Home { dir, keys: settings.keys, disk, hand: Hand::Writer };
        // After the engine, so that an early end drops this desk before the engine waits for the writer.
        let (recordings, threads) = writer::start(&home, settings.min_free_bytes, reports.clone())
            .map_err(|source| StartError::Thread { thread: 0, source })?;
        engine.recordings = Vec::from(threads);
        let starting = Starting {
            address: settings.address,
            ports,
            count,
            identity,
            browsers: settings.browsers,
            seed: settings.seed,
            cores: if settings.pinned { own_cores() } else { Vec::new() },
            reports,
            store,
            encode,
            reader,
            lost_ms: settings.lost_ms,
            recordings,
        };
        for number in 0..count {
            engine.threads.push(starting.start(number)?);
        }
        Ok((engine, receiver))
    }

    /// SHA-256 of the certificate that browsers are shown, where any are served.
    pub fn fingerprint(&self) -> Option<[u8; 32]> {
        self.fingerprint
    }

    /// Gives the threads something else to play from, before any command that [`Self::flush`] sends later. What calls in progress play
    /// must be in it under the same number.
    ///
    /// # Errors
    /// Where a thread has not looked at the last few: it hangs.
    pub fn set_prompts(&mut self, store: PromptStore) -> Result<(), Hung> {
        let store = Arc::new(store);
        if self.threads.iter().any(|thread| thread.stores.is_full()) {
            return Err(Hung);
        }
        for thread in &self.threads {
            // There is room, and only this handle takes it.
            let _ = thread.stores.try_send(Arc::clone(&store));
            thread.shared.wake();
        }
        // Without room the prompts are encoded as they are played.
        let _ = self.encode.try_send(Work::Store(store));
        Ok(())
    }

    /// How many media threads there are: leases may be asked of 0 up to one less.
    pub fn threads(&self) -> u16 {
        self.threads.len() as u16
    }

    /// Reports that were dropped because the switch did not read them.
    pub fn reports_lost(&self) -> u64 {
        self.threads.iter().map(|thread| thread.shared.reports_lost.load(Ordering::Relaxed)).sum()
    }

    /// How the disk of the recordings fares; never waits for it.
    pub fn storage(&self) -> StorageFigures {
        let late_ms = self.threads.iter().map(|thread| thread.shared.late_ms.load(Ordering::Relaxed)).sum();
        StorageFigures { late_ms, ..self.disk.figures() }
    }

    /// Takes a bound pair from a thread's stock, if there is one; never waits.
    pub fn try_lease(&mut self, thread: u16) -> Option<PortLease> {
        let held = self.threads.get(usize::from(thread))?;
        let lease = held.leases.try_recv().ok()?;
        held.ask_for_more();
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
        held.ask_for_more();
        Ok(lease)
    }

    /// Takes a command, which leaves with [`Self::flush`]. Never waits: what does not fit stays here, the latest for each leg.
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
        Ok(())
    }

    /// Sends what is waiting; to be called once a turn, so that a turn wakes a thread once.
    pub fn flush(&mut self) {
        for thread in &mut self.threads {
            thread.flush();
        }
    }
}

impl Thread {
    /// Wakes the thread to bind more ports once a few are gone.
    fn ask_for_more(&self) {
        let most = self.leases.capacity().unwrap_or_default();
        if self.leases.len() + (most / 2).clamp(1, FEW) <= most {
            self.shared.wake();
        }
    }

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
        // They end when the media threads, which have the desk, are gone, and all that was said there is written and closed.
        for thread in self.recordings.drain(..) {
            if thread.join().is_err() {
                tracing::error!("a thread that records had panicked; the next start mends what it left open");
            }
        }
    }
}
