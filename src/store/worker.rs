//! A thread of the store's that works until it is told to stop.

use std::io;
use std::thread::JoinHandle;

use crossbeam_channel::{Receiver, Sender, bounded};

/// Stops its thread, and waits for it, when it is dropped.
#[derive(Debug)]
pub(super) struct Worker {
    stop: Sender<()>,
    thread: Option<JoinHandle<()>>,
    /// What is told where it panicked.
    panicked: &'static str,
}

impl Worker {
    /// Starts a thread, which ends once `work` has heard of the stop.
    ///
    /// # Errors
    /// Where the system gives no thread.
    pub(super) fn start(
        name: &str,
        panicked: &'static str,
        work: impl FnOnce(Receiver<()>) + Send + 'static,
    ) -> io::Result<Self> {
        let (stop, stopped) = bounded(1);
        let thread = std::thread::Builder::new().name(name.to_owned()).spawn(move || work(stopped))?;
        Ok(Self { stop, thread: Some(thread), panicked })
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        let _ = self.stop.try_send(());
        if self.thread.take().is_some_and(|thread| thread.join().is_err()) {
            tracing::error!("{}", self.panicked);
        }
    }
}
