//! What the switch wants of a leg's media: the whole desired state in one command.

use std::net::SocketAddr;
use std::sync::Arc;

use super::source_lock::Learn;
use crate::codec::Codec;
use crate::codec::g711::Law;
use crate::id::{CallId, LegId};
use crate::recording::{Consent, Mark, Side};
use crate::rtp::srtp::MasterKey;

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

/// A codec and the payload types under which this leg speaks and hears it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AudioFormat {
    /// The codec.
    pub codec: Codec,
    /// The RTP payload type (7 bits) of what the party gets.
    pub payload_type: u8,
    /// That of what comes from it: each side chooses its own (RFC 3264 §5.1).
    pub received: u8,
    /// Milliseconds of sound in a packet that the party gets: 10 to 60.
    pub packet_ms: u8,
}

impl AudioFormat {
    /// µ-law under its static payload type (RFC 3551 §6).
    pub const PCMU: Self = Self { codec: Codec::G711(Law::Ulaw), payload_type: 0, received: 0, packet_ms: 20 };
    /// A-law under its static payload type (RFC 3551 §6).
    pub const PCMA: Self = Self { codec: Codec::G711(Law::Alaw), payload_type: 8, received: 8, packet_ms: 20 };
    /// G.722 under its static payload type (RFC 3551 §6).
    pub const G722: Self = Self { codec: Codec::G722, payload_type: 9, received: 9, packet_ms: 20 };
    /// Opus under the payload type that we give it.
    pub const OPUS: Self = Self { codec: Codec::Opus, payload_type: 111, received: 111, packet_ms: 20 };
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
    /// Packets of silence: who only listens is still there for systems between us that end what no sound comes through.
    Quiet,
    /// Prompts, once; their end is reported.
    Play(Playlist),
    /// Music, over and over.
    Music(MusicId),
    /// What the party itself says.
    Echo,
    /// What another leg's party says, its packets passed on as they are but for their headers and the law of G.711. Both legs must
    /// name each other before a packet passes.
    Bridge(LegId),
    /// What these legs' parties say together, decoded; each must be [`LegMedia::heard`]. The keys of the
    /// first pass as well.
    Mix(Vec<LegId>),
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
    /// Why it may be.
    pub consent: Consent,
    /// Pauses, their ends and whatever else happened in the call, the oldest first: all of them in every command, because the
    /// latest command wins and a pause must not be lost with an older one.
    pub marks: Arc<[Mark]>,
}

/// How a leg's packets are protected on the wire.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Protection {
    /// Not at all.
    Plain,
    /// By SRTP, under keys that both sides have told each other.
    Srtp(Box<SrtpKeys>),
    /// By SRTP, under keys that a handshake with a browser draws on the port of all browsers of the thread. Nothing passes before.
    Browser(Box<Browser>),
}

/// What a thread needs to know to let a browser in.
#[derive(Clone, PartialEq, Eq)]
pub struct Browser {
    /// Names the leg in the browser's checks (ICE).
    pub ufrag: String,
    /// Proves them.
    pub password: String,
    /// SHA-256 of the browser's certificate.
    pub fingerprint: [u8; 32],
    /// Whether we begin the handshake.
    pub active: bool,
}

/// Without the password.
impl std::fmt::Debug for Browser {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Browser").field("ufrag", &self.ufrag).field("active", &self.active).finish_non_exhaustive()
    }
}

/// The keys of both ways.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SrtpKeys {
    /// The key of what we send.
    pub ours: MasterKey,
    /// The key of what the party sends.
    pub theirs: MasterKey,
}

/// Everything that the switch wants of one leg's media.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LegMedia {
    /// The sockets that the SDP named.
    pub lease: PortLease,
    /// Where the peer's SDP wants its packets; unknown before the answer.
    pub remote: Option<SocketAddr>,
    /// Where it wants RTCP; the port after that of its RTP where its SDP says nothing.
    pub remote_rtcp: Option<SocketAddr>,
    /// From where else than `remote` its packets may come.
    pub learn: Learn,
    /// What the leg speaks.
    pub format: AudioFormat,
    /// Payload type of telephone-event (RFC 4733) to the party, where it takes it.
    pub dtmf_pt: Option<u8>,
    /// That of the party's.
    pub dtmf_received: Option<u8>,
    /// How many units the clock of telephone-event counts in an 8,000th of a second: 1 or 6.
    pub dtmf_clock: u32,
    /// Whether the party takes comfort noise (RFC 3389): pauses of whom it is passed.
    pub noise: bool,
    /// What the party hears.
    pub send: Source,
    /// Where the party is recorded, if it is.
    pub recording: Option<RecordingSpec>,
    /// Whether another leg mixes what the party says, so that it has to be decoded.
    pub heard: bool,
    /// Whether the party should be heard now: in a conversation, not on hold, not only listening. Its silence is told then.
    pub sound_due: bool,
    /// Whether digits are reported (they pass over a bridge in any case).
    pub deliver_digits: bool,
    /// The last keys that are pressed for the party's ears because they came by signalling, the oldest first: [`KEYS`] at most.
    pub keys: Vec<SentKey>,
    /// How its packets are protected. Other keys of the same party go on with its streams.
    pub protection: Protection,
}

/// Keys by signalling that one command names: more than anybody presses within a turn.
pub const KEYS: usize = 8;

/// A key that a leg's party is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SentKey {
    /// Counts the keys of the leg: another number is another key.
    pub number: u32,
    /// 0–9, *, #, A–D.
    pub digit: char,
    /// How long it is down, ms: 40 to 8,000.
    pub ms: u16,
}

/// A command to the media threads. Later ones replace earlier ones, so a backlog is never longer than the legs.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(
    clippy::large_enum_variant,
    reason = "commands live until the next turn; a box each would cost more than it saves"
)]
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
            remote_rtcp: None,
            learn: Learn::Nowhere,
            format: AudioFormat::PCMU,
            dtmf_pt: None,
            dtmf_received: None,
            dtmf_clock: 1,
            noise: false,
            send: Source::Silence,
            recording: None,
            heard: false,
            sound_due: false,
            deliver_digits: false,
            keys: Vec::new(),
            protection: Protection::Plain,
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
