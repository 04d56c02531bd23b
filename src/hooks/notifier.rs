//! Tells what has happened until somebody has taken it: a thread for each hook, which follows the journal and remembers how far it
//! has come.

use std::collections::VecDeque;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::notice::{Notice, Notices};
use super::{Hook, Poster};
use crate::store::{Drained, Stop, Tap, Worker};

/// Entries read before the stop is looked at.
const TURN: usize = 256;
/// Notices that may wait in memory; the journal keeps the others.
const WAITING: usize = 1_024;
/// The pause after the first failure; each further one doubles it.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
/// The longest pause.
const LONGEST_PAUSE: Duration = Duration::from_secs(300);

/// How a hook fares. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct NotifierStatus(Arc<Counters>);

#[derive(Debug, Default)]
struct Counters {
    told: AtomicU64,
    failures: AtomicU64,
    waiting: AtomicU64,
}

impl NotifierStatus {
    /// Notices that were taken since the start.
    pub fn told(&self) -> u64 {
        self.0.told.load(Ordering::Relaxed)
    }

    /// How often telling failed since the start.
    pub fn failures(&self) -> u64 {
        self.0.failures.load(Ordering::Relaxed)
    }

    /// Notices that are known and not taken yet.
    pub fn waiting(&self) -> u64 {
        self.0.waiting.load(Ordering::Relaxed)
    }
}

/// The thread that tells one hook.
#[derive(Debug)]
pub struct Notifier {
    name: String,
    status: NotifierStatus,
    worker: Worker,
}

impl Notifier {
    /// Goes on where the last run has come to; a hook that is new is told what happens from now on.
    ///
    /// # Errors
    /// Where the place in the journal cannot be kept in the data folder, or the system gives no thread.
    pub fn start(data_dir: &Path, hook: Hook, poster: Poster, mut tap: Tap) -> io::Result<Self> {
        let folder = data_dir.join("webhooks");
        fs::create_dir_all(&folder)?;
        let place = Place { path: folder.join(&hook.name) };
        match place.read() {
            Some(seq) => tap.rewind(seq),
            None => place.write(tap.seq())?,
        }
        let (status, name) = (NotifierStatus::default(), hook.name.clone());
        let panicked = format!("the notifier of webhook {name} panicked; the next start tells what is left");
        let told = status.clone();
        let worker = Worker::start("notifier", panicked, tap.bell(), move |stop| {
            let (notices, waiting) = (Notices::default(), VecDeque::new());
            Telling { hook, poster, tap, place, stop, status: told, notices, waiting, pause: None }.run();
        })?;
        Ok(Self { name, status, worker })
    }

    /// The hook's name, and how it fares.
    pub fn status(&self) -> (String, NotifierStatus) {
        (self.name.clone(), self.status.clone())
    }

    /// Ends after the notice that is being told; the next start goes on.
    pub fn stop(self) {
        drop(self.worker);
    }
}

/// The file that says up to which entry everything was told.
struct Place {
    path: PathBuf,
}

impl Place {
    fn read(&self) -> Option<u64> {
        fs::read_to_string(&self.path).ok()?.trim().parse().ok()
    }

    fn write(&self, seq: u64) -> io::Result<()> {
        let new = self.path.with_extension("new");
        fs::write(&new, format!("{seq}\n"))?;
        fs::rename(new, &self.path)
    }
}

struct Telling {
    hook: Hook,
    poster: Poster,
    tap: Tap,
    place: Place,
    stop: Stop,
    status: NotifierStatus,
    notices: Notices,
    /// The notice, and the entry that it was made of.
    waiting: VecDeque<(u64, Notice)>,
    /// The pause before the next try, while telling fails.
    pause: Option<Duration>,
}

impl Telling {
    fn run(mut self) {
        loop {
            let drained = self.read();
            self.status.0.waiting.store(self.waiting.len() as u64, Ordering::Relaxed);
            self.tell();
            if self.is_stopped(drained) {
                return;
            }
        }
    }

    fn read(&mut self) -> Drained {
        if self.waiting.len() >= WAITING {
            return Drained::More;
        }
        let (notices, waiting, tells) = (&mut self.notices, &mut self.waiting, &self.hook.tells);
        let told = self.tap.drain(TURN, |entry| {
            let notice = notices.take(entry).filter(|notice| tells.contains(&notice.kind));
            waiting.extend(notice.map(|notice| (entry.seq, notice)));
        });
        told.unwrap_or_else(|error| {
            tracing::error!(hook = self.hook.name, %error, "a notifier is behind the journal");
            Drained::Behind
        })
    }

    /// Tells the oldest notice, and remembers that.
    fn tell(&mut self) {
        let Some((seq, notice)) = self.waiting.front() else {
            return;
        };
        let at_s = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs() as i64);
        let hook = self.hook.name.as_str();
        match self.poster.post(&self.hook, &notice.id, &notice.body, self.hook.timeout, at_s) {
            Ok(_) => {
                tracing::debug!(hook, notice = notice.id, "a notice is taken");
                if self.pause.take().is_some() {
                    tracing::warn!(hook, "notices are taken again");
                }
                let done = self.notices.resume_at(*seq);
                if let Err(error) = self.place.write(done) {
                    tracing::error!(hook, %error, "the place in the journal cannot be kept; notices may be told twice");
                }
                self.status.0.told.fetch_add(1, Ordering::Relaxed);
                self.waiting.pop_front();
            }
            Err(why) => {
                let pause = self.pause.map_or(FIRST_PAUSE, |pause| (pause * 2).min(LONGEST_PAUSE));
                self.status.0.failures.fetch_add(1, Ordering::Relaxed);
                tracing::warn!(
                    hook,
                    notice = notice.id,
                    why,
                    again_s = pause.as_secs(),
                    "a notice is not taken; it is kept and told again, and those after it wait: look at the webhook's url and what \
                     listens there"
                );
                self.pause = Some(pause);
            }
        }
    }

    /// Waits where there is nothing to do.
    fn is_stopped(&self, drained: Drained) -> bool {
        if let Some(pause) = self.pause {
            self.tap.rest(pause);
        } else if self.waiting.is_empty() {
            self.tap.pause(drained);
        }
        self.stop.is_told()
    }
}
