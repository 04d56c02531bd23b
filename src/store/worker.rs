//! A thread that follows the journal until it is told to stop.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use super::Bell;

/// Stops its thread, and waits for it, when it is dropped.
#[derive(Debug)]
pub struct Worker {
    stop: Stop,
    bell: Arc<Bell>,
    thread: Option<JoinHandle<()>>,
    /// What is told where it panicked.
    panicked: String,
}

/// Tells a thread that it is to stop; its bell is rung then.
#[derive(Clone, Debug, Default)]
pub struct Stop(Arc<AtomicBool>);

impl Stop {
    /// Whether the thread is to stop.
    pub fn is_told(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }
}

impl Worker {
    /// Starts a thread that sleeps by `bell`, and ends once `work` has heard of the stop.
    ///
    /// # Errors
    /// Where the system gives no thread.
    pub fn start(
        name: &str,
        panicked: impl Into<String>,
        bell: Arc<Bell>,
        work: impl FnOnce(Stop) + Send + 'static,
    ) -> io::Result<Self> {
        let stop = Stop::default();
        let told = stop.clone();
        let thread = std::thread::Builder::new().name(name.to_owned()).spawn(move || work(told))?;
        Ok(Self { stop, bell, thread: Some(thread), panicked: panicked.into() })
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.stop.0.store(true, Ordering::Release);
        self.bell.ring();
        if self.thread.take().is_some_and(|thread| thread.join().is_err()) {
            tracing::error!("{}", self.panicked);
        }
    }
}
