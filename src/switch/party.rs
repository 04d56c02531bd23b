//! What the switch keeps of a call and of each party in it.

use std::collections::VecDeque;
use std::net::SocketAddr;

use super::announcement::Announcing;
use super::recording::{Tape, Typed};
use super::supervise::Supervisor;
use crate::call::{Call, CallState};
use crate::dialplan::Cursor;
use crate::id::{AgentId, CallId, LegId, TrunkId};
use crate::media::{LegMedia, MusicId, PortLease, Refusal, SentKey, Side, Source};
use crate::sdp::{LocalMedia, Negotiated, Negotiator, OwnKeys, OwnWeb};
use crate::sip::endpoint::Carried;
use crate::sip::message::Uri;
use crate::time::Now;
use crate::time::TimerId;

/// A call, its place in the dialplan, and what they need of each other.
pub(super) struct PartyCall {
    pub(super) call: Call,
    pub(super) caller: LegId,
    /// The caller's number: whose data the call's personal fields are.
    pub(super) number: String,
    pub(super) called: String,
    /// The agent whose phone this call comes from, if it proved to be one.
    pub(super) from_agent: Option<AgentId>,
    /// The user whose phone that is.
    pub(super) phone: Option<AgentId>,
    /// The first call of the chain that it belongs to.
    pub(super) linked: CallId,
    /// Whom its agent hands it on to, as that was dialled.
    pub(super) given_to: Option<String>,
    /// The call in which its customer has asked to be called back, where this is that callback.
    pub(super) calls_back: Option<CallId>,
    /// When its caller first entered a queue (wall ms).
    pub(super) queued_ms: Option<i64>,
    pub(super) carried: Carried,
    /// None for a routed call.
    pub(super) cursor: Option<Cursor>,
    pub(super) flow_timer: Option<TimerId>,
    /// The room in which its caller speaks.
    pub(super) room: Option<String>,
    /// The slot in which its caller waits to be fetched.
    pub(super) slot: Option<String>,
    /// The number that is shown where it goes to the outside, in place of that of the user who places it.
    pub(super) caller_id: Option<String>,
    /// What the caller hears while waiting.
    pub(super) music: MusicId,
    /// Where a routed call goes.
    pub(super) onward: Option<Onward>,
    pub(super) recording: Recording,
    pub(super) tape: Tape,
    /// Its agent hears what comes before the caller.
    pub(super) announcing: Option<Announcing>,
    /// Who listens to its conversation.
    pub(super) supervisors: Vec<Supervisor>,
    /// Somebody has been heard or has listened since what everybody hears was set last.
    pub(super) was_supervised: bool,
    /// Legs that are closing, with which it has done: those of supervisors, and those that have failed.
    pub(super) leaving: u32,
    /// Its own legs are gone.
    pub(super) finished: bool,
    /// Whether its caller hears what is said there before the answer.
    pub(super) early_media: bool,
    /// Whether it may go by ways only that cannot be overheard.
    pub(super) secure: bool,
}

impl PartyCall {
    /// A call of which nothing is known but its parties.
    pub(super) fn new(call: Call, caller: LegId, number: String, called: String, music: MusicId) -> Self {
        Self {
            linked: call.id(),
            call,
            caller,
            number,
            called,
            from_agent: None,
            phone: None,
            given_to: None,
            calls_back: None,
            queued_ms: None,
            carried: Carried::default(),
            cursor: None,
            flow_timer: None,
            room: None,
            slot: None,
            caller_id: None,
            music,
            onward: None,
            recording: Recording::None,
            tape: Tape::default(),
            announcing: None,
            supervisors: Vec::new(),
            was_supervised: false,
            leaving: 0,
            finished: false,
            early_media: false,
            secure: false,
        }
    }

    /// Whether it waits for an agent who will call a customer back.
    pub(super) fn waits_to_call(&self) -> bool {
        self.calls_back.is_some() && self.is_waiting()
    }

    /// Whether its caller waits for an agent, one whose phone rings included.
    pub(super) fn is_waiting(&self) -> bool {
        matches!(self.call.state(), CallState::Waiting { .. } | CallState::Presented { .. })
    }
}

/// Whether a call is recorded: it has one recording at most, whoever it is handed to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Recording {
    None,
    Running,
    /// It went on to somebody who is not recorded. Another one would have the same name.
    Over,
}

/// Where a routed call goes: the places that are left to try.
pub(super) struct Onward {
    /// The number that is called there.
    pub(super) called: String,
    pub(super) left: VecDeque<Place>,
    /// Places that are being called at once, each on a leg of its own.
    pub(super) together: Vec<(LegId, Place)>,
    /// How long each may ring, milliseconds; as long as is usual where absent.
    pub(super) ring_ms: Option<u64>,
    /// Whether the conversation with whoever answers is recorded, where a plan calls.
    pub(super) record: bool,
    /// Whether no limit of a trunk holds.
    pub(super) emergency: bool,
}

impl Onward {
    /// To the first of these places that takes the call.
    pub(super) fn to(called: String, left: VecDeque<Place>) -> Self {
        Self { called, left, together: Vec::new(), ring_ms: None, record: false, emergency: false }
    }
}

/// A place to send a routed call to.
pub(super) enum Place {
    /// The phone of one of our users.
    User(AgentId),
    Target(Uri),
    Trunk(TrunkId),
    /// Several at once, each on a leg of its own.
    Together(Vec<Place>),
}

