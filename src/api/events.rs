//! The journal as server-sent events, resumable.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Sse;
use axum::response::sse::{Event, KeepAlive};
use futures_util::{Stream, stream};
use serde_json::json;
use tokio::sync::broadcast::{Receiver, error::RecvError};
use tokio_util::sync::CancellationToken;

use super::Shared;
use super::live::Told;
use super::problem::Problem;
use crate::records::live::public;
use crate::store::journal::{Entries, Progress};

/// Whoever is further behind than this starts again.
const MOST_RESUMED: u64 = 20_000;
/// How long a reader who resumes waits for entries that are told and not written yet.
const WRITING: Duration = Duration::from_secs(2);
/// How long a reader who resumes waits for the live views.
const FOLDING: Duration = Duration::from_millis(500);
const LOOK_AGAIN: Duration = Duration::from_millis(5);

/// `GET /api/v1/events`
pub(super) async fn events(
    State(shared): State<Arc<Shared>>,
    headers: HeaderMap,
) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>>>, Problem> {
    let last = headers.get("last-event-id").and_then(|value| value.to_str().ok()).filter(|id| !id.is_empty());
    let last = last.map(str::parse::<u64>).transpose();
    let last =
        last.map_err(|_| Problem::parameter("Last-Event-ID", "Last-Event-ID is the id of an event: a number"))?;
    // A fold that is a moment behind the journal is no reason to send a reader back to the start.
    shared.live.wait_for(last.unwrap_or(0), FOLDING).await;
    let (events, seq) = shared.live.subscribe();
    let mut reader = Reader { missed: VecDeque::new(), seq, events, stopping: shared.stopping.clone(), over: false };
    match last {
        None => {
            // Tells where the stream begins: what was listed before may be older.
            reader
                .missed
                .push_back(Event::default().event("ready").id(seq.to_string()).data(json!({ "seq": seq }).to_string()));
        }
        Some(last) if last == seq => {}
        Some(last) if last > seq || seq - last > MOST_RESUMED => {
            reader.restart("the journal does not go on from there")
        }
        Some(last) => match missed(&shared, last, seq).await {
            Some(missed) => reader.missed.extend(missed.into_iter().map(|told| event(&told))),
            None => reader.restart("what was missed cannot be read"),
        },
    }
    let stream = stream::unfold(reader, |mut reader| async { reader.next().await.map(|event| (Ok(event), reader)) });
    Ok(Sse::new(stream).keep_alive(KeepAlive::new().interval(Duration::from_secs(15))))
}

struct Reader {
    /// To be told first.
    missed: VecDeque<Event>,
    /// The last entry that lies behind.
    seq: u64,
    events: Receiver<Told>,
    stopping: CancellationToken,
    over: bool,
}

impl Reader {
    /// Tells the reader to load the lists again and to come back without an id, and ends the stream.
    fn restart(&mut self, why: &str) {
        let data = json!({ "type": "restart", "detail": why }).to_string();
        self.missed.push_back(Event::default().event("restart").data(data));
        self.over = true;
    }

    async fn next(&mut self) -> Option<Event> {
        loop {
            if let Some(event) = self.missed.pop_front() {
                return Some(event);
            }
            if self.over {
                return None;
            }
            let received = tokio::select! {
                received = self.events.recv() => received,
                () = self.stopping.cancelled() => return None,
            };
            match received {
                Ok(told) if told.seq <= self.seq => {}
                Ok(told) => {
                    self.seq = told.seq;
                    return Some(event(&told));
                }
                Err(RecvError::Lagged(_)) => self.restart("read too slowly; load the lists again"),
                Err(RecvError::Closed) => return None,
            }
        }
    }
}

fn event(told: &Told) -> Event {
    Event::default().id(told.seq.to_string()).data(&*told.text)
}

/// The events behind `last` up to `through`, from the journal's files; `None` where they cannot be read.
async fn missed(shared: &Arc<Shared>, last: u64, through: u64) -> Option<Vec<Told>> {
    if !written(&shared.progress, through).await {
        return None;
    }
    let data_dir = shared.settings.data_dir.clone();
    let read = tokio::task::spawn_blocking(move || {
        let mut missed = Vec::new();
        let mut expected = last.saturating_add(1);
        for entry in Entries::between(&data_dir, expected, through).ok()? {
            let entry = entry.ok().filter(|entry| entry.seq == expected)?;
            expected = expected.saturating_add(1);
            missed.extend(public(&entry).map(|text| Told { seq: entry.seq, text: text.to_string().into() }));
        }
        Some(missed).filter(|_| expected > through)
    });
    read.await.ok().flatten()
}

/// Waits until the disk has come as far as `seq`.
async fn written(progress: &Progress, seq: u64) -> bool {
    let wait = async {
        while progress.written() < seq {
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    };
    tokio::time::timeout(WRITING, wait).await.is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_reads_too_slowly_is_told_to_start_again() {
        let (sender, events) = tokio::sync::broadcast::channel(2);
        let (missed, stopping) = (VecDeque::new(), CancellationToken::new());
        let mut reader = Reader { missed, seq: 5, events, stopping, over: false };
        let tell = |seq| sender.send(Told { seq, text: "{}".into() }).map(drop).unwrap();
        let shown = |event: Option<Event>| event.map(|event| format!("{event:?}")).unwrap_or_default();
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            // Lies behind the reader already.
            tell(5);
            tell(6);
            assert!(shown(reader.next().await).contains("id: 6"));
            (7..=9).for_each(tell);
            assert!(shown(reader.next().await).contains("event: restart"));
            assert!(reader.next().await.is_none());
        });
    }
}
