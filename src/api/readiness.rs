//! Whether the daemon can take calls, check by check.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// What the shell knows. All false at first; cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Readiness(Arc<Flags>);

#[derive(Debug, Default)]
struct Flags {
    ports: AtomicBool,
    dialplan: AtomicBool,
    draining: AtomicBool,
}

impl Readiness {
    /// SIP and media ports are bound.
    pub fn set_ports_bound(&self, bound: bool) {
        self.0.ports.store(bound, Ordering::Release);
    }

    /// A dialplan is loaded.
    pub fn set_dialplan_loaded(&self, loaded: bool) {
        self.0.dialplan.store(loaded, Ordering::Release);
    }

    /// The daemon is about to stop and takes no new calls.
    pub fn set_draining(&self, draining: bool) {
        self.0.draining.store(draining, Ordering::Release);
    }

    pub(super) fn ports_bound(&self) -> bool {
        self.0.ports.load(Ordering::Acquire)
    }

    pub(super) fn dialplan_loaded(&self) -> bool {
        self.0.dialplan.load(Ordering::Acquire)
    }

    pub(super) fn draining(&self) -> bool {
        self.0.draining.load(Ordering::Acquire)
    }
}