/// Packets that could not be opened, in the order of [`Refusal::ALL`].
pub(super) type Unopened = [u64; Refusal::ALL.len()];

/// Who a leg belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Role {
    Caller,
    Agent(AgentId),
    /// The phone that a routed call goes to, or one of our users' whom another one calls.
    Target,
    /// That of a user who listens to the conversation of others.
    Supervisor,
}

/// One leg.
pub(super) struct Party {
    pub(super) call: CallId,
    pub(super) role: Role,
    /// The user whose phone this is, where no queue has called it: proved by the password, called by us, or only seen by its
    /// registered way.
    pub(super) user: Option<AgentId>,
    /// Whether the called phone has said that it rings.
    pub(super) rings: bool,
    pub(super) negotiator: Negotiator,
    pub(super) media: Option<Media>,
    /// The trunk that carries it.
    pub(super) trunk: Option<TrunkId>,
    /// The peer's first offer, kept until the caller is answered.
    pub(super) offer: Option<crate::sdp::Description>,
    /// What the caller was told of our side before the answer, which says the same.
    pub(super) described: Option<String>,
    /// Packets from strangers that its media thread has told of.
    pub(super) strangers: u64,
    /// Packets of another payload type than was agreed on, told likewise.
    pub(super) unusable: u64,
    pub(super) typed: Typed,
    /// Packets that its media thread could not open, by why.
    pub(super) unopened: Unopened,
    /// The dialog is closed on both sides, or never was.
    pub(super) dialog_gone: bool,
    /// The call has done with the leg, and waits for its end.
    pub(super) left_behind: bool,
}

impl Party {
    /// A party of which nothing is agreed.
    pub(super) fn new(call: CallId, role: Role, negotiator: Negotiator) -> Self {
        Self {
            call,
            role,
            user: None,
            rings: false,
            negotiator,
            media: None,
            trunk: None,
            offer: None,
            described: None,
            strangers: 0,
            unusable: 0,
            typed: Typed::default(),
            unopened: Unopened::default(),
            dialog_gone: false,
            left_behind: false,
        }
    }

    /// Our side for the caller: the answer to its offer, or an offer where it made none.
    pub(super) fn describe(&mut self, local: &LocalMedia, now: Now) -> String {
        let Some(offer) = self.offer.take() else { return self.negotiator.offer(local) };
        match self.negotiator.answer(&offer, local) {
            Ok((body, negotiated)) => {
                if let Some(media) = &mut self.media {
                    media.settle(negotiated, now);
                }
                body
            }
            // The same offer was accepted on trial; without a body the peer hangs up and says why.
            Err(_) => String::new(),
        }
    }
}

/// A leg's media as the switch wants it.
pub(super) struct Media {
    pub(super) lease: PortLease,
    pub(super) nat: bool,
    /// Where the peer listens; kept through a hold that names no address.
    pub(super) remote: Option<SocketAddr>,
    /// Where it wants RTCP.
    pub(super) remote_rtcp: Option<SocketAddr>,
    pub(super) negotiated: Option<Negotiated>,
    /// When the party came, held or resumed last (monotonic ns).
    pub(super) turned_ns: u64,
    pub(super) send: Source,
    /// The last keys that it was sent because its partner pressed them by signalling.
    pub(super) keys_sent: VecDeque<SentKey>,
    /// Whether the party itself has pressed a key by signalling.
    pub(super) signals_keys: bool,
    /// Supervisors whom the party hears beside its partner.
    pub(super) beside: Vec<LegId>,
    /// Supervisors, or those whom a supervisor speaks to, hear the party decoded.
    pub(super) overheard: bool,
    /// The channel on which the party is recorded, where its call is.
    pub(super) recording: Option<Side>,
    pub(super) epoch: u32,
    /// The last state that was commanded.
    pub(super) commanded: Option<LegMedia>,
    /// Released, and waiting for the thread's last word.
    pub(super) released: bool,
    /// What our descriptions tell where the sound is encrypted.
    pub(super) keys: OwnKeys,
    /// What they tell a browser, which has no ports of its own.
    pub(super) web: Option<OwnWeb>,
}

impl Media {
    pub(super) fn new(lease: PortLease, nat: bool, keys: OwnKeys) -> Self {
        Self {
            lease,
            nat,
            remote: None,
            remote_rtcp: None,
            negotiated: None,
            turned_ns: 0,
            send: Source::Silence,
            keys_sent: VecDeque::new(),
            signals_keys: false,
            beside: Vec::new(),
            overheard: false,
            recording: None,
            epoch: 0,
            commanded: None,
            released: false,
            keys,
            web: None,
        }
    }

    /// Takes what an exchange of offer and answer settled.
    pub(super) fn settle(&mut self, negotiated: Negotiated, now: Now) {
        if self.negotiated.as_ref().is_none_or(|before| before.hold != negotiated.hold) {
            self.turned_ns = now.mono_ns;
        }
        if !negotiated.remote_rtp.ip().is_unspecified() {
            self.remote = Some(negotiated.remote_rtp);
            self.remote_rtcp = Some(negotiated.remote_rtcp);
        }
        self.negotiated = Some(negotiated);
    }

    /// Whether the party asks for no sound.
    pub(super) fn holds(&self) -> bool {
        self.negotiated.as_ref().is_some_and(|negotiated| negotiated.hold)
    }
}
