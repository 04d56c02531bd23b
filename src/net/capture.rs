//! Copies of the messages that pass, for a trace. Taken only where one is wanted; where its reader does not keep up, copies are
//! dropped and counted, messages never.

use std::sync::Arc;
use std::time::SystemTime;

use crossbeam_channel::Sender;

use super::counters::{Counters, Figure};
use crate::sip::message::Verdict;
use crate::sip::transaction::Flow;

/// One message that passed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Captured {
    /// When, wall microseconds.
    pub at_us: i64,
    /// Whether we sent it.
    pub outbound: bool,
    /// The way it went.
    pub flow: Flow,
    /// Its bytes, as they were on the wire; of streams as they were read.
    pub bytes: Vec<u8>,
}

/// Where copies go, if anywhere.
#[derive(Clone, Default)]
pub(super) struct Capture(Option<(Sender<Captured>, Arc<Counters>)>);

impl Capture {
    pub(super) fn new(sender: Option<Sender<Captured>>, counters: &Arc<Counters>) -> Self {
        Self(sender.map(|sender| (sender, Arc::clone(counters))))
    }

    pub(super) fn sent(&self, flow: Flow, bytes: &[u8]) {
        self.take(true, flow, || bytes.to_vec());
    }

    pub(super) fn received(&self, flow: Flow, bytes: &[u8]) {
        self.take(false, flow, || bytes.to_vec());
    }

    /// A message out of a stream, as it was understood.
    pub(super) fn read(&self, flow: Flow, verdict: &Verdict) {
        match verdict {
            Verdict::Accept(message) | Verdict::Reject { reply: Some(message), .. } => {
                self.take(false, flow, || message.to_bytes());
            }
            Verdict::Reject { reply: None, .. } | Verdict::Drop(_) => {}
        }
    }

    fn take(&self, outbound: bool, flow: Flow, bytes: impl FnOnce() -> Vec<u8>) {
        let Some((sender, counters)) = &self.0 else { return };
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let at_us = i64::try_from(since.as_micros()).unwrap_or(i64::MAX);
        if sender.try_send(Captured { at_us, outbound, flow, bytes: bytes() }).is_err() {
            counters.add(Figure::TraceDropped);
        }
    }
}
