//! What waits for a connection: a queue bounded in messages and in bytes. One message too many is refused, and the hub closes
//! the connection: a peer that does not read has no use for the rest.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::mpsc;

use super::settings::Limits;

/// Where messages are queued. The connection ends, everything written, when the last one is dropped.
pub(super) struct Inlet {
    queue: mpsc::Sender<Vec<u8>>,
    waiting: Arc<AtomicUsize>,
    most: usize,
}

/// An inlet that does not keep its connection open.
#[derive(Clone)]
pub(super) struct WeakInlet {
    queue: mpsc::WeakSender<Vec<u8>>,
    waiting: Arc<AtomicUsize>,
    most: usize,
}

/// Where the connection takes them.
pub(super) struct Outlet {
    queue: mpsc::Receiver<Vec<u8>>,
    waiting: Arc<AtomicUsize>,
}

/// Why a message was not queued.
pub(super) enum Refused {
    /// The peer does not read.
    Full,
    /// The connection is over; the message comes back.
    Over(Vec<u8>),
}

pub(super) fn outbox(limits: &Limits) -> (Inlet, Outlet) {
    let (sender, receiver) = mpsc::channel(limits.queue.max(1));
    let waiting = Arc::new(AtomicUsize::new(0));
    let inlet = Inlet { queue: sender, waiting: Arc::clone(&waiting), most: limits.queue_bytes };
    (inlet, Outlet { queue: receiver, waiting })
}

impl Inlet {
    pub(super) fn offer(&self, bytes: Vec<u8>) -> Result<(), Refused> {
        offer(&self.queue, &self.waiting, self.most, bytes)
    }

    pub(super) fn weak(&self) -> WeakInlet {
        WeakInlet { queue: self.queue.downgrade(), waiting: Arc::clone(&self.waiting), most: self.most }
    }
}

impl WeakInlet {
    pub(super) fn offer(&self, bytes: Vec<u8>) -> Result<(), Refused> {
        match self.queue.upgrade() {
            Some(queue) => offer(&queue, &self.waiting, self.most, bytes),
            None => Err(Refused::Over(bytes)),
        }
    }
}

impl Outlet {
    /// The next message; `None` when every inlet is gone and everything was taken.
    pub(super) async fn next(&mut self) -> Option<Vec<u8>> {
        let bytes = self.queue.recv().await?;
        self.waiting.fetch_sub(bytes.len(), Ordering::AcqRel);
        Some(bytes)
    }

    /// Throws the next message away, if one waits.
    pub(super) fn discard(&mut self) -> bool {
        self.queue.close();
        self.queue.try_recv().is_ok()
    }
}

fn offer(queue: &mpsc::Sender<Vec<u8>>, waiting: &AtomicUsize, most: usize, bytes: Vec<u8>) -> Result<(), Refused> {
    let length = bytes.len();
    // One thread offers, the runtime's; so what is read here cannot grow before it is added to.
    if waiting.load(Ordering::Acquire).saturating_add(length) > most {
        return Err(Refused::Full);
    }
    waiting.fetch_add(length, Ordering::AcqRel);
    queue.try_send(bytes).map_err(|refused| {
        waiting.fetch_sub(length, Ordering::AcqRel);
        match refused {
            mpsc::error::TrySendError::Full(_) => Refused::Full,
            mpsc::error::TrySendError::Closed(bytes) => Refused::Over(bytes),
        }
    })
}
