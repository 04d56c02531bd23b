//! What an endpoint tells its owner.

use crate::id::{LegId, TrunkId};
use crate::sip::dialog::DialogId;
use crate::sip::message::{Message, Replaces};
use crate::sip::registrar::BindingChange;
use crate::sip::subscription::{Package, SubscriptionId};
use crate::sip::transaction::{Flow, TransactionKey};
use crate::sip::trunk::Diverted;

/// Why something ended: a SIP status or a Q.850 cause, and our word for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Why {
    /// SIP status (300–699) or Q.850 cause (1–127).
    pub code: u16,
    /// In `snake_case`.
    pub text: String,
}

impl Why {
    /// A reason by number and word.
    pub fn new(code: u16, text: &str) -> Self {
        Self { code, text: text.to_owned() }
    }
}

/// Who calls.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Identity {
    /// A trunk, known by its source.
    Trunk(TrunkId),
    /// One of our users, who proved the password.
    User(String),
    /// Nobody asked ([`super::Admission::Open`]).
    Anyone,
}

/// A call that is offered to us.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invite {
    /// Who calls.
    pub identity: Identity,
    /// The caller's number as we write it, of the identity that a trusted trunk asserts, else of From; empty where there is none.
    pub caller: String,
    /// The number called, as we write it.
    pub called: String,
    /// The session description; `None` where we are to offer.
    pub body: Option<Vec<u8>>,
    /// Its Call-ID.
    pub call_id: String,
    /// The way it came.
    pub flow: Flow,
    /// Whether it asks for `sips`, so that it must not be placed on by a way that can be overheard (RFC 5630 §3.1).
    pub secure: bool,
    /// Whether the peer's media may come from elsewhere than it says.
    pub nat: bool,
    /// What goes on with the call.
    pub carried: Carried,
    /// The session whose place the call is to take (RFC 3891).
    pub replaces: Option<LegId>,
}

/// What a call keeps of its INVITE when it is placed anew on its other side (RFC 7332 §5, RFC 7433, RFC 3323).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Carried {
    /// How many more hops the call may take, this one not counted.
    pub hops: u32,
    /// Values of User-to-User, as they were; none that holds control characters.
    pub user_to_user: Vec<String>,
    /// The caller's name.
    pub name: Option<String>,
    /// Whether the caller withholds the number.
    pub private: bool,
    /// Who was called before and diverted the call, the first one first; only what a trusted trunk says.
    pub diverted: Vec<Diverted>,
}

impl Default for Carried {
    /// What a call that begins here has (RFC 3261 §8.1.1.6).
    fn default() -> Self {
        Self { hops: 70, user_to_user: Vec::new(), name: None, private: false, diverted: Vec::new() }
    }
}

/// What a restart needs of a dialog (RFC 3261 §12).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DialogFacts {
    /// Call-ID and tags.
    pub id: DialogId,
    /// Our URI.
    pub local_uri: String,
    /// The peer's URI.
    pub remote_uri: String,
    /// Where its requests go.
    pub remote_target: String,
    /// Route set, topmost first.
    pub route_set: Vec<String>,
    /// The number of our last request.
    pub local_cseq: u32,
    /// The number of the peer's last request.
    pub remote_cseq: Option<u32>,
    /// The way to the peer.
    pub flow: Flow,
}

