//! One stream: reading, writing, and how it ends.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::{Notify, mpsc};
use tokio::time::{Instant, timeout, timeout_at};

use super::NetEvent;
use super::carrier::{Carrier, Common, Origin, Reading, Writing};
use super::counters::{Counters, Figure};
use super::deliver::Deliver;
use super::hub::Note;
use super::outbox::{Outlet, WeakInlet};
use crate::sip::message::{StreamDecoder, StreamItem, Verdict, response_to};
use crate::sip::transaction::Flow;

/// Bytes asked of the system at a time.
const CHUNK: usize = 16 * 1024;
/// Bytes that may be the tail of a message or the head of a keep-alive; more than that is a message that has begun.
const LINE_BREAKS: usize = 3;
/// To tag of refusals that are sent from here, without a dialog or a transaction.
const TAG: &str = "stream";

/// A connection and all that it needs to end by itself.
pub(super) struct Connection {
    pub(super) id: u64,
    pub(super) flow: Flow,
    pub(super) outlet: Outlet,
    /// For answers of our own to the stream.
    pub(super) back: WeakInlet,
    /// Told when the peer does not take what is queued.
    pub(super) cut: Arc<Notify>,
    /// Cleared once another connection carries the flow.
    pub(super) current: Arc<AtomicBool>,
    pub(super) deliver: Deliver,
    pub(super) notes: mpsc::Sender<Note>,
    pub(super) common: Arc<Common>,
}

impl Connection {
    /// Runs to the end, and tells it: first the hub, so that what is sent from then on takes a new connection, then the loop.
    pub(super) async fn run(mut self, origin: Origin) {
        let accepted = origin.is_inbound();
        let cut = Arc::clone(&self.cut);
        let carried = tokio::select! {
            carried = self.carry(origin) => carried,
            () = cut.notified() => true,
        };
        self.tell_hub().await;
        while self.outlet.discard() {
            self.deliver.counters.add(Figure::DroppedOut);
        }
        if carried && self.current.load(Ordering::Acquire) && !self.deliver.is_stopping() {
            self.deliver.hand_over(NetEvent::Broken { flow: self.flow }).await;
        }
        // Last, so that strangers cannot pile up connections that wait for the loop.
        let _ = self.notes.send(Note::Gone { remote: self.flow.remote.ip(), accepted }).await;
    }

    /// Carries messages until one side ends; whether the loop knew of the flow.
    async fn carry(&mut self, origin: Origin) -> bool {
        let accepted = origin.is_inbound();
        let mut first = accepted.then(|| Instant::now() + self.common.limits.first_message);
        let common = Arc::clone(&self.common);
        match common.establish(origin, self.flow).await {
            Ok(Carrier::Stream(reading, writing)) => self.carry_bytes(reading, writing, &mut first).await,
            Ok(Carrier::WebSocket(socket)) => self.carry_frames(socket, &mut first).await,
            Err(error) if accepted => {
                tracing::info!(
                    remote = %self.flow.remote, transport = self.flow.transport.via_name(), %error,
                    "a SIP connection ended in its handshake"
                );
                self.deliver.counters.add(Figure::Refused);
            }
            Err(error) => {
                tracing::info!(
                    remote = %self.flow.remote, transport = self.flow.transport.via_name(), %error,
                    "cannot open a SIP connection"
                );
            }
        }
        !accepted || first.is_none()
    }

    async fn carry_bytes(&mut self, reading: Reading, writing: Writing, first: &mut Option<Instant>) {
        let counters = Arc::clone(&self.deliver.counters);
        let back = self.back.clone();
        let write = write(writing, &mut self.outlet, &counters);
        tokio::pin!(write);
        let limit = self.common.limits.message;
        let mut reader =
            Reader { reading, flow: self.flow, back, deliver: &mut self.deliver, first, limit, begun: None };
        tokio::select! {
            biased;
            written = &mut write => {
                if let Err(error) = written {
                    tracing::debug!(remote = %self.flow.remote, %error, "a SIP connection takes no more");
                }
            }
            () = reader.read() => {
                // What is queued may still be wanted: a peer may close its half and wait for the answer.
                let _ = self.notes.send(Note::Closed { id: self.id, flow: self.flow }).await;
                let _ = timeout(self.common.limits.flush, async { tokio::join!(write, reader.discard()) }).await;
            }
        }
    }

