//! What media tells the switch, and what becomes of one packet.

use std::net::SocketAddr;

use crate::id::LegId;
use crate::recording::{Frame, Manifest};
use crate::rtp::srtp::Refusal;
use crate::rtp::stats::Snapshot;
use crate::time::Now;

/// What a media thread reports to the switch.
#[derive(Clone, Debug, PartialEq)]
pub enum MediaReport {
    /// The party pressed a key (RFC 4733, or in its sound where it has no other way); once per key.
    Digit {
        /// Whose key.
        leg: LegId,
        /// 0–9, `*`, `#`, A–D.
        digit: char,
        /// When the first packet about it came, or when it was certain.
        at: Now,
    },
    /// A playlist came to its end, or was replaced before it.
    PlayFinished {
        /// Who heard it.
        leg: LegId,
        /// The playlist's number.
        id: u32,
        /// Whether all of it was sent.
        completed: bool,
    },
    /// The leg's source is decided.
    SourceLocked {
        /// Which leg.
        leg: LegId,
        /// The address from which packets are taken and to which they go.
        addr: SocketAddr,
    },
    /// No RTP came for so long from a party that should be heard; said once per silence.
    Silent {
        /// Which leg.
        leg: LegId,
        /// Milliseconds without RTP.
        ms: u64,
    },
    /// It is heard again.
    Heard {
        /// Which leg.
        leg: LegId,
        /// Milliseconds that it was silent.
        ms: u64,
    },
    /// Neither RTP nor RTCP came for so long that the party counts as gone; said once per silence.
    Lost {
        /// Which leg.
        leg: LegId,
        /// Milliseconds without either.
        ms: u64,
    },
    /// Packets from elsewhere were dropped; said at most once a second.
    Strangers {
        /// Which leg.
        leg: LegId,
        /// How many since the leg began.
        count: u64,
    },
    /// Packets of a payload type came that was not agreed on, and were dropped; said at most once a second.
    Unusable {
        /// Which leg.
        leg: LegId,
        /// The last such type.
        payload_type: u8,
        /// How many since the leg began.
        count: u64,
    },
    /// Packets came that could not be opened: forged, replayed or no SRTP; said at most once a second.
    Unopened {
        /// Which leg.
        leg: LegId,
        /// How many since the leg began, in the order of [`Refusal::ALL`].
        counts: [u64; Refusal::ALL.len()],
    },
    /// A browser's media has come to an end, or never began.
    BrowserLost {
        /// Which leg.
        leg: LegId,
        /// At which step.
        fault: BrowserFault,
        /// More for people.
        why: String,
    },
    /// Datagrams came to a browsers' port from somebody who has proved nothing; said at most once a second.
    WebStrangers {
        /// How many since it was said last.
        count: u64,
    },
    /// How the party's packets arrived over the leg's life; said at its end.
    Quality {
        /// Which leg.
        leg: LegId,
        /// The figures of its RTP.
        figures: Snapshot,
        /// Mean opinion score by the E-model (ITU-T G.107), 1–4.5; none where no packet came.
        mos: Option<f64>,
        /// RTCP datagrams taken.
        rtcp_received: u64,
    },
    /// A recording's file is closed.
    RecordingClosed {
        /// What should be in it and what is.
        manifest: Manifest,
    },
    /// A command named ports that the thread does not hold; the leg has no media.
    LeaseUnknown {
        /// Which leg.
        leg: LegId,
    },
}

/// Why a browser's media is lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BrowserFault {
    /// Its certificate is not the one that its description names (RFC 8122 §6.2).
    Fingerprint,
    /// The handshake failed.
    Handshake,
    /// It makes no checks any more (RFC 7675).
    Consent,
}

/// Why a packet goes no further.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DropReason {
    /// Not RTP (RFC 3550 §5.1) or longer than a frame may be.
    Malformed,
    /// Not from the leg's party.
    Stranger,
    /// Perhaps from the leg's party, whose address is not proven yet.
    Learning,
    /// A payload type that was not negotiated.
    PayloadType,
}

/// What becomes of a packet that came in on a leg.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PacketFate<'a> {
    /// To the party of leg `to`, by [`Leg::send_bridged`](super::Leg::send_bridged) of that leg.
    Forward {
        /// The leg that shall send it.
        to: LegId,
        /// What is in it.
        arrival: super::Arrival<'a>,
    },
    /// Back to where it came from.
    Echo {
        /// The party.
        to: SocketAddr,
        /// Bytes of the outgoing buffer that are to be sent.
        len: usize,
    },
    /// Nowhere.
    Drop(DropReason),
    /// Accounted, and nobody is to hear it (it may be recorded).
    Consumed(super::Arrival<'a>),
}

impl<'a> PacketFate<'a> {
    /// The sound for a recording, where the packet was taken and is sound. Echoes are not recorded.
    pub fn frame(&self) -> Option<Frame<'a>> {
        match self {
            Self::Forward { arrival, .. } | Self::Consumed(arrival) => arrival.frame(),
            Self::Echo { .. } | Self::Drop(_) => None,
        }
    }
}