/// A 200 to a REGISTER that waits until its changes are safe; see [`super::Endpoint::confirm`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Confirmation {
    pub(in crate::sip) key: TransactionKey,
    pub(in crate::sip) request: Message,
    pub(in crate::sip) accepted: Message,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A call is offered: answer it with `ring`, `answer` or `refuse`.
    Invited {
        /// Its leg.
        leg: LegId,
        /// What is known of it.
        invite: Box<Invite>,
    },
    /// The caller gave up before our final response: `refuse` it.
    Cancelled {
        /// Its leg.
        leg: LegId,
        /// What it said (RFC 3326).
        why: Why,
    },
    /// Our 200, or a reliable provisional response with our offer, was acknowledged; `body` answers the offer that it carried.
    Acked {
        /// Its leg.
        leg: LegId,
        /// The answer.
        body: Option<Vec<u8>>,
    },
    /// An INVITE of ours leaves; told for traces alone ([`super::Settings::trace`]).
    Dialling {
        /// Its leg.
        leg: LegId,
        /// Its Call-ID.
        call_id: String,
    },
    /// The called party's phone says something before it answers.
    Progressed {
        /// Its leg.
        leg: LegId,
        /// 101–199.
        code: u16,
        /// Its answer to our offer, where it is to be heard already. Another phone's may follow.
        body: Option<Vec<u8>>,
    },
    /// The called party answered; acknowledged already.
    Answered {
        /// Its leg.
        leg: LegId,
        /// Its answer to our offer, now or in a provisional response; `None` where the session has changed since, and stands.
        body: Option<Vec<u8>>,
    },
    /// Our INVITE came to nothing; the leg is gone.
    Failed {
        /// Its leg.
        leg: LegId,
        /// The final status.
        why: Why,
    },
    /// The peer offers another session: `accept_modify` or `refuse_modify`.
    Modified {
        /// Its leg.
        leg: LegId,
        /// Its offer; `None` where we are to offer.
        body: Option<Vec<u8>>,
    },
    /// The peer answered our re-INVITE; acknowledged already.
    ModifyAnswered {
        /// Its leg.
        leg: LegId,
        /// Its answer to our offer.
        body: Option<Vec<u8>>,
    },
    /// The peer refused our re-INVITE; the session goes on as it was.
    ModifyFailed {
        /// Its leg.
        leg: LegId,
        /// The final status; 491 where the peer offered first.
        why: Why,
    },
    /// The peer pressed a key and says so by INFO.
    Digit {
        /// Its leg.
        leg: LegId,
        /// 0–9, *, #, A–D.
        digit: char,
        /// How long it was down, ms: 40 to 8,000.
        ms: u16,
    },
    /// The peer asks that the recording of its call pause or go on; answer with `answer_record`.
    RecordWish {
        /// Its leg.
        leg: LegId,
        /// Whether it is to go on.
        on: bool,
    },
    /// The peer asks that its session go on with somebody else (RFC 3515): `accept_refer`, and `report_refer` when it is known what
    /// came of it; or `refuse_refer`.
    Referred {
        /// Its leg.
        leg: LegId,
        /// The number that Refer-To names.
        target: String,
        /// The dialog that Refer-To wants replaced (RFC 3891).
        replaces: Option<Replaces>,
    },
    /// The peer ended the session, or is lost.
    HungUp {
        /// Its leg.
        leg: LegId,
        /// What it said.
        why: Why,
    },
    /// The leg's dialog is closed on both sides; nothing more will come from it.
    Gone {
        /// Its leg.
        leg: LegId,
    },
    /// A dialog came to be, or its target or numbers moved.
    DialogChanged {
        /// Its leg.
        leg: LegId,
        /// The dialog as it stands.
        dialog: Box<DialogFacts>,
    },
    /// Bindings changed; journal them, then `confirm`.
    Registered {
        /// What waits.
        confirmation: Box<Confirmation>,
        /// What changed.
        changes: Vec<BindingChange>,
    },
    /// A binding was not refreshed in time.
    BindingExpired {
        /// Address of record.
        aor: String,
        /// Contact.
        uri: String,
    },
    /// The first phone of a user registered.
    SignedIn {
        /// The user.
        user: String,
    },
    /// The last phone of a user is gone.
    SignedOut {
        /// The user.
        user: String,
    },
    /// A contact answers again, or no longer.
    Reachability {
        /// The user.
        user: String,
        /// The contact.
        uri: String,
        /// Whether it answers.
        reachable: bool,
    },
    /// A subscriber is to be told how things stand: `tell_state`. Every change from then on is told by `publish_state`.
    StateWanted {
        /// The subscription.
        subscription: SubscriptionId,
        /// Whose state.
        watched: String,
        /// Which part of it.
        package: Package,
    },
    /// A registration of ours with another registrar stands (again), failed, or is taken back.
    RegistrationChanged {
        /// Its name.
        name: String,
        /// The status of the last answer.
        code: u16,
    },
}
