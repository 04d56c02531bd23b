//! From a stream to the loop: a stream waits where a datagram would be dropped, because nobody would send it again.

use std::sync::Arc;
use std::task::Waker;
use std::time::Duration;

use crossbeam_channel::{Sender, TrySendError};
use tokio::sync::watch;

use super::NetEvent;
use super::capture::Capture;
use super::counters::{Counters, Figure};

/// How soon a full channel is tried again.
const AGAIN: Duration = Duration::from_millis(1);

/// Where the loop takes what comes, and what wakes it.
#[derive(Clone)]
pub(super) struct LoopEnd {
    pub(super) sender: Sender<NetEvent>,
    pub(super) waker: Waker,
}

impl LoopEnd {
    /// Hands an event over and wakes the loop; never waits.
    pub(super) fn try_send(&self, event: NetEvent) -> Result<(), TrySendError<NetEvent>> {
        self.sender.try_send(event)?;
        self.waker.wake_by_ref();
        Ok(())
    }
}

#[derive(Clone)]
pub(super) struct Deliver {
    pub(super) loop_end: LoopEnd,
    pub(super) counters: Arc<Counters>,
    pub(super) stopping: watch::Receiver<bool>,
    pub(super) capture: Capture,
}

impl Deliver {
    /// Whether the loop takes no more.
    pub(super) fn is_stopping(&self) -> bool {
        *self.stopping.borrow()
    }

    /// Hands an event over, waiting for room; false where the loop is gone or stops.
    pub(super) async fn hand_over(&mut self, mut event: NetEvent) -> bool {
        let message = matches!(event, NetEvent::Message { .. });
        if let NetEvent::Message { verdict, flow, .. } = &event {
            self.capture.read(*flow, verdict);
        }
        loop {
            event = match self.loop_end.try_send(event) {
                Ok(()) => {
                    if message {
                        self.counters.add(Figure::Received);
                    }
                    return true;
                }
                Err(TrySendError::Disconnected(_)) => return false,
                Err(TrySendError::Full(event)) => event,
            };
            tokio::select! {
                () = tokio::time::sleep(AGAIN) => {}
                _ = self.stopping.wait_for(|stopping| *stopping) => return false,
            }
        }
    }
}
