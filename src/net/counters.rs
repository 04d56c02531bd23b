//! Figures of the network, counted and read without locks.

use std::sync::atomic::{AtomicU64, Ordering};

/// The live figures. Each is exact; two of them read together may be an instant apart.
#[derive(Debug, Default)]
pub struct Counters {
    received: AtomicU64,
    sent: AtomicU64,
    dropped_in: AtomicU64,
    dropped_out: AtomicU64,
    malformed: AtomicU64,
    refused: AtomicU64,
    inbound: AtomicU64,
    outbound: AtomicU64,
    trace_dropped: AtomicU64,
    shed: AtomicU64,
}

/// The figures at one instant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Figures {
    /// Messages handed to the loop.
    pub received: u64,
    /// Messages handed to the system.
    pub sent: u64,
    /// Datagrams dropped because the loop did not take them.
    pub dropped_in: u64,
    /// Messages that could not be sent: no such way, no room, or the peer is gone.
    pub dropped_out: u64,
    /// Messages thrown away by their verdict, and streams closed because they could not be read on.
    pub malformed: u64,
    /// Connections closed because of a limit, or in their handshake.
    pub refused: u64,
    /// Accepted connections now.
    pub inbound: u64,
    /// Connections now that we opened.
    pub outbound: u64,
    /// Copies for the trace that its writer was too slow for.
    pub trace_dropped: u64,
    /// INVITEs that got 503 where they were read, because they would have waited too long; the loop never heard of them.
    pub shed: u64,
}

/// One figure.
#[derive(Clone, Copy, Debug)]
pub(super) enum Figure {
    Received,
    Sent,
    DroppedIn,
    DroppedOut,
    Malformed,
    Refused,
    Inbound,
    Outbound,
    TraceDropped,
    Shed,
}

impl Counters {
    /// All figures.
    pub fn figures(&self) -> Figures {
        let read = |figure| self.of(figure).load(Ordering::Relaxed);
        Figures {
            received: read(Figure::Received),
            sent: read(Figure::Sent),
            dropped_in: read(Figure::DroppedIn),
            dropped_out: read(Figure::DroppedOut),
            malformed: read(Figure::Malformed),
            refused: read(Figure::Refused),
            inbound: read(Figure::Inbound),
            outbound: read(Figure::Outbound),
            trace_dropped: read(Figure::TraceDropped),
            shed: read(Figure::Shed),
        }
    }

    pub(super) fn add(&self, figure: Figure) {
        self.of(figure).fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn take(&self, figure: Figure) {
        self.of(figure).fetch_sub(1, Ordering::Relaxed);
    }

    fn of(&self, figure: Figure) -> &AtomicU64 {
        match figure {
            Figure::Received => &self.received,
            Figure::Sent => &self.sent,
            Figure::DroppedIn => &self.dropped_in,
            Figure::DroppedOut => &self.dropped_out,
            Figure::Malformed => &self.malformed,
            Figure::Refused => &self.refused,
            Figure::Inbound => &self.inbound,
            Figure::Outbound => &self.outbound,
            Figure::TraceDropped => &self.trace_dropped,
            Figure::Shed => &self.shed,
        }
    }
}
