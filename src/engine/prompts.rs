//! Prompts in the codecs that take longer to encode.

use std::io;
use std::sync::Arc;

use crossbeam_channel::{Sender, bounded};

use crate::media::PromptStore;

/// Words to the encoder that may wait; a wish that finds no room has been made already.
const BACKLOG: usize = 64;

/// What the encoder is told.
pub(super) enum Work {
    /// Somebody speaks a wider codec.
    Wanted,
    /// This is what can be played from now on.
    Store(Arc<PromptStore>),
}

/// A thread that encodes prompts and music for wider codecs once somebody speaks one, and what comes later at once from then on.
/// Many a switch never needs it, and it takes seconds.
pub(super) fn encoder(mut store: Arc<PromptStore>) -> io::Result<Sender<Work>> {
    let (sender, work) = bounded(BACKLOG);
    std::thread::Builder::new().name("prompts".to_owned()).spawn(move || {
        let mut wanted = false;
        for word in work {
            match word {
                Work::Wanted => wanted = true,
                Work::Store(newer) => store = newer,
            }
            if wanted {
                store.encode();
            }
        }
    })?;
    Ok(sender)
}
