//! The node: opens the floor from its files, and runs the one loop that owns the switch.

mod event_loop;
mod files;
mod opening;
mod prompts;
mod reload;
mod speech;
mod tracer;

pub use crate::store::Bell;
use event_loop::Control;
pub use event_loop::{CommandPort, Lost, Watch};
pub use opening::{StartError, State, hooks, open, recording_keys};
pub use prompts::{PromptError, prompt_lengths, unplayable};
pub use reload::{ReloadError, Reloaded, Reloader};

use std::sync::{Arc, Mutex};
use std::task::Waker;
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
    /// Makes the floor follow its files.
    pub reloader: Arc<Mutex<Reloader>>,
    control: Sender<Control>,
    waker: Waker,
    thread: JoinHandle<()>,
}

/// Orders the loop to do something, from any thread.
#[derive(Clone)]
pub struct Stopper {
    control: Sender<Control>,
    waker: Waker,
}

impl Stopper {
    /// Asks for an orderly stop: new calls get 503, calls in progress may finish for `deadline_ms`.
    pub fn drain(&self, deadline_ms: u64) {
        // A loop that has ended already has nothing to drain.
        let _ = self.control.send(Control::Drain { deadline_ms });
        self.waker.wake_by_ref();
    }
}

impl Node {
    /// A way to ask for the stop, from another thread too.
    pub fn stopper(&self) -> Stopper {
        Stopper { control: self.control.clone(), waker: self.waker.clone() }
    }

    /// Waits until the last call is gone and everything is on the disk. `false` where the loop came to grief.
    pub fn join(self) -> bool {
        self.thread.join().is_ok()
    }
}
