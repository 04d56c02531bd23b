//! The thread that owns the live views: it folds what the journal's feed brings and answers questions in between.

use std::sync::Arc;
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender};
use tokio::sync::{broadcast, oneshot, watch};

use super::problem::Problem;
use crate::records::live::{LiveFold, public};
use crate::store::{Bell, Drained, Stop, Tap, Worker};

/// Questions that may wait; further ones get 503.
const QUESTIONS: usize = 1_024;
/// Events that a reader of the stream may be behind before it has to start again.
const EVENTS: usize = 4_096;
/// Entries folded before questions are answered again.
const TURN: usize = 256;
/// How long what comes is let collect before it is folded: a wake-up for each entry would cost the switch a system call.
const COLLECT: Duration = Duration::from_millis(5);

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
    bell: Arc<Bell>,
    /// The thread, which ends with this.
    _worker: Worker,
}

impl LiveView {
    /// Goes on from `fold`, which holds everything up to the tap's position.
    pub(super) fn start(fold: LiveFold, tap: Tap) -> std::io::Result<Self> {
        let (questions, asked) = crossbeam_channel::bounded(QUESTIONS);
        let (told_seq, seq) = watch::channel(tap.seq());
        let (events, _) = broadcast::channel(EVENTS);
        let (bell, told) = (tap.bell(), events.clone());
        let worker = Worker::start("live", "the thread of the live views panicked", tap.bell(), move |stop| {
            Thread { fold, tap, asked, stop, seq: told_seq, events: told }.run();
        })?;
        Ok(Self { questions, seq, events, bell, _worker: worker })
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
        self.bell.ring();
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

struct Thread {
    fold: LiveFold,
    tap: Tap,
    asked: Receiver<Question>,
    stop: Stop,
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
            // All that may wait: whoever comes later rings again.
            for question in self.asked.try_iter().take(QUESTIONS) {
                question(&self.fold);
            }
        }
    }

    /// Whether to go on.
    fn wait(&self, drained: Drained) -> bool {
        let rung = drained == Drained::Dry && self.tap.rest(COLLECT);
        if !rung {
            self.tap.pause(drained);
        }
        !self.stop.is_told()
    }
}

#[cfg(test)]
mod tests {
    use std::task::Waker;

    use super::*;
    use crate::store::{Feed, Journal};

    #[test]
    fn one_ring_stands_for_all_questions_that_may_wait() {
        let dir = tempfile::tempdir().unwrap();
        let journal = Journal::open(dir.path()).unwrap();
        let (journal, _reports) = journal.start(Default::default(), Waker::noop().clone()).unwrap();
        let mut feed = Feed::new(dir.path(), journal.progress().clone());
        let view = LiveView::start(LiveFold::default(), feed.tap(0, 16)).unwrap();
        let (answer, answers) = crossbeam_channel::bounded(QUESTIONS);
        for number in 0..TURN + 50 {
            let answer = answer.clone();
            let question = move |_: &LiveFold| answer.try_send(number).unwrap();
            view.questions.try_send(Box::new(question)).unwrap();
        }
        view.bell.ring();
        for number in 0..TURN + 50 {
            assert_eq!(answers.recv_timeout(Duration::from_secs(5)), Ok(number));
        }
    }
}
