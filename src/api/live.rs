//! The thread that owns the live views: it folds what the journal's feed brings and answers questions in between.

use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use crossbeam_channel::{Receiver, Select, Sender};
use tokio::sync::{broadcast, oneshot, watch};

use super::problem::Problem;
use crate::records::live::{LiveFold, public};
use crate::store::{Drained, Tap};

/// Questions that may wait; further ones get 503.
const QUESTIONS: usize = 1_024;
/// Events that a reader of the stream may be behind before it has to start again.
const EVENTS: usize = 4_096;
/// Entries folded before questions are answered again.
const TURN: usize = 256;
/// How long what comes is let collect before it is folded: a wake-up for each entry would cost the switch a system call.
const COLLECT: Duration = Duration::from_millis(5);
/// How long to wait for what is pushed and not written yet, or for files that cannot be read.
const BEHIND: Duration = Duration::from_millis(5);

type Question = Box<dyn FnOnce(&LiveFold) + Send>;

/// One event of the stream.
#[derive(Clone, Debug)]
pub(super) struct Told {
    pub(super) seq: u64,
    /// JSON.
    pub(super) text: Arc<str>,
}

/// Asks the thread.
#[derive(Debug)]
pub(super) struct LiveView {
    questions: Sender<Question>,
    seq: watch::Receiver<u64>,
    events: broadcast::Sender<Told>,
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl LiveView {
    /// Goes on from `fold`, which holds everything up to the tap's position.
    pub(super) fn start(fold: LiveFold, tap: Tap) -> std::io::Result<Self> {
        let (questions, asked) = crossbeam_channel::bounded(QUESTIONS);
        let (stop, stopped) = crossbeam_channel::bounded(1);
        let (told_seq, seq) = watch::channel(tap.seq());
        let (events, _) = broadcast::channel(EVENTS);
        let thread = Thread { fold, tap, asked, stopped, seq: told_seq, events: events.clone() };
        let thread = std::thread::Builder::new().name("live".into()).spawn(move || thread.run())?;
        Ok(Self { questions, seq, events, stop: Some(stop), thread: Some(thread) })
    }

    /// What `look` sees in the fold.
    pub(super) async fn ask<R: Send + 'static>(
        &self,
        look: impl FnOnce(&LiveFold) -> R + Send + 'static,
    ) -> Result<R, Problem> {
        let busy = || Problem::busy("the live views are busy; ask again");
        let (sender, answer) = oneshot::channel();
        let question = Box::new(move |fold: &LiveFold| drop(sender.send(look(fold))));
        self.questions.try_send(question).map_err(|_| busy())?;
        answer.await.map_err(|_| busy())
    }

    /// Waits until the fold holds entry `seq`, for `patience` at most.
    pub(super) async fn wait_for(&self, seq: u64, patience: Duration) {
        let mut folded = self.seq.clone();
        // Whoever waited in vain reads a view that is a little older, which is no error.
        let _ = tokio::time::timeout(patience, folded.wait_for(|folded| *folded >= seq)).await;
    }

    /// Every event from now on, and the last entry that lies before them.
    pub(super) fn subscribe(&self) -> (broadcast::Receiver<Told>, u64) {
        // In this order: the thread raises the number before it tells the event.
        let events = self.events.subscribe();
        let seq = *self.seq.borrow();
        (events, seq)
    }
}

impl Drop for LiveView {
    fn drop(&mut self) {
        self.stop = None;
        if self.thread.take().is_some_and(|thread| thread.join().is_err()) {
            tracing::error!("the thread of the live views panicked");
        }
    }
}

struct Thread {
    fold: LiveFold,
    tap: Tap,
    asked: Receiver<Question>,
    stopped: Receiver<()>,
    seq: watch::Sender<u64>,
    events: broadcast::Sender<Told>,
}

impl Thread {
    fn run(mut self) {
        let mut drained = Drained::More;
        while self.wait(drained) {
            let (fold, seq, events) = (&mut self.fold, &self.seq, &self.events);
            let told = self.tap.drain(TURN, |entry| {
                fold.handle_entry(entry);
                seq.send_replace(entry.seq);
                // Without a reader nothing need be encoded.
                if events.receiver_count() > 0
                    && let Some(text) = public(entry)
                {
                    let _ = events.send(Told { seq: entry.seq, text: text.to_string().into() });
                }
            });
            drained = told.unwrap_or_else(|error| {
                tracing::error!(%error, "the live views are behind the journal");
                Drained::Behind
            });
            for question in self.asked.try_iter().take(TURN) {
                question(&self.fold);
            }
        }
    }

    /// Whether to go on.
    fn wait(&self, drained: Drained) -> bool {
        let mut select = Select::new();
        let stopped = select.recv(&self.stopped);
        select.recv(&self.asked);
        let within = |select: &mut Select<'_>, patience| select.ready_timeout(patience).ok();
        let mut ready = match drained {
            Drained::More => select.try_ready().ok(),
            Drained::Behind => within(&mut select, BEHIND),
            Drained::Dry => within(&mut select, COLLECT),
        };
        if drained == Drained::Dry && ready.is_none() {
            if !self.tap.is_closed() {
                select.recv(self.tap.inbox());
            }
            ready = Some(select.ready());
        }
        ready != Some(stopped)
    }
}
