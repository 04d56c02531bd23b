//! The thread that ends recordings. To hash a long one takes as long as it takes, a busy switch hears of it when it can, and the
//! writer goes on meanwhile.

use std::collections::VecDeque;
use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, TrySendError, bounded};

use super::growing::{Growing, Home};
use super::handle::Reports;
use crate::media::{Manifest, MediaReport, RecordingStep, RecordingWork};

/// Recordings under way to the closer. Where it is behind, the writer keeps further ones and offers them again at each look: none is
/// lost, and there are never more than ran at once.
pub(super) const ENDINGS: usize = 1_024;
/// How often a switch that had no room is told again.
const AGAIN: Duration = Duration::from_millis(100);
/// How long a switch may have no room at the very end.
const PATIENCE: Duration = Duration::from_secs(1);

/// A recording whose sound has all been taken.
pub(super) struct Ending {
    pub growing: Growing,
    /// The last step: to close.
    pub work: RecordingWork,
}

/// The writer's way to the closer.
pub(super) struct Endings {
    closer: Sender<Ending>,
    /// What the closer had no room for, in order.
    kept: VecDeque<Ending>,
}

impl Endings {
    /// The way, with room for so many, and its far end.
    pub(super) fn new(room: usize) -> (Self, Receiver<Ending>) {
        let (closer, endings) = bounded(room);
        (Self { closer, kept: VecDeque::new() }, endings)
    }

    /// Hands on a recording; never waits.
    pub(super) fn hand_on(&mut self, ending: Ending) {
        self.kept.push_back(ending);
        self.retry();
    }

    /// Hands on what there was no room for, as far as there is some now.
    pub(super) fn retry(&mut self) {
        while let Some(ending) = self.kept.pop_front() {
            match self.closer.try_send(ending) {
                Ok(()) => {}
                Err(TrySendError::Full(ending)) => return self.kept.push_front(ending),
                Err(TrySendError::Disconnected(ending)) => ending.give_up(),
            }
        }
    }

    /// Hands on the rest, with nothing left to write beside it, and lets the closer end.
    pub(super) fn finish(self) {
        for ending in self.kept {
            if let Err(refused) = self.closer.send(ending) {
                refused.into_inner().give_up();
            }
        }
    }
}

impl Ending {
    fn give_up(self) {
        let RecordingWork { id: recording, call, .. } = self.work;
        tracing::error!(%recording, %call, "nobody closes the recording; the next start mends it");
    }
}

/// Closes recordings.
pub(super) struct Closer {
    pub home: Home,
    pub reports: Reports,
}

impl Closer {
    /// Closes what comes until the writer is gone, and tells the switch of each once, in order. That waits for nobody: a manifest is
    /// on the disk already, and what the switch has no room for is told it again later. While it hears nothing it begins nothing
    /// either, so no more can wait here than ran at once.
    pub(super) fn run(&self, endings: &Receiver<Ending>) {
        let mut untold: VecDeque<Manifest> = VecDeque::new();
        loop {
            let next = if untold.is_empty() {
                endings.recv().map_err(RecvTimeoutError::from)
            } else {
                endings.recv_timeout(AGAIN)
            };
            match next {
                Ok(Ending { growing, work }) => {
                    if let RecordingStep::Close(closed) = &work.step {
                        untold.push_back(growing.close(&self.home, &work, closed));
                    }
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
            }
            self.tell(&mut untold, Duration::ZERO);
        }
        self.tell(&mut untold, PATIENCE);
        for Manifest { recording, .. } in untold {
            tracing::error!(recording, "nobody heard that the recording is closed; the next start tells it");
        }
    }

    /// Tells the switch what it has room for.
    fn tell(&self, untold: &mut VecDeque<Manifest>, patience: Duration) {
        while let Some(manifest) = untold.front().cloned() {
            if !self.reports.tell(MediaReport::RecordingClosed { manifest }, patience) {
                return;
            }
            untold.pop_front();
        }
    }
}
