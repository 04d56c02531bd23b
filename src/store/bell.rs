//! What wakes a thread: everybody who puts something into one of its channels rings, and only the first ring after it fell asleep
//! costs a system call. Selecting over the channels took a third of the loop's thread: it spins, and registers with each of them. And
//! while it spins it yields, for which Linux from 6.18 on has a thread wait a whole slice longer than its share: beside a busy loop
//! those who wait for a channel got a hundredth of a core.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::task::{Wake, Waker};
use std::thread::Thread;
use std::time::{Duration, Instant};

/// A bell that one thread listens to.
#[derive(Debug, Default)]
pub struct Bell {
    rung: AtomicBool,
    listener: OnceLock<Thread>,
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if !self.rung.swap(true, Ordering::AcqRel)
            && let Some(listener) = self.listener.get()
        {
            listener.unpark();
        }
    }
}

impl Bell {
    /// Wakes its listener, now or when it next wants to sleep.
    pub fn ring(self: &Arc<Self>) {
        self.wake_by_ref();
    }

    /// What rings it.
    pub fn waker(self: &Arc<Self>) -> Waker {
        Waker::from(Arc::clone(self))
    }

    /// Waits until it has been rung since the last call, for `patience` at most; whether it was. For one thread only. It sleeps once
    /// `awake` has passed: until then it gives way to whoever else has work.
    pub fn wait(&self, patience: Duration, awake: Duration) -> bool {
        self.listener.get_or_init(std::thread::current);
        let since = Instant::now();
        while !self.rung.swap(false, Ordering::AcqRel) {
            let passed = since.elapsed();
            let left = patience.saturating_sub(passed);
            if left.is_zero() {
                return false;
            }
            if passed < awake {
                std::thread::yield_now();
            } else {
                std::thread::park_timeout(left);
            }
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ring_is_never_lost() {
        let bell = Arc::new(Bell::default());
        let waker = bell.waker();
        let (sender, inbox) = std::sync::mpsc::channel();
        let ringer = std::thread::spawn(move || {
            for number in 0..10_000 {
                let _ = sender.send(number);
                waker.wake_by_ref();
            }
        });
        let mut next = 0;
        while next < 10_000 {
            assert!(bell.wait(Duration::from_secs(60), Duration::from_micros(next % 3)), "a ring was lost");
            for number in inbox.try_iter() {
                assert_eq!(number, next);
                next += 1;
            }
        }
        ringer.join().unwrap();
        let since = Instant::now();
        while bell.rung.load(Ordering::Acquire) {
            bell.wait(Duration::ZERO, Duration::ZERO);
        }
        bell.wait(Duration::from_millis(2), Duration::ZERO);
        assert!(since.elapsed() >= Duration::from_millis(2), "nobody rang");
    }
}
