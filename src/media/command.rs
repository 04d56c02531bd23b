//! What the switch wants of a leg's media: the whole desired state in one command.

use std::net::SocketAddr;

use crate::codec::g711::Law;
use crate::id::{CallId, LegId};
use crate::recording::Side;

/// A pair of bound ports: RTP on an even one, RTCP on the next (RFC 3550 §11). Bound before an SDP names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PortLease {
    /// Unique among the leases of one run.
    pub id: u32,
    /// The media thread that owns the sockets; both legs of a bridge must name the same one.
    pub thread: u16,
    /// The RTP port; RTCP is one above.
    pub rtp_port: u16,
}

/// A codec and the payload type under which this leg speaks and hears it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AudioFormat {
    /// The law.
    pub law: Law,
    /// The RTP payload type (7 bits).
    pub payload_type: u8,
}

impl AudioFormat {
    /// µ-law under its static payload type (RFC 3551 §6).
    pub const PCMU: Self = Self { law: Law::Ulaw, payload_type: 0 };
    /// A-law under its static payload type (RFC 3551 §6).
    pub const PCMA: Self = Self { law: Law::Alaw, payload_type: 8 };
}

/// Names a prompt in the [`PromptStore`](super::PromptStore).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PromptId(pub u32);

/// Names a piece of music in the [`PromptStore`](super::PromptStore).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MusicId(pub u32);

/// Prompts to be played one after the other, once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Playlist {
    /// In the order of playing.
    pub prompts: Vec<PromptId>,
    /// Comes back in the report of the end. A later command with the same number lets the playing go on.
    pub id: u32,
}

/// Where that comes from which a leg's party hears.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// Nothing is sent.
    Silence,
    /// Prompts, once; their end is reported.
    Play(Playlist),
    /// Music, over and over.
    Music(MusicId),
    /// What the party itself says.
    Echo,
    /// What another leg's party says. Both legs must name each other before a packet passes.
    Bridge(LegId),
}

/// The recording that a leg's packets go into. It runs from the first leg that names it to the last, so name it only after the
/// announcement has been played to its end, and on hold too.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordingSpec {
    /// The recording's name and the stem of its files' names: letters, digits, `-` and `_`, no path.
    pub id: String,
    /// The call that it is of.
    pub call: CallId,
    /// The channel that this leg's party speaks on.
    pub side: Side,
}

/// Everything that the switch wants of one leg's media.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LegMedia {
    /// The sockets that the SDP named.
    pub lease: PortLease,
    /// Where the peer's SDP wants its packets; unknown before the answer.
    pub remote: Option<SocketAddr>,
    /// Whether another source than `remote` may be learned, within five packets.
    pub nat: bool,
    /// What the leg speaks.
    pub format: AudioFormat,
    /// Payload type of telephone-event (RFC 4733), where it was negotiated.
    pub dtmf_pt: Option<u8>,
    /// What the party hears.
    pub send: Source,
    /// Where the party is recorded, if it is.
    pub recording: Option<RecordingSpec>,
    /// Whether digits are reported (they pass over a bridge in any case).
    pub deliver_digits: bool,
}

/// A command to the media threads. Later ones replace earlier ones, so a backlog is never longer than the legs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LegCommand {
    /// The leg shall be so. Ignored where an epoch as high was seen.
    Desire {
        /// Whose media.
        leg: LegId,
        /// Rises with every command for the leg.
        epoch: u32,
        /// The whole state.
        desired: LegMedia,
    },
    /// The leg is gone; its ports go back.
    Release {
        /// Whose media.
        leg: LegId,
        /// What it held.
        lease: PortLease,
    },
}

impl LegCommand {
    /// Whose media the command is about.
    pub fn leg(&self) -> LegId {
        match self {
            Self::Desire { leg, .. } | Self::Release { leg, .. } => *leg,
        }
    }

    /// The ports that it names.
    pub fn lease(&self) -> PortLease {
        match self {
            Self::Desire { desired, .. } => desired.lease,
            Self::Release { lease, .. } => *lease,
        }
    }

    /// Whether `self` may stand in the place of `older`: a higher epoch wins, and nothing follows a release.
    pub fn replaces(&self, older: &Self) -> bool {
        match (self, older) {
            (_, Self::Release { .. }) => false,
            (Self::Release { .. }, Self::Desire { .. }) => true,
            (Self::Desire { epoch: new, .. }, Self::Desire { epoch: old, .. }) => new > old,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_latest_state_wins_and_nothing_follows_a_release() {
        let leg = LegId(1);
        let lease = PortLease { id: 1, thread: 0, rtp_port: 20_000 };
        let desired = LegMedia {
            lease,
            remote: None,
            nat: false,
            format: AudioFormat::PCMU,
            dtmf_pt: None,
            send: Source::Silence,
            recording: None,
            deliver_digits: false,
        };
        let at = |epoch| LegCommand::Desire { leg, epoch, desired: desired.clone() };
        let release = LegCommand::Release { leg, lease };
        assert!(at(2).replaces(&at(1)));
        assert!(!at(1).replaces(&at(1)));
        assert!(!at(1).replaces(&at(2)));
        assert!(release.replaces(&at(2)));
        assert!(!at(3).replaces(&release));
    }
}
