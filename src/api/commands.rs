//! The way of a wish from an HTTP request to the switch, and of the answer back.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender};
use tokio::sync::oneshot;

use super::problem::Problem;
use crate::switch::{Command, CommandError};

/// Wishes that may wait for the switch; further ones get 503.
const BACKLOG: usize = 256;
/// How long the switch may take.
const PATIENCE: Duration = Duration::from_secs(2);

type Outcome = Result<u64, CommandError>;
type Pending = Arc<Mutex<BTreeMap<u64, oneshot::Sender<Outcome>>>>;

/// The API's end.
pub struct CommandSender {
    sender: Sender<(u64, Command)>,
    wake: Box<dyn Fn() + Send + Sync>,
    next: AtomicU64,
    pending: Pending,
}

/// The switch's end of the answers. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Replies(Pending);

/// A bounded way for commands: the API's end, what the node's loop receives (to be fed in as `Input::Command`), and where it
/// hands in each `Output::Reply`. `wake` is called after each command, for a loop that sleeps elsewhere than on the channel.
pub fn commands(wake: impl Fn() + Send + Sync + 'static) -> (CommandSender, Receiver<(u64, Command)>, Replies) {
    let (sender, inbox) = crossbeam_channel::bounded(BACKLOG);
    let pending = Pending::default();
    let replies = Replies(pending.clone());
    (CommandSender { sender, wake: Box::new(wake), next: AtomicU64::new(1), pending }, inbox, replies)
}

impl Replies {
    /// Answers command `id`; nobody may be waiting for it any more.
    pub fn reply(&self, id: u64, outcome: Result<u64, CommandError>) {
        let waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&id);
        if let Some(waiting) = waiting {
            let _ = waiting.send(outcome);
        }
    }
}

/// Takes the answer's place away again, also where the client hangs up before it comes.
struct Waiting<'a>(&'a Pending, u64);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.1);
    }
}

impl CommandSender {
    /// Sends `command` and waits for its answer: the number of the entry that holds its effect.
    pub(super) async fn send(&self, command: Command) -> Result<u64, Problem> {
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        let (sender, answer) = oneshot::channel();
        self.pending.lock().unwrap_or_else(PoisonError::into_inner).insert(id, sender);
        let _waiting = Waiting(&self.pending, id);
        if self.sender.try_send((id, command)).is_err() {
            return Err(Problem::busy("the switch has no room for another command; ask again"));
        }
        (self.wake)();
        match tokio::time::timeout(PATIENCE, answer).await {
            Ok(Ok(outcome)) => Ok(outcome?),
            Ok(Err(_)) | Err(_) => Err(Problem::busy(
                "the switch did not answer within two seconds; the command may still be carried out, look before asking again",
            )),
        }
    }
}
