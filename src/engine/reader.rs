//! Reads chunks of long prompts for the media threads, which never wait for a disk.

use std::collections::HashMap;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::sync::{Arc, Weak};

use crossbeam_channel::{Receiver, Sender, TrySendError, bounded};

use super::handle::Shared;
use crate::id::LegId;
use crate::media::{CHUNK_BYTES, Chunk, ChunkOrder, PromptId};

/// Orders that may wait; one that finds no room is given again 20 ms later.
const ORDERS: usize = 1_024;
/// Chunks that are remembered while somebody plays them.
const REMEMBERED: usize = 256;

/// A chunk that a leg is to play.
pub(super) struct Order {
    pub leg: LegId,
    pub chunk: ChunkOrder,
    /// Where it goes, and who is woken.
    pub reply: Sender<Delivery>,
    pub shared: Arc<Shared>,
}

/// A chunk for a leg.
pub(super) struct Delivery {
    pub leg: LegId,
    pub chunk: Chunk,
}

/// A thread that reads, until nobody can order any more. Legs that play the same chunk share it.
pub(super) fn reader() -> io::Result<Sender<Order>> {
    let (sender, orders) = bounded(ORDERS);
    std::thread::Builder::new().name("prompt-reader".to_owned()).spawn(move || read_all(&orders))?;
    Ok(sender)
}

fn read_all(orders: &Receiver<Order>) {
    let mut recent: HashMap<(PromptId, usize), Weak<[u8]>> = HashMap::new();
    for Order { leg, chunk, reply, shared } in orders {
        let key = (chunk.prompt, chunk.number);
        let known = recent.get(&key).and_then(Weak::upgrade);
        let octets = known.or_else(|| match read(&chunk) {
            Ok(octets) => Some(octets.into()),
            Err(error) => {
                let file = chunk.file.display();
                tracing::error!(%leg, %file, %error, "a long prompt cannot be read and is passed over; reload to make its file anew");
                None
            }
        });
        if let Some(octets) = &octets {
            if recent.len() >= REMEMBERED {
                recent.retain(|_, octets| octets.strong_count() > 0);
            }
            recent.insert(key, Arc::downgrade(octets));
        }
        let delivery = Delivery { leg, chunk: Chunk { prompt: key.0, number: key.1, octets } };
        if let Err(TrySendError::Full(delivery)) = reply.try_send(delivery) {
            shared.wake();
            // A thread that is gone takes nothing more.
            let _ = reply.send(delivery);
        }
        shared.wake();
    }
}

fn read(order: &ChunkOrder) -> io::Result<Vec<u8>> {
    let mut octets = vec![0; order.len];
    File::open(&order.file)?.read_exact_at(&mut octets, (order.number * CHUNK_BYTES) as u64)?;
    Ok(octets)
}