    pub(super) async fn tell_hub(&self) {
        let _ = self.notes.send(Note::Closed { id: self.id, flow: self.flow }).await;
    }
}

/// Writes what is queued until the hub lets go of the queue or the peer is gone.
async fn write(mut half: Writing, outlet: &mut Outlet, counters: &Counters) -> io::Result<()> {
    while let Some(bytes) = outlet.next().await {
        // TLS may keep the end of what it took until it is flushed.
        let written = async { half.write_all(&bytes).await.and(half.flush().await) };
        if let Err(error) = written.await {
            counters.add(Figure::DroppedOut);
            return Err(error);
        }
        if bytes.as_slice() != PONG {
            counters.add(Figure::Sent);
        }
    }
    half.shutdown().await
}

/// The answer to a keep-alive (RFC 5626 §4.4.1).
const PONG: &[u8] = b"\r\n";

struct Reader<'a> {
    reading: Reading,
    flow: Flow,
    back: WeakInlet,
    deliver: &'a mut Deliver,
    /// Until when the first message must be whole; `None` once it was.
    first: &'a mut Option<Instant>,
    /// How long the rest of a message may take.
    limit: Duration,
    /// Until when the message must be whole that has begun.
    begun: Option<Instant>,
}

impl Reader<'_> {
    async fn read(&mut self) {
        let mut decoder = StreamDecoder::default();
        let mut chunk = vec![0; CHUNK];
        loop {
            let deadline = self.first.iter().chain(&self.begun).min().copied();
            let read = match deadline {
                Some(deadline) => timeout_at(deadline, self.reading.read(&mut chunk)).await,
                None => Ok(self.reading.read(&mut chunk).await),
            };
            let length = match read {
                Ok(Ok(0)) => return,
                Ok(Ok(length)) => length,
                Ok(Err(error)) => {
                    tracing::debug!(remote = %self.flow.remote, %error, "a SIP connection broke");
                    return;
                }
                Err(_) => {
                    tracing::debug!(remote = %self.flow.remote, "closed: no message was whole in time");
                    return;
                }
            };
            decoder.push(&chunk[..length]);
            if !self.take_all(&mut decoder).await {
                return;
            }
        }
    }

    /// Reads what still comes and forgets it: to close with bytes unread would reset the stream, and our last answer with it.
    async fn discard(&mut self) {
        let mut chunk = [0; 4_096];
        while self.reading.read(&mut chunk).await.is_ok_and(|length| length > 0) {}
    }

    /// Hands on every message that is whole; false where the stream is to be closed.
    async fn take_all(&mut self, decoder: &mut StreamDecoder) -> bool {
        loop {
            match decoder.pop() {
                Ok(None) => {
                    if decoder.len() <= LINE_BREAKS {
                        self.begun = None;
                    } else {
                        self.begun.get_or_insert_with(|| Instant::now() + self.limit);
                    }
                    return true;
                }
                Ok(Some(StreamItem::KeepAlive)) => self.answer(PONG.to_vec()),
                Ok(Some(StreamItem::Message(verdict))) => {
                    (*self.first, self.begun) = (None, None);
                    if let Verdict::Drop(why) = *verdict {
                        tracing::debug!(remote = %self.flow.remote, why, "message dropped");
                        self.deliver.counters.add(Figure::Malformed);
                    } else if !self
                        .deliver
                        .hand_over(NetEvent::Message { verdict, flow: self.flow, received: std::time::Instant::now() })
                        .await
                    {
                        return false;
                    }
                }
                Err(error) => {
                    tracing::info!(remote = %self.flow.remote, %error, "SIP stream closed");
                    self.deliver.counters.add(Figure::Malformed);
                    if let Verdict::Reject { status, reason, reply: Some(request) } = *error.verdict {
                        self.answer(response_to(&request, status, reason, Some(TAG)).to_bytes());
                    }
                    return false;
                }
            }
        }
    }

    /// Queues bytes of our own. Where the queue is full the peer does not read, and they are worth nothing to it.
    fn answer(&self, bytes: Vec<u8>) {
        let _ = self.back.offer(bytes);
    }
}
