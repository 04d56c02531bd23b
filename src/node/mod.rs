//! The node: opens the floor from its files, and runs the one loop that owns the switch.

mod event_loop;
mod opening;
mod prompts;
mod tracer;

pub use event_loop::{CommandPort, Control, Watch};
pub use opening::{StartError, State, open};

use std::sync::Arc;
use std::thread::JoinHandle;

use crossbeam_channel::Sender;

use crate::net;

/// A running floor.
pub struct Node {
    /// Where SIP is served, as bound.
    pub addresses: net::Addresses,
    /// What the outside may look at.
    pub watch: Arc<Watch>,
    /// The certificates, to be read again when their files change; `None` where there are none.
    pub tls: Option<net::Tls>,
    /// Where WebSockets go that HTTP has accepted.
    pub upgrades: net::Upgrades,
    control: Sender<Control>,
    thread: JoinHandle<()>,
}

impl Node {
    /// Asks for an orderly stop: new calls get 503, calls in progress may finish for `deadline_ms`.
    pub fn drain(&self, deadline_ms: u64) {
        // A loop that has ended already has nothing to drain.
        let _ = self.control.send(Control::Drain { deadline_ms });
    }

    /// A way to ask for the stop from another thread.
    pub fn control(&self) -> Sender<Control> {
        self.control.clone()
    }

    /// Waits until the last call is gone and everything is on the disk. `false` where the loop came to grief.
    pub fn join(self) -> bool {
        self.thread.join().is_ok()
    }
}
